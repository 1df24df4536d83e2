"""Peak memory of a process and everything it started, read from /proc while it runs."""

from __future__ import annotations

import os
import threading
from pathlib import Path

PROC = Path("/proc")
TICK = 0.1
"""Seconds between two samples: a peak shorter than that can be missed."""


class PeakMemory:
    """A thread that adds up the resident memory of a tree of processes; `peak` in bytes, None without /proc.

    Pages that processes share are counted once for each.
    """

    def __init__(self, root: int) -> None:
        self.root = root
        self.peak: int | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(TICK):
            total = sum(_resident(pid) for pid in tree(self.root))
            if total:
                self.peak = max(self.peak or 0, total)


def tree(root: int) -> list[int]:
    """A process and all its descendants."""
    children: dict[int, list[int]] = {}
    for entry in PROC.glob("[0-9]*") if PROC.is_dir() else ():
        parent = _parent(entry)
        if parent is not None:
            children.setdefault(parent, []).append(int(entry.name))
    found = [root]
    for pid in found:
        found.extend(children.get(pid, []))
    return found


def _parent(entry: Path) -> int | None:
    try:
        return int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):  # it ended while we looked
        return None


def _resident(pid: int) -> int:
    try:
        return int((PROC / str(pid) / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0
