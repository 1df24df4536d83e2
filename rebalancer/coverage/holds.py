"""Holds: how long the AE who won a customer keeps it before an AM takes over."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from rebalancer.coverage.section import Section, Tier

HoldRule = Literal["none", "duration", "accounts", "expansion", "total_arr"]
HoldOrder = Literal["newest", "largest"]

Months = Annotated[int, Field(ge=1, le=600)]
Dollars = Annotated[int, Field(ge=0, le=10**12)]


class Holds(Section):
    """The rule of each tier, and the figures of the four rules; a tier without a rule holds by date alone.

    duration: `months` since `owner_since`. accounts: the first `accounts` of an AE in the order of `keep`. expansion:
    while `expansion_arr_12m` exceeds `expansion_above`. total_arr: as many of an AE in that order as `total_arr`
    carries. `ae_hold_until` always wins. The four rules are those of the commercial account management playbook.
    """

    rule: dict[Tier, HoldRule] = Field(default_factory=dict)
    months: dict[Tier, Months] = Field(
        default_factory=lambda: {"strategic": 36, "enterprise": 24, "mid_market": 12, "smb": 6}  # type: ignore[arg-type]
    )
    accounts: Annotated[int, Field(ge=0, le=100_000)] = 10
    expansion_above: Dollars = 10_000
    total_arr: Dollars = 2_000_000
    keep: HoldOrder = "newest"

    def of(self, tier: Tier) -> HoldRule:
        """The rule of a tier."""
        return self.rule.get(tier, "none")

    @model_validator(mode="after")
    def _durations_are_known(self) -> Holds:
        missing = [tier for tier, rule in self.rule.items() if rule == "duration" and tier not in self.months]
        if missing:
            raise ValueError(f"rule is duration for {', '.join(missing)}, and months says nothing of it")
        return self
