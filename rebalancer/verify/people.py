"""AMs and CSMs on the effective date: what they can carry, what they take, and whether they are still there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from rebalancer.coverage import CoverageModel
from rebalancer.tables import BOOK_KINDS, STATUSES
from rebalancer.verify.scales import WHOLE_CSM
from rebalancer.verify.text import Record


@dataclass(frozen=True, slots=True)
class Am:
    """An AM on the effective date, or a pool as one. `capacity` and `floor` are hundredths.

    `receives` leaves open headcount aside: `vacant` is an AM who is not there yet, where the model gives it nothing.
    """

    am_id: str
    role: str
    kind: str
    tiers: frozenset[str]
    role_tiers: frozenset[str]
    region: frozenset[str]
    language: frozenset[str]
    skills: frozenset[str]
    capacity: int
    floor: int
    departed: bool
    on_leave: bool
    receives: bool
    vacant: bool
    max_accounts: int | None
    role_max: int | None


@dataclass(frozen=True, slots=True)
class Csm:
    """A CSM on the effective date. `limit` is in millionths of a CSM."""

    csm_id: str
    region: frozenset[str]
    limit: int
    departed: bool
    receives: bool


def _ratio(value: Fraction | None) -> Fraction:
    return Fraction(1) if value is None else value


def read_am(row: Record, model: CoverageModel, day: date) -> Am:
    """The AM of one row of `ams`."""
    role = model.roles.get(row.text("role") or "regular")
    status, starts, leaves = row.choice("status", STATUSES), row.day("starts_on"), row.day("leaves_on")
    departed = status == "inactive" or (leaves is not None and leaves <= day)
    declared = row.flag("receives")
    willing = declared if declared is not None else (role is None or role.receives)
    cap, least, most = row.number("capacity"), row.number("floor"), row.number("max_accounts")
    full = Fraction(model.units.cap) if cap is None else cap
    capacity = int(100 * full * _ratio(row.number("fte")) * _ratio(row.number("ramp")) // 1)
    return Am(
        am_id=row.key,
        role=row.text("role") or "regular",
        kind=row.choice("book", BOOK_KINDS) or model.books.default,
        tiers=row.tags("tiers"),
        role_tiers=frozenset(role.tiers if role else ()),
        region=row.tags("region"),
        language=row.tags("language"),
        skills=row.tags("skills"),
        capacity=capacity,
        floor=int(capacity * (Fraction(model.limits.floor) if least is None else least) // 1),
        departed=departed,
        on_leave=status == "leave",
        receives=willing and not departed and status != "leave",
        vacant=not model.headcount.open and (status == "open" or (starts is not None and starts > day)),
        max_accounts=None if most is None else int(most // 1),
        role_max=role.max_accounts if role else None,
    )


def read_csm(row: Record, model: CoverageModel, day: date) -> Csm:
    """The CSM of one row of `csms`."""
    starts, leaves = row.day("starts_on"), row.day("leaves_on")
    departed = leaves is not None and leaves <= day
    limit = WHOLE_CSM * _ratio(row.number("capacity")) * _ratio(row.number("fte")) * _ratio(row.number("ramp"))
    if row.flag("regulated"):
        limit *= Fraction(model.csm.regulated_factor)
    if row.flag("extra_duties"):
        limit *= Fraction(model.csm.extra_duties_factor)
    receives = not departed and (starts is None or starts <= day)
    return Csm(row.key, row.tags("region"), int(limit // 1), departed, receives)
