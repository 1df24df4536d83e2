"""XLSX: the values of the cells of one sheet as text, with every cell whose value is lost named."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rebalancer.errors import Faults, printable
from rebalancer.reading import limits
from rebalancer.reading.archive import open_archive
from rebalancer.reading.raw import Grid, is_blank
from rebalancer.reading.sheet import Cell, SheetFacts, column_letters, header_width, sheet_facts, sheet_parts, trimmed

EXACT_DIGITS = 10**15
"""Excel keeps 15 digits of a number."""

TRIMMED_CELLS = 8_000_000
"""Of a sheet that spans more cells, filled or not, only the columns of its header are parsed."""

HEADER_WITHIN = 20


@dataclass(frozen=True)
class Workbook:
    """An XLSX file that is safe to parse. `parts` names the part of the archive of each sheet."""

    file: str
    content: bytes = field(repr=False)
    archive: zipfile.ZipFile = field(repr=False)
    parts: dict[str, str]

    @property
    def sheets(self) -> list[str]:
        """The names of its sheets, in order."""
        return list(self.parts)


def open_workbook(content: bytes, file: str, faults: Faults) -> Workbook | None:
    """A workbook, checked before it is parsed; None after noting why not."""
    archive = open_archive(content, file, faults)
    if archive is None:
        return None
    parts = {name: part for name, part in sheet_parts(archive).items() if part.lower().startswith("xl/worksheets/")}
    if not parts:
        faults.error("archive", "the workbook has no sheet.", "Save it again from Excel.", file=file)
        return None
    return Workbook(file, content, archive, parts)


def read_sheet(book: Workbook, sheet: str, faults: Faults) -> Grid | None:
    """The lines of one sheet as text; None after noting why it can't be read."""
    file = f"{book.file} sheet {printable(sheet)}"
    part = book.parts[sheet]
    facts = sheet_facts(book.archive, part)
    width, content = facts.last_column, book.content
    if width > limits.MAX_COLUMNS or facts.last_row(width) * width > TRIMMED_CELLS:
        width = header_width(book.archive, part, HEADER_WITHIN, limits.MAX_COLUMNS)
        content = trimmed(book.archive, part, width)
    rows = facts.last_row(width)
    if not limits.within("rows in the sheet", rows, limits.MAX_ROWS, faults, file=file):
        return None
    if not limits.within("cells in the sheet", rows * width, limits.MAX_CELLS, faults, file=file):
        return None
    values = _values(content, sheet, file, faults)
    if values is None:
        return None
    return _grid(values, facts, file, faults)


def _values(content: bytes, sheet: str, file: str, faults: Faults) -> Sequence[Sequence[Any]] | None:
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        with CalamineWorkbook.from_filelike(io.BytesIO(content)) as workbook:
            return workbook.get_sheet_by_name(sheet).to_python(skip_empty_area=False)
    except (CalamineError, OSError, ValueError, KeyError) as error:
        faults.error("archive", f"the sheet can't be read ({error}).", "Save it again from Excel.", file=file)
        return None


def _grid(values: Sequence[Sequence[Any]], facts: SheetFacts, file: str, faults: Faults) -> Grid:
    top, width = _header(values)
    _note_lost(facts.errors, "error_cell", "the cell holds an error.", "Correct its formula.", top, width, file, faults)
    _note_lost(
        facts.uncalculated, "formula", "the formula was never calculated, so its cell has no value.",
        "Open the file in Excel and save it.", top, width, file, faults,
    )  # fmt: skip
    beyond = [top + i + 1 for i, line in enumerate(values[top:]) if any(v not in ("", None) for v in line[width:])]
    if beyond or facts.last_column > max((len(line) for line in values[:1]), default=0):
        place = f"row {beyond[0]:,}" if beyond else f"column {column_letters(facts.last_column)}"
        faults.warn("beyond_header", f"cells right of the last header are not read ({place}).", file=file)
    lines = [line[:width] for line in values[top:]]
    return Grid(file, lines, range(top + 1, len(values) + 1), ragged=False, exact=EXACT_DIGITS)


def _header(values: Sequence[Sequence[Any]]) -> tuple[int, int]:
    """The first row that holds anything, and the width of the header: its own, or that of a row below a title."""
    filled = [[not is_blank(value) for value in line] for line in values[:HEADER_WITHIN]]
    top = next((row for row, line in enumerate(filled) if any(line)), 0)
    widths = [max((place for place, there in enumerate(line, start=1) if there), default=0) for line in filled[top:]]
    if not widths:
        return top, 0
    return top, widths[0] if sum(filled[top]) > 1 else max(widths)


def _note_lost(
    cells: frozenset[Cell], code: str, problem: str, cure: str, top: int, width: int, file: str, faults: Faults
) -> None:
    for row, column in sorted(cells):
        if row > top and column <= width:
            faults.error(code, problem, cure, file=file, row=row, column=column_letters(column))
