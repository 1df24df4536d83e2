"""`audit`: the service every tier is owed against what it got."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rebalancer.cli.options import book_argument, date_option, json_option, model_option, read_book, reading_options
from rebalancer.cli.output import WIDE, console, counted, emit_json, percent, say, table

if TYPE_CHECKING:
    from collections.abc import Hashable

    import pandas as pd

    from rebalancer.insight.service import Audit

FRAMES = ("team", "tiers", "ams", "cells", "accounts", "trend", "trend_by_am", "trend_by_tier")
SHARES = (("touches", ">touches"), ("qbr", ">QBR"), ("sponsor", ">sponsor"), ("response", ">resp."))
NOBODY = "(nobody)"
SHOWN = 15
"""Accounts listed of one book."""

Row = dict["Hashable", Any]


@click.command(short_help="Hold service by tier and AM against what is owed.")
@book_argument
@click.option("--am", default=None, metavar="AM", help="One book: its tiers, months and accounts that lack service.")
@model_option
@date_option
@reading_options
@click.option("--csv", "folder", type=click.Path(), default=None, metavar="DIR",
              help="Write every table of the audit as a CSV file into this directory.")  # fmt: skip
@json_option
def audit(
    book: str,
    am: str | None,
    model: str | None,
    effective_date: str | None,
    folder: str | None,
    as_json: bool,
    reading: dict[str, Any],
) -> None:
    """Hold touches, QBRs, sponsors and response times of the last full quarter against what each tier is owed, and say
    which books are overloaded because an important account has been silent, whatever their ratio.
    """
    from rebalancer.cli.frames import json_rows, write_csvs
    from rebalancer.insight.service import audit as audit_book

    found = audit_book(read_book(book, reading), model, effective_date)
    if am is not None:
        found = found.of(am)
    frames = {name: getattr(found, name) for name in FRAMES}
    if folder is not None:
        write_csvs(Path(folder), frames)
    if as_json:
        facts = {name: getattr(found, name) for name in ("model", "quarter", "running", "days_passed", "days")}
        if am is None:  # a row per account is for --csv, the library, and one book
            del frames["accounts"]
        rows = {name: json_rows(frame) for name, frame in frames.items()}
        said = {"missing": list(found.missing), "notes": list(found.notes)}
        emit_json({**facts, "effective_date": found.effective_date.isoformat(), **rows, **said})
        return
    _print(found, am)
    if folder is not None:
        say(f"Written to {folder}: {', '.join(f'{name}.csv' for name in FRAMES)}.")


def _print(found: Audit, am: str | None) -> None:
    say(f"Service of {found.quarter}, the last full quarter. Model {found.model}, {found.effective_date}.")
    say(
        f"So far: {found.running}, {found.days_passed} of {found.days} days; a touch is due once its share of them has "
        "passed."
    )
    for line in found.missing:
        say(f"Not in the book: {line}.")
    for line in found.notes:
        say(f"Note: {line}")
    within = f"in {found.touched_days} days"
    if am is None:
        _print_tiers(within, [*_rows(found.tiers), *_rows(found.team)])
        _print_ams(found.touched_days, found.ams[found.ams["accounts"] > 0], "By AM, the longest silence first")
        _print_trend(found.trend, "By month")
    else:
        _print_tiers(within, _rows(found.cells))
        _print_ams(found.touched_days, found.ams, "The book")
        _print_trend(found.trend_by_am, "By month")
        _print_accounts(found.accounts)
    _print_verdict(found)


def _rows(frame: pd.DataFrame) -> list[Row]:
    return frame.astype(object).where(frame.notna(), None).to_dict("records")


def _print_tiers(within: str, rows: list[Row]) -> None:
    title = "Share of accounts that got what their tier is owed"
    columns = ["tier", ">accounts", ">touches / owed", *(head for _, head in SHARES), f">{within}", ">so far"]
    body = [
        (
            str(row.get("tier", "all")),
            f"{row['accounts']:,}",
            f"{_text(row['touches'])} / {row['touches_owed']:,}",
            *(percent(row[f"{name}_share"]) for name, _ in SHARES),
            percent(row["touched_share"]),
            percent(row["touches_running_share"]),
        )
        for row in rows
    ]
    console().print(table(title, columns, body))


def _print_ams(days: int, frame: pd.DataFrame, title: str) -> None:
    ordered = frame.sort_values("unattended_days", ascending=False, kind="stable", na_position="last")
    names = console().width >= WIDE  # beside ids, as there is room
    columns = ["AM", *(["name"] if names else []), ">accounts", ">used", *(head for _, head in SHARES)]
    columns += [f">{days} d", ">silent days", "over"]
    body = [
        (
            row["am_id"] or NOBODY,
            *([row["name"]] if names else []),
            f"{row['accounts']:,}",
            percent(row["utilization"]),
            *(percent(row[f"{name}_share"]) for name, _ in SHARES),
            percent(row["touched_share"]),
            f"{_text(row['unattended_days'])} {row['unattended_account']}".strip(),
            f"yes: {row['silent_key_accounts']}" if row["overloaded"] else "",
        )
        for row in _rows(ordered)
    ]
    console().print(table(title, columns, body))


def _print_trend(frame: pd.DataFrame, title: str) -> None:
    columns = ["month", ">touches", ">accounts touched", ">of", ">with a quarter's touches in 3 months"]
    body = [
        (
            row["month"] if row["whole"] else f"{row['month']} so far",
            _text(row["touches"]),
            percent(row["touched_share"]),
            f"{row['accounts']:,}",
            percent(row["compliance"]),
        )
        for row in _rows(frame)
    ]
    console().print(table(title, columns, body))


def _print_accounts(frame: pd.DataFrame) -> None:
    """The accounts that were touched less than they are owed, the longest silence first."""
    short = frame[(frame["touches"] < frame["touches_owed"]).fillna(value=False).astype(bool)]
    if short.empty:
        return
    ordered = short.sort_values("silent_days", ascending=False, kind="stable", na_position="last")
    columns = ["account", "tier", ">touches", ">owed", "QBR", "sponsor", ">response h", ">silent days", "last touch"]
    body = [
        (
            row["account_id"],
            row["tier"],
            _text(row["touches"]),
            f"{row['touches_owed']:,}",
            {True: "held", False: "not held", None: ""}[row["qbr_held"] if row["qbr_owed"] else None],
            "named" if row["sponsor"] else "none" if row["sponsor_owed"] else "",
            "" if row["response_hours"] is None else f"{row['response_hours']:.1f}",
            _text(row["silent_days"]),
            "" if row["last_touch"] is None else f"{row['last_touch']:%Y-%m-%d}",
        )
        for row in _rows(ordered.head(SHOWN))
    ]
    title = f"{counted(len(short), 'account')} touched less than owed in the quarter"
    console().print(table(title if len(short) <= SHOWN else f"{title}; the first {SHOWN}", columns, body))


def _print_verdict(found: Audit) -> None:
    books = found.ams[found.ams["overloaded"]]
    tiers = " or ".join(found.silent_tiers)
    if books.empty:
        say(f"No book is overloaded by a silent {tiers} account.")
        return
    verb = "is" if len(books) == 1 else "are"
    say(
        f"{counted(len(books), 'book')} {verb} overloaded whatever the ratio, since a {tiers} account has had no touch "
        f"for {found.silent_days} days or more: {', '.join(books['am_id'])}."
    )


def _text(value: Any) -> str:
    return "" if value is None else f"{value:,.0f}"
