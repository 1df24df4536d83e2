"""Clocks: the state of the triggers of a book, kept in the store between nights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa

from rebalancer.coverage.triggers import Triggers
from rebalancer.insight.trigger_clock import Clock, Event, State
from rebalancer.store.clock_audit import EVENT
from rebalancer.store.events import append
from rebalancer.store.store import Work
from rebalancer.store.tables import books, clocks

KEY = ("book_id", "am_id", "reason", "first_red")


def load_clocks(connection: sa.Connection, book: int) -> State:
    """The clocks of a book as the last night left them."""
    rows = connection.execute(sa.select(clocks).where(clocks.c.book_id == book)).all()
    day = connection.execute(sa.select(books.c.clock_day).where(books.c.book_id == book)).scalar_one()
    found = [
        Clock(
            row.am_id,
            row.reason,
            date.fromisoformat(row.first_red),
            date.fromisoformat(row.last_red),
            date.fromisoformat(row.cleared) if row.cleared else None,
        )
        for row in rows
    ]
    ordered = sorted(found, key=lambda clock: (clock.key, clock.first_red))
    return State(date.fromisoformat(day) if day else None, tuple(ordered))


def save_clocks(
    work: Work,
    book: int,
    name: str,
    states: tuple[State, State],
    events: Sequence[Event],
    people: Mapping[str, tuple[str, str]],
    triggers: Triggers,
) -> None:
    """Write what is new in the state, and what happened as one event. `people`: (name, manager) by AM; `triggers` are
    the settings of the clock.
    """
    before, after = states
    known = {(clock.key, clock.first_red): clock for clock in before.clocks}
    changed = [clock for clock in after.clocks if known.get((clock.key, clock.first_red)) != clock]
    for clock in changed:
        _write(work.connection, _row(book, clock, people), (clock.key, clock.first_red) in known)
    if after.day is not None:
        values = {"clock_day": after.day.isoformat(), "clock_days": triggers.days, "clock_zone": triggers.zone}
        work.connection.execute(books.update().where(books.c.book_id == book).values(values))
    if events:
        told = [{"am_id": event.am_id, "reason": event.reason, "what": event.what} for event in events]
        append(work, EVENT, {"day": events[0].day.isoformat(), "triggers": told}, book=name)


def _row(book: int, clock: Clock, people: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    name, manager = people.get(clock.am_id, ("", ""))
    return {
        "book_id": book,
        "am_id": clock.am_id,
        "reason": clock.reason,
        "first_red": clock.first_red.isoformat(),
        "name": name,
        "manager": manager,
        "last_red": clock.last_red.isoformat(),
        "cleared": "" if clock.cleared is None else clock.cleared.isoformat(),
    }


def _write(connection: sa.Connection, row: dict[str, Any], known: bool) -> None:
    if not known:
        connection.execute(clocks.insert().values(row))
        return
    place = [clocks.c[name] == row[name] for name in KEY]
    rest = {name: value for name, value in row.items() if name not in KEY}
    connection.execute(clocks.update().where(*place).values(rest))
