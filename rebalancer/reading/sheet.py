"""What a sheet's XML says that its values do not: errors, formulas never calculated, and cells far away."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree import ElementTree

from rebalancer.reading.archive import pieces

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
STRICT = "{http://purl.oclc.org/ooxml/spreadsheetml/main}"
RELATION = re.compile(r"\{.*/relationships\}id$")
CELL = re.compile(rb'<(?:\w+:)?c\b[^>]*?\br="([A-Z]{1,3})([0-9]{1,7})"')
ERROR = re.compile(rb'<(?:\w+:)?c\b(?=[^>]*\bt="e")[^>]*?\br="([A-Z]{1,3})([0-9]{1,7})"')
UNCALCULATED = re.compile(
    rb'<(?:\w+:)?c\b[^>]*?\br="([A-Z]{1,3})([0-9]{1,7})"[^>]*>\s*<(?:\w+:)?f\b[^>]{0,200}?(?:/>|>[^<]{0,300}</(?:\w+:)?f>)'
    rb"\s*(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v></(?:\w+:)?v>)?\s*</(?:\w+:)?c>"
)
TEXT_FORMULA = re.compile(rb'\bt="str"')

Cell = tuple[int, int]
"""Row and column of a cell, both from 1."""


@dataclass(frozen=True)
class SheetFacts:
    """Cells that hold errors, formulas without a value, and how far the sheet reaches."""

    errors: frozenset[Cell]
    uncalculated: frozenset[Cell]
    last_rows: Mapping[int, int]
    """By column, the last row in which it has a cell."""

    @property
    def last_column(self) -> int:
        """The column furthest right."""
        return max(self.last_rows, default=0)

    def last_row(self, columns: int) -> int:
        """The last row of the first `columns` columns."""
        return max((row for column, row in self.last_rows.items() if column <= columns), default=0)


def column_number(letters: str) -> int:
    """`A` is 1, `XFD` is 16,384."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number


def column_letters(number: int) -> str:
    """1 is `A`, 16,384 is `XFD`."""
    letters = ""
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def sheet_facts(archive: zipfile.ZipFile, part: str) -> SheetFacts:
    """One pass over the XML of a sheet."""
    errors: set[Cell] = set()
    uncalculated: set[Cell] = set()
    last: dict[bytes, int] = {}
    for piece in pieces(archive, part, overlap=1200):
        for letters, row in CELL.findall(piece):
            last[letters] = max(int(row), last.get(letters, 0))
        if b't="e"' in piece:
            errors.update(_cell(match) for match in ERROR.finditer(piece))
        if b"<f" in piece or b":f" in piece:
            uncalculated.update(
                _cell(match)
                for match in UNCALCULATED.finditer(piece)
                if not TEXT_FORMULA.search(match[0].partition(b">")[0])
            )
    rows = {column_number(letters.decode()): row for letters, row in last.items()}
    return SheetFacts(frozenset(errors), frozenset(uncalculated), rows)


def _cell(match: re.Match[bytes]) -> Cell:
    return int(match[2]), column_number(match[1].decode())


def sheet_parts(archive: zipfile.ZipFile) -> dict[str, str]:
    """The part of the archive that holds each sheet, by the sheet's name."""
    try:
        book = ElementTree.fromstring(archive.read("xl/workbook.xml"))
        links = ElementTree.fromstring(archive.read("xl/_rels/workbook.xml.rels"))
    except (KeyError, ElementTree.ParseError):
        return {}
    targets = {link.get("Id"): link.get("Target", "") for link in links}
    there = set(archive.namelist())
    parts = {}
    for space in (MAIN, STRICT):
        for sheet in book.iter(f"{space}sheet"):
            key = next((value for name, value in sheet.attrib.items() if RELATION.search(name)), None)
            target = targets.get(key, "")
            part = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
            if part in there:
                parts[sheet.get("name", "")] = part
    return parts


def header_width(archive: zipfile.ZipFile, part: str, rows: int, limit: int) -> int:
    """The widest of the first rows, each counted from its first column to its first gap."""
    by_row: dict[int, set[int]] = {}
    for piece in pieces(archive, part):
        for letters, row in CELL.findall(piece):
            by_row.setdefault(int(row), set()).add(column_number(letters.decode()))
        if len(by_row) > rows:
            break
    widths = [next(n for n in range(1, limit + 2) if n not in by_row[row]) - 1 for row in sorted(by_row)[:rows]]
    return max(1, min(limit, max(widths, default=1)))


def trimmed(archive: zipfile.ZipFile, part: str, columns: int) -> bytes:
    """The workbook with every cell beyond `columns` taken out of one sheet, for a sheet with cells far away."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as kept:
        for info in archive.infolist():
            content = archive.read(info.filename)
            kept.writestr(info.filename, _without_far_cells(content, columns) if info.filename == part else content)
    return out.getvalue()


def _without_far_cells(xml: bytes, columns: int) -> bytes:
    xml = re.sub(rb"<(?:\w+:)?dimension\b[^>]*/>", b"", xml)
    whole = re.compile(rb'<((?:\w+:)?c)\b[^>]*?\br="([A-Z]{1,3})[0-9]{1,7}"[^>]*?(?:/>|(?<!/)>.*?</\1>)', re.DOTALL)
    return whole.sub(lambda cell: cell[0] if column_number(cell[2].decode()) <= columns else b"", xml)
