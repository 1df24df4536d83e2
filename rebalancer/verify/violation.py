"""Violation: one rule, or one claimed figure, that a plan does not keep."""

from __future__ import annotations

from dataclasses import dataclass

from rebalancer.errors import printable

SHOWN_MESSAGE = 1_000


@dataclass(frozen=True)
class Violation:
    """What is wrong with a plan: the `rule`, and a `message` with the witness and the numbers.

    `str` escapes what a terminal would obey; `message` holds ids as they are.
    """

    rule: str
    message: str

    def __str__(self) -> str:
        return f"({self.rule}) {printable(self.message, SHOWN_MESSAGE)}"
