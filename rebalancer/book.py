"""Book: the accounts, AMs, CSMs and pods of a team as checked frames, sorted by id.

A book directory holds one CSV file per table (`accounts.csv`, `ams.csv`, ...) and an optional `book.toml`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rebalancer.coverage import read_toml
from rebalancer.errors import Fault, Faults, UsageError, did_you_mean
from rebalancer.tables import TABLES, RawTable, Table, convert, from_frame, read_csv, to_text

BOOK_TOML = "book.toml"
SETTINGS = ("model", "effective_date", "overrides")


@dataclass(frozen=True)
class Book:
    """Checked tables, each a frame with the columns of `rebalancer.tables`, sorted by its key.

    `effective_date` is the day the plan is made for. `model` and `overrides` come from `book.toml`. `warnings` are
    what reading noticed. Frames are the book's own: change a copy, then build a new book with `from_frames`.
    """

    tables: Mapping[str, pd.DataFrame]
    effective_date: date
    model: str | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[Fault, ...] = ()

    @classmethod
    def from_frames(
        cls,
        accounts: pd.DataFrame,
        ams: pd.DataFrame,
        *,
        effective_date: date | str | None = None,
        model: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        **others: pd.DataFrame | None,
    ) -> Book:
        """A book from frames with the columns of `docs/columns.md`; `others` are csms, pods and further tables.

        Values may be text or typed (numbers, dates, booleans, lists). The frames are not changed. Raises
        `InvalidInput` with every fault found, `UsageError` for a table that does not exist.
        """
        unknown = [name for name in others if name not in TABLES]
        if unknown:
            raise UsageError(f'there is no table "{unknown[0]}". {did_you_mean(unknown[0], TABLES)}'.strip())
        frames = {"accounts": accounts, "ams": ams, **others}
        faults = Faults()
        raws = [from_frame(frame, TABLES[name], faults) for name, frame in frames.items() if frame is not None]
        day = _effective_date(effective_date, "effective_date")
        return _checked(raws, day, model, overrides or {}, faults)

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
        return self if effective_date is None else replace(self, effective_date=_effective_date(effective_date, ""))

    def __repr__(self) -> str:
        return f"Book({len(self.accounts):,} accounts, {len(self.ams):,} AMs, effective {self.effective_date})"


def load_book(path: str | Path) -> Book:
    """Read and check a book directory. Raises `InvalidInput` with every fault of every table."""
    folder = Path(path)
    if not folder.is_dir():
        raise UsageError(f'there is no book directory "{folder}". It holds accounts.csv, ams.csv and others.')
    faults = Faults()
    settings = _settings(folder / BOOK_TOML, faults)
    raws = []
    for table in TABLES.values():
        file = folder / f"{table.name}.csv"
        if file.is_file():
            raw = read_csv(file, table, faults)
            raws += [raw] if raw is not None else []
        elif table.required:
            faults.error("table", f"the book has no {file.name}.", f"Write it to {folder}.", file=file.name)
    _warn_of_unread_files(folder, faults)
    if not {"accounts", "ams"} <= {raw.table.name for raw in raws}:
        for raw in raws:
            convert(raw, faults)
        faults.raise_errors()
    day = settings.get("effective_date")
    return _checked(raws, day or date.today(), settings.get("model"), settings.get("overrides", {}), faults)


def _warn_of_unread_files(folder: Path, faults: Faults) -> None:
    """A file whose name is almost a table's is more likely a slip than meant to be left out."""
    for file in sorted(folder.glob("*.csv")):
        near = did_you_mean(file.stem, [name for name in TABLES if not (folder / f"{name}.csv").is_file()])
        if file.stem not in TABLES and near:
            faults.warn("unused_file", "the file is not read.", near.replace('"?', '.csv"?'), file=file.name)


def _settings(path: Path, faults: Faults) -> dict[str, Any]:
    if not path.is_file():
        return {}
    settings = read_toml(path)
    for key in settings:
        if key not in SETTINGS:
            cure = did_you_mean(key, SETTINGS) or f"Known keys: {', '.join(SETTINGS)}."
            faults.error("book_toml", "unknown key.", cure, file=path.name, column=key)
    for key, kind, words in (("model", str, "a text"), ("overrides", dict, "a table")):
        if key in settings and not isinstance(settings[key], kind):
            faults.error("book_toml", f"must be {words}.", "Correct it.", file=path.name, column=key)
    if "effective_date" in settings:
        try:
            settings["effective_date"] = _effective_date(settings["effective_date"], "")
        except UsageError:
            where = {"file": path.name, "column": "effective_date", "value": str(settings["effective_date"])}
            faults.error("book_toml", "not a date.", "Write it as YYYY-MM-DD.", **where)
    return settings


def _effective_date(value: object, where: str) -> date:
    if value is None:
        return date.today()
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        place = f"{where}: " if where else ""
        raise UsageError(f'{place}"{value}" is not a date. Write it as YYYY-MM-DD.') from None


def _checked(raws: list[RawTable], day: date, model: str | None, overrides: Mapping[str, Any], faults: Faults) -> Book:
    converted = {raw.table.name: convert(raw, faults) for raw in raws}
    _check_references(converted, {raw.table.name: raw for raw in raws}, faults)
    for name in ("accounts", "ams"):
        if converted[name].empty and all(raw.complete for raw in raws if raw.table.name == name):
            faults.error("empty", f"the {name} table has no rows.", "A book needs accounts and AMs.", file=name)
    faults.raise_errors()
    tables = {name: _sorted(converted.get(name), table) for name, table in TABLES.items()}
    return Book(tables, day, model, dict(overrides), tuple(faults.warnings))


def _sorted(frame: pd.DataFrame | None, table: Table) -> pd.DataFrame:
    if frame is None:
        return _empty(table).copy()
    order = list(table.key) or [column.name for column in table.columns if column.kind != "tags"]
    return frame.sort_values(order, kind="stable", ignore_index=True)


@cache
def _empty(table: Table) -> pd.DataFrame:
    frame = pd.DataFrame({column.name: [] for column in table.columns}, dtype=str)
    return convert(RawTable(table, table.name, frame, np.array([], dtype=np.int64)), Faults())


REFERENCES = (
    ("accounts", "owner", "ams", "am_id"),
    ("accounts", "csm", "csms", "csm_id"),
    ("accounts", "assign_to", "ams", "am_id"),
    ("accounts", "assign_csm", "csms", "csm_id"),
    ("pods", "am_id", "ams", "am_id"),
    ("pools", "am_id", "ams", "am_id"),
    ("pods", "csm_id", "csms", "csm_id"),
)


def _check_references(tables: dict[str, pd.DataFrame], raws: Mapping[str, RawTable], faults: Faults) -> None:
    """Every id that points to another table must be there; CSMs are free text where there is no csms table."""
    if "pods" in tables and "csms" not in tables:
        faults.error("table", "the book has pods but no csms table.", "Add csms with csm_id and name.", file="csms")
    for table, column, other, key in REFERENCES:
        if table not in tables or other not in tables or not raws[other].complete:
            continue
        unique = tables[other].drop_duplicates("name", keep=False)
        names = dict(zip(unique["name"], unique[key], strict=True))
        known = set(tables[other][key])
        if column in ("owner", "assign_to") and "pools" in tables:
            known |= set(tables["pools"]["pool_id"])
        values = tables[table][column]
        for index in np.flatnonzero(~values.isin(known | {""}).to_numpy()):
            value = str(values.iat[int(index)])
            cure = f'Use the id "{names[value]}" instead of the name.' if value in names else did_you_mean(value, known)
            faults.error(
                "unknown_id",
                f"there is no such {key} in {other}.",
                cure or f"Add it to {other}, or correct it.",
                file=raws[table].file,
                row=int(raws[table].rows[index]),
                column=column,
                value=value,
            )
