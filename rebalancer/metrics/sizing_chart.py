"""The sizing chart: Net Ratio x accounts per AM (or size of the book) -> AMs needed.

Source: Alexander Group, "Finding the Right Size for Your Account Manager Sales Force": the higher the Net Ratio, the
more AMs pay. Which column a Net Ratio advises is ours (`sizing.net_ratio`).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from rebalancer.metrics.sizing import pull_of
from rebalancer.snapshot import Snapshot

CHARTED = ("all", "tier", "region")
WHOLE_FROM = 10
"""Books of so many accounts and more are charted in whole accounts, smaller ones in tenths."""


def chart_frame(snapshot: Snapshot, needed: pd.DataFrame) -> pd.DataFrame:
    """The chart of all, of every tier and of every region with accounts; `needed` is `needed_frame`.

    One row per cell: by, tier, region, net_ratio, accounts_per_am, arr_per_am (dollars, the size of such a book), ams
    (whole AMs needed), growth_per_am (Net Ratio x size of the book: what an AM adds in a year), pays (that over the
    yearly cost of an AM; missing without costs), advised (the column of its Net Ratio). The columns go from the
    smallest book of the benchmarks to the largest, and on to today's where that lies outside.
    """
    rows = needed[needed["by"].isin(CHARTED) & (needed["accounts"] > 0) & needed["accounts_low"].notna()]
    charts = [_chart(snapshot, row) for row in rows.to_dict("records")]
    empty = pd.DataFrame(columns=list(CHART))
    return pd.concat(charts, ignore_index=True)[list(CHART)] if charts else empty


CHART = (
    *("by", "tier", "region", "net_ratio", "accounts_per_am", "arr_per_am", "ams", "growth_per_am", "pays", "advised"),
)


def _chart(snapshot: Snapshot, row: dict) -> pd.DataFrame:
    ratios = np.array([float(ratio) for ratio in snapshot.model.sizing.chart_net_ratios])
    accounts, arr = int(row["accounts"]), max(0, int(row["arr"]))
    smallest, largest = accounts / row["accounts_high"], accounts / row["accounts_low"]
    sizes = _sizes(smallest, largest, accounts / row["today"] if row["today"] > 0 else np.nan, snapshot)
    advised = largest - pull_of(snapshot, ratios) * (largest - smallest)
    nearest = np.abs(np.log(sizes[None, :]) - np.log(advised[:, None])).argmin(axis=1)
    ratio, size = np.repeat(ratios, len(sizes)), np.tile(sizes, len(ratios))
    book = arr / accounts * size
    return pd.DataFrame(
        {
            **{name: row[name] for name in ("by", "tier", "region")},
            "net_ratio": ratio,
            "accounts_per_am": size,
            "arr_per_am": np.round(book),
            "ams": np.ceil(np.round(accounts / size, 9)).astype(np.int64),
            "growth_per_am": np.round(ratio * book),
            "pays": ratio * book / row["average_cost"],
            "advised": np.tile(np.arange(len(sizes)), len(ratios)) == np.repeat(nearest, len(sizes)),
        }
    )


def _sizes(smallest: float, largest: float, today: float, snapshot: Snapshot) -> np.ndarray:
    """Accounts per AM of the columns, rising by equal factors."""
    ends = [end for end in (smallest, largest, today) if np.isfinite(end)]
    sizes = np.geomspace(min(ends), max(ends), snapshot.model.sizing.chart_columns)
    return np.unique(np.where(sizes >= WHOLE_FROM, np.round(sizes), np.round(sizes, 1)).clip(min=0.1))
