"""Seeded books of any size for benchmarks: tight, with skewed owners and lumpy accounts.

A family is a function of (accounts, AMs, seed); `FAMILIES` lists them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from rebalancer.book import Book
from rebalancer.coverage import load_model
from rebalancer.snapshot import take_snapshot

DAY = "2026-10-01"
USED = 0.95
"""Share of all capacity that the accounts need together."""

OVER = 0.4
"""Share of books that start above their capacity."""


def regional(accounts: int, ams: int, seed: int = 0, regions: int | None = None) -> Book:
    """Regions of 20 AMs (or `regions` of them); each account can go to any AM of its region."""
    rng = np.random.default_rng(seed)
    count = regions or max(1, ams // 20)
    am_region = np.arange(ams) % count
    account_region = np.arange(accounts) % count
    frame = _accounts(rng, accounts)
    frame["region"] = [f"R{region:03}" for region in account_region]
    people = pd.DataFrame({"am_id": [f"M{i:05}" for i in range(ams)], "name": [f"Manager {i}" for i in range(ams)]})
    people["region"] = [f"R{region:03}" for region in am_region]
    units = _units(frame, people)
    owner, capacity = _skewed(rng, units, account_region, am_region)
    frame["owner"] = [f"M{i:05}" for i in owner]
    people["capacity"] = capacity
    return Book.from_frames(accounts=frame, ams=people, effective_date=DAY)


def wide(accounts: int, ams: int, seed: int = 0) -> Book:
    """Everybody is eligible for everything: one component."""
    return regional(accounts, ams, seed, regions=1)


FAMILIES: dict[str, Callable[[int, int, int], Book]] = {"regional": regional, "wide": wide}


def _accounts(rng: np.random.Generator, n: int) -> pd.DataFrame:
    since = np.datetime64(DAY) - rng.integers(30, 2_500, n)
    return pd.DataFrame(
        {
            "account_id": [f"A{i:07}" for i in range(n)],
            "name": [f"Account {i}" for i in range(n)],
            "arr": np.exp(rng.normal(10.8, 1.0, n)).round(),
            "products": rng.integers(1, 10, n),
            "stakeholders": rng.integers(1, 12, n),
            "complexity": rng.choice([0.8, 0.9, 1.0, 1.1, 1.25], n),
            "health": rng.integers(30, 100, n),
            "owner_since": since,
            "renewal_date": np.datetime64(DAY) + rng.integers(1, 365, n),
        }
    )


def _units(accounts: pd.DataFrame, ams: pd.DataFrame) -> np.ndarray:
    """Units under the model the benchmarks use."""
    book = Book.from_frames(accounts=accounts.assign(owner=""), ams=ams, effective_date=DAY)
    return take_snapshot(book, load_model("pods"), "full", "revenue_at_risk").accounts.units


def _skewed(
    rng: np.random.Generator, units: np.ndarray, account_region: np.ndarray, am_region: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Owners drawn with uneven weights, and capacities equal within a region so that `USED` of it is needed."""
    owner = np.zeros(len(units), dtype=np.int64)
    capacity = np.zeros(len(am_region))
    for region in np.unique(am_region):
        ams, accounts = np.flatnonzero(am_region == region), np.flatnonzero(account_region == region)
        fair = units[accounts].sum() / 100 / len(ams)
        capacity[ams] = round(fair / USED, 2)
        weight = np.where(rng.random(len(ams)) < OVER, rng.uniform(1.1, 1.4, len(ams)), rng.uniform(0.6, 1.0, len(ams)))
        owner[accounts] = rng.choice(ams, len(accounts), p=weight / weight.sum())
    return owner, capacity
