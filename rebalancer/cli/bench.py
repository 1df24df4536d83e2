"""`bench`: time, memory and gaps on seeded books, against peers, as a page of results."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import click

from rebalancer.cli.options import Duration, json_option
from rebalancer.cli.output import emit_json, note, say

GAP, RESULTS = "gap", "results"
"""Names beside the cases: the literature's instances, and only making the page anew."""


@click.command(short_help="Measure it on seeded books, against other methods.")
@click.argument("cases", nargs=-1, metavar="[CASE]...")
@click.option(
    "--time-limit",
    type=Duration(),
    default=None,
    metavar="DURATION",
    help="Time for the search and for every peer. Default: that of the case.",
)
@click.option("--peers/--no-peers", default=True, help="Run other methods on the same book as well. Default: they run.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("benchmarks"),
    show_default=True,
    metavar="DIR",
    help="Where results, page and plots go.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, metavar="N", help="Seed of the books.")
@click.option("--smoke", is_flag=True, help="Only a tiny case, a few seconds for each method.")
@json_option
def bench(
    cases: tuple[str, ...], time_limit: float | None, peers: bool, out: Path, seed: int, smoke: bool, as_json: bool
) -> int:
    """Measure time, memory and gap on seeded books, and compare with other methods on the same books.

    CASE is the name of a book such as regional-10k, `gap` for the literature's instances, `all` for every book, or
    `results` to make the page anew from what was measured. Default: the books of up to 2,000 accounts.
    """
    wanted = ("smoke",) if smoke else cases
    _refuse_unknown(wanted)
    suite, report = _part("suite"), _part("report")
    records = []
    for case in _books(wanted):
        record = suite.run_case(case, time_limit, seed, peers, note)
        suite.keep(record, out)
        records.append(record)
    if GAP in wanted:
        record = _part("gap").run(_literature(), time_limit, seed, note)
        suite.keep(record, out)
        records.append(record)
    page = report.write_page(out)
    if as_json:
        emit_json({"page": str(page), "records": records})
    else:
        say("\n".join([*report.summary(records), f"Written to {page}"]))
    return 1 if any(record.get("contradictions") for record in records) else 0


def _part(name: str) -> ModuleType:
    """A module of the benchmarks, which lie beside the package in a checkout and inside it where installed."""
    from rebalancer.shipped import shipped

    place = str(shipped("benchmarks").parent)
    if place not in sys.path:
        sys.path.insert(0, place)
    return import_module(f"benchmarks.{name}")


def _refuse_unknown(wanted: tuple[str, ...]) -> None:
    from rebalancer.errors import UsageError, did_you_mean

    known = [*_part("cases").CASES, GAP, RESULTS, "all"]
    for name in wanted:
        if name not in known:
            near = did_you_mean(name, known)
            raise UsageError(f'there is no benchmark "{name}"; there are {", ".join(known)}. {near}'.strip())


def _books(wanted: tuple[str, ...]) -> list[Any]:
    names = tuple(name for name in wanted if name not in (GAP, RESULTS))
    return [] if wanted and not names else list(_part("cases").named(names))


def _literature() -> Path:
    from rebalancer.errors import UsageError

    gap = _part("gap")
    folder: Path = gap.folder_of()
    if not (folder / gap.BEST_KNOWN).is_file():
        raise UsageError(
            "the generalized assignment instances are not here. Set REBALANCER_SHARED to the folder that holds them in "
            "a folder gap, with best_known.csv."
        )
    return folder
