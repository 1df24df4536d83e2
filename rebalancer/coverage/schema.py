"""CoverageModel: the policy of a coverage design, key by key, and what every key may be.

A model says what an account weighs, what a book may hold and what a move costs. It holds values and switches, no
expressions: a rule that is not in `rebalancer/rules/` cannot be written in a model.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any, Literal, get_args

import tomlkit
from pydantic import BeforeValidator, Field, model_validator

from rebalancer.coverage.holds import Holds
from rebalancer.coverage.programme import Programme
from rebalancer.coverage.proposals import Proposals
from rebalancer.coverage.scorecard import Scorecard
from rebalancer.coverage.section import NO_LIMIT, Days, Limit, Positive, Section, Share, Steps, Tier, lifted
from rebalancer.coverage.service import Service
from rebalancer.coverage.sizing import Sizing
from rebalancer.coverage.stability import Stability
from rebalancer.coverage.touch_model import TouchModel
from rebalancer.coverage.triggers import Heatmap, Triggers
from rebalancer.tables import TIERS

Measure = Literal["revenue_at_risk", "accounts", "units"]
Scope = Literal["full", "repair"]
BookKind = Literal["segmented", "blended", "pooled", "open"]

SCOPES = get_args(Scope)
MEASURES = get_args(Measure)

MAX_FACTOR = 1_000
MAX_HANDOVER = 10**9


class Factors(Section):
    """Step tables that stretch an account's units; an empty table means factor 1."""

    products: Steps = ()
    stakeholders: Steps = ()


class Units(Section):
    """Coverage units: `tier` weights, `factors`, and the `cap` an AM can carry."""

    cap: Annotated[Decimal, Field(ge=0, le=1_000_000)] = Decimal(100)
    tier: dict[Tier, Annotated[Decimal, Field(ge=0, le=10_000)]]
    factors: Factors = Factors()


class BookLimits(Section):
    """Limits of one kind of book: accounts, strategic accounts, and accounts of each tier."""

    max_accounts: Limit = None
    max_strategic: Limit = None
    max_per_tier: dict[Tier, Limit] = Field(default_factory=dict)


class Books(Section):
    """The kind of a book that declares none, and the limits of each kind."""

    default: BookKind = "open"
    blended: BookLimits = BookLimits(max_accounts=20, max_strategic=20)
    segmented: BookLimits = BookLimits()


class Role(Section):
    """What AMs of a role receive; `tiers` absent means the tiers of today's book."""

    receives: bool = True
    tiers: tuple[Tier, ...] = ()
    max_accounts: Limit = None


class Limits(Section):
    """How full a book may end, when it is triggered, and what to do where no plan is legal."""

    target: Annotated[Decimal, Field(gt=0, le=10)] = Decimal("1.00")
    trigger: Annotated[Decimal, Field(gt=0, le=10)] = Decimal("1.10")
    floor: Share = Decimal(0)
    cure_legacy: bool = False
    when_over_capacity: Literal["plan", "stop"] = "plan"
    overload_tolerance: Share = Decimal("0.10")

    @model_validator(mode="after")
    def _in_order(self) -> Limits:
        if self.trigger < self.target:
            raise ValueError(f"trigger {self.trigger} is below target {self.target}; a cured book would fire again")
        if self.floor > self.target:
            raise ValueError(f"floor {self.floor} is above target {self.target}; no book could satisfy both")
        return self


class Bands(Section):
    """Heatmap bands of utilization: green below `green_below`, red above `red_above`, yellow between."""

    green_below: Positive = Decimal("0.85")
    red_above: Positive = Decimal("1.10")

    @model_validator(mode="after")
    def _in_order(self) -> Bands:
        if self.red_above < self.green_below:
            raise ValueError(f"red_above {self.red_above} is below green_below {self.green_below}; no book is yellow")
        return self


class Risk(Section):
    """Step tables whose product scales the revenue at risk of a move."""

    renewal_days: Steps = ()
    health: Steps = ()
    tenure_years: Steps = ()


class Disruption(Section):
    """What a move costs."""

    measure: Measure = "revenue_at_risk"
    handover: dict[Tier, Annotated[Decimal, Field(ge=0, le=MAX_HANDOVER)]]
    loss_rate: Share
    csm_share: Share = Decimal("0.5")
    pod_break: Annotated[Decimal, Field(ge=0, le=MAX_FACTOR)] = Decimal("1.0")
    risk: Risk = Risk()


class Pods(Section):
    """Whether AM and CSM are chosen together, and how strictly they stay together."""

    mode: Literal["on", "off"] = "on"
    continuity: Literal["prefer", "never_both", "hard"] = "prefer"
    size: tuple[int, int] = (25, 50)

    @model_validator(mode="after")
    def _in_order(self) -> Pods:
        if not 0 <= self.size[0] <= self.size[1]:
            raise ValueError("size must give the least and the most accounts of a pod, rising")
        return self


class CsmLoad(Section):
    """Accounts per CSM by ARR, `[[arr_from, accounts], ...]`, and factors on a CSM's capacity."""

    ratios: Steps
    regulated_factor: Positive = Decimal(1)
    extra_duties_factor: Positive = Decimal(1)

    @model_validator(mode="after")
    def _covers_every_arr(self) -> CsmLoad:
        if not self.ratios or self.ratios[0][0] != 0:
            raise ValueError("the first row of ratios must start at 0")
        if any(ratio < 1 or ratio != ratio.to_integral_value() for _, ratio in self.ratios):
            raise ValueError("a CSM serves a whole number of accounts of every band, at least 1")
        return self


class Locks(Section):
    """Which reasons lock an account. The last four are off unless set: such accounts are priced instead."""

    manual: bool = True
    ae_hold: bool = True
    renewal_days: Days = None
    changed_days: Days = None
    health_below: Annotated[Annotated[Decimal, Field(ge=0, le=100)] | None, BeforeValidator(lifted)] = None
    open_opportunity: bool = False


class Families(Section):
    """Whether accounts under one ultimate parent stay with one AM; exceptions by the id of that parent."""

    mode: Literal["together", "free"] = "together"
    free: tuple[str, ...] = ()
    together: tuple[str, ...] = ()


class Pools(Section):
    """Tiers whose accounts may newly go only to a pool."""

    only: tuple[Tier, ...] = ()


class Budgets(Section):
    """The most that may move, forced moves apart: accounts, dollars of ARR, share of accounts, per AM, per tier."""

    accounts: Limit = None
    arr: Limit = None
    share: Annotated[Share | None, BeforeValidator(lifted)] = None
    lost_per_am: Limit = None
    gained_per_am: Limit = None
    per_tier: dict[Tier, Limit] = Field(default_factory=dict)


class Fatigue(Section):
    """At most one change of owner within so many quarters."""

    quarters: Annotated[Annotated[int, Field(ge=1, le=40)] | None, BeforeValidator(lifted)] = None


class Headcount(Section):
    """Whether open positions and people who have not started take part with their (ramped) capacity."""

    open: bool = False


class Fairness(Section):
    """Share of an AM's ARR that it may lose before the loss counts in level `fairness`; `"none"`: no such level."""

    loss_share: Annotated[Share | None, BeforeValidator(lifted)] = None


class Balance(Section):
    """Deviation of utilization from the cohort's average that costs nothing, as a fraction of capacity."""

    tolerance: Share = Decimal("0.05")


class CoverageModel(Section):
    """One coverage model. Every number is explained where it is set, in `models/*.toml`."""

    name: str
    title: str = ""
    about: str = ""
    tiers: dict[Literal["strategic", "enterprise", "mid_market"], Annotated[Decimal, Field(ge=0)]]
    units: Units
    books: Books = Books()
    roles: dict[str, Role] = Field(default_factory=dict)
    limits: Limits = Limits()
    bands: Bands = Bands()
    benchmarks: dict[Tier, tuple[int, Limit]] = Field(default_factory=dict)
    heatmap: Heatmap = Heatmap()
    triggers: Triggers = Triggers()
    disruption: Disruption
    pods: Pods = Pods()
    csm: CsmLoad
    locks: Locks = Locks()
    holds: Holds = Holds()
    families: Families = Families()
    programme: Programme = Programme()
    pools: Pools = Pools()
    budgets: Budgets = Budgets()
    fatigue: Fatigue = Fatigue()
    headcount: Headcount = Headcount()
    fairness: Fairness = Fairness()
    balance: Balance = Balance()
    service: Service = Service()
    scorecard: Scorecard = Scorecard()
    proposals: Proposals = Proposals()
    stability: Stability = Stability()
    touch_model: TouchModel = TouchModel()
    sizing: Sizing = Sizing()

    @model_validator(mode="after")
    def _tiers_complete_and_in_order(self) -> CoverageModel:
        for what, table in (("units.tier", self.units.tier), ("disruption.handover", self.disruption.handover)):
            missing = [tier for tier in TIERS if tier not in table]
            if missing:
                raise ValueError(f"{what} lacks {', '.join(missing)}")
        edges = [self.tiers.get(tier) for tier in TIERS[:-1]]  # type: ignore[call-overload]
        known = [edge for edge in edges if edge is not None]
        if len(known) != len(edges) or known != sorted(known, reverse=True):
            raise ValueError("tiers must give the lower ARR edges of strategic, enterprise and mid_market, falling")
        return self

    @model_validator(mode="after")
    def _steps_rise(self) -> CoverageModel:
        for name, steps in _step_tables(self):
            starts = [start for start, _ in steps]
            if starts != sorted(set(starts)):
                raise ValueError(f"the rows of {name} must rise from one to the next")
            if any(value <= 0 for _, value in steps):
                raise ValueError(f"every value of {name} must be above 0")
            if any(value > MAX_FACTOR for _, value in steps) and name != "csm.ratios":
                raise ValueError(f"no value of {name} may be above {MAX_FACTOR:,}")
        return self

    def to_toml(self) -> str:
        """The resolved model as TOML, which `load_model` reads back to an equal model."""
        return tomlkit.dumps(_plain(self.model_dump(exclude_defaults=False)))


def _step_tables(model: CoverageModel) -> Iterator[tuple[str, Steps]]:
    for name in ("products", "stakeholders"):
        yield f"units.factors.{name}", getattr(model.units.factors, name)
    for name in ("renewal_days", "health", "tenure_years"):
        yield f"disruption.risk.{name}", getattr(model.disruption.risk, name)
    yield "csm.ratios", model.csm.ratios


def _plain(value: Any) -> Any:
    """TOML's own types: a decimal becomes an exact TOML number, a lifted limit becomes "none"."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    if isinstance(value, Decimal):
        text = format(value, "f")
        return tomlkit.item(int(value)) if value == value.to_integral_value() else tomlkit.float_(text)
    return NO_LIMIT if value is None else value
