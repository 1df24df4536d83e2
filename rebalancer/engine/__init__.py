"""The engine: arcs, rows, gates and levels in, an Outcome out. It knows no accounts; OR-tools lives here only."""

from rebalancer.engine.outcome import LevelResult, Options, Outcome, Progress, Stop
from rebalancer.engine.solve import solve

__all__ = ["LevelResult", "Options", "Outcome", "Progress", "Stop", "solve"]
