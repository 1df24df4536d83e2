"""From a grid to a table of text under our names: header, footers, rows of the wrong length, and what was counted."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from rebalancer.reading.footers import header_line, skip_footers
from rebalancer.reading.mapping import mapped, match
from rebalancer.reading.options import AcceptedFaults, Options
from rebalancer.reading.raw import Grid, RawTable
from rebalancer.tables import Column, Table, cell_text

EXPONENT = re.compile(r"\d\.\d+E\+\d+")
"""What a spreadsheet makes of a long number: `1.23E+17`."""

THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(?:\.\d{3})+")
"""What could be thousands in groups."""


def assemble(grid: Grid, table: Table, options: Options, faults: AcceptedFaults) -> RawTable | None:
    """The table that a grid holds; faults of its header wait in `header_faults` until `convert`."""
    start = header_line(grid, table, options, faults)
    if not grid.lines or (grid.is_blank(start) and grid.lines[start] != [] and grid.ragged) or not grid.lines[start]:
        faults.error("empty", "the file has no header.", "The first line names the columns.", file=grid.file)
        return None
    headers = [text.strip("\ufeff") for text in grid.text(start)]
    notes = AcceptedFaults(options.accept)
    found = match(headers, table, options, notes, grid.file)
    filled = [line for line in range(start + 1, len(grid.lines)) if not grid.is_blank(line)]
    key = found[table.key[0]][0] if table.key and table.key[0] in found else None
    kept = skip_footers(grid, filled, key, faults)
    right = [line for line in kept if not grid.ragged or len(grid.lines[line]) == len(headers)]
    _note_lengths(grid, sorted(set(kept) - set(right)), len(headers), faults)
    raw = RawTable(
        table,
        grid.file,
        _frame(grid, right, table, {name: place for name, (place, _) in found.items()}, options),
        np.array([grid.rows[line] for line in right], dtype=np.int64),
        complete=len(right) == len(kept),
        read=len(filled),
        mapping=mapped(headers, table, found),
        options=options,
        headers={name: headers[place] for name, (place, _) in found.items() if headers[place] != name},
        header_faults=(tuple(notes.errors), tuple(notes.warnings)),
    )
    for name, (place, _) in found.items():
        if table.column(name).kind == "id":
            _note_lost_digits(raw, name, [grid.lines[line][place] for line in right], grid, faults)
    return raw


def _frame(grid: Grid, lines: list[int], table: Table, places: dict[str, int], options: Options) -> pd.DataFrame:
    cells = {
        column.name: _texts([grid.lines[line][places[column.name]] for line in lines], column, options)
        for column in table.columns
        if column.name in places
    }
    return pd.DataFrame(cells, dtype=str) if cells else pd.DataFrame(index=range(len(lines)))


def _texts(values: list[Any], column: Column, options: Options) -> list[str]:
    return [value.strip() if type(value) is str else _text(value, column, options) for value in values]


def _text(value: Any, column: Column, options: Options) -> str:
    """One cell as text; a number of a typed source is written so that no option can misread it."""
    if isinstance(value, str):
        return value.strip()
    text = cell_text(value)
    if column.kind not in ("money", "number") or not isinstance(value, (float, Decimal, np.floating)):
        return text
    if options.decimal == ",":
        return text.replace(".", ",")
    return f"{text}0" if THOUSANDS.fullmatch(text) else text


def _note_lengths(grid: Grid, wrong: list[int], width: int, faults: AcceptedFaults) -> None:
    for line in wrong:
        faults.error(
            "length",
            f"the row has {len(grid.lines[line])} fields and the header {width}.",
            "Quote fields that hold a comma.",
            file=grid.file,
            row=grid.rows[line],
        )


def _note_lost_digits(raw: RawTable, column: str, values: list[Any], grid: Grid, faults: AcceptedFaults) -> None:
    """Ids held as numbers too long to be exact, and what Excel writes of them into a CSV."""
    for index, value in enumerate(values):
        if isinstance(value, (float, np.floating)):
            lost = abs(float(value)) >= grid.exact
        else:
            lost = isinstance(value, str) and "E+" in value and bool(EXPONENT.fullmatch(value.strip()))
        if lost:
            problem = "the id is a number of more than 15 digits, and its last ones are lost."
            faults.error("digits", problem, grid.cure, value=cell_text(value), **raw.where(index, column))


def from_frame(frame: pd.DataFrame, table: Table, options: Options, faults: AcceptedFaults) -> RawTable | None:
    """A caller's frame as text, with its values written as they would be in a CSV; the frame is not changed."""
    columns = [frame.iloc[:, place].astype(object).tolist() for place in range(frame.shape[1])]
    lines = [[str(name) for name in frame.columns], *map(list, zip(*columns, strict=True))]
    grid = Grid(table.name, lines, range(1, len(lines) + 1), ragged=False, cure="Read the column as text (dtype=str).")
    return assemble(grid, table, options, faults)
