"""Re-deal: nothing stays; all accounts are dealt anew, largest first, to the least loaded book (LPT)."""

from __future__ import annotations

import numpy as np

from benchmarks.instance import Instance
from benchmarks.peers.answer import Answer, History
from benchmarks.peers.loads import Loads


def run(instance: Instance, _seconds: float, _seed: int, _workers: int) -> Answer:
    """One pass; of equally loaded seats the cheapest."""
    history, loads = History(), Loads(instance)
    for group in np.argsort(-loads.weight(), kind="stable"):
        arcs = loads.arcs(int(group))
        loads.take(int(arcs[np.lexsort((instance.cost[arcs], loads.fullness(int(group))))[0]]))
    judged = instance.judged(loads.chosen)
    if judged["legal"]:
        history.note(judged["value"], None)
    return Answer(loads.chosen, "done", None, history.points)
