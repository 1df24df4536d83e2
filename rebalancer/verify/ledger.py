"""Ledger: the facts of a team together with the questions that checks and reference solvers ask of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rebalancer.verify import costs, families, fit, rows, seats
from rebalancer.verify.accounts import Account
from rebalancer.verify.facts import Facts
from rebalancer.verify.rows import Row


@dataclass(frozen=True)
class Ledger(Facts):
    """A team as `verify` sees it. `Ledger.build(tables, model, effective_date, scope)` makes one."""

    def seat_problems(self, account_id: str, am_id: str, csm_id: str) -> dict[str, str]:
        """What is wrong with a seat by rule, the limits of books and CSMs aside; empty where it is legal."""
        account = self.judged[account_id]
        found = {rule: check(self, account, am_id, csm_id) for rule, check in seats.SEAT_RULES.items()}
        return {rule: problem for rule, problem in found.items() if problem}

    def legal_seats(self, account_id: str) -> list[tuple[str, str]]:
        """Every (AM or pool, CSM or "") that the account may end in on its own, limits of books and CSMs aside."""
        return seats.legal_seats(self, self.judged[account_id])

    def groups(self) -> list[tuple[str, ...]]:
        """The accounts that are seated together: families that stay together, and every other account alone."""
        together = {members[0]: members for members in self.families.values()}
        later = {member for members in self.families.values() for member in members[1:]}
        return [together.get(name, (name,)) for name in sorted(self.accounts) if name not in later]

    def legal_options(self, root: str) -> list[dict[str, tuple[str, str]]]:
        """Every joint seat of a family that stays together, by its root; the limits of books and CSMs aside."""
        return families.legal_options(self, root)

    def options(self, group: tuple[str, ...]) -> list[dict[str, tuple[str, str]]]:
        """Every joint seat of one of the `groups`."""
        if len(group) > 1:
            return self.legal_options(self.roots[group[0]])
        return [{group[0]: seat} for seat in self.legal_seats(group[0])]

    def elastic_rows(self, plan_of: Mapping[str, tuple[str, str]]) -> list[Row]:
        """Every elastic limit with what it holds when the accounts sit in those seats."""
        return rows.elastic_rows(self, plan_of)

    def overload(self, plan_of: Mapping[str, tuple[str, str]]) -> int:
        """The sum of excess times penalty over the elastic limits."""
        return sum(row.excess * row.penalty for row in self.elastic_rows(plan_of))

    def today(self) -> dict[str, tuple[str, str]]:
        """Every planned account in the seat it has, written as a plan that changes nothing writes it."""
        return rows.today(self)

    def changes(self, account_id: str, am_id: str, csm_id: str) -> tuple[bool, bool]:
        """Whether an existing book, and an existing CSM, changes; a first one is no change."""
        return costs.changes(self, self.accounts[account_id], am_id, csm_id)

    def cost(self, account_id: str, am_id: str, csm_id: str, measure: str) -> int:
        """The disruption of one account in a seat: dollars, accounts, or hundredths of units."""
        return costs.cost(self, self.accounts[account_id], am_id, csm_id, measure)

    def is_legacy(self, account: Account) -> bool:
        """Whether today's book breaks today's tier, region, language or skill of the account."""
        book = self.books.get(self.book_of(account.owner))
        return book is not None and any(misfit(self, account, book) for misfit in fit.MISFITS)
