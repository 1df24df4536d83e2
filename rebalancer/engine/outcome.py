"""Outcome: what the engine answers, and how it is told to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from rebalancer.certificate import Certificate, Multipliers

Proof = Literal["certificate", "solver"]
Stopped = Literal["proven", "gap", "time", "interrupt"]

CERTIFIED = (1, 0)
"""Levels with a certificate: `disruption`, and `overload` where the plan is not legal."""

OneReport = Callable[[int | None, int | None, int], None]
"""Called by a component with its best value and bound of `disruption`, and its moves (-1: not known)."""


@dataclass(frozen=True)
class LevelResult:
    """One level of an outcome. `bound` is the best valid one; None where none is known.

    `least` is the smallest value found before a tolerance was given back (only `overload`). `certificate_bound` is
    the bound that needs no solver to re-check.
    """

    name: str
    value: int
    bound: int | None
    proof: Proof | None
    certificate_bound: int | None = None
    least: int | None = None

    @property
    def gap(self) -> float | None:
        """`(value - bound) / max(1, value)`."""
        return None if self.bound is None else (self.value - self.bound) / max(1, self.value)


@dataclass
class ComponentResult:
    """The plan of one component, what is known of its levels, the multipliers that prove it by level, and seconds by
    phase.
    """

    chosen: np.ndarray
    levels: list[LevelResult]
    legal: bool
    from_solver: bool
    timed_out: bool
    multipliers: dict[int, Multipliers]
    spent: dict[str, float]
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Outcome:
    """The best plan found: `chosen` is the arc of each group. `legal` says that no elastic row of `overload` breaks.

    `from_solver` is False where the plan is the one that changes nothing or the greedy one and no search beat it.
    `certificates` are the multipliers behind `certificate_bound`, `spent` seconds of decomposed components by phase.
    `components` are the results of the components, where `Options.of_arcs` asks for them.
    """

    chosen: np.ndarray
    levels: tuple[LevelResult, ...]
    legal: bool
    stopped: Stopped
    from_solver: bool
    warnings: tuple[str, ...] = ()
    certificates: tuple[Certificate, ...] = ()
    spent: dict[str, float] = field(default_factory=dict, compare=False)
    components: tuple[ComponentResult, ...] = field(default=(), compare=False)

    def level(self, name: str) -> LevelResult | None:
        """The result of a level, None where the problem has no such level."""
        return next((level for level in self.levels if level.name == name), None)


@dataclass(frozen=True)
class Options:
    """How to search: seconds, relative gap of `disruption` to stop at, seed, processor cores.

    `reproducible` replaces seconds by the solver's deterministic time and uses one worker per component, so that
    equal input gives equal output on any load. `isolate` searches in a process of its own, which may use `memory`
    bytes (None: most of what the machine has free). `of_arcs` is given where the problem is a few components of a
    larger one: the arcs of that, so that each of them gets the share of the work that it has there.
    """

    time_limit: float = 60.0
    gap: float = 0.0
    seed: int = 0
    workers: int = 2
    reproducible: bool = False
    isolate: bool = True
    memory: int | None = None
    of_arcs: int | None = None


@dataclass
class Stop:
    """A request to stop, handed to every running solver. Safe to call from a signal handler or another thread.

    `searching` is set once the search has begun: from then on a stop leaves a plan.
    """

    requested: bool = False
    searching: bool = False
    _active: dict[int, Callable[[], None]] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def request(self) -> None:
        """Ask every running solver to return its best plan."""
        self.requested = True
        with self._lock:
            for stop in list(self._active.values()):
                stop()

    def watch(self, key: int, stop: Callable[[], None]) -> None:
        """Register a running solver; it is stopped at once if a stop was already asked for."""
        with self._lock:
            self._active[key] = stop
        if self.requested:
            stop()

    def release(self, key: int) -> None:
        """Forget a solver that has ended."""
        with self._lock:
            self._active.pop(key, None)


@dataclass(frozen=True)
class Progress:
    """The state of the search: best value and bound of `disruption` so far, moved groups, components ended."""

    best: int | None
    bound: int | None
    moves: int
    done: int
    components: int
    seconds: float


Report = Callable[[Progress], None]
