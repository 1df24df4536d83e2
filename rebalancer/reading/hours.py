"""Reads a team's own time tracking: hours by account or by tier, from a file or a frame."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from rebalancer.errors import UsageError
from rebalancer.reading.assemble import assemble, from_frame
from rebalancer.reading.convert import convert
from rebalancer.reading.files import READABLE, refuse_url
from rebalancer.reading.options import AcceptedFaults, options_of
from rebalancer.reading.raw import RawTable, fault_rows
from rebalancer.reading.sources import Sources
from rebalancer.tables import TIERS, Column, Table

HOURS = Table(
    "hours",
    (
        Column("account_id", "id"),
        Column("tier", choices=TIERS),
        Column("hours", "number", required=True, low=0, high=10**9),
    ),
)
"""A row is an entry: hours on an account, or on a tier as a whole; several rows of one add up."""


def read_hours(source: str | Path | pd.DataFrame, decimal: str | None = None) -> pd.DataFrame:
    """Columns account_id, tier and hours, a row per entry; either account_id or tier is filled.

    `source` is a CSV, Parquet or XLSX file (its only sheet, or the one named `hours`) or a frame. Raises
    `InvalidInput` naming file, row and column of everything wrong, `UsageError` where there is no such file.
    """
    faults = AcceptedFaults()
    raw = _raw(source, decimal, faults)
    if raw is None:
        faults.raise_errors()
        raise UsageError("the table of hours could not be read.")
    frame = convert(raw, faults)
    _check_rows(frame, raw, faults)
    faults.raise_errors()
    return frame


def _raw(source: str | Path | pd.DataFrame, decimal: str | None, faults: AcceptedFaults) -> RawTable | None:
    options = options_of(decimal=decimal)
    if isinstance(source, pd.DataFrame):
        return from_frame(source, HOURS, options, faults)
    refuse_url(source)
    path = Path(source)
    if not path.is_file() or path.suffix.lower() not in READABLE:
        raise UsageError(f'there is no table of hours "{path}": name a CSV, Parquet or XLSX file.')
    grid = Sources(options, faults).grid(path, "", HOURS)
    return None if grid is None else assemble(grid, HOURS, options, faults)


def _check_rows(frame: pd.DataFrame, raw: RawTable, faults: AcceptedFaults) -> None:
    cure = "Give account_id and hours, or tier and hours."
    if not {"account_id", "tier"} & set(raw.frame.columns):
        problem = "the table of hours names neither accounts nor tiers."
        faults.error("column", problem, cure, file=raw.file)
        return
    unnamed = (frame["account_id"] == "") & (frame["tier"] == "")
    first = "account_id" if "account_id" in raw.frame.columns else "tier"
    names = frame[first]
    fault_rows(unnamed, names, HOURS.column(first), raw, faults, "blank", "the entry is of nobody.", cure)
    if "hours" not in raw.frame.columns:
        return
    blank = raw.frame["hours"] == ""
    fault_rows(blank, raw.frame["hours"], HOURS.column("hours"), raw, faults, "blank",
               "the value is missing.", "Fill it in.")  # fmt: skip
