"""Running: many tasks on workers, in the order in which they end, whatever happens to a worker."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from itertools import chain
from typing import Generic, TypeVar

from rebalancer.errors import RebalancerError, WorkerLostError, printable
from rebalancer.executors.workers import Workers, slots_of

T = TypeVar("T")
R = TypeVar("R")

TICK = 0.2
"""Seconds between two looks at whether there is still hope, and whether to go on."""

NOT_PICKLABLE = (pickle.PicklingError, TypeError, AttributeError)

LOST_TWICE = (
    "the worker of this task ended before the task did, and so did the next one, which had nothing else to do. "
    "Look at the memory that workers have, and at what the task reads."
)


def run_all(
    workers: Executor,
    function: Callable[[T], R],
    tasks: Iterable[T],
    *,
    in_flight: int | None = None,
    until: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[int, R | Exception]]:
    """Pairs of a task's number and `function(task)`, or the exception that it raised, in the order they end.

    `tasks` is read as there is room for more: at most `in_flight` of them are handed over at a time (None: as many as
    keep the workers busy). A task whose worker dies is tried again at the end, alone; where that worker dies as well,
    its exception is a `WorkerLostError`, and so is that of every task left where no worker will come back. Once `until`
    is true, which is asked several times a second, there are no more pairs, and what waits is cancelled. `function` has
    to be importable on the workers, and it, tasks and results have to be picklable.
    """
    run: _Run[T, R] = _Run(workers, function, in_flight, until)
    try:
        yield from run.outcomes(enumerate(tasks))
    finally:
        run.cancel()


class _Hopeless(Exception):
    """No task will end any more, and why."""


class _Enough(Exception):
    """The caller wants no more."""


class _Run(Generic[T, R]):
    def __init__(
        self, workers: Executor, function: Callable[[T], R], in_flight: int | None, until: Callable[[], bool]
    ) -> None:
        self.workers, self.function, self._in_flight, self.until = workers, function, in_flight, until
        self.lost = workers.lost if isinstance(workers, Workers) else (BrokenExecutor,)
        self.running: dict[Future[R], tuple[int, T]] = {}

    @property
    def most(self) -> int:
        """Tasks that may be in flight; a cluster can grow."""
        if self._in_flight is not None:
            return max(1, self._in_flight)
        return self.workers.in_flight if isinstance(self.workers, Workers) else 2 * slots_of(self.workers)

    def outcomes(self, numbered: Iterator[tuple[int, T]]) -> Iterator[tuple[int, R | Exception]]:
        """Side by side first; then those whose worker died, one at a time, which tells the one that killed it."""
        suspects: list[tuple[int, T]] = []
        try:
            for item in numbered:
                self._submit(item)
                while len(self.running) >= self.most:
                    yield from self._ended(suspects)
            while self.running:
                yield from self._ended(suspects)
            while suspects:
                yield from self._alone(suspects)
        except _Hopeless as end:
            left, self.running = list(self.running.values()), {}
            for number, _ in chain(left, suspects, numbered):
                yield number, WorkerLostError(str(end))
        except _Enough:
            return

    def cancel(self) -> None:
        """Nobody waits for what is left."""
        for future in self.running:
            future.cancel()

    def _submit(self, item: tuple[int, T]) -> None:
        try:
            try:
                future = self.workers.submit(_done, self.function, item[1])
            except BrokenExecutor:
                self._renew()
                future = self.workers.submit(_done, self.function, item[1])
        except NOT_PICKLABLE as error:
            future = Future()
            future.set_exception(error)
        self.running[future] = item

    def _ended(self, lost: list[tuple[int, T]]) -> Iterator[tuple[int, R | Exception]]:
        """Those that have ended by now; the ones whose worker died are added to `lost`."""
        if self.until():
            raise _Enough
        done, _ = wait(self.running, TICK, FIRST_COMPLETED)
        if not done and isinstance(self.workers, Workers) and (reason := self.workers.trouble()) is not None:
            raise _Hopeless(reason)
        all_well = len(lost)
        for future in done:
            item = self.running.pop(future)
            outcome = self._outcome(future)
            if outcome is None:
                lost.append(item)
            else:
                yield item[0], outcome[0]
        if len(lost) > all_well:
            self._renew()

    def _alone(self, suspects: list[tuple[int, T]]) -> Iterator[tuple[int, R | Exception]]:
        """Try the first suspect again with nothing else in flight."""
        lost: list[tuple[int, T]] = []
        self._submit(suspects[0])
        del suspects[0]
        while self.running:
            yield from self._ended(lost)
        for number, _ in lost:
            yield number, WorkerLostError(LOST_TWICE)

    def _outcome(self, future: Future[R]) -> tuple[R | Exception] | None:
        """The result or the exception; None where the worker died."""
        if future.cancelled():
            return None
        error = future.exception()
        if isinstance(error, self.lost):
            return None
        if error is not None and not isinstance(error, Exception):
            raise error
        return (future.result(),) if error is None else (error,)

    def _renew(self) -> None:
        if not isinstance(self.workers, Workers):
            raise _Hopeless("a worker ended before its task did, and this executor has no others.")
        self.workers.renew()


def _done(function: Callable[[T], R], task: T) -> R:
    """What a worker runs. An exception that can't travel to the caller is replaced by its words."""
    try:
        return function(task)
    except (Exception, SystemExit) as error:
        if _travels(error):
            raise
        raise RebalancerError(f"{type(error).__name__}: {printable(str(error), 2_000)}") from None


def _travels(error: BaseException) -> bool:
    """Whether an exception is still itself after a journey."""
    try:
        return isinstance(error, Exception) and str(pickle.loads(pickle.dumps(error))) == str(error)
    except Exception:
        return False
