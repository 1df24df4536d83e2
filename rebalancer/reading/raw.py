"""What reading hands on: a grid of text as a file holds it, a table of text under our names, and counts of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from rebalancer.errors import Fault, Faults, printable
from rebalancer.reading.options import Options
from rebalancer.tables import Column, Table, cell_text


@dataclass(frozen=True)
class Grid:
    """Lines of cells, the header among them: text, or values of a typed source. `rows` numbers them as a sheet does.

    `ragged` is False where every line has the header's length by nature. A number from `exact` on has lost digits.
    """

    file: str
    lines: Sequence[Sequence[Any]]
    rows: Sequence[int]
    ragged: bool = True
    exact: int = 2**53
    cure: str = "Export it again with the column as text, and don't open the file in a spreadsheet on the way."

    def text(self, line: int) -> list[str]:
        """The cells of a line as text."""
        return [cell_text(value) for value in self.lines[line]]

    def is_blank(self, line: int) -> bool:
        """No cell of the line holds anything."""
        return all(is_blank(value) for value in self.lines[line])


def is_blank(value: Any) -> bool:
    """The cell is empty, missing, or spaces."""
    return not value.strip() if isinstance(value, str) else value is None or cell_text(value) == ""


@dataclass(frozen=True)
class Mapped:
    """Which header was read as which column, and how it was found: exact, given, alias or normalised."""

    table: str
    column: str
    header: str
    how: str

    def __str__(self) -> str:
        return f'{self.table}.{self.column} <- "{printable(self.header)}" ({self.how})'


@dataclass(frozen=True)
class RowCount:
    """Rows of one table: those of the file, those in the book, and those left out or merged. The first is the sum."""

    table: str
    file: str
    read: int
    kept: int
    rejected: int

    def __str__(self) -> str:
        noun = "row" if self.read == 1 else "rows"
        return (
            f"{self.table}: {self.read:,} {noun} read from {self.file}: {self.kept:,} kept, {self.rejected:,} rejected."
        )


@dataclass(frozen=True)
class RawTable:
    """A table as text. `rows` is the spreadsheet row of each line of `frame`; `file` is what messages call it.

    `complete` is False where lines had to be left out, so that what is missing here may not be missing at all.
    `read` counts the rows of the file, those left out included.
    """

    table: Table
    file: str
    frame: pd.DataFrame
    rows: np.ndarray = field(repr=False)
    complete: bool = True
    read: int = 0
    mapping: tuple[Mapped, ...] = ()
    options: Options = field(default_factory=Options)
    headers: Mapping[str, str] = field(default_factory=dict)
    """The user's header of each of our columns that has another name there."""
    header_faults: tuple[tuple[Fault, ...], tuple[Fault, ...]] = ((), ())
    """Errors and warnings about the header, handed on by `convert`."""

    def label(self, column: str) -> str:
        """What messages call a column: ours, with the user's header where that is another."""
        return f"{printable(self.headers[column])} ({column})" if column in self.headers else column

    def where(self, index: int, column: str = "") -> dict[str, Any]:
        """The place of a line, as fields of `Fault`."""
        place: dict[str, Any] = {"file": self.file, "row": int(self.rows[index])}
        if column:
            place["column"] = self.label(column)
        return place


def fault_rows(
    wrong: pd.Series, text: pd.Series, column: Column, raw: RawTable, faults: Faults, code: str, problem: str, cure: str
) -> None:
    """One error for every marked value of a column."""
    for index in np.flatnonzero(wrong.to_numpy(dtype=bool)):
        value = str(text.iat[int(index)])
        faults.error(code, problem, cure, value=value, **raw.where(int(index), column.name))
