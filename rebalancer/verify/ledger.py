"""Ledger: the facts of a book together with the questions that checks and reference solvers ask of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rebalancer.verify import costs, rows, seats
from rebalancer.verify.facts import Account, Facts
from rebalancer.verify.rows import Row


@dataclass(frozen=True)
class Ledger(Facts):
    """A book as `verify` sees it. `Ledger.build(tables, model, effective_date, scope)` makes one."""

    def seat_problems(self, account_id: str, am_id: str, csm_id: str) -> dict[str, str]:
        """What is wrong with a seat by rule, the limits of books and CSMs aside; empty where it is legal."""
        account = self.accounts[account_id]
        found = {rule: check(self, account, am_id, csm_id) for rule, check in seats.SEAT_RULES.items()}
        return {rule: problem for rule, problem in found.items() if problem}

    def legal_seats(self, account_id: str) -> list[tuple[str, str]]:
        """Every (AM, CSM or "") that the account may end in, the limits of books and CSMs aside, sorted."""
        account = self.accounts[account_id]
        csm_ids = {"", account.csm, account.assign_csm, *self.csms}
        candidates = [(am_id, csm_id) for am_id in sorted(self.ams) for csm_id in sorted(csm_ids)]
        return [seat for seat in candidates if not self.seat_problems(account_id, *seat)]

    def elastic_rows(self, plan_of: Mapping[str, tuple[str, str]]) -> list[Row]:
        """Every elastic limit with what it holds when the accounts sit in those seats."""
        return rows.elastic_rows(self, plan_of)

    def overload(self, plan_of: Mapping[str, tuple[str, str]]) -> int:
        """The sum of excess times penalty over the elastic limits."""
        return sum(row.excess * row.penalty for row in self.elastic_rows(plan_of))

    def today(self) -> dict[str, tuple[str, str]]:
        """Every account in the seat it has."""
        return rows.today(self)

    def changes(self, account_id: str, am_id: str, csm_id: str) -> tuple[bool, bool]:
        """Whether an existing AM, and an existing CSM, changes; a first one is no change."""
        return costs.changes(self.accounts[account_id], am_id, csm_id)

    def cost(self, account_id: str, am_id: str, csm_id: str, measure: str) -> int:
        """The disruption of one account in a seat: dollars, accounts, or hundredths of units."""
        return costs.cost(self, self.accounts[account_id], am_id, csm_id, measure)

    def is_legacy(self, account: Account) -> bool:
        """Whether today's owner breaks today's tier, region, language or skill of the account."""
        owner = self.ams.get(account.owner)
        return owner is not None and any(misfit(self, account, owner) for misfit in seats.MISFITS)
