"""`heatmap`: every book by utilization, and what is wrong with one of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rebalancer.cli.options import book_argument, date_option, json_option, model_option, reading_options
from rebalancer.cli.output import WIDE, console, counted, dollars, emit_json, note, percent, say, shortened, table

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from rebalancer.insight.diagnosis import Diagnosis
    from rebalancer.insight.heatmap import Heatmap

    Cell = Callable[[dict[Any, Any]], str]


@click.command(short_help="Show books by utilization; say what is wrong with one.")
@book_argument
@click.option("--by", type=click.Choice(["manager", "region", "tier"]), default=None,
              help="The books of each manager, region or tier together.")  # fmt: skip
@click.option("--explain", default=None, metavar="AM", help="Say what is wrong with the book of this AM or pool.")
@click.option("--top", type=click.IntRange(1), default=None, metavar="N", help="Only the N fullest books.")
@click.option(
    "--detail", is_flag=True, help="A second table: tier mix, benchmark, largest accounts, silence, retention."
)
@click.option("--csv", "csv_file", type=click.Path(dir_okay=False), default=None, metavar="FILE",
              help="Also write all rows and columns as CSV.")  # fmt: skip
@model_option
@date_option
@reading_options
@json_option
def heatmap(
    book: str,
    by: Any,
    explain: str | None,
    top: int | None,
    detail: bool,
    csv_file: str | None,
    model: str | None,
    effective_date: str | None,
    as_json: bool,
    reading: dict[str, Any],
) -> None:
    """Show every book by utilization with its band and the limit that binds it, fullest first.

    With --by the books of each manager, region or tier together. With --explain what is wrong with one book: its
    units, accounts, ARR, silence and forecast of retention, in words and numbers.
    """
    if explain is not None and (by, top, detail, csv_file) != (None, None, False, None):
        raise click.UsageError("--explain goes with none of --by, --top, --detail and --csv.")
    if by is not None and (top is not None or detail):
        raise click.UsageError("--by goes with neither --top nor --detail.")
    from rebalancer.cli.books import snapshot_of
    from rebalancer.cli.frames import write_csv
    from rebalancer.insight.diagnosis import diagnosis_of
    from rebalancer.insight.heatmap import heatmap_of

    snapshot = snapshot_of(book, model, effective_date, reading)
    if explain is not None:
        _show_diagnosis(diagnosis_of(snapshot, explain), as_json)
        return
    heat = heatmap_of(snapshot)
    frame = heat.books if by is None else heat.by(by)
    if csv_file:
        write_csv(Path(csv_file), frame)
    if as_json:
        _print_json(heat, frame, by, top)
        return
    if by is not None:
        _print_groups(frame, by, heat)
    else:
        _print(heat, top, detail=detail)
    if heat.unowned:
        note(f"note: {counted(heat.unowned, 'account')} in no book.")
    if heat.missing:
        note(f"missing: {', '.join(heat.missing)} without a value; what they would tell is left out.")


def _print_json(heat: Heatmap, frame: pd.DataFrame, by: str | None, top: int | None) -> None:
    facts = {"model": heat.model, "effective_date": heat.day.isoformat()}
    rows = _finite(frame.head(top) if top else frame)
    named = {}
    if by is None:
        accounts = heat.top.groupby("am_id", sort=False)
        named = {am_id: _finite(own.drop(columns=["am_id", "rank"])) for am_id, own in accounts}
        rows = [{**row, "top_accounts": named.get(row["am_id"], [])} for row in rows]
    emit_json({**facts, "by": by, "books" if by is None else "groups": rows, "unowned": heat.unowned,
               "missing": list(heat.missing)})  # fmt: skip


def _finite(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows for JSON, in which a share of a limit of 0 is null."""
    from rebalancer.cli.frames import json_rows

    return json_rows(frame.replace([float("inf"), float("-inf")], float("nan")))


def _print(heat: Heatmap, top: int | None, *, detail: bool) -> None:
    shown = heat.books.head(top) if top else heat.books
    what = (
        f"{len(heat.books)} books"
        if len(shown) == len(heat.books)
        else f"The {len(shown)} fullest of {len(heat.books)} books"
    )
    print_books(shown, f"{what}, model {heat.model}, {heat.day}")
    if detail:
        _print_detail(shown)


def print_books(frame: pd.DataFrame, title: str) -> None:
    """The heatmap as a table; on a narrow terminal without the columns that matter least."""
    columns = _wide_columns() if console().width >= WIDE else _narrow_columns()
    if frame["silent_accounts"].notna().any():
        columns[">silent"] = lambda row: _count(row["silent_accounts"])
    if frame["grr_forecast"].notna().any():
        columns[">GRR"] = lambda row: percent(row["grr_forecast"])
    rows = [tuple(cell(row) for cell in columns.values()) for row in frame.to_dict("records")]
    console().print(table(title, list(columns), rows, bands={list(columns).index("band"): "band"}))


def _wide_columns() -> dict[str, Cell]:
    return {
        "AM": lambda row: row["am_id"],
        "name": lambda row: row["name"],
        "role": lambda row: row["role"],
        "book": lambda row: row["book"],
        ">units": lambda row: f"{row['units']:,.1f}",
        ">capacity": lambda row: f"{row['capacity']:,.1f}",
        ">used": lambda row: percent(row["utilization"]),
        "band": lambda row: row["band"],
        "binding limit": _binding,
        ">accounts": lambda row: f"{row['accounts']:,}",
        "benchmark": lambda row: row["benchmark"],
        ">ARR": lambda row: dollars(row["arr"]),
    }


def _narrow_columns() -> dict[str, Cell]:
    return {
        "AM": lambda row: row["am_id"],
        "name": lambda row: shortened(row["name"]),
        "band": lambda row: f"{percent(row['utilization'])} {row['band']}".strip(),
        "binding limit": _binding,
        ">accounts": lambda row: f"{row['accounts']:,}",
        ">ARR": lambda row: dollars(row["arr"]),
    }


def _binding(row: dict[Any, Any]) -> str:
    return f"{row['binding']} {percent(row['binding_share'])}".strip()


def _print_detail(frame: pd.DataFrame) -> None:
    from rebalancer.tables import TIERS

    columns: dict[str, Cell] = {
        "AM": lambda row: row["am_id"],
        "s/e/m/smb": lambda row: "/".join(f"{row[tier]:,}" for tier in TIERS),
        "benchmark": lambda row: row["benchmark"],
        ">worth AMs": lambda row: (
            f"{row['benchmark_least']:.1f}-{row['benchmark_most']:.1f}" if row["benchmark"] else ""
        ),
        "largest accounts": lambda row: " ".join(row["top_accounts"]),
        ">of ARR": lambda row: percent(row["top_share"]),
        ">key silent": lambda row: _count(row["silent_key_accounts"]),
        ">longest": lambda row: _count(row["unattended_days"]),
        ">touched": lambda row: percent(row["touched_share"]),
        ">NRR": lambda row: percent(row["nrr_forecast"]),
    }
    if console().width < WIDE:
        columns = {name: cell for name, cell in columns.items() if name not in (">worth AMs", ">of ARR", ">NRR")}
    rows = [tuple(cell(row) for cell in columns.values()) for row in frame.to_dict("records")]
    title = "Accounts by tier (strategic, enterprise, mid-market, smb), largest accounts, silence in days"
    console().print(table(title, list(columns), rows))


def _count(value: Any) -> str:
    """A whole number, empty where it is not known."""
    import pandas as pd

    return "" if pd.isna(value) else f"{value:,.0f}"


_LOAD: dict[str, Cell] = {
    ">units": lambda row: f"{row['units']:,.1f}",
    ">capacity": lambda row: f"{row['capacity']:,.1f}",
}


def _print_groups(frame: pd.DataFrame, by: str, heat: Heatmap) -> None:
    columns: dict[str, Cell] = {
        by: lambda row: row[by],
        ">books": lambda row: f"{row['books']:,}",
        ">red/yellow/green": lambda row: f"{row['red']:,}/{row['yellow']:,}/{row['green']:,}",
        **(_LOAD if console().width >= WIDE else {}),
        ">used": lambda row: percent(row["utilization"]),
        ">accounts": lambda row: f"{row['accounts']:,}",
        ">ARR": lambda row: dollars(row["arr"]),
        ">silent": lambda row: _count(row["silent_accounts"]),
        ">GRR": lambda row: percent(row["grr_forecast"]),
    }
    rows = [tuple(cell(row) for cell in columns.values()) for row in frame.to_dict("records")]
    title = f"{counted(len(heat.books), 'book')} by {by}, model {heat.model}, {heat.day}"
    console().print(table(title, list(columns), rows))


def _show_diagnosis(found: Diagnosis, as_json: bool) -> None:
    import pandas as pd

    if as_json:
        facts = {
            name: getattr(found, name) for name in ("am_id", "name", "model", "verdict", "by_arr", "missed_by_arr")
        }
        frames = {name: _finite(getattr(found, name)) for name in ("findings", "top", "silent")}
        lists = {"causes": list(found.causes), "missing": list(found.missing)}
        emit_json(
            {
                **facts,
                "effective_date": found.day.isoformat(),
                **lists,
                "book": _finite(pd.DataFrame([found.book]))[0],
                **frames,
            }
        )
        return
    say(found.text())
    if len(found.top):
        rows = [
            (
                row["account_id"],
                row["name"],
                row["tier"],
                dollars(row["arr"]),
                _day(row["last_touch"]),
                _count(row["silent_days"]),
            )
            for row in found.top.to_dict("records")
        ]
        console().print(table("Largest accounts", ["account", "name", "tier", ">ARR", "last touch", ">days ago"], rows))


def _day(value: Any) -> str:
    text = str(value)[:10]
    return "" if text == "NaT" else text
