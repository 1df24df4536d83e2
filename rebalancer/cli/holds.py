"""`holds`: which customers AEs hold, until when and why, and which are due for handover."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rebalancer.cli.frames import json_rows, write_csv
from rebalancer.cli.options import (
    book_argument,
    date_option,
    json_option,
    model_option,
    read_book,
    reading_options,
)
from rebalancer.cli.output import console, counted, dollars, emit_json, note, say, table

if TYPE_CHECKING:
    import pandas as pd

    from rebalancer.insight.holds import HoldsReport

SHOWN = 20
"""Rows of a list on the screen; --csv and --json have all."""


@click.command(short_help="Show which customers AEs hold, and which are due.")
@book_argument
@model_option
@date_option
@click.option("--all", "every", is_flag=True, help="Show every account, not the first 20 of each list.")
@click.option("--csv", "csv_file", type=click.Path(dir_okay=False), default=None, metavar="FILE",
              help="Also write every account with its hold to this file.")  # fmt: skip
@reading_options
@json_option
def holds(
    book: str,
    model: str | None,
    effective_date: str | None,
    every: bool,
    csv_file: str | None,
    as_json: bool,
    reading: dict[str, Any],
) -> None:
    """Show which customers of BOOK their AEs hold, until when and why, and which are due for handover.

    A held account is locked in `propose`; a due one is placed with an AM.
    """
    from rebalancer.insight.holds import holds as report_of

    report = report_of(read_book(book, reading), model, effective_date)
    if csv_file is not None:
        write_csv(Path(csv_file), report.accounts)
    if as_json:
        emit_json(_document(report))
        return
    for text in (*report.notes, *_lacks(report.missing)):
        note(f"note: {text}")
    _print(report, None if every else SHOWN)


def _lacks(missing: tuple[str, ...]) -> list[str]:
    return [f"the book has no {', '.join(missing)}."] if missing else []


def _document(report: HoldsReport) -> dict[str, Any]:
    return {
        "effective_date": report.effective_date.isoformat(),
        "model": report.model,
        "rules": report.rules,
        "aes": json_rows(report.aes),
        "accounts": json_rows(report.accounts),
        "missing": list(report.missing),
        "notes": list(report.notes),
    }


def _print(report: HoldsReport, shown: int | None) -> None:
    held, due = report.held, report.due
    say(
        f"{counted(len(due), 'account')} due for handover ({dollars(due['arr'].sum())} ARR), "
        f"{counted(len(held), 'account')} held ({dollars(held['arr'].sum())} ARR), on {report.effective_date}, "
        f"model {report.model}."
    )
    for tier, rule in report.rules.items():
        say(f"  {tier}: {rule}")
    if len(report.aes):
        columns = ["AM", "name", ">accounts", ">held", ">ARR held", ">due", ">ARR due", "next to end"]
        rows = [
            (r["am_id"], r["name"], f"{r['accounts']:,}", f"{r['held']:,}", dollars(r["arr_held"]), f"{r['due']:,}",
             dollars(r["arr_due"]), r["next_until"] or "")
            for r in json_rows(report.aes)
        ]  # fmt: skip
        console().print(table("By owner", columns, rows))
    _list("Due for handover", report.due, shown)
    _list("Held", report.held, shown)


def _list(title: str, frame: pd.DataFrame, shown: int | None) -> None:
    if frame.empty:
        return
    columns = ["account", "name", "AM", "tier", ">ARR", "until", "why"]
    rows = [
        (r["account_id"], r["name"], r["am_id"], r["tier"], dollars(r["arr"]), r["until"] or "", r["why"])
        for r in json_rows(frame.head(shown) if shown else frame)
    ]
    console().print(table(title, columns, rows))
    if shown and len(frame) > shown:
        say(f"and {len(frame) - shown:,} more; --all shows them, --csv FILE writes them.")
