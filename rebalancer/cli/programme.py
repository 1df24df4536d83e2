"""`programme`: the global account programme of a book, and what a proposal does to its credit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rebalancer.cli.frames import json_rows, write_csvs
from rebalancer.cli.options import (
    book_argument,
    date_option,
    json_option,
    model_option,
    read_book,
    reading_options,
)
from rebalancer.cli.output import console, counted, dollars, emit_json, note, percent, say, table

if TYPE_CHECKING:
    from rebalancer.insight.programme import ProgrammeReport
    from rebalancer.insight.splits import SplitEffect

FRAMES = ("families", "regions", "gams", "pairs", "splits", "problems")
SHOWN = 20
"""Rows of a list on the screen; --out and --json have all."""


@click.command(short_help="Show the global account programme and its credit splits.")
@book_argument
@model_option
@date_option
@click.option("--run", default=None, type=click.Path(), metavar="RUN",
              help="Also show what the proposal of this run does to overlap and credit.")  # fmt: skip
@click.option("--all", "every", is_flag=True, help="Show every row, not the first 20 of each list.")
@click.option("--out", type=click.Path(file_okay=False), default=None, metavar="DIR",
              help="Also write each list as a CSV file to this directory.")  # fmt: skip
@reading_options
@json_option
def programme(
    book: str,
    model: str | None,
    effective_date: str | None,
    run: str | None,
    every: bool,
    out: str | None,
    as_json: bool,
    reading: dict[str, Any],
) -> None:
    """Show who is in the global account programme of BOOK, who is proposed, who leads whom, and what is missing.

    With --run, also which credit moves with the accounts that a proposal moves.
    """
    from rebalancer.insight.programme import programme as report_of

    effect, overlap = _effect_of(run)
    report = report_of(read_book(book, reading), model, effective_date)
    if out is not None:
        write_csvs(Path(out), {name: getattr(report, name) for name in FRAMES} | _frames(effect))
    if as_json:
        emit_json(_document(report, effect, overlap))
        return
    if report.missing:
        note(f"note: the book has no {', '.join(report.missing)}.")
    shown = None if every else SHOWN
    _print(report, shown)
    if effect is not None:
        say(f"\nPairs of a GAM and another AM: {overlap[0]:,} before the proposal, {overlap[1]:,} after it.")
        _print_effect(effect, shown)


def _effect_of(run: str | None) -> tuple[SplitEffect | None, tuple[int, int]]:
    """What the proposal of a run does to credit, and the pairs of a GAM and an AM before and after it."""
    if run is None:
        return None, (0, 0)
    from rebalancer.insight.programme import overlap_of
    from rebalancer.insight.splits import split_effect
    from rebalancer.run_directory import read_run

    proposal = read_run(run)
    return split_effect(proposal), overlap_of(proposal)


def _frames(effect: SplitEffect | None) -> dict[str, Any]:
    return {} if effect is None else {"credit_accounts": effect.accounts, "credit_ams": effect.ams}


def _document(report: ProgrammeReport, effect: SplitEffect | None, overlap: tuple[int, int]) -> dict[str, Any]:
    document: dict[str, Any] = {
        "effective_date": report.effective_date.isoformat(),
        "model": report.model,
        "stage": report.stage,
        **{name: json_rows(getattr(report, name)) for name in FRAMES},
        "missing": list(report.missing),
    }
    if effect is not None:
        document["effect"] = {
            "overlap_before": overlap[0],
            "overlap_after": overlap[1],
            "accounts": json_rows(effect.accounts),
            "ams": json_rows(effect.ams),
            "missing": list(effect.missing),
            "notes": list(effect.notes),
        }
    return document


STAGES = {
    "none": "no family is in the programme",
    "too small": "fewer families than a pilot takes",
    "pilot": "the size of a pilot",
    "programme": "beyond a pilot",
}


def _print(report: ProgrammeReport, shown: int | None) -> None:
    states = report.families["state"].value_counts()
    inside, proposed, waiting = (int(states.get(state, 0)) for state in ("in", "proposed", "waits"))
    say(
        f"Families in the programme: {inside:,} ({STAGES[report.stage]}), proposed: {proposed:,}, waiting: {waiting:,},"
        f" on {report.effective_date}, model {report.model}."
    )
    _table("Families", shown, json_rows(report.families), {
        "family": "root", "name": "name", "state": "state", "why": "why", ">ARR": "arr", ">accounts": "accounts",
        ">AMs": "ams", ">regions": "regions", "home": "home", ">potential": "potential", "GAM": "gam",
    })  # fmt: skip
    _table("Global account managers", shown, json_rows(report.gams), {
        "GAM": "gam", "name": "name", ">families": "families", ">limit": "limit", ">accounts": "accounts",
        ">ARR": "arr", ">own": "own", ">RAMs": "rams", ">accounts per RAM": "accounts_per_ram",
    })  # fmt: skip
    _table("Who works with whom", shown, json_rows(report.pairs), {
        "GAM": "gam", "RAM": "am_id", ">accounts": "accounts", ">ARR": "arr", ">of the GAM's": "of_gam",
        ">of the RAM's": "of_am", "line": "line",
    })  # fmt: skip
    for text in report.problems["message"].tolist()[:shown]:
        say(f"! {text}")
    if shown and len(report.problems) > shown:
        say(f"and {len(report.problems) - shown:,} more; --all shows them.")
    _print_splits(report, shown)


def _print_splits(report: ProgrammeReport, shown: int | None) -> None:
    verdicts = report.splits["verdict"].value_counts()
    say(
        f"\nCredit splits: {int(verdicts.get('ok', 0)):,} checks hold, {int(verdicts.get('broken', 0)):,} do not, "
        f"{int(verdicts.get('unknown', 0)):,} can't be told."
    )
    odd = report.splits[report.splits["verdict"] != "ok"].sort_values("verdict", kind="stable")
    _table("Checks that do not hold or can't be told", shown, json_rows(odd), {
        "check": "check", "of": "subject", "verdict": "verdict", "found": "found", "asked for": "asked",
        "lacks": "lacks",
    })  # fmt: skip


def _print_effect(effect: SplitEffect, shown: int | None) -> None:
    moves = effect.accounts[effect.accounts["moves"]]
    say(f"The proposal moves {counted(len(moves), 'credit')} of {dollars(moves['credited'].sum())} ARR.")
    _table("Credit of the accounts that move", shown, json_rows(effect.accounts), {
        "account": "account_id", ">ARR": "arr", "role": "role", ">credit": "credit", ">credited": "credited",
        "from": "from_am", "to": "to_am",
    })  # fmt: skip
    _table("Credited ARR by AM", shown, json_rows(effect.ams), {
        "AM": "am_id", ">lost": "lost", ">gained": "gained", ">change": "change", ">quota": "quota",
        ">of quota": "of_quota",
    })  # fmt: skip
    for text in effect.notes[:shown]:
        say(f"! {text}")


MONEY = {"arr", "potential", "credited", "lost", "gained", "change", "quota"}
SHARES = {"of_gam", "of_am", "of_quota"}


def _table(title: str, shown: int | None, rows: list[dict[str, Any]], columns: dict[str, str]) -> None:
    if not rows:
        return
    cells = [[_cell(name, row[name]) for name in columns.values()] for row in rows[:shown]]
    console().print(table(title, list(columns), cells))
    if shown and len(rows) > shown:
        say(f"and {len(rows) - shown:,} more; --all shows them, --out DIR writes them.")


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name in MONEY:
        return dollars(value) if value >= 0 else f"-{dollars(-value)}"
    if name in SHARES:
        return percent(value)
    return f"{value:,.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
