"""The declared tables of a book: their columns, how text becomes values, and values become text again.

Everything is read as text first and converted column by column, so that a region `NA`, a leading zero and an id
such as `0015E000012` survive. Every fault of every table is gathered before anything is raised.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from rebalancer.errors import Faults, did_you_mean

Kind = Literal["id", "text", "money", "number", "flag", "date", "tags"]

MAX_ID = 200
MAX_MONEY = 10**12
FLAGS = {
    **dict.fromkeys(("true", "t", "yes", "y", "1", "ja", "x"), True),
    **dict.fromkeys(("false", "f", "no", "n", "0", "nein"), False),
}


@dataclass(frozen=True)
class Column:
    """One column: `kind` says how its text is read, `low` and `high` bound a number, `choices` a text."""

    name: str
    kind: Kind = "text"
    required: bool = False
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Table:
    """One table of a book. No two rows have the same `key`."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    required: bool = False

    def column(self, name: str) -> Column:
        """The declared column of that name."""
        return next(column for column in self.columns if column.name == name)


def _columns(required: str, **kinds: str) -> tuple[Column, ...]:
    """Columns of plain kinds from names: `_columns("a b", date="c d")` makes a and b required text."""
    plain = [Column(name, "text", required=True) for name in required.split()]
    return (*plain, *(Column(name, kind) for kind, names in kinds.items() for name in names.split()))  # type: ignore[arg-type]


TIERS = ("strategic", "enterprise", "mid_market", "smb")
BOOK_KINDS = ("segmented", "blended", "pooled", "open")
STATUSES = ("active", "open", "leave", "inactive")

ACCOUNTS = Table(
    "accounts",
    (
        Column("account_id", "id", required=True),
        Column("name", required=True),
        Column("owner", "id", required=True),
        Column("arr", "money", required=True),
        Column("csm", "id"),
        Column("tier", choices=TIERS),
        Column("region"),
        Column("products", "number", low=0, high=10_000),
        Column("stakeholders", "number", low=0, high=1_000_000),
        Column("complexity", "number", low=0.01, high=100),
        Column("industry"),
        Column("parent_id", "id"),
        Column("lock", "flag"),
        Column("lock_reason"),
        Column("lock_until", "date"),
        Column("renewal_date", "date"),
        Column("owner_since", "date"),
        Column("csm_since", "date"),
        Column("opportunity", "money"),
        Column("health", "number", low=0, high=100),
        Column("language"),
        Column("skills", "tags"),
        Column("grr_forecast", "number", low=0, high=1),
        Column("nrr_forecast", "number", low=0, high=100),
        Column("last_touch", "date"),
        Column("ae_hold_until", "date"),
        Column("assign_to", "id"),
        Column("assign_csm", "id"),
        Column("exclude", "flag"),
        Column("exclude_reason"),
        Column("is_global", "flag"),
        Column("gam", "id"),
        Column("sponsor"),
        Column("expansion_arr_12m", "money"),
        Column("contracts", "number", low=0),
        Column("coterminous", "flag"),
        Column("wallet_share", "number", low=0, high=1),
        Column("currency"),
    ),
    key=("account_id",),
    required=True,
)

AMS = Table(
    "ams",
    (
        Column("am_id", "id", required=True),
        Column("name", required=True),
        Column("role"),
        Column("book", choices=BOOK_KINDS),
        Column("tiers", "tags", choices=TIERS),
        Column("region", "tags"),
        Column("language", "tags"),
        Column("skills", "tags"),
        Column("capacity", "number", low=0, high=1_000_000),
        Column("fte", "number", low=0, high=10),
        Column("ramp", "number", low=0, high=1),
        Column("receives", "flag"),
        Column("status", choices=STATUSES),
        Column("starts_on", "date"),
        Column("leaves_on", "date"),
        Column("manager"),
        Column("max_accounts", "number", low=0, high=1_000_000),
        Column("floor", "number", low=0, high=1),
        Column("email"),
        Column("cost", "money"),
    ),
    key=("am_id",),
    required=True,
)

CSMS = Table(
    "csms",
    (
        Column("csm_id", "id", required=True),
        Column("name", required=True),
        Column("capacity", "number", low=0, high=1_000),
        Column("fte", "number", low=0, high=10),
        Column("ramp", "number", low=0, high=1),
        Column("region", "tags"),
        Column("starts_on", "date"),
        Column("leaves_on", "date"),
        Column("regulated", "flag"),
        Column("extra_duties", "flag"),
    ),
    key=("csm_id",),
)

PODS = Table(
    "pods",
    tuple(Column(name, "id", required=True) for name in ("pod_id", "am_id", "csm_id")),
    key=("pod_id", "am_id", "csm_id"),
)

POOLS = Table("pools", tuple(Column(name, "id", required=True) for name in ("pool_id", "am_id")), key=("am_id",))

TOUCHES = Table("touches", _columns("account_id", id="am_id", date="date", text="kind"))
OPPORTUNITIES = Table(
    "opportunities",
    _columns("account_id", text="type stage discovered_by", money="amount forecast", date="close_date"),
)
HISTORY = Table("history", _columns("account_id role", id="from to", date="date"))
QUOTAS = Table("quotas", _columns("am_id period", money="quota actual"))
SPLITS = Table("splits", _columns("account_id am_id", text="role decided_by", number="credit"))
METRICS = Table("metrics", _columns("subject id name", number="value target", date="date"))

TABLES = {
    table.name: table
    for table in (ACCOUNTS, AMS, CSMS, PODS, POOLS, TOUCHES, OPPORTUNITIES, HISTORY, QUOTAS, SPLITS, METRICS)
}


@dataclass(frozen=True)
class RawTable:
    """A table as text. `rows` is the spreadsheet row of each line of `frame`; `file` is what messages call it.

    `complete` is False where lines had to be left out, so that what is missing here may not be missing at all.
    """

    table: Table
    file: str
    frame: pd.DataFrame
    rows: np.ndarray = field(repr=False)
    complete: bool = True


def read_csv(path: Path, table: Table, faults: Faults) -> RawTable | None:
    """Read one UTF-8 CSV file with a header as text; lines of the wrong length are faults, never shifted."""
    content = path.read_bytes()
    try:
        text = content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        faults.error(
            "encoding",
            f"byte {error.start:,}, in line {line:,}, is not UTF-8.",
            'Save the file as "CSV UTF-8".',
            file=path.name,
        )
        return None
    if "\x00" in text:
        faults.error("nul", "the file holds NUL bytes.", "Export it again as text.", file=path.name)
        return None
    lines: list[list[str]] = []
    try:
        lines.extend(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        problem = f"the file is not a readable CSV from here on ({error})."
        faults.error("csv", problem, "Check the quotes of this row.", file=path.name, row=len(lines) + 1)
        return None
    return _from_lines(lines, path.name, table, faults)


def _from_lines(lines: list[list[str]], file: str, table: Table, faults: Faults) -> RawTable | None:
    if not lines or not any(cell.strip() for cell in lines[0]):
        faults.error("empty", "the file has no header.", "The first line names the columns.", file=file)
        return None
    header = [cell.strip() for cell in lines[0]]
    rows = [number for number, line in enumerate(lines[1:], start=2) if any(cell.strip() for cell in line)]
    wrong = [number for number in rows if len(lines[number - 1]) != len(header)]
    for number in wrong:
        faults.error(
            "length",
            f"the row has {len(lines[number - 1])} fields and the header {len(header)}.",
            "Quote fields that hold a comma.",
            file=file,
            row=number,
        )
    rows = [number for number in rows if len(lines[number - 1]) == len(header)]
    cells = [[cell.strip() for cell in lines[number - 1]] for number in rows]
    frame = pd.DataFrame(cells, columns=pd.Index(header, dtype=object), dtype=str)
    return RawTable(table, file, frame, np.array(rows, dtype=np.int64), complete=not wrong)


def from_frame(frame: pd.DataFrame, table: Table, faults: Faults) -> RawTable:
    """A caller's frame as text, with its values written as they would be in a CSV; the frame is not changed."""
    _check_digits(frame, table, faults)
    text = {str(name): frame[name].map(cell_text) for name in frame.columns if not _is_repeated(frame, name)}
    repeated = [str(name) for name in frame.columns if _is_repeated(frame, name)]
    out = pd.DataFrame(text, dtype=str) if text else pd.DataFrame(index=range(len(frame)))
    for name in repeated:
        out.insert(len(out.columns), name, "", allow_duplicates=True)
    return RawTable(table, table.name, out.reset_index(drop=True), np.arange(2, len(frame) + 2))


def _check_digits(frame: pd.DataFrame, table: Table, faults: Faults) -> None:
    """Ids that pandas holds as floats lose digits beyond 2^53; one blank cell among integers is enough for that."""
    for column in table.columns:
        if column.kind != "id" or column.name not in frame.columns or _is_repeated(frame, column.name):
            continue
        for index, value in enumerate(frame[column.name]):
            if isinstance(value, (float, np.floating)) and abs(float(value)) >= 2**53:
                problem = "the id is a number of more than 15 digits, and its last ones are lost."
                where = {"file": table.name, "row": index + 2, "column": column.name, "value": cell_text(value)}
                faults.error("digits", problem, "Read the column as text (dtype=str).", **where)


def _is_repeated(frame: pd.DataFrame, name: object) -> bool:
    return bool((frame.columns == name).sum() > 1)


def cell_text(value: object) -> str:
    """One value as the text a CSV would hold: missing is empty, 5.0 is `5`, a list is joined by `;`."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, (list, tuple, set, frozenset, np.ndarray)):
        parts = sorted(value, key=str) if isinstance(value, (set, frozenset)) else list(value)
        return ";".join(cell_text(part) for part in parts)
    if pd.isna(value):  # type: ignore[call-overload]
        return ""
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (datetime, np.datetime64, pd.Timestamp)):
        return pd.Timestamp(value).strftime("%Y-%m-%d")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (float, np.floating)):
        return number_text(Decimal(repr(float(value)))) if np.isfinite(value) else str(value)
    return str(value)


def number_text(value: Decimal) -> str:
    """A decimal without exponent or trailing zeros: `0.20` is `0.2`, `1E+3` is `1000`."""
    text = format(value, "f")
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text


def convert(raw: RawTable, faults: Faults) -> pd.DataFrame:
    """The declared columns of a raw table as values; a missing optional column is filled with "unknown".

    Text, ids: `str`, missing is empty. money: int64 whole dollars, half-up (missing 0). number: float64 (NaN).
    flag: object True, False or None. date: datetime64[s] (NaT). tags: tuples of text.
    """
    table, frame = raw.table, raw.frame
    _check_header(raw, faults)
    out = {}
    for column in table.columns:
        there = column.name in frame.columns and not _is_repeated(frame, column.name)
        text = frame[column.name] if there else pd.Series([""] * len(frame), dtype=str)
        out[column.name] = _CONVERTERS[column.kind](text, column, raw, faults)
        if there and (column.name in table.key or (column.required and column.kind == "money")):
            _fault_rows(text == "", text, column, raw, faults, "blank", "the value is missing.", "Fill it in.")
    result = pd.DataFrame(out)
    _check_key(result, raw, faults)
    return result


def _check_header(raw: RawTable, faults: Faults) -> None:
    names = [column.name for column in raw.table.columns]
    present = list(raw.frame.columns)
    for name in dict.fromkeys(present):
        if name and present.count(name) > 1:
            faults.error("column", f'the column "{name}" is there twice.', "Keep one.", file=raw.file)
    unused = [name for name in present if name not in names]
    for column in raw.table.columns:
        if column.required and column.name not in present:
            near = did_you_mean(column.name, unused)
            hint = near.replace("Did you mean", "Rename").replace("?", f' to "{column.name}".') if near else ""
            cure = hint or f"Columns found: {', '.join(present)}."
            faults.error("column", f'the required column "{column.name}" is missing.', cure, file=raw.file)
    for name in unused:
        near = did_you_mean(name, [known for known in names if known not in present])
        if near:
            faults.warn("unused_column", f'the column "{name}" is not used.', near, file=raw.file)


def _check_key(frame: pd.DataFrame, raw: RawTable, faults: Faults) -> None:
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
                file=raw.file,
                row=int(raw.rows[index]),
                column=key[0],
                value=str(values[0]),
            )
        first_row.setdefault(values, int(raw.rows[index]))


def _fault_rows(
    wrong: pd.Series, text: pd.Series, column: Column, raw: RawTable, faults: Faults, code: str, problem: str, cure: str
) -> None:
    for index in np.flatnonzero(wrong.to_numpy(dtype=bool)):
        faults.error(
            code,
            problem,
            cure,
            file=raw.file,
            row=int(raw.rows[index]),
            column=column.name,
            value=str(text.iat[int(index)]),
        )


def _to_text(text: pd.Series, column: Column, raw: RawTable, faults: Faults) -> pd.Series:
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
                file=raw.file,
                row=int(raw.rows[index]),
                column=column.name,
                value=value,
            )
    if column.kind == "id":
        long = text.str.len() > MAX_ID
        cure = "Shorten it in the source."
        _fault_rows(long, text, column, raw, faults, "length", f"an id has at most {MAX_ID} characters.", cure)
    return text


def _plain_number(text: pd.Series, column: Column, raw: RawTable, faults: Faults) -> pd.Series:
    """The text where it is a plain decimal, else empty after noting the fault."""
    wrong = (text != "") & ~text.str.fullmatch(r"[+-]?([0-9]{1,30}(\.[0-9]{0,30})?|\.[0-9]{1,30})")
    cure = "Write plain digits with a point, such as 120000 or 0.75, without currency signs or separators."
    _fault_rows(wrong, text, column, raw, faults, "number", "not a plain number.", cure)
    return text.mask(wrong, "")


def _to_money(text: pd.Series, column: Column, raw: RawTable, faults: Faults) -> pd.Series:
    """Whole dollars, rounded half-up (away from zero) on the decimal text itself, never through a float."""
    plain = _plain_number(text, column, raw, faults)
    digits = plain.str.extract(r"^[+-]?0*([0-9]*)\.?([0-9]?)")
    long = digits[0].str.len() > len(str(MAX_MONEY))
    whole = digits[0].mask((digits[0] == "") | long, "0").astype("int64")
    dollars = whole + digits[1].isin(list("56789")).astype("int64")
    too_large = long | (dollars > MAX_MONEY)
    problem = f"more than ${MAX_MONEY:,} can't be meant."
    _fault_rows(too_large, text, column, raw, faults, "range", problem, "Give the amount in dollars.")
    return dollars.mask(too_large, 0) * np.where(plain.str.startswith("-"), -1, 1)


def _to_number(text: pd.Series, column: Column, raw: RawTable, faults: Faults) -> pd.Series:
    plain = _plain_number(text, column, raw, faults)
    value = pd.to_numeric(plain.where(plain != "", None)).astype("float64")
    low = -np.inf if column.low is None else column.low
    high = np.inf if column.high is None else column.high
    outside = value.notna() & ~value.between(low, high)
    between = f"the value must lie between {low:g} and {high:,.10g}."
    allowed = between if high < np.inf else f"the value is below {low:g}."
    _fault_rows(outside, text, column, raw, faults, "range", allowed, "Correct it.")
    return value.mask(outside)


def _to_flag(text: pd.Series, column: Column, raw: RawTable, faults: Faults) -> pd.Series:
    lower = text.str.lower()
    wrong = (lower != "") & ~lower.isin(list(FLAGS))
    _fault_rows(wrong, text, column, raw, faults, "flag", "neither true nor false.", "Write true or false.")
    return pd.Series([FLAGS.get(value) for value in lower], dtype=object)


def _to_date(text: pd.Series, column: Column, raw: RawTable, faults: Faults) -> pd.Series:
    day = text.str.extract(r"^([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[T ][0-9]{2}:[0-9]{2}[0-9:.,+Z-]*)?$", expand=False)
    value = pd.Series(_parse_days(day.fillna("")), dtype="datetime64[s]")
    wrong = (text != "") & (value.isna() | (value.dt.year < 1900))
    cure = "Write the date as YYYY-MM-DD."
    _fault_rows(wrong, text, column, raw, faults, "date", "not a date between 1900 and 9999.", cure)
    return value.mask(wrong)


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


def _no_nul(text: pd.Series, column: Column, raw: RawTable, faults: Faults) -> None:
    """A frame can carry what `read_csv` refuses, and no file could be written from it."""
    nul = text.str.contains("\x00", regex=False).astype(bool)
    _fault_rows(nul, text, column, raw, faults, "nul", "the value holds a NUL character.", "Remove it.")


def _to_tags(text: pd.Series, column: Column, raw: RawTable, faults: Faults) -> pd.Series:
    _no_nul(text, column, raw, faults)
    known: dict[str, tuple[str, ...]] = {}
    for value in text.unique():
        known[value] = tuple(dict.fromkeys(part.strip() for part in value.split(";") if part.strip()))
    if column.choices:
        wrong = text.map(lambda value: any(tag not in column.choices for tag in known[value])).astype(bool)
        problem = f"every entry must be one of {', '.join(column.choices)}."
        _fault_rows(wrong, text, column, raw, faults, "choice", problem, 'Separate several by ";".')
    return pd.Series([known[value] for value in text], dtype=object)


_CONVERTERS = {
    "id": _to_text,
    "text": _to_text,
    "money": _to_money,
    "number": _to_number,
    "flag": _to_flag,
    "date": _to_date,
    "tags": _to_tags,
}


def to_text(frame: pd.DataFrame) -> pd.DataFrame:
    """A checked table as canonical text: what `convert` reads back to the same values."""
    return pd.DataFrame({name: frame[name].map(cell_text) for name in frame.columns}, dtype=str)
