"""A figure as one sum divided by another: so what books show adds up to what the team shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rebalancer.people import NONE


def book_codes(owner: np.ndarray, books: int) -> np.ndarray:
    """The book of each account, with one more book for accounts that nobody owns."""
    return np.where(owner == NONE, books, owner)


def group_sum(group: np.ndarray, weight: np.ndarray, groups: int) -> np.ndarray:
    """The sum of `weight` by group."""
    return np.bincount(group, weights=weight, minlength=groups).astype(np.float64)


def quotient(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, NaN where there is nothing to divide by."""
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1), np.nan)


@dataclass(frozen=True)
class Sums:
    """`part` and `whole` of a figure by group; `figure` is their quotient, NaN where nothing is known."""

    part: np.ndarray
    whole: np.ndarray

    @property
    def figure(self) -> np.ndarray:
        """part / whole by group."""
        return quotient(self.part, self.whole)

    def merged(self, group: np.ndarray, groups: int) -> Sums:
        """The sums of groups of groups."""
        return Sums(group_sum(group, self.part, groups), group_sum(group, self.whole, groups))

    def or_else(self, other: Sums) -> Sums:
        """These where something is known, else the other's."""
        known = self.whole > 0
        return Sums(np.where(known, self.part, other.part), np.where(known, self.whole, other.whole))


@dataclass(frozen=True)
class Tally:
    """What each account adds to a figure: that of a group of accounts is sum of `part` / sum of `whole`."""

    part: np.ndarray
    whole: np.ndarray

    def by(self, group: np.ndarray, groups: int) -> Sums:
        """The sums of groups of accounts; `group` numbers the group of each account."""
        return Sums(group_sum(group, self.part, groups), group_sum(group, self.whole, groups))


def share(hit: np.ndarray, among: np.ndarray) -> Tally:
    """The share of the accounts `among` that are `hit`; both are flags."""
    return Tally((hit & among).astype(np.float64), among.astype(np.float64))


def average(values: np.ndarray) -> Tally:
    """The average of values; accounts whose value is NaN have no say."""
    known = ~np.isnan(values)
    return Tally(np.where(known, values, 0.0), known.astype(np.float64))
