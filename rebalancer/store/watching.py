"""Watching: how the last nights went, what became of each book, and which books no night has read for long."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa

from rebalancer.store.store import Store, moment_of
from rebalancer.store.tables import night_books, nights

NightState = Literal["ended", "running", "did_not_end"]

ANSWERED = (0, 4, 6, 10)
"""Exit codes of a book that was read and got an answer: over capacity, or a gap that is wide, is one too."""

STALLED = timedelta(hours=1)
"""A night without an end of which no book was finished for this long is taken as killed. Ours."""

GONE_AFTER_DAYS = 30
"""A book of which no night has said anything for this long is taken as closed. Ours."""


@dataclass(frozen=True)
class Night:
    """A run of the batch.

    `state` is `ended`, `running`, or `did_not_end` where it was killed: a later night began, or no book was finished
    for long. `seconds` is its wall time, of one without an end the time until its last book. `outcomes` counts the
    books it finished by status; `done` is how many that are, of `books`; where it did not end, `before` is how many an
    earlier night of the same day had finished, which are not done again. `exit_code` is None before the end.
    """

    night_id: int
    day: str
    state: NightState
    started_at: str
    ended_at: str
    seconds: float
    exit_code: int | None
    books: int
    done: int
    before: int
    outcomes: dict[str, int]
    jobs: int
    holder: str
    version: str

    @property
    def failed(self) -> bool:
        """It ended, and with a code that is no answer."""
        return self.exit_code is not None and self.exit_code not in ANSWERED


@dataclass(frozen=True)
class NightBook:
    """What became of a book on a day; the columns are those of the table `night_books`."""

    book: str
    day: str
    at: str
    status: str
    exit_code: int
    message: str
    proposal_id: str
    accounts: int
    moves: int
    triggered: int
    overdue: int
    seconds: float

    @property
    def failed(self) -> bool:
        """It got no answer that day."""
        return self.exit_code not in ANSWERED


@dataclass(frozen=True)
class Behind:
    """A book whose last night with an answer is too long ago: that day, empty where there never was one, and what
    became of it when it was last tried."""

    book: str
    last_good: str
    last_tried: str
    status: str
    message: str


def last_nights(
    store: Store, *, last: int = 7, now: datetime | None = None, stalled: timedelta = STALLED
) -> list[Night]:
    """The last nights, newest first. One that runs, or was killed, says how far it came."""
    with store.reading() as connection:
        rows = connection.execute(sa.select(nights).order_by(nights.c.night_id.desc()).limit(last)).all()
        open_ = [row for row in rows if not row.ended_at]
        columns = (night_books.c.day, night_books.c.at, night_books.c.status)
        since = night_books.c.at >= min((row.started_at for row in open_), default="9999")
        mine = sa.or_(night_books.c.day.in_({row.day for row in open_}), since)
        finished = connection.execute(sa.select(*columns).where(mine)).all() if open_ else []
    newest_first = [None, *rows]
    moment = now or datetime.now(UTC)
    return [_night(row, later, finished, moment, stalled) for later, row in zip(newest_first, rows, strict=False)]


def _night(
    row: sa.Row[Any], later: sa.Row[Any] | None, finished: Sequence[Any], now: datetime, stalled: timedelta
) -> Night:
    if row.ended_at:
        outcomes = {str(name): int(count) for name, count in sorted(json.loads(row.outcomes or "{}").items())}
        return _told(row, "ended", outcomes, row.seconds, 0)
    until = later.started_at if later is not None else "9999"
    own = [book for book in finished if row.started_at <= book.at < until]
    last = moment_of(max([row.started_at, *(book.at for book in own)]))
    outcomes = _counts([book.status for book in own])
    alive = later is None and now - last <= stalled
    seconds = (last - moment_of(row.started_at)).total_seconds()
    before = sum(book.day == row.day and book.at < row.started_at for book in finished)
    return _told(row, "running" if alive else "did_not_end", outcomes, seconds, before)


def _told(row: sa.Row[Any], state: NightState, outcomes: dict[str, int], seconds: float, before: int) -> Night:
    return Night(
        night_id=row.night_id,
        day=row.day,
        state=state,
        started_at=row.started_at,
        ended_at=row.ended_at,
        seconds=float(seconds),
        exit_code=row.exit_code if state == "ended" else None,
        books=row.books,
        done=sum(outcomes.values()),
        before=before,
        outcomes=outcomes,
        jobs=row.jobs,
        holder=row.holder,
        version=row.version,
    )


def _counts(statuses: Sequence[str]) -> dict[str, int]:
    return {status: statuses.count(status) for status in sorted(set(statuses))}


BOOK_COLUMNS = tuple(NightBook.__dataclass_fields__)


def books_of_day(store: Store, day: str | None = None) -> list[NightBook]:
    """What became of every book on a day, those that failed first; by default the day of the last night."""
    with store.reading() as connection:
        wanted = night_books.c.day == day
        if day is None:
            newest = connection.execute(sa.select(nights).order_by(nights.c.night_id.desc()).limit(1)).first()
            if newest is None:
                return []
            # a book may have another day than the night: its time zone's, or one that its book.toml fixes
            wanted = sa.or_(night_books.c.day == newest.day, night_books.c.at >= newest.started_at)
        columns = [night_books.c[name] for name in BOOK_COLUMNS]
        rows = connection.execute(sa.select(*columns).where(wanted).order_by(night_books.c.at)).all()
    found = {row.book: NightBook(**row._mapping) for row in rows}.values()
    return sorted(found, key=lambda book: (not book.failed, book.status, book.book))


def books_behind(store: Store, since: date, *, gone_after_days: int = GONE_AFTER_DAYS) -> list[Behind]:
    """Books that no night has answered for on `since` or after it, the longest first.

    A book that was not even tried in the `gone_after_days` before `since` is left out: it is no longer there.
    """
    gone = (since - timedelta(days=gone_after_days)).isoformat()
    good = sa.case((night_books.c.exit_code.in_(ANSWERED), night_books.c.day), else_="")
    columns = (night_books.c.book, sa.func.max(good).label("good"), sa.func.max(night_books.c.day).label("tried"))
    ends = sa.select(*columns).group_by(night_books.c.book).subquery()
    query = sa.select(night_books, ends.c.good).join(
        ends, sa.and_(night_books.c.book == ends.c.book, night_books.c.day == ends.c.tried)
    )
    query = query.where(ends.c.good < since.isoformat(), ends.c.tried >= gone)
    with store.reading() as connection:
        rows = connection.execute(query).all()
    found = [Behind(row.book, row.good, row.day, row.status, row.message) for row in rows]
    return sorted(found, key=lambda book: (book.last_good, book.book))
