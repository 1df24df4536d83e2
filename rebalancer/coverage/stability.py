"""Stability: what a night does not change its mind about."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from rebalancer.coverage.section import Section, Share


class Stability(Section):
    """How much worse than the best an open proposal may get, and what has to be clear before anything is proposed.

    `worse`: share of the disruption, against the least, beyond what it was; `tier_margin`: share of a tier's edge by
    which the ARR has to be beyond it before a derived tier changes; `nights`: days on which a book has to be above its
    trigger before it is proposed for.
    """

    worse: Share = Decimal("0.05")
    tier_margin: Annotated[Decimal, Field(ge=0, lt=1)] = Decimal("0.05")
    nights: Annotated[int, Field(ge=1, le=365)] = 1
