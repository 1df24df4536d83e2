"""Statuses: what can become of a book in a night, in which order they are bad, and the exit code of many."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

Status = Literal[
    "proposed", "kept", "withdrawn", "no_change", "waiting", "over_capacity",
    "stale", "busy", "no_plan", "invalid", "failed",
]  # fmt: skip
STATUSES: tuple[Status, ...] = get_args(Status)

LASTING: tuple[Status, ...] = ("proposed", "kept", "withdrawn", "no_change", "waiting", "over_capacity")
"""Answers that are not asked for again on the same day where nothing changed."""

WORST_FIRST = (1, 7, 3, 5, 8, 4, 6, 75, 10, 0)
"""Exit codes of many books: the one that stands first."""


def worst(codes: Iterable[int]) -> int:
    """The exit code of a night; one that is not in the list is as bad as a failure."""
    found = {code if code in WORST_FIRST else 1 for code in codes}
    return next((code for code in WORST_FIRST if code in found), 0)
