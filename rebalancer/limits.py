"""Limits on how many accounts a book holds: by AM, role, kind of book and tier."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rebalancer.coverage import BookLimits
from rebalancer.snapshot import Snapshot, least
from rebalancer.tables import TIERS

ACCOUNTS_LIMIT, BLENDED_LIMIT = "accounts_limit", "blended_limit"


@dataclass(frozen=True)
class CountLimit:
    """At most `limit[i]` accounts (of `tier`) in the book of AM i; None where that book has no such limit."""

    rule: str
    tier: str | None
    limit: tuple[int | None, ...]

    def counts(self, snapshot: Snapshot, owner: np.ndarray) -> np.ndarray:
        """Accounts that count against the limit, per AM, for any assignment of owners."""
        accounts = snapshot.accounts
        counted = np.ones(len(accounts), dtype=np.int64)
        if self.tier is not None:
            counted = (accounts.tier == TIERS.index(self.tier)).astype(np.int64)
        return snapshot.per_am(owner, counted)

    def words(self) -> str:
        """What is limited, as a planner says it."""
        return f"{self.tier} accounts" if self.tier else "accounts"


def count_limits(snapshot: Snapshot) -> list[CountLimit]:
    """Every limit on counts that some AM who has not left is under."""
    books = snapshot.model.books
    segmented, blended = books.segmented, books.blended
    own = zip(snapshot.ams.max_accounts, _of_kind(snapshot, "segmented", segmented.max_accounts), strict=True)
    limits = [
        CountLimit(ACCOUNTS_LIMIT, None, tuple(least(*pair) for pair in own)),
        *_per_tier(snapshot, ACCOUNTS_LIMIT, "segmented", segmented),
        CountLimit(BLENDED_LIMIT, None, _of_kind(snapshot, "blended", blended.max_accounts)),
        *_per_tier(snapshot, BLENDED_LIMIT, "blended", blended),
    ]
    return [
        found for found in (_present(snapshot, limit) for limit in limits) if any(x is not None for x in found.limit)
    ]


def _per_tier(snapshot: Snapshot, rule: str, kind: str, limits: BookLimits) -> list[CountLimit]:
    named: dict[str, int | None] = {tier: limits.max_per_tier.get(tier) for tier in TIERS}  # type: ignore[call-overload]
    named["strategic"] = least(named["strategic"], limits.max_strategic)
    return [CountLimit(rule, tier, _of_kind(snapshot, kind, limit)) for tier, limit in named.items()]


def _of_kind(snapshot: Snapshot, kind: str, limit: int | None) -> tuple[int | None, ...]:
    return tuple(limit if own == kind else None for own in snapshot.ams.kind)


def _present(snapshot: Snapshot, limit: CountLimit) -> CountLimit:
    kept = (None if gone else value for value, gone in zip(limit.limit, snapshot.ams.departed, strict=True))
    return CountLimit(limit.rule, limit.tier, tuple(kept))
