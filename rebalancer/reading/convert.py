"""Text becomes values, column by column; every value that can't be meant is named with its row.

What could mean two things, `1,200` or `03/04/2026`, is an error until the reading options say which.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from rebalancer.errors import did_you_mean
from rebalancer.reading.amounts import plain_amounts
from rebalancer.reading.days import to_days
from rebalancer.reading.options import AcceptedFaults
from rebalancer.reading.raw import RawTable, fault_rows
from rebalancer.tables import Column, Kind

MAX_ID = 200
MAX_MONEY = 10**12
FLAGS = {
    **dict.fromkeys(("true", "t", "yes", "y", "1", "ja", "x"), True),
    **dict.fromkeys(("false", "f", "no", "n", "0", "nein"), False),
}


def convert(raw: RawTable, faults: AcceptedFaults) -> pd.DataFrame:
    """The declared columns of a raw table as values; a missing optional column is filled with "unknown".

    Text, ids: `str`, missing is empty. money: int64 whole dollars, half-up (missing 0). number: float64 (NaN).
    flag: object True, False or None. date: datetime64[s] (NaT). tags: tuples of text.
    """
    table, frame = raw.table, raw.frame
    faults.errors.extend(raw.header_faults[0])
    faults.warnings.extend(raw.header_faults[1])
    out = {}
    for column in table.columns:
        there = column.name in frame.columns
        if not there or not frame[column.name].astype(bool).any():
            out[column.name] = _nothing(column.kind, len(frame))
        else:
            out[column.name] = _converted(frame[column.name], column, raw, faults)
        if there and (column.name in table.key or (column.required and column.kind == "money")):
            text = frame[column.name]
            fault_rows(text == "", text, column, raw, faults, "blank", "the value is missing.", "Fill it in.")
    result = pd.DataFrame(out)
    _check_key(result, raw, faults)
    return result


def _converted(text: pd.Series, column: Column, raw: RawTable, faults: AcceptedFaults) -> pd.Series:
    """The values of a column, each distinct text read once; where there is something to say, row by row instead."""
    code, distinct = pd.factorize(text)
    noted = AcceptedFaults(faults.accept)
    values = _CONVERTERS[column.kind](pd.Series(distinct, dtype=str), column, raw, noted)
    if noted.errors or noted.warnings:
        return _CONVERTERS[column.kind](text, column, raw, faults)
    return values.take(code).set_axis(text.index)


def _nothing(kind: Kind, rows: int) -> pd.Series:
    """A column in which nothing is known."""
    if kind in ("id", "text"):
        return pd.Series([""] * rows, dtype=str)
    if kind in ("flag", "tags"):
        return pd.Series([None if kind == "flag" else ()] * rows, dtype=object)
    if kind == "date":
        return pd.Series(np.full(rows, np.datetime64("NaT", "s")))
    return pd.Series(np.zeros(rows, dtype=np.int64) if kind == "money" else np.full(rows, np.nan))


def without_repeated_rows(raw: RawTable, faults: AcceptedFaults) -> RawTable:
    """The table without rows that repeat another one in every column; a table of keys alone is left as it is."""
    if not raw.table.key or set(raw.frame.columns) <= set(raw.table.key):
        return raw
    again = raw.frame.duplicated(keep="first").to_numpy()
    if not again.any():
        return raw
    rows = ", ".join(f"{int(row):,}" for row in raw.rows[again][:5])
    more = f" and {int(again.sum()) - 5:,} more" if again.sum() > 5 else ""
    problem = f"{'row repeats' if again.sum() == 1 else 'rows repeat'} an earlier one: {rows}{more}; read once."
    faults.warn("repeated_row", problem, file=raw.file)
    return replace(raw, frame=raw.frame[~again].reset_index(drop=True), rows=raw.rows[~again])


def _check_key(frame: pd.DataFrame, raw: RawTable, faults: AcceptedFaults) -> None:
    key = list(raw.table.key)
    if not key or frame.empty:
        return
    filled = (frame[key] != "").all(axis=1)
    again = filled & frame.duplicated(key, keep="first")
    if not again.any():
        return
    first_row: dict[tuple[str, ...], int] = {}
    for index, values in enumerate(frame[key].itertuples(index=False, name=None)):
        if values in first_row and again.iat[index]:
            faults.error(
                "duplicate",
                f"the same {', '.join(key)} as in row {first_row[values]:,}.",
                "Keep one of the two rows.",
                value=str(values[0]),
                **raw.where(index, key[0]),
            )
        first_row.setdefault(values, int(raw.rows[index]))


def _to_text(text: pd.Series, column: Column, raw: RawTable, faults: AcceptedFaults) -> pd.Series:
    _no_nul(text, column, raw, faults)
    if column.choices:
        unknown = (text != "") & ~text.isin(column.choices)
        for index in np.flatnonzero(unknown.to_numpy(dtype=bool)):
            value = str(text.iat[int(index)])
            cure = did_you_mean(value.replace("-", "_").replace(" ", "_"), column.choices)
            faults.error(
                "choice",
                f"not one of {', '.join(column.choices)}.",
                cure,
                value=value,
                **raw.where(int(index), column.name),
            )
    if column.kind == "id":
        long = text.str.len() > MAX_ID
        cure = "Shorten it in the source."
        fault_rows(long, text, column, raw, faults, "length", f"an id has at most {MAX_ID} characters.", cure)
    return text


def _to_money(text: pd.Series, column: Column, raw: RawTable, faults: AcceptedFaults) -> pd.Series:
    """Whole dollars, rounded half-up (away from zero) on the decimal text itself, never through a float."""
    plain = plain_amounts(text, column, raw, faults)
    digits = plain.str.extract(r"^[+-]?0*([0-9]*)\.?([0-9]?)")
    long = digits[0].str.len() > len(str(MAX_MONEY))
    whole = digits[0].mask((digits[0] == "") | long, "0").astype("int64")
    dollars = whole + digits[1].isin(list("56789")).astype("int64")
    too_large = long | (dollars > MAX_MONEY)
    problem = f"more than ${MAX_MONEY:,} can't be meant."
    fault_rows(too_large, text, column, raw, faults, "range", problem, "Give the amount in dollars.")
    return dollars.mask(too_large, 0) * np.where(plain.str.startswith("-"), -1, 1)


def _to_number(text: pd.Series, column: Column, raw: RawTable, faults: AcceptedFaults) -> pd.Series:
    plain = plain_amounts(text, column, raw, faults)
    value = pd.to_numeric(plain.where(plain != "", None)).astype("float64")
    low = -np.inf if column.low is None else column.low
    high = np.inf if column.high is None else column.high
    outside = value.notna() & ~value.between(low, high)
    between = f"the value must lie between {low:g} and {high:,.10g}."
    allowed = between if high < np.inf else f"the value is below {low:g}."
    fault_rows(outside, text, column, raw, faults, "range", allowed, "Correct it.")
    return value.mask(outside)


def _to_flag(text: pd.Series, column: Column, raw: RawTable, faults: AcceptedFaults) -> pd.Series:
    lower = text.str.lower()
    wrong = (lower != "") & ~lower.isin(list(FLAGS))
    fault_rows(wrong, text, column, raw, faults, "flag", "neither true nor false.", "Write true or false.")
    return pd.Series([FLAGS.get(value) for value in lower], dtype=object)


def _no_nul(text: pd.Series, column: Column, raw: RawTable, faults: AcceptedFaults) -> None:
    """A frame can carry what a file is refused for, and no file could be written from it."""
    nul = text.str.contains("\x00", regex=False).astype(bool)
    fault_rows(nul, text, column, raw, faults, "nul", "the value holds a NUL character.", "Remove it.")


def _to_tags(text: pd.Series, column: Column, raw: RawTable, faults: AcceptedFaults) -> pd.Series:
    _no_nul(text, column, raw, faults)
    known: dict[str, tuple[str, ...]] = {}
    for value in text.unique():
        known[value] = tuple(dict.fromkeys(part.strip() for part in value.split(";") if part.strip()))
    if column.choices:
        wrong = text.map(lambda value: any(tag not in column.choices for tag in known[value])).astype(bool)
        problem = f"every entry must be one of {', '.join(column.choices)}."
        fault_rows(wrong, text, column, raw, faults, "choice", problem, 'Separate several by ";".')
    return pd.Series([known[value] for value in text], dtype=object)


_CONVERTERS = {
    "id": _to_text,
    "text": _to_text,
    "money": _to_money,
    "number": _to_number,
    "flag": _to_flag,
    "date": to_days,
    "tags": _to_tags,
}
