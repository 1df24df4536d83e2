"""Books in folders of a storage elsewhere, fetched to a temporary directory when they are read."""

from __future__ import annotations

import tempfile
import unicodedata
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from rebalancer.book import Book, load_book
from rebalancer.errors import Faults, InvalidInput, RebalancerError, UsageError
from rebalancer.nightly.folders import Listed, below, books_of, is_hidden, is_workbook
from rebalancer.nightly.storage import failing_as_input, first_line, refuse, shown, storage_of
from rebalancer.reading import limits
from rebalancer.reading.files import READABLE
from rebalancer.reading.options import AcceptedFaults
from rebalancer.reading.settings import BOOK_TOML, read_settings

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem


@dataclass(frozen=True)
class RemoteSource:
    """A book in a storage elsewhere: a folder, or one workbook. `path` is below the root, empty where it is that."""

    name: str
    root: str
    path: str = ""

    @property
    def place(self) -> str:
        """Where it is, for messages."""
        return shown(below(self.root.rstrip("/"), self.path) if self.path else self.root)

    def read(self, effective_date: date | None = None) -> Book:
        """The book on a day; without one, that of its `book.toml`, else today. Errors are those of `load_book`."""
        with tempfile.TemporaryDirectory(prefix="rebalancer-") as folder:
            with failing_as_input(self.place):
                copy = self._fetched(Path(folder))
            try:
                return load_book(copy).on(effective_date)
            except InvalidInput as error:
                told = [replace(fault, cure=fault.cure.replace(str(copy), self.place)) for fault in error.faults]
                raise InvalidInput(told) from None

    def _fetched(self, folder: Path) -> Path:
        """A copy of the files that `load_book` would read."""
        storage, base = storage_of(self.root)
        storage.invalidate_cache()
        base = below(base.rstrip("/"), self.path) if self.path else base
        if is_workbook(base):
            return _fetch(storage, base, storage.info(base), folder / "book", base.rpartition("/")[2], AcceptedFaults())
        there = _files_below(storage, base)
        copy = folder / "book"
        copy.mkdir()
        if BOOK_TOML in there:
            _fetch(storage, f"{base}/{BOOK_TOML}", there[BOOK_TOML], copy, BOOK_TOML, AcceptedFaults())
        settings = read_settings(copy / BOOK_TOML, Faults())
        named = {file.partition("#")[0] for file in settings.files.values()}
        wanted = [name for name in there if name in named or ("/" not in name and name.lower().endswith(READABLE))]
        faults = AcceptedFaults(settings.options.accept)
        for name in wanted:
            _fetch(storage, f"{base}/{name}", there[name], copy, name, faults)
        faults.raise_errors()
        return copy


def remote_sources(root: str) -> list[RemoteSource]:
    """The books of a folder elsewhere. Raises `UsageError` where it can't be listed."""
    storage, base = storage_of(root)
    storage.invalidate_cache()
    try:
        if storage.isfile(base):
            return [_single(root, base)]
        tree = RemoteTree(storage, base, _files_below(storage, base))
        return [_source(root, base, name, path) for name, path in books_of(tree)]
    except RebalancerError:
        raise
    except Exception as error:  # each storage has its own
        raise UsageError(f'"{shown(root)}" can\'t be listed: {first_line(error)}.') from None


def _single(root: str, base: str) -> RemoteSource:
    if not is_workbook(base):
        raise UsageError(f'"{shown(root)}" is neither a folder nor one .xlsx. A .toml with queries is read locally.')
    return _source(root, base.rpartition(".")[0], "", "")


def _source(root: str, base: str, name: str, path: str) -> RemoteSource:
    own = name or base.rstrip("/").rpartition("/")[2] or "book"
    return RemoteSource(unicodedata.normalize("NFC", own), root, path)


@dataclass
class RemoteTree:
    """Folders of a storage, from one listing of all files; there are no links."""

    storage: AbstractFileSystem
    base: str
    files: Iterable[str]
    folders: dict[str, tuple[set[str], set[str]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for file in self.files:
            parts = file.split("/")
            if not any(map(is_hidden, parts)):
                for depth, name in enumerate(parts):
                    inside = self.folders.setdefault("/".join(parts[:depth]), (set(), set()))
                    inside[depth == len(parts) - 1].add(name)

    def listed(self, path: str) -> Listed | None:
        """What a folder holds."""
        folders, files = self.folders.get(path, ((), ()))
        return Listed(sorted(folders), sorted(files))

    def link(self) -> str | None:
        """There is none."""
        return None

    def content(self, path: str) -> AbstractContextManager[BinaryIO]:
        """The bytes of a file, fetched as far as they are read."""
        opened: AbstractContextManager[BinaryIO] = self.storage.open(f"{self.base}/{path}", "rb")
        return opened


def _files_below(storage: AbstractFileSystem, base: str) -> dict[str, Mapping[str, Any]]:
    """What a storage says of every file below a folder, by path from there."""
    above = f"{base.rstrip('/')}/"
    found = storage.find(base, detail=True)
    return {path.removeprefix(above): told for path, told in sorted(found.items()) if path.startswith(above)}


def _fetch(
    storage: AbstractFileSystem, path: str, told: Mapping[str, Any], folder: Path, name: str, faults: AcceptedFaults
) -> Path:
    """A file in a folder here, if it is not too large. Raises `InvalidInput` where it changes meanwhile."""
    copy, size = folder / name, told.get("size")
    if size is None or limits.within("bytes in the file", size, limits.MAX_BYTES, faults, file=name):
        copy.parent.mkdir(parents=True, exist_ok=True)
        storage.get_file(path, str(copy))
        if size is not None and copy.stat().st_size != size:
            refuse(name, "the file changed while it was read.", "Read it again once it is written.", code="changed")
    return copy
