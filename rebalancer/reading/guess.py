"""What a file is, by its headers: which table, and which header is which column. For `rebalancer init`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rebalancer.errors import Faults, UsageError
from rebalancer.reading.aliases import normalised
from rebalancer.reading.assemble import assemble
from rebalancer.reading.files import READABLE, WORKBOOKS
from rebalancer.reading.mapping import recognised
from rebalancer.reading.options import ACCEPTABLE, AcceptedFaults, Options
from rebalancer.reading.raw import Grid, Mapped, RawTable
from rebalancer.reading.sources import Sources
from rebalancer.reading.workbook import read_sheet
from rebalancer.tables import TABLES, Table

FILE_NAMES = {
    "account": "accounts", "companies": "accounts", "company": "accounts", "customers": "accounts",
    "am": "ams", "users": "ams", "user": "ams", "reps": "ams", "owners": "ams", "accountmanagers": "ams",
    "csm": "csms", "pod": "pods", "pool": "pools",
}  # fmt: skip
"""File names, normalised, that say what a file is as well as our own."""


@dataclass(frozen=True)
class Guess:
    """One file or sheet: the table it seems to be (None: none), its columns, and what reading it would say."""

    path: Path
    sheet: str
    table: Table | None
    mapping: tuple[Mapped, ...] = ()
    headers: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    accept: tuple[str, ...] = ()
    rows: int = 0

    @property
    def place(self) -> str:
        """The name to write under `files` of book.toml."""
        return f"{self.path.name}#{self.sheet}" if self.sheet else self.path.name


def guess_files(paths: list[Path], faults: Faults) -> list[Guess]:
    """A guess for every file and every sheet; no table is guessed twice. Unreadable files are noted."""
    guesses: list[Guess] = []
    for path in paths:
        if path.suffix.lower() not in READABLE:
            raise UsageError(f'"{path}" is no file to read: give {", ".join(READABLE)}.')
        guesses += _guesses(path, faults)
    best: dict[str, Guess] = {}
    for guess in guesses:
        if guess.table and _rank(guess) > (_rank(best[guess.table.name]) if guess.table.name in best else (-99, 0, 0)):
            best[guess.table.name] = guess
    chosen = {id(guess) for guess in best.values()}
    return [guess if id(guess) in chosen else Guess(guess.path, guess.sheet, None) for guess in guesses]


def _rank(guess: Guess) -> tuple[int, int, int]:
    return -len(guess.missing), len(guess.mapping), guess.rows


def _guesses(path: Path, faults: Faults) -> list[Guess]:
    noted = AcceptedFaults()
    sources = Sources(Options(), noted)
    sheets = [""]
    if path.suffix.lower() in WORKBOOKS:
        book = sources.workbook(path)
        sheets = book.sheets if book else []
    found = [_guess(path, sheet if len(sheets) > 1 else "", sheet, sources) for sheet in sheets]
    unread = [fault for fault in noted.errors if fault.code not in ACCEPTABLE]
    faults.errors.extend(fault for fault in unread if fault.code not in ("length", "error_cell", "formula"))
    return found


def _guess(path: Path, name: str, sheet: str, sources: Sources) -> Guess:
    """The table of one sheet or file, by its name, else by the headers it has."""
    grid = _grid(path, sheet, sources)
    if grid is None or not grid.lines:
        return Guess(path, name, None)
    own = [normalised(word) for word in (sheet, path.stem) if word]
    known = next((TABLES.get(FILE_NAMES.get(word, word)) for word in own if FILE_NAMES.get(word, word) in TABLES), None)
    table = known or _by_headers(grid)
    if table is None:
        return Guess(path, name, None)
    noted = AcceptedFaults(ACCEPTABLE)
    raw = assemble(grid, table, Options(accept=frozenset(ACCEPTABLE)), noted)
    if raw is None:
        return Guess(path, name, None)
    accept = tuple(dict.fromkeys(fault.code for fault in noted.warnings if fault.code in ("footer", "preamble")))
    return Guess(path, name, table, raw.mapping, _headers(grid), _missing(raw), accept, len(raw.frame))


def _grid(path: Path, sheet: str, sources: Sources) -> Grid | None:
    if not sheet:
        return sources.grid(path, "", TABLES["accounts"])
    book = sources.workbook(path)
    return read_sheet(book, sheet, sources.faults) if book else None


def _headers(grid: Grid) -> tuple[str, ...]:
    """The longest of the first lines."""
    longest = max(range(min(20, len(grid.lines))), key=lambda line: len(grid.lines[line]))
    return tuple(grid.text(longest))


def _by_headers(grid: Grid) -> Table | None:
    """The table most of whose required columns, then of whose columns, some early line names."""
    scores: list[tuple[int, int, int, Table]] = []
    for table in TABLES.values():
        required = {column.name for column in table.columns if column.required}
        for line in range(min(20, len(grid.lines))):
            found = recognised(grid.text(line), table)
            missing = len(required - found)
            scores.append((-missing if found else -99, len(found), len(scores), table))
    best = max(scores, key=lambda score: (score[0] if score[1] > 1 else -99, score[1], -score[2]))
    return best[3] if best[1] > 1 and -best[0] <= len(best[3].columns) // 2 and -best[0] < 3 else None


def _missing(raw: RawTable) -> tuple[str, ...]:
    return tuple(
        column.name for column in raw.table.columns if column.required and column.name not in raw.frame.columns
    )
