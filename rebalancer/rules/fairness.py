"""Fairness: no AM loses much of its book."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rebalancer.rules.rule import NO_LIMIT, NO_ROW, Arcs, RowBlock, Rule, overload_price
from rebalancer.snapshot import Snapshot

FAIRNESS = "fairness"


class Fairness(Rule):
    """ARR an AM loses beyond `loss_share` of what it holds, as a share of that, priced in level `fairness`.

    Off unless the model sets `loss_share`. Leavers' accounts do not count, since nobody loses them.
    """

    name = FAIRNESS

    def rows(self, snapshot: Snapshot, arcs: Arcs) -> Iterator[RowBlock]:
        """One elastic row per AM who holds ARR: what stays with it >= (1 - loss_share) of it, in dollars."""
        share = snapshot.model.fairness.loss_share
        if share is None:
            return
        accounts = snapshot.accounts
        arr = np.maximum(0, accounts.arr) * snapshot.owner_present
        held = snapshot.per_am(accounts.owner, arr)
        stays = arcs.of_accounts(snapshot.owner_present) & (arcs.of_accounts(accounts.owner) == arcs.am)
        lo = np.array([int((1 - share) * int(dollars) // 1) for dollars in held], dtype=np.int64)
        names = snapshot.ams.ids
        row = np.where(stays, arcs.am, NO_ROW)
        weight, hi = arcs.of_accounts(arr), np.full(len(names), NO_LIMIT)
        yield RowBlock(names, row, weight, lo, hi, FAIRNESS, overload_price(held))
