"""Groups: the figures of all books of a manager, a region or a tier together."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import pandas as pd

from rebalancer.metrics.attention import attention_by_book
from rebalancer.metrics.benchmarks import benchmark_frame, tier_counts
from rebalancer.metrics.books import ROUNDING, load, managers
from rebalancer.metrics.retention import MILLIONTHS, weighted
from rebalancer.snapshot import Snapshot
from rebalancer.tables import TIERS
from rebalancer.units import HUNDREDTHS

Group = Literal["manager", "region", "tier"]
GROUPS = get_args(Group)

NOBODY = {"manager": "(no manager)", "region": "(any region)", "tier": "(no accounts)"}


def group_of_books(snapshot: Snapshot, by: Group) -> np.ndarray:
    """The group of each book: its AM's manager, its AM's regions, or the tier of more than half of its accounts."""
    if by == "manager":
        names = managers(snapshot)
    elif by == "region":
        names = ["; ".join(sorted(tags)) for tags in snapshot.ams.tags["region"]]
    else:
        names = benchmark_frame(snapshot)["main_tier"].tolist()
    return np.array([name or NOBODY[by] for name in names], dtype=object)


def group_frame(snapshot: Snapshot, by: Group, attention: pd.DataFrame | None = None) -> pd.DataFrame:
    """One row per group as the books stand; every book is in exactly one group.

    Columns: the group under the name of `by`; books, and how many are green, yellow and red; units; capacity, of the
    people who are there now; utilization; accounts; arr in dollars; accounts of each tier; silent_accounts,
    silent_key_accounts; grr_forecast and nrr_forecast, weighted by ARR. `attention` is `metrics.attention_frame`.
    """
    now, ams = load(snapshot, snapshot.accounts.owner), snapshot.ams
    there = ~ams.departed & (ams.started | snapshot.model.headcount.open)
    silence = attention_by_book(snapshot, attention)
    counts = tier_counts(snapshot, snapshot.accounts.owner)
    columns: dict[str, np.ndarray] = {"books": np.ones(len(ams), dtype=np.int64)}
    columns |= {
        band: np.array([one == band for one in now.band], dtype=np.int64) for band in ("green", "yellow", "red")
    }
    columns |= {"units": now.units, "capacity": np.where(there, ams.capacity, 0)}
    columns |= {"accounts": now.accounts, "arr": now.arr}
    columns |= {tier: counts[:, code] for code, tier in enumerate(TIERS)}
    columns |= {name: silence[name].to_numpy() for name in ("silent_accounts", "silent_key_accounts")}
    for name in ("grr", "nrr"):
        columns[f"{name}_kept"], columns[f"{name}_known"] = weighted(snapshot, f"{name}_forecast")
    sums = pd.DataFrame({by: group_of_books(snapshot, by), **columns}).groupby(by, sort=True).sum().reset_index()
    return _with_shares(sums, by)


def _with_shares(sums: pd.DataFrame, by: str) -> pd.DataFrame:
    with np.errstate(divide="ignore", invalid="ignore"):
        used = np.where(sums["capacity"] > 0, sums["units"] / sums["capacity"], np.nan)
    sums.insert(list(sums.columns).index("capacity") + 1, "utilization", np.round(used, ROUNDING))
    for name in ("grr", "nrr"):
        kept, known = (sums.pop(f"{name}_{part}").astype(float) for part in ("kept", "known"))
        sums[f"{name}_forecast"] = (kept / MILLIONTHS / known.where(known > 0)).astype(float)
    scaled = {name: sums[name] / HUNDREDTHS for name in ("units", "capacity")}
    return sums.assign(**scaled).sort_values(["utilization", by], ascending=[False, True], ignore_index=True)
