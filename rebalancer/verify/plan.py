"""Plan: the assignments of a proposal as text, and the seats they give to known accounts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from rebalancer.verify.families import is_legal
from rebalancer.verify.ledger import Ledger
from rebalancer.verify.rows import Row
from rebalancer.verify.text import columns_of

FILE = "assignments.csv"
SEAT_COLUMNS = ("account_id", "from_am", "to_am", "from_csm", "to_csm")


@dataclass(frozen=True)
class Plan:
    """Claimed assignments. `index` is the first row of each known account, `seats` the (AM, CSM) that each planned
    one ends in; accounts that are left out of the plan have no seat. `warnings` are those of the proposal.
    """

    ledger: Ledger
    columns: Mapping[str, list[str]]
    index: Mapping[str, int]
    seats: Mapping[str, tuple[str, str]]
    warnings: tuple[str, ...] = ()

    @cached_property
    def settled(self) -> frozenset[str]:
        """Members of the families that stay together and whose joint seat is legal."""
        families = {
            root: members
            for root, members in self.ledger.families.items()
            if self.seats.keys() >= set(members) and is_legal(self.ledger, root, self.seats)
        }
        return frozenset(member for members in families.values() for member in members)

    @cached_property
    def rows(self) -> list[Row]:
        """The elastic limits with what the plan puts on them."""
        return self.ledger.elastic_rows(self.seats)

    @cached_property
    def overload(self) -> int:
        """The sum of excess times penalty over the elastic limits."""
        return sum(row.excess * row.penalty for row in self.rows)

    def changes(self, account_id: str) -> tuple[bool, bool]:
        """Whether the account loses a book, and a CSM."""
        return self.ledger.changes(account_id, *self.seats[account_id])

    def moved(self, account_id: str) -> bool:
        """Whether the account ends in another book; a first placement is a move."""
        return not self.ledger.stays(self.ledger.accounts[account_id], self.seats[account_id][0])

    def forced(self, account_id: str) -> bool:
        """Whether the account moves because it has no owner, or its owner's book left."""
        return self.moved(account_id) and self.ledger.homeless(self.ledger.accounts[account_id])

    @cached_property
    def revenue_at_risk(self) -> dict[str, int]:
        """The disruption of each account in dollars."""
        return {name: self.ledger.cost(name, *seat, "revenue_at_risk") for name, seat in self.seats.items()}

    def total(self, measure: str) -> int:
        """The disruption of the whole plan in a measure."""
        if measure == "revenue_at_risk":
            return sum(self.revenue_at_risk.values())
        return sum(self.ledger.cost(account_id, *seat, measure) for account_id, seat in self.seats.items())


def read_plan(ledger: Ledger, assignments: pd.DataFrame, warnings: object = ()) -> Plan:
    """The plan that a frame of assignments claims. Raises `UnreadableError` where it has no seats."""
    columns = columns_of(assignments, FILE, SEAT_COLUMNS)
    index: dict[str, int] = {}
    for at, account_id in enumerate(columns["account_id"]):
        if account_id in ledger.accounts or account_id in ledger.excluded:
            index.setdefault(account_id, at)
    seats = {
        account_id: (columns["to_am"][at], columns["to_csm"][at])
        for account_id, at in index.items()
        if account_id in ledger.accounts
    }
    said = tuple(str(warning) for warning in warnings) if isinstance(warnings, (list, tuple)) else ()
    return Plan(ledger, columns, index, seats, said)
