"""The touch model of a quarter: which accounts drive its result, which can go into maintenance.

Source: holisticselling newsletter #15 [HS]. What the newsletter gives no figure for is ours.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from rebalancer.coverage.section import Section, Share, lifted

ResultType = Literal["renewal", "upsell", "cross_sell", "transformational", "other"]
TouchClass = Literal["high", "low", "tech"]
Minutes = Annotated[Decimal, Field(ge=0, le=10_000)]
Months = Annotated[Annotated[int, Field(ge=1, le=120)] | None, BeforeValidator(lifted)]


WEIGHTS: dict[ResultType, Share] = {
    "renewal": Decimal("0.90"),
    "upsell": Decimal("0.60"),
    "cross_sell": Decimal("0.40"),
    "transformational": Decimal("0.25"),
    "other": Decimal("0.30"),
}
MINUTES: dict[str, Minutes] = {
    "qbr": Decimal(120),
    "visit": Decimal(120),
    "meeting": Decimal(60),
    "executive": Decimal(60),
    "call": Decimal(30),
    "email": Decimal(10),
    "other": Decimal(30),
}
TIME: dict[TouchClass, Share] = {"high": Decimal("0.60"), "low": Decimal("0.35"), "tech": Decimal("0.05")}


class TouchModel(Section):
    """How the accounts of each AM are classed every quarter, and how their time is counted."""

    high_share: Share = Decimal("0.80")
    weights: dict[ResultType, Share] = Field(default_factory=lambda: dict(WEIGHTS))
    tech_health: Annotated[Decimal, Field(ge=0, le=100)] = Decimal(70)
    term_months: Months = 12
    time_days: Annotated[int, Field(ge=1, le=10_000)] = 90
    minutes: dict[str, Minutes] = Field(default_factory=lambda: dict(MINUTES))
    time_share: dict[TouchClass, Share] = Field(default_factory=lambda: dict(TIME))

    @model_validator(mode="after")
    def _complete(self) -> TouchModel:
        if "other" not in self.weights or "other" not in self.minutes:
            raise ValueError('weights and minutes need a value for "other", which counts for every word not listed')
        if sum(self.time_share.values()) != 1 or len(self.time_share) != 3:
            raise ValueError("time_share must give high, low and tech shares that sum to 1")
        return self
