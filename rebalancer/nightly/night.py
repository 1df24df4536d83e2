"""Night: every book worked on in parallel, and what became of each written to the store as it comes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version

import sqlalchemy as sa

from rebalancer.errors import Interrupted, RebalancerError
from rebalancer.executors import executor, run_all, slots_of
from rebalancer.nightly.answers import Answer, Task, Wanted, failure
from rebalancer.nightly.knowledge import known_of
from rebalancer.nightly.lock import holder, night_lock
from rebalancer.nightly.recording import ChangedError, Told, record, recorded_failure, without_results
from rebalancer.nightly.sources import Source
from rebalancer.nightly.statuses import worst
from rebalancer.nightly.task import answer
from rebalancer.store.store import Store, timestamp
from rebalancer.store.tables import nights

ATTEMPTS = 3
"""How often a book is worked on where somebody decides on its proposal meanwhile."""

RUNNING = -1
"""The exit code of a night that has not ended."""

INTERRUPTED = 130
"""That of one that was told to end, or failed as a whole."""


@dataclass(frozen=True)
class NightReport:
    """A night that has ended. `books` are what became of each, by name; `exit_code` is that of the worst."""

    night_id: int
    started_at: str
    seconds: float
    books: tuple[Told, ...] = field(repr=False)

    @property
    def exit_code(self) -> int:
        """The worst of all books; 0 where all is well, whether or not anything was proposed."""
        return worst(told.answer.exit_code for told in self.books)

    @property
    def outcomes(self) -> dict[str, int]:
        """Books by status."""
        return dict(sorted(Counter(told.answer.status for told in self.books).items()))


def nightly(
    store: Store,
    sources: Sequence[Source],
    wanted: Wanted,
    workers: Executor | None = None,
    *,
    jobs: int | None = None,
    scheduler: str | None = None,
    by: str | None = None,
    now: datetime | None = None,
    wait: float = 0.0,
    on_book: Callable[[Told], None] | None = None,
) -> NightReport:
    """Propose for every book what has become necessary, and write it to the store, a transaction each.

    The books are worked on by `workers`; without them by `jobs` processes, or the Dask cluster at `scheduler`.
    Raises `Busy` where another night is under way on the store and does not end within `wait` seconds. `on_book` hears
    of every book when it is done. What was done stays done where it is interrupted, and is not done again.
    """
    with night_lock(store, wait=wait), _crew(workers, jobs, scheduler) as crew:
        began, told, done = datetime.now(UTC), list[Told](), False
        night = _begin(store, by, now, wanted, slots_of(crew), len(sources))
        try:
            for one in _books(store, sources, wanted, crew, by, now, on_book):
                told.append(one)
            done = True
        finally:
            told.sort(key=lambda one: one.answer.name)
            seconds = round((datetime.now(UTC) - began).total_seconds(), 3)
            report = NightReport(night, timestamp(began), seconds, tuple(told))
            _end(store, by, now, report, INTERRUPTED if not done else report.exit_code)
    return report


@contextmanager
def _crew(workers: Executor | None, jobs: int | None, scheduler: str | None) -> Iterator[Executor]:
    if workers is not None:
        yield workers
        return
    with executor(jobs, scheduler) as own:
        yield own


def _books(
    store: Store,
    sources: Sequence[Source],
    wanted: Wanted,
    workers: Executor,
    by: str | None,
    now: datetime | None,
    on_book: Callable[[Told], None] | None,
) -> Iterator[Told]:
    """Every book once; those that changed meanwhile again."""
    left = list(sources)
    for attempt in range(ATTEMPTS):
        again = []
        for task, found in _answers(store, left, wanted, workers):
            told = _recorded(store, task, found, by, now, last=attempt == ATTEMPTS - 1)
            if told is None:
                again.append(task.source)
                continue
            if on_book is not None:
                on_book(told)
            yield told
        left = again


def _answers(
    store: Store, sources: Sequence[Source], wanted: Wanted, workers: Executor
) -> Iterator[tuple[Task, Answer]]:
    """The answers as they come. The store is read for a book just before it is worked on."""
    tasks: dict[int, Task] = {}

    def each() -> Iterator[Task]:
        for index, source in enumerate(sources):
            with store.reading() as connection:
                known = known_of(connection, source.name)
            tasks[index] = Task(source, wanted, known)
            yield tasks[index]

    for index, found in run_all(workers, answer, each()):
        task = tasks.pop(index)
        yield task, failure(task, found) if isinstance(found, Exception) else found


def _recorded(
    store: Store, task: Task, found: Answer, by: str | None, now: datetime | None, *, last: bool
) -> Told | None:
    """What the store made of an answer; None where the book has to be worked on again."""
    try:
        told = record(store, task, found, by=by, now=now)
    except ChangedError:
        if not last:
            return None
        busy = Answer(
            found.name, found.day, "busy", 75, "somebody keeps changing it while it is worked on; try again later.",
            accounts=found.accounts, seconds=found.seconds,
        )  # fmt: skip
        told = Told(busy, "", new=False)
    except Interrupted:
        raise
    except RebalancerError as error:
        told = recorded_failure(store, task, found, error, by, now)
    return Told(without_results(told.answer), told.proposal_id, told.new)


def _begin(store: Store, by: str | None, now: datetime | None, wanted: Wanted, jobs: int, books: int) -> int:
    with store.writing(by, now) as work:
        row = {
            "day": (wanted.day or work.now.date()).isoformat(),
            "started_at": work.at,
            "ended_at": "",
            "holder": holder(),
            "version": version("rebalancer"),
            "outcomes": "{}",
            "jobs": jobs,
            "books": books,
            "exit_code": RUNNING,
            "seconds": 0.0,
        }
        query = nights.insert().values(row).returning(nights.c.night_id)
        return int(work.connection.execute(query).scalar_one())


def _end(store: Store, by: str | None, now: datetime | None, report: NightReport, code: int) -> None:
    with store.writing(by, now) as work:
        row = {
            "ended_at": work.at,
            "outcomes": json.dumps(report.outcomes, sort_keys=True),
            "exit_code": code,
            "seconds": report.seconds,
        }
        place = nights.c.night_id == sa.bindparam("of_night")
        work.connection.execute(nights.update().where(place).values(row), {"of_night": report.night_id})
