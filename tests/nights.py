"""Nights for tests: rows as the batch leaves them in a store."""

import json

from stores import START, observed

from rebalancer.store.books import observe_book
from rebalancer.store.store import timestamp
from rebalancer.store.tables import clocks, night_books, nights

DAY = START.date().isoformat()


def wrote(store, table, *rows):
    with store.writing(now=START) as work:
        work.connection.execute(table.insert(), list(rows))


def night(store, *, day=DAY, start=START, end=None, code=-1, books=3, outcomes=None, seconds=-1.0):
    """A night; without an end it runs, or was killed."""
    row = {
        "day": day,
        "started_at": timestamp(start),
        "ended_at": timestamp(end) if end else "",
        "holder": f"process 4711 on host-1 since {timestamp(start)}",
        "version": "1.0",
        "outcomes": json.dumps(outcomes or {}),
        "jobs": 2,
        "books": books,
        "exit_code": code,
        "seconds": (end - start).total_seconds() if end else seconds,
    }
    wrote(store, nights, row)


def night_book(store, book, status="no_change", *, code=0, day=DAY, at=START, message="", **numbers):
    """What became of a book on a day."""
    counts = {name: numbers.get(name, 0) for name in ("accounts", "moves", "triggered", "overdue")}
    row = {"book": book, "day": day, "at": timestamp(at), "status": status, "exit_code": code, "message": message}
    text = {"inputs": "", "run_id": "", "proposal_id": numbers.get("proposal_id", "")}
    wrote(store, night_books, {**row, **text, **counts, "seconds": numbers.get("seconds", 1.0)})


def known_book(store, name="main", **how):
    """The number of a book that the store knows."""
    with store.writing(now=START) as work:
        return observe_book(work, name, observed(**how))


def clock(store, book_id, am_id, first_red, *, reason="units", last_red=DAY, cleared="", name="Ann", manager="Olga"):
    """A clock of an AM."""
    row = {"book_id": book_id, "am_id": am_id, "reason": reason, "first_red": first_red, "name": name}
    wrote(store, clocks, {**row, "manager": manager, "last_red": last_red, "cleared": cleared})
