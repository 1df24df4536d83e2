"""`status`: how the last night went, what waits for a decision, and whose time runs out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from rebalancer.cli.options import Duration, json_option
from rebalancer.cli.output import console, counted, dollars, emit_json, note, say, shortened, table
from rebalancer.cli.stores import moment, opened, store_option

if TYPE_CHECKING:
    from rebalancer.nightly.status import Limits, Status
    from rebalancer.store.waiting import Deadline, Waiting
    from rebalancer.store.watching import Night

SHOWN = 20
"""Lines of a table on the screen; --json has all."""

HOUR, DAY = 3600.0, 86400.0

file_type = click.Path(dir_okay=False)


@click.command(short_help="Say how the last night went and what waits for people.")
@store_option
@click.option("--days", type=click.IntRange(1, 10_000), default=None, metavar="N",
              help="Days that a triggered book may take: `triggers.days`. Default: that of its model.")  # fmt: skip
@click.option("--within", "within_days", type=click.IntRange(0, 10_000), default=None, metavar="N",
              help="Show books that are due within N days. Default: 14.")  # fmt: skip
@click.option("--zone", default=None, metavar="NAME",
              help="Time zone in which days are counted: `triggers.zone`. Default: that of each model.")  # fmt: skip
@click.option("--behind", "behind_days", type=click.IntRange(1, 10_000), default=None, metavar="N",
              help="Name books that had no answer in the last N days. Default: 2.")  # fmt: skip
@click.option("--check", is_flag=True, help="Exit with 1 where the last night failed, did not end or is too old.")
@click.option("--max-age", type=Duration(), default=None, metavar="TIME",
              help="A night has to have ended within this time. Default: 36h.")  # fmt: skip
@click.option("--stalled", type=Duration(), default=None, metavar="TIME",
              help="A night that finished no book for so long did not end. Default: 1h.")  # fmt: skip
@click.option("--escalations", type=file_type, default=None, metavar="FILE",
              help="Also write the books that are triggered as CSV, for whoever is told.")  # fmt: skip
@click.option("--metrics", type=file_type, default=None, metavar="FILE",
              help="Also write the figures as a text file of Prometheus.")  # fmt: skip
@json_option
def status(
    store: str,
    check: bool,
    escalations: str | None,
    metrics: str | None,
    as_json: bool,
    zone: str | None,
    **numbers: Any,
) -> int:
    """Say how the last night went, what went wrong, what waits for a decision, and which books are due.

    It only reads the store. Exits with 0 whatever it reports; with --check with 1 where a monitor should ring.
    """
    from rebalancer.nightly.status import status_of

    found, limits = opened(store), _limits(zone, numbers)
    report = status_of(found, moment(), limits)
    if as_json:
        emit_json(_record(report))
    else:
        _print(report)
    _write(found, report, escalations, metrics)
    for problem in report.problems if check else ():
        note(f"check: {problem}")
    return 1 if check and report.problems else 0


def _limits(zone: str | None, given: dict[str, Any]) -> Limits:
    """The numbers that were given, and the defaults of the others."""
    from rebalancer.coverage.triggers import known_zone
    from rebalancer.nightly.status import Limits

    try:
        known_zone(zone or "UTC")
    except ValueError as error:
        raise click.UsageError(f"--zone: {error}.") from None
    times = ("max_age", "stalled")
    numbers: dict[str, Any] = {
        name: timedelta(seconds=value) if name in times else value for name, value in given.items() if value is not None
    }
    return Limits(zone=zone, **numbers)


def _write(store: Any, report: Status, escalations: str | None, metrics: str | None) -> None:
    limits: Limits = report.limits
    if escalations is not None:
        from rebalancer.nightly.escalations import write_escalations

        count = write_escalations(store, escalations, report.at, days=limits.days, zone=limits.zone)
        note(f"{counted(count, 'book')} written to {escalations}.")
    if metrics is not None:
        from rebalancer.nightly.textfile import write_metrics

        write_metrics(store, metrics, report.at, limits)
        note(f"Figures written to {metrics}.")


def _record(report: Status) -> dict[str, Any]:
    from rebalancer.store.store import timestamp

    night = report.night
    return {
        "at": timestamp(report.at),
        "ok": not report.problems,
        "problems": report.problems,
        "night": None if night is None else asdict(night),
        "nights": [asdict(one) for one in report.nights],
        "outcomes": report.outcomes,
        "books": [asdict(book) for book in report.books],
        "behind": [asdict(book) for book in report.behind],
        "proposals": [asdict(one) for one in report.proposals],
        "deadlines": [{**asdict(line), "reasons": list(line.reasons)} for line in report.deadlines],
        "overdue": len(report.overdue),
        "due_soon": len(report.due_soon),
    }


def _print(report: Status) -> None:
    if report.night is None:
        say("No night has run in this store. `rebalancer nightly ROOT --store URL` runs one.")
    else:
        for line in _night_words(report, report.night):
            say(line)
    _print_books(report)
    _print_proposals(report)
    _print_deadlines(report)


def _night_words(report: Status, night: Night) -> list[str]:
    done = f"{night.done:,} of {counted(night.books, 'book')}"
    done += f", {night.before:,} more were finished before" if night.before else ""
    took = _length(night.seconds)
    if night.state == "ended":
        first = f"Night of {night.day}: ended {_clock(night.ended_at)} after {took}, code {night.exit_code}; {done}."
    elif night.state == "running":
        first = f"Night of {night.day}: running ({night.holder}); {done}."
    else:
        first = f"Night of {night.day}: DID NOT END ({night.holder}), last heard of {took} after it began;\n"
        first += f"{done}. Run it again: it goes on where it stopped."
    counts = ", ".join(f"{count:,} {name}" for name, count in report.outcomes.items())
    before = [one for one in report.nights[1:] if one.state != "ended" or one.failed]
    lines = [first, f"Books: {counts}." if counts else "No book was finished."]
    if before:
        named = ", ".join(f"{one.day} ({_fate(one)})" for one in before[:5])
        lines.append(f"Of the {len(report.nights) - 1} before it, {len(before)} went wrong: {named}.")
    return lines


def _fate(night: Night) -> str:
    return f"code {night.exit_code}" if night.state == "ended" else "did not end"


def _print_books(report: Status) -> None:
    for title, books in (("got no answer", report.failed), ("with an answer to look at", report.to_look_at)):
        rows = [(book.book, book.status, str(book.exit_code), book.message) for book in books]
        _table(f"{counted(len(rows), 'book')} {title}", ["book", "status", ">code", "message"], rows)
    _print_behind(report)


def _print_behind(report: Status) -> None:
    rows = [(one.book, one.last_good or "never", one.last_tried, one.status) for one in report.behind]
    title = f"{counted(len(rows), 'book')} without an answer in the last {counted(report.limits.behind_days, 'day')}"
    _table(title, ["book", "last answer", "last tried", "then"], rows)


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    if rows:
        more = f" (the first {SHOWN}; --json has all)" if len(rows) > SHOWN else ""
        say()
        console().print(table(title + more, columns, rows[:SHOWN]))


def _print_proposals(report: Status) -> None:
    if not report.proposals:
        say("\nNo proposal waits for anybody.")
        return
    columns = ["proposal", "book", "state", ">moves", ">undecided", ">ARR", ">waits", "approval ends"]
    rows = [_waiting(one) for one in report.proposals]
    _table(f"{counted(len(rows), 'proposal')} to decide or to apply", columns, rows)


def _waiting(one: Waiting) -> tuple[str, ...]:
    state = f"{one.state} (undo)" if one.undoes else one.state
    end = _clock(one.approval_ends) + (" soon" if one.ends_soon else "") if one.approval_ends else ""
    age = f"{one.age_seconds / DAY:.0f} d" if one.age_seconds >= DAY else _length(one.age_seconds)
    return one.proposal_id, one.book, state, f"{one.moves:,}", f"{one.undecided:,}", dollars(one.arr), age, end


def _print_deadlines(report: Status) -> None:
    shown = [*report.overdue, *report.due_soon]
    later = len(report.deadlines) - len(shown)
    rest = f"; {later:,} more triggered, due later" if later else ""
    if not shown:
        say(f"\nNo AM is overdue or due within {counted(report.limits.within_days, 'day')}{rest}.")
        return
    columns = ["AM", "name", "book", "reasons", "red since", "due", ">days left", "proposal"]
    soon = f"{len(report.due_soon):,} due within {counted(report.limits.within_days, 'day')}"
    title = f"{counted(len(report.overdue), 'AM')} overdue, {soon}{rest}"
    _table(title, columns, [_deadline(line) for line in shown])


def _deadline(line: Deadline) -> tuple[str, ...]:
    left = f"overdue {-line.days_left}" if line.overdue else str(line.days_left)
    cure = f"{line.proposal_id[:8]} {line.proposal_state}" if line.proposal_id else "none"
    reasons = ", ".join(line.reasons)
    return line.am_id, shortened(line.name), line.book, reasons, str(line.first_red), str(line.due), left, cure


def _length(seconds: float) -> str:
    """A time as people say it: `40 s`, `12 min`, `3.5 h`."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 2 * HOUR else f"{seconds / HOUR:.1f} h"


def _clock(at: str) -> str:
    return f"{at[:10]} {at[11:16]} UTC"
