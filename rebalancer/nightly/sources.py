"""Where the books of a night come from: folders, queries, or folders of a storage elsewhere."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Sequence
from datetime import date
from pathlib import Path
from typing import Protocol

from rebalancer.book import Book
from rebalancer.errors import UsageError, did_you_mean, printable
from rebalancer.nightly.folders import books_of, is_workbook
from rebalancer.nightly.local import FolderSource, LocalTree, name_of
from rebalancer.nightly.queries import query_sources
from rebalancer.nightly.remote import remote_sources
from rebalancer.nightly.storage import local_path

__all__ = ["Source", "find_books"]

LOOKED_FOR = (
    "A book is a folder with a file for accounts and one for ams (CSV, Parquet, XLSX) or a book.toml, or one XLSX with "
    "both as sheets. Hidden folders and run directories are not searched."
)
SHOWN = 10
SHOWN_PLACE = 200


class Source(Protocol):
    """One book of a night: a small object that can be sent to a worker, and holds no credentials."""

    @property
    def name(self) -> str:
        """The book's name: its path below the root, with "/"."""

    @property
    def place(self) -> str:
        """Where it is, for messages."""

    def read(self, effective_date: date | None = None) -> Book:
        """The book on a day; without one, that of its own settings, else today. Errors are those of `load_book`."""


def find_books(root: str, *, only: Collection[str] = ()) -> list[Source]:
    """Every book below a root, sorted by name; those named in `only`, where it names any. No table is opened.

    The root is a local folder, one book, a TOML file with queries, or the URL of a folder (`s3://bucket/books`). Raises
    `UsageError` where nothing is found, two books have one name, or `only` names one that is not there; `InvalidInput`
    with every fault of a TOML file that concerns all books. A fault of one book waits until that is read.
    """
    place = local_path(root)
    sources = remote_sources(root) if place is None else _local_sources(place)
    if not sources:
        raise UsageError(f'there is no book in "{printable(root)}". {LOOKED_FOR}')
    _refuse_twins(sources)
    return _chosen(sorted(sources, key=lambda source: source.name), only)


def _local_sources(root: Path) -> Sequence[Source]:
    if root.is_file():
        if root.suffix.lower() == ".toml":
            return query_sources(root)
        if is_workbook(root.name):
            return [FolderSource(name_of(root.stem), str(root.absolute()))]
        raise UsageError(f'"{root}" is neither a folder, nor one .xlsx, nor a .toml with queries.')
    if not root.is_dir():
        raise UsageError(f'there is no folder "{root}". Give the folder of the books, or a .toml with queries.')
    return [_folder_source(root, name, path) for name, path in books_of(LocalTree(root))]


def _folder_source(root: Path, name: str, path: str) -> FolderSource:
    if not path:
        return FolderSource(name_of(root.resolve().name) or "book", str(root.absolute()))
    return FolderSource(name_of(name), str(root.absolute() / path))


def _refuse_twins(sources: Sequence[Source]) -> None:
    by_name: dict[str, list[str]] = {}
    for source in sources:
        by_name.setdefault(source.name, []).append(source.place)
    twins = [
        f'{" and ".join(printable(place, SHOWN_PLACE) for place in sorted(places))} would both be "{printable(name)}".'
        for name, places in by_name.items()
        if len(places) > 1
    ]
    if twins:
        raise UsageError("\n".join([*sorted(twins), "Rename or move away all but one: the store knows books by name."]))


def _chosen(sources: list[Source], only: Collection[str]) -> list[Source]:
    wanted = {unicodedata.normalize("NFC", name) for name in ([only] if isinstance(only, str) else only)}
    known = [source.name for source in sources]
    unknown = sorted(wanted - set(known))
    if unknown:
        shown = ", ".join(f'"{printable(name)}"' for name in known[:SHOWN])
        more = f" and {len(known) - SHOWN:,} more" if len(known) > SHOWN else ""
        lines = [f'there is no book "{printable(name)}". {did_you_mean(name, known)}'.strip() for name in unknown]
        raise UsageError("\n".join([*lines, f"Books: {shown}{more}."]))
    return [source for source in sources if source.name in wanted] if wanted else sources
