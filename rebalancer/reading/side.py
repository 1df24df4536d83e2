"""Files beside a book: result files of a CRM, mappings, decisions. Read as the book's own files are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from rebalancer.errors import UsageError, printable
from rebalancer.reading.aliases import normalised
from rebalancer.reading.assemble import assemble
from rebalancer.reading.files import READABLE, refuse_url
from rebalancer.reading.options import AcceptedFaults, Options
from rebalancer.reading.raw import Grid, RawTable
from rebalancer.reading.sources import Sources
from rebalancer.tables import Column, Table


def read_grid(path: Path, what: str, table: Table, faults: AcceptedFaults) -> Grid | None:
    """The lines of a CSV, Parquet or XLSX file; None after noting why not. Raises `UsageError` where there is none.

    Of a workbook with several sheets, the one with the table's name.
    """
    refuse_url(path)
    if not path.is_file():
        raise UsageError(f'there is no {what} "{printable(str(path))}".')
    if path.suffix.lower() not in READABLE:
        raise UsageError(f'"{printable(str(path))}" is no {what}: name a CSV, Parquet or XLSX file.')
    return Sources(Options(), faults).grid(path, "", table)


def read_side_table(
    path: Path, what: str, table: Table, aliases: Mapping[str, tuple[str, ...]], faults: AcceptedFaults
) -> RawTable | None:
    """The table of such a file as text; `aliases` are other headers of its columns, compared without case or spaces."""
    others = tuple(Column(header) for headers in aliases.values() for header in headers)
    grid = read_grid(
        path, what, Table(table.name, (*table.columns, *others)), faults
    )  # they tell the delimiter as well
    if grid is None:
        return None
    ours = {normalised(header): name for name, headers in aliases.items() for header in headers}
    lines, theirs = list(grid.lines), {}
    top = next((line for line in range(len(lines)) if not grid.is_blank(line)), None)
    if top is not None:
        there = {normalised(cell) for cell in grid.text(top)}
        named = [(cell.strip("\ufeff"), ours.get(normalised(cell), "")) for cell in grid.text(top)]
        lines[top] = [name if name and normalised(name) not in there else cell for cell, name in named]
        theirs = {name: cell for cell, name in named if name and normalised(name) not in there}
    raw = assemble(replace(grid, lines=lines), table, Options(), faults)
    return None if raw is None else replace(raw, headers={**raw.headers, **theirs})
