"""Rows that count accounts, shared by the rules that limit how many a book may hold."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rebalancer.limits import count_limits
from rebalancer.rules.rule import NO_ROW, Arcs, RowBlock, numbered, upper_rows
from rebalancer.snapshot import Snapshot
from rebalancer.tables import TIERS


def count_rows(snapshot: Snapshot, arcs: Arcs, rule: str) -> Iterator[RowBlock]:
    """Accounts (of a tier) per AM <= its limit, for every limit of `rule`."""
    for found in count_limits(snapshot):
        if found.rule != rule:
            continue
        limited = np.array([limit is not None for limit in found.limit], dtype=bool)
        row = numbered(limited)[arcs.am]
        if found.tier is not None:
            row = np.where(arcs.of_accounts(snapshot.accounts.tier) == TIERS.index(found.tier), row, NO_ROW)
        what = f":{found.tier}" if found.tier else ""
        names = tuple(f"{snapshot.ams.ids[i]}{what}" for i in np.flatnonzero(limited))
        hi = np.array([limit for limit in found.limit if limit is not None], dtype=np.int64)
        yield upper_rows(names, row, np.ones(len(arcs), dtype=np.int64), hi)
