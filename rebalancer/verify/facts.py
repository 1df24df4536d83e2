"""Facts: the accounts, AMs, CSMs and pods of the input tables in plain integers, fractions, dates and sets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction
from typing import Self

import pandas as pd

from rebalancer.coverage import BookLimits, CoverageModel
from rebalancer.tables import TIERS
from rebalancer.verify.people import Am, Csm, read_am, read_csm
from rebalancer.verify.scales import Scales
from rebalancer.verify.text import Record, UnreadableError, as_day, columns_of, records


@dataclass(frozen=True, slots=True)
class Account:
    """An account today. `units` are hundredths, `weight` millionths of a CSM; `locked` means not lifted."""

    account_id: str
    owner: str
    csm: str
    arr: int
    tier: str
    units: int
    weight: int
    region: frozenset[str]
    language: frozenset[str]
    skills: frozenset[str]
    locked: bool
    assign_to: str
    assign_csm: str
    renewal_date: date | None
    health: Fraction | None
    owner_since: date | None


@dataclass(frozen=True)
class Facts:
    """Everything the checks know about a book. `held` are the tiers of each AM's book today, `podded` the
    AMs who share a pod with a CSM who receives.
    """

    model: CoverageModel
    scales: Scales
    day: date
    scope: str
    accounts: Mapping[str, Account]
    ams: Mapping[str, Am]
    csms: Mapping[str, Csm]
    pods: frozenset[tuple[str, str]]
    pods_active: bool
    held: Mapping[str, frozenset[str]]
    podded: frozenset[str]

    @classmethod
    def build(
        cls, tables: Mapping[str, pd.DataFrame], model: CoverageModel, effective_date: date | str, scope: str
    ) -> Self:
        """The facts of input tables in canonical text. Raises `UnreadableError` for a cell that says nothing."""
        day, scales = as_day(effective_date), Scales.of(model)
        ams = {row.key: read_am(row, model, day) for row in records(tables, "ams", "am_id")}
        csms = {row.key: read_csm(row, model, day) for row in records(tables, "csms", "csm_id")}
        rows = records(tables, "accounts", "account_id")
        accounts = {row.key: _account(row, model, scales, day, ams) for row in rows}
        pods = _pods(tables)
        _check_known(accounts, ams, csms, pods)
        pods_active = bool(pods) and model.pods.mode == "on"
        if not pods_active:  # then CSMs are no part of the plan, and assign_csm has no effect
            accounts = {key: replace(account, assign_csm="") for key, account in accounts.items()}
        held: dict[str, set[str]] = {am_id: set() for am_id in ams}
        for account in accounts.values():
            held.get(account.owner, set()).add(account.tier)
        return cls(
            model=model,
            scales=scales,
            day=day,
            scope=scope,
            accounts=accounts,
            ams=ams,
            csms=csms,
            pods=pods,
            pods_active=pods_active,
            held={am_id: frozenset(tiers) for am_id, tiers in held.items()},
            podded=frozenset(am_id for am_id, csm_id in pods if csms[csm_id].receives),
        )

    def am_departed(self, am_id: str) -> bool:
        """True where that AM is known and has left by the effective date."""
        return am_id in self.ams and self.ams[am_id].departed

    def csm_departed(self, csm_id: str) -> bool:
        """True where that CSM is known and has left by the effective date."""
        return csm_id in self.csms and self.csms[csm_id].departed

    def book_limits(self, kind: str) -> BookLimits:
        """The count limits that the model sets for a kind of book."""
        books = self.model.books
        return {"segmented": books.segmented, "blended": books.blended}.get(kind, BookLimits())


def _account(row: Record, model: CoverageModel, scales: Scales, day: date, ams: Mapping[str, Am]) -> Account:
    arr, owner = row.whole("arr"), row.text("owner")
    tier = row.choice("tier", TIERS) or scales.tier_of(arr)
    stays = owner in ams and not ams[owner].departed
    return Account(
        account_id=row.key,
        owner=owner,
        csm=row.text("csm"),
        arr=arr,
        tier=tier,
        units=scales.units(tier, row.number("products"), row.number("stakeholders"), row.number("complexity")),
        weight=scales.csm_weight(arr),
        region=row.tags("region"),
        language=row.tags("language"),
        skills=row.tags("skills"),
        locked=stays and _is_locked(row, model, day),
        assign_to=row.text("assign_to"),
        assign_csm=row.text("assign_csm"),
        renewal_date=row.day("renewal_date"),
        health=row.number("health"),
        owner_since=row.day("owner_since"),
    )


def _is_locked(row: Record, model: CoverageModel, day: date) -> bool:
    until, hold = row.day("lock_until"), row.day("ae_hold_until")
    by_hand = model.locks.manual and row.flag("lock") is True and (until is None or until >= day)
    return by_hand or (model.locks.ae_hold and hold is not None and hold >= day)


def _pods(tables: Mapping[str, pd.DataFrame]) -> frozenset[tuple[str, str]]:
    if "pods" not in tables:
        return frozenset()
    columns = columns_of(tables["pods"], "inputs: pods", ("am_id", "csm_id"))
    return frozenset(zip(columns["am_id"], columns["csm_id"], strict=True))


def _check_known(
    accounts: Mapping[str, Account], ams: Mapping[str, Am], csms: Mapping[str, Csm], pods: frozenset[tuple[str, str]]
) -> None:
    """Refuse ids that point nowhere; CSMs are free text where there is no csms table."""
    if not accounts or not ams:
        raise UnreadableError("inputs: there are no accounts or no AMs")
    for account in accounts.values():
        for name, value, known in (
            ("owner", account.owner, ams),
            ("assign_to", account.assign_to, ams),
            ("csm", account.csm, csms or {account.csm}),
            ("assign_csm", account.assign_csm, csms or {account.assign_csm}),
        ):
            if value and value not in known:
                raise UnreadableError(f"inputs: accounts {account.account_id}, column {name}: there is no {value}")
    for am_id, csm_id in sorted(pods):
        if am_id not in ams or csm_id not in csms:
            raise UnreadableError(f"inputs: pods names {am_id} with {csm_id}, and one of them is not there")
