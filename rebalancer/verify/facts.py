"""Facts: the accounts, AMs, books, CSMs and pods of the input tables in plain integers, fractions, dates and sets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Self

import pandas as pd

from rebalancer.coverage import BookLimits, CoverageModel
from rebalancer.tables import TIERS
from rebalancer.verify.accounts import Account, read_account, recently_moved, ultimate_parents
from rebalancer.verify.holds import held_by_aes
from rebalancer.verify.people import Am, Csm, read_am, read_csm
from rebalancer.verify.pooling import read_books
from rebalancer.verify.relief import relieved_books
from rebalancer.verify.scales import Scales
from rebalancer.verify.text import UnreadableError, as_day, columns_of, records

PodRow = tuple[str, str, str]
"""pod_id, am_id, csm_id."""


@dataclass(frozen=True)
class Facts:
    """Everything the checks know about a team. `accounts` are those that are planned, `excluded` all others.

    `books` are the AMs who are in no pool, and the pools, each as one `Am`; `pool_of` is the pool of every member.
    `roots` are the ultimate parents of all accounts, `tired` those whose AM changed too lately to change again. What
    AEs hold is locked, and what they have to hand over is due.
    `relieved` are the books that end at the relief of the model at most.
    """

    model: CoverageModel
    scales: Scales
    day: date
    scope: str
    accounts: Mapping[str, Account]
    excluded: Mapping[str, Account]
    roots: Mapping[str, str]
    tired: frozenset[str]
    ams: Mapping[str, Am]
    books: Mapping[str, Am]
    pool_of: Mapping[str, str]
    csms: Mapping[str, Csm]
    pod_rows: tuple[PodRow, ...]
    pods_active: bool
    relieved: frozenset[str]

    @classmethod
    def build(
        cls, tables: Mapping[str, pd.DataFrame], model: CoverageModel, effective_date: date | str, scope: str
    ) -> Self:
        """The facts of input tables in canonical text. Raises `UnreadableError` for a cell that says nothing."""
        day, scales = as_day(effective_date), Scales.of(model)
        ams = {row.key: read_am(row, model, day) for row in records(tables, "ams", "am_id")}
        csms = {row.key: read_csm(row, model, day) for row in records(tables, "csms", "csm_id")}
        pool_of, books = read_books(tables, ams)
        present = {am_id for am_id in (*ams, *books) if not books[pool_of.get(am_id, am_id)].departed}
        everyone, parents = dict[str, Account](), dict[str, str]()
        for row in records(tables, "accounts", "account_id"):
            everyone[row.key] = read_account(row, model, scales, day, present)
            parents[row.key] = row.text("parent_id")
        pods = _pods(tables)
        _check_known(everyone, {*ams, *books}, csms)
        _check_pods(pods, ams, csms)
        pods_active = bool(pods) and model.pods.mode == "on"
        if not pods_active:  # then CSMs are no part of the plan, and assign_csm has no effect
            named = {key: account for key, account in everyone.items() if account.assign_csm}
            everyone |= {key: replace(account, assign_csm="") for key, account in named.items()}
        planned = {key: account for key, account in everyone.items() if not account.excluded}
        facts = cls(
            model=model,
            scales=scales,
            day=day,
            scope=scope,
            accounts=planned,
            excluded={key: account for key, account in everyone.items() if account.excluded},
            roots=ultimate_parents(parents),
            tired=recently_moved(tables, model, day),
            ams=ams,
            books=books,
            pool_of=pool_of,
            csms=csms,
            pod_rows=pods,
            pods_active=pods_active,
            relieved=relieved_books(tables, model, day, planned, pool_of),
        )
        changed = held_by_aes(facts)
        return replace(facts, accounts={**facts.accounts, **changed}) if changed else facts

    def book_of(self, am_id: str) -> str:
        """The book of an AM or a pool: the pool of a member, else the id itself."""
        return self.pool_of.get(am_id, am_id)

    def am_departed(self, am_id: str) -> bool:
        """True where that AM, or every member of that pool, has left by the effective date."""
        person = self.ams.get(am_id) or self.books.get(am_id)
        return person is not None and person.departed

    def homeless(self, account: Account) -> bool:
        """Whether the account has no owner, one whose book has left, or an AE who has to hand it over."""
        return account.due or not account.owner or self.am_departed(self.book_of(account.owner))

    def stays(self, account: Account, am_id: str) -> bool:
        """Whether that AM or pool stands for the book that the account is in today."""
        return self.book_of(am_id) == self.book_of(account.owner)

    def seat_in(self, account: Account, book_id: str) -> str:
        """How a plan writes that the account ends in a book: its owner where that one is there, else the book."""
        owner = account.owner
        kept = self.book_of(owner) == book_id and (owner not in self.pool_of or not self.am_departed(owner))
        return owner if kept else book_id

    def csm_departed(self, csm_id: str) -> bool:
        """True where that CSM is known and has left by the effective date."""
        return csm_id in self.csms and self.csms[csm_id].departed

    def book_limits(self, kind: str) -> BookLimits:
        """The count limits that the model sets for a kind of book."""
        books = self.model.books
        return {"segmented": books.segmented, "blended": books.blended}.get(kind, BookLimits())

    @cached_property
    def present(self) -> tuple[str, ...]:
        """The books that have not left, sorted."""
        return tuple(sorted(book_id for book_id, book in self.books.items() if not book.departed))

    @cached_property
    def held(self) -> dict[str, frozenset[str]]:
        """The tiers of each book today."""
        held: dict[str, set[str]] = {book_id: set() for book_id in self.books}
        for account in self.accounts.values():
            held.get(self.book_of(account.owner), set()).add(account.tier)
        return {book_id: frozenset(tiers) for book_id, tiers in held.items()}

    @cached_property
    def pods(self) -> frozenset[tuple[str, str]]:
        """Every pair of a book and a CSM who share a pod."""
        return frozenset((self.book_of(am_id), csm_id) for _, am_id, csm_id in self.pod_rows)

    @cached_property
    def pod_csms(self) -> dict[str, tuple[str, ...]]:
        """The receiving CSMs of each book's pod, sorted; books without one are left out."""
        found: dict[str, list[str]] = {}
        for book_id, csm_id in sorted(self.pods):
            if self.csms[csm_id].receives:
                found.setdefault(book_id, []).append(csm_id)
        return {book_id: tuple(csm_ids) for book_id, csm_ids in found.items()}

    @cached_property
    def families(self) -> dict[str, tuple[str, ...]]:
        """The families that stay together, by root: their planned members, at least two, sorted."""
        policy, found = self.model.families, dict[str, list[str]]()
        sizes = Counter(self.roots[account_id] for account_id in self.accounts)
        for account_id in sorted(name for name in self.accounts if sizes[self.roots[name]] > 1):
            found.setdefault(self.roots[account_id], []).append(account_id)
        usual = policy.mode == "together"
        return {
            root: tuple(members)
            for root, members in found.items()
            if (usual and root not in policy.free) or root in policy.together
        }

    @cached_property
    def gams(self) -> dict[str, str]:
        """The GAM of every account that has one: its own, else the only one that its family names."""
        everyone = {**self.accounts, **self.excluded}
        named: dict[str, set[str]] = {}
        for account_id, account in everyone.items():
            if account.gam:
                named.setdefault(self.roots[account_id], set()).add(account.gam)
        found = {}
        for account_id, account in everyone.items():
            of_family = named.get(self.roots[account_id], set())
            gam = account.gam or (min(of_family) if len(of_family) == 1 else "")
            if gam:
                found[account_id] = gam
        return found

    @cached_property
    def judged(self) -> dict[str, Account]:
        """Accounts as the rules of seats see them: members of a family that stays together have its highest tier."""
        judged = dict(self.accounts)
        for members in self.families.values():
            highest = min((self.accounts[member].tier for member in members), key=TIERS.index)
            judged |= {member: replace(self.accounts[member], tier=highest) for member in members}
        return judged

    @cached_property
    def pools(self) -> frozenset[str]:
        """The ids of all pools."""
        return frozenset(self.pool_of.values())

    @cached_property
    def has_pool(self) -> bool:
        """Whether there is a pool that has not left."""
        return any(not self.books[pool_id].departed for pool_id in self.pools)


def _pods(tables: Mapping[str, pd.DataFrame]) -> tuple[PodRow, ...]:
    if "pods" not in tables:
        return ()
    columns = columns_of(tables["pods"], "inputs: pods", ("pod_id", "am_id", "csm_id"))
    return tuple(zip(columns["pod_id"], columns["am_id"], columns["csm_id"], strict=True))


def _check_known(accounts: Mapping[str, Account], owners: Collection[str], csms: Mapping[str, Csm]) -> None:
    """Refuse ids that point nowhere; CSMs are free text where there is no csms table."""
    if not accounts or not owners:
        raise UnreadableError("inputs: there are no accounts or no AMs")
    for account in accounts.values():
        for name, value, known in (
            ("owner", account.owner, owners),
            ("assign_to", account.assign_to, owners),
            ("csm", account.csm, csms or {account.csm}),
            ("assign_csm", account.assign_csm, csms or {account.assign_csm}),
        ):
            if value and value not in known:
                raise UnreadableError(f"inputs: accounts {account.account_id}, column {name}: there is no {value}")


def _check_pods(pods: tuple[PodRow, ...], ams: Mapping[str, Am], csms: Mapping[str, Csm]) -> None:
    for _, am_id, csm_id in sorted(pods):
        if am_id not in ams or csm_id not in csms:
            raise UnreadableError(f"inputs: pods names {am_id} with {csm_id}, and one of them is not there")
