"""`triggers`: which books have to be rebalanced, why, since when, and how many days are left."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rebalancer.cli.options import book_argument, date_option, json_option, model_option, reading_options
from rebalancer.cli.output import console, counted, emit_json, note, say, shortened, table

if TYPE_CHECKING:
    from rebalancer.insight.triggers import TriggerReport

SHOWN_CLEARED = 20


@click.command(short_help="Say which books must be rebalanced, and by when.")
@book_argument
@model_option
@date_option
@click.option("--state", "state_file", type=click.Path(dir_okay=False), default=None, metavar="FILE",
              help="Where the clocks are kept between runs. Default: BOOK.triggers.json, beside BOOK.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Do not write the state.")
@click.option("--csv", "csv_file", type=click.Path(dir_okay=False), default=None, metavar="FILE",
              help="Also write the triggers as CSV.")  # fmt: skip
@reading_options
@json_option
def triggers(
    book: str,
    model: str | None,
    effective_date: str | None,
    state_file: str | None,
    dry_run: bool,
    csv_file: str | None,
    as_json: bool,
    reading: dict[str, Any],
) -> None:
    """Say which books of BOOK are triggered, why, since when, and how many of the 60 days are left.

    Each run keeps in a state file since when each book has been triggered, so run it every night, or at least every
    week. A second run on the same day changes nothing; a run for an earlier day records nothing.
    """
    from rebalancer.cli.books import snapshot_of
    from rebalancer.cli.frames import write_csv
    from rebalancer.insight.trigger_state import TriggerFile
    from rebalancer.insight.triggers import trigger_report

    file = TriggerFile(state_file or default_state(book))
    before = file.load()
    report = trigger_report(snapshot_of(book, model, effective_date, reading), before)
    if not dry_run and report.state != before:
        file.save(report.state)
    if csv_file:
        write_csv(Path(csv_file), report.triggers)
    if as_json:
        _print_json(report, file.path, written=not dry_run)
    else:
        _print(report, file.path, written=not dry_run)


def default_state(book: str) -> Path:
    """The state file of a book: beside it, so that an export that replaces the book leaves the clocks alone."""
    place = Path(book).resolve()
    return place.with_name(f"{place.stem if place.is_file() else place.name}.triggers.json")


def _print_json(report: TriggerReport, file: Path, *, written: bool) -> None:
    from rebalancer.cli.frames import json_rows

    frames = {name: json_rows(getattr(report, name)) for name in ("triggers", "cleared", "events")}
    emit_json(
        {
            "model": report.model,
            "effective_date": report.day.isoformat(),
            "books": report.books,
            **frames,
            "overdue": list(report.overdue),
            "missing": list(report.missing),
            "state": {"file": str(file), "began": report.began, "went_back": report.went_back, "written": written},
        }
    )


def _print(report: TriggerReport, file: Path, *, written: bool) -> None:
    _print_state(report, file, written=written)
    frame = report.triggers
    fired = frame["am_id"].nunique()
    late = f", {len(report.overdue):,} overdue" if report.overdue else ""
    title = f"{fired:,} of {counted(report.books, 'book')} triggered{late}; model {report.model}, {report.day}"
    if frame.empty:
        say(f"{title}.")
    else:
        console().print(table(title, ["AM", "name", "why", "red since", "due", ">days left"], list(_rows(report))))
    _print_cleared(report)
    if report.missing:
        note(f"missing: {', '.join(report.missing)} without a value; what they would tell can't fire.")


def _rows(report: TriggerReport) -> list[tuple[str, ...]]:
    """A row for each reason; what belongs to the book stands in the first of its rows."""
    rows, last = [], None
    for row in report.triggers.to_dict("records"):
        first = row["am_id"] != last
        last = row["am_id"]
        left = f"overdue by {-row['days_left']}" if row["overdue"] else f"{row['days_left']}"
        own = (row["am_id"], shortened(row["name"])) if first else ("", "")
        clock = (str(row["due"]), left) if first else ("", "")
        rows.append((*own, row["why"], str(row["since"]), *clock))
    return rows


def _print_state(report: TriggerReport, file: Path, *, written: bool) -> None:
    if report.went_back:
        note(
            f"warning: {file} was last brought up to date for {report.state.day}, which is after {report.day}: nothing "
            "is recorded, and days are counted as if this were the first run."
        )
    elif report.began:
        kept = f"it was written to {file}" if written else "nothing was written"
        note(f"note: there was no state before, so every clock starts on {report.day}; {kept}.")
    elif not written:
        note(f"note: nothing was written to {file}.")


def _print_cleared(report: TriggerReport) -> None:
    shown = report.cleared.head(SHOWN_CLEARED)
    if shown.empty:
        return
    rows = [
        (row["am_id"], row["name"], row["reason"], str(row["first_red"]), str(row["cleared"]), f"{row['days_red']:,}")
        for row in shown.to_dict("records")
    ]
    more = len(report.cleared) - len(shown)
    title = f"The last {len(shown)} of {len(report.cleared):,} that cleared" if more else "Cleared"
    console().print(table(title, ["AM", "name", "reason", "red since", "cleared", ">days red"], rows))
