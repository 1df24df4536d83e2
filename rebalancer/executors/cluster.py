"""Cluster: workers of a Dask cluster. Dask runs the tasks and retries those whose worker died."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rebalancer.errors import UsageError, printable
from rebalancer.executors.versions import refuse_other_versions
from rebalancer.executors.workers import Workers

if TYPE_CHECKING:
    from distributed import Client

CONNECT_SECONDS = 5
"""So long a scheduler, and then its first worker, may take to answer."""

UNREACHABLE = (OSError, ValueError, TypeError, RuntimeError)
"""What Dask raises of an address that is wrong, or where nobody answers."""

CLOSE_SECONDS = 5
"""So long the end of a connection may take."""

LOOK_SECONDS = 5.0
"""Between two looks at which workers there are."""

NO_WORKER_SECONDS = 60.0
"""A cluster without any worker for so long is given up; a nanny starts a new one in a few seconds."""

LARGEST_TASK = "4 GiB"
"""Dask warns of tasks larger than this one; tables and arrays are what our tasks are made of."""


def connected(address: str) -> Cluster:
    """The workers of the scheduler at an address. Raises `UsageError` where they can't be used, and says why."""
    if not address.strip():
        raise UsageError("the address of the scheduler is empty; it looks like tcp://host:8786.")
    try:
        import distributed
    except ImportError:
        raise UsageError("a cluster needs the package distributed: pip install 'rebalancer[cluster]'.") from None
    _quieten()
    try:
        client = distributed.Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (*UNREACHABLE, AssertionError) as error:  # the last: its loop did not start in time on a busy machine
        raise UsageError(_unreachable(address, error)) from None
    try:
        _wait_for_workers(client, address)
        refuse_other_versions(client, shown(address))
    except BaseException:
        client.close()
        raise
    return Cluster(client, address)


def shown(address: str) -> str:
    """An address for messages, without a name or a password in it."""
    place = address.rpartition("@")
    scheme = urlsplit(address).scheme if "://" in address and place[1] else ""
    return printable(f"{scheme}://{place[2]}" if scheme else place[2], 200)


def _unreachable(address: str, error: Exception) -> str:
    told = type(error).__name__ if "@" in address else printable(str(error) or type(error).__name__, 200)
    return (
        f"no Dask scheduler answers at {shown(address)} within {CONNECT_SECONDS} s ({told}). "
        "Start one with `dask scheduler`, and give the address that it prints, such as tcp://host:8786."
    )


def _quieten() -> None:
    """What Dask logs of connections and of workers that die is told in our words; REBALANCER_DEBUG shows it."""
    import dask

    dask.config.set({"distributed.admin.large-graph-warning-threshold": LARGEST_TASK})
    if not os.environ.get("REBALANCER_DEBUG"):
        for name in ("distributed", "distributed.client", "distributed.core", "distributed.comm"):
            logging.getLogger(name).setLevel(logging.CRITICAL)


def _wait_for_workers(client: Client, address: str) -> None:
    try:
        client.wait_for_workers(1, timeout=CONNECT_SECONDS)
    except TimeoutError:
        raise UsageError(
            f"the Dask scheduler at {shown(address)} has no workers. "
            f"Start some with `dask worker {shown(address)} --nthreads 1`."
        ) from None


class Cluster(Workers):
    """A connection to a cluster; at its end our tasks there are dropped, and the cluster stays."""

    def __init__(self, client: Client, address: str) -> None:
        from distributed.scheduler import KilledWorker

        self.lost = (KilledWorker,)
        self.address = shown(address)
        self._client = client
        self._executor = client.get_executor(pure=False)
        self._threads, self._seen, self._looked = 1, time.monotonic(), 0.0

    @property
    def slots(self) -> int:
        """Threads of all workers, as of a few seconds ago; 1 where there are none for the moment."""
        self._look()
        return max(1, self._threads)

    def _look(self) -> None:
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        with contextlib.suppress(Exception):  # the connection is gone for now, or for good
            self._threads = sum(self._client.nthreads().values())
            if self._threads:
                self._seen = time.monotonic()

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """As `Executor.submit`; keywords are those of the function."""
        if kwargs:
            from functools import partial

            function = partial(function, **kwargs)
        future: Future[Any] = self._executor.submit(function, *args)
        return future

    def renew(self) -> None:
        """Dask starts workers anew by itself."""

    def trouble(self) -> str | None:
        """Why no task will end any more: the scheduler is gone, or all workers are for a minute."""
        if self._client.status not in ("running", "connecting"):
            return f"the Dask scheduler at {self.address} can't be reached any more."
        self._look()
        if time.monotonic() - self._seen > NO_WORKER_SECONDS:
            return f"the Dask scheduler at {self.address} has had no worker for {NO_WORKER_SECONDS:.0f} s."
        return None

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """As `Executor.shutdown`; ends the connection."""
        with contextlib.suppress(Exception):  # the scheduler may be gone: then nothing waits there
            self._executor.shutdown(wait=wait and not cancel_futures)
        self._client.close(timeout=CLOSE_SECONDS)

    def end(self) -> None:
        """Drop what waits; what runs is told so by `wanted`."""
        self.shutdown(wait=False, cancel_futures=True)


def running_task() -> Callable[[], bool]:
    """Within a task of a Dask worker: a question whether it has not been cancelled. Always true elsewhere."""
    from distributed import get_worker

    try:
        worker = get_worker()
        key = worker.get_current_task()
    except (ValueError, AttributeError, KeyError):
        return lambda: True

    def is_wanted() -> bool:
        task = worker.state.tasks.get(key)
        return task is not None and task.state != "cancelled"

    return is_wanted
