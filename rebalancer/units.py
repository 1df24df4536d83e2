"""Coverage units: the workload of an account, in hundredths of a unit."""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pandas as pd

from rebalancer.coverage import CoverageModel, Steps
from rebalancer.tables import TIERS

HUNDREDTHS = 100
"""Units are whole hundredths wherever they are added or compared."""


def tier_codes(tier: pd.Series, arr: pd.Series, model: CoverageModel) -> np.ndarray:
    """Index into `TIERS` per account: the tier named, else the one its ARR (dollars) falls into."""
    edges = [float(model.tiers[name]) for name in ("mid_market", "enterprise", "strategic")]
    derived = len(TIERS) - 1 - np.searchsorted(edges, arr.to_numpy(), side="right")
    named = pd.Index(TIERS).get_indexer(pd.Index(tier))
    return np.where(named >= 0, named, derived).astype(np.int8)


def coverage_units(accounts: pd.DataFrame, tiers: np.ndarray, model: CoverageModel) -> np.ndarray:
    """Hundredths of units per account, exactly rounded half-up.

    `units = tier_units[tier] * products_factor * stakeholders_factor * complexity`; accounts has the columns
    products, stakeholders, complexity (NaN: factor 1), `tiers` indexes `TIERS`.
    """
    factors = model.units.factors
    keys = np.column_stack(
        [
            tiers,
            step_index(accounts["products"], factors.products),
            step_index(accounts["stakeholders"], factors.stakeholders),
            accounts["complexity"].fillna(1.0),
        ]
    )

    def units_of(key: np.ndarray) -> int:
        tier, products, stakeholders, complexity = key
        exact = (
            model.units.tier[TIERS[int(tier)]]  # type: ignore[index]
            * step_value(factors.products, int(products))
            * step_value(factors.stakeholders, int(stakeholders))
            * Decimal(repr(float(complexity)))
        )
        return int((exact * HUNDREDTHS).to_integral_value(ROUND_HALF_UP))

    return once_per_row(keys, units_of)


def step_index(values: pd.Series | np.ndarray, steps: Steps) -> np.ndarray:
    """The row of a step table that applies to each value, -1 where the value is missing or below the first row."""
    numbers = np.asarray(values, dtype=np.float64)
    index = np.searchsorted([float(start) for start, _ in steps], numbers, side="right") - 1
    return np.where(np.isnan(numbers), -1, index)


def step_value(steps: Steps, index: int) -> Decimal:
    """The value of a step table's row; row -1 is factor 1."""
    return Decimal(1) if index < 0 else steps[index][1]


def once_per_row(keys: np.ndarray, function: Callable[[np.ndarray], int]) -> np.ndarray:
    """`function` of every row of `keys`, called once per distinct row: exact decimals at array speed."""
    if not len(keys):
        return np.zeros(0, dtype=np.int64)
    distinct, place = np.unique(keys, axis=0, return_inverse=True)
    return np.array([function(key) for key in distinct], dtype=np.int64)[place.reshape(-1)]


def floored(value: Decimal) -> int:
    """Units as whole hundredths, rounded down: how a capacity times a fraction becomes a limit."""
    return int(value * HUNDREDTHS // 1)
