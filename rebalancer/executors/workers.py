"""Workers: what local processes and a cluster have in common, beyond an executor."""

from __future__ import annotations

import os
import sys
from abc import abstractmethod
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor


class Workers(Executor):
    """An executor that knows how much it can do at once, and that can be used again after workers died.

    `lost` are the exceptions by which a task tells that its worker died.
    """

    lost: tuple[type[BaseException], ...] = (BrokenExecutor,)

    @property
    @abstractmethod
    def slots(self) -> int:
        """Tasks that run at the same time."""

    @property
    def in_flight(self) -> int:
        """Tasks to hand over at a time, so that no worker waits for its next one."""
        return 2 * self.slots

    @abstractmethod
    def renew(self) -> None:
        """Replace what a dead worker took down with it; nothing where all is well."""

    @abstractmethod
    def trouble(self) -> str | None:
        """Why no task will end any more, as words; None while there is hope."""

    @abstractmethod
    def end(self) -> None:
        """Drop what waits and what runs, and leave no process behind."""


def slots_of(workers: Executor) -> int:
    """Tasks that an executor runs at the same time; of one that does not tell, the processor cores."""
    return workers.slots if isinstance(workers, Workers) else os.cpu_count() or 1


def wanted() -> Callable[[], bool]:
    """Within a task: a question for any thread, whether somebody still waits for its result. True where not known."""
    if "distributed.worker" not in sys.modules:
        return lambda: True
    from rebalancer.executors.cluster import running_task

    return running_task()
