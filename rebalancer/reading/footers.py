"""Rows that a report adds to its data: totals, copyright and confidentiality lines, and titles above the header."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from rebalancer.errors import Faults, printable
from rebalancer.reading.mapping import recognised
from rebalancer.reading.options import AcceptedFaults, Options
from rebalancer.reading.raw import Grid, is_blank
from rebalancer.tables import Table, cell_text

TOTAL = re.compile(
    r"(?:grand |sub)?\s*totals?\s*(?:\([^)]*\)|[\d,.]* records?)?\s*:?|(?:record )?count\s*:?", re.IGNORECASE
)
CLOSING = re.compile(
    r"(?:copyright|©|\(c\) \d{4}|confidential|generated (?:by|on)|report (?:name|generated)|filtered by|as of |source:"
    r"|all rights reserved|end of report)",
    re.IGNORECASE,
)
HEADER_WITHIN = 20
"""Lines in which the header of a report is looked for."""


def header_line(grid: Grid, table: Table, options: Options, faults: Faults) -> int:
    """The line of the header: the first, or a later one where only that names the required columns."""
    lines = [grid.text(number) for number in range(min(HEADER_WITHIN, len(grid.lines)))]
    if not lines or recognised(lines[0], table, options):
        return 0
    required = {column.name for column in table.columns if column.required}
    for number, line in enumerate(lines[1:], start=1):
        if required <= recognised(line, table, options):
            problem = f"the header seems to be in row {grid.rows[number]:,}, below {number} other lines."
            cure = "Delete the lines above it, or skip them with --accept preamble."
            faults.error("preamble", problem, cure, file=grid.file)
            return number
    return 0


def footer_lines(grid: Grid, lines: Sequence[int], key: int | None) -> list[int]:
    """Those of the lines that are a report's own: totals anywhere, closing lines only at the end.

    A line counts only where the cell of the key column, at position `key`, is empty or holds the footer's own text.
    """
    totals = {line for line in lines if _is_total(grid.lines[line], key)}
    end: list[int] = []
    for line in reversed(lines):
        filled = sum(not is_blank(value) for value in grid.lines[line])
        if filled > 1 and line not in totals:
            break
        end.append(line)
    closing = any(CLOSING.search(_first(grid.lines[line])) or line in totals for line in end)
    return sorted(totals | (set(end) if closing and not _one_column(grid) else set()))


def _first(cells: Sequence[Any]) -> str:
    return next((cell_text(value) for value in cells if not is_blank(value)), "")


def _is_total(cells: Sequence[Any], key: int | None) -> bool:
    if key is not None and key and key < len(cells) and not is_blank(cells[key]) and not is_blank(cells[0]):
        return False
    first = _first(cells)
    own = cell_text(cells[key]) if key is not None and key < len(cells) else ""
    return own in ("", first) and bool(TOTAL.fullmatch(first))


def _one_column(grid: Grid) -> bool:
    return max((len(line) for line in grid.lines), default=0) < 2


def skip_footers(grid: Grid, lines: list[int], key: int | None, faults: AcceptedFaults) -> list[int]:
    """The lines without the footers, which are an error until accepted."""
    found = footer_lines(grid, lines, key)
    if not found:
        return lines
    rows = ", ".join(f"{grid.rows[line]:,}" for line in found[:8])
    more = f" and {len(found) - 8:,} more" if len(found) > 8 else ""
    text = printable(_first(grid.lines[found[0]]))
    looks = "rows" if len(found) > 1 else "row"
    faults.error(
        "footer",
        f'{looks} {rows}{more} look{"" if len(found) > 1 else "s"} like the footer of a report ("{text}").',
        "Delete them, or skip them with --accept footer.",
        file=grid.file,
        row=grid.rows[found[0]],
    )
    gone = set(found)
    return [line for line in lines if line not in gone]
