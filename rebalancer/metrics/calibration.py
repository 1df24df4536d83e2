"""What a tier's accounts weigh under a model, what they take of a team's time, and the weights that follow.

Sources: KnowMBA, "Account Manager Coverage", for benchmarks and the literal weights.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pandas as pd

from rebalancer.coverage import CoverageModel, Steps, Tier
from rebalancer.metrics.groups import group_frame
from rebalancer.metrics.touch_classes import minutes_by_account
from rebalancer.snapshot import Snapshot
from rebalancer.tables import TIERS
from rebalancer.units import HUNDREDTHS, coverage_units

LEAST = Decimal("0.01")
"""Units are counted in hundredths, and an account that is served weighs something."""

PLAIN = 100
"""The weight under which factors alone are measured: large enough that rounding to hundredths does not show."""


def rounded(units: Decimal) -> Decimal:
    """A weight in hundredths of a unit, half up, at least one of them."""
    return max(LEAST, units.quantize(LEAST, ROUND_HALF_UP))


def benchmark_units(model: CoverageModel) -> dict[Tier, Decimal]:
    """Units of an account by tier so that a full AM carries the middle of the tier's benchmark: cap / middle.

    Where a benchmark has no upper end, its lower end counts. Tiers without a benchmark are left out.
    """
    found = {}
    for tier, (low, high) in model.benchmarks.items():
        middle = Decimal(low if high is None else low + high) / (1 if high is None else 2)
        if middle > 0 and model.units.cap > 0:
            found[tier] = rounded(model.units.cap / middle)
    return found


def position(accounts: float, benchmark: tuple[int, int | None] | None) -> str:
    """`below`, `within` or `above` a benchmark of accounts per AM, its ends included; empty where there is none."""
    if benchmark is None or not np.isfinite(accounts):
        return ""
    low, high = benchmark
    if accounts < low:
        return "below"
    return "above" if high is not None and accounts > high else "within"


def team_load(snapshot: Snapshot) -> tuple[float, float, float]:
    """Units of all books, the capacity of the people who are there now, and their quotient (NaN without capacity)."""
    units, capacity = group_frame(snapshot, "manager")[["units", "capacity"]].sum()
    return round(float(units), 2), round(float(capacity), 2), units / capacity if capacity else float("nan")


def tier_weights(snapshot: Snapshot) -> pd.DataFrame:
    """One row per tier of the accounts in the plan: tier, accounts, units (their sum), stretch.

    `stretch` is the mean of products factor x stakeholders factor x complexity, 1 where a tier has no accounts.
    """
    accounts, model = snapshot.accounts, snapshot.model
    plain = model.units.model_copy(update={"tier": {tier: Decimal(PLAIN) for tier in TIERS}})
    factors = coverage_units(snapshot.frame, accounts.tier, model.model_copy(update={"units": plain}))
    number = np.bincount(accounts.tier, minlength=len(TIERS))
    with np.errstate(divide="ignore", invalid="ignore"):
        stretch = np.bincount(accounts.tier, weights=factors, minlength=len(TIERS)) / (number * PLAIN * HUNDREDTHS)
    units = np.bincount(accounts.tier, weights=accounts.units, minlength=len(TIERS)) / HUNDREDTHS
    stretch = np.where(number > 0, stretch, 1.0)
    return pd.DataFrame({"tier": list(TIERS), "accounts": number, "units": units, "stretch": stretch})


def tracked_hours(snapshot: Snapshot, entries: pd.DataFrame) -> pd.DataFrame:
    """One row per tier: timed_accounts, and hours per account (NaN where none was timed).

    `entries` has the columns of `rebalancer.reading.hours`. Entries of accounts add up, and the mean is over the
    accounts that have one; without any, the entries of the tier as a whole count, over all its accounts.
    """
    tier, ids = snapshot.accounts.tier, pd.Index(snapshot.accounts.ids)
    of_account = entries[entries["account_id"] != ""].groupby("account_id")["hours"].sum()
    place = ids.get_indexer(of_account.index)
    known, spent = tier[place[place >= 0]], of_account.to_numpy()[place >= 0]
    of_tier = entries[entries["account_id"] == ""].groupby("tier")["hours"].sum().reindex(TIERS)
    timed = np.bincount(known, minlength=len(TIERS))
    total = np.bincount(known, weights=spent, minlength=len(TIERS))
    whole = (timed == 0) & of_tier.notna().to_numpy()
    timed = np.where(whole, np.bincount(tier, minlength=len(TIERS)), timed)
    total = np.where(whole, of_tier.fillna(0).to_numpy(), total)
    return _per_account(timed, total)


def touch_hours(snapshot: Snapshot) -> pd.DataFrame:
    """The same from `touches`: minutes by kind within `touch_model.time_days`; an account without one took no time."""
    tier = snapshot.accounts.tier
    total = np.bincount(tier, weights=minutes_by_account(snapshot), minlength=len(TIERS)) / 60
    return _per_account(np.bincount(tier, minlength=len(TIERS)), total)


def _per_account(timed: np.ndarray, total: np.ndarray) -> pd.DataFrame:
    with np.errstate(divide="ignore", invalid="ignore"):
        hours = np.where((timed > 0) & (total > 0), total / timed, np.nan)
    return pd.DataFrame({"timed_accounts": timed, "hours": hours})


def time_units(model: CoverageModel, tiers: pd.DataFrame, hours_per_am: float | None) -> dict[Tier, Decimal]:
    """Units of an account by tier in proportion to its mean hours; tiers without hours are left out.

    `tiers` has accounts, units, stretch and hours. The weight is divided by the tier's stretch, so that after the
    factors the mean account weighs what its hours say. A full AM's `cap` is `hours_per_am`; where that is None, the
    timed tiers together weigh what they weigh today.
    """
    known = tiers[tiers["hours"].notna() & (tiers["accounts"] > 0)]
    spent = float((known["hours"] * known["accounts"]).sum())
    if not spent:
        return {}
    per_hour = float(model.units.cap) / hours_per_am if hours_per_am else float(known["units"].sum()) / spent
    weights = known["hours"] * per_hour / known["stretch"]
    return {tier: rounded(Decimal(repr(float(weight)))) for tier, weight in zip(known["tier"], weights, strict=True)}


def reach(model: CoverageModel, tier: Tier, *, products: int | None = None) -> tuple[Decimal, Decimal]:
    """The least and the most an account of a tier can weigh through the factors, with so many products where given.

    `complexity` is the account's own and counts as 1.
    """
    factors = model.units.factors
    by_products = _factors(factors.products) if products is None else [_factor(factors.products, products)]
    by_people = _factors(factors.stakeholders)
    weight = model.units.tier[tier]
    return weight * min(by_products) * min(by_people), weight * max(by_products) * max(by_people)


def _factors(steps: Steps) -> list[Decimal]:
    """Every factor that an account may get: those of the table, and 1 below its first row or without one."""
    covered = bool(steps) and steps[0][0] <= 0
    return [value for _, value in steps] + ([] if covered else [Decimal(1)])


def _factor(steps: Steps, figure: int) -> Decimal:
    return next((value for start, value in reversed(steps) if start <= figure), Decimal(1))
