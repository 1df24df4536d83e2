"""What a peer hands back, and how it notes what it had when."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np

Point = tuple[float, int | None, int | None]
"""Seconds since the peer had the problem, best legal value then, best bound then (None: none)."""


@dataclass(frozen=True)
class Answer:
    """`chosen`: the arc of each group, None without a plan. `bound`: no legal plan costs less. `status`: its words."""

    chosen: np.ndarray | None
    status: str
    bound: int | None = None
    history: list[Point] = field(default_factory=list)


class History:
    """Points in the order of time, kept only where value or bound got better."""

    def __init__(self) -> None:
        self.started = time.perf_counter()
        self.points: list[Point] = []

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.perf_counter() - self.started

    def note(self, value: int | None, bound: int | None, seconds: float | None = None) -> None:
        """The best value and bound known now; None leaves what was known."""
        _, best, highest = self.points[-1] if self.points else (0.0, None, None)
        lower = [known for known in (best, value) if known is not None]
        upper = [known for known in (highest, bound) if known is not None]
        now = (min(lower, default=None), max(upper, default=None))
        if now != (best, highest):
            self.points.append((round(self.seconds if seconds is None else seconds, 3), *now))
