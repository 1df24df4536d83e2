"""A general mixed-integer solver on the whole problem: HiGHS or SCIP, as OR-tools carries them."""

from __future__ import annotations

from benchmarks.instance import Instance
from benchmarks.peers.answer import Answer, History
from benchmarks.peers.mathopt_model import hard_model, solved


def run(instance: Instance, seconds: float, _seed: int, _workers: int, solver: str) -> Answer:
    """The best plan and bound within the time, building the model included."""
    history = History()
    return solved(instance, hard_model(instance), solver, seconds, 0.0, history, exact=True)
