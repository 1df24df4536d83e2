"""Planners: what people do with open proposals on the days between the nights, and when the CRM shows it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np

from benchmarks.soak_checks import BookTruth, Live
from benchmarks.soak_world import BookWorld
from rebalancer.errors import StalePlan
from rebalancer.store import Store, apply, approve, reject, show

APPROVAL_NIGHTS = 14
HOW = ("approve", "partly", "some", "reject")
ODDS = (0.68, 0.10, 0.10, 0.12)
"""All of it; a part of it, and the rest stays undecided; a part of it, and the rest is rejected; none of it."""

LEFT = 0.06
"""Share of approvals that nobody applies until they end; they are then given anew and applied."""

DECIDE, APPLY, SHOWN = (0, 7), (0, 4), (0, 4)
"""Nights until a decision, from there until it is applied, from there until the file shows it: from, to below."""


@dataclass
class Day:
    """The day after a night. `plans` say by book what is meant to happen to its live proposal and when; `counts` what
    was done.
    """

    store: Store
    seed: int
    night: int
    now: datetime
    by: str | None
    plans: dict[str, dict[str, Any]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def book(self, world: BookWorld, truth: BookTruth, live: Live | None) -> None:
        """Decide on the live proposal of a book and apply it, where that is due."""
        if live is None:
            self.plans.pop(world.name, None)
            return
        rng = np.random.default_rng([self.seed, world.number, self.night, 9])
        plan = self._plan(world.name, live, rng)
        try:
            if plan["approved"] is None and self.night >= plan["decide"]:
                self._decide(truth, live, plan, rng)
            if plan["approved"] is not None and plan["apply"] is not None and self.night >= plan["apply"]:
                self._apply(world, truth, live, rng)
        except StalePlan:
            self._count("stale")
            plan.update(decide=self.night + 1, approved=None)
        if plan["approved"] is not None and self.night >= plan["approved"] + APPROVAL_NIGHTS:
            self._end(truth, live, plan)

    def _plan(self, book: str, live: Live, rng: np.random.Generator) -> dict[str, Any]:
        """Who replaces an open proposal does not gain time: the date of the decision stands."""
        plan = self.plans.get(book)
        if plan is None or plan["proposal"] != live.proposal_id:
            waits = plan is not None and plan["approved"] is None
            decide = plan["decide"] if plan and waits else self.night + int(rng.integers(*DECIDE))
            plan = {"proposal": live.proposal_id, "decide": decide, "approved": None, "apply": None}
            self.plans[book] = plan
        return plan

    def _decide(self, truth: BookTruth, live: Live, plan: dict[str, Any], rng: np.random.Generator) -> None:
        anew = plan["apply"] is not None
        how = "approve" if anew else str(rng.choice(HOW, p=ODDS))
        left = sorted(live.standing())
        part = [account for account in left if rng.random() < 0.5] or left[:1]
        self._count(how)
        if how == "reject":
            self._reject(truth, live, left)
            return
        if how == "some" and len(part) < len(left):
            self._reject(truth, live, [account for account in left if account not in part])
        named = () if how == "approve" else part
        approve(self.store, live.proposal_id, accounts=named, by=self.by, now=self.now)
        plan["approved"] = self.night
        if not anew and rng.random() >= LEFT:
            plan["apply"] = self.night + int(rng.integers(*APPLY))

    def _reject(self, truth: BookTruth, live: Live, names: Iterable[str]) -> None:
        chosen = list(names)
        reject(self.store, live.proposal_id, accounts=chosen, by=self.by, now=self.now)
        truth.decided += _named(live, chosen)
        for account in chosen:
            origin, to, _ = live.moves[account]
            truth.rejected[f"{account} {to}"] = self.night
            truth.rejected[f"{account} {origin} away"] = self.night

    def _apply(self, world: BookWorld, truth: BookTruth, live: Live, rng: np.random.Generator) -> None:
        apply(self.store, live.proposal_id, by=self.by, now=self.now)
        self._count("apply")
        truth.decided += _named(live, live.moves)
        for row in show(self.store, live.proposal_id).moves:
            if row["applied"]:
                truth.applied(row["account_id"], row["to_am"])
                world.shown.append((self.night + 1 + int(rng.integers(*SHOWN)), row["account_id"], row["to_am"]))
        del self.plans[world.name]

    def _end(self, truth: BookTruth, live: Live, plan: dict[str, Any]) -> None:
        """The approval ends before the next night, and is given anew after it."""
        truth.decided += _named(live, live.moves)
        plan.update(decide=self.night + 1, approved=None, apply=self.night + 1)
        self._count("expire")

    def _count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1


def _named(live: Live, accounts: Iterable[str]) -> list[str]:
    """The accounts, and the AMs whom they leave and join."""
    return sorted({name for account in accounts for name in (account, *live.moves[account][:2]) if name})
