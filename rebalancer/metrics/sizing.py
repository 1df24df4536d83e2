"""How many AMs a book of accounts needs, by its units, its accounts and its ARR, against those it has.

Sources: Alexander Group, "Finding the Right Size for Your Account Manager Sales Force" (three factors, Net Ratio);
KnowMBA, "Account Manager Coverage" (units, benchmarks); holisticselling newsletter #15 ($5-10M and 10-20 accounts per
AM). How the Net Ratio chooses within a band, and how post-sales roles free time, is ours: both are settings.
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd

from rebalancer.metrics.cells import GROUPINGS, SUMS, in_order
from rebalancer.metrics.tally import quotient
from rebalancer.snapshot import Snapshot

MONTHS = 12
DAYS_OF_MONTH = 365.2425 / MONTHS
MOST_MONTHS = 1_200
"""A team that lasts a century is said to last."""

DECIMALS = 6
ROUNDED = {"units": 2, "freed": 2, "cost": 2, "average_cost": 2, "hire_cost": 2, "months": 2} | dict.fromkeys(
    (
        *("net_ratio", "today", "coming", "needed", "units_needed"),
        *(f"{view}_{end}" for view in ("accounts", "arr") for end in ("low", "needed", "high")),
    ),
    DECIMALS,
)
"""Decimals of the columns that are sums of many parts."""

VIEWS = ("units", "accounts", "arr")


def needed_frame(snapshot: Snapshot, table: pd.DataFrame, growth: float) -> pd.DataFrame:
    """One row for all, per tier, per region, and per tier and region. `table` is `cells`, `growth` a share per year.

    Columns: by (which grouping), tier, region (empty where the row is over all of them, or where it is not known),
    accounts, arr, units, freed (units that CSMs and renewal reps take off the AMs), net_ratio, today and coming (full
    AMs), units_needed; accounts_low, accounts_needed, accounts_high; arr_low, arr_needed, arr_high; needed (the largest
    of the three), binding (which that is), gap (full AMs needed beyond today's and those coming), hire (the same in
    whole AMs, for all and by region only), cost (dollars a year of today's team), average_cost (of a full-time AM),
    hire_cost, months (until the load outgrows today's team) and full_on (that day).

    accounts_needed and arr_needed lie within their bands as the row's own Net Ratio says, in the middle where it is not
    known; so they need not add up over rows. Units, today's AMs, accounts and ARR do.
    """
    total = table[list(SUMS)].sum()
    parts = []
    for name, keys in GROUPINGS.items():
        part = table.groupby(list(keys), as_index=False)[list(SUMS)].sum() if keys else total.to_frame().T
        parts.append(part.assign(by=name, **{key: "" for key in ("tier", "region") if key not in keys}))
    frame = in_order(pd.concat(parts, ignore_index=True))
    there = (frame["by"] == "all") | (frame[["accounts", "today", "coming"]] > 0).any(axis=1)
    frame = frame[there].reset_index(drop=True)
    frame["average_cost"] = _average_cost(frame, total)
    return _finished(_views(snapshot, frame, float(total["units"])), snapshot, growth)


def _average_cost(frame: pd.DataFrame, total: pd.Series) -> np.ndarray:
    """Dollars a year of a full-time AM of the row, of the whole team where the row has none with a cost."""
    own = quotient(frame["cost"].to_numpy(np.float64), frame["fte"].to_numpy(np.float64))
    whole = float(total["cost"] / total["fte"]) if total["fte"] > 0 else np.nan
    return np.where(np.isnan(own), whole, own)


def _views(snapshot: Snapshot, frame: pd.DataFrame, all_units: float) -> pd.DataFrame:
    """The three answers to how many full AMs are needed."""
    sizing, model = snapshot.model.sizing, snapshot.model
    full = float(model.units.cap * model.limits.target)
    reps = float(sizing.renewal_reps * sizing.renewal_rep_frees) * full
    share = frame["units"] / all_units if all_units else frame["units"]
    freed = frame["csm_units"] * float(sizing.csm_frees) + reps * share
    net = frame["expansion"] - frame["churn"]
    ratio = quotient(net.to_numpy(np.float64), frame["known_arr"].to_numpy(np.float64))
    least, most = (float(value) for value in model.heatmap.arr_per_am)
    pull = pull_of(snapshot, ratio)
    arr = frame["arr"].clip(lower=0)
    return frame.assign(
        freed=np.minimum(freed, frame["units"]),
        net_ratio=ratio,
        units_needed=(frame["units"] - np.minimum(freed, frame["units"])) / full if full else np.nan,
        accounts_needed=_between(frame["accounts_low"], frame["accounts_high"], frame["accounts"], pull),
        arr_low=arr / most,
        arr_high=arr / least,
        arr_needed=arr / (most - pull * (most - least)),
    )


def pull_of(snapshot: Snapshot, ratio: np.ndarray) -> np.ndarray:
    """Where in a band a Net Ratio lies: 0 the largest books, 1 the smallest, 0.5 where it is not known."""
    low, high = (float(value) for value in snapshot.model.sizing.net_ratio)
    return np.where(np.isnan(ratio), 0.5, np.clip((ratio - low) / (high - low), 0, 1))


def _between(low: pd.Series, high: pd.Series, accounts: pd.Series, pull: np.ndarray) -> np.ndarray:
    """Full AMs at the book size between both ends that `pull` chooses; sizes, not AMs, are taken in proportion."""
    smallest, largest = (quotient(accounts.to_numpy(np.float64), ams.to_numpy(np.float64)) for ams in (high, low))
    needed = quotient(accounts.to_numpy(np.float64), largest - pull * (largest - smallest))
    return np.where(accounts > 0, needed, 0.0)


def _finished(frame: pd.DataFrame, snapshot: Snapshot, growth: float) -> pd.DataFrame:
    needed = frame[[f"{view}_needed" for view in VIEWS]].to_numpy(np.float64)
    known = np.where(np.isnan(needed), -1.0, needed)
    most = np.maximum(0.0, known.max(axis=1))
    gap = np.round(most - frame["today"] - frame["coming"], 9)
    hire = pd.Series(np.maximum(0, np.ceil(gap)).astype(np.int64), dtype="Int64")
    full = float(snapshot.model.units.cap * snapshot.model.limits.target)
    months = months_left(frame["units"] - frame["freed"], frame["today"] * full, growth)
    frame = frame.assign(
        needed=most,
        binding=np.where(most > 0, np.array(VIEWS, dtype=object)[known.argmax(axis=1)], ""),
        gap=gap,
        hire=hire.where(frame["by"].isin(HIRED_BY)),
        cost=frame["cost"].where(frame["fte"] > 0),
        months=months,
        full_on=_days(snapshot.book.effective_date, months),
        accounts=frame["accounts"].astype(np.int64),
        arr=frame["arr"].astype(np.int64),
    )
    frame["hire_cost"] = frame["hire"].astype("Float64") * frame["average_cost"]
    return frame[list(NEEDED)].round(ROUNDED)


HIRED_BY = ("all", "region")
"""Whole people are hired for a region; a tier's share of an AM is none."""

NEEDED = (
    *("by", "tier", "region", "accounts", "arr", "units", "freed", "net_ratio", "today", "coming", "units_needed"),
    *("accounts_low", "accounts_needed", "accounts_high", "arr_low", "arr_needed", "arr_high", "needed", "binding"),
    *("gap", "hire", "cost", "average_cost", "hire_cost", "months", "full_on"),
)


def months_left(load: pd.Series, capacity: pd.Series, growth: float) -> np.ndarray:
    """Months until a load that grows by `growth` a year exceeds a capacity: 0 where it does, NaN where it never will.

    The loads and capacities are in units.
    """
    loads, capacities = load.to_numpy(np.float64), capacity.to_numpy(np.float64)
    over = np.round(loads - capacities, 9) > 0
    if growth <= 0:
        return np.where(over, 0.0, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        left = MONTHS * np.log(capacities / loads) / np.log1p(growth)
    return np.where(over, 0.0, np.where(np.isfinite(left) & (left <= MOST_MONTHS), np.maximum(0.0, left), np.nan))


def _days(today: date, months: np.ndarray) -> pd.Series:
    days = [pd.NaT if np.isnan(m) else pd.Timestamp(today + timedelta(days=int(m * DAYS_OF_MONTH))) for m in months]
    return pd.Series(days, dtype="datetime64[s]")
