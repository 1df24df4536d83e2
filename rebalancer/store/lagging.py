"""Lagging: a file shows owners that are older than what was applied, and that is no change by hand.

Of an account that waits for its file to show what was applied, a file may show the owner that it showed last or any
that was applied since. Where the file leaves an account out for some days, it goes on as it was once it is back: the
event of the file that left it out keeps what was known.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import sqlalchemy as sa

from rebalancer.store.tables import accounts, events, history, in_parts

APPLIED = ("apply", "undo")
"""Kinds of `history` that a file shows only later."""


@dataclass(frozen=True)
class Left:
    """An account that a file left out, as it was then."""

    account_id: str
    am_id: str
    csm_id: str
    version: int
    seen_am: str
    seen_csm: str


Owned: TypeAlias = "sa.Row[Any] | Left"
"""An account with its owner and with whom the newest file shows: a row of `accounts`, or what is kept of one."""


@dataclass(frozen=True)
class Earlier:
    """The AMs and the CSMs that a file may show of an account without anything having changed, in order; and the day on
    which the newest was applied, empty where none was.
    """

    ams: tuple[str, ...]
    csms: tuple[str, ...]
    since: str = ""


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
    ams = _passed(row.seen_am, ((one.kind, one.from_am, one.to_am) for one in changes))
    csms = _passed(row.seen_csm, ((one.kind, one.from_csm, one.to_csm) for one in changes))
    since = next((one.at[:10] for one in changes if one.kind in APPLIED), "")
    return Earlier(ams, csms, since)


def _passed(seen: str, changes: Iterator[tuple[str, str, str]]) -> tuple[str, ...]:
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
    """What the event of a file keeps of accounts that it leaves out: where it is not what is to be expected."""
    return {row.account_id: [row.version, row.seen_am, row.seen_csm] for row in gone if waits(row) or row.version > 1}


def left_out(connection: sa.Connection, book: int, ids: Iterable[str] | None = None) -> dict[str, Left]:
    """Accounts that were there and that the newest file does not have; of some, or of all."""
    parts = [None] if ids is None else in_parts(ids)
    return {one.account_id: one for part in parts for one in _left(connection, book, part)}


def _left(connection: sa.Connection, book: int, part: Sequence[str] | None) -> Iterator[Left]:
    newest = sa.select(sa.func.max(history.c.event_seq).label("seq"), history.c.account_id)
    newest = newest.where(history.c.book_id == book).group_by(history.c.account_id)
    if part is not None:
        newest = newest.where(history.c.account_id.in_(part))
    last = newest.subquery()
    here = sa.exists().where(accounts.c.book_id == book, accounts.c.account_id == history.c.account_id)
    query = sa.select(history, events.c.body).join(events, events.c.seq == history.c.event_seq)
    query = query.join(last, (last.c.seq == history.c.event_seq) & (last.c.account_id == history.c.account_id))
    kept: dict[int, Mapping[str, tuple[int, str, str]]] = {}
    for row in connection.execute(query.where(history.c.kind == "gone", ~here)):
        if row.event_seq not in kept:
            kept[row.event_seq] = json.loads(row.body).get("left", {})
        was = kept[row.event_seq].get(row.account_id, (1, row.from_am, row.from_csm))
        yield Left(row.account_id, row.from_am, row.from_csm, *was)
