"""Executors: workers for tasks that need nothing of each other, local processes or a Dask cluster, in one interface.

`executor` opens them as a `concurrent.futures.Executor`; `run_all` hands them many tasks and survives a worker that
dies. They know nothing of books.
"""

from rebalancer.executors.opening import executor, executor_if
from rebalancer.executors.running import run_all
from rebalancer.executors.workers import Workers, slots_of, wanted

__all__ = ["Workers", "executor", "executor_if", "run_all", "slots_of", "wanted"]
