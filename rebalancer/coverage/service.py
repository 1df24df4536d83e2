"""Service levels: what an account of each tier is owed. Silence has its keys in `triggers`."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, Field

from rebalancer.coverage.section import Section, Tier, lifted

Touches = Annotated[int, Field(ge=0, le=1_000)]
Quarters = Annotated[Annotated[int, Field(ge=1, le=40)] | None, BeforeValidator(lifted)]
"""A number of quarters, or `"none"` where no QBR is owed."""

Hours = Annotated[Annotated[Decimal, Field(gt=0, le=10_000)] | None, BeforeValidator(lifted)]


def _touches() -> dict[Tier, int]:
    return {"strategic": 6, "enterprise": 3, "mid_market": 2, "smb": 1}


def _quarters() -> dict[Tier, int | None]:
    return {"strategic": 1, "enterprise": 1, "mid_market": None, "smb": None}


def _hours() -> dict[Tier, Decimal | None]:
    return {"strategic": Decimal(4), "enterprise": Decimal(8), "mid_market": Decimal(24), "smb": Decimal(48)}


class Service(Section):
    """What is owed by tier. The source names the dimensions and gives no figures by tier: those are ours.

    A tier that is not listed is owed nothing of the kind.
    """

    touches_per_quarter: dict[Tier, Touches] = Field(default_factory=_touches)
    qbr_every_quarters: dict[Tier, Quarters] = Field(default_factory=_quarters)
    sponsor_tiers: tuple[Tier, ...] = ("strategic", "enterprise")
    response_hours: dict[Tier, Hours] = Field(default_factory=_hours)
    trend_months: Annotated[int, Field(ge=1, le=120)] = 12
