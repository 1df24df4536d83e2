"""`models calibrate`: weights of tiers from benchmarks, time tracking or touches, and what they change."""

from __future__ import annotations

from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rebalancer.cli.frames import json_rows, write_csv
from rebalancer.cli.options import book_argument, date_option, json_option, model_option, read_book, reading_options
from rebalancer.cli.output import console, counted, emit_json, note, percent, say, table

if TYPE_CHECKING:
    from rebalancer.insight.calibration import Calibration

SOURCES = ("benchmarks", "hours", "touches")


@click.command(short_help="Derive the units per tier from benchmarks, hours or touches.")
@book_argument
@model_option
@click.option("--from", "source", type=click.Choice(SOURCES), default=None,
              help="Where the weights come from. Default: hours with --hours, else benchmarks.")  # fmt: skip
@click.option("--hours", type=click.Path(), default=None, metavar="FILE",
              help="Your time tracking: account_id and hours, or tier and hours.")  # fmt: skip
@click.option("--hours-per-am", type=float, default=None, metavar="HOURS",
              help="Hours a full AM has in the same period. Default: the team's load stays what it is.")  # fmt: skip
@click.option("--out", type=click.Path(), default=None, metavar="MODEL.toml", help="Model file to write.")
@click.option("--csv", "csv_file", type=click.Path(), default=None, metavar="FILE", help="Write the books as CSV.")
@click.option("--force", is_flag=True, help="Overwrite a model file that is already there.")
@date_option
@reading_options
@json_option
def calibrate(
    book: str,
    model: str | None,
    source: str | None,
    hours: str | None,
    hours_per_am: float | None,
    out: str | None,
    csv_file: str | None,
    force: bool,
    effective_date: str | None,
    as_json: bool,
    reading: dict[str, Any],
) -> None:
    """Derive the units per tier for BOOK, and show what they change.

    From benchmark ratios (capacity / the middle of the ratio), from hours your team has tracked, or from the time its
    touches took. --out writes a model that extends the one calibrated.
    """
    from rebalancer.insight.calibrated_model import base_of, write_calibrated
    from rebalancer.insight.calibration import calibrate as calibrated

    loaded = read_book(book, reading)
    wanted: Any = source or ("hours" if hours else "benchmarks")
    found = calibrated(
        loaded, model, wanted, hours=hours, hours_per_am=hours_per_am, effective_date=effective_date,
        decimal=reading.get("decimal"),
    )  # fmt: skip
    written = write_calibrated(found, base_of(loaded, model), out, force=force) if out else None
    if csv_file:
        write_csv(Path(csv_file), found.books)
    if as_json:
        emit_json(_record(found, None if written is None else str(written)))
        return
    _print(found)
    if written is not None:
        note(f"Written: {written}. Look at it with: rebalancer models show {written}")


def _record(found: Calibration, written: str | None) -> dict[str, Any]:
    return {
        "source": found.source,
        "model": found.base.name,
        "effective_date": found.effective_date.isoformat(),
        "units_before": found.units_before,
        "units_after": found.units_after,
        "utilization_before": None if isnan(found.utilization_before) else found.utilization_before,
        "utilization_after": None if isnan(found.utilization_after) else found.utilization_after,
        "capacity": found.capacity,
        "tiers": json_rows(found.tiers),
        "books": json_rows(found.books),
        "notes": list(found.notes),
        "missing": list(found.missing),
        "written": written,
    }


def _print(found: Calibration) -> None:
    timed = [] if found.source == "benchmarks" else [">timed", ">hours each"]
    columns = ["tier", ">accounts", *timed, ">factors", ">units", ">accounts per AM", ">benchmark", "lies"]
    rows = [_tier_row(row, found.source) for row in json_rows(found.tiers)]
    title = f"Units per tier from {found.source}: model {found.base.name}, {found.effective_date}"
    console().print(table(title, columns, rows))
    say(_load(found))
    _print_books(found)
    for sentence in found.notes:
        say(sentence)
    for column in found.missing:
        say(f"Not there: {column}.")


def _tier_row(row: dict[str, Any], source: str) -> tuple[str, ...]:
    timed = () if source == "benchmarks" else (f"{row['timed_accounts']:,}", _number(row["hours"]))
    return (
        row["tier"],
        f"{row['accounts']:,}",
        *timed,
        f"x {row['stretch']:.2f}",
        _change(f"{row['units_before']:g}", f"{row['units_after']:g}"),
        _change(_number(row["accounts_per_am_before"]), _number(row["accounts_per_am_after"])),
        _span(row["benchmark_low"], row["benchmark_high"]),
        _change(row["benchmark_before"], row["benchmark_after"]),
    )


def _change(before: str, after: str) -> str:
    return before if before == after else f"{before} -> {after}"


def _span(low: int | None, high: int | None) -> str:
    if low is None:
        return ""
    return f"{low} and more" if high is None else f"{low}-{high}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.1f}"


def _load(found: Calibration) -> str:
    return (
        f"All books: {found.units_before:,.1f} units ({percent(found.utilization_before)}) before, "
        f"{found.units_after:,.1f} ({percent(found.utilization_after)}) with the new weights, "
        f"of {found.capacity:,.1f} of the people who are there."
    )


def _print_books(found: Calibration) -> None:
    changed = found.changed
    if changed.empty:
        say("No book changes its band.")
        return
    rows = [
        (
            row["am_id"],
            row["name"],
            f"{row['units_before']:,.1f}",
            f"{row['units_after']:,.1f}",
            f"{row['capacity']:,.1f}",
            f"{percent(row['utilization_before'])} {row['band_before']}",
            f"{percent(row['utilization_after'])} {row['band_after']}",
        )
        for row in changed.to_dict("records")
    ]
    columns = ["AM", "name", ">units", ">new units", ">capacity", "band", "new band"]
    title = f"{counted(len(changed), 'book')} of {len(found.books):,} with another band"
    console().print(table(title, columns, rows, bands={5: "band", 6: "band"}))
