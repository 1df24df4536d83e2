"""Result files: what Data Loader and the Bulk API say of every row they were given.

Data Loader writes a success file (ID, the columns loaded, STATUS) and an error file (the columns loaded, ERROR); the
Bulk API successful results (sf__Id, sf__Created), failed results (sf__Id, sf__Error) and unprocessed records, which are
the columns loaded alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rebalancer.crm.ids import ACCOUNT, USER, NotAnIdError, whole_id
from rebalancer.errors import Faults
from rebalancer.reading.aliases import normalised
from rebalancer.reading.options import AcceptedFaults
from rebalancer.reading.raw import Grid
from rebalancer.reading.side import read_grid
from rebalancer.tables import Column, Table

RESULTS = Table("results", tuple(Column(name) for name in ("Id", "OwnerId", "STATUS", "ERROR")))
IDS = ("id", "sfid", "accountid")
OWNER, ERRORS, SUCCESSES = "ownerid", ("error", "sferror"), ("status", "sfcreated")
NO_REASON = "no reason was given"


@dataclass(frozen=True)
class Result:
    """One row: `state` is done, failed or pending (the row was not processed). `when` is the time of its file."""

    file: str
    row: int
    id: str
    owner: str
    state: str
    error: str
    when: str


def read_results(path: str | Path, faults: AcceptedFaults) -> list[Result]:
    """The rows of one result file; what is wrong with it is noted in `faults`. `UsageError` where there is no file."""
    place = Path(path)
    grid = read_grid(place, "result file", RESULTS, faults)
    if grid is None:
        return []
    lines = [line for line in range(len(grid.lines)) if not grid.is_blank(line)]
    if not lines:
        faults.error("empty", "the file is empty.", "Give the success and error files of the load.", file=place.name)
        return []
    header = [normalised(cell.strip("\ufeff")) for cell in grid.text(lines[0])]
    if not _check_header(header, place.name, faults):
        return []
    when = datetime.fromtimestamp(place.stat().st_mtime, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return list(_rows(grid, header, lines[1:], place.name, when, faults))


def _check_header(header: Sequence[str], file: str, faults: Faults) -> bool:
    if any(name in header for name in IDS) and OWNER in header:
        return True
    missing = "Id" if OWNER in header else "OwnerId"
    cure = "Give the files as Data Loader or the Bulk API writes them, with the columns that were loaded."
    faults.error("column", f"the column {missing} is missing, so its rows can't be told.", cure, file=file)
    return False


def _rows(
    grid: Grid, header: Sequence[str], lines: Sequence[int], file: str, when: str, faults: Faults
) -> Iterator[Result]:
    for line in lines:
        cells = grid.text(line)
        row = grid.rows[line]
        if len(cells) != len(header):
            problem = f"the row has {len(cells)} fields and the header {len(header)}."
            faults.error("length", problem, "Give the file as it was written.", file=file, row=row)
            continue
        try:
            account = _only([cells[i] for i, name in enumerate(header) if name in IDS])
            found = whole_id(account, ACCOUNT)
            owner = whole_id(cells[header.index(OWNER)].strip(), USER)
        except NotAnIdError as why:
            cure = "Give the file as it was written, not as a spreadsheet saved it."
            faults.error("id", f"one of its ids {why}.", cure, file=file, row=row, value=" ".join(cells))
            continue
        state, error = _outcome(dict(zip(header, cells, strict=True)))
        yield Result(file, int(row), found, owner, state, error, when if state != "pending" else "")


def _only(ids: Sequence[str]) -> str:
    """The one id of a row; Data Loader names it twice."""
    there = {text.strip()[:15]: text.strip() for text in ids if text.strip()}
    if len(there) != 1:
        raise NotAnIdError("is missing" if not there else "differs from the other")
    return next(iter(there.values()))


def _outcome(cells: dict[str, str]) -> tuple[str, str]:
    """State and error of a row by the columns that its file has."""
    error = " ".join(" ".join(cells.get(name, "") for name in ERRORS).split())
    if error:
        return "failed", error
    if any(name in cells for name in SUCCESSES):
        return "done", ""
    return ("failed", NO_REASON) if any(name in cells for name in ERRORS) else ("pending", "")
