"""`propose`: the main job."""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rebalancer.cli.options import (
    Duration,
    book_argument,
    date_option,
    json_option,
    model_option,
    read_book,
    reading_options,
    scheduler_option,
)
from rebalancer.cli.output import console, counted, dollars, emit_json, note, percent, say, table
from rebalancer.errors import Interrupted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rebalancer.engine import Progress, Stop
    from rebalancer.proposal import Proposal

SHOWN_MOVES = 12
SHOWN_BOOKS = 60
RUNS = Path("runs")
CODES: dict[int, int] = {signal.SIGINT: 130, signal.SIGTERM: 143}


@click.command(short_help="Propose the least disruptive legal reassignment of BOOK.")
@book_argument
@model_option
@click.option("--scope", type=click.Choice(["full", "repair"]), default="full", show_default=True,
              help="full: every book ends within its limits. repair: cure only what is triggered.")  # fmt: skip
@click.option("--measure", type=click.Choice(["revenue_at_risk", "accounts", "units"]), default=None,
              help="What disruption is. Default: the model's, revenue_at_risk.")  # fmt: skip
@click.option("--relieve", multiple=True, metavar="AM",
              help="Let this book end at the model's relief, 85 % of capacity, or below. Repeatable.")  # fmt: skip
@click.option("--time-limit", type=Duration(), default="60s", show_default=True, help="Time to search.")
@click.option("--gap", type=click.FloatRange(0, 1, max_open=True), default=0.0, show_default=True,
              help="Stop once the disruption is proven within this share of the least; 0: until proven.")  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the search.")
@click.option("--workers", type=click.IntRange(1), default=None, help="Processor cores to use. Default: all.")
@click.option("--reproducible", is_flag=True, help="Equal input gives equal bytes, on any load.")
@scheduler_option
@date_option
@reading_options
@click.option(
    "--out", type=click.Path(), default=None, metavar="RUN", help="Run directory to write. Default: runs/<run id>."
)
@click.option("--strict-gap", is_flag=True, help="Exit with 6 where the gap ends above --gap.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 10 where there are moves.")
@json_option
def propose(
    book: str,
    model: str | None,
    out: str | None,
    strict_gap: bool,
    detailed_exitcode: bool,
    as_json: bool,
    reading: dict[str, Any],
    scheduler: str | None,
    **options: Any,
) -> int:
    """Propose the least disruptive legal reassignment of BOOK, check it without the solver, and write it.

    Where no plan keeps every limit, the plan with the least overload is written, marked, and the exit code is 4.
    Ctrl-C stops the search and writes the best legal plan so far.
    """
    from rebalancer.engine import Stop, warm_up
    from rebalancer.executors import executor_if

    with Signals(Stop()) as signals:
        if scheduler is None:
            warm_up()
        loaded = read_book(book, reading)
        with executor_if(scheduler=scheduler) as workers:
            options["executor"] = workers
            return run_proposal(loaded, model, out, as_json, strict_gap, detailed_exitcode, options, signals)


def run_proposal(
    book: Any,
    model: str | None,
    out: str | None,
    as_json: bool,
    strict: bool,
    detailed: bool,
    options: dict[str, Any],
    signals: Signals,
) -> int:
    """Propose, write, print; the exit code of the contract."""
    from rebalancer.plan import propose as propose_plan
    from rebalancer.run_directory import refuse_foreign, write_run
    from rebalancer.surfaces.workbook import moves_workbook

    if out is not None:
        refuse_foreign(Path(out))  # before the search, not after it
    with _progress() as on_progress:
        proposal = propose_plan(book, model, stop=signals.stop, on_progress=on_progress, **options)
    extra, cut = moves_workbook(proposal)
    place = write_run(proposal, out or RUNS / proposal.run_id, extra)
    signals.stop.searching = False  # the run is written: Ctrl-C need not wait any more
    if as_json:
        emit_json({**proposal.record, "run_directory": str(place)})
    else:
        for warning in cut:
            note(f"warning: {warning}")
        print_proposal(proposal, place)
    return signals.code or exit_code(proposal, options["gap"], strict, detailed)


def exit_code(proposal: Proposal, gap: float, strict: bool, detailed: bool) -> int:
    """The exit code of a written proposal."""
    if proposal.record["stopped"] == "interrupt":
        return 130
    if not proposal.legal:
        return 4
    if strict and (proposal.gap is None or proposal.gap > gap):
        return 6
    return 10 if detailed and proposal.status != "no_change" else 0


class Signals:
    """Ctrl-C and SIGTERM of a command that proposes. `code` is the exit code of the first one.

    Before the search they end the command at once. From then on until the run is written the first one only asks the
    search to stop, so that its best plan is written; a second Ctrl-C quits.
    """

    def __init__(self, stop: Stop) -> None:
        self.stop = stop
        self.code: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._arrived) for number in CODES}
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if isinstance(error, Interrupted):
            error.exit_code = self.code or error.exit_code

    def _arrived(self, number: int, _frame: object) -> None:
        first = self.code is None
        self.code = self.code or CODES[number]
        if first and self.stop.searching:
            self.stop.request()
        elif number == signal.SIGINT:
            raise KeyboardInterrupt("interrupted.")
        elif not self.stop.searching:
            raise Interrupted("stopped before there was a plan.")


@contextmanager
def _progress() -> Iterator[Callable[[Progress], None] | None]:
    """A live line on stderr where that is a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.live import Live

    with Live("searching", console=Console(stderr=True), transient=True, refresh_per_second=5) as live:
        yield lambda state: live.update(progress_line(state))


def progress_line(state: Progress) -> str:
    """Best value, bound, gap, moves and parts of a running search in one line."""
    best = "no plan yet" if state.best is None else f"best {state.best:,}"
    bound = "" if state.bound is None else f", bound {state.bound:,}"
    gap = ""
    if state.best is not None and state.bound is not None:
        gap = f", gap {100 * max(0, state.best - state.bound) / max(1, state.best):.2f} %"
    parts = f", {state.done} of {state.components} parts done" if state.components > 1 else ""
    return f"{best}{bound}{gap}, {state.moves:,} moves{parts}, {state.seconds:.0f} s"


def print_proposal(proposal: Proposal, place: Path) -> None:
    """What happens, to which books, the costliest moves, and where it is."""
    for warning in proposal.warnings:
        note(f"warning: {warning}")
    for line in proposal.headline():
        say(line)
    if proposal.record["stopped"] == "interrupt":
        say("The search was interrupted; this is the best plan it had.")
    _print_books(proposal)
    _print_moves(proposal)
    kept = proposal.record["continuity"]
    if kept["share"] is not None:
        say(f"{percent_exact(kept['share'])} of the accounts whose owner stays keep that owner.")
    seconds = sum(proposal.timings.values())
    say(f"Written to {place} in {seconds:.1f} s, checked without the solver.")
    if not proposal.moves.empty:
        account = proposal.moves["account_id"].iat[0]
        say(f"Next: rebalancer explain {place} --account {account}   rebalancer verify {place}")


def percent_exact(share: float) -> str:
    """A share with one decimal, never rounded up to 100 %."""
    return f"{100 * share:.1f} %" if share == 1 or share < 0.9995 else "99.9 %"


def _print_books(proposal: Proposal) -> None:
    books = proposal.books
    changed = books[(books["lost"] > 0) | (books["gained"] > 0)]
    if changed.empty:
        return
    busiest = (changed["lost"] + changed["gained"]).sort_values(ascending=False, kind="stable").index[:SHOWN_BOOKS]
    rows = [
        (
            row["am_id"],
            f"{row['units_before']:,.1f}",
            f"{row['units_after']:,.1f}",
            f"{row['capacity']:,.0f}",
            f"{percent(row['utilization_before'])} {row['band_before']}",
            f"{percent(row['utilization_after'])} {row['band_after']}",
            f"{row['accounts_before']:,}",
            f"{row['accounts_after']:,}",
            f"-{row['lost']}" if row["lost"] else "",
            f"+{row['gained']}" if row["gained"] else "",
        )
        for row in changed.loc[busiest.sort_values()].to_dict("records")
    ]
    columns = ["AM", ">units", ">after", ">capacity", ">used", ">after", ">accounts", ">after", ">lost", ">gained"]
    what = f"{len(changed):,} of {counted(len(books), 'book')} change{'s' * (len(changed) == 1)}"
    console().print(
        table(
            what if len(rows) == len(changed) else f"{what}; the {len(rows)} with the most moves",
            columns,
            rows,
            bands={4: "", 5: ""},
        )
    )


def _print_moves(proposal: Proposal) -> None:
    moves = proposal.moves
    if moves.empty:
        return
    accounts = proposal.book.accounts
    names = dict(zip(accounts["account_id"], accounts["name"], strict=True))
    rows = [
        (
            row["account_id"],
            names[row["account_id"]],
            row["from_am"] or "-",
            row["to_am"],
            row["tier"],
            dollars(row["arr"]),
            dollars(row["disruption"]),
            row["reason"],
        )
        for row in moves.head(SHOWN_MOVES).to_dict("records")
    ]
    columns = ["account", "name", "from", "to", "tier", ">ARR", ">at risk", "why"]
    more = len(moves) - len(rows)
    title = f"The {len(rows)} most costly of {len(moves):,} moves" if more > 0 else counted(len(moves), "move")
    console().print(table(title, columns, rows))
