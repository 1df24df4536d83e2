"""What a rule is: one limit of the practice, as eligibility, allowed arcs or rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rebalancer.problem import HARD, NO_LIMIT
from rebalancer.rules.arcs import COMPACT, Arcs
from rebalancer.rules.gating import GateBlock
from rebalancer.snapshot import Snapshot

NO_ROW = -1
OVERLOAD = "overload"
OVERLOAD_SCALE = 10**6


@dataclass(frozen=True)
class RowBlock:
    """Rows of one rule in which every arc counts at most once.

    `row` is the row of each arc (`NO_ROW`: none) and `weight` what it adds there. `names` has one entry per row, `lo`
    and `hi` its bounds (`NO_LIMIT` where open). `level` names the level that prices a violation, None for a hard row;
    `penalty` is the price per unit.
    """

    names: tuple[str, ...]
    row: np.ndarray
    weight: np.ndarray
    lo: np.ndarray
    hi: np.ndarray
    level: str | None
    penalty: np.ndarray


class Rule:
    """One rule a file; the docstring states the limit in words and as a formula. All parts are optional."""

    name = ""

    def eligible(self, snapshot: Snapshot) -> np.ndarray | None:
        """Profile x AM: whether an account of that profile may newly go to the AM. None: no say."""
        return None

    def allowed(self, snapshot: Snapshot, arcs: Arcs) -> np.ndarray | None:
        """Per candidate arc: whether this rule admits it. None: no say."""
        return None

    def rows(self, snapshot: Snapshot, arcs: Arcs) -> Iterator[RowBlock]:
        """Limits over the arcs."""
        return iter(())

    def gates(self, snapshot: Snapshot, arcs: Arcs) -> Iterator[GateBlock]:
        """What costs once however many arcs open it."""
        return iter(())


def overload_price(limit: np.ndarray) -> np.ndarray:
    """What one unit over a limit costs in level `overload`: 10^6 / limit, at least 1; units and counts then compare."""
    base = np.maximum(1, limit)
    return np.maximum(1, (2 * OVERLOAD_SCALE + base) // (2 * base))


def upper_rows(names: tuple[str, ...], row: np.ndarray, weight: np.ndarray, hi: np.ndarray) -> RowBlock:
    """Elastic rows `sum <= hi`, priced in `overload`."""
    lo = np.full(len(hi), -NO_LIMIT)
    return RowBlock(names, row, weight, lo, hi, OVERLOAD, overload_price(hi))


def lower_rows(names: tuple[str, ...], row: np.ndarray, weight: np.ndarray, lo: np.ndarray) -> RowBlock:
    """Elastic rows `sum >= lo`, priced in `overload`."""
    hi = np.full(len(lo), NO_LIMIT)
    return RowBlock(names, row, weight, lo, hi, OVERLOAD, overload_price(lo))


def unless_nothing_remains(allowed: np.ndarray, arcs: Arcs, fixed: np.ndarray) -> np.ndarray:
    """`allowed`, lifted for the accounts in `fixed` that it would leave without any arc: the planner's word wins."""
    remaining = np.bincount(arcs.account[allowed], minlength=len(fixed))
    return allowed | arcs.of_accounts(fixed & (remaining == 0))


def numbered(kept: np.ndarray) -> np.ndarray:
    """New numbers for the kept ones, `NO_ROW` for the rest: turns AM numbers into row numbers."""
    return np.where(kept, np.cumsum(kept) - 1, NO_ROW).astype(COMPACT)


__all__ = [
    "HARD",
    "NO_LIMIT",
    "NO_ROW",
    "OVERLOAD",
    "Arcs",
    "RowBlock",
    "Rule",
    "lower_rows",
    "numbered",
    "overload_price",
    "unless_nothing_remains",
    "upper_rows",
]
