"""Processes: workers on this machine, each a fresh interpreter that ends with its parent, however that ends."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

from rebalancer.errors import RebalancerError
from rebalancer.executors.workers import Workers

NO_START = (
    "no worker process can be started. A script that uses several processes must do its work under "
    '`if __name__ == "__main__":`, since each of them reads it; else look at the memory that is free.'
)


class Processes(Workers):
    """So many worker processes. They are spawned, never forked: threads of the solver would not survive a fork."""

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs
        self._lock = threading.Lock()
        self._start()

    def _start(self) -> None:
        context = get_context("spawn")
        self._lifeline = context.Pipe(duplex=False)
        self._pool = ProcessPoolExecutor(self.jobs, context, _settle, self._lifeline[:1])
        try:
            self._pool.submit(_ready).result()
        except (BrokenExecutor, OSError):
            self.end()
            raise RebalancerError(NO_START) from None
        except BaseException:
            self.end()
            raise

    @property
    def slots(self) -> int:
        """Worker processes."""
        return self.jobs

    @property
    def in_flight(self) -> int:
        """One more than there are processes: all those in flight are tried again where one dies."""
        return self.jobs + 1

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """As `Executor.submit`."""
        return self._pool.submit(function, *args, **kwargs)

    def renew(self) -> None:
        """Start a new pool where a process of this one died. Raises `RebalancerError` where none can be started."""
        with self._lock:
            try:
                self._pool.submit(_ready).result()
            except BrokenExecutor:
                self.end()
                self._start()

    def trouble(self) -> str | None:
        """A process that dies breaks its pool, which its tasks tell: there is nothing to look for."""
        return None

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """As `Executor.shutdown`; with `wait` no process is left."""
        self._pool.shutdown(wait, cancel_futures=cancel_futures)
        if wait:
            self._close_lifeline()

    def end(self) -> None:
        """End the processes at once, whatever they do."""
        self._close_lifeline()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _close_lifeline(self) -> None:
        for side in self._lifeline:
            side.close()


def _ready() -> None:
    """Nothing: a worker that answers has started."""


def _settle(lifeline: Connection) -> None:
    """Ctrl-C is the parent's to handle. Where its end of the lifeline closes, this process ends."""
    with contextlib.suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, args=(lifeline,), daemon=True).start()


def _end_with_parent(lifeline: Connection) -> None:
    with contextlib.suppress(EOFError, OSError):
        lifeline.recv_bytes()
    os._exit(1)
