"""Gating: the gates that rules give, as the one table of a problem, and what each costs by level."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from rebalancer.problem import Gates
from rebalancer.rules.arcs import Arcs

NO_GATE = -1


@dataclass(frozen=True)
class GateBlock:
    """Gates of one rule. `gate` is the gate that each placement opens (`NO_GATE`: none); `names` has one entry per
    gate, `cost` what it costs while it is open, at level `level`.
    """

    names: tuple[str, ...]
    gate: np.ndarray
    level: str
    cost: np.ndarray


@dataclass(frozen=True)
class Gating:
    """All gates, and for each its level and its cost."""

    gates: Gates
    level: tuple[str, ...]
    cost: np.ndarray

    def cost_at(self, level: str) -> np.ndarray:
        """What every gate costs at a level."""
        return np.where(np.array([name == level for name in self.level], dtype=bool), self.cost, 0)


def gated(blocks: Iterable[GateBlock], arcs: Arcs) -> Gating:
    """All blocks as one table; an arc that opens a gate with several placements opens it once."""
    names: list[str] = []
    levels: list[str] = []
    costs, entries = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for block in blocks:
        opens = block.gate != NO_GATE
        gate = block.gate[opens].astype(np.int64) + len(names)
        entries.append(np.unique(gate * arcs.n_arcs + arcs.arc[opens]))
        names += block.names
        levels += [block.level] * len(block.names)
        costs.append(block.cost.astype(np.int64))
    gate, arc = np.divmod(np.concatenate(entries), max(1, arcs.n_arcs))
    ptr = np.searchsorted(gate, np.arange(len(names) + 1)).astype(np.int64)
    return Gating(Gates(tuple(names), ptr, arc), tuple(levels), np.concatenate(costs))
