"""Sizing: how many AMs and CSMs a book of accounts needs.

Sources: Alexander Group, "Finding the Right Size for Your Account Manager Sales Force" [AG]; holisticselling
newsletter #15 [HS]; Fullview, "How Many Accounts Should a CSM Have?" [FV]. What they give no figure for is ours.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import Field, model_validator

from rebalancer.coverage.section import Limit, Positive, Section, Share

Rate = Annotated[Decimal, Field(gt=-1, le=10)]
CsmRange = tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]]
"""Lower ARR edge (inclusive), fewest and most accounts per CSM."""


class Sizing(Section):
    """The bands, factors and steps that sizing works with."""

    accounts_per_am: tuple[Positive, Positive] = (Decimal(10), Decimal(20))
    net_ratio: tuple[Rate, Rate] = (Decimal(0), Decimal("0.20"))
    growth: Rate = Decimal(0)
    products: Limit = None
    csm_frees: Share = Decimal(0)
    renewal_reps: Annotated[Decimal, Field(ge=0, le=100_000)] = Decimal(0)
    renewal_rep_frees: Share = Decimal(0)
    csm_ranges: Annotated[tuple[CsmRange, ...], Field(min_length=1)] = (
        (0, 200, 200),
        (25_000, 100, 150),
        (100_000, 50, 100),
        (500_000, 20, 50),
    )
    csm_complex_factor: Positive = Decimal(1)
    csm_tools_factor: Positive = Decimal(1)
    chart_net_ratios: Annotated[tuple[Rate, ...], Field(min_length=2, max_length=40)] = tuple(
        Decimal(points) / 100 for points in range(0, 35, 5)
    )
    chart_columns: Annotated[int, Field(ge=2, le=40)] = 7
    uncovered_loss: Share = Decimal(1)
    marginal_ams: Annotated[int, Field(ge=1, le=100)] = 3
    marginal_units: Positive = Decimal(1)
    marginal_regions: Annotated[int, Field(ge=1, le=1_000)] = 8

    @model_validator(mode="after")
    def _in_order(self) -> Sizing:
        if self.accounts_per_am[0] > self.accounts_per_am[1]:
            raise ValueError("accounts_per_am must give the least and the most, rising")
        if self.net_ratio[0] >= self.net_ratio[1]:
            raise ValueError("net_ratio must give two ratios, the second above the first")
        if list(self.chart_net_ratios) != sorted(set(self.chart_net_ratios)):
            raise ValueError("chart_net_ratios must rise from one to the next")
        return self

    @model_validator(mode="after")
    def _bands_rise(self) -> Sizing:
        edges = [edge for edge, _, _ in self.csm_ranges]
        if edges[0] != 0 or edges != sorted(set(edges)):
            raise ValueError("the rows of csm_ranges must start at 0 and rise from one to the next")
        if any(low > high for _, low, high in self.csm_ranges):
            raise ValueError("every row of csm_ranges is [arr_from, fewest, most] accounts per CSM, most last")
        return self
