"""Memory: how much a search may use, and how much it does. Known on Linux; elsewhere nothing is watched."""

from __future__ import annotations

import os
from pathlib import Path

SHARE = 0.8
"""Share of the free memory that a search may use, so that its parent and the machine go on."""

GROUP_FILES = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)
"""Limit and use of a container, in its two versions."""


def allowance(asked: int | None) -> int | None:
    """Bytes that a search may use: as asked for, as REBALANCER_MEMORY_MB says, else most of what is free."""
    if asked is not None:
        return asked
    named = os.environ.get("REBALANCER_MEMORY_MB", "")
    if named.isdigit() and int(named) > 0:
        return int(named) * 2**20
    free = _free()
    return None if free is None else int(SHARE * free)


def resident(pid: int) -> int:
    """Bytes of memory that a process holds, 0 where that is not known."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    except (OSError, IndexError):
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _free() -> int | None:
    """Bytes free on the machine, or in its container where that is less."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        kib = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):
        return None
    return min([kib * 1024, *_free_of_group()])


def _free_of_group() -> list[int]:
    for limit, used in GROUP_FILES:
        try:
            return [max(0, int(Path(limit).read_text("ascii")) - int(Path(used).read_text("ascii")))]
        except (OSError, ValueError):  # no such file, or "max"
            continue
    return []
