"""Books of the size users have."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

import rebalancer as rb

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

import real_books  # noqa: E402
from books import regional  # noqa: E402

ADVENTUREWORKS = Path(os.environ.get("REBALANCER_SHARED", ROOT.parent / "shared")) / "data" / "adventureworks"


def test_a_tight_regional_book_of_1000_accounts_is_proven_in_ten_seconds():
    """Two regions of 20 AMs, 95 % of capacity needed, four in ten books over: the limit itself is the ten seconds."""
    book = regional(1_000, 40, seed=0, regions=2)
    proposal = rb.propose(book, "pods", time_limit=10)
    level = proposal.level("disruption")
    assert level is not None
    assert level["proof"] == "solver"
    assert level["bound"] == level["value"]
    assert proposal.status == "optimal"
    assert 50 < proposal.record["moves"]["accounts"] < 200


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
