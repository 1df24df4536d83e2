"""Cells: the sums by tier and region that every figure of sizing adds up from."""

from __future__ import annotations

import numpy as np
import pandas as pd

from rebalancer.metrics.net_ratio import NetRatio
from rebalancer.metrics.team import Team, by_account, idle_places
from rebalancer.snapshot import Snapshot
from rebalancer.tables import TIERS
from rebalancer.units import HUNDREDTHS

GROUPINGS: dict[str, tuple[str, ...]] = {
    "all": (),
    "tier": ("tier",),
    "region": ("region",),
    "tier and region": ("tier", "region"),
}
SUMS = (
    *("accounts", "arr", "units", "csm_units", "today", "coming", "cost", "fte", "expansion", "churn", "known_arr"),
    *("accounts_low", "accounts_high"),
)


def cells(snapshot: Snapshot, team: Team, ratio: NetRatio) -> pd.DataFrame:
    """One row per tier and region with the sums that every group adds up from (`SUMS`).

    accounts_low and accounts_high are full AMs at the upper and the lower end of the tier's benchmark; where that has
    no upper end, the lower one counts for both.
    """
    accounts = snapshot.accounts
    tier = np.array(TIERS, dtype=object)[accounts.tier]
    low, high = (_per_tier(snapshot, end)[accounts.tier] for end in (1, 0))
    served = (snapshot.frame["csm"] != "").to_numpy(dtype=bool)
    rows = pd.DataFrame(
        {
            "tier": tier,
            "region": snapshot.frame["region"].to_numpy(),
            "accounts": 1,
            "arr": accounts.arr,
            "units": accounts.units / HUNDREDTHS,
            "csm_units": np.where(served, accounts.units, 0) / HUNDREDTHS,
            "today": by_account(snapshot, team.today),
            "coming": by_account(snapshot, team.coming),
            "cost": by_account(snapshot, team.cost),
            "fte": by_account(snapshot, team.fte),
            "expansion": ratio.expansion,
            "churn": ratio.churn,
            "known_arr": ratio.book,
            "accounts_low": low,
            "accounts_high": high,
        }
    )
    return pd.concat([rows, _idle(snapshot, team)]).groupby(["tier", "region"], as_index=False)[list(SUMS)].sum()


def _per_tier(snapshot: Snapshot, end: int) -> np.ndarray:
    """Full AMs that one account of each tier takes at one end of its benchmark, NaN where the model gives none."""
    found = []
    for tier in TIERS:
        band = snapshot.model.benchmarks.get(tier, (0, None))  # type: ignore[call-overload]
        ratio = band[end] or band[0]
        found.append(1 / ratio if ratio else np.nan)
    return np.array(found)


def _idle(snapshot: Snapshot, team: Team) -> pd.DataFrame:
    """Books without accounts, as rows without accounts."""
    idle, tiers, regions = idle_places(snapshot)
    rows = pd.DataFrame(0.0, index=range(int(idle.sum())), columns=list(SUMS))
    team_of = {name: getattr(team, name)[idle] for name in ("today", "coming", "cost", "fte")}
    return rows.assign(tier=tiers[idle], region=regions[idle], **team_of)


def in_order(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows of groupings in the order of `GROUPINGS`, tiers from the largest down, regions by name."""
    rank = {name: index for index, name in enumerate((*TIERS, ""))}
    key = pd.DataFrame(
        {"by": frame["by"].map(list(GROUPINGS).index), "tier": frame["tier"].map(rank), "region": frame["region"]}
    )
    return frame.loc[key.sort_values(["by", "tier", "region"], kind="stable").index].reset_index(drop=True)
