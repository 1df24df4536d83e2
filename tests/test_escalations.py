"""The escalation file: which AMs have to be relieved by when, for whoever is told."""

import csv
import os
import resource
import signal
import subprocess
import sys
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nights import clock, known_book
from stores import START, address_of, as_approver, later, sqlite_store, submitted

from rebalancer.errors import UsageError
from rebalancer.nightly.escalations import COLUMNS, escalation_text, write_escalations
from rebalancer.store import apply, approve, reject
from rebalancer.store.waiting import deadlines
from rebalancer.surfaces.cells import as_text, plain


@pytest.fixture
def sqlite(tmp_path):
    """A store in a file, where all stores do the same."""
    return sqlite_store(tmp_path)


def rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def told(store, now=START, **how):
    return [(line.am_id, line.first_red.isoformat(), line.days_left) for line in deadlines(store, now=now, **how)]


# Deadlines


def test_an_am_is_told_once_with_the_first_day_of_all_its_reasons(store):
    book = known_book(store)
    clock(store, book, "M-1", "2026-01-10", reason="units", last_red="2026-01-15", name="Ann New", manager="Olga")
    clock(store, book, "M-1", "2026-01-05", reason="grr", last_red="2026-01-14", name="Ann Old", manager="")
    (line,) = deadlines(store, now=START)
    assert (line.am_id, line.reasons, line.name, line.manager) == ("M-1", ("grr", "units"), "Ann New", "Olga")
    assert (line.first_red, line.due, line.days_left) == (date(2026, 1, 5), date(2026, 3, 6), 50)


def test_a_reason_that_ended_only_after_the_next_began_counts_from_its_own_first_day(store):
    book = known_book(store)
    clock(store, book, "M-1", "2025-12-01", reason="units", last_red="2026-01-09", cleared="2026-01-10")
    clock(store, book, "M-1", "2026-01-08", reason="grr")
    clock(store, book, "M-2", "2025-12-01", reason="units", last_red="2025-12-09", cleared="2025-12-10")
    clock(store, book, "M-2", "2026-01-08", reason="grr")
    assert told(store) == [("M-1", "2025-12-01", 15), ("M-2", "2026-01-08", 53)]


def test_a_clock_that_was_cleared_is_told_to_nobody(store):
    clock(store, known_book(store), "M-1", "2025-01-01", last_red="2025-01-31", cleared="2025-02-01")
    assert told(store) == []


def test_the_same_am_in_two_books_has_two_lines(store):
    clock(store, known_book(store, "main"), "M-1", "2026-01-10")
    clock(store, known_book(store, "other"), "M-1", "2025-11-01")
    assert [(line.book, line.overdue) for line in deadlines(store, now=START)] == [("other", True), ("main", False)]


@pytest.mark.parametrize(
    ("first", "days", "left", "overdue"),
    [
        ("2026-01-15", 60, 60, False),
        ("2025-11-16", 60, 0, False),
        ("2025-11-15", 60, -1, True),
        ("2025-12-31", 15, 0, False),
        ("2024-02-29", 60, -626, True),
    ],
)
def test_the_last_day_is_still_in_time(sqlite, first, days, left, overdue):
    clock(sqlite, known_book(sqlite), "M-1", first)
    (line,) = deadlines(sqlite, now=START, days=days)
    assert (line.days_left, line.overdue) == (left, overdue)


@pytest.mark.parametrize(
    ("moment", "zone", "left"),
    [
        ("2026-03-29T00:30:00+00:00", "Europe/Berlin", 2),  # an hour before the clocks go forward there
        ("2026-03-29T22:30:00+00:00", "Europe/Berlin", 1),
        ("2026-03-29T22:30:00+00:00", "UTC", 2),
        ("2026-03-29T10:30:00+00:00", "Pacific/Kiritimati", 1),
        ("2026-03-29T10:30:00+00:00", "Etc/GMT+12", 3),
    ],
)
def test_days_are_those_of_the_calendar_in_the_zone(sqlite, moment, zone, left):
    clock(sqlite, known_book(sqlite), "M-1", "2026-01-30")
    assert told(sqlite, datetime.fromisoformat(moment).astimezone(UTC), zone=zone) == [("M-1", "2026-01-30", left)]


# The proposal that would help


def cure(store, am_id="M-1"):
    return {line.am_id: (line.proposal_id, line.proposal_state) for line in deadlines(store, now=START)}[am_id]


def test_the_live_proposal_that_takes_load_off_the_am_is_named_until_it_is_applied(store):
    name = submitted(store, {"A-1": "M-2"})
    book = known_book(store)
    for am in ("M-1", "M-2"):
        clock(store, book, am, "2026-01-01")
    assert cure(store, "M-2") == ("", "")
    assert cure(store) == (name, "open")
    approve(as_approver(store), name, now=later(minutes=1))
    assert cure(store) == (name, "approved")
    apply(as_approver(store), name, now=later(minutes=2))
    assert cure(store) == ("", "")


def test_a_rejected_move_helps_nobody(store):
    name = submitted(store)
    book = known_book(store)
    for am in ("M-1", "M-2"):
        clock(store, book, am, "2026-01-01")
    reject(as_approver(store), name, accounts=["A-1"], now=later(minutes=1))
    assert (cure(store, "M-1"), cure(store, "M-2")) == (("", ""), (name, "open"))


# The file


def test_the_file_has_the_overdue_ones_first(store, tmp_path):
    name = submitted(store, {"A-1": "M-2"})
    book = known_book(store)
    clock(store, book, "M-2", "2026-01-10", reason="silence", name="Ben", manager="")
    clock(store, book, "M-1", "2025-11-01", name="Ann, PhD", manager="Olga")
    clock(store, book, "M-1", "2025-11-03", reason="grr", name="Ann, PhD", manager="Olga")
    assert write_escalations(store, tmp_path / "new" / "due.csv", START) == 2
    first, second = rows(tmp_path / "new" / "due.csv")
    assert list(first) == list(COLUMNS)
    assert first == {
        "book": "main", "am_id": "M-1", "name": "Ann, PhD", "manager": "Olga", "reasons": "grr;units",
        "first_red": "2025-11-01", "due": "2025-12-31", "days_left": "-15", "overdue": "true",
        "proposal_id": name, "proposal_state": "open",
    }  # fmt: skip
    assert (second["am_id"], second["overdue"], second["days_left"]) == ("M-2", "false", "55")
    assert second["proposal_id"] == second["proposal_state"] == ""


def test_nobody_triggered_gives_a_file_with_a_header_alone(store, tmp_path):
    assert write_escalations(store, tmp_path / "due.csv", START) == 0
    assert (tmp_path / "due.csv").read_text() == ",".join(COLUMNS) + "\n"


def test_the_command_writes_the_same_file(store, run, tmp_path, monkeypatch):
    monkeypatch.setenv("REBALANCER_NOW", "2026-01-15T09:00:00Z")
    clock(store, known_book(store), "M-1", "2025-11-20")
    done = run("status", "--store", address_of(store), "--escalations", "due.csv", "--days", "50")
    assert "1 book written to due.csv." in done.err
    write_escalations(store, tmp_path / "same.csv", START, days=50)
    assert (tmp_path / "due.csv").read_bytes() == (tmp_path / "same.csv").read_bytes()


def test_a_failure_leaves_the_file_of_before(store, tmp_path, monkeypatch):
    target = tmp_path / "due.csv"
    target.write_text("old\n")
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(UsageError, match=r"No space left on device; what was there is as it was"):
        write_escalations(store, target, START)
    assert target.read_text() == "old\n"
    assert [file.name for file in tmp_path.iterdir() if "due" in file.name] == ["due.csv"]


def limited(size):
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


@pytest.mark.parametrize("size", [0, 1, 100, 4096])
def test_a_disk_that_is_full_after_any_byte_leaves_the_file_of_before(tmp_path, size):
    target = tmp_path / "due.csv"
    target.write_text("old\n")
    code = (
        "import sys; from pathlib import Path; from rebalancer.nightly.escalations import _replace\n"
        "_replace(Path(sys.argv[1]), 'x' * 5000)"
    )
    done = subprocess.run([sys.executable, "-c", code, target], preexec_fn=limited(size), capture_output=True)
    assert done.returncode == 1
    assert target.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [target]


# Safe to open in a spreadsheet

HOSTILE = [
    *("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "|calc", "%0A=1", "\uff1d1", "\ufeff=1"),
    *("'=1", "''=1"),
]


def test_text_that_a_spreadsheet_would_run_is_marked_in_every_column(sqlite, tmp_path):
    for text in HOSTILE:
        clock(sqlite, known_book(sqlite, text), text, "2026-01-10", reason=text, name=text, manager=text)
    write_escalations(sqlite, tmp_path / "due.csv", START)
    found = rows(tmp_path / "due.csv")
    for column in ("book", "am_id", "name", "manager", "reasons"):
        assert sorted(row[column] for row in found) == sorted("'" + text for text in HOSTILE)
        assert sorted(plain(row[column]) for row in found) == sorted(HOSTILE)
    assert {row["days_left"] for row in found} == {"55"}


def test_negative_days_stay_a_number(sqlite, tmp_path):
    clock(sqlite, known_book(sqlite), "M-1", "2025-01-10")
    write_escalations(sqlite, tmp_path / "due.csv", START)
    assert rows(tmp_path / "due.csv")[0]["days_left"] == "-310"


@given(st.text(alphabet=st.characters(codec="utf-8")) | st.text(alphabet="'=+-@ \t\r\nA1"))
def test_marking_is_taken_back_whatever_the_text(text):
    assert plain(as_text(text)) == text
    assert as_text(text).lstrip()[:1] not in tuple("=+-@")


@pytest.mark.parametrize("text", ["Ann O'Neil", "'quoted'", "M-1", "00123", "a=b", ""])
def test_plain_text_is_not_marked(text):
    assert as_text(text) == text


def test_no_customer_is_named_in_the_file(store):
    submitted(store)
    clock(store, known_book(store), "M-1", "2026-01-01")
    text = escalation_text(deadlines(store, now=START))
    assert "A-1" not in text
    assert COLUMNS == ("book", "am_id", "name", "manager", "reasons", "first_red", "due", "days_left", "overdue",
                       "proposal_id", "proposal_state")  # fmt: skip
