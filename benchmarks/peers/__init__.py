"""Peers: other ways to make a plan for the same problem, each with the same time and processor cores."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.instance import Instance
from benchmarks.peers.answer import Answer

Run = Callable[[Instance, float, int, int], Answer]
"""A problem, seconds from having it to having the answer, seed, processor cores."""


@dataclass(frozen=True)
class Peer:
    """`module` has a function `run`; `about` states what it does and with which settings. `bounds`: it proves one."""

    title: str
    module: str
    about: str
    bounds: bool = False
    arguments: tuple[str, ...] = ()

    def run(self, instance: Instance, seconds: float, seed: int, workers: int) -> Answer:
        """The peer's answer; its solver is loaded only now."""
        run: Run = importlib.import_module(f"benchmarks.peers.{self.module}").run
        return run(instance, seconds, seed, workers, *self.arguments)


PEERS = {
    "cpsat": Peer(
        "CP-SAT, one model",
        "cpsat",
        "OR-tools CP-SAT on the whole problem, today's plan as hint, all cores.",
        bounds=True,
    ),
    "highs": Peer("HiGHS, one model", "mip", "HiGHS on the whole problem, gap 0, own defaults.", True, ("HIGHS",)),
    "scip": Peer("SCIP, one model", "mip", "SCIP on the whole problem, gap 0, own defaults.", True, ("GSCIP",)),
    "redeal": Peer(
        "re-deal",
        "redeal",
        "All accounts dealt anew, largest first, each to the least loaded book that may take it (LPT).",
    ),
    "waterfall": Peer(
        "keep first",
        "waterfall",
        "Each book keeps what fits, dearest to move first; the rest, largest first, goes where it fits at least cost.",
    ),
    "weighted": Peer(
        "weighted sum",
        "weighted",
        "HiGHS, stopped at a gap of 2 %: half disruption, half balance, soft limits at ten times their weight.",
    ),
    "local_search": Peer(
        "local search",
        "local_search",
        "Shifts and swaps from today until no single one helps: first the overload, then the disruption.",
    ),
}
