"""Benchmarks: whether a book has fewer or more accounts than the ratio of its tier, and what its largest are.

[KM] KnowMBA, "Account Manager Coverage", gives accounts per AM by tier. A book of several tiers is held against all of
them at once: each account is a share of what an AM of its tier holds. For a book of one tier that is its own ratio.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pandas as pd

from rebalancer.snapshot import NONE, Snapshot
from rebalancer.tables import TIERS

MIXED = "mixed"


def tier_counts(snapshot: Snapshot, owner: np.ndarray) -> np.ndarray:
    """Accounts of each tier in each book (book x tier) under an assignment of owners."""
    tier = snapshot.accounts.tier
    return np.column_stack([snapshot.per_am(owner, (tier == code).astype(np.int64)) for code in range(len(TIERS))])


def benchmark_frame(snapshot: Snapshot) -> pd.DataFrame:
    """One row per book as it stands, in the order of `snapshot.ams`.

    Columns: am_id; main_tier, the tier of more than half of its accounts, else `mixed`, empty for an empty book;
    benchmark: `above` where the accounts are more than one AM's at the upper ends of the ratios, `below` where they are
    less than one AM's at the lower ends, else `within`, empty for an empty book; benchmark_low and benchmark_high, the
    ratio of the main tier, missing for `mixed` and where it has no upper end; benchmark_least and benchmark_most, how
    many AMs the ratios give its accounts, at their upper and at their lower ends (a tier without one counts 0).
    """
    counts = tier_counts(snapshot, snapshot.accounts.owner)
    total = counts.sum(axis=1)
    main = np.where(2 * counts > total[:, None], np.arange(len(TIERS)), NONE).max(axis=1)
    ranges = [snapshot.model.benchmarks.get(tier, (0, None)) for tier in TIERS]  # type: ignore[call-overload]
    lows = [low or None for low, _ in ranges]
    highs = [high for _, high in ranges]
    over, under = _ams_worth(counts, highs), _ams_worth(counts, lows)
    free = [low is None for low in lows]
    short = np.array([share < 1 for share in under], dtype=bool) & ~(counts[:, free] > 0).any(axis=1)
    full = np.array([share > 1 for share in over], dtype=bool)
    position = np.select([total == 0, full, short], ["", "above", "below"], "within")
    names = np.array([*TIERS, MIXED], dtype=object)
    return pd.DataFrame(
        {
            "am_id": snapshot.ams.ids,
            "main_tier": np.where(total > 0, names[main], ""),
            "benchmark": position,
            "benchmark_low": _of_tier([low for low, _ in ranges], main),
            "benchmark_high": _of_tier(highs, main),
            "benchmark_least": np.round(np.array(over, dtype=np.float64), 4),
            "benchmark_most": np.round(np.array(under, dtype=np.float64), 4),
        }
    )


def _ams_worth(counts: np.ndarray, ratios: list[int | None]) -> list[Fraction]:
    """How many AMs the accounts of each book are, exactly. A ratio of 0 is exceeded by any account; None counts 0."""
    parts = [Fraction(0) if ratio is None else Fraction(1, ratio) if ratio else Fraction(2) for ratio in ratios]
    return [sum((count * part for count, part in zip(row, parts, strict=True)), Fraction()) for row in counts.tolist()]


def _of_tier(values: list[int | None], main: np.ndarray) -> pd.Series:
    known = pd.array([*values, None], dtype="Int64")
    return pd.Series(known[main])


def top_accounts(snapshot: Snapshot, most: int) -> pd.DataFrame:
    """The largest accounts of every book by ARR, at most so many, the first by id of equals.

    Columns: am_id, rank (from 1), account_id, name, tier, arr in dollars; sorted by am_id and rank.
    """
    accounts = snapshot.accounts
    owned = np.flatnonzero(accounts.owner != NONE)
    order = owned[np.lexsort((owned, -accounts.arr[owned], accounts.owner[owned]))]
    owner = accounts.owner[order]
    rank = np.arange(len(order)) - np.searchsorted(owner, owner, side="left")
    order, owner, rank = order[rank < most], owner[rank < most], rank[rank < most]
    return pd.DataFrame(
        {
            "am_id": np.array(snapshot.ams.ids, dtype=object)[owner],
            "rank": rank + 1,
            "account_id": np.array(accounts.ids, dtype=object)[order],
            "name": snapshot.frame["name"].to_numpy(dtype=object)[order],
            "tier": np.array(TIERS, dtype=object)[accounts.tier[order]],
            "arr": accounts.arr[order],
        }
    )
