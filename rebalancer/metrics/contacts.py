"""Touches by account, month and kind, counted once for everything that asks how often somebody was in touch."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from rebalancer.metrics.attention import touch_counts
from rebalancer.metrics.readings import places_of_accounts, words
from rebalancer.people import NONE
from rebalancer.quarters import MONTHS, Quarter
from rebalancer.snapshot import Snapshot

YEAR = 12


@dataclass(frozen=True)
class Contacts:
    """Meaningful touches by account, month (counted since year 0) and kind."""

    place: np.ndarray
    month: np.ndarray
    kind: np.ndarray
    touches: np.ndarray
    kinds: tuple[str, ...]
    """What `kind` numbers."""
    first: int | None
    """The month of the first touch of anybody, None where there is none."""
    accounts: int

    def between(self, first: int, last: int, *kinds: str) -> np.ndarray:
        """Touches of each account from month `first` to `last`, both included; of some kinds only where named."""
        inside = (self.month >= first) & (self.month <= last)
        inside = inside & self._of(*kinds) if kinds else inside
        weights = self.touches[inside].astype(np.float64)
        return np.bincount(self.place[inside], weights=weights, minlength=self.accounts)

    def has(self, *kinds: str, until: int) -> bool:
        """Whether there is a touch of one of the kinds up to month `until`."""
        return bool((self._of(*kinds) & (self.month <= until)).any())

    def _of(self, *kinds: str) -> np.ndarray:
        return np.isin(self.kind, [self.kinds.index(kind) for kind in kinds if kind in self.kinds])


def read_contacts(snapshot: Snapshot) -> Contacts:
    """The touches of accounts in the plan, from `attention.touch_counts`."""
    counts = touch_counts(snapshot.book, snapshot.model, "month", by_kind=True)
    code, months = pd.factorize(counts["period"])
    month = np.array([month_number(str(text)) for text in months], dtype=np.int64)[code]
    place = places_of_accounts(snapshot, counts["account_id"])
    inside = place != NONE
    kind, kinds = pd.factorize(words(counts["kind"]))
    return Contacts(
        place=place[inside],
        month=month[inside],
        kind=kind[inside],
        touches=counts["touches"].to_numpy(dtype=np.int64)[inside],
        kinds=tuple(str(name) for name in kinds),
        first=int(month.min()) if len(month) else None,
        accounts=len(snapshot.accounts),
    )


def month_number(text: str) -> int:
    """`2026-07` as months since year 0."""
    year, month = text.split("-")
    return int(year) * YEAR + int(month) - 1


def month_text(number: int) -> str:
    """The month of a number, as `2026-07`."""
    return f"{number // YEAR:04d}-{number % YEAR + 1:02d}"


def first_day(month: int) -> date:
    """The first day of a month, by its number."""
    return date(month // YEAR, month % YEAR + 1, 1)


def months_of(quarter: Quarter) -> tuple[int, int]:
    """First and last month of a quarter, as numbers."""
    first = quarter.year * YEAR + MONTHS * (quarter.number - 1)
    return first, first + MONTHS - 1


def passed(quarter: Quarter, day: date) -> tuple[int, int]:
    """Days of a quarter that have passed on a day, that day included, and all its days."""
    return (day - quarter.start).days + 1, (quarter.end - quarter.start).days + 1
