"""Disruption: what a change of AM or CSM costs, in each of the three measures."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd

from rebalancer.coverage import CoverageModel, Measure
from rebalancer.tables import TIERS
from rebalancer.units import once_per_row, step_index, step_value


@dataclass(frozen=True)
class MoveCosts:
    """Per account, what changing only the AM, only the CSM, or both costs (int64)."""

    am: np.ndarray
    csm: np.ndarray
    both: np.ndarray

    def of(self, accounts: np.ndarray, am_changed: np.ndarray, csm_changed: np.ndarray) -> np.ndarray:
        """The cost of each change: account index and two flags per entry."""
        by_change = np.column_stack([np.zeros_like(self.am), self.am, self.csm, self.both])
        costs: np.ndarray = by_change[accounts, am_changed + 2 * csm_changed.astype(np.int8)]
        return costs


def move_costs(
    measure: Measure, accounts: pd.DataFrame, tiers: np.ndarray, units: np.ndarray, day: date, model: CoverageModel
) -> MoveCosts:
    """Costs in `measure`: dollars of revenue at risk, accounts, or hundredths of units.

    Only revenue at risk prices a CSM change; the other two leave it to the level `continuity`.
    """
    if measure == "revenue_at_risk":
        return _revenue_at_risk(accounts, tiers, day, model)
    per_move = np.ones(len(accounts), dtype=np.int64) if measure == "accounts" else np.maximum(1, units)
    return MoveCosts(per_move, np.zeros_like(per_move), per_move)


def _revenue_at_risk(accounts: pd.DataFrame, tiers: np.ndarray, day: date, model: CoverageModel) -> MoveCosts:
    """`base = handover[tier] + min(1, loss_rate * risk) * max(0, ARR)`, then by what changes, rounded half-up.

    The loss rate is that of Shi, Sridhar, Grewal & Lilien (2017), Journal of Marketing 81(2).
    """
    terms = model.disruption
    rates = _loss_rates(accounts, day, model)
    handovers = [terms.handover[tier] for tier in TIERS]  # type: ignore[index]
    scale = 10 ** max(_digits(value) for value in (*rates.distinct, *handovers))
    base = _whole(handovers, scale)[tiers] + _whole(rates.distinct, scale)[rates.place] * np.maximum(
        0, accounts["arr"].to_numpy(dtype=object)
    )
    share, pod_break = terms.csm_share, terms.pod_break
    return MoveCosts(*(_rounded(base, scale, weight) for weight in (Decimal(1), share, 1 + share + pod_break)))


@dataclass(frozen=True)
class _Rates:
    distinct: list[Decimal]
    place: np.ndarray


def _loss_rates(accounts: pd.DataFrame, day: date, model: CoverageModel) -> _Rates:
    risk = model.disruption.risk
    keys = np.column_stack(
        [
            step_index(_days_to_renewal(accounts["renewal_date"], day), risk.renewal_days),
            step_index(accounts["health"], risk.health),
            step_index(whole_years(accounts["owner_since"], day), risk.tenure_years),
        ]
    )
    distinct: list[Decimal] = []

    def place_of(key: np.ndarray) -> int:
        tables = (risk.renewal_days, risk.health, risk.tenure_years)
        factors = [step_value(steps, int(index)) for steps, index in zip(tables, key, strict=True)]
        distinct.append(min(Decimal(1), model.disruption.loss_rate * factors[0] * factors[1] * factors[2]))
        return len(distinct) - 1

    return _Rates(distinct, once_per_row(keys, place_of))


def _days_to_renewal(renewal: pd.Series, day: date) -> np.ndarray:
    """Days until renewal; a renewal that has passed is no longer ahead, so it counts as unknown."""
    days = (renewal - pd.Timestamp(day)).dt.days.to_numpy(dtype=np.float64)
    return np.where(days >= 0, days, np.nan)


def whole_years(since: pd.Series, day: date) -> np.ndarray:
    """Calendar years completed since each date (NaN for none or a future date)."""
    before_anniversary = (since.dt.month > day.month) | ((since.dt.month == day.month) & (since.dt.day > day.day))
    years = day.year - since.dt.year - before_anniversary.astype(int)
    return np.where(since.isna() | (years < 0), np.nan, years).astype(np.float64)


def _digits(value: Decimal) -> int:
    return max(0, -int(value.normalize().as_tuple().exponent))


def _whole(values: list[Decimal], scale: int) -> np.ndarray:
    return np.array([int(value * scale) for value in values], dtype=object)


def _rounded(base: np.ndarray, scale: int, weight: Decimal) -> np.ndarray:
    """`base / scale * weight` rounded half-up to whole dollars, at least 1."""
    factor = 10 ** _digits(weight)
    divisor = 2 * scale * factor
    doubled = base * (2 * int(weight * factor)) + scale * factor
    return np.maximum(1, (doubled // divisor).astype(np.int64)) if len(base) else np.zeros(0, dtype=np.int64)
