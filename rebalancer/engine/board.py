"""Board: what the components of a problem report, added up."""

from __future__ import annotations

import threading
import time

from rebalancer.engine.outcome import OneReport, Progress, Report


class Board:
    """Adds up what the components report and passes it on."""

    def __init__(self, components: int, report: Report | None) -> None:
        self._best: list[int | None] = [None] * components
        self._bound: list[int | None] = [None] * components
        self._moves = [0] * components
        self._done: set[int] = set()
        self._report, self._started, self._lock = report, time.monotonic(), threading.Lock()

    def of(self, index: int) -> OneReport:
        """The reporter of one component."""

        def note(best: int | None, bound: int | None, moves: int) -> None:
            with self._lock:
                self._best[index] = best if best is not None else self._best[index]
                self._bound[index] = bound if bound is not None else self._bound[index]
                self._moves[index] = moves if moves >= 0 else self._moves[index]
            self._tell()

        return note

    def ended(self, index: int) -> None:
        """A component is done."""
        self._done.add(index)
        self._tell()

    def _tell(self) -> None:
        if self._report is None:
            return
        best = [value for value in self._best if value is not None]
        bound = [value for value in self._bound if value is not None]
        self._report(
            Progress(
                best=sum(best) if len(best) == len(self._best) else None,
                bound=sum(bound) if bound else None,
                moves=sum(self._moves),
                done=len(self._done),
                components=len(self._best),
                seconds=time.monotonic() - self._started,
            )
        )
