"""Locks in force on the effective date: which accounts must stay, and why."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from rebalancer.coverage import CoverageModel

OWNER_ROLES = ("am", "owner", "")
"""Roles of the history table that mean the AM, in lower case."""


AUTOMATIC = ("renewal", "recent_change", "health", "opportunity")
"""Reason codes of locks that nobody set by hand: where the planner fixed a seat, they do not hold."""


def lock_reasons(
    accounts: pd.DataFrame, model: CoverageModel, day: date, held: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Per reason code, which accounts it locks. Dates are inclusive on both ends; days count from the effective date.

    manual: `lock` until `lock_until`. ae_hold: until `ae_hold_until`, and the accounts in `held`. renewal,
    recent_change, health, opportunity: as the model's `locks` ask for.
    """
    locks, today = model.locks, pd.Timestamp(day)
    off = pd.Series(False, index=accounts.index)
    to_renewal = (accounts["renewal_date"] - today).dt.days
    since_change = (today - accounts["owner_since"]).dt.days
    reasons = {
        "manual": accounts["lock"].eq(True) & (accounts["lock_until"].isna() | (accounts["lock_until"] >= today)),
        "ae_hold": (accounts["ae_hold_until"] >= today) | (off if held is None else held),
        "renewal": off if locks.renewal_days is None else to_renewal.between(0, locks.renewal_days),
        "recent_change": off if locks.changed_days is None else since_change.between(0, locks.changed_days),
        "health": off if locks.health_below is None else accounts["health"] < float(locks.health_below),
        "opportunity": accounts["opportunity"] > 0 if locks.open_opportunity else off,
    }
    active = {"manual": locks.manual, "ae_hold": locks.ae_hold}
    return {code: flags.to_numpy(dtype=bool) & active.get(code, True) for code, flags in reasons.items()}


def changed_recently(accounts: pd.DataFrame, history: pd.DataFrame, model: CoverageModel, day: date) -> np.ndarray:
    """Accounts whose AM changed within the fatigue period: after the day `3 * quarters` months ago, up to `day`."""
    quarters = model.fatigue.quarters
    if quarters is None or history.empty:
        return np.zeros(len(accounts), dtype=bool)
    start = pd.Timestamp(day) - pd.DateOffset(months=3 * quarters)
    of_owner = history["role"].str.lower().isin(OWNER_ROLES)
    recent = history[of_owner & (history["date"] > start) & (history["date"] <= pd.Timestamp(day))]
    return accounts["account_id"].isin(set(recent["account_id"])).to_numpy(dtype=bool)
