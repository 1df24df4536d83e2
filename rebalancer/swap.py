"""Swap: puts a finished file or directory in the place of another in one step, and clears away what
killed writers left.

A directory in the making lies beside its target as `.<name>.<eight characters>` with a marker file in it, which says
that it may be removed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path

MANIFEST = "manifest.json"
MARKER = ".rebalancer-writing"
OLD_SECONDS = 24 * 3600.0
"""No writer takes so long: a directory in the making of that age belongs to one that was killed."""

MADE_HERE = re.compile(r"\.(?P<name>.+)\.[a-z0-9_]{8}(\.old)?", re.DOTALL)
AT_WORKING_DIRECTORY = -100
EXCHANGE = 2
"""AT_FDCWD and RENAME_EXCHANGE of Linux."""


def begin(target: Path) -> Path:
    """A new empty directory beside the target, marked as one in the making."""
    building = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        (building / MARKER).touch()
    except BaseException:
        building.rmdir()
        raise
    return building


def put_in_place(building: Path, target: Path) -> None:
    """Swap the finished directory in. In one step where the system can; else the earlier one is put back on failure.

    What was there before is left under the name of the finished one or beside it: `discard` removes it.
    """
    (building / MARKER).unlink()
    building.chmod(0o755)
    if not target.exists():
        building.rename(target)
    elif not exchange(building, target):
        _rename_twice(building, target)


def exchange(one: Path, other: Path) -> bool:
    """Let two names change places in one step; False where the system or the file system can't."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if sys.platform == "linux" else None
    if rename is None:
        return False
    names = (os.fsencode(one), os.fsencode(other))
    done: int = rename(AT_WORKING_DIRECTORY, names[0], AT_WORKING_DIRECTORY, names[1], EXCHANGE)
    return done == 0


def _rename_twice(building: Path, target: Path) -> None:
    old = building.with_name(building.name + ".old")
    target.rename(old)
    try:
        building.rename(target)
    except BaseException:  # Ctrl-C as well: the earlier run goes back to its place
        if old.exists() and not target.exists():
            old.rename(target)
        raise
    discard(old)


def discard(folder: Path) -> None:
    """Remove a directory in the making or one that was replaced; its marker goes last, in case this is cut short."""
    if not folder.is_dir():
        return
    with contextlib.suppress(OSError):
        (folder / MARKER).touch()
    for child in list(folder.iterdir()):
        if child.is_dir() and not child.is_symlink():
            shutil.rmtree(child, ignore_errors=True)
        elif child.name != MARKER:
            with contextlib.suppress(OSError):
                child.unlink()
    shutil.rmtree(folder, ignore_errors=True)


def remove_leftovers(target: Path, now: float | None = None) -> None:
    """Remove what writers that were killed a day ago or earlier left beside the target."""
    oldest = (time.time() if now is None else now) - OLD_SECONDS
    for folder in target.parent.glob(".*.*"):
        made = MADE_HERE.fullmatch(folder.name)
        with contextlib.suppress(OSError):
            old = not folder.is_symlink() and folder.is_dir() and folder.stat().st_mtime < oldest
            if made and old and ((folder / MARKER).is_file() or _replaced(folder, made["name"], target)):
                discard(folder)


def _replaced(folder: Path, name: str, target: Path) -> bool:
    """Left without a marker by a kill at either end: empty, or a whole run just before or after it was swapped."""
    if name != target.name:
        return False
    return not any(folder.iterdir()) or (holds_run(folder) and holds_run(target))


def holds_run(folder: Path) -> bool:
    """A run directory, whole or not."""
    return all((folder / name).is_file() for name in (MANIFEST, "proposal.json"))


def write_through(path: Path, content: bytes) -> None:
    """Write a file, and come back once it is on the disk."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def replace_file(path: Path, content: bytes) -> None:
    """Write beside a file and put it in its place in one step: a crash leaves the old one or the new one."""
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        write_through(new, content)
        new.replace(path)
    finally:
        with contextlib.suppress(OSError):  # its folder is no folder, or not ours: then there is nothing of it
            new.unlink(missing_ok=True)
