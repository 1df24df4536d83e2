"""`scorecard`: every AM and the team in three layers against their targets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rebalancer.cli.options import book_argument, date_option, json_option, model_option, read_book, reading_options
from rebalancer.cli.output import WIDE, console, dollars, emit_json, say, table

if TYPE_CHECKING:
    from collections.abc import Hashable

    import pandas as pd

    from rebalancer.insight.scorecard import Scorecard

FRAMES = ("scores", "trend", "forecast", "conversion", "health", "health_weights")
HEADLINES = {
    "account_plan_current": ">plans",
    "executive_touch": ">exec.",
    "nps": ">NPS",
    "grr": ">GRR",
    "nrr": ">NRR",
    "conversion": ">conv.",
    "forecast_accuracy": ">forecast",
    "am_discovered_upsell": ">AM found",
    "adoption": ">adoption",
    "health": ">health",
}
"""Figures of the table of all AMs; shares are in percent there."""

ONLY_WIDE = ("executive_touch", "adoption")

Row = dict["Hashable", Any]


@click.command(short_help="Score every AM and team in three layers against targets.")
@book_argument
@click.option("--am", default=None, metavar="AM", help="One book's card beside that of all.")
@click.option("--quarter", default=None, metavar="QUARTER",
              help="The quarter to score, such as 2026-Q3. Default: the last full one.")  # fmt: skip
@model_option
@date_option
@reading_options
@click.option("--csv", "file", type=click.Path(), default=None, metavar="FILE", help="Write the scores as a CSV file.")
@json_option
def scorecard(
    book: str,
    am: str | None,
    quarter: str | None,
    model: str | None,
    effective_date: str | None,
    file: str | None,
    as_json: bool,
    reading: dict[str, Any],
) -> None:
    """Score every AM, team and everybody: strategic, commercial and operational figures against their targets, with
    what changed since the quarter before, and what the book lacks.
    """
    from rebalancer.cli.frames import json_rows, write_csv
    from rebalancer.insight.scorecard import scorecard as score_book

    found = score_book(read_book(book, reading), model, effective_date, quarter)
    if am is not None:
        found = found.of(am)
    if file is not None:
        write_csv(Path(file), found.scores)
    if as_json:
        facts = {"model": found.model, "effective_date": found.effective_date.isoformat(), "quarter": found.quarter}
        frames = {name: getattr(found, name) for name in FRAMES}
        if am is None:  # a row per account, and one per AM, figure and quarter, are for the library and for one book
            frames["trend"] = found.trend[found.trend["subject"] != "am"]
            del frames["health"]
        rows = {name: json_rows(frame) for name, frame in frames.items()}
        emit_json({**facts, **rows, "missing": list(found.missing), "notes": list(found.notes)})
        return
    _print(found, am)
    if file is not None:
        say(f"Written to {file}.")


def _print(found: Scorecard, am: str | None) -> None:
    tiers = " and ".join(found.key_tiers) or "no"
    say(f"Scorecard of {found.quarter}. Model {found.model}, {found.effective_date}.")
    say(f"Plans, EBRs, executive touches, advocates: shares of {tiers} accounts. Retention is forecast.")
    rows = _rows(found.scores)
    if am is None:
        _print_card([row for row in rows if row["subject"] == "all"], "Everybody")
        _print_books(rows, "team", "Teams, by manager: shares in percent, * misses its target")
        _print_books(rows, "am", "AMs")
    else:
        _print_card([row for row in rows if row["subject"] == "am"], f"{am}", [row for row in rows if not row["id"]])
        _print_forecast(found.forecast)
    lacked: dict[str, list[str]] = {}
    for line in found.missing:
        name, _, needs = line.partition(": ")
        lacked.setdefault(needs, []).append(name)
    for needs, figures in lacked.items():
        say(f"Not known: {', '.join(figures)}. The book lacks {needs}.")
    for line in found.notes:
        say(f"Note: {line}")


def _rows(frame: pd.DataFrame) -> list[Row]:
    return frame.astype(object).where(frame.notna(), None).to_dict("records")


def _print_card(rows: list[Row], title: str, beside: list[Row] | None = None) -> None:
    columns = ["layer", "figure", ">value", ">target", "met", ">before", ">change", *([">all"] if beside else [])]
    others = {row["metric"]: figure(row["value"], row["unit"]) for row in beside or []}
    layer, body = "", []
    for row in rows:
        if row["value"] is not None:
            line = (
                row["layer"] if row["layer"] != layer else "",
                row["words"],
                figure(row["value"], row["unit"]),
                _target(row),
                _met(row),
                figure(row["previous"], row["unit"]),
                _signed(row["change"], row["unit"]),
                *([others[row["metric"]]] if beside else []),
            )
            body.append(line)
            layer = row["layer"]
    console().print(table(title, columns, body))


def _print_books(rows: list[Row], subject: str, title: str) -> None:
    cells: dict[str, dict[str, Row]] = {}
    for row in rows:
        if row["subject"] == subject:
            cells.setdefault(row["id"], {})[row["metric"]] = row
    wide = console().width >= WIDE
    shown = [name for name in HEADLINES if any(figures[name]["value"] is not None for figures in cells.values())]
    shown = [name for name in shown if wide or name not in ONLY_WIDE]
    if not shown:
        return
    columns = [subject, *(HEADLINES[name] for name in shown), ">met"]
    body = []
    for name, figures in cells.items():
        if any(row["value"] is not None for row in figures.values()):
            judged = [row["met"] for row in figures.values() if row["met"] is not None]
            met = f"{sum(judged)}/{len(judged)}" if judged else ""
            body.append((name, *(_marked(figures[metric]) for metric in shown), met))
    console().print(table(title, columns, body))


def _print_forecast(frame: pd.DataFrame) -> None:
    columns = ["quarter", ">pipeline", ">expected to close", ">won of it", ">forecast, all", ">actual", ">accuracy"]
    body = [
        (
            row["quarter"],
            dollars(row["pipeline"]),
            f"{dollars(row['low'])} to {dollars(row['high'])}",
            dollars(row["won_of_it"]),
            dollars(row["forecast"]),
            "" if row["actual"] is None else dollars(row["actual"]),
            figure(row["accuracy"], "share"),
        )
        for row in _rows(frame)
    ]
    console().print(table("Forecast against actual", columns, body))


def _target(row: Row) -> str:
    sign = {"above": ">", "at_least": ">=", "at_most": "<="}[row["better"]]
    return f"{sign} {figure(row['target'], row['unit'])}" if row["target"] is not None else ""


def _met(row: Row) -> str:
    if row["met"] and row["best"] is not None and row["value"] > row["best"]:
        return "best"
    return {True: "yes", False: "no", None: ""}[row["met"]]


def _marked(row: Row) -> str:
    return f"{figure(row['value'], row['unit']).removesuffix(' %')}{'*' if row['met'] is False else ''}"


def figure(value: float | None, unit: str) -> str:
    """A figure as a planner reads it, empty where it is not known."""
    if value is None:
        return ""
    return f"{100 * value:.1f} %" if unit == "share" else f"{value:.1f}"


def _signed(value: float | None, unit: str) -> str:
    """A change, in points where the figure is a share."""
    if value is None:
        return ""
    return f"{100 * value:+.1f}" if unit == "share" else f"{value:+.1f}"
