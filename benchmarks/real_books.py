"""The main job on the AdventureWorks books: every model and scope, as a table.

Usage: python benchmarks/real_books.py FOLDER [--time-limit 25]
FOLDER holds the book directories `book_2018q4` and `book_2020q1`.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import rebalancer as rb

BOOKS = ("book_2018q4", "book_2020q1")
MODELS = ("coverage_units", "segmented", "blended", "pods")
SCOPES = ("full", "repair")
TIME_LIMIT = 25.0


@dataclass
class Run:
    """One run: the proposal, what `verify` says of its run directory, and whole-path seconds from CSV to files."""

    book: str
    model: str
    scope: str
    proposal: rb.Proposal
    violations: list[rb.Violation]
    seconds: float


def runs(folder: Path, time_limit: float = TIME_LIMIT) -> Iterator[Run]:
    """The sixteen runs, one after the other."""
    for book in BOOKS:
        for model in MODELS:
            for scope in SCOPES:
                yield run(folder / book, model, scope, time_limit)


def run(book: Path, model: str, scope: str, time_limit: float = TIME_LIMIT) -> Run:
    """Read, propose, write and verify one book."""
    with tempfile.TemporaryDirectory() as place:
        started = time.perf_counter()
        proposal = rb.propose(rb.load_book(book), model, scope=scope, time_limit=time_limit)  # type: ignore[arg-type]
        proposal.write(f"{place}/run")
        seconds = time.perf_counter() - started
        return Run(book.name, model, scope, proposal, rb.verify_run(f"{place}/run"), seconds)


HEAD = "| book | model | scope | status | moves | CSM changes | ARR moved | dollars at risk | gap | overload | s |"


def row(run: Run) -> str:
    """One run as a line of a Markdown table."""
    record = run.proposal.record
    gap = "proven" if run.proposal.level("disruption")["proof"] else f"{100 * run.proposal.gap:.2f} %"  # type: ignore[index]
    overload = run.proposal.level("overload")["value"]  # type: ignore[index]
    cells = (
        run.book.removeprefix("book_"),
        run.model,
        run.scope,
        record["status"],
        f"{record['moves']['accounts']:,}",
        f"{record['moves']['csm_changes']:,}",
        f"${record['moves']['arr']:,}",
        f"${record['disruption']['revenue_at_risk']:,}",
        gap,
        f"{overload / 1e6:.2f}" if overload else "0",
        f"{run.seconds:.1f}",
    )
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("folder", type=Path)
    parser.add_argument("--time-limit", type=float, default=TIME_LIMIT)
    options = parser.parse_args()
    print(HEAD)
    print("|---|---|---|---|---:|---:|---:|---:|---:|---:|---:|")
    for done in runs(options.folder, options.time_limit):
        print(row(done), flush=True)
        for violation in done.violations:
            print(f"VIOLATION {violation.rule}: {violation.message}")
        if not done.proposal.legal:
            for sentence in done.proposal.record["shortages"][:2]:
                print(f"<!-- {sentence} -->")


if __name__ == "__main__":
    main()
