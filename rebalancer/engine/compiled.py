"""Compiled: the loops over arcs that numpy can't do fast enough, compiled by numba. Plain arrays in and out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from rebalancer.problem import NO_LIMIT

MAX_STATES = 10_000
"""States of a dynamic programme; beyond it the linear relaxation stands in (the bound counted is the certificate's)."""

FEW_CELLS = 1_000_000
"""Items times weights up to which a table of all weights is quicker than a list of states."""

SKIPS = 20
"""Items at the edge of a knapsack that are left out in turn to find a good filling, which leaves fewer in doubt."""

DOUBT = 1e-9

FEW_WEIGHTS, MAX_CHOICES = 6, 100_000
"""Up to so many different weights a knapsack is filled by counting items of each, looking at no more choices."""

NOTHING, TOO_MANY = -1.0, -2.0
"""No profit: what a dynamic programme says where it has no choice to give."""


def compiled(function: Callable[..., Any]) -> Any:
    """Compile on the first call, and keep the result where this folder or the user's cache can be written."""
    try:
        return numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # nowhere to keep it
        return numba.njit(nogil=True)(function)


@compiled
def _programme(
    profit: np.ndarray,
    weight: np.ndarray,
    core: np.ndarray,
    room: int,
    size: int,
    price: float,
    edge: float,
    least: float,
    taken: np.ndarray,
) -> float:
    """The best choice from `core` with a total weight up to `size`, marked in `taken`; `NOTHING` where none reaches
    `least`, `TOO_MANY` where it would take too many states.

    States are the choices so far that no other beats in weight and profit; those that could not pass `least` even at
    the ratio `edge` are dropped. `came` and `item` remember how each was made.
    """
    count = len(core)
    gain_left = np.zeros(count + 1)
    for place in range(count - 1, -1, -1):
        gain_left[place] = gain_left[place + 1] + max(0.0, profit[core[place]] - edge * weight[core[place]])
    weights, profits, notes = np.zeros(1, np.int64), np.zeros(1), np.zeros(1, np.int64)
    came, item, noted = np.zeros(1024, np.int64), np.full(1024, -1, np.int64), 1
    for place in range(count):
        need, gain, old = weight[core[place]], profit[core[place]], len(weights)
        next_weights, next_profits = np.empty(2 * old, np.int64), np.empty(2 * old)
        next_notes = np.empty(2 * old, np.int64)
        without, with_it, kept, most = 0, 0, 0, -1.0
        while without < old or with_it < old:
            take = without >= old or (with_it < old and weights[with_it] + need < weights[without])
            at = with_it if take else without
            total = weights[at] + (need if take else 0)
            value = profits[at] + (gain if take else 0.0)
            if take:
                with_it += 1
            else:
                without += 1
            if total > size or value <= most or value + edge * (room - total) + gain_left[place + 1] < least:
                continue
            most = value
            note = notes[at]
            if take:
                if noted == len(came):
                    came = np.append(came, np.zeros(noted, np.int64))
                    item = np.append(item, np.full(noted, -1, np.int64))
                came[noted], item[noted] = note, core[place]
                note = noted
                noted += 1
            next_weights[kept], next_profits[kept], next_notes[kept] = total, value, note
            kept += 1
        weights, profits, notes = next_weights[:kept], next_profits[:kept], next_notes[:kept]
        if kept > MAX_STATES:
            return TOO_MANY
    best, at = NOTHING, -1
    for place in range(len(weights)):
        value = profits[place] - max(0.0, price) * max(0, weights[place] - room)
        if value > best:
            best, at = value, notes[place]
    while at > 0:
        taken[item[at]] = True
        at = came[at]
    return best


@compiled
def _table(
    profit: np.ndarray, weight: np.ndarray, core: np.ndarray, room: int, size: int, price: float, taken: np.ndarray
) -> float:
    """As `_programme`, over all total weights up to `size`: quicker where these are few."""
    best = np.zeros(size + 1)
    choice = np.zeros((len(core), size + 1), np.uint8)
    for place in range(len(core)):
        need, gain = weight[core[place]], profit[core[place]]
        for total in range(size, need - 1, -1):
            value = best[total - need] + gain
            if value > best[total]:
                best[total] = value
                choice[place, total] = 1
    at, most = 0, best[0]
    for total in range(size + 1):
        value = best[total] - max(0.0, price) * max(0, total - room)
        if value > most:
            at, most = total, value
    for place in range(len(core) - 1, -1, -1):
        if choice[place, at]:
            taken[core[place]] = True
            at -= weight[core[place]]
    return most


@compiled
def _counts(
    profit: np.ndarray, weight: np.ndarray, order: np.ndarray, room: int, price: float, edge: float, most: float,
    taken: np.ndarray,
) -> float:  # fmt: skip
    """How little the best choice is worth less than the linear relaxation, where that is below `most`; the choice in
    `taken`. `TOO_MANY` where there are more weights or choices than it can look through; nothing is marked then, or
    where there is none.

    Of items that weigh the same the dearest go first, so that a choice is a number for each weight. What such a number
    loses against the relaxation grows on both sides of the relaxation's own, so few numbers are left.
    """
    count = len(order)
    by_weight = order[np.argsort(profit[order])[::-1]]
    by_weight = by_weight[np.argsort(-weight[by_weight], kind="mergesort")]
    first, classes = np.zeros(FEW_WEIGHTS + 1, np.int64), 0
    for place in range(count):
        if place == 0 or weight[by_weight[place]] != weight[by_weight[place - 1]]:
            if classes == FEW_WEIGHTS:
                return TOO_MANY
            first[classes] = place
            classes += 1
    first[classes] = count
    loss = np.zeros(count + classes)  # of taking so many, class by class with one place more for all
    fewest = np.zeros(classes, np.int64)
    for each in range(classes):
        start, size = first[each], first[each + 1] - first[each]
        whole = 0
        while whole < size and profit[by_weight[start + whole]] > edge * weight[by_weight[start + whole]]:
            whole += 1
        for number in range(whole - 1, -1, -1):
            item = by_weight[start + number]
            loss[start + each + number] = loss[start + each + number + 1] + profit[item] - edge * weight[item]
        for number in range(whole, size):
            item = by_weight[start + number]
            loss[start + each + number + 1] = loss[start + each + number] + edge * weight[item] - profit[item]
        while fewest[each] < whole and loss[start + each + fewest[each]] >= most:
            fewest[each] += 1
    heaviest = weight[by_weight[0]] if price >= 0.0 else 0
    best, chosen = most, np.full(classes, -1, np.int64)
    tried, left, lost = fewest.copy(), np.zeros(classes + 1, np.int64), np.zeros(classes + 1)
    left[0] = room
    depth, looked = 0, 0
    while depth >= 0:
        looked += 1
        if looked > MAX_CHOICES:
            return TOO_MANY
        start, size = first[depth], first[depth + 1] - first[depth]
        need = weight[by_weight[start]]
        if depth == classes - 1:  # as many as fit, and one more where that may be paid for
            fitting = min(size, max(0, left[depth]) // need)
            for total in range(fitting, min(size, fitting + (1 if price >= 0.0 else 0)) + 1):
                rest = left[depth] - need * total
                gone = lost[depth] + loss[start + depth + total]
                gone += edge * rest if rest >= 0 else (price - edge) * -rest
                if gone < best:
                    best = gone
                    for each in range(classes - 1):
                        chosen[each] = tried[each] - 1
                    chosen[depth] = total
            depth -= 1
            continue
        total = tried[depth]
        rest = left[depth] - need * total
        gone = lost[depth] + (loss[start + depth + total] if total <= size else 0.0)
        beyond = (price - edge) * -rest if rest < 0 else 0.0
        falling = total < size and loss[start + depth + total + 1] < loss[start + depth + total]
        if total > size or rest < -heaviest or (gone + beyond >= best and not falling):
            tried[depth] = fewest[depth]
            depth -= 1
            continue
        tried[depth] += 1
        if gone + beyond >= best:
            continue
        left[depth + 1], lost[depth + 1] = rest, gone
        depth += 1
        if depth < classes - 1:
            tried[depth] = fewest[depth]
    if chosen[classes - 1] < 0:
        return most
    for each in range(classes):
        for number in range(chosen[each]):
            taken[by_weight[first[each] + number]] = True
    return best


@compiled
def _fill(weight: np.ndarray, order: np.ndarray, count: int, left_out: int, room: int, taken: np.ndarray) -> None:
    """Take what fits, in order, without the item at `left_out`."""
    for place in range(count):
        if place != left_out and weight[order[place]] <= room:
            room -= weight[order[place]]
            taken[order[place]] = True


@compiled
def _knapsack(
    profit: np.ndarray, weight: np.ndarray, capacity: int, price: float, slack: float, taken: np.ndarray
) -> tuple[float, float, float]:
    """The most profit but for `slack`, the choice in `taken`, the ratio of profit to weight at which the capacity ends,
    and what the linear relaxation is worth beyond the most profit.
    """
    taken[:] = False
    count, total, value = 0, 0, 0.0
    open_items = np.empty(len(profit), np.int64)
    room = capacity
    if room < 0:
        value -= max(0.0, price) * -room
        room = 0
    extra = 0
    for item in range(len(profit)):
        gain, need = profit[item], weight[item]
        if gain <= 0.0 or (price < 0.0 and need > room and need > 0):
            continue
        if need == 0 or (price >= 0.0 and gain > price * need):
            taken[item] = True
            value += gain
            extra += need
        else:
            open_items[count] = item
            count += 1
            total += need
    if extra > room:
        return value - max(0.0, price) * (extra - room), max(0.0, price), 0.0
    room -= extra
    if total <= room:
        for place in range(count):
            taken[open_items[place]] = True
            value += profit[open_items[place]]
        return value, 0.0, 0.0
    ratio = np.empty(count)
    for place in range(count):
        ratio[place] = -profit[open_items[place]] / weight[open_items[place]]
    order = open_items[:count][np.argsort(ratio)]
    left, ahead, split = room, 0.0, 0
    while weight[order[split]] <= left:
        left -= weight[order[split]]
        ahead += profit[order[split]]
        split += 1
    edge = profit[order[split]] / weight[order[split]]
    linear = ahead + left * edge
    least, left_out = -1.0, split
    for skipped in range(split, max(-1, split - SKIPS - 1), -1):  # fill up, with none or one of the last items left out
        filled, rest = ahead, left
        if skipped < split:
            filled -= profit[order[skipped]]
            rest += weight[order[skipped]]
        for place in range(split, count):
            if weight[order[place]] <= rest:
                rest -= weight[order[place]]
                filled += profit[order[place]]
        if filled > least:
            least, left_out = filled, skipped
    doubt = DOUBT * abs(linear)
    better = slack if slack > 0.0 else -doubt
    if linear - least <= max(doubt, slack):  # where all ratios are equal, a search would not end
        _fill(weight, order, count, left_out, room, taken)
        return value + least, edge, linear - least
    gone = _counts(profit, weight, order, room, price, edge, linear - least - better, taken)
    if gone != TOO_MANY and gone < linear - least - better:
        return value + linear - gone, edge, gone
    if gone != TOO_MANY:
        _fill(weight, order, count, left_out, room, taken)
        return value + least, edge, linear - least
    core = np.empty(count, np.int64)
    size_of_core, heaviest, weight_of_core, whole_room = 0, 0, 0, room
    base = 0.0
    for place in range(count):
        item = order[place]
        if linear - abs(profit[item] - edge * weight[item]) >= least + better:
            core[size_of_core] = item
            size_of_core += 1
            heaviest = max(heaviest, weight[item])
            weight_of_core += weight[item]
        elif place < split:
            taken[item] = True
            base += profit[item]
            room -= weight[item]
    size = min(room + (heaviest if price >= 0.0 else 0), weight_of_core)
    if size_of_core * size <= FEW_CELLS:
        most = _table(profit, weight, core[:size_of_core], room, size, price, taken)
    else:
        target = least - base + better
        most = _programme(profit, weight, core[:size_of_core], room, size, price, edge, target, taken)
    if most == TOO_MANY:
        for place in range(split):
            taken[order[place]] = True
        return value + linear, edge, 0.0
    if base + most < least:
        for place in range(count):
            taken[order[place]] = False
        _fill(weight, order, count, left_out, whole_room, taken)
        return value + least, edge, linear - least
    return value + base + most, edge, linear - base - most


@compiled
def evaluate(
    group_price: np.ndarray,
    cost: np.ndarray,
    item_ptr: np.ndarray,
    item_group: np.ndarray,
    item_weight: np.ndarray,
    book_ptr: np.ndarray,
    capacity: np.ndarray,
    own_price: np.ndarray,
    slack: float,
    taken_arc: np.ndarray,
    count: np.ndarray,
    excess: np.ndarray,
    edge: np.ndarray,
    surplus: np.ndarray,
) -> float:
    """The sum of the knapsacks' best profits, given the cost of every arc in the order of the items.

    Filled in: `taken_arc` flags (arcs), how often each group is taken, excess of each knapsack, the ratio at its edge,
    and its `surplus`: what its linear relaxation is worth beyond it.
    """
    total = 0.0
    count[:] = 0
    taken_arc[:] = False
    for book in range(len(capacity)):
        first, last = book_ptr[book], book_ptr[book + 1]
        if first == last:
            excess[book] = max(0, -capacity[book])
            total -= max(0.0, own_price[book]) * excess[book]
            edge[book], surplus[book] = 0.0, 0.0
            continue
        profit = np.empty(last - first)
        best = np.empty(last - first, np.int64)
        for item in range(first, last):
            least = item_ptr[item]
            for place in range(item_ptr[item] + 1, item_ptr[item + 1]):
                if cost[place] < cost[least]:
                    least = place
            best[item - first] = least
            profit[item - first] = group_price[item_group[item]] - cost[least]
        taken = np.empty(last - first, np.bool_)
        value, edge[book], surplus[book] = _knapsack(
            profit, item_weight[first:last], capacity[book], own_price[book], slack, taken
        )
        total += value
        used = 0
        for item in range(last - first):
            if taken[item]:
                taken_arc[best[item]] = True
                count[item_group[first + item]] += 1
                used += item_weight[first + item]
        excess[book] = max(0, used - capacity[book])
    return total


@compiled
def charge(
    base: np.ndarray,
    arc_ptr: np.ndarray,
    entry_row: np.ndarray,
    entry_weight: np.ndarray,
    row: np.ndarray,
    cost: np.ndarray,
) -> None:
    """`cost` of every arc: its base and what its rows charge."""
    for arc in range(len(base)):
        total = base[arc]
        for entry in range(arc_ptr[arc], arc_ptr[arc + 1]):
            total += entry_weight[entry] * row[entry_row[entry]]
        cost[arc] = total


@compiled
def activities(
    taken_arc: np.ndarray, arc_ptr: np.ndarray, entry_row: np.ndarray, entry_weight: np.ndarray, activity: np.ndarray
) -> None:
    """The weighted sum of every row over the arcs that are taken."""
    activity[:] = 0.0
    for arc in range(len(taken_arc)):
        if taken_arc[arc]:
            for entry in range(arc_ptr[arc], arc_ptr[arc + 1]):
                activity[entry_row[entry]] += entry_weight[entry]


@compiled
def weigh(
    arcs: np.ndarray,
    now: np.ndarray,
    arc_ptr: np.ndarray,
    entry_row: np.ndarray,
    entry_weight: np.ndarray,
    activity: np.ndarray,
    lo: np.ndarray,
    hi: np.ndarray,
    price: np.ndarray,
    overload: np.ndarray,
    breaks: np.ndarray,
    room: np.ndarray,
) -> None:
    """What taking each arc in place of `now` (-1: of nothing) does: to the priced excess, to rows that must hold (price
    below zero), and the least share of a limit that is left.
    """
    for place in range(len(arcs)):
        new, old = arcs[place], now[place]
        total, broken, left = 0, False, 1.0
        for entry in range(arc_ptr[new], arc_ptr[new + 1]):
            row, change = entry_row[entry], entry_weight[entry]
            if old >= 0:
                for other in range(arc_ptr[old], arc_ptr[old + 1]):
                    if entry_row[other] == row:
                        change -= entry_weight[other]
            before, after = activity[row], activity[row] + change
            worse = max(0, after - hi[row], lo[row] - after) - max(0, before - hi[row], lo[row] - before)
            if price[row] < 0:
                broken = broken or worse > 0
            else:
                total += worse * price[row]
            if hi[row] < NO_LIMIT:
                left = min(left, (hi[row] - after) / max(1, hi[row]))
        if old >= 0:
            for entry in range(arc_ptr[old], arc_ptr[old + 1]):
                row, shared = entry_row[entry], False
                for other in range(arc_ptr[new], arc_ptr[new + 1]):
                    shared = shared or entry_row[other] == row
                if shared:
                    continue
                before, after = activity[row], activity[row] - entry_weight[entry]
                worse = max(0, after - hi[row], lo[row] - after) - max(0, before - hi[row], lo[row] - before)
                if price[row] < 0:
                    broken = broken or worse > 0
                else:
                    total += worse * price[row]
        overload[place], breaks[place], room[place] = total, broken, left


def warm_up() -> None:
    """Compile everything, or load what was kept: some seconds once on a machine, then a fraction of one."""
    whole, real, flags = np.zeros(1, np.int64), np.zeros(1), np.zeros(1, np.bool_)
    pointer = np.zeros(2, np.int64)
    rows = (pointer, whole[:0], real[:0])
    evaluate(
        real,
        real,
        pointer,
        whole,
        whole,
        pointer,
        whole,
        real,
        0.0,
        flags,
        whole,
        real.copy(),
        real.copy(),
        real.copy(),
    )
    charge(real, *rows, real, real.copy())
    activities(flags, *rows, real.copy())
    weigh(whole, whole, pointer, whole, whole, whole, whole, whole, whole, whole.copy(), flags, real.copy())
