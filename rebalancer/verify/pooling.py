"""Books: an AM's own, or the one that the members of a pool share."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pandas as pd

from rebalancer.verify.people import Am
from rebalancer.verify.text import UnreadableError, records


def read_books(tables: Mapping[str, pd.DataFrame], ams: Mapping[str, Am]) -> tuple[dict[str, str], dict[str, Am]]:
    """The pool of every member, and all books by id: the AMs who are in no pool, then the pools."""
    pool_of: dict[str, str] = {}
    for row in records(tables, "pools", "am_id"):
        pool_of[row.key] = row.text("pool_id")
        if row.key not in ams:
            raise UnreadableError(f"inputs: pools names {row.key}, and there is no such AM")
        if not pool_of[row.key] or pool_of[row.key] in ams:
            problem = "which is an AM" if pool_of[row.key] else "which has no name"
            raise UnreadableError(f"inputs: pools puts {row.key} into {pool_of[row.key] or 'a pool'}, {problem}")
    books = {am_id: am for am_id, am in ams.items() if am_id not in pool_of}
    for pool_id in sorted(set(pool_of.values())):
        books[pool_id] = pooled(pool_id, [ams[am_id] for am_id in sorted(pool_of) if pool_of[am_id] == pool_id])
    return pool_of, books


def pooled(pool_id: str, members: list[Am]) -> Am:
    """The book of a pool, as if it were one AM: what its members who have not left can carry and take together."""
    here = [am for am in members if not am.departed]
    takers = [am for am in here if am.receives]
    return Am(
        am_id=pool_id,
        role="pool",
        kind="pooled",
        tiers=union(here, lambda am: am.tiers),
        role_tiers=frozenset(),
        region=union(here, lambda am: am.region),
        language=union(here, lambda am: am.language),
        skills=union(here, lambda am: am.skills),
        capacity=sum(am.capacity for am in here),
        floor=0,
        departed=not here,
        on_leave=bool(here) and all(am.on_leave for am in here),
        receives=bool(takers),
        vacant=bool(takers) and all(am.vacant for am in takers),
        max_accounts=None,
        role_max=None,
    )


def union(members: list[Am], tags: Callable[[Am], frozenset[str]]) -> frozenset[str]:
    """All tags of the members; empty, which is any, where one of them has none."""
    sets = [tags(am) for am in members]
    return frozenset().union(*sets) if all(sets) else frozenset()
