"""The planning notebook: a text that runs as a script and as a notebook, and draws its pictures."""

import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from small_books import write_book

ROOT = Path(__file__).parent.parent
NOTEBOOK = ROOT / "examples" / "quarterly_rebalance.py"
REAL = os.environ.get("REBALANCER_ADVENTUREWORKS")
PICTURES = {"utilization.png", "flow.png", "measures.png"}
CELL = re.compile(r"^# %%(?P<kind>.*)$", re.MULTILINE)


def settings(pictures, **books):
    """The environment of a run: no window, its own folder of pictures, and only the books named."""
    asked = {"REBALANCER_BOOK": "", "REBALANCER_ADVENTUREWORKS": "", **books}
    return {**os.environ, "MPLBACKEND": "Agg", "REBALANCER_PICTURES": str(pictures), **asked}


def run_as_script(pictures, **books):
    """What the notebook prints."""
    pytest.importorskip("matplotlib")
    pictures.mkdir()
    done = subprocess.run(
        [sys.executable, str(NOTEBOOK)], capture_output=True, text=True, cwd=pictures, env=settings(pictures, **books)
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def drawn(folder):
    """Width and height of every PNG that is not empty."""
    sizes = {}
    for file in folder.glob("*.png"):
        data = file.read_bytes()
        assert data[:8] == b"\x89PNG\r\n\x1a\n"
        assert len(data) > 5_000, f"{file.name} shows nothing"
        sizes[file.name] = struct.unpack(">II", data[16:24])
    return sizes


def test_the_notebook_is_kept_as_text_with_words_and_code():
    text = NOTEBOOK.read_text(encoding="utf-8")
    kinds = [match["kind"].strip() for match in CELL.finditer(text)]
    assert text.startswith("# ---\n# jupyter:\n")
    assert set(kinds) == {"", "[markdown]"}
    assert kinds.count("[markdown]") >= 10
    assert kinds.count("") >= 10


def test_the_notebook_runs_as_a_script_and_draws_its_pictures(tmp_path):
    told = run_as_script(tmp_path / "pictures", REBALANCER_BOOK=str(write_book(tmp_path / "book")))
    assert "3 of 7 accounts move (2 of them forced), $310,000 ARR, $34,840 at risk." in told
    assert "Keeping A-04 with M-1 costs $4,620 more at risk (proven), and moves A-03 instead." in told
    assert "No change is needed." in told
    assert told.endswith("REBALANCER_ADVENTUREWORKS is not set: skipped.\n")
    sizes = drawn(tmp_path / "pictures")
    assert set(sizes) == PICTURES
    assert all(width > 600 and height > 250 for width, height in sizes.values())


@pytest.mark.long
def test_the_notebook_tells_the_story_of_the_sample_book(tmp_path):
    told = run_as_script(tmp_path / "pictures")
    assert (
        "57 of 600 accounts move (22 of them forced), $3,805,400 ARR, $820,536 at risk; 1 CSM changes, 0 pods broken."
        in told
    )
    assert (
        "52 of 600 accounts move (22 of them forced), $3,654,700 ARR, $788,398 at risk; 1 CSM changes, 0 pods broken."
        in told
    )
    assert "Different scope: full and repair." in told
    assert re.search(r"Keeping A-\d{4} with AM-\d\d and CSM-\d\d costs \$[\d,]+ more at risk \(proven\)", told)
    assert "No change is needed." in told
    assert set(drawn(tmp_path / "pictures")) == PICTURES


@pytest.mark.long
@pytest.mark.skipif(not REAL, reason="REBALANCER_ADVENTUREWORKS names no folder of real books")
def test_the_notebook_plans_the_real_books_where_their_folder_is_given(tmp_path):
    told = run_as_script(tmp_path / "pictures", REBALANCER_ADVENTUREWORKS=REAL)
    assert "book_2018q4: optimal" in told
    assert "book_2020q1: over_capacity" in told
    real = {f"{kind}_{book}.png" for kind in ("utilization", "flow") for book in ("book_2018q4", "book_2020q1")}
    assert set(drawn(tmp_path / "pictures")) == PICTURES | real


@pytest.mark.long
def test_the_notebook_runs_as_a_notebook(tmp_path, monkeypatch):
    jupytext, nbclient = pytest.importorskip("jupytext"), pytest.importorskip("nbclient")
    pytest.importorskip("matplotlib")
    for name, value in settings(tmp_path).items():
        monkeypatch.setenv(name, value)
    notebook = jupytext.read(NOTEBOOK)
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    faults = [out for cell in notebook.cells for out in cell.get("outputs", []) if out["output_type"] == "error"]
    assert faults == []
    assert set(drawn(tmp_path)) == PICTURES
