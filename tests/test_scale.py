"""Books of the size users have."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from test_child import gone
from test_signals import signalled

import rebalancer as rb
from rebalancer.certificate_file import to_bytes
from rebalancer.verify import verify_run

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

import real_books  # noqa: E402
from books import DAY, FAMILIES, MODEL, frames, regional, wide, write  # noqa: E402

ADVENTUREWORKS = Path(os.environ.get("REBALANCER_SHARED", ROOT.parent / "shared")) / "data" / "adventureworks"


def test_a_tight_regional_book_of_1000_accounts_is_proven_by_the_certificate():
    """Two regions of 20 AMs, 95 % of capacity needed, four in ten books over."""
    book = regional(1_000, 40, seed=0, regions=2)
    proposal = rb.propose(book, "pods", time_limit=10)
    level = proposal.level("disruption")
    assert level is not None
    assert level["proof"] == "certificate"
    assert level["bound"] == level["value"]
    assert proposal.status == "optimal"
    assert 50 < proposal.record["moves"]["accounts"] < 200


def test_a_wide_book_is_proven_by_the_certificate():
    """60,000 arcs in one component: everybody may serve everything."""
    proposal = rb.propose(wide(2_000, 30, seed=2), time_limit=20)
    assert proposal.status == "optimal"
    assert proposal.level("disruption")["proof"] == "certificate"


def test_a_reproducible_search_of_a_large_component_gives_equal_bytes_whatever_the_workers_and_the_row_order():
    """3,600 arcs with CSM loads, not proven in the work it gets."""
    tables = frames(300, 12, 3, FAMILIES["regional-csm"])
    shuffled = {name: table.sample(frac=1, random_state=1) for name, table in tables.items()}
    runs = [
        rb.propose(
            rb.Book.from_frames(**given, effective_date=DAY, model=MODEL),
            time_limit=10,
            workers=workers,
            reproducible=True,
        )
        for given, workers in ((tables, 1), (tables, 2), (shuffled, 2))
    ]
    first, *others = (
        (run.record["levels"], run.assignments.to_csv(index=False), to_bytes(run.certificates)) for run in runs
    )
    assert runs[0].level("disruption")["certificate_bound"] > 0
    assert runs[0].warnings == runs[1].warnings == runs[2].warnings
    assert all(other == first for other in others)


@pytest.mark.long
def test_ctrl_c_at_ten_random_moments_of_a_large_search_writes_a_legal_plan(tmp_path):
    """10,000 accounts of 200 AMs with CSMs, a search that would go on for a minute."""
    (tmp_path / "book").mkdir()
    write("regional-csm", 10_000, 200, 0, tmp_path / "book")
    for delay in np.random.default_rng(4).uniform(5, 30, 10):
        code, err, _, pids = signalled(tmp_path, [signal.SIGINT], delay, limit="60s")
        assert code == 130, err
        assert all(gone(pid) for pid in pids)
        assert verify_run(tmp_path / "run") == []
        record = json.loads((tmp_path / "run" / "proposal.json").read_text())
        assert (record["stopped"], record["legal"]) == ("interrupt", True)
        shutil.rmtree(tmp_path / "run")
        (tmp_path / "pids").unlink()


@pytest.mark.long
@pytest.mark.skipif(not ADVENTUREWORKS.is_dir(), reason="the AdventureWorks books are not here")
@pytest.mark.parametrize("scope", real_books.SCOPES)
@pytest.mark.parametrize("model", real_books.MODELS)
@pytest.mark.parametrize("book", real_books.BOOKS)
def test_a_real_book_is_rebalanced_or_told_why_it_cannot_be(book, model, scope):
    run = real_books.run(ADVENTUREWORKS / book, model, scope)
    assert run.seconds < 30
    assert run.violations == []
    if model == "blended":  # 18 AMs of 20 accounts can't hold 420 or 632
        assert run.proposal.status == "over_capacity"
    if run.proposal.status == "over_capacity":
        assert any("short" in sentence for sentence in run.proposal.record["shortages"])
        assert run.proposal.level("overload")["value"] > 0
    else:
        assert run.proposal.status == "optimal"
        assert run.proposal.legal
