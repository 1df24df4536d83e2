"""Accounts limit: a book holds no more accounts than its AM, role and kind allow."""

from __future__ import annotations

from collections.abc import Iterator

from rebalancer.limits import ACCOUNTS_LIMIT
from rebalancer.rules.counts import count_rows
from rebalancer.rules.rule import Arcs, RowBlock, Rule
from rebalancer.snapshot import Snapshot


class AccountsLimit(Rule):
    """Number of accounts in a book <= the least of `ams.max_accounts` and, unless the book is open, its role's.

    In a segmented book also: accounts of each tier <= the upper end of the tier's benchmark. Elastic.
    """

    name = ACCOUNTS_LIMIT

    def rows(self, snapshot: Snapshot, arcs: Arcs) -> Iterator[RowBlock]:
        """One row per limited AM, and one per segmented AM and tier."""
        return count_rows(snapshot, arcs, self.name)
