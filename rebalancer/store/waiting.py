"""Waiting: proposals that wait for somebody, and AMs whose books have to be rebalanced by a day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from rebalancer.insight.trigger_clock import Clock, Periods, State, days_left, due_on, since_when
from rebalancer.store.history import list_proposals
from rebalancer.store.lifecycle import LIVE
from rebalancer.store.store import Store, moment_of, timestamp
from rebalancer.store.tables import approvals, books, clocks, moves, proposals

EXPIRING_DAYS = 3
"""An approval that ends within these days is pointed out. Ours."""


@dataclass(frozen=True)
class Waiting:
    """A live proposal: how long it has waited, and when the first approval of it ends that was not applied, if any."""

    proposal_id: str
    book: str
    state: str
    undoes: str
    moves: int
    approved: int
    rejected: int
    undecided: int
    arr: int
    proposed_by: str
    proposed_at: str
    age_seconds: int
    approval_ends: str
    ends_soon: bool


@dataclass(frozen=True)
class Deadline:
    """An AM whose book is triggered: since when, the last day in time, and the live proposal that takes load off it.

    `first_red` is the day since which the book never was without a reason. `days_left` is 0 on the due day and
    negative when overdue. `proposal_id` is empty where no live proposal moves an account away from the AM.
    """

    book: str
    am_id: str
    name: str
    manager: str
    reasons: tuple[str, ...]
    first_red: date
    due: date
    days_left: int
    overdue: bool
    proposal_id: str
    proposal_state: str


def waiting_proposals(
    store: Store, *, now: datetime | None = None, expiring_days: int = EXPIRING_DAYS
) -> list[Waiting]:
    """The live proposals, the oldest first. `ends_soon`: an approval ends within the days, or has ended."""
    moment = now or datetime.now(UTC)
    soon = timestamp(moment + timedelta(days=expiring_days))
    ends = _approval_ends(store)
    names = [name for name in Waiting.__dataclass_fields__ if name not in ("age_seconds", "approval_ends", "ends_soon")]
    found = []
    for row in list_proposals(store, live=True):
        end = ends.get(row["proposal_id"], "")
        age = max(0, int((moment - moment_of(row["proposed_at"])).total_seconds()))
        found.append(Waiting(**{name: row[name] for name in names}, age_seconds=age, approval_ends=end,
                             ends_soon=bool(end) and end <= soon))  # fmt: skip
    return sorted(found, key=lambda one: (one.proposed_at, one.proposal_id))


def _approval_ends(store: Store) -> dict[str, str]:
    """When the first approval ends, by proposal."""
    query = sa.select(moves.c.proposal_id, sa.func.min(approvals.c.expires_at))
    query = query.join(approvals, approvals.c.event_seq == moves.c.approval)
    query = query.join(proposals, proposals.c.proposal_id == moves.c.proposal_id).where(proposals.c.state.in_(LIVE))
    query = query.where(moves.c.decision == "approved", moves.c.applied_version.is_(None))
    with store.reading() as connection:
        return {str(name): str(end) for name, end in connection.execute(query.group_by(moves.c.proposal_id))}


def deadlines(
    store: Store, *, now: datetime | None = None, days: int | None = None, zone: str | None = None
) -> list[Deadline]:
    """Every AM with a running clock, overdue ones first, then by the days left.

    `days` and `zone` are `triggers.days` and `triggers.zone`, by default those of each book's model; the day of `now`
    is that of the zone.
    """
    moment = now or datetime.now(UTC)
    with store.reading() as connection:
        rows = connection.execute(_of_running()).all()
        cures = _cures(connection)
    of_book: dict[str, list[sa.Row[Any]]] = {}
    for row in rows:
        of_book.setdefault(row.book, []).append(row)
    found = []
    for own in of_book.values():
        today = _day_in(moment, zone or own[0].clock_zone)
        found += _of_book(own, cures, today, Periods(days or own[0].clock_days))
    return sorted(found, key=lambda line: (line.days_left, line.book, line.am_id))


def _day_in(moment: datetime, zone: str) -> date:
    return moment.astimezone(UTC if zone == "UTC" else ZoneInfo(zone)).date()


def _of_running() -> sa.Select[Any]:
    """Every clock, cleared ones too, of AMs of which one is running."""
    running = clocks.alias("running")
    same = (running.c.book_id == clocks.c.book_id, running.c.am_id == clocks.c.am_id, running.c.cleared == "")
    query = sa.select(clocks, books.c.name.label("book"), books.c.clock_days, books.c.clock_zone).join(
        books, books.c.book_id == clocks.c.book_id
    )
    return query.where(sa.exists().where(*same))


def _cures(connection: sa.Connection) -> dict[tuple[int, str], tuple[str, str]]:
    """The live plan that moves an account away from an AM, by book and AM; what was rejected moves nothing."""
    query = sa.select(proposals.c.book_id, moves.c.from_am, proposals.c.proposal_id, proposals.c.state).distinct()
    query = query.join(moves, moves.c.proposal_id == proposals.c.proposal_id)
    query = query.where(proposals.c.state.in_(LIVE), proposals.c.undoes == "", moves.c.decision != "rejected")
    query = query.where(moves.c.from_am != moves.c.to_am)
    return {(row.book_id, row.from_am): (row.proposal_id, row.state) for row in connection.execute(query)}


def _of_book(
    rows: Sequence[sa.Row[Any]], cures: dict[tuple[int, str], tuple[str, str]], today: date, periods: Periods
) -> list[Deadline]:
    since = since_when(State(None, tuple(_clock(row) for row in rows)))
    found = []
    for am_id, first in sorted(since.items()):
        running = sorted((row for row in rows if row.am_id == am_id and not row.cleared), key=lambda row: row.last_red)
        newest, left = running[-1], days_left(first, today, periods)
        proposal, state = cures.get((newest.book_id, am_id), ("", ""))
        reasons = tuple(sorted({row.reason for row in running}))
        found.append(Deadline(newest.book, am_id, newest.name, newest.manager, reasons, first, due_on(first, periods),
                              left, left < 0, proposal, state))  # fmt: skip
    return found


def _clock(row: sa.Row[Any]) -> Clock:
    cleared = date.fromisoformat(row.cleared) if row.cleared else None
    return Clock(row.am_id, row.reason, date.fromisoformat(row.first_red), date.fromisoformat(row.last_red), cleared)
