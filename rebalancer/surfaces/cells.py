"""Cells: text that a spreadsheet shows as text, whatever it holds."""

from __future__ import annotations

import re

MARK = "'"
"""Put before text that a spreadsheet would take for a formula. OWASP, "CSV Injection"."""

_STARTS = re.compile(r"'*[\s\x00-\x1f\ufeff\u200b]*[=+\-@|%\uff1d\uff0b\uff0d\uff20\t\r\n]")


def as_text(value: str) -> str:
    """The text, marked where a spreadsheet might run it. `plain` gives it back as it was."""
    return MARK + value if _STARTS.match(value) else value


def plain(cell: str) -> str:
    """The text of a cell that `as_text` made; only our own mark is taken away."""
    return cell[1:] if cell.startswith(MARK) and _STARTS.match(cell[1:]) else cell
