"""The bytes of a file, once it is known to be one: regular, unchanged while it is read, and what its name says."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from rebalancer.errors import Faults, UsageError
from rebalancer.reading import limits

TEXT = (".csv", ".tsv", ".txt")
WORKBOOKS = (".xlsx", ".xlsm")
COLUMNAR = (".parquet",)
READABLE = (*TEXT, *WORKBOOKS, *COLUMNAR)

ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
MAGIC = (
    (b"PK\x03\x04", "zip", "a zip archive"),
    (b"PK\x05\x06", "zip", "an empty zip archive"),
    (b"PAR1", "parquet", "a Parquet file"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "ole", "an old Excel workbook (.xls)"),
    (b"\x1f\x8b", "gzip", "a gzip archive"),
    (b"BZh", "bzip2", "a bzip2 archive"),
    (b"\xfd7zXZ\x00", "xz", "an xz archive"),
    (b"(\xb5/\xfd", "zstd", "a zstd archive"),
    (b"7z\xbc\xaf\x27\x1c", "7z", "a 7z archive"),
    (b"%PDF", "pdf", "a PDF document"),
    (b"SQLite format 3\x00", "sqlite", "an SQLite database"),
    *((b"\x80" + bytes([version]), "pickle", "a Python pickle, which is never loaded") for version in range(2, 6)),
)
HTML = (b"<html", b"<!doctype html", b"<table", b"<?xml")


def refuse_url(path: str | Path) -> None:
    """Nothing is fetched: a URL is a mistake of the call."""
    if "://" in str(path):
        raise UsageError(f'"{path}" is a URL; nothing is fetched. Download it and give the file or directory.')


def read_bytes(path: Path, faults: Faults) -> bytes | None:
    """The bytes of a regular file within the limit, read once; None after noting why not."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except OSError as error:
        problem = f"the file can't be opened: {error.strerror}."
        faults.error("file", problem, "Check its name and permissions.", file=path.name)
        return None
    before = os.fstat(handle)
    if not stat.S_ISREG(before.st_mode):
        os.close(handle)
        faults.error("file", "not a regular file.", "Give a file, not a device, pipe or directory.", file=path.name)
        return None
    with os.fdopen(handle, "rb") as file:
        if not limits.within("bytes in the file", before.st_size, limits.MAX_BYTES, faults, file=path.name):
            return None
        content = file.read(before.st_size + 1)
        after = os.fstat(file.fileno())
    if len(content) != before.st_size or (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        problem = f"the file changed while it was read ({before.st_size:,} bytes, then {after.st_size:,})."
        faults.error("changed", problem, "Read it again once it is written.", file=path.name)
        return None
    return content


def kind_of(content: bytes) -> tuple[str, str]:
    """What the bytes are, whatever the file is called, and how to say it: `text` where nothing is recognised."""
    for magic, kind, words in MAGIC:
        if content.startswith(magic):
            if kind == "ole" and ENCRYPTED in content:
                return kind, "a workbook protected by a password"
            return kind, words
    start = content[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return ("html", "a web page or XML") if start.startswith(HTML) else ("text", "text")


CURES = {
    "ole": "Open it in Excel and save it as .xlsx, without a password.",
    "html": "Export it again as CSV or as .xlsx.",
    "zip": "Name it .xlsx if it is a workbook, else unpack it.",
    "parquet": "Name it .parquet.",
    "text": "Export it again, or name it .csv if it is text.",
}


def content_of(path: Path, faults: Faults) -> bytes | None:
    """The bytes of a file that is what its name says; None after noting the fault."""
    content = read_bytes(path, faults)
    if content is None:
        return None
    kind, words = kind_of(content)
    suffix = path.suffix.lower()
    expected = "text" if suffix in TEXT else "zip" if suffix in WORKBOOKS else "parquet"
    if kind != expected and content:
        cure = CURES.get(kind, "Unpack or export it as CSV, Parquet or .xlsx.")
        faults.error("type", f"the file is {words}, whatever its name says.", cure, file=path.name)
        return None
    return content
