"""Trigger clock: since when every book has been triggered, what happened on a day, and how many days are left.

A pure function of what was known and what fires now, `advance(state, fired, day)`: it reads no clock and no file.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Literal

Key = tuple[str, str]
"""A book and a reason."""

Happening = Literal["fired", "fired_again", "cleared", "overdue"]


@dataclass(frozen=True, order=True)
class Clock:
    """One stretch in which a book was triggered for one reason.

    It runs from `first_red`, the first day on which a run saw it, to `cleared`, the day on which a run saw that it was
    over; None while it lasts. `last_red` is the last day on which a run saw it fire.
    """

    am_id: str
    reason: str
    first_red: date
    last_red: date
    cleared: date | None = None

    @property
    def key(self) -> Key:
        """The book and the reason."""
        return self.am_id, self.reason


@dataclass(frozen=True)
class State:
    """Every clock, sorted, and the last day that was taken in; None before the first."""

    day: date | None = None
    clocks: tuple[Clock, ...] = ()

    def running(self) -> dict[Key, Clock]:
        """The clocks that have not been cleared."""
        return {clock.key: clock for clock in self.clocks if clock.cleared is None}


@dataclass(frozen=True)
class Event:
    """Something that happened to a book on a day, each told once. For `overdue` the reason is empty."""

    day: date
    am_id: str
    reason: str
    what: Happening


@dataclass(frozen=True)
class Periods:
    """Days that a book may take from its first red day on, and within which what fires again is not new."""

    days: int = 60
    refire_days: int = 30


def advance(
    state: State,
    fired: Collection[Key],
    day: date,
    unjudged: Collection[Key] = (),
    periods: Periods = Periods(),
) -> tuple[State, tuple[Event, ...]]:
    """The state after a day on which the triggers of `fired` were seen, and what happened since.

    A trigger that is not seen has cleared, unless it is among `unjudged`: for lack of data nothing clears. One that
    fires again up to `refire_days` after it cleared goes on from its old first red day. The same day again changes
    nothing but what changed in the book; a day before the last one changes nothing at all.
    """
    if state.day is not None and day < state.day:
        return state, ()
    clocks, events = dict[tuple[Key, date], Clock](), list[Event]()
    for clock in state.clocks:
        clocks[clock.key, clock.first_red] = clock
    for key, clock in state.running().items():
        if key in fired:
            clocks[key, clock.first_red] = replace(clock, last_red=day)
        elif key not in unjudged:
            clocks[key, clock.first_red] = replace(clock, cleared=day)
            events.append(Event(day, *key, "cleared"))
    for key in sorted(set(fired) - set(state.running())):
        recent = _recent(state.clocks, key, day, periods.refire_days)
        clock = Clock(*key, day, day) if recent is None else replace(recent, last_red=day, cleared=None)
        clocks[key, clock.first_red] = clock
        events.append(Event(day, *key, "fired" if recent is None else "fired_again"))
    after = State(day, tuple(sorted(clocks.values(), key=lambda clock: (clock.key, clock.first_red))))
    return after, (*events, *_newly_overdue(state, after, periods))


def _recent(clocks: Iterable[Clock], key: Key, day: date, within: int) -> Clock | None:
    """The clock of that book and reason that cleared last, if that is not too long ago."""
    ended = [clock for clock in clocks if clock.key == key and clock.cleared is not None]
    last = max(ended, key=lambda clock: clock.first_red, default=None)
    return last if last is not None and last.cleared is not None and (day - last.cleared).days <= within else None


def _newly_overdue(before: State, after: State, periods: Periods) -> list[Event]:
    """A book is overdue once for each time that it is triggered."""
    assert after.day is not None
    told = {am_id for am_id, since in since_when(before).items() if _late(since, before.day, periods)}
    late = {am_id for am_id, since in since_when(after).items() if _late(since, after.day, periods)}
    return [Event(after.day, am_id, "", "overdue") for am_id in sorted(late - told)]


def _late(since: date, day: date | None, periods: Periods) -> bool:
    return day is not None and days_left(since, day, periods) < 0


def since_when(state: State) -> dict[str, date]:
    """The first red day of every book that is triggered: since then it never was without a reason."""
    of_book: dict[str, list[Clock]] = {}
    for clock in state.clocks:
        of_book.setdefault(clock.am_id, []).append(clock)
    found: dict[str, date] = {}
    for am_id, own in of_book.items():
        lasting = [clock.first_red for clock in own if clock.cleared is None]
        if lasting:
            since = min(lasting)
            for clock in sorted(own, key=lambda clock: clock.cleared or date.max, reverse=True):
                since = min(since, clock.first_red) if clock.cleared is None or clock.cleared >= since else since
            found[am_id] = since
    return found


def due_on(since: date, periods: Periods) -> date:
    """The last day that is still in time."""
    return since + timedelta(days=periods.days)


def days_left(since: date, day: date, periods: Periods) -> int:
    """Days until `due_on`: 0 on that day, which is still in time, and negative after it."""
    return (due_on(since, periods) - day).days
