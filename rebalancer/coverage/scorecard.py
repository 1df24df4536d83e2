"""The scorecard: its targets, what counts as a won deal, and the weights of the health score."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from rebalancer.coverage.section import Section, Share, Tier, lifted

Target = Annotated[Annotated[Decimal, Field(ge=-1_000_000, le=1_000_000)] | None, BeforeValidator(lifted)]
"""A figure to reach, or `"none"` where none is set."""

ShareTarget = Annotated[Share | None, BeforeValidator(lifted)]
Weight = Annotated[Decimal, Field(ge=0, le=1_000)]
Within = Annotated[int, Field(ge=1, le=10_000)]


class Targets(Section):
    """What each figure is held against. Of the source are grr, nrr, nrr_best and the conversions; ours is the rest.

    The newsletter prints the targets of gross and net retention the wrong way round; they stand here the right way,
    since gross retention can't exceed 100 %: a `grr` above 1 is refused.
    """

    account_plan: ShareTarget = None
    account_plan_current: ShareTarget = None
    ebr: ShareTarget = None
    executive_touch: ShareTarget = None
    advocacy: ShareTarget = None
    nps: Target = None
    grr: ShareTarget = Decimal("0.95")
    nrr: Target = Decimal("1.10")
    nrr_best: Target = Decimal("1.20")
    conversion: ShareTarget = Decimal("0.30")
    conversion_renewal: ShareTarget = Decimal("0.90")
    conversion_upsell: ShareTarget = Decimal("0.60")
    conversion_cross_sell: ShareTarget = Decimal("0.40")
    conversion_transformational: ShareTarget = Decimal("0.25")
    forecast_accuracy: ShareTarget = Decimal("0.83")
    am_discovered_upsell: ShareTarget = None
    adoption: ShareTarget = None
    value_realized: ShareTarget = None
    open_issues: Target = None
    days_to_resolve: Target = None
    health: Target = None


class Health(Section):
    """Weights of the parts of an account's health score. Only their proportions matter; 0 leaves a part out.

    `issues_full` is the number of open issues at which that part of the score reaches 0.
    """

    health: Weight = Decimal(40)
    adoption: Weight = Decimal(20)
    value_realized: Weight = Decimal(10)
    nps: Weight = Decimal(10)
    issues: Weight = Decimal(10)
    attention: Weight = Decimal(10)
    issues_full: Annotated[int, Field(ge=1, le=10_000)] = 5

    def weights(self) -> dict[str, float]:
        """The weight of every part."""
        return {name: float(value) for name, value in self if name != "issues_full"}

    @model_validator(mode="after")
    def _weighs_something(self) -> Health:
        if not any(self.weights().values()):
            raise ValueError("at least one weight of the health score must be above 0")
        return self


class Scorecard(Section):
    """Which accounts the strategic layer looks at, how long a figure stays valid, and what counts as won."""

    key_tiers: tuple[Tier, ...] = ("strategic", "enterprise")
    plan_current_days: Within = 180
    ebr_every_quarters: Annotated[int, Field(ge=1, le=40)] = 4
    valid_days: Within = 365
    trend_quarters: Annotated[int, Field(ge=2, le=40)] = 4
    won_stages: tuple[str, ...] = ("won", "closed won")
    lost_stages: tuple[str, ...] = ("lost", "closed lost")
    am_words: tuple[str, ...] = ("am", "account manager")
    nps: Literal["scores", "answers"] = "scores"
    forecast_range: tuple[Share, Share] = (Decimal("0.25"), Decimal("0.35"))
    targets: Targets = Targets()
    health: Health = Health()

    @model_validator(mode="after")
    def _in_order(self) -> Scorecard:
        if self.forecast_range[0] > self.forecast_range[1]:
            raise ValueError("forecast_range must give the least and the most of a pipeline that closes, rising")
        return self
