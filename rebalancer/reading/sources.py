"""Where the tables of a book are: one file each in a directory, or the sheets of one workbook."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rebalancer.errors import UsageError, did_you_mean, printable
from rebalancer.reading.aliases import normalised
from rebalancer.reading.assemble import assemble
from rebalancer.reading.columnar import read_parquet
from rebalancer.reading.delimited import read_delimited
from rebalancer.reading.files import COLUMNAR, READABLE, WORKBOOKS, content_of
from rebalancer.reading.options import AcceptedFaults, Options
from rebalancer.reading.raw import Grid, RawTable
from rebalancer.reading.workbook import Workbook, open_workbook, read_sheet
from rebalancer.tables import TABLES, Table


@dataclass
class Sources:
    """The places of the tables: a path, and a sheet where it is a workbook. Each workbook is opened once."""

    options: Options
    faults: AcceptedFaults
    places: dict[str, tuple[Path, str]] = field(default_factory=dict)
    workbooks: dict[Path, Workbook | None] = field(default_factory=dict)
    folder: Path = Path()

    def workbook(self, path: Path) -> Workbook | None:
        """The workbook at a path, None where it can't be read."""
        if path not in self.workbooks:
            content = content_of(path, self.faults)
            opened = open_workbook(content, path.name, self.faults) if content is not None else None
            self.workbooks[path] = opened
        return self.workbooks[path]

    def grid(self, path: Path, sheet: str, table: Table) -> Grid | None:
        """The grid at a place, None after noting why it can't be read."""
        if path.suffix.lower() in WORKBOOKS:
            book = self.workbook(path)
            name = self._sheet(book, sheet, table) if book else None
            return read_sheet(book, name, self.faults) if book and name is not None else None
        content = content_of(path, self.faults)
        if content is None:
            return None
        if path.suffix.lower() in COLUMNAR:
            return read_parquet(content, path.name, self.faults)
        return read_delimited(content, path.name, table, self.options, self.faults)

    def _sheet(self, book: Workbook, wanted: str, table: Table) -> str | None:
        """The sheet of that name, that of the table's name, or the only one."""
        if wanted:
            names = [name for name in book.sheets if name == wanted]
        else:
            names = [name for name in book.sheets if normalised(name) == table.name] or book.sheets
        if len(names) == 1:
            return names[0]
        sheets = ", ".join(f'"{printable(name)}"' for name in book.sheets)
        missing = f"there is no sheet {printable(wanted)!r}" if wanted else f"several sheets could be {table.name}"
        cure = f'Name it "{table.name}", or write files.{table.name} = "{book.file}#sheet" in book.toml.'
        self.faults.error("sheet", f"{missing}: {sheets}.", cure, file=book.file)
        return None

    def raws(self) -> list[RawTable]:
        """Every table that could be read, in the order of `TABLES`."""
        found = []
        for table in TABLES.values():
            if table.name in self.places:
                grid = self.grid(*self.places[table.name], table)
                raw = assemble(grid, table, self.options, self.faults) if grid is not None else None
                found += [raw] if raw is not None else []
            elif table.required:
                self._note_missing(table)
        return found

    def _note_missing(self, table: Table) -> None:
        opened = [book for book in self.workbooks.values() if book]
        if opened:
            sheets = ", ".join(f'"{printable(name)}"' for name in opened[0].sheets)
            problem = f'the workbook has no sheet "{table.name}".'
            self.faults.error("table", problem, f"Sheets found: {sheets}.", file=opened[0].file)
        elif not any(book is None for book in self.workbooks.values()):
            problem = f"the book has no {table.name}.csv."
            self.faults.error("table", problem, f"Write it to {self.folder}.", file=f"{table.name}.csv")


def find_sources(place: Path, files: Mapping[str, str], options: Options, faults: AcceptedFaults) -> Sources:
    """The sources of a directory or of one workbook. Raises `UsageError` where the place is neither."""
    sources = Sources(options, faults, folder=place)
    if place.is_dir():
        _find_files(place, files, sources)
    elif place.suffix.lower() in WORKBOOKS and place.is_file():
        _find_sheets([place], sources)
    elif place.exists() or place.is_symlink():
        raise UsageError(
            f'"{place}" is no book: give the directory that holds accounts and ams, or one .xlsx with both.'
        )
    else:
        raise UsageError(f'there is no book directory "{place}". It holds accounts.csv, ams.csv and others.')
    return sources


def _find_files(folder: Path, files: Mapping[str, str], sources: Sources) -> None:
    for name, text in files.items():
        file, _, sheet = text.partition("#")
        sources.places[name] = (folder / file, sheet)
    listed = sorted(path for path in folder.iterdir() if path.suffix.lower() in READABLE)
    named: dict[str, list[Path]] = {}
    for path in listed:
        named.setdefault(path.stem.lower(), []).append(path)
    for name in TABLES:
        if name not in sources.places and name in named:
            _note_several(name, named[name], sources.faults)
            sources.places[name] = (named[name][0], "")
    used = {path for path, _ in sources.places.values()}
    others = [path for path in listed if path not in used and path.stem.lower() not in TABLES]
    books = [path for path in others if path.suffix.lower() in WORKBOOKS and not path.name.startswith("~$")]
    if not {"accounts", "ams"} <= set(sources.places) and books:
        _find_sheets(books, sources)
    _warn_of_unread_files([path for path in others if path not in sources.workbooks], sources)


def _note_several(name: str, paths: list[Path], faults: AcceptedFaults) -> None:
    if len(paths) > 1:
        names = " and ".join(path.name for path in paths)
        cure = f'Keep one, or write files.{name} = "{paths[0].name}" in book.toml.'
        faults.error("table", f"{names} could each be the table {name}.", cure, file=paths[0].name)


def _find_sheets(books: Iterable[Path], sources: Sources) -> None:
    """Sheets named as tables, whatever their case."""
    for path in books:
        book = sources.workbook(path)
        for sheet in book.sheets if book else ():
            name = normalised(sheet)
            if name not in TABLES:
                _warn_of_unread_sheet(path, sheet, sources)
            elif name not in sources.places:
                sources.places[name] = (path, sheet)
            elif sources.places[name][1]:
                problem = f'two sheets could be the table {name}: "{sources.places[name][1]}" and "{sheet}".'
                sources.faults.error("table", problem, "Keep one, or rename the other.", file=path.name)


def _warn_of_unread_sheet(path: Path, sheet: str, sources: Sources) -> None:
    near = did_you_mean(sheet, [name for name in TABLES if name not in sources.places])
    if near:
        sources.faults.warn("unused_file", f'the sheet "{printable(sheet)}" is not read.', near, file=path.name)


def _warn_of_unread_files(paths: Iterable[Path], sources: Sources) -> None:
    """A file whose name is almost a table's is more likely a slip than meant to be left out."""
    for path in paths:
        near = did_you_mean(path.stem, [name for name in TABLES if name not in sources.places])
        if near:
            cure = near.replace('"?', f'{path.suffix}"?')
            sources.faults.warn("unused_file", "the file is not read.", cure, file=path.name)
