"""How large a file may be; `--accept large` lifts every limit but that of the machine."""

from __future__ import annotations

from rebalancer.errors import Faults

MAX_BYTES = 200 * 2**20
MAX_ROWS = 1_000_000
MAX_COLUMNS = 1_000
MAX_CELLS = 20_000_000
MAX_UNPACKED = 500 * 2**20
MAX_RATIO = 200
MAX_ENTRIES = 10_000
"""Of an archive: bytes after unpacking, how often larger they are than before, and parts. Rows: below the header."""


def within(what: str, value: int, limit: int, faults: Faults, **where: object) -> bool:
    """True within the limit, or where large files are accepted; notes the fault."""
    if value <= limit:
        return True
    before = len(faults.errors)
    cure = "Split the file, or use --accept large if it is meant to be that large."
    faults.error("large", f"{what}: {value:,}, more than the limit of {limit:,}.", cure, **where)
    return len(faults.errors) == before
