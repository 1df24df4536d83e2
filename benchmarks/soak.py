"""Soak: many nights on many books, driven as a scheduler would, against a model of what truly happened.

    python -m benchmarks.soak --folder DIR --nights 90 --books 50 --accounts 500

It can be ended at any time and goes on from the last whole night. Figures go to `results/soak.json` and `SOAK.md`.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import shutil
import sys
import time
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks.memory import tree
from benchmarks.soak_checks import BookTruth, Checks, live_proposals, triggers_told
from benchmarks.soak_planners import Day
from benchmarks.soak_world import START, BookWorld, day_of, new_book, step, write
from rebalancer.executors import executor
from rebalancer.nightly.answers import Wanted
from rebalancer.nightly.night import NightReport, nightly
from rebalancer.nightly.sources import find_books
from rebalancer.store import Store, audit, open_store
from rebalancer.store.connect import file_of
from rebalancer.store.tables import chain, metadata

PAGE = os.sysconf("SC_PAGE_SIZE")
STATE = "state.json"


@dataclass(frozen=True)
class Size:
    """What is simulated. `busy` is a factor on the chances that something happens to a book; `approver` the address of
    the store as planners open it, where that is another login. Without `jobs` a thread of this process does the work.
    """

    nights: int = 90
    books: int = 50
    accounts: int = 500
    seed: int = 0
    busy: float = 1.0
    jobs: int = 2
    store: str = ""
    approver: str = ""


@dataclass
class Soak:
    """A simulation in a folder: after every night all of its state is written there."""

    folder: Path
    size: Size
    worlds: list[BookWorld] = field(default_factory=list)
    truths: list[BookTruth] = field(default_factory=list)
    plans: dict[str, dict[str, Any]] = field(default_factory=dict)
    figures: list[dict[str, Any]] = field(default_factory=list)
    violations: list[dict[str, Any]] = field(default_factory=list)
    given_up: list[dict[str, Any]] = field(default_factory=list)
    seq: int = 0

    @property
    def night(self) -> int:
        """The next one."""
        return len(self.figures)

    @property
    def file(self) -> Path | None:
        """The file of an SQLite store."""
        return None if "://" in self.size.store else self.folder / "store.db"

    @property
    def address(self) -> str:
        return self.size.store if self.file is None else str(self.file)

    def begin(self) -> Soak:
        """Go on where it was; else make the books and an empty store."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if (self.folder / STATE).is_file():
            self._load(json.loads((self.folder / STATE).read_text(encoding="utf-8")))
            return self
        for left in (*self.folder.glob("store.db*"), self.folder / "books"):
            shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)
        size = self.size
        self.worlds = [new_book(size.seed, number, size.accounts, size.nights) for number in range(size.books)]
        self.truths = [BookTruth() for _ in self.worlds]
        return self

    def one_night(self) -> dict[str, Any]:
        """The world goes on by a day, the night runs, what it did is checked, planners work, all is written down."""
        night, now = (
            self.night,
            datetime(START.year, START.month, START.day, 2, tzinfo=UTC) + timedelta(days=self.night),
        )
        for world, truth in zip(self.worlds, self.truths, strict=True):
            step(world, self.size.seed, night, truth.owner, self.size.busy)
            write(world, night, self.folder / "books")
        store = open_store(self.address, create=night == 0)
        before = live_proposals(store)
        report, workers, seconds = self._run(store, now)
        after = live_proposals(store)
        checks = Checks(night, self.violations, self.given_up)
        self._check(checks, store, report, before, after)
        day = Day(
            self._as_planner(store), self.size.seed, night, now + timedelta(hours=10), self._by("planner"), self.plans
        )
        for world, truth in zip(self.worlds, self.truths, strict=True):
            day.book(world, truth, after.get(world.name))
        found = self._figures(store, report, checks, day.counts)
        found |= {"seconds": round(seconds, 3), "workers_rss": workers}
        self.figures.append(found)
        store.engine.dispose()
        self._save()
        return found

    def _run(self, store: Store, now: datetime) -> tuple[NightReport, int, float]:
        """The night as the command runs it; and the memory of its workers at the end of it."""
        started = time.perf_counter()
        sources = find_books(str(self.folder / "books"))
        wanted = Wanted(now=now, out=str(self.folder / "runs"))
        with workers_of(self.size.jobs) as workers:
            report = nightly(store, sources, wanted, workers, by=self._by("nightly"), now=now)
            memory = sum(resident(pid) for pid in tree(os.getpid())[1:])
        return report, memory, time.perf_counter() - started

    def _by(self, name: str) -> str | None:
        return None if self.file is None else name

    def _as_planner(self, store: Store) -> Store:
        return open_store(self.size.approver) if self.size.approver else store

    def _check(self, checks: Checks, store: Store, report: NightReport, before: Any, after: Any) -> None:
        told = {one.answer.name: one for one in report.books}
        events, self.seq = triggers_told(store, self.seq)
        codes = {one.answer.exit_code for one in report.books}
        for world, truth in zip(self.worlds, self.truths, strict=True):
            live = before.get(world.name), after.get(world.name)
            view = checks.book(world, truth, told.get(world.name), live)
            due = []
            if view is not None:
                day = day_of(checks.night)
                due = [(day, am, what) for am, what in truth.clocks.night(view.over(), day)]
                truth.view, truth.decided = view, []
            if sorted(events.get(world.name, [])) != sorted(due):
                checks.wrong("events", world.name, f"{sorted(events.get(world.name, []))}, not {sorted(due)}")
        checks.tables(store, self.worlds, self.truths)
        if report.exit_code != next((code for code in (1, 7, 3, 5, 8, 4, 75) if code in codes), 0):
            checks.wrong("exit_code", "", f"{report.exit_code} of {sorted(codes)}")

    def _figures(self, store: Store, report: NightReport, checks: Checks, planners: dict[str, int]) -> dict[str, Any]:
        runs = self.folder / "runs"
        run_bytes = sum(file.stat().st_size for file in runs.rglob("*") if file.is_file()) if runs.is_dir() else 0
        shutil.rmtree(runs, ignore_errors=True)
        size, rows = store_size(store)
        gc.collect()
        return {
            "night": self.night,
            "day": day_of(self.night),
            "exit_code": report.exit_code,
            "outcomes": report.outcomes,
            "new": sum(one.new and one.answer.status == "proposed" for one in report.books),
            "moves": sum(one.answer.moves for one in report.books if one.new and one.answer.status == "proposed"),
            "triggered": sum(one.answer.clocked.triggered for one in report.books if one.answer.clocked is not None),
            "planners": dict(sorted(planners.items())),
            "events": rows["events"],
            "proposals": rows["proposals"],
            "store_bytes": size,
            "run_bytes": run_bytes,
            "rss": resident(os.getpid()),
            "open_files": open_files(),
            "quiet": checks.quiet,
            "quiet_open": checks.quiet_open,
            "given_up": len(self.given_up),
            "violations": len(self.violations),
        }

    def _save(self) -> None:
        """The state and, of SQLite, a copy of the store as it is now: what is killed later begins from here."""
        state = {
            "size": vars(self.size),
            "worlds": [world.text() for world in self.worlds],
            "truths": [truth.text() for truth in self.truths],
            **{name: getattr(self, name) for name in ("plans", "figures", "violations", "given_up", "seq")},
            "head": _head(self.address),
        }
        if self.file is not None:
            shutil.copy2(self.file, self.folder / f"kept-{self.night}.db")
        place = self.folder / f"{STATE}.new"
        place.write_text(json.dumps(state), encoding="utf-8")
        place.replace(self.folder / STATE)
        for old in self.folder.glob("kept-*.db"):
            if old.name != f"kept-{self.night}.db":
                old.unlink()

    def _load(self, state: dict[str, Any]) -> None:
        fixed = ("books", "accounts", "seed", "busy")
        if any(state["size"][name] != getattr(self.size, name) for name in fixed):
            raise SystemExit(f"{self.folder} holds a simulation of another size: {state['size']}.")
        self.worlds = [BookWorld.of(text) for text in state["worlds"]]
        self.truths = [BookTruth.of(text) for text in state["truths"]]
        for name in ("plans", "figures", "violations", "given_up", "seq"):
            setattr(self, name, state[name])
        if self.file is not None:
            for left in self.folder.glob("store.db*"):
                left.unlink()
            shutil.copy2(self.folder / f"kept-{self.night}.db", self.file)
        elif _head(self.address) != state["head"]:
            raise SystemExit("the store went on after the last whole night; begin anew with another database.")


def workers_of(jobs: int) -> AbstractContextManager[Executor]:
    """So many processes; 0: a thread of this one."""
    return executor(jobs) if jobs else ThreadPoolExecutor(1)


def _head(address: str) -> int:
    store = open_store(address)
    with store.reading() as connection:
        return int(connection.execute(sa.select(chain.c.head_seq)).scalar_one())


def resident(pid: int) -> int:
    """Bytes of memory of a process, 0 where that is not known."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1]) * PAGE
    except (OSError, ValueError, IndexError):
        return 0


def open_files() -> int:
    """Files that this process has open, 0 where that is not known."""
    place = Path("/proc/self/fd")
    return len(list(place.iterdir())) if place.is_dir() else 0


def store_size(store: Store) -> tuple[int, dict[str, int]]:
    """Bytes of a store, its log taken in, and rows by table."""
    file = file_of(store.engine.url)
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if file is not None:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            size = file.stat().st_size
        else:
            size = int(connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one())
        count = {
            table.name: int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())
            for table in metadata.sorted_tables
        }
    return size, count


def finish(soak: Soak) -> dict[str, Any]:
    """The record: figures of every night, the audit, what is flat and what grows."""
    from benchmarks.soak_page import summary

    store = open_store(soak.address)
    checked = audit(store)
    for finding in checked.findings:
        soak.violations.append({"kind": "audit", "night": soak.night, "book": "", "detail": finding.message})
    _, rows = store_size(store)
    return summary(soak.figures, soak.violations, soak.given_up, vars(soak.size), rows, checked.events)


def main(arguments: list[str] | None = None) -> int:
    """Simulate, and write the record and the page."""
    options = _options(arguments)
    size = Size(**{name: getattr(options, name) for name in Size.__dataclass_fields__ if hasattr(options, name)})
    soak = Soak(options.folder, size).begin()
    ends = time.monotonic() + 60 * options.minutes
    while soak.night < size.nights and time.monotonic() < ends:
        found = soak.one_night()
        print(
            f"night {found['night']:>3}  {found['seconds']:6.1f} s  {found['outcomes']}  rss {found['rss'] >> 20} MB"
            f"  store {found['store_bytes'] >> 20} MB  violations {found['violations']}",
            file=sys.stderr,
            flush=True,
        )
    if soak.night < 3:
        return 0
    record = finish(soak)
    from benchmarks.soak_page import write_record

    write_record(options.out, "soak", record)
    print(
        json.dumps(
            {name: record[name] for name in ("nights", "violations_by_kind", "given_up_by_reason", "flat")}, indent=1
        )
    )
    return 1 if record["violations_by_kind"] else 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where the simulation lives")
    parser.add_argument("--nights", type=int, default=90)
    parser.add_argument("--books", type=int, default=50)
    parser.add_argument("--accounts", type=int, default=500, help="of each book")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--busy", type=float, default=1.0, help="factor on the chances that something happens")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--store", default="", help="postgresql:// address of an empty database; default: SQLite")
    parser.add_argument("--approver", default="", help="the same database as another login, who may approve")
    parser.add_argument("--minutes", type=float, default=1e9, help="begin no night after so many minutes")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="where results/ and SOAK.md go")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
