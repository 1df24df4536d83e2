"""Blended limit: a book with a mix of tiers stays small."""

from __future__ import annotations

from collections.abc import Iterator

from rebalancer.limits import BLENDED_LIMIT
from rebalancer.rules.counts import count_rows
from rebalancer.rules.rule import Arcs, RowBlock, Rule
from rebalancer.snapshot import Snapshot


class BlendedLimit(Rule):
    """A blended book holds at most 20 accounts, and at most 20 strategic ones; each can be set or lifted alone.

    The 20 accounts are holisticselling newsletter #15's. Elastic.
    """

    name = BLENDED_LIMIT

    def rows(self, snapshot: Snapshot, arcs: Arcs) -> Iterator[RowBlock]:
        """One row per blended book, and one per book and limited tier."""
        return count_rows(snapshot, arcs, self.name)
