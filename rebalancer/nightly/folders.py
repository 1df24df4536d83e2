"""Which folders and workbooks below a root are books. Names are looked at, and the sheets of workbooks; no table is."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO, Protocol
from xml.etree import ElementTree

from rebalancer.reading.aliases import normalised
from rebalancer.reading.archive import DECLARATION
from rebalancer.reading.files import READABLE, WORKBOOKS
from rebalancer.reading.settings import BOOK_TOML
from rebalancer.swap import MANIFEST, MARKER
from rebalancer.tables import TABLES

REQUIRED = {table.name for table in TABLES.values() if table.required}
OF_A_RUN = {MANIFEST, MARKER, "proposal.json"}
NOT_SEARCHED = ("lost+found",)
"""A folder of the file system itself, which nobody but its owner may open."""

PART = "xl/workbook.xml"
PART_BYTES = 2**20
"""Excel names a thousand sheets in a tenth of that."""


@dataclass(frozen=True)
class Listed:
    """The names in one folder, sorted: folders to search, and files that are not hidden."""

    folders: Sequence[str]
    files: Sequence[str]


class Tree(Protocol):
    """Folders below a root; paths are relative to it, with "/", and the root itself is ""."""

    def listed(self, path: str) -> Listed | None:
        """What a folder holds, nothing where it was listed before; None where it can't be opened."""

    def link(self) -> str | None:
        """The next link to a folder, out of what was listed so far; None where there is none left."""

    def content(self, path: str) -> AbstractContextManager[BinaryIO]:
        """The bytes of a file."""


def books_of(tree: Tree) -> Iterator[tuple[str, str]]:
    """Name and path of every book, a folder or a workbook that is a book by itself; "" where the root is one.

    A folder is one where its files name a table that every book has, or where it holds `book.toml`: one whose accounts
    are missing is an error to report, not a folder to pass by. Likewise what can't be opened. Nothing in a book or in a
    run directory is searched.
    """
    waiting: list[str] = [""]
    while (path := waiting.pop() if waiting else tree.link()) is not None:
        found = tree.listed(path)
        if found is None or is_book(found.files):
            yield path, path
        elif not OF_A_RUN & set(found.files):
            workbooks = [name for name in found.files if is_workbook(name) and _has_accounts(tree, below(path, name))]
            if len(workbooks) == 1 and tables_of(found.files):
                yield path, path
                continue
            yield from ((below(path, name.rpartition(".")[0]), below(path, name)) for name in workbooks)
            waiting += [below(path, name) for name in reversed(found.folders)]


def is_book(files: Sequence[str]) -> bool:
    """These files are in the folder of a book."""
    return BOOK_TOML in files or bool(REQUIRED & tables_of(files))


def tables_of(files: Sequence[str]) -> set[str]:
    """The tables that files are named after."""
    readable = [PurePosixPath(name) for name in files if name.lower().endswith(READABLE)]
    return {path.stem.lower() for path in readable} & set(TABLES)


def is_workbook(name: str) -> bool:
    """A workbook, and not the note that Excel leaves beside an open one."""
    return name.lower().endswith(WORKBOOKS) and not name.startswith("~$")


def is_hidden(name: str) -> bool:
    """A name that is not searched; also one that leads out of its folder. The marker of a run in the making counts."""
    return not name or (name.startswith(".") and name != MARKER) or name in NOT_SEARCHED


def below(path: str, name: str) -> str:
    """A path with one more name."""
    return f"{path}/{name}" if path else name


def _has_accounts(tree: Tree, path: str) -> bool:
    """A sheet is named accounts; True as well where that can't be told, so that reading it says why."""
    try:
        with tree.content(path) as content, zipfile.ZipFile(content) as archive:
            names = _sheets(archive)
    except Exception:  # a damaged archive fails in many ways, a storage of its own kind in more
        return True
    return names is None or "accounts" in map(normalised, names)


def _sheets(archive: zipfile.ZipFile) -> list[str] | None:
    """The names of the sheets; None where the part that lists them is none that Excel wrote."""
    with archive.open(PART) as part:
        xml = part.read(PART_BYTES + 1)
    if len(xml) > PART_BYTES or DECLARATION.search(xml):
        return None
    return [node.get("name", "") for node in ElementTree.fromstring(xml).iter() if re.search(r"(^|\})sheet$", node.tag)]
