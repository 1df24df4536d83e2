"""Books in local folders."""

from __future__ import annotations

import os
import unicodedata
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import BinaryIO

from rebalancer.book import Book, load_book
from rebalancer.errors import Fault, InvalidInput
from rebalancer.nightly.folders import Listed, below, is_hidden


@dataclass(frozen=True)
class FolderSource:
    """A book in a local folder, or in one workbook."""

    name: str
    place: str

    def read(self, effective_date: date | None = None) -> Book:
        """The book on a day; without one, that of its `book.toml`, else today. Errors are those of `load_book`."""
        try:
            return load_book(self.place).on(effective_date)
        except OSError as error:
            problem = f"it can't be opened: {error.strerror or type(error).__name__}."
            fault = Fault("file", problem, "Check the rights of the folder and its files.", file=self.name)
            raise InvalidInput([fault]) from None


@dataclass
class LocalTree:
    """Folders of this machine. Each is listed once; links are followed when all else is listed, so no circle is."""

    root: Path
    seen: set[tuple[int, int]] = field(default_factory=set)
    linked: list[str] = field(default_factory=list)

    def listed(self, path: str) -> Listed | None:
        """What a folder holds, nothing where it was listed before; None where it can't be opened."""
        folder = self.root / path
        try:
            status = folder.stat()
            if (status.st_dev, status.st_ino) in self.seen:
                return Listed((), ())
            with os.scandir(folder) as entries:
                there = sorted((entry for entry in entries if not is_hidden(entry.name)), key=lambda entry: entry.name)
        except OSError:
            return None
        self.seen.add((status.st_dev, status.st_ino))
        folders = {entry.name: entry.is_symlink() for entry in there if _is_folder(entry)}
        self.linked += [below(path, name) for name, linked in folders.items() if linked]
        files = [entry.name for entry in there if entry.name not in folders]
        return Listed([name for name, linked in folders.items() if not linked], files)

    def link(self) -> str | None:
        """The next link to a folder, out of what was listed so far; None where there is none left."""
        self.linked.sort(reverse=True)
        return self.linked.pop() if self.linked else None

    def content(self, path: str) -> AbstractContextManager[BinaryIO]:
        """The bytes of a file."""
        return (self.root / path).open("rb")


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def name_of(path: str) -> str:
    """The name of what lies at a path below the root: text that can be stored, whatever bytes the path is made of."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return unicodedata.normalize("NFC", text)
