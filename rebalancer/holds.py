"""AE holds: which customers the AE who won them still holds, until when and why, and which are due for handover.

Four rules can be chosen by tier, those of the commercial account management playbook; `accounts.ae_hold_until` wins
over all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pandas as pd

from rebalancer.coverage import CoverageModel
from rebalancer.tables import TIERS

AE_ROLE = "ae"

DATE, FAMILY, LOCK, UNKNOWN = "date", "family", "lock", "unknown"
"""Reasons that are no rule of the model: an explicit date, a relative who is held, another lock, a figure missing."""

NO_DAY = np.datetime64("NaT", "D")


@dataclass(frozen=True)
class Holds:
    """Per account (arrays): whether an AE owns it, holds it, or has to hand it over, and by which rule.

    `why` is the rule: date, duration, accounts, expansion, total_arr; else family (a relative of the same AE is held),
    lock (another lock keeps it), unknown (the rule's column is empty) or "" (no rule). `until` is the last day of the
    hold (NaT: it has no date).
    """

    of_ae: np.ndarray
    held: np.ndarray
    due: np.ndarray
    until: np.ndarray
    why: np.ndarray

    def settled(self, locked: np.ndarray, fixed: np.ndarray, owner: np.ndarray, family: np.ndarray) -> Holds:
        """With what else keeps due accounts where they are: a lock, the planner's word, a relative who stays.

        `locked` is every lock in force, `fixed` that the planner named today's owner, `family` -1 for who stands alone.
        """
        kept = self.due & (locked | fixed)
        stays = (family >= 0) & self.of_ae & (locked | fixed)
        key = family.astype(np.int64) * (int(owner.max(initial=0)) + 2) + owner
        waits = self.due & ~kept & (family >= 0) & np.isin(key, key[stays])
        why = np.where(kept, LOCK, np.where(waits, FAMILY, self.why))
        return replace(self, due=self.due & ~kept & ~waits, why=why)


def nobody(accounts: int) -> Holds:
    """No account is held by an AE."""
    none = np.zeros(accounts, dtype=bool)
    return Holds(none, none, none, np.full(accounts, NO_DAY), np.full(accounts, "", dtype=object))


def ae_holds(
    accounts: pd.DataFrame,
    tiers: np.ndarray,
    owner: np.ndarray,
    of_ae: np.ndarray,
    csm_fixed: np.ndarray,
    model: CoverageModel,
    day: date,
) -> Holds:
    """Who is held on a day. `tiers` indexes `TIERS`, `owner` numbers the owners, `of_ae` says whose owner is an AE.

    A date holds whoever owns the account; an AE's account whose date has passed is due. The rules speak of AEs alone,
    of no account that the planner assigned, and hold none whose CSM the planner named (`csm_fixed`).
    """
    if not model.locks.ae_hold:
        return nobody(len(accounts))
    today = np.datetime64(day, "D")
    until = accounts["ae_hold_until"].to_numpy().astype("datetime64[D]")
    dated = ~np.isnat(until)
    held, due = dated & (until >= today), of_ae & dated & (until < today)
    why = np.where(dated, DATE, "").astype(object)
    assigned = (accounts["assign_to"] != "").to_numpy(dtype=bool)
    why[of_ae & ~dated & assigned] = LOCK
    rule = np.array([model.holds.rule.get(tier, "none") for tier in TIERS])[tiers]  # type: ignore[call-overload]
    case = _Case(accounts, tiers, owner, held, model, today)
    for name, judge in RULES.items():
        mine = of_ae & ~dated & ~assigned & (rule == name)
        if not mine.any():
            continue
        keeps, known, ends = judge(case, mine, of_ae & (rule == name))
        held, due = held | (mine & known & keeps & ~csm_fixed), due | (mine & known & ~keeps)
        until = np.where(mine & known, ends, until)
        why[mine] = np.where(known[mine], name, UNKNOWN)
        why[mine & known & keeps & csm_fixed] = LOCK
    return Holds(of_ae, held, due, until, why)


@dataclass(frozen=True)
class _Case:
    """What the rules look at; `held` are accounts with a date that has not passed."""

    accounts: pd.DataFrame
    tiers: np.ndarray
    owner: np.ndarray
    held: np.ndarray
    model: CoverageModel
    today: np.datetime64

    @property
    def arr(self) -> np.ndarray:
        return np.maximum(0, self.accounts["arr"].to_numpy(dtype=np.int64))

    @property
    def since(self) -> np.ndarray:
        return self.accounts["owner_since"].to_numpy().astype("datetime64[D]")

    def in_order(self, mine: np.ndarray) -> np.ndarray:
        """Some accounts in the order in which their AEs keep them; who has no date counts as the oldest."""
        newest = -np.where(np.isnat(self.since), np.iinfo(np.int32).min, self.since.astype(np.int64))
        keys = (-self.arr, newest) if self.model.holds.keep == "newest" else (newest, -self.arr)
        order = np.lexsort((self.accounts["account_id"].to_numpy(dtype=str), *keys))
        return order[mine[order]]


Verdict = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Per account: it is kept, that is known, and the last day (NaT: none)."""


def _duration(case: _Case, mine: np.ndarray, of_rule: np.ndarray) -> Verdict:
    """So many months from the day the AE has owned it, that day of the month included."""
    del of_rule
    by_tier = {str(tier): number for tier, number in case.model.holds.months.items()}
    months = np.array([by_tier.get(tier, 0) for tier in TIERS])[case.tiers]
    ends = months_after(case.since, months)
    known = mine & ~np.isnat(ends)
    return ends >= case.today, known, ends


def _accounts(case: _Case, mine: np.ndarray, of_rule: np.ndarray) -> Verdict:
    """The first so many of each AE; those held by a date take up places."""
    taken = np.bincount(case.owner[of_rule & case.held], minlength=int(case.owner.max()) + 1)
    order = case.in_order(mine)
    rank = pd.Series(case.owner[order]).groupby(case.owner[order]).cumcount().to_numpy()
    keeps = np.zeros(len(mine), dtype=bool)
    keeps[order] = rank + taken[case.owner[order]] < case.model.holds.accounts
    return keeps, mine, np.full(len(mine), NO_DAY)


def _expansion(case: _Case, mine: np.ndarray, of_rule: np.ndarray) -> Verdict:
    """While it grows; a book whose expansion is nowhere above or below 0 says nothing of it."""
    del of_rule
    expansion = case.accounts["expansion_arr_12m"].to_numpy(dtype=np.int64)
    known = mine & bool(expansion.any())
    return expansion > case.model.holds.expansion_above, known, np.full(len(mine), NO_DAY)


def _total_arr(case: _Case, mine: np.ndarray, of_rule: np.ndarray) -> Verdict:
    """As many of each AE, in order, as its total carries; one that would exceed it is passed over."""
    most = case.model.holds.total_arr
    used = np.zeros(int(case.owner.max()) + 1, dtype=np.int64)
    np.add.at(used, case.owner[of_rule & case.held], case.arr[of_rule & case.held])
    total, keeps = used.tolist(), np.zeros(len(mine), dtype=bool)
    order = case.in_order(mine)
    for at, owner, arr in zip(order.tolist(), case.owner[order].tolist(), case.arr[order].tolist(), strict=True):
        if total[owner] + arr <= most:
            total[owner] += arr
            keeps[at] = True
    return keeps, mine, np.full(len(mine), NO_DAY)


RULES: dict[str, Callable[[_Case, np.ndarray, np.ndarray], Verdict]] = {
    "duration": _duration,
    "accounts": _accounts,
    "expansion": _expansion,
    "total_arr": _total_arr,
}


def months_after(day: np.ndarray, months: np.ndarray) -> np.ndarray:
    """The same day of a later month, or that month's last (datetime64[D]; NaT stays)."""
    month = day.astype("datetime64[M]")
    target = month + months.astype("timedelta64[M]")
    last = (target + np.timedelta64(1, "M")).astype("datetime64[D]") - np.timedelta64(1, "D")
    return np.minimum(target.astype("datetime64[D]") + (day - month.astype("datetime64[D]")), last)
