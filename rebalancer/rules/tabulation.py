"""Tabulation: the blocks of rows that rules give, as the one sparse table of a problem."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy.sparse import coo_array

from rebalancer.problem import HARD, Rows
from rebalancer.rules.arcs import COMPACT, Arcs
from rebalancer.rules.rule import NO_ROW, RowBlock

Csr = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Pointers, arcs and weights."""


def tabulated(blocks: Iterable[tuple[str, RowBlock]], levels: list[str], arcs: Arcs) -> Rows:
    """All blocks as one CSR; the placements of an arc that fall into one row are added up.

    Blocks are taken one by one, since each may weigh as much as the table.
    """
    parts: list[Csr] = []
    bounds: list[tuple[np.ndarray, ...]] = []
    names: list[str] = []
    rules: list[str] = []
    for rule, block in blocks:
        parts.append(_csr(block, arcs))
        level = HARD if block.level is None else levels.index(block.level)
        bounds.append((block.lo, block.hi, np.full(len(block.names), level), block.penalty))
        names += block.names
        rules += [rule] * len(block.names)
    lo, hi, level_of, penalty = (_joined(columns) for columns in zip(*bounds, strict=True)) if bounds else _nothing()
    return Rows(tuple(names), tuple(rules), *_stacked(parts), lo, hi, level_of, penalty)


def _csr(block: RowBlock, arcs: Arcs) -> Csr:
    """One block in the order of its rows, then of the arcs."""
    kept = (block.row != NO_ROW) & (block.weight != 0)
    row, arc = block.row[kept].astype(COMPACT, copy=False), arcs.arc[kept]
    table = coo_array((block.weight[kept], (row, arc)), shape=(len(block.names), arcs.n_arcs)).tocsr()
    return table.indptr, table.indices, table.data


def _stacked(parts: list[Csr]) -> Csr:
    """The parts below each other. Each is let go once it is copied."""
    size = sum(len(arc) for _, arc, _ in parts)
    ptr = np.cumsum(np.concatenate([[0], *(np.diff(part[0]) for part in parts)]), dtype=np.int64)
    arcs, weights, at = np.empty(size, dtype=COMPACT), np.empty(size, dtype=np.int64), 0
    while parts:
        _, arc, weight = parts.pop(0)
        arcs[at : at + len(arc)], weights[at : at + len(arc)] = arc, weight
        at += len(arc)
    return ptr, arcs, weights


def _joined(columns: tuple[np.ndarray, ...]) -> np.ndarray:
    return np.concatenate(columns).astype(np.int64)


def _nothing() -> tuple[np.ndarray, ...]:
    return tuple(np.zeros(0, dtype=np.int64) for _ in range(4))
