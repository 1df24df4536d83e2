"""Nights: one night over many books of 1,000 accounts, its time, memory and store, and how they grow.

    python -m benchmarks.nights --folder DIR --books 25 50 100 200

A third of the AMs of every book are above their trigger, and every book is seen for the first time, so that a plan is
made for each. Figures go to `results/nights.json` and `SOAK.md`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import books
from benchmarks.machine import machine
from benchmarks.memory import PeakMemory, tree
from benchmarks.soak import store_size, workers_of
from benchmarks.soak_page import MB, write_record
from rebalancer.nightly.answers import Wanted
from rebalancer.nightly.night import NightReport, nightly
from rebalancer.nightly.sources import find_books
from rebalancer.store import audit, open_store

NOW = datetime(2026, 10, 1, 2, tzinfo=UTC)
ACCOUNTS, AMS = 1_000, 40
SHAPE = books.Shape(used=0.95)
"""Enough room that every book has a legal plan."""


def make_books(root: Path, count: int, accounts: int = ACCOUNTS, ams: int = AMS) -> None:
    """So many books below a folder, a seed each, without the day on which they were made."""
    for number in range(count):
        folder = root / f"book-{number:03}"
        if not folder.is_dir():
            folder.mkdir(parents=True)
            for name, frame in books.frames(accounts, ams, number, SHAPE).items():
                frame.to_csv(folder / f"{name}.csv", index=False)
            (folder / "book.toml").write_text(f'model = "{books.MODEL}"\n', encoding="utf-8")


def one_night(root: Path, folder: Path, count: int, jobs: int) -> dict[str, Any]:
    """The figures of a night on the first so many books, with a fresh store. Raises where a book has no answer."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    store = open_store(str(folder / "store.db"), create=True)
    started, cpu = time.perf_counter(), cpu_seconds()
    with PeakMemory(os.getpid()) as memory:
        sources = find_books(str(root))[:count]
        with workers_of(jobs) as workers:
            report = nightly(store, sources, Wanted(now=NOW, out=str(folder / "runs")), workers, by="nightly", now=NOW)
            used = cpu_seconds() - cpu
    seconds = time.perf_counter() - started
    _refuse_unanswered(report, count)
    if not audit(store).ok:
        raise AssertionError("the audit of the store found something")
    size, rows = store_size(store)
    run_bytes = sum(file.stat().st_size for file in (folder / "runs").rglob("*") if file.is_file())
    shutil.rmtree(folder)
    return {
        "books": count,
        "seconds": round(seconds, 1),
        "cpu_seconds": round(used, 1),
        "peak_bytes": memory.peak or 0,
        "store_bytes": size,
        "run_bytes": run_bytes,
        "outcomes": report.outcomes,
        "exit_code": report.exit_code,
        "triggered": sum(one.answer.clocked.triggered for one in report.books if one.answer.clocked is not None),
        "moves": sum(one.answer.moves for one in report.books),
        "slowest_book": max(one.answer.seconds for one in report.books),
        "rows": rows,
    }


def _refuse_unanswered(report: NightReport, count: int) -> None:
    wrong = [one.answer for one in report.books if one.answer.exit_code]
    if report.exit_code or wrong or len(report.books) != count:
        told = "; ".join(f"{one.name}: {one.status}: {one.message}" for one in wrong[:5])
        raise AssertionError(f"exit code {report.exit_code}, {len(report.books)} of {count} books answered. {told}")


def cpu_seconds() -> float:
    """Seconds of processor time of this process and of all it started, 0 without /proc."""
    return sum(_ticks(pid) for pid in tree(os.getpid())) / os.sysconf("SC_CLK_TCK")


def _ticks(pid: int) -> int:
    """Of a process, and of those that it has seen end."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(int(field) for field in fields[11:15])


def main(arguments: list[str] | None = None) -> int:
    """Run nights of every size, and write the record and the page."""
    options = _options(arguments)
    root = options.folder / "books"
    make_books(root, max(options.books), options.accounts, options.ams)
    sizes = []
    for count in sorted(options.books):
        found = one_night(root, options.folder / "night", count, options.jobs)
        sizes.append(found)
        record = {
            "schema_version": 1,
            "accounts": options.accounts,
            "ams": options.ams,
            "jobs": options.jobs,
            "machine": machine(),
            "sizes": sizes,
        }
        write_record(options.out, "nights", record)
        print(
            f"{count:>4} books  {found['seconds']:7.1f} s  CPU {found['cpu_seconds']:7.1f} s  "
            f"peak {found['peak_bytes'] / MB:,.0f} MB  store {found['store_bytes'] / MB:,.1f} MB  {found['outcomes']}",
            file=sys.stderr,
            flush=True,
        )
    return 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.nights", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where books, store and run directories go")
    parser.add_argument("--books", type=int, nargs="+", default=[25, 50, 100, 200])
    parser.add_argument("--accounts", type=int, default=ACCOUNTS, help="of each book")
    parser.add_argument("--ams", type=int, default=AMS, help="of each book")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="where results/ and SOAK.md go")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
