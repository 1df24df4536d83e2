"""Accounts on the effective date: what they weigh, where they sit, and what holds them there."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

import pandas as pd

from rebalancer.coverage import CoverageModel
from rebalancer.tables import TIERS
from rebalancer.verify.scales import Scales, months_before
from rebalancer.verify.text import Record, UnreadableError, columns_of

OWNER_ROLES = ("am", "owner", "")
"""Roles in `history` that speak of the account's AM, in any case of letters."""


@dataclass(frozen=True, slots=True)
class Account:
    """An account today. `units` are hundredths, `weight` millionths of a CSM; `locked` means not lifted, `due` that its
    AE has to hand it over.
    """

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
    refused: frozenset[str]
    refused_csm: frozenset[str]
    renewal_date: date | None
    health: Fraction | None
    owner_since: date | None
    excluded: bool
    hold_until: date | None
    expansion: int
    gam: str
    is_global: bool
    due: bool = False


def read_account(row: Record, model: CoverageModel, scales: Scales, day: date, present: Collection[str]) -> Account:
    """The account of one row of `accounts`; `present` are the owners whose book has not left."""
    arr, owner = row.whole("arr"), row.text("owner")
    tier = row.choice("tier", TIERS) or scales.tier_of(arr)
    excluded = row.flag("exclude") is True
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
        locked=not excluded and owner in present and is_locked(row, model, day),
        assign_to=row.text("assign_to"),
        assign_csm=row.text("assign_csm"),
        refused=row.tags("refused"),
        refused_csm=row.tags("refused_csm"),
        renewal_date=row.day("renewal_date"),
        health=row.number("health"),
        owner_since=row.day("owner_since"),
        excluded=excluded,
        hold_until=row.day("ae_hold_until"),
        expansion=row.whole("expansion_arr_12m"),
        gam=row.text("gam"),
        is_global=row.flag("is_global") is True,
    )


def is_locked(row: Record, model: CoverageModel, day: date) -> bool:
    """Whether one of the model's reasons locks the account, an owner who left aside.

    What is not locked by hand yields to a seat that the planner fixed.
    """
    locks, until, hold = model.locks, row.day("lock_until"), row.day("ae_hold_until")
    renewal, since, health = row.day("renewal_date"), row.day("owner_since"), row.number("health")
    by_hand = locks.manual and row.flag("lock") is True and (until is None or until >= day)
    by_hold = locks.ae_hold and hold is not None and hold >= day
    to_renewal = None if renewal is None else (renewal - day).days
    with_owner = None if since is None else (day - since).days
    ailing = locks.health_below is not None and health is not None and health < Fraction(locks.health_below)
    selling = locks.open_opportunity and row.whole("opportunity") > 0
    near = _within(to_renewal, locks.renewal_days) or _within(with_owner, locks.changed_days)
    by_rule = bool(ailing or selling or near) and not (row.text("assign_to") or row.text("assign_csm"))
    return by_hand or by_hold or by_rule


def _within(days: int | None, most: int | None) -> bool:
    return days is not None and most is not None and 0 <= days <= most


def recently_moved(tables: Mapping[str, pd.DataFrame], model: CoverageModel, day: date) -> frozenset[str]:
    """Accounts whose AM changed within the model's quarters, by `history`; none where the model sets none."""
    quarters = model.fatigue.quarters
    if quarters is None or "history" not in tables:
        return frozenset()
    columns = columns_of(tables["history"], "inputs: history", ("account_id", "date"))
    start, names = months_before(day, 3 * quarters), list(columns)
    found = set()
    for values in zip(*columns.values(), strict=True):
        row = dict(zip(names, values, strict=True))
        changed = Record("history", row["account_id"], row).day("date")
        if changed is not None and start < changed <= day and row.get("role", "").lower() in OWNER_ROLES:
            found.add(row["account_id"])
    return frozenset(found)


def ultimate_parents(parents: Mapping[str, str]) -> dict[str, str]:
    """The root of every account's chain of parents, from each account's parent or "".

    A parent that is no account of the table is the root of those below it. Raises `UnreadableError` for a circle.
    """
    roots: dict[str, str] = {}
    for account_id in parents:
        path: dict[str, None] = {}
        at = account_id
        while at not in roots and parents.get(at):
            if at in path:
                raise UnreadableError(f"inputs: accounts {at}, column parent_id: its parents lead back to it")
            path[at] = None
            at = parents[at]
        root = roots.get(at, at)
        roots.update(dict.fromkeys(path, root))
        roots.setdefault(account_id, root)
    return roots
