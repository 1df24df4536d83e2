"""Stale: what of the world that a proposal was made for is no longer so."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from rebalancer.errors import StalePlan, printable
from rebalancer.store.books import accounts_of, people_of
from rebalancer.store.store import Work

SHOWN_CHANGES = 10
"""Changes that the message names; the error holds all."""


def changes_since(work: Work, book: int, moves: Sequence[sa.Row[Any]]) -> list[str]:
    """What differs from what the moves expect, a sentence each: owners, what decides who may own, and people."""
    now = accounts_of(work.connection, book, (move.account_id for move in moves))
    people, day = people_of(work.connection, book), work.at[:10]
    found = [text for move in moves for text in _of_account(move, now.get(move.account_id))]
    return found + sorted({text for move in moves for text in _of_people(move, people, day)})


def refuse_stale(proposal_id: str, changes: Sequence[str], what: str) -> None:
    """Raise `StalePlan` where something changed."""
    if changes:
        shown = "; ".join(changes[:SHOWN_CHANGES])
        more = f"; and {len(changes) - SHOWN_CHANGES:,} more" if len(changes) > SHOWN_CHANGES else ""
        raise StalePlan(
            f"{what} {proposal_id} is not possible, the book changed since it was made: {shown}{more}. "
            "Nothing was written. Propose again.",
            changes,
        )


def _of_account(move: sa.Row[Any], now: sa.Row[Any] | None) -> list[str]:
    name = printable(move.account_id)
    if now is None:
        return [f"{name} is no longer in the book"]
    if now.am_id != move.from_am:
        return [f"{name} belongs to {_who(now.am_id)}, not {_who(move.from_am)}"]
    if now.csm_id != move.from_csm:
        return [f"{name} has CSM {_who(now.csm_id)}, not {_who(move.from_csm)}"]
    if now.version != move.expected_version:
        return [f"{name} changed its owner or CSM and back"]
    return _differing(name, move.expected_traits, now.traits)


def _of_people(move: sa.Row[Any], people: dict[tuple[str, str], sa.Row[Any]], day: str) -> list[str]:
    """The new AM and CSM must still be there, free to receive, and of the kind that they were."""
    wanted = (
        ("am", move.to_am, move.to_am != move.from_am, move.am_traits),
        ("csm", move.to_csm, move.to_csm != move.from_csm, move.csm_traits),
    )
    found = []
    for role, name, changes, traits in wanted:
        if changes and name:
            now = people.get((role, name))
            found += against(name, now, day) or _differing(printable(name), traits, now.traits if now else "")
    return found


def against(name: str, now: sa.Row[Any] | None, day: str) -> list[str]:
    """Why a person can't be given accounts on a day; empty where nothing stands against it."""
    if now is None:
        return [f"{printable(name)} is no longer in the book"]
    gone = not now.receives or (now.leaves_on and now.leaves_on <= day)
    return [f"{printable(name)} can't receive accounts any more"] if gone else []


def _differing(name: str, before: str, now: str) -> list[str]:
    if before == now:
        return []
    old, new = json.loads(before), json.loads(now)
    columns = [column for column in sorted({*old, *new}) if old.get(column) != new.get(column)]
    return [f"{name}: {column} is {_shown(new, column)}, was {_shown(old, column)}" for column in columns]


def _shown(traits: dict[str, str], column: str) -> str:
    return printable(traits[column]) if column in traits else "empty"


def _who(value: str) -> str:
    return printable(value) if value else "nobody"
