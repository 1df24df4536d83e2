"""Text into exact values: the only reader of cells that `verify` uses, shared with no other part of the product."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import pandas as pd

from rebalancer.errors import printable

PLAIN = re.compile(r"[+-]?([0-9]{1,40}(\.[0-9]{0,40})?|\.[0-9]{1,40})([eE][+-]?[0-9]{1,2})?")
FLAGS = {"": None, "true": True, "false": False}


class UnreadableError(Exception):
    """A piece of a run that cannot be read, so that nothing about it can be confirmed."""


def is_short(text: str) -> bool:
    """Whether the text is a few digits and nothing else: the whole number that almost every figure is."""
    return text.isascii() and text.isdigit() and len(text) <= 18


@lru_cache(maxsize=200_000)
def exact(text: str) -> Fraction | None:
    """The number that the text writes, exactly; None where it writes none."""
    return Fraction(text) if PLAIN.fullmatch(text) else None


@lru_cache(maxsize=100_000)
def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


@lru_cache(maxsize=100_000)
def _tags(text: str) -> frozenset[str]:
    return frozenset(part.strip() for part in text.split(";") if part.strip())


def cell(value: object) -> str:
    """One cell as text: missing is empty, a truth is `true` or `false`, 5.0 is `5`."""
    if isinstance(value, str):
        return value
    if value is None or value is pd.NA or value is pd.NaT or value != value:
        return ""
    text = str(value)
    if text in ("True", "False"):
        return text.lower()
    return text.removesuffix(".0") if isinstance(value, float) else text


def columns_of(frame: pd.DataFrame, file: str, needed: tuple[str, ...] = ()) -> dict[str, list[str]]:
    """The columns of a frame as text, by name. Raises `UnreadableError` where one of `needed` is missing or twice."""
    names = [str(name) for name in frame.columns]
    missing = [name for name in needed if name not in names]
    if missing or len(set(names)) < len(names):
        problem = f"has no column {missing[0]}" if missing else "names a column twice"
        raise UnreadableError(f"{file} {problem}")
    return {
        name: [value if type(value) is str else cell(value) for value in frame.iloc[:, at].tolist()]
        for at, name in enumerate(names)
    }


def read_csv(path: Path, file: str) -> pd.DataFrame:
    """A CSV file as a frame of text. Raises `UnreadableError` for what is no table of equally long lines."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
        lines = [line for line in csv.reader(io.StringIO(text, newline=""), strict=True) if line]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UnreadableError(f"{file} cannot be read: {error}") from None
    if not lines:
        raise UnreadableError(f"{file} has no header")
    wrong = next((at for at, line in enumerate(lines, start=1) if len(line) != len(lines[0])), None)
    if wrong is not None:
        raise UnreadableError(f"{file} line {wrong:,} has {len(lines[wrong - 1])} fields, its header {len(lines[0])}")
    return pd.DataFrame(lines[1:], columns=pd.Index(lines[0], dtype=object), dtype=object)


@dataclass(frozen=True, slots=True)
class Record:
    """One row of an input table; every reader raises `UnreadableError` naming the row and the column."""

    table: str
    key: str
    values: Mapping[str, str]

    def text(self, name: str) -> str:
        """The text of a column; empty where the table has no such column."""
        return self.values.get(name, "")

    def choice(self, name: str, known: tuple[str, ...]) -> str:
        """One of the known words, or empty."""
        text = self.text(name)
        if text and text not in known:
            raise self._refusal(name, f"not one of {', '.join(known)}")
        return text

    def number(self, name: str) -> Fraction | None:
        """The exact number, None where it is missing."""
        text = self.text(name)
        value = exact(text) if text else None
        if text and value is None:
            raise self._refusal(name, "not a number")
        return value

    def whole(self, name: str) -> int:
        """A whole number; missing is 0."""
        text = self.text(name)
        if is_short(text):
            return int(text)
        value = self.number(name) or Fraction(0)
        if value.denominator != 1:
            raise self._refusal(name, "not a whole number")
        return int(value)

    def day(self, name: str) -> date | None:
        """The date, None where it is missing."""
        text = self.text(name)
        value = _day(text) if text else None
        if text and value is None:
            raise self._refusal(name, "not a date")
        return value

    def flag(self, name: str) -> bool | None:
        """True, False or, where it is missing, None."""
        text = self.text(name)
        if text not in FLAGS:
            raise self._refusal(name, "neither true nor false")
        return FLAGS[text]

    def tags(self, name: str) -> frozenset[str]:
        """The words between semicolons."""
        return _tags(self.text(name))

    def _refusal(self, name: str, problem: str) -> UnreadableError:
        value = printable(self.text(name))
        return UnreadableError(f'inputs: {self.table} {printable(self.key)}, column {name}: "{value}" is {problem}')


def records(tables: Mapping[str, pd.DataFrame], table: str, key: str) -> Iterator[Record]:
    """The rows of an input table one by one, none where it is not there; no two have the same `key`, none a blank one.

    Columns in which nothing is written are as good as none.
    """
    if table not in tables:
        return
    columns = columns_of(tables[table], f"inputs: {table}", (key,))
    columns = {name: texts for name, texts in columns.items() if name == key or any(texts)}
    names, seen = list(columns), set()
    for values in zip(*columns.values(), strict=True):
        row = dict(zip(names, values, strict=True))
        if not row[key] or row[key] in seen:
            problem = f"twice the {key} {printable(row[key])}" if row[key] else f"a row without {key}"
            raise UnreadableError(f"inputs: {table} has {problem}")
        seen.add(row[key])
        yield Record(table, row[key], row)


def as_day(value: date | str) -> date:
    """A calendar day from a date, a time stamp or `YYYY-MM-DD`."""
    if isinstance(value, datetime):
        return value.date()
    day = value if isinstance(value, date) else _day(str(value))
    if day is None:
        raise UnreadableError(f'the effective date "{printable(str(value))}" is not a date')
    return day
