"""The engine: arcs, rows, gates and levels in, an Outcome out. It knows no accounts; OR-tools lives here only.

`solve_safely` searches in a child process, `solve` in this one, `solve_scattered` on the workers of an executor.
"""

from typing import Any

from rebalancer.engine.outcome import LevelResult, Options, Outcome, Progress, Stop
from rebalancer.engine.safely import solve_safely, warm_up
from rebalancer.engine.scattered import solve_scattered

__all__ = [
    "LevelResult",
    "Options",
    "Outcome",
    "Progress",
    "Stop",
    "solve",
    "solve_safely",
    "solve_scattered",
    "warm_up",
]


def __getattr__(name: str) -> Any:
    """Load the solver only where it is used: the parent of a child process does not."""
    if name == "solve":
        from rebalancer.engine.search import solve

        return solve
    raise AttributeError(f"module 'rebalancer.engine' has no attribute {name!r}")
