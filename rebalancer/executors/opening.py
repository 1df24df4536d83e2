"""Opening: workers for the length of a `with` block."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from rebalancer.errors import UsageError
from rebalancer.executors.processes import Processes
from rebalancer.executors.workers import Workers


@contextmanager
def executor(jobs: int | None = None, scheduler: str | None = None) -> Iterator[Workers]:
    """Workers as a `concurrent.futures.Executor`: `jobs` processes on this machine (None: one for each core), or those
    of the Dask cluster whose `scheduler` has this address, such as tcp://scheduler:8786.

    At the end of the block, however it ends, what still waits or runs is dropped, and no process is left.
    Raises `UsageError` where the cluster can't be reached in a few seconds, has no workers, or has workers with other
    versions, and `RebalancerError` where no process can be started.
    """
    if jobs is not None and scheduler is not None:
        raise UsageError("a scheduler has its own workers: give either a number of processes or a scheduler, not both.")
    if jobs is not None and jobs < 1:
        raise UsageError("the number of processes must be 1 or more.")
    workers = _opened(jobs, scheduler)
    try:
        yield workers
    finally:
        workers.end()


def _opened(jobs: int | None, scheduler: str | None) -> Workers:
    if scheduler is None:
        return Processes(jobs or os.cpu_count() or 1)
    from rebalancer.executors.cluster import connected

    return connected(scheduler)


@contextmanager
def executor_if(jobs: int | None = None, scheduler: str | None = None) -> Iterator[Workers | None]:
    """As `executor` where either is given, else None: the work is done in this process."""
    if jobs is None and scheduler is None:
        yield None
        return
    with executor(jobs, scheduler) as workers:
        yield workers
