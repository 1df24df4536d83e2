"""`check`: what is wrong with a book, and where it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from rebalancer.cli.options import (
    book_argument,
    date_option,
    json_option,
    model_option,
    read_book,
    reading_options,
)
from rebalancer.cli.output import counted, dollars, emit_json, note, say
from rebalancer.errors import InvalidInput

if TYPE_CHECKING:
    import pandas as pd

    from rebalancer.snapshot import Snapshot

SHOWN = 5
"""Organisations that `check` names, and AMs of each."""


def snapshot_of(
    book: str, model: str | None, effective_date: str | None, reading: dict[str, Any] | None = None
) -> Snapshot:
    """The book of a directory under a model."""
    from rebalancer.plan import resolve_model
    from rebalancer.snapshot import take_snapshot

    loaded = read_book(book, reading or {}).on(effective_date)
    resolved = resolve_model(loaded, model)
    return take_snapshot(loaded, resolved, "full", resolved.disruption.measure)


@click.command(short_help="Say what is wrong with BOOK, and where it stands.")
@book_argument
@model_option
@date_option
@reading_options
@json_option
def check(book: str, model: str | None, effective_date: str | None, as_json: bool, reading: dict[str, Any]) -> None:
    """Read BOOK, list everything that is wrong with it, and say where its books stand.

    Exits with 3 where an error stops the book from being used.
    """
    from rebalancer.metrics import heatmap_frame, triggered
    from rebalancer.rules import RULES
    from rebalancer.rules.formulation import formulate

    try:
        snapshot = snapshot_of(book, model, effective_date, reading)
    except InvalidInput as error:
        for line in getattr(error, "__notes__", ()):
            note(line)
        raise
    formulate(snapshot, RULES)
    facts = _facts(snapshot, heatmap_frame(snapshot), int(triggered(snapshot).sum()))
    warnings = [str(warning) for warning in snapshot.warnings]
    if as_json:
        emit_json({"ok": True, **facts, "warnings": warnings})
        return
    for warning in warnings:
        note(f"warning: {warning}")
    for count in snapshot.book.row_counts:
        say(str(count))
    say(
        f"{counted(facts['accounts'], 'account')} with {dollars(facts['arr'])} ARR and {facts['units']:,.2f} units; "
        f"{counted(facts['ams'], 'AM')}, {counted(facts['csms'], 'CSM')}; "
        f"effective {facts['effective_date']}, model {facts['model']}."
    )
    say(
        f"Books over a limit: {facts['triggered']:,}. Accounts without an owner: {facts['unowned']:,}, "
        f"of somebody who has left: {facts['departed_owner']:,}, locked: {facts['locked']:,}."
    )
    if facts["organisations"]:
        say(f"Organisations seen by more than one AM: {_named(facts['organisations'])}.")
    for line in facts["benchmarks"]:
        say(line)
    say("The book can be used.")


def _named(organisations: list[dict[str, Any]]) -> str:
    """How many, and the first of them with their AMs."""
    first = [f"{row['name'] or row['parent_id']} ({', '.join(row['am_ids'][:SHOWN])})" for row in organisations[:SHOWN]]
    more = len(organisations) - len(first)
    return f"{len(organisations):,}, {'; '.join(first)}{f' and {more:,} more' if more else ''}"


def _facts(snapshot: Snapshot, heat: pd.DataFrame, over: int) -> dict[str, Any]:
    from rebalancer.cli.frames import json_rows
    from rebalancer.metrics.organisations import organisations_frame

    accounts = snapshot.accounts
    return {
        "model": snapshot.model.name,
        "effective_date": snapshot.book.effective_date.isoformat(),
        "accounts": len(accounts),
        "ams": len(snapshot.ams),
        "csms": len(snapshot.csms),
        "arr": int(accounts.arr.sum()),
        "units": int(accounts.units.sum()) / 100,
        "triggered": over,
        "unowned": int((accounts.owner < 0).sum()),
        "departed_owner": int(snapshot.owner_departed.sum()),
        "locked": int(accounts.locked.sum()),
        "organisations": json_rows(organisations_frame(snapshot)),
        "benchmarks": _benchmarks(snapshot, heat),
        "rows": [vars(count) for count in snapshot.book.row_counts],
        "mapping": [vars(entry) for entry in snapshot.book.mapping],
    }


def _benchmarks(snapshot: Snapshot, heat: pd.DataFrame) -> list[str]:
    """Accounts per AM of each tier against the benchmark, over AMs who hold mostly that tier."""
    from rebalancer.metrics.calibration import position

    lines = []
    for tier, (low, high) in snapshot.model.benchmarks.items():
        mostly = heat[heat["main_tier"] == tier]
        if mostly.empty:
            continue
        per_am = mostly["accounts"].mean()
        where = position(per_am, (low, high))
        span = f"{low}-{high}" if high is not None else f"{low} and more"
        lines.append(
            f"{tier}: {counted(len(mostly), 'book')} of mostly this tier, {per_am:.0f} accounts each: "
            f"{where} the benchmark {span}."
        )
    return lines
