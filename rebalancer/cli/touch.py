"""`touch-model`: high, low and tech touch of the quarter, and what changed since the last."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rebalancer.cli.options import book_argument, date_option, json_option, model_option, read_book, reading_options
from rebalancer.cli.output import console, counted, dollars, emit_json, percent, say, table
from rebalancer.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

    from rebalancer.insight.touch_model import TouchReport

SHOWN = 12
"""Changes listed for the whole team; one AM's are all listed."""

CLASSES = ("high", "low", "tech")


@click.command("touch-model", short_help="Class accounts as high, low or tech touch for the quarter.")
@book_argument
@click.option("--am", default=None, metavar="AM", help="One book: its accounts, class by class.")
@click.option(
    "--quarter", default=None, metavar="QUARTER", help="Such as 2026-Q4. Default: that of the effective date."
)
@model_option
@date_option
@reading_options
@click.option("--csv", "folder", type=click.Path(), default=None, metavar="DIR",
              help="Write accounts.csv and shares.csv into this directory.")  # fmt: skip
@json_option
def touch_model(
    book: str,
    am: str | None,
    quarter: str | None,
    model: str | None,
    effective_date: str | None,
    folder: str | None,
    as_json: bool,
    reading: dict[str, Any],
) -> None:
    """Class the accounts of every AM for the quarter: high touch are the fewest that drive 80 % of the result expected
    (renewals due, open opportunities), tech touch can go into maintenance, low touch is between.
    """
    from rebalancer.cli.frames import json_rows, write_csvs
    from rebalancer.insight.touch_model import touch_model as classed
    from rebalancer.quarters import Quarter

    asked = None if quarter is None else Quarter.parse(quarter)
    if quarter is not None and asked is None:
        raise UsageError(f'"{quarter}" is no quarter; write it as 2026-Q4.')
    found = classed(read_book(book, reading), model, effective_date, asked)
    accounts, shares = _of(found, am)
    if folder is not None:
        write_csvs(Path(folder), {"accounts": accounts, "shares": shares})
    if as_json:
        rows = {"accounts": json_rows(accounts), "shares": json_rows(shares)}
        said = {"missing": list(found.missing), "notes": list(found.notes)}
        emit_json({"quarter": str(found.quarter), "previous": str(found.quarter.previous), **rows, **said})
        return
    _print(found, accounts, shares, am)
    if folder is not None:
        say(f"Written to {folder}: accounts.csv, shares.csv.")


def _of(found: TouchReport, am: str | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Accounts and shares of everybody, or of one book."""
    if am is None:
        return found.accounts, found.shares
    known = set(found.shares["am_id"])
    if am not in known:
        near = did_you_mean(am, known - {""})
        raise UsageError(f'no book of "{am}" holds accounts. {near}'.strip())
    accounts, shares = (frame[frame["am_id"] == am].reset_index(drop=True) for frame in (found.accounts, found.shares))
    return accounts, shares


def _print(found: TouchReport, accounts: pd.DataFrame, shares: pd.DataFrame, am: str | None) -> None:
    counts = ", ".join(f"{int((accounts['touch'] == name).sum()):,} {name}" for name in CLASSES)
    say(f"Touch model of {found.quarter}: {counts}. Expected: {dollars(accounts['expected'].sum())}.")
    for name in found.missing:
        say(f"Not in the book: {name}.")
    for line in found.notes:
        say(f"Note: {line}")
    console().print(_shares_table(shares))
    if am is None:
        _print_changes(found, SHOWN)
    else:
        _print_accounts(accounts)


def _shares_table(shares: pd.DataFrame) -> Any:
    """A row per AM: accounts, share of accounts, of the result and of time, each for high, low and tech."""
    columns = ["AM", ">high", ">low", ">tech", ">accounts %", ">expected", ">of it high", ">time %", "time from"]
    rows = []
    for am, part in shares.groupby("am_id", sort=False):
        by = part.set_index("touch").loc[list(CLASSES)]
        rows.append(
            (
                str(am) or "(nobody)",
                *(f"{count:,}" for count in by["accounts"].tolist()),
                _three(by["account_share"]),
                dollars(by["expected"].sum()),
                percent(by["expected_share"].iloc[0]),
                _three(by["time_share"]),
                str(by["time_basis"].iloc[0]),
            )
        )
    wanted = _three(shares.drop_duplicates("touch").set_index("touch").loc[list(CLASSES), "time_wanted"])
    return table(f"By AM; shares are high / low / tech, and time should be {wanted}", columns, rows)


def _three(shares: pd.Series) -> str:
    return " / ".join(f"{100 * share:.0f}" for share in shares)


def _print_changes(found: TouchReport, most: int) -> None:
    changes = found.changes
    if changes.empty:
        return
    ways = changes.groupby(["touch_before", "touch"]).size().sort_values(ascending=False, kind="stable")
    pairs = zip(ways.index.tolist(), ways.tolist(), strict=True)
    said = ", ".join(f"{count:,} {way[0]} -> {way[1]}" for way, count in pairs)
    say(f"Changes since {found.quarter.previous}: {counted(len(changes), 'account')}. {said}.")
    largest = changes.sort_values(["expected", "account_id"], ascending=[False, True]).head(most)
    columns = ["account", "name", "AM", "tier", ">expected", "was", "is", "why"]
    rows = [
        (row["account_id"], row["name"], row["am_id"], row["tier"], dollars(row["expected"]), row["touch_before"],
         row["touch"], row["why"])
        for row in largest.to_dict("records")
    ]  # fmt: skip
    console().print(
        table(f"The {len(rows)} changes of which most is expected; --json and --csv have all", columns, rows)
    )


def _print_accounts(accounts: pd.DataFrame) -> None:
    order = accounts["touch"].map(CLASSES.index)
    ordered = accounts.assign(order=order).sort_values(
        ["order", "expected", "account_id"], ascending=[True, False, True]
    )
    columns = ["account", "name", "tier", ">ARR", "touch", "was", ">due", ">open", ">expected", "why"]
    rows = [
        (row["account_id"], row["name"], row["tier"], dollars(row["arr"]), row["touch"], row["touch_before"],
         dollars(row["renewal_due"]), dollars(row["opportunities"]), dollars(row["expected"]), row["why"])
        for row in ordered.to_dict("records")
    ]  # fmt: skip
    console().print(table("Accounts", columns, rows))
