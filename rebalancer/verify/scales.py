"""Scales: the numbers of a coverage model as exact fractions, converted once, and the lookup of a step table."""

from __future__ import annotations

from bisect import bisect_right
from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from operator import itemgetter

from rebalancer.coverage import CoverageModel

Steps = tuple[tuple[Fraction | int, Fraction], ...]
ONE = Fraction(1)
WHOLE_CSM = 10**6
"""The load that one CSM of capacity 1 carries."""


def steps(table: tuple[tuple[Decimal, Decimal], ...]) -> Steps:
    """A step table of the model as fractions, its starts as whole numbers where they are: those compare faster."""
    return tuple((_plain(Fraction(start)), Fraction(value)) for start, value in table)


def _plain(value: Fraction | int) -> Fraction | int:
    return value.numerator if value.denominator == 1 else value


def step(table: Steps, value: Fraction | int | None) -> Fraction:
    """The value of the last row with `from <= value`; 1 below the first row and where the value is missing."""
    row = 0 if value is None else bisect_right(table, _plain(value), key=itemgetter(0))
    return table[row - 1][1] if row else ONE


def half_up(value: Fraction) -> int:
    """The nearest whole number of a value that is not negative; halves go up."""
    return int((2 * value.numerator + value.denominator) // (2 * value.denominator))


def whole_years(since: date, day: date) -> int:
    """Full calendar years from `since` to `day`."""
    return day.year - since.year - ((day.month, day.day) < (since.month, since.day))


def months_before(day: date, months: int) -> date:
    """The same day of an earlier month, or that month's last; the first of all days where there is none."""
    year, month = divmod(12 * day.year + day.month - 1 - months, 12)
    if year < 1:
        return date.min
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


@dataclass(frozen=True)
class Scales:
    """Weights, factors and prices of one coverage model."""

    tier_units: Mapping[str, Fraction]
    tier_edges: tuple[tuple[str, Fraction | int], ...]
    products: Steps
    stakeholders: Steps
    ratios: Steps
    handover: Mapping[str, Fraction]
    loss_rate: Fraction
    csm_share: Fraction
    pod_break: Fraction
    renewal_days: Steps
    health: Steps
    tenure_years: Steps

    @classmethod
    def of(cls, model: CoverageModel) -> Scales:
        """The scales of a model."""
        factors, price, risk = model.units.factors, model.disruption, model.disruption.risk
        return cls(
            tier_units={tier: Fraction(value) for tier, value in model.units.tier.items()},
            tier_edges=tuple(
                sorted(
                    ((tier, _plain(Fraction(edge))) for tier, edge in model.tiers.items()), key=lambda pair: -pair[1]
                )
            ),
            products=steps(factors.products),
            stakeholders=steps(factors.stakeholders),
            ratios=steps(model.csm.ratios),
            handover={tier: Fraction(value) for tier, value in price.handover.items()},
            loss_rate=Fraction(price.loss_rate),
            csm_share=Fraction(price.csm_share),
            pod_break=Fraction(price.pod_break),
            renewal_days=steps(risk.renewal_days),
            health=steps(risk.health),
            tenure_years=steps(risk.tenure_years),
        )

    def tier_of(self, arr: int) -> str:
        """The tier that an ARR falls into, lower edges inclusive."""
        return next((tier for tier, edge in self.tier_edges if arr >= edge), "smb")

    def units(
        self, tier: str, products: Fraction | None, stakeholders: Fraction | None, complexity: Fraction | None
    ) -> int:
        """Coverage units in hundredths, rounded half-up."""
        weight = self.tier_units[tier]
        above, below = 100 * weight.numerator, weight.denominator
        own = ONE if complexity is None else complexity
        for factor in (step(self.products, products), step(self.stakeholders, stakeholders), own):
            above, below = above * factor.numerator, below * factor.denominator
        return (2 * above + below) // (2 * below)

    def csm_weight(self, arr: int) -> int:
        """The load of one account on its CSM: one CSM divided by the whole accounts of that ARR it can serve."""
        return WHOLE_CSM // max(1, int(step(self.ratios, max(0, arr))))
