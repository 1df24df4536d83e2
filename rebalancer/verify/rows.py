"""The elastic limits of a plan: units, floors, counts and CSM loads, each row with its excess and its weight."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from rebalancer.tables import TIERS
from rebalancer.verify.facts import Facts
from rebalancer.verify.people import Am

Seats = Mapping[str, tuple[str, str]]
ELASTIC = ("units_cap", "floor", "accounts_limit", "blended_limit", "csm_load")


@dataclass(slots=True)
class Load:
    """What one book or CSM holds."""

    units: int = 0
    weight: int = 0
    arr: int = 0
    accounts: int = 0
    tiers: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """One limit on one book or CSM: `low` or `high` is set; `what` it counts is units, load, accounts or a tier's."""

    rule: str
    subject: str
    what: str
    value: int
    low: int | None = None
    high: int | None = None

    @property
    def excess(self) -> int:
        """How far the value lies beyond the limit, 0 within it."""
        over = 0 if self.high is None else self.value - self.high
        short = 0 if self.low is None else self.low - self.value
        return max(0, over, short)

    @property
    def penalty(self) -> int:
        """The weight of one step of excess: 10^6 / max(1, limit), rounded half-up, at least 1."""
        limit = max(1, (self.high if self.high is not None else self.low) or 0)
        return max(1, (2 * 10**6 + limit) // (2 * limit))

    def __str__(self) -> str:
        limit = "limit" if self.low is None else "floor"
        bound = self.high if self.low is None else self.low
        if self.what == "load":
            return f"CSM {self.subject} ends with a load of {_parts(self.value, 6)}, its {limit} is {_parts(bound, 6)}"
        if self.what == "units":
            return f"book {self.subject} ends at {_parts(self.value, 2)} units, its {limit} is {_parts(bound, 2)}"
        return f"book {self.subject} ends with {self.value:,} {self.what}, its {limit} is {bound:,}"


def _parts(value: int | None, digits: int) -> str:
    """An integer in hundredths or millionths as a decimal."""
    whole, part = divmod(value or 0, 10**digits)
    return f"{whole:,}.{part:0{digits}d}"


def loads(facts: Facts, seats: Seats) -> tuple[dict[str, Load], dict[str, Load]]:
    """What every book and every known CSM holds in those seats."""
    books = {book_id: Load() for book_id in facts.books}
    csms = {csm_id: Load() for csm_id in facts.csms}
    for account_id, (am_id, csm_id) in seats.items():
        account = facts.accounts[account_id]
        for load in (books.get(facts.book_of(am_id)), csms.get(csm_id)):
            if load is not None:
                load.units += account.units
                load.weight += account.weight
                load.arr += account.arr
                load.accounts += 1
                load.tiers[account.tier] = load.tiers.get(account.tier, 0) + 1
    return books, csms


def today(facts: Facts) -> dict[str, tuple[str, str]]:
    """Every account in the seat it has, written as a plan that changes nothing writes it."""
    return {
        account.account_id: (facts.seat_in(account, facts.book_of(account.owner)), account.csm)
        for account in facts.accounts.values()
    }


def elastic_rows(facts: Facts, seats: Seats) -> list[Row]:
    """Every elastic limit of books and CSMs that have not left, with what it holds in those seats."""
    before, _ = loads(facts, today(facts)) if facts.scope == "repair" else ({}, {})
    books, csms = loads(facts, seats)
    rows: list[Row] = []
    for book_id, book in facts.books.items():
        if not book.departed:
            rows += _book_rows(facts, book, books[book_id], before.get(book_id))
    if facts.pods_active:
        rows += [
            Row("csm_load", csm_id, "load", csms[csm_id].weight, high=csm.limit)
            for csm_id, csm in facts.csms.items()
            if not csm.departed
        ]
    return rows


def _book_rows(facts: Facts, am: Am, load: Load, before: Load | None) -> Iterator[Row]:
    high = units_limit(facts, am, None if before is None else before.units)
    yield Row("units_cap", am.am_id, "units", load.units, high=high)
    if am.receives and not am.vacant and am.floor > 0:
        yield Row("floor", am.am_id, "units", load.units, low=am.floor)
    for rule, what, high in count_limits(facts, am):
        held = load.accounts if what == "accounts" else load.tiers.get(what.removesuffix(" accounts"), 0)
        yield Row(rule, am.am_id, what, held, high=high)


def units_limit(facts: Facts, am: Am, before: int | None) -> int:
    """Hundredths of units a book may end with; `before` is its load today, which counts in scope repair only."""
    limits = facts.model.limits
    if am.am_id in facts.relieved:
        return int(am.capacity * Fraction(min(limits.target, facts.model.triggers.relief)) // 1)
    target = int(am.capacity * Fraction(limits.target) // 1)
    waits = am.am_id in {facts.pool_of.get(name, name) for name in facts.model.triggers.wait_books}
    triggered = before is not None and before > am.capacity * Fraction(limits.trigger) and not waits
    return target if before is None or triggered else max(before, target)


def count_limits(facts: Facts, am: Am) -> Iterator[tuple[str, str, int]]:
    """The limits on numbers of accounts in a book: rule, what is counted, and the limit."""
    kind = facts.book_limits(am.kind)
    counted = am.kind in ("segmented", "blended")
    own = [am.max_accounts, am.role_max if counted else None]
    per_tier: dict[str, list[int | None]] = {tier: [kind.max_per_tier.get(tier)] for tier in TIERS}  # type: ignore[call-overload]
    per_tier["strategic"].append(kind.max_strategic)
    if am.kind == "segmented":
        own.append(kind.max_accounts)
    yield from _least("accounts_limit", "accounts", own)
    if am.kind == "blended":
        yield from _least("blended_limit", "accounts", [kind.max_accounts])
    if counted:
        rule = "blended_limit" if am.kind == "blended" else "accounts_limit"
        for tier, limits in per_tier.items():
            yield from _least(rule, f"{tier} accounts", limits)


def _least(rule: str, what: str, limits: list[int | None]) -> Iterator[tuple[str, str, int]]:
    known = [limit for limit in limits if limit is not None]
    if known:
        yield rule, what, min(known)
