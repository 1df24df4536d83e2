"""Status: everything of a store that somebody has to look at in the morning, and whether a monitor should ring."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from rebalancer.store.store import Store, moment_of, timestamp
from rebalancer.store.waiting import Deadline, Waiting, deadlines, waiting_proposals
from rebalancer.store.watching import STALLED, Behind, Night, NightBook, books_behind, books_of_day, last_nights

MAX_AGE = timedelta(hours=36)
"""A night has to have ended within this time. Ours: one night may be missed by half a day."""

BEHIND_DAYS = 2
"""A book is behind where no night had an answer for it in so many days. Ours."""

WITHIN_DAYS = 14
"""A book that is due within these days is shown by itself. Ours."""


@dataclass(frozen=True)
class Limits:
    """The numbers that a status is made with; `days` and `zone` stand in place of `triggers.days` and `triggers.zone`
    of the models.

    `max_age` and `stalled` are what `problems` and `Night.state` hold a night against; `behind_days` and `within_days`
    are days back and ahead.
    """

    days: int | None = None
    zone: str | None = None
    within_days: int = WITHIN_DAYS
    behind_days: int = BEHIND_DAYS
    max_age: timedelta = MAX_AGE
    stalled: timedelta = STALLED


@dataclass(frozen=True)
class Status:
    """What a store says at a moment: the last nights, the books of the last one, and what waits for people.

    `problems` are sentences: why a monitor should ring. Books that are over capacity or overdue are no problem of a
    night; they are in `books` and `deadlines`.
    """

    at: datetime
    limits: Limits
    nights: list[Night] = field(repr=False)
    books: list[NightBook] = field(repr=False)
    behind: list[Behind] = field(repr=False)
    proposals: list[Waiting] = field(repr=False)
    deadlines: list[Deadline] = field(repr=False)

    @property
    def night(self) -> Night | None:
        """The last night, None where there was none."""
        return self.nights[0] if self.nights else None

    @property
    def ended(self) -> Night | None:
        """The last night that ended."""
        return next((night for night in self.nights if night.state == "ended"), None)

    @property
    def failed(self) -> list[NightBook]:
        """The books of the last night that got no answer."""
        return [book for book in self.books if book.failed]

    @property
    def to_look_at(self) -> list[NightBook]:
        """The books of the last night whose answer needs a look: over capacity, or with a gap that is too wide."""
        return [book for book in self.books if book.exit_code in (4, 6)]

    @property
    def outcomes(self) -> dict[str, int]:
        """The books of the last night by status; where it did not end, all of its day so far."""
        if self.night is not None and self.night.state == "ended":
            return self.night.outcomes
        return dict(sorted(Counter(book.status for book in self.books).items()))

    @property
    def overdue(self) -> list[Deadline]:
        """AMs whose time is over."""
        return [line for line in self.deadlines if line.overdue]

    @property
    def due_soon(self) -> list[Deadline]:
        """AMs that are due within the days of the limits, and not overdue."""
        return [line for line in self.deadlines if not line.overdue and line.days_left <= self.limits.within_days]

    @property
    def problems(self) -> list[str]:
        """Why a monitor should ring, as sentences; none where the nights go as they should."""
        return list(_problems(self))


DEFAULTS = Limits()

NIGHTS = 14
"""How many nights a status looks back on."""


def status_of(store: Store, now: datetime | None = None, limits: Limits = DEFAULTS) -> Status:
    """The status of a store. Reads only; raises what reading a store raises."""
    moment = now or datetime.now(UTC)
    since = moment.astimezone(UTC).date() - timedelta(days=limits.behind_days)
    return Status(
        at=moment,
        limits=limits,
        nights=last_nights(store, last=NIGHTS, now=moment, stalled=limits.stalled),
        books=books_of_day(store),
        behind=books_behind(store, since),
        proposals=waiting_proposals(store, now=moment),
        deadlines=deadlines(store, now=moment, days=limits.days, zone=limits.zone),
    )


def _problems(status: Status) -> Iterator[str]:
    night, ended, oldest = status.night, status.ended, timestamp(status.at - status.limits.max_age)
    if night is None:
        yield "no night has run in this store."
        return
    if night.state == "did_not_end":
        done = night.done + night.before
        yield f"the night of {night.day} did not end: {done:,} of {night.books:,} books were finished."
    elif night.failed:
        yield f"the night of {night.day} ended with code {night.exit_code}."
    if status.failed:
        count = len(status.failed)
        yield f"{count:,} {'book' if count == 1 else 'books'} got no answer in the night of {night.day}."
    if ended is None or ended.ended_at < oldest:
        hours = status.limits.max_age / timedelta(hours=1)
        last = f"the last one ended {ended.ended_at}" if ended is not None else "none has"
        yield f"no night has ended in the last {hours:g} hours; {last}."


def ago(at: str, now: datetime) -> float:
    """Seconds since a moment of the store; 0 where a clock was put back."""
    return max(0.0, (now - moment_of(at)).total_seconds())
