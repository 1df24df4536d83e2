"""Which decisions can't be kept together: a smallest set of them under which no legal plan is left."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


class Clock:
    """Time that a search may use."""

    def __init__(self, seconds: float) -> None:
        self.end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds left, 0 where the time is up."""
        return max(0.0, self.end - time.monotonic())


def smallest_conflict(parts: Sequence[T], conflict: Callable[[Sequence[T]], bool]) -> list[T]:
    """A set of parts that conflict, none of which can be left out; all of them together are known to conflict.

    `conflict` may answer False where it does not know: the set then holds more than it must, and still conflicts.
    Takes of the order of `k log n` questions for a set of k (Junker, QuickXplain, AAAI 2004).
    """
    return _narrowed([], [], list(parts), conflict)


def _narrowed(kept: list[T], new: list[T], parts: list[T], conflict: Callable[[Sequence[T]], bool]) -> list[T]:
    if new and conflict(kept):
        return []
    if len(parts) <= 1:
        return parts
    half = len(parts) // 2
    first, second = parts[:half], parts[half:]
    of_second = _narrowed([*kept, *first], first, second, conflict)
    of_first = _narrowed([*kept, *of_second], of_second, first, conflict)
    return [*of_first, *of_second]
