"""Programme: the global account programme, who belongs in it, who leads it, and how it is paid."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from rebalancer.coverage.section import Limit, Section, Share, lifted

Given = Annotated[Share | None, BeforeValidator(lifted)]
"""A share of the pay plan, `"none"` where it is not given."""

Months = Annotated[Annotated[int, Field(ge=1, le=600)] | None, BeforeValidator(lifted)]


class Selection(Section):
    """What a family needs to be proposed for the programme; `"none"` leaves a criterion out."""

    min_revenue: Limit = 1_000_000_000
    min_arr: Limit = 1_000_000
    min_regions: Limit = 2
    min_accounts: Limit = 2
    min_potential: Limit = 500_000


class Pay(Section):
    """What the pay of GAMs and RAMs has to keep to, and what the pay plan says; `"none"`: it is not known."""

    base: tuple[Share, Share] = (Decimal("0.60"), Decimal("0.70"))
    gam_on_global: Share = Decimal("0.25")
    ram_on_global: Share = Decimal("0.25")
    regional_quota: Share = Decimal("0.50")
    about: Share = Decimal("0.05")
    plan_base: Given = None
    plan_gam_on_global: Given = None
    plan_ram_on_global: Given = None
    plan_regional_quota: Given = None

    @model_validator(mode="after")
    def _in_order(self) -> Pay:
        if self.base[0] > self.base[1]:
            raise ValueError("base must give the least and the most share of base pay, rising")
        return self


class Programme(Section):
    """The size and spread of the programme, the limit per GAM, and whether plans keep GAMs and RAMs together.

    `overlap` on: level `overlap` counts the pairs of a GAM and an AM who holds accounts of that GAM's families, where
    the book names GAMs at all.
    """

    overlap: Literal["on", "off"] = "on"
    families_per_gam: Limit = 5
    max_families: Limit = 20
    max_region_share: Given = Decimal("0.50")
    pilot: tuple[int, int] = (2, 5)
    review_months: Months = 12
    selection: Selection = Selection()
    pay: Pay = Pay()

    @model_validator(mode="after")
    def _in_order(self) -> Programme:
        if not 1 <= self.pilot[0] <= self.pilot[1]:
            raise ValueError("pilot must give the least and the most families of a pilot, rising")
        return self
