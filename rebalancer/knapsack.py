"""Knapsack: the most profit within a capacity, in exact integers and numpy alone.

Items that the linear relaxation decides beyond doubt are fixed (Dantzig 1957, Operations Research 5(2); the test of
Ingargiola & Korsh 1973, Management Science 20(4)). The few that are left are counted by weight where they have few
different weights, as the accounts of a CSM have; else a dynamic programme over weights does them.
"""

from __future__ import annotations

import math

import numpy as np

MAX_CELLS = 50_000_000
"""Items times weights of a dynamic programme; beyond it the linear relaxation stands in, which is never too low."""

FEW_WEIGHTS, MAX_CHOICES = 6, 2_000_000
"""Up to so many different weights are counted, with no more choices held at once."""

DOUBT = 1e-9
"""Relative rounding of floating point that fixing allows for."""


def knapsack(profit: np.ndarray, weight: np.ndarray, capacity: int, price: int) -> int:
    """The largest total profit of a choice of items. `price` below zero: the capacity holds; else each unit beyond it
    costs so much. All numbers are whole, weights not below zero.
    """
    if capacity < 0:
        return knapsack(profit, weight, 0, price) - (max(0, price) * -capacity)
    gain = profit > 0 if price >= 0 else (profit > 0) & (weight <= capacity)
    profit, weight = profit[gain], weight[gain]
    value = 0
    sure = weight == 0
    if price >= 0:
        sure |= profit > _times(price, weight)
    if sure.any():
        value, used = int(profit[sure].sum()), int(weight[sure].sum())
        profit, weight = profit[~sure], weight[~sure]
        if used >= capacity:
            return value - max(0, price) * (used - capacity)
        capacity -= used
    if int(weight.sum()) <= capacity:
        return value + int(profit.sum())
    return value + _tight(profit, weight, capacity, price)


def _times(price: int, weight: np.ndarray) -> np.ndarray:
    """The price of weights, where it is too large for 64 bits the largest number there is."""
    most = np.iinfo(np.int64).max
    return np.where(weight > most // max(1, price), most, weight * min(price, most))


def _tight(profit: np.ndarray, weight: np.ndarray, capacity: int, price: int) -> int:
    """Items that don't all fit, each of them worth less than its price beyond the capacity."""
    ratio = profit / weight
    order = np.argsort(-ratio, kind="stable")
    filled = np.cumsum(weight[order])
    split = int(np.searchsorted(filled, capacity, side="right"))
    ahead = order[:split]
    left = capacity - (int(filled[split - 1]) if split else 0)
    edge = order[split]
    sum_ahead = int(profit[ahead].sum())
    linear = sum_ahead + left * float(ratio[edge])
    least = sum_ahead + _fill(profit[order[split:]], weight[order[split:]], left)
    doubt = 2 + DOUBT * abs(linear)
    loss = np.abs(profit - float(ratio[edge]) * weight)
    open_ = linear - loss >= least - doubt
    taken = np.zeros(len(profit), dtype=bool)
    taken[ahead] = True
    fixed = taken & ~open_
    core = order[open_[order]]
    base, room = int(profit[fixed].sum()), capacity - int(weight[fixed].sum())
    over = int(weight[core].max(initial=0)) if price >= 0 else 0
    size = min(room + over, int(weight[core].sum()))
    counted = _by_counts(profit[core], weight[core], room, price, float(ratio[edge]), least - doubt - base)
    if counted is not None:
        return base + max(counted, least - base)
    if len(core) * size > MAX_CELLS:
        return math.floor(linear + doubt)
    return base + _programme(profit[core], weight[core], room, size, price)


def _fill(profit: np.ndarray, weight: np.ndarray, left: int) -> int:
    """Profit of the items that fit into what is left, taken in order, of those that fit alone at first."""
    fits = weight <= left
    total = 0
    for gain, need in zip(profit[fits].tolist(), weight[fits].tolist(), strict=True):
        if need <= left:
            left -= need
            total += gain
            if left == 0:
                break
    return total


def _programme(profit: np.ndarray, weight: np.ndarray, room: int, size: int, price: int) -> int:
    """Best profit over all total weights up to `size`; what is beyond `room` is paid for."""
    step = int(np.gcd.reduce(weight)) if len(weight) else 1
    best = np.zeros(size // step + 1, dtype=np.int64)
    for gain, need in zip(profit.tolist(), (weight // step).tolist(), strict=True):
        if need <= size // step:
            best[need:] = np.maximum(best[need:], best[: len(best) - need] + gain)
    beyond = np.maximum(0, np.arange(len(best)) * step - room)
    return int((best - max(0, price) * beyond).max())


def _by_counts(profit: np.ndarray, weight: np.ndarray, room: int, price: int, edge: float, least: float) -> int | None:
    """Best profit of at least `least` (else something below it), deciding how many items of each weight are taken, the
    dearest first; None where that is too much.
    """
    kinds = np.unique(weight)[::-1]
    if len(kinds) > FEW_WEIGHTS:
        return None
    over = int(kinds[0]) if price >= 0 else 0
    used, gained = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64)
    promised = float(np.maximum(0.0, profit - edge * weight).sum())
    for kind in kinds[:-1].tolist():
        sums = _sums(profit, weight, kind)
        promised -= float(np.maximum(0.0, profit[weight == kind] - edge * kind).sum())
        # With what the item's own kind can't exceed, choices that can't pass `least` are dropped before they are made.
        hopeful = sums + promised - edge * kind * np.arange(len(sums)) + (gained - edge * used).max() + edge * room
        count = np.flatnonzero(hopeful >= least)
        if len(used) * len(count) > MAX_CHOICES:
            return None
        total = (used[:, None] + kind * count).ravel()
        value = (gained[:, None] + sums[count]).ravel()
        kept = (total <= room + over) & (value + promised + edge * (room - total) >= least)
        used, gained = total[kept], value[kept]
    kind = int(kinds[-1])
    sums = _sums(profit, weight, kind)
    fitting = np.clip((room - used) // kind, 0, len(sums) - 1)
    best = int((gained + sums[fitting] - max(0, price) * np.maximum(0, used - room)).max(initial=-1))
    if price >= 0:
        more = np.minimum(fitting + 1, len(sums) - 1)
        beyond = np.maximum(0, used + kind * more - room)
        best = max(best, int((gained + sums[more] - price * beyond).max(initial=-1)))
    return best


def _sums(profit: np.ndarray, weight: np.ndarray, kind: int) -> np.ndarray:
    """What the dearest 0, 1, 2, ... items of one weight are worth together."""
    dearest = np.sort(profit[weight == kind])[::-1]
    return np.concatenate([[0], np.cumsum(dearest)])
