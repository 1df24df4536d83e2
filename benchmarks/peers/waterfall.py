"""Keep first: each book keeps what fits, and passes the rest on."""

from __future__ import annotations

import numpy as np

from benchmarks.instance import Instance
from benchmarks.peers.answer import Answer, History
from benchmarks.peers.loads import Loads

FULL = 1.0


def run(instance: Instance, _seconds: float, _seed: int, _workers: int) -> Answer:
    """First the owners, dearest account first; then the rest, largest first, where it fits at least cost.

    What fits nowhere goes to the least full book, over its limit: in practice it stays unassigned.
    """
    history, loads = History(), Loads(instance)
    passed_on = [group for group in _dearest_first(instance, loads) if not _kept(instance, loads, group)]
    weight, dear = loads.weight(), int(instance.cost.max()) + 1
    for group in sorted(passed_on, key=lambda group: -weight[group]):
        arcs, full = loads.arcs(group), loads.fullness(group)
        fits = full <= FULL
        cost = np.where(fits, instance.cost[arcs], dear)
        loads.take(int(arcs[np.lexsort((full, cost))[0]]))
    judged = instance.judged(loads.chosen)
    if judged["legal"]:
        history.note(judged["value"], None)
    return Answer(loads.chosen, f"{len(passed_on):,} passed on", None, history.points)


def _dearest_first(instance: Instance, loads: Loads) -> list[int]:
    cost = np.maximum.reduceat(instance.cost, loads.first[:-1])
    order: list[int] = np.argsort(-cost, kind="stable").tolist()
    return order


def _kept(instance: Instance, loads: Loads, group: int) -> bool:
    """Keep a group where it is today, if its book has room."""
    today = int(instance.problem.today[group])
    if today < 0 or loads.fullness(group)[today - loads.first[group]] > FULL:
        return False
    loads.take(today)
    return True
