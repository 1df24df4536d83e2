"""Calendar quarters: the periods in which service, quotas and touch classes are counted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

MONTHS = 3


@dataclass(frozen=True, order=True)
class Quarter:
    """One quarter of the calendar year: `year`, and `number` from 1 to 4."""

    year: int
    number: int

    @classmethod
    def of(cls, day: date) -> Quarter:
        """The quarter a day lies in."""
        return cls(day.year, (day.month - 1) // MONTHS + 1)

    @classmethod
    def parse(cls, text: str) -> Quarter | None:
        """`2026-Q4`, `2026Q4`, `Q4 2026` or `Q4-2026`, in any case; None for anything else."""
        found = re.fullmatch(r"\s*(?:(\d{4})[-\s]?Q([1-4])|Q([1-4])[-\s]?(\d{4}))\s*", text, re.IGNORECASE)
        if not found:
            return None
        return cls(int(found[1] or found[4]), int(found[2] or found[3]))

    @property
    def start(self) -> date:
        """Its first day."""
        return date(self.year, MONTHS * (self.number - 1) + 1, 1)

    @property
    def end(self) -> date:
        """Its last day."""
        return self.next.start - timedelta(days=1)

    @property
    def next(self) -> Quarter:
        """The quarter after it."""
        return Quarter(self.year + self.number // 4, self.number % 4 + 1)

    @property
    def previous(self) -> Quarter:
        """The quarter before it."""
        return Quarter(self.year - (self.number == 1), (self.number - 2) % 4 + 1)

    def __contains__(self, day: date) -> bool:
        return self.start <= day <= self.end

    def __str__(self) -> str:
        return f"{self.year}-Q{self.number}"
