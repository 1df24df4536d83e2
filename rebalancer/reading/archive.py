"""The parts of an XLSX archive, looked at before anything is parsed: size, ratio, names, and what they declare.

Nothing is written to disk. A part is unpacked in pieces and never beyond the limit, whatever its header claims.
"""

from __future__ import annotations

import io
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator

from rebalancer.errors import Faults, printable
from rebalancer.reading import limits

PIECE = 2**20
ACTIVE = (
    ("vbaproject.bin", "macros"),
    ("externallinks/", "links to other files"),
    ("connections.xml", "data connections"),
    ("/activex/", "active controls"),
    ("/embeddings/", "embedded files"),
)
NESTED = (".zip", ".gz", ".7z", ".rar", ".xlsx", ".xlsm")
DECLARATION = re.compile(rb"<!\s*(?:DOCTYPE|ENTITY)", re.IGNORECASE)


def open_archive(content: bytes, file: str, faults: Faults) -> zipfile.ZipFile | None:
    """The archive of a workbook that is safe to parse; None after noting why it is not."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
        cure = "The file may be cut short: copy or export it again."
        faults.error("archive", f"the workbook can't be opened ({error}).", cure, file=file)
        return None
    checks = (_names_are_plain, _is_within_limits, _is_a_workbook, _declares_nothing)
    return archive if all(check(archive, file, faults) for check in checks) else None


def _names_are_plain(archive: zipfile.ZipFile, file: str, faults: Faults) -> bool:
    names = [info.filename for info in archive.infolist()]
    problems = []
    for info in archive.infolist():
        name = info.filename.replace("\\", "/")
        if name.startswith("/") or ".." in name.split("/") or ":" in name:
            problems.append(f'the part "{printable(info.filename)}" points outside the archive')
        elif stat.S_ISLNK(info.external_attr >> 16):
            problems.append(f'the part "{printable(name)}" is a link')
        elif info.flag_bits & 1:
            problems.append(f'the part "{printable(name)}" is encrypted')
        elif name.lower().endswith(NESTED) and "/embeddings/" not in name.lower():
            problems.append(f'the part "{printable(name)}" is an archive in the archive')
    if len(names) != len({name.lower() for name in names}):
        problems.append("two parts of the archive have the same name")
    for problem in problems:
        faults.error(
            "archive", f"{problem}; this is no workbook that Excel wrote.", "Save it again from Excel.", file=file
        )
    return not problems


def _is_within_limits(archive: zipfile.ZipFile, file: str, faults: Faults) -> bool:
    infos = archive.infolist()
    if not limits.within("parts in the archive", len(infos), limits.MAX_ENTRIES, faults, file=file):
        return False
    claimed = sum(info.file_size for info in infos)
    if not limits.within("bytes after unpacking", claimed, limits.MAX_UNPACKED, faults, file=file):
        return False
    packed = max(1, sum(info.compress_size for info in infos))
    ratio = claimed // packed if claimed > PIECE else 0
    return limits.within("times larger after unpacking", ratio, limits.MAX_RATIO, faults, file=file)


def _is_a_workbook(archive: zipfile.ZipFile, file: str, faults: Faults) -> bool:
    names = {name.lower() for name in archive.namelist()}
    if "xl/workbook.xml" not in names:
        faults.error("type", "the file is a zip archive, but no Excel workbook.", "Save it as .xlsx.", file=file)
        return False
    found = sorted({words for mark, words in ACTIVE if any(mark in f"/{name}" for name in names)})
    if found:
        faults.warn("active_content", f"it holds {', '.join(found)}; only the values of cells are read.", file=file)
    return True


def _declares_nothing(archive: zipfile.ZipFile, file: str, faults: Faults) -> bool:
    """No part declares entities, and none is larger than its header claims."""
    for info in archive.infolist():
        if not info.filename.lower().endswith((".xml", ".rels", ".vml")):
            continue
        try:
            declared = any(DECLARATION.search(piece) for piece in pieces(archive, info.filename))
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as error:
            problem = f'the part "{printable(info.filename)}" can\'t be unpacked ({error}).'
            faults.error("archive", problem, "Copy or export the file again.", file=file)
            return False
        if declared:
            problem = f'the part "{printable(info.filename)}" declares XML entities, which Excel never writes.'
            faults.error("archive", problem, "Open it in Excel and save it again.", file=file)
            return False
    return True


def pieces(archive: zipfile.ZipFile, name: str, overlap: int = 400) -> Iterator[bytes]:
    """A part in pieces; each begins with the end of the one before, so that no short pattern is cut in two.

    `zipfile` stops at the size the header claims, which is within the limit, and fails where the checksum differs.
    """
    with archive.open(name) as part:
        tail = b""
        while piece := part.read(PIECE):
            yield tail + piece
            tail = piece[-overlap:]
