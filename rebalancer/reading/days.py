"""Dates: ISO always, others once `--dates` says whether day or month comes first."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import numpy as np
import pandas as pd

from rebalancer.reading.options import AcceptedFaults
from rebalancer.reading.raw import RawTable, fault_rows
from rebalancer.tables import Column

TIME = r"(?:[T ]+[0-9]{1,2}:[0-9]{2}[0-9:.,+Z -]*(?:[AaPp][Mm])?)?"
ISO = rf"^([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}){TIME}$"
OTHER = rf"^([0-9]{{1,4}})([./-])([0-9]{{1,2}})\2([0-9]{{1,4}}){TIME}$"
ZONE = r"(Z|[+-][0-9]{2}:?[0-9]{2})$"
SERIAL = r"[1-9][0-9]{4}(\.[0-9]+)?"
ORDERS = {"DMY": (3, 2, 0), "MDY": (3, 0, 2), "YMD": (0, 2, 3)}
"""The groups of `OTHER` that hold year, month and day."""


def to_days(text: pd.Series, column: Column, raw: RawTable, faults: AcceptedFaults) -> pd.Series:
    """Days as datetime64[s]; a time of day is dropped, in the zone it is written in."""
    if not text.astype(bool).any():
        return pd.Series(np.full(len(text), np.datetime64("NaT", "s")), index=text.index)
    day = text.str.extract(ISO, expand=False).fillna("")
    other = (text != "") & (day == "") & text.str.fullmatch(OTHER.strip("^$"))
    if raw.options.dates and other.any():
        day = day.mask(other, _reordered(text, raw.options.dates))
    value = pd.Series(_parse_days(day), dtype="datetime64[s]", index=text.index)
    wrong = (text != "") & (value.isna() | (value.dt.year < 1900))
    unclear = wrong & other & (raw.options.dates is None) & _could_be_a_day(text)
    cure = "Write the date as YYYY-MM-DD, or say what comes first with --dates DMY, MDY or YMD."
    fault_rows(unclear, text, column, raw, faults, "ambiguous_date", "the date could mean several days.", cure)
    serial = wrong & text.str.fullmatch(SERIAL)
    cure = "It looks like a day counted by Excel: save the column as dates, or write them as YYYY-MM-DD."
    fault_rows(serial, text, column, raw, faults, "date", "a number, not a date.", cure)
    rest, cure = wrong & ~unclear & ~serial, "Write the date as YYYY-MM-DD."
    fault_rows(rest, text, column, raw, faults, "date", "not a date between 1900 and 9999.", cure)
    _note_zones(text, column, raw, faults)
    return value.mask(wrong)


def _reordered(text: pd.Series, order: str) -> pd.Series:
    """ISO dates from parts in that order; years have four digits."""
    parts = text.str.extract(OTHER)
    year, month, day = (parts[place].fillna("") for place in ORDERS[order])
    iso = year + "-" + month.str.zfill(2) + "-" + day.str.zfill(2)
    return iso.where(year.str.len() == 4, "")


def _could_be_a_day(text: pd.Series) -> pd.Series:
    days = [~np.isnat(_parse_days(_reordered(text, order))) for order in ORDERS]
    return pd.Series(np.any(days, axis=0), index=text.index)


def _note_zones(text: pd.Series, column: Column, raw: RawTable, faults: AcceptedFaults) -> None:
    timed = text[text.str.contains(":", regex=False)]
    zones = sorted(timed.str.extract(ZONE, expand=False).fillna("none").unique())
    if len(zones) > 1:
        problem = f"time zones are mixed ({', '.join(zones)}); each date is taken as it is written."
        faults.warn("time_zone", problem, file=raw.file, column=raw.label(column.name))


def _parse_days(days: Iterable[str]) -> np.ndarray:
    known: dict[str, np.datetime64] = {"": np.datetime64("NaT", "s")}
    out = []
    for day in days:
        if day not in known:
            try:
                known[day] = np.datetime64(date.fromisoformat(day), "s")
            except ValueError:
                known[day] = np.datetime64("NaT", "s")
        out.append(known[day])
    return np.array(out, dtype="datetime64[s]")
