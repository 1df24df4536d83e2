"""Book: the accounts, AMs, CSMs and pods of a team as checked frames, sorted by id.

A book is a directory with one file per table (`accounts.csv`, `ams.parquet`, ...) and an optional `book.toml`, or one
XLSX with a sheet per table. How files are read is the business of `rebalancer.reading`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rebalancer.errors import Fault, Faults, InvalidInput, UsageError, did_you_mean, printable
from rebalancer.reading.assemble import from_frame
from rebalancer.reading.checks import check_book
from rebalancer.reading.convert import convert, without_repeated_rows
from rebalancer.reading.files import refuse_url
from rebalancer.reading.ids import unify_ids
from rebalancer.reading.options import AcceptedFaults, Options, options_of
from rebalancer.reading.people import resolve_people
from rebalancer.reading.raw import Mapped, RawTable, RowCount
from rebalancer.reading.settings import BOOK_TOML, SETTINGS, Settings, merged, read_settings, to_day
from rebalancer.reading.sources import find_sources
from rebalancer.tables import TABLES, Table, to_text

__all__ = ["BOOK_TOML", "SETTINGS", "Book", "load_book"]


@dataclass(frozen=True)
class Book:
    """Checked tables, each a frame with the columns of `rebalancer.tables`, sorted by its key.

    `effective_date` is the day the plan is made for; `dated`: somebody named it, else it is today. `model` and
    `overrides` come from `book.toml`. `warnings` are what reading noticed, `mapping` which header was read as which
    column, `row_counts` the rows read, kept and rejected of each table. Frames are the book's own: change a copy, then
    build a new book with `from_frames`.
    """

    tables: Mapping[str, pd.DataFrame]
    effective_date: date
    model: str | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[Fault, ...] = ()
    mapping: tuple[Mapped, ...] = ()
    row_counts: tuple[RowCount, ...] = ()
    dated: bool = False

    @classmethod
    def from_frames(
        cls,
        accounts: pd.DataFrame,
        ams: pd.DataFrame,
        *,
        effective_date: date | str | None = None,
        model: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        map: Mapping[str, str] | Iterable[str] | None = None,  # noqa: A002
        accept: Iterable[str] | str = (),
        decimal: str | None = None,
        dates: str | None = None,
        queues: Iterable[str] = (),
        allow_empty: bool = False,
        **others: pd.DataFrame | None,
    ) -> Book:
        """A book from frames with the columns of `docs/columns.md`; `others` are csms, pods and further tables.

        Values may be text or typed (numbers, dates, booleans, lists). The frames are not changed. The reading options
        are those of `load_book`. Raises `InvalidInput` with every fault found, `UsageError` for an unknown table.
        """
        unknown = [name for name in others if name not in TABLES]
        if unknown:
            raise UsageError(f'there is no table "{unknown[0]}". {did_you_mean(unknown[0], TABLES)}'.strip())
        options = options_of(map, accept, decimal, dates, queues, allow_empty)
        faults = AcceptedFaults(options.accept)
        frames = {"accounts": accounts, "ams": ams, **others}
        read = [from_frame(frame, TABLES[name], options, faults) for name, frame in frames.items() if frame is not None]
        day = date.today() if effective_date is None else to_day(effective_date, "effective_date")
        book = _checked([raw for raw in read if raw is not None], day, model, overrides or {}, faults, options)
        return replace(book, dated=effective_date is not None)

    @property
    def accounts(self) -> pd.DataFrame:
        """One row per account, sorted by `account_id`."""
        return self.tables["accounts"]

    @property
    def ams(self) -> pd.DataFrame:
        """One row per AM, sorted by `am_id`."""
        return self.tables["ams"]

    @property
    def csms(self) -> pd.DataFrame:
        """One row per CSM, sorted by `csm_id`; empty without a csms table."""
        return self.tables["csms"]

    @property
    def pods(self) -> pd.DataFrame:
        """One row per AM and CSM of a pod; empty without a pods table."""
        return self.tables["pods"]

    def text_tables(self) -> dict[str, pd.DataFrame]:
        """Every table that has rows as canonical text, the form written to `inputs/` and read by `verify`."""
        return {name: to_text(frame) for name, frame in self.tables.items() if len(frame)}

    def on(self, effective_date: date | str | None) -> Book:
        """The same book on another effective date; None changes nothing."""
        if effective_date is None:
            return self
        return replace(self, effective_date=to_day(effective_date), dated=True)

    def __repr__(self) -> str:
        return f"Book({len(self.accounts):,} accounts, {len(self.ams):,} AMs, effective {self.effective_date})"


def load_book(
    path: str | Path,
    *,
    map: Mapping[str, str] | Iterable[str] | None = None,  # noqa: A002
    accept: Iterable[str] | str = (),
    decimal: str | None = None,
    dates: str | None = None,
    queues: Iterable[str] = (),
    allow_empty: bool = False,
) -> Book:
    """Read and check a book: a directory of CSV, Parquet or XLSX files, or one XLSX with a sheet per table.

    `map` sends our columns to the headers of the files (`{"owner": "Account Owner"}`), `accept` names the faults that
    are fine, `decimal` (`"."` or `","`) and `dates` (`"DMY"`, `"MDY"`, `"YMD"`) say how to read what is ambiguous,
    `queues` are owners that are nobody. They add to those of `book.toml`. Raises `InvalidInput` with every fault of
    every table.
    """
    refuse_url(path)
    place = Path(path)
    given = options_of(map, accept, decimal, dates, queues, allow_empty)
    noted = Faults()
    settings = read_settings(place / BOOK_TOML, noted) if place.is_dir() else Settings()
    options = merged(settings.options, given)
    faults = AcceptedFaults(options.accept)
    faults.errors.extend(noted.errors)
    raws = find_sources(place, settings.files, options, faults).raws()
    day = settings.effective_date or date.today()
    book = _checked(raws, day, settings.model, settings.overrides, faults, options)
    return replace(book, dated=settings.effective_date is not None)


def _checked(
    raws: list[RawTable],
    day: date,
    model: str | None,
    overrides: Mapping[str, Any],
    faults: AcceptedFaults,
    options: Options,
) -> Book:
    by_name = {raw.table.name: raw for raw in raws}
    unify_ids(by_name, faults)
    resolve_people(by_name, faults)
    by_name = {name: without_repeated_rows(raw, faults) for name, raw in by_name.items()}
    frames = {name: convert(raw, faults) for name, raw in by_name.items()}
    if {"accounts", "ams"} <= set(frames):
        check_book(frames, by_name, faults)
    _check_maps(by_name, options, faults)
    for name, frame in frames.items():
        if frame.empty and by_name[name].complete and not options.allow_empty:
            required = "A book needs accounts and AMs." if TABLES[name].required else "Delete it, or use --allow-empty."
            faults.error("empty", f"the {name} table has no rows.", required, file=name)
    if faults.errors:
        raise _with_counts(InvalidInput(faults.errors), raws)
    counts = tuple(RowCount(name, raw.file, raw.read, len(frames[name]), raw.read - len(frames[name]))
                   for name, raw in by_name.items())  # fmt: skip
    tables = {name: _sorted(frames.get(name), table) for name, table in TABLES.items()}
    mapping = tuple(entry for raw in raws for entry in raw.mapping)
    return Book(tables, day, model, dict(overrides), tuple(faults.warnings), mapping, counts)


def _with_counts(error: InvalidInput, raws: Iterable[RawTable]) -> InvalidInput:
    """The error with a note on how many rows of each table were at fault."""
    for raw in raws:
        wrong = {fault.row for fault in error.faults if fault.file == raw.file and fault.row is not None}
        rejected = len(wrong & {int(row) for row in raw.rows}) + raw.read - len(raw.frame)
        error.add_note(str(RowCount(raw.table.name, raw.file, raw.read, raw.read - rejected, rejected)))
    return error


def _check_maps(raws: Mapping[str, RawTable], options: Options, faults: AcceptedFaults) -> None:
    """A header given for a column of several tables must be in one of them."""
    used = {entry.column for raw in raws.values() for entry in raw.mapping if entry.how == "given"}
    for name, header in options.map.items():
        if "." not in name and name not in used and not any(fault.code in ("map", "tie") for fault in faults.errors):
            problem = f'the column "{printable(header)}", mapped to {name}, is in no table.'
            faults.error("map", problem, "Write the header as it is in the file.")


def _sorted(frame: pd.DataFrame | None, table: Table) -> pd.DataFrame:
    if frame is None:
        return _empty(table).copy()
    order = list(table.key) or [column.name for column in table.columns if column.kind != "tags"]
    return frame.sort_values(order, kind="stable", ignore_index=True)


@cache
def _empty(table: Table) -> pd.DataFrame:
    frame = pd.DataFrame({column.name: [] for column in table.columns}, dtype=str)
    return convert(RawTable(table, table.name, frame, np.array([], dtype=np.int64)), AcceptedFaults())
