"""Plan: the assignments of a proposal as text, and the seats they give to known accounts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import pandas as pd

from rebalancer.verify.families import is_legal
from rebalancer.verify.ledger import Ledger
from rebalancer.verify.rows import Load, Row, loads, today
from rebalancer.verify.text import columns_of

FILE = "assignments.csv"
SEAT_COLUMNS = ("account_id", "from_am", "to_am", "from_csm", "to_csm")


class Change(NamedTuple):
    """What happens to an account: another book (a first one too), the loss of a book, the loss of a CSM."""

    moved: bool
    am: bool
    csm: bool


UNCHANGED = Change(moved=False, am=False, csm=False)


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

    @cached_property
    def held(self) -> tuple[dict[str, Load], dict[str, Load]]:
        """What every book and every known CSM holds in the end."""
        return loads(self.ledger, self.seats)

    @cached_property
    def held_today(self) -> tuple[dict[str, Load], dict[str, Load]]:
        """What every book and every known CSM holds today."""
        return loads(self.ledger, today(self.ledger))

    @cached_property
    def elsewhere(self) -> dict[str, Change]:
        """The accounts that do not end exactly as they are: mostly few, and nothing changes for the others."""
        ledger, found = self.ledger, dict[str, Change]()
        for account_id, (am_id, csm_id) in self.seats.items():
            account = ledger.accounts[account_id]
            if am_id != account.owner or csm_id != account.csm:
                moved = not ledger.stays(account, am_id)
                found[account_id] = Change(moved, *ledger.changes(account_id, am_id, csm_id))
        return found

    def changes(self, account_id: str) -> tuple[bool, bool]:
        """Whether the account loses a book, and a CSM."""
        change = self.elsewhere.get(account_id, UNCHANGED)
        return change.am, change.csm

    def moved(self, account_id: str) -> bool:
        """Whether the account ends in another book; a first placement is a move."""
        return self.elsewhere.get(account_id, UNCHANGED).moved

    def forced(self, account_id: str) -> bool:
        """Whether the account moves because it has no owner, or its owner's book left."""
        return self.moved(account_id) and self.ledger.homeless(self.ledger.accounts[account_id])

    @cached_property
    def revenue_at_risk(self) -> dict[str, int]:
        """The disruption in dollars of each account that does not end as it is."""
        return {name: self.ledger.cost(name, *self.seats[name], "revenue_at_risk") for name in self.elsewhere}

    def total(self, measure: str) -> int:
        """The disruption of the whole plan in a measure."""
        if measure == "revenue_at_risk":
            return sum(self.revenue_at_risk.values())
        return sum(self.ledger.cost(account_id, *self.seats[account_id], measure) for account_id in self.elsewhere)


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
