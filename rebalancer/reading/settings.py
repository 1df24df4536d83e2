"""`book.toml`: which file is which table, which header is which column, how to read them, and the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from rebalancer.coverage import read_toml
from rebalancer.errors import Faults, UsageError, did_you_mean
from rebalancer.reading.options import Options, options_of, refuse_unknown_column
from rebalancer.tables import TABLES

BOOK_TOML = "book.toml"
SETTINGS = ("model", "effective_date", "overrides", "files", "columns", "reading")
READING = ("decimal", "dates", "accept", "queues", "allow_empty")
KINDS: Mapping[str, tuple[type, str]] = {
    "model": (str, "a text"),
    "overrides": (dict, "a table"),
    "files": (dict, "a table"),
    "columns": (dict, "a table"),
    "reading": (dict, "a table"),
    "decimal": (str, "a text"),
    "dates": (str, "a text"),
    "accept": (list, "a list of texts"),
    "queues": (list, "a list of texts"),
    "allow_empty": (bool, "true or false"),
}


@dataclass(frozen=True)
class Settings:
    """A checked `book.toml`. `files` sends tables to `file` or `workbook.xlsx#sheet`."""

    model: str | None = None
    effective_date: date | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    options: Options = field(default_factory=Options)


def read_settings(path: Path, faults: Faults) -> Settings:
    """The settings of a book; every wrong key is noted, and left out."""
    if not path.is_file():
        return Settings()
    return settings_of(read_toml(path), path.name, faults)


def settings_of(given: Mapping[str, Any], file: str, faults: Faults) -> Settings:
    """The settings that a table of TOML holds; every wrong key is noted for `file`, and left out."""
    raw = _known(given, SETTINGS, file, "", faults)
    day = raw.get("effective_date")
    if day is not None:
        try:
            day = to_day(day)
        except UsageError:
            where = {"file": file, "column": "effective_date", "value": str(day)}
            faults.error("book_toml", "not a date.", "Write it as YYYY-MM-DD.", **where)
            day = None
    options = _options(raw, file, faults)
    files = _files(raw.get("files", {}), file, faults)
    return Settings(raw.get("model"), day, raw.get("overrides", {}), files, options)


def _known(raw: Mapping[str, Any], keys: tuple[str, ...], file: str, above: str, faults: Faults) -> dict[str, Any]:
    """The keys that exist and have the right kind; faults for the others."""
    good = {}
    for key, value in raw.items():
        kind, words = KINDS.get(key, (object, ""))
        texts = all(isinstance(entry, str) for entry in value) if isinstance(value, list) else True
        if key not in keys:
            cure = did_you_mean(key, keys) or f"Known keys: {', '.join(keys)}."
            faults.error("book_toml", "unknown key.", cure, file=file, column=f"{above}{key}")
        elif not isinstance(value, kind) or not texts:
            faults.error("book_toml", f"must be {words}.", "Correct it.", file=file, column=f"{above}{key}")
        else:
            good[key] = value
    return good


def _options(raw: Mapping[str, Any], file: str, faults: Faults) -> Options:
    columns = _columns(raw.get("columns", {}), file, faults)
    reading = _known(raw.get("reading", {}), READING, file, "reading.", faults)
    try:
        return options_of(columns, **reading)
    except UsageError as error:
        faults.error("book_toml", f"{error}", file=file, column="reading")
        return Options(columns)


def _columns(raw: Mapping[str, Any], file: str, faults: Faults) -> dict[str, str]:
    flat: dict[str, Any] = {}
    for key, value in raw.items():
        flat.update(
            {f"{key}.{name}": header for name, header in value.items()} if isinstance(value, dict) else {key: value}
        )
    good = {}
    for name, header in flat.items():
        try:
            refuse_unknown_column(name)
        except UsageError as error:
            faults.error("book_toml", f"{error}", file=file, column=f"columns.{name}")
            continue
        if isinstance(header, str) and header:
            good[name] = header
        else:
            faults.error("book_toml", "must be a text.", "Correct it.", file=file, column=f"columns.{name}")
    return good


def _files(raw: Mapping[str, Any], file: str, faults: Faults) -> dict[str, str]:
    good = {}
    for name, value in raw.items():
        column = f"files.{name}"
        if name not in TABLES:
            cure = did_you_mean(name, TABLES) or f"Tables: {', '.join(TABLES)}."
            faults.error("book_toml", "there is no such table.", cure, file=file, column=column)
        elif not isinstance(value, str) or not value:
            faults.error("book_toml", "must be a text.", "Correct it.", file=file, column=column)
        elif (
            PurePosixPath(value).is_absolute() or ".." in PurePosixPath(value.replace("\\", "/")).parts or ":" in value
        ):
            cure = "Put the file into the directory of the book."
            faults.error("book_toml", "the file is not in the book.", cure, file=file, column=column, value=value)
        else:
            good[name] = value
    return good


def to_day(value: object, where: str = "") -> date:
    """A day from a date or from text; `UsageError` where it is none."""
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        place = f"{where}: " if where else ""
        raise UsageError(f'{place}"{value}" is not a date. Write it as YYYY-MM-DD.') from None


def merged(settings: Options, given: Options) -> Options:
    """The options of `book.toml` with those of the call before them."""
    over = {name.rpartition(".")[2] for name in given.map if "." not in name}
    kept = {name: header for name, header in settings.map.items() if name.rpartition(".")[2] not in over}
    return Options(
        {**kept, **given.map},
        settings.accept | given.accept,
        given.decimal or settings.decimal,
        given.dates or settings.dates,
        settings.queues | given.queues,
    )
