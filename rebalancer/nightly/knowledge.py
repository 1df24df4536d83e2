"""Knowledge: what the store knows of a book before a night, as plain values that travel to whoever works on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from rebalancer.insight.trigger_clock import State
from rebalancer.nightly.clocks import load_clocks
from rebalancer.store.lagging import Absent, Earlier, Owned, absent_of, earlier_of, waits
from rebalancer.store.lifecycle import LIVE
from rebalancer.store.proposals import record_of
from rebalancer.store.tables import accounts, approvals, books, events, locks, moves, night_books, proposals

DAYS_BEFORE = 3
"""Nights of a book that are looked up: those of today and the days around it, whatever the time zone."""


@dataclass(frozen=True)
class Target:
    """An owner and a CSM that were applied and that the newest file did not show yet, instead of those it may show."""

    shown_ams: tuple[str, ...]
    shown_csms: tuple[str, ...]
    am_id: str
    csm_id: str
    am_since: str
    csm_since: str
    """The days on which they were applied."""


@dataclass(frozen=True)
class Refusal:
    """A rejected move: from whom, to whom it is not to be proposed again, up to and including a day.

    Where the AM was to stay, it is the CSM who was rejected.
    """

    from_am: str
    am_id: str
    csm_id: str
    until: str


@dataclass(frozen=True)
class LiveMove:
    """A move of the live proposal, the decision on it, and what it expects of the account and its new people.

    `unchanged`: the store has not seen the account change hands since.
    """

    from_am: str
    from_csm: str
    to_am: str
    to_csm: str
    decision: str
    expected_traits: str
    am_traits: str
    csm_traits: str
    unchanged: bool


@dataclass(frozen=True)
class Live:
    """The live proposal of a book. `approved_until` is when the first of its approvals ends, empty without any; `scope`
    that of its run, `was` the disruption of its run as a multiple of the least that was proven.
    """

    proposal_id: str
    state: str
    scope: str
    approved_until: str
    moves: Mapping[str, LiveMove]
    was: float = 1.0


@dataclass(frozen=True)
class Knowledge:
    """See the module. `seq` is the newest event of the book: whoever writes later than that knew less than it should.

    `nights` are the last rows of `night_books` by day; `targets`, `refusals` and `tiers` go by account.
    """

    seq: int = 0
    targets: Mapping[str, Target] = field(default_factory=dict)
    refusals: Mapping[str, tuple[Refusal, ...]] = field(default_factory=dict)
    tiers: Mapping[str, str] = field(default_factory=dict)
    clocks: State = field(default_factory=State)
    live: Live | None = None
    nights: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def known_of(connection: sa.Connection, name: str) -> Knowledge:
    """What the store knows of a book; nothing of one it has not seen, but for what became of it in earlier nights."""
    row = connection.execute(sa.select(books).where(books.c.name == name)).first()
    if row is None:
        return Knowledge(nights=_nights(connection, name))
    book = int(row.book_id)
    absent = absent_of(connection, book, row.as_of)
    return Knowledge(
        seq=newest_event(connection, name),
        targets=_targets(connection, book, absent),
        refusals=_refusals(connection, book),
        tiers={**{account: one.tier for account, one in absent.items() if one.tier}, **_tiers(connection, book)},
        clocks=load_clocks(connection, book),
        live=_live(connection, book),
        nights=_nights(connection, name),
    )


def newest_event(connection: sa.Connection, name: str) -> int:
    """The number of the newest event of a book, 0 where it has none."""
    return connection.execute(sa.select(sa.func.max(events.c.seq)).where(events.c.book == name)).scalar_one() or 0


def _targets(connection: sa.Connection, book: int, absent: Mapping[str, Absent]) -> dict[str, Target]:
    differs = sa.or_(accounts.c.am_id != accounts.c.seen_am, accounts.c.csm_id != accounts.c.seen_csm)
    rows = connection.execute(sa.select(accounts).where(accounts.c.book_id == book, differs))
    waiting: dict[str, Owned] = {name: one for name, one in absent.items() if waits(one)}
    waiting.update({row.account_id: row for row in rows})
    late = earlier_of(connection, book, waiting.values())
    return {name: _target(row, late[name]) for name, row in waiting.items()}


def _target(row: Owned, late: Earlier) -> Target:
    return Target(late.ams, late.csms, row.am_id, row.csm_id, late.am_since, late.csm_since)


def _refusals(connection: sa.Connection, book: int) -> dict[str, tuple[Refusal, ...]]:
    at = (moves.c.proposal_id == locks.c.proposal_id) & (moves.c.account_id == locks.c.account_id)
    query = sa.select(locks, moves.c.from_am).join(moves, at).where(locks.c.book_id == book)
    found: dict[str, tuple[Refusal, ...]] = {}
    for row in connection.execute(query.order_by(locks.c.account_id, locks.c.refused_am, locks.c.refused_csm)):
        one = Refusal(row.from_am, row.refused_am, row.refused_csm, row.until)
        found[row.account_id] = (*found.get(row.account_id, ()), one)
    return found


def _tiers(connection: sa.Connection, book: int) -> dict[str, str]:
    query = sa.select(accounts.c.account_id, accounts.c.tier).where(accounts.c.book_id == book, accounts.c.tier != "")
    return {row.account_id: row.tier for row in connection.execute(query)}


def _live(connection: sa.Connection, book: int) -> Live | None:
    where = (proposals.c.book_id == book, proposals.c.undoes == "", proposals.c.state.in_(LIVE))
    row = connection.execute(sa.select(proposals).where(*where)).first()
    if row is None:
        return None
    of_it = moves.c.proposal_id == row.proposal_id
    known = (accounts.c.book_id == book) & (accounts.c.account_id == moves.c.account_id)
    query = sa.select(moves, approvals.c.expires_at, accounts.c.version)
    query = query.outerjoin(approvals, approvals.c.event_seq == moves.c.approval).outerjoin(accounts, known)
    rows = connection.execute(query.where(of_it).order_by(moves.c.account_id)).all()
    ends = [move.expires_at for move in rows if move.decision == "approved"]
    record = record_of(connection, book, row.run_id)
    return Live(
        row.proposal_id,
        row.state,
        str(record.get("scope", "")),
        min(ends, default=""),
        {move.account_id: _live_move(move) for move in rows},
        _was(record),
    )


def _was(record: Mapping[str, Any]) -> float:
    """The disruption of a run as a multiple of its bound; 1 where nothing was proven."""
    levels = {level["name"]: level for level in record.get("levels", ())}
    value, bound = (levels.get("disruption", {}).get(name) for name in ("value", "bound"))
    return float(value / bound) if value and bound else 1.0


def _live_move(row: sa.Row[Any]) -> LiveMove:
    told = {name: getattr(row, name) for name in LiveMove.__dataclass_fields__ if name != "unchanged"}
    return LiveMove(**told, unchanged=row.version == row.expected_version)


def _nights(connection: sa.Connection, name: str) -> dict[str, dict[str, Any]]:
    query = sa.select(night_books).where(night_books.c.book == name).order_by(night_books.c.day.desc())
    return {row.day: dict(row._mapping) for row in connection.execute(query.limit(DAYS_BEFORE))}
