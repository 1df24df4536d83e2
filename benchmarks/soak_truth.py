"""Truth: the arithmetic of the simulated nights, written anew in plain integers: tiers that hold, units, the load of
every book, what a plan would make of it, and since when a book has been triggered. It shares nothing with the package.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

EDGES = (25_000, 100_000, 500_000)
"""Lower edges of the tiers in dollars; a tier here is how many of them an account has passed."""

TIERS = ("smb", "mid_market", "enterprise", "strategic")
TIER_UNITS = (33, 87, 267, 570)
PRODUCTS = ((0, 6), (2, 8), (3, 10), (5, 15), (8, 25))
STAKEHOLDERS = ((0, 6), (3, 10), (6, 15), (10, 20))
HANDOVER = (50, 500, 2_000, 4_000)
DAYS, REFIRE_DAYS = 60, 30


def tier_of(arr: int, held: int | None) -> int:
    """The tier of an ARR; one that is held changes only 5 % beyond its edge."""
    if held is None:
        return sum(arr >= edge for edge in EDGES)
    highest, lowest = sum(100 * arr >= 95 * edge for edge in EDGES), sum(100 * arr >= 105 * edge for edge in EDGES)
    return min(max(held, lowest), highest)


def units_of(tier: int, products: int, stakeholders: int, complexity: int) -> int:
    """Hundredths of units, rounded half-up; complexity in hundredths."""
    factor = _step(PRODUCTS, products) * _step(STAKEHOLDERS, stakeholders)
    return (TIER_UNITS[tier] * factor * complexity + 5_000) // 10_000


def _step(table: tuple[tuple[int, int], ...], value: int) -> int:
    return next(tenths for start, tenths in reversed(table) if value >= start)


def cost_of(tier: int, arr: int) -> int:
    """Dollars at risk where the AM of an account changes, nothing else being known of it."""
    return max(1, (2 * (1_000 * HANDOVER[tier] + 154 * arr) + 1_000) // 2_000)


@dataclass(frozen=True)
class View:
    """A book as a night sees it: by account the owner who counts, units and cost; by AM the capacity and the region.

    `left` are AMs who have left by that day.
    """

    owner: Mapping[str, str]
    units: Mapping[str, int]
    cost: Mapping[str, int]
    capacity: Mapping[str, int]
    region: Mapping[str, int]
    left: frozenset[str]

    def loads(self, owner: Mapping[str, str] | None = None) -> dict[str, int]:
        """Hundredths of units by AM."""
        found = dict.fromkeys(self.capacity, 0)
        for account, am in (owner or self.owner).items():
            if am:
                found[am] += self.units[account]
        return found

    def over(self) -> frozenset[str]:
        """AMs above 110 % of their capacity; nobody who left."""
        loads = self.loads()
        return frozenset(am for am, load in loads.items() if 10 * load > 11 * self.capacity[am] and am not in self.left)

    def homeless(self, account: str) -> bool:
        """The account has no owner, or one who left."""
        return not self.owner[account] or self.owner[account] in self.left

    def faults(self, moves: Mapping[str, str]) -> list[str]:
        """What is not legal of the book once these moves are made."""
        after = {**self.owner, **{account: am for account, am in moves.items() if account in self.owner}}
        loads, now, over = self.loads(after), self.loads(), self.over()
        found = [f"{account} has no owner" for account, am in after.items() if not am or am in self.left]
        for am, load in loads.items():
            limit = self.capacity[am] if am in over else max(now[am], self.capacity[am])
            if load > limit and am not in self.left:
                found.append(f"{am} would have {load / 100:.2f} of {limit / 100:.2f} units")
        return found

    def price(self, moves: Iterable[str]) -> int:
        """Dollars at risk of moving these accounts; those without an owner cost nothing."""
        return sum(self.cost[account] for account in moves if self.owner[account])


@dataclass
class Clocks:
    """The triggers of a book, replayed: by AM its stretches as [first red, last red, cleared or ""]."""

    stretches: dict[str, list[list[str]]] = field(default_factory=dict)
    day: str = ""

    def night(self, over: Iterable[str], day: str) -> list[tuple[str, str]]:
        """Take a night in; pairs of AM and what happened."""
        told, late = [], self._late(self.day)
        red = set(over)
        for am, own in self.stretches.items():
            if not own[-1][2] and am not in red:
                own[-1][2] = day
                told.append((am, "cleared"))
        for am in sorted(red):
            told += [(am, what) for what in self._red(am, day)]
        self.day = day
        return sorted([*told, *((am, "overdue") for am in self._late(day) - late)])

    def _red(self, am: str, day: str) -> list[str]:
        own = self.stretches.setdefault(am, [])
        if own and not own[-1][2]:
            own[-1][1] = day
            return []
        if own and _days(own[-1][2], day) <= REFIRE_DAYS:
            own[-1][1:] = [day, ""]
            return ["fired_again"]
        own.append([day, day, ""])
        return ["fired"]

    def _late(self, day: str) -> set[str]:
        running = {am: own[-1] for am, own in self.stretches.items() if own and not own[-1][2]}
        return {am for am, (first, _, _) in running.items() if day and _days(first, day) > DAYS}


def _days(start: str, end: str) -> int:
    return (date.fromisoformat(end) - date.fromisoformat(start)).days
