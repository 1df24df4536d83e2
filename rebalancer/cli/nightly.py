"""`nightly`: every book under a root, every night: what has become necessary, proposed once."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from rebalancer.cli.options import Duration, json_option, model_option
from rebalancer.cli.output import counted, emit_json_line, say
from rebalancer.cli.stores import moment, opened, store_option
from rebalancer.errors import Interrupted, printable

if TYPE_CHECKING:
    from rebalancer.nightly.night import NightReport
    from rebalancer.nightly.recording import Told
    from rebalancer.store import Store

SIGTERM_CODE = 143
NAME_WIDTH, MESSAGE_WIDTH = 28, 400


@click.command(short_help="Propose what every book under ROOT needs.")
@click.argument("root", metavar="ROOT")
@store_option
@click.option("--only", multiple=True, metavar="BOOK", help="Only this book, by its name. Repeatable.")
@click.option("--jobs", type=click.IntRange(1), default=None, help="Books at the same time. Default: one a core.")
@click.option("--scheduler", metavar="ADDRESS", default=None,
              help="A Dask scheduler, tcp://host:8786, whose workers take the books.")  # fmt: skip
@model_option
@click.option("--measure", type=click.Choice(["revenue_at_risk", "accounts", "units"]), default=None,
              help="What disruption is. Default: the model's, revenue_at_risk.")  # fmt: skip
@click.option("--time-limit", type=Duration(), default="60s", show_default=True, help="Time to search, per book.")
@click.option("--gap", type=click.FloatRange(0, 1, max_open=True), default=0.0, show_default=True,
              help="Stop once the disruption is proven within this share of the least; 0: until proven.")  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the search.")
@click.option("--effective-date", default=None, metavar="DATE",
              help="Day the plans are made for. Default: that of each book.toml, else today.")  # fmt: skip
@click.option("--out", metavar="DIR", default="runs", show_default=True,
              help="Where run directories go: DIR/BOOK/RUN. A folder, or a URL such as s3://bucket/runs.")  # fmt: skip
@click.option("--by", metavar="NAME", default=None,
              help="Who proposes, where the store does not know it. Default: the user of the system.")  # fmt: skip
@click.option("--wait", type=Duration(), default=None, help="Wait so long for another night on this store to end.")
@click.option("--escalations", metavar="FILE", default=None, help="Write books that are due or overdue to this CSV.")
@click.option("--metrics", metavar="FILE", default=None, help="Write a text file of Prometheus.")
@click.option("--log", "log_to", metavar="FILE", default=None, help="Add to a log of JSON lines.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 10 where something is newly proposed.")
@json_option
def nightly(
    root: str,
    store: str,
    only: tuple[str, ...],
    jobs: int | None,
    scheduler: str | None,
    by: str | None,
    wait: float | None,
    escalations: str | None,
    metrics: str | None,
    log_to: str | None,
    detailed_exitcode: bool,
    as_json: bool,
    effective_date: str | None,
    **options: Any,
) -> int:
    """Propose for every book under ROOT what has become necessary since the last night, and keep it in the store.

    ROOT is a folder of books, a TOML file with queries, or the URL of a folder. Nothing that is open is proposed
    again, a book that is wrong stops no other, and the same night again adds nothing. The exit code is that of the
    worst book; 75 where another night is under way.
    """
    from rebalancer.nightly.answers import Wanted
    from rebalancer.nightly.night import nightly as run_night
    from rebalancer.nightly.sources import find_books
    from rebalancer.reading.settings import to_day

    now = moment()
    day = None if effective_date is None else to_day(effective_date)
    wanted = Wanted(now=now or datetime.now(UTC), day=day, **options)
    with _terminated(), _logged(log_to) as told:
        sources = find_books(root, only=only)
        kept = _store(store)
        told("night_started", books=len(sources), root=root)
        report = run_night(
            kept,
            sources,
            wanted,
            jobs=jobs,
            scheduler=scheduler,
            by=by,
            now=now,
            wait=wait or 0.0,
            on_book=_teller(as_json, told),
        )
        told("night_ended", exit_code=report.exit_code, seconds=report.seconds, **report.outcomes)
    _write_files(kept, escalations, metrics, now)
    _print_end(report, as_json)
    new = any(book.new and book.answer.status == "proposed" for book in report.books)
    return report.exit_code or (10 if detailed_exitcode and new else 0)


def _store(address: str) -> Store:
    """The store; a file that is not there, or that another night is just making, is made. One of an older version is
    not upgraded unattended.
    """
    from rebalancer.store.connect import engine_of, file_of, url_of
    from rebalancer.store.schema import revision_of

    url = url_of(address)
    file = file_of(url)
    return opened(address, create=file is not None and (not file.exists() or revision_of(engine_of(url)) is None))


@contextmanager
def _terminated() -> Iterator[None]:
    """SIGTERM ends the night as Ctrl-C does: what is written stays, what is under way is dropped."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def arrived(_number: int, _frame: object) -> None:
        error = Interrupted("the night was ended; what was done is kept, and the next one goes on from there.")
        error.exit_code = SIGTERM_CODE
        raise error

    before = signal.signal(signal.SIGTERM, arrived)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


Tell = Callable[..., None]


@contextmanager
def _logged(target: str | None) -> Iterator[Tell]:
    """What writes a line to the log, where one is wanted."""
    if target is None:
        yield lambda *_args, **_fields: None
        return
    from rebalancer.nightly.log import configure, event, release

    log = configure(target)

    def tell(name: str, **fields: Any) -> None:
        event(log, name, **fields)

    try:
        yield tell
    except BaseException as error:
        event(log, "night_failed", severity=40, error=f"{type(error).__name__}: {error}")
        raise
    finally:
        release()


def _teller(as_json: bool, log: Tell) -> Callable[[Told], None]:
    """What is said of each book as it is done."""

    def tell(told: Told) -> None:
        row = record_of(told)
        log("book_done", **row)
        if as_json:
            emit_json_line(row)
        else:
            say(_line(told))
        sys.stdout.flush()

    return tell


KEPT_BACK = ("plan", "observed", "tiers", "clocked", "inputs", "repeated", "name")


def record_of(told: Told) -> dict[str, Any]:
    """What is told of a book, by name."""
    found = told.answer
    clocked = found.clocked
    shown = {name: getattr(found, name) for name in found.__dataclass_fields__ if name not in KEPT_BACK}
    triggers = {
        "triggered": None if clocked is None else clocked.triggered,
        "overdue": None if clocked is None else clocked.overdue,
    }
    return {"book": found.name, **shown, "proposal_id": told.proposal_id, "new": told.new, **triggers}


def _line(told: Told) -> str:
    found = told.answer
    what = _what(told)
    name = printable(found.name)
    return f"{name:<{NAME_WIDTH}} {found.status.replace('_', ' '):<13} {what}".rstrip()


def _what(told: Told) -> str:
    found = told.answer
    message = " ".join(found.message.split())[:MESSAGE_WIDTH]
    if found.status in ("proposed", "kept"):
        again = "" if told.new else " (as before)"
        text = f"{told.proposal_id}, {counted(found.moves, 'move')}{again}"
        return f"{text}: {message}" if message else text
    return message if told.new else f"{message} (as before)".strip()


def _write_files(store: Store, escalations: str | None, metrics: str | None, now: datetime | None) -> None:
    if escalations is not None:
        from rebalancer.nightly.escalations import write_escalations

        write_escalations(store, escalations, now)
    if metrics is not None:
        from rebalancer.nightly.textfile import write_metrics

        write_metrics(store, metrics, now)


def _print_end(report: NightReport, as_json: bool) -> None:
    if as_json:
        emit_json_line(
            {
                "night_id": report.night_id,
                "started_at": report.started_at,
                "seconds": report.seconds,
                "books": len(report.books),
                "outcomes": report.outcomes,
                "exit_code": report.exit_code,
            }
        )
        return
    told = ", ".join(f"{number:,} {status.replace('_', ' ')}" for status, number in report.outcomes.items())
    say(f"{counted(len(report.books), 'book')} in {report.seconds:,.1f} s: {told}.")
    clocked = [book.answer.clocked for book in report.books if book.answer.clocked is not None]
    triggered, overdue = sum(one.triggered for one in clocked), sum(one.overdue for one in clocked)
    if triggered:
        say(f"{counted(triggered, 'AM')} above a trigger, {overdue:,} of them overdue.")
    if any(book.answer.status in ("proposed", "kept") for book in report.books):
        say("Next: rebalancer proposals list --live   rebalancer status")
