"""CSV and its dialects: encodings by their marks, delimiters by the header, quotes strictly."""

from __future__ import annotations

import csv
import io

from rebalancer.errors import Faults
from rebalancer.reading import limits
from rebalancer.reading.mapping import recognised
from rebalancer.reading.options import Options
from rebalancer.reading.raw import Grid
from rebalancer.tables import Table

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
LOOKED_AT = 2**16
"""Characters in which the header is looked for."""

HEADER_WITHIN = 20
"""Lines in which the header is looked for."""


def read_delimited(content: bytes, file: str, table: Table, options: Options, faults: Faults) -> Grid | None:
    """The lines of one delimited file; None after noting why it can't be read."""
    text = decode(content, file, faults)
    if text is None:
        return None
    if "\x00" in text:
        faults.error("nul", "the file holds NUL bytes.", "Export it again as text.", file=file)
        return None
    if not limits.within("lines in the file", text.count("\n"), limits.MAX_ROWS + 1, faults, file=file):
        return None
    text, delimiter = _delimiter(text, file, table, options, faults)
    lines: list[list[str]] = []
    try:
        lines.extend(csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=delimiter))
    except csv.Error as error:
        problem = f"the file is not a readable CSV from here on ({error})."
        faults.error("csv", problem, "Check the quotes of this row.", file=file, row=len(lines) + 1)
        return None
    if not limits.within("columns", len(lines[0]) if lines else 0, limits.MAX_COLUMNS, faults, file=file):
        return None
    return Grid(file, lines, range(1, len(lines) + 1))


def decode(content: bytes, file: str, faults: Faults) -> str | None:
    """Text by its byte order mark, as UTF-8, or as Windows-1252 with a warning where nothing in it is UTF-8."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return _strict(content, "utf-16", file, faults)
    content = content.removeprefix(b"\xef\xbb\xbf")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        if not content.decode("utf-8", errors="ignore").isascii():
            return _strict(content, "utf-8", file, faults)
    text = _strict(content, "cp1252", file, faults)
    if text is not None:
        cure = 'Check a name with an accent, or save the file as "CSV UTF-8".'
        faults.warn("encoding", "decoded as cp1252 (Windows), because it is not UTF-8.", cure, file=file)
    return text


def _strict(content: bytes, encoding: str, file: str, faults: Faults) -> str | None:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        name = {"utf-8": "UTF-8, though others are", "cp1252": "UTF-8 nor Windows-1252"}.get(encoding, "UTF-16")
        problem = f"byte {error.start:,}, in line {line:,}, is not {name}."
        faults.error("encoding", problem.replace("not UTF-8 nor", "neither UTF-8 nor"),
                     'Save the file as "CSV UTF-8".', file=file, row=line)  # fmt: skip
        return None


def _delimiter(text: str, file: str, table: Table, options: Options, faults: Faults) -> tuple[str, str]:
    """The text without Excel's `sep=` line, and its delimiter: the one under which most columns are known."""
    first, end, rest = text.partition("\n")
    if first.lower().startswith("sep=") and len(first.rstrip("\r")) == len("sep=") + 1 and end:
        return rest, first[4]
    best = max(DELIMITERS, key=lambda delimiter: _score(text[:LOOKED_AT], delimiter, table, options))
    if best == ";":
        faults.warn("delimiter", "read with the delimiter semicolon.", file=file)
    return text, best


def _score(start: str, delimiter: str, table: Table, options: Options) -> tuple[int, int]:
    lines: list[list[str]] = []
    try:
        for line in csv.reader(io.StringIO(start, newline=""), delimiter=delimiter):
            lines.append(line)
            if len(lines) == HEADER_WITHIN:
                break
    except csv.Error:
        pass
    known = max((len(recognised([cell.strip() for cell in line], table, options)) for line in lines), default=0)
    return known, len(lines[0]) if lines else 0
