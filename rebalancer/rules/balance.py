"""Balance: comparable books end about equally full."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from rebalancer.links import connected
from rebalancer.rules.rule import Arcs, RowBlock, Rule, numbered, overload_price
from rebalancer.snapshot import NONE, Snapshot

BALANCE = "balance"


class Balance(Rule):
    """Deviation of a book's utilization beyond +-5 points from its cohort's constant, priced in level `balance`.

    The cohort is the books of the same role and kind that share accounts, directly or through others; its constant is
    the units it holds today, and its share of what nobody holds, over its capacity.
    """

    name = "balance"

    def rows(self, snapshot: Snapshot, arcs: Arcs) -> Iterator[RowBlock]:
        """One elastic row per AM who receives accounts, in hundredths of units."""
        ams = snapshot.ams
        compared = snapshot.receives & (ams.capacity > 0)
        if not compared.any():
            return
        average = _cohort_average(snapshot, arcs, compared)
        capacity, tolerance = ams.capacity[compared], float(snapshot.model.balance.tolerance)
        lo = np.maximum(0, _floored(capacity * (average - tolerance)))
        hi = np.maximum(lo, _floored(capacity * (average + tolerance)))
        names = tuple(ams.ids[i] for i in np.flatnonzero(compared))
        weight = arcs.of_accounts(snapshot.accounts.units)
        yield RowBlock(names, numbered(compared)[arcs.am], weight, lo, hi, BALANCE, overload_price(capacity))


def _floored(hundredths: np.ndarray) -> np.ndarray:
    """Rounded down, where a float a hair below a whole number is that number."""
    return np.floor(np.round(hundredths, 6)).astype(np.int64)


def _cohort_average(snapshot: Snapshot, arcs: Arcs, compared: np.ndarray) -> np.ndarray:
    ams, accounts = snapshot.ams, snapshot.accounts
    label = connected(arcs.account, arcs.am, len(accounts), len(ams))
    held = snapshot.per_am(np.where(snapshot.owner_present, accounts.owner, NONE), accounts.units)
    homeless = ~snapshot.owner_present
    to_place = np.zeros(label.max() + 1, dtype=np.int64)
    np.add.at(to_place, label[: len(accounts)][homeless], accounts.units[homeless])
    books = pd.DataFrame(
        {"part": label[len(accounts) :], "role": ams.role, "kind": ams.kind, "held": held, "capacity": ams.capacity}
    )[compared]
    cohort = books.groupby(["part", "role", "kind"])[["held", "capacity"]].transform("sum")
    part_capacity = books.groupby("part")["capacity"].transform("sum")
    placed = to_place[books["part"]] / part_capacity
    average: np.ndarray = (cohort["held"] / cohort["capacity"] + placed).to_numpy()
    return average
