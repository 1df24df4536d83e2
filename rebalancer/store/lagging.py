"""Lagging: a file shows owners that are older than what was applied, and that is no change by hand.

Of an account that waits for its file to show what was applied, a file may show the owner that it showed last or any
that was applied since. Once the file has shown the owner that counts, nothing is late any more; so a move that was
undone before any file showed it, and that the CRM loads after all, reads as a change by hand.

Where the file leaves an account out for some days, it goes on as it was once it is back: the event of the file that
left it out keeps what was known.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeAlias

import sqlalchemy as sa

from rebalancer.store.tables import accounts, events, history, in_parts

APPLIED = ("apply", "undo")
"""Kinds of `history` that a file shows only later."""

ABSENT_DAYS = 30
"""An account that comes back later than that starts anew, but for the count of its changes."""


@dataclass(frozen=True)
class Absent:
    """An account that the newest file leaves out, as it was when it was there."""

    account_id: str
    am_id: str
    csm_id: str
    version: int
    seen_am: str
    seen_csm: str
    tier: str


Owned: TypeAlias = "sa.Row[Any] | Absent"
"""An account with its owner and with whom the newest file shows: a row of `accounts`, or what is kept of one."""


@dataclass(frozen=True)
class Earlier:
    """The AMs and the CSMs that a file may show of an account without anything having changed, in order; and for each
    side the day on which the newest was applied, empty where none was.
    """

    ams: tuple[str, ...]
    csms: tuple[str, ...]
    am_since: str = ""
    csm_since: str = ""


def waits(row: Owned) -> bool:
    """The newest file does not show yet what was applied."""
    return (row.am_id, row.csm_id) != (row.seen_am, row.seen_csm)


def earlier_of(connection: sa.Connection, book: int, rows: Iterable[Owned]) -> dict[str, Earlier]:
    """What a file may still show of accounts, by account."""
    waiting = {row.account_id: row for row in rows}
    changes = defaultdict[str, list[sa.Row[Any]]](list)
    for part in in_parts(waiting):
        query = sa.select(history, events.c.at).join(events, events.c.seq == history.c.event_seq)
        query = query.where(history.c.book_id == book, history.c.account_id.in_(part))
        for change in connection.execute(query.order_by(history.c.event_seq.desc())):
            changes[change.account_id].append(change)
    return {name: _earlier(row, changes[name]) for name, row in waiting.items()}


def _earlier(row: Owned, changes: Sequence[sa.Row[Any]]) -> Earlier:
    ams = [(one.kind, one.from_am, one.to_am) for one in changes]
    csms = [(one.kind, one.from_csm, one.to_csm) for one in changes]
    days = [one.at[:10] for one in changes]
    return Earlier(
        _passed(row.seen_am, ams) if row.am_id != row.seen_am else (row.seen_am,),
        _passed(row.seen_csm, csms) if row.csm_id != row.seen_csm else (row.seen_csm,),
        _since(days, ams),
        _since(days, csms),
    )


Change: TypeAlias = tuple[str, str, str]
"""The kind of a change, and one side before and after it."""


def _since(days: Iterable[str], changes: Iterable[Change]) -> str:
    told = zip(days, changes, strict=True)
    return next((day for day, (kind, before, after) in told if kind in APPLIED and before != after), "")


def _passed(seen: str, changes: Iterable[Change]) -> tuple[str, ...]:
    """Who was shown last and who was applied after that, of changes with the newest first."""
    found = {seen}
    for kind, before, after in changes:
        if kind in APPLIED and before != after:
            if before == seen:
                break
            found.add(before)
        elif kind == "outside" and before != after:
            break
    return tuple(sorted(found))


def kept_of(gone: Iterable[sa.Row[Any]]) -> dict[str, list[Any]]:
    """What the event of a file keeps of accounts that it leaves out: version, AM and CSM shown last, derived tier."""
    return {row.account_id: [row.version, row.seen_am, row.seen_csm, row.tier] for row in gone}


def absent_of(connection: sa.Connection, book: int, as_of: str, ids: Iterable[str] | None = None) -> dict[str, Absent]:
    """Accounts that were there and that the newest file, of the day `as_of`, does not have; of some, or of all."""
    parts = [None] if ids is None else in_parts(ids)
    rows = [row for part in parts for row in connection.execute(_gone(book, part))]
    bodies = _bodies(connection, {row.event_seq for row in rows})
    untold = [row.account_id for row in rows if row.account_id not in bodies[row.event_seq].get("absent", {})]
    counts = _changes(connection, book, untold)
    return {row.account_id: _absent(row, bodies[row.event_seq], as_of, counts) for row in rows}


def _absent(row: sa.Row[Any], body: Mapping[str, Any], as_of: str, counts: Mapping[str, int]) -> Absent:
    name, owner = row.account_id, (row.from_am, row.from_csm)
    version, am, csm, tier = body.get("absent", {}).get(name) or (1 + counts.get(name, 0), *owner, "")
    if (date.fromisoformat(as_of) - date.fromisoformat(body["day"])).days > ABSENT_DAYS:
        (am, csm), tier = owner, ""
    return Absent(name, *owner, version, am, csm, tier)


def _gone(book: int, part: Sequence[str] | None) -> sa.Select[Any]:
    """The newest change of each account that is gone."""
    newest = sa.select(sa.func.max(history.c.event_seq).label("seq"), history.c.account_id)
    newest = newest.where(history.c.book_id == book).group_by(history.c.account_id)
    if part is not None:
        newest = newest.where(history.c.account_id.in_(part))
    last = newest.subquery()
    at = (last.c.seq == history.c.event_seq) & (last.c.account_id == history.c.account_id)
    here = sa.exists().where(accounts.c.book_id == book, accounts.c.account_id == history.c.account_id)
    return sa.select(history).join(last, at).where(history.c.kind == "gone", ~here)


def _bodies(connection: sa.Connection, seqs: Iterable[int]) -> dict[int, dict[str, Any]]:
    query, found = sa.select(events.c.seq, events.c.body), {}
    for part in in_parts(seqs):
        for row in connection.execute(query.where(events.c.seq.in_(part))):
            found[row.seq] = dict(json.loads(row.body))
    return found


def _changes(connection: sa.Connection, book: int, ids: Iterable[str]) -> dict[str, int]:
    """How often accounts changed hands, of events that do not say it."""
    found = dict[str, int]()
    for part in in_parts(ids):
        query = sa.select(history.c.account_id, sa.func.count().label("changes")).group_by(history.c.account_id)
        query = query.where(history.c.book_id == book, history.c.account_id.in_(part))
        rows = connection.execute(query.where(history.c.kind.in_((*APPLIED, "outside"))))
        found.update({row.account_id: row.changes for row in rows})
    return found
