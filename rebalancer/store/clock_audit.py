"""The clocks of the triggers, replayed from the events: a deadline can't be moved behind their back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from rebalancer.store.tables import books, clocks

EVENT = "triggers"

Key = tuple[str, str, str]
"""Book, AM and reason."""


def wrong_clocks(connection: sa.Connection, told: Sequence[sa.Row[Any]]) -> Iterator[str]:
    """A sentence for every clock that is not as the events say, that is missing, or that no event began."""
    query = sa.select(clocks, books.c.name.label("book")).join(books, books.c.book_id == clocks.c.book_id)
    rows = connection.execute(query).all()
    there = {((row.book, row.am_id, row.reason), row.first_red): row.cleared for row in rows}
    wanted = _replayed(told)
    for key, first_red in sorted({*there, *wanted}):
        if there.get((key, first_red)) != wanted.get((key, first_red)):
            book, am_id, reason = key
            yield f"the clock of {am_id} in {book} for {reason} from {first_red} is not as its events say."


def _replayed(told: Sequence[sa.Row[Any]]) -> dict[tuple[Key, str], str]:
    """When every clock was cleared, by what it is of and its first red day; empty while it runs."""
    found: dict[tuple[Key, str], str] = {}
    newest: dict[Key, str] = {}
    for event in told:
        for day, one in _told(event) if event.what == EVENT else ():
            key = (event.book, one["am_id"], one["reason"])
            if one["what"] == "fired":
                newest[key] = day
                found[key, day] = ""
            elif one["what"] == "fired_again" and key in newest:
                found[key, newest[key]] = ""
            elif one["what"] == "cleared" and key in newest:
                found[key, newest[key]] = day
    return found


def _told(event: sa.Row[Any]) -> list[tuple[str, dict[str, str]]]:
    """The day and the triggers of an event; nothing where its text was damaged, which the chain tells."""
    try:
        body = json.loads(event.body)
        return [(str(body["day"]), dict(one)) for one in body["triggers"]]
    except (ValueError, TypeError, KeyError):
        return []
