"""Budgets: how much may move at all."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rebalancer.rules.rule import NO_LIMIT, NO_ROW, Arcs, RowBlock, Rule, numbered
from rebalancer.snapshot import Snapshot
from rebalancer.tables import TIERS


class Budgets(Rule):
    """Unforced moves <= a number of accounts, of ARR, of a share of all accounts; per AM lost, per AM gained, per tier.

    A move is forced where the account has no owner or the owner left. Never broken, not even over capacity. Written
    over what stays, `sum of stays >= all - budget`, so that a row has one entry per account.
    """

    name = "budgets"

    def rows(self, snapshot: Snapshot, arcs: Arcs) -> Iterator[RowBlock]:
        """One hard row per budget that is set."""
        accounts, budgets = snapshot.accounts, snapshot.model.budgets
        present = snapshot.owner_present
        one = np.ones(len(accounts), dtype=np.int64)
        share = None if budgets.share is None else int(budgets.share * len(accounts) // 1)
        yield from _kept(snapshot, arcs, "accounts", present, one, budgets.accounts)
        yield from _kept(snapshot, arcs, "arr", present, np.maximum(0, accounts.arr), budgets.arr)
        yield from _kept(snapshot, arcs, "share", present, one, share)
        for tier, limit in budgets.per_tier.items():
            of_tier = present & (accounts.tier == TIERS.index(tier))
            yield from _kept(snapshot, arcs, f"accounts:{tier}", of_tier, one, limit)
        if budgets.lost_per_am is not None:
            yield _lost(snapshot, arcs, budgets.lost_per_am)
        if budgets.gained_per_am is not None:
            yield _gained(snapshot, arcs, budgets.gained_per_am)


def _kept(
    snapshot: Snapshot, arcs: Arcs, name: str, counted: np.ndarray, weight: np.ndarray, limit: int | None
) -> Iterator[RowBlock]:
    """The weight of counted accounts that stay >= all of it - limit."""
    if limit is None:
        return
    stays = arcs.of_accounts(counted) & (arcs.of_accounts(snapshot.accounts.owner) == arcs.am)
    least = max(0, int(weight[counted].sum()) - limit)
    yield RowBlock(
        (name,),
        np.where(stays, 0, NO_ROW),
        arcs.of_accounts(weight),
        np.array([least]),
        np.array([NO_LIMIT]),
        None,
        np.array([0]),
    )


def _lost(snapshot: Snapshot, arcs: Arcs, limit: int) -> RowBlock:
    """As `_kept`, for the accounts of each book that has some."""
    present, owner = snapshot.owner_present, snapshot.accounts.owner
    held = np.bincount(owner[present], minlength=len(snapshot.ams))
    stays = arcs.of_accounts(present) & (arcs.of_accounts(owner) == arcs.am)
    n = np.count_nonzero(held)
    return RowBlock(
        tuple(f"lost:{snapshot.ams.ids[book]}" for book in np.flatnonzero(held)),
        np.where(stays, numbered(held > 0)[arcs.am], NO_ROW),
        np.ones(len(arcs), dtype=np.int64),
        np.maximum(0, held[held > 0] - limit),
        np.full(n, NO_LIMIT),
        None,
        np.zeros(n, dtype=np.int64),
    )


def _gained(snapshot: Snapshot, arcs: Arcs, limit: int) -> RowBlock:
    comes = arcs.am_changed & arcs.of_accounts(snapshot.owner_present)
    n = len(snapshot.ams)
    return RowBlock(
        tuple(f"gained:{name}" for name in snapshot.ams.ids),
        np.where(comes, arcs.am, NO_ROW),
        np.ones(len(arcs), dtype=np.int64),
        np.full(n, -NO_LIMIT),
        np.full(n, limit),
        None,
        np.zeros(n, dtype=np.int64),
    )
