"""Reasons: why each account moves or stays, in a planner's words."""

from __future__ import annotations

import numpy as np
import pandas as pd

from rebalancer.limits import count_limits
from rebalancer.metrics import load
from rebalancer.rules.formulation import Formulation
from rebalancer.snapshot import NONE, Snapshot, units_text
from rebalancer.units import HUNDREDTHS

OVER = {
    "accounts": "it keeps no more accounts",
    "expansion": "it no longer expands enough",
    "total_arr": "it keeps no more ARR",
}
"""Why an AE hands an account over, by the rule of its hold."""

KEPT = {
    "accounts": "among the accounts that it keeps",
    "expansion": "while it expands",
    "total_arr": "within the ARR that it keeps",
}
"""What an AE holds an account by, where the hold has no date."""

UNTOUCHED = "It stays; nothing requires a move."


def reasons(formulation: Formulation, chosen: np.ndarray, legacy: np.ndarray) -> list[str]:
    """One sentence per account."""
    return _Reasons(formulation, chosen, legacy).all()


class _Reasons:
    def __init__(self, formulation: Formulation, chosen: np.ndarray, legacy: np.ndarray) -> None:
        self.snapshot, self.legacy = formulation.snapshot, legacy
        self.to_am, self.to_csm = formulation.seats(chosen)
        self.after = load(self.snapshot, self.to_am)
        self.too_full = over_limit(self.snapshot)
        self.gained = self.snapshot.per_am(self.to_am, (self.to_am != self.snapshot.accounts.owner).astype(np.int64))
        csms, accounts = self.snapshot.csms, self.snapshot.accounts
        self.csm_full = self.snapshot.per_csm(accounts.csm, accounts.load) > csms.limit
        together = accounts.family[(self.to_am != accounts.owner) & (accounts.family >= 0)]
        self.moved_of_family = np.bincount(together, minlength=int(accounts.family.max(initial=-1)) + 1)
        frame = self.snapshot.frame
        self.lock, self.lock_reason = (frame[name].tolist() for name in ("lock", "lock_reason"))

    def all(self) -> list[str]:
        accounts = self.snapshot.accounts
        moved = accounts.owner != self.to_am
        csm_changed = (accounts.csm != NONE) & (accounts.csm != self.to_csm)
        sentences = [UNTOUCHED] * len(accounts)
        crowded = np.isin(accounts.owner, list(self.too_full))
        told = moved | csm_changed | accounts.locked | (accounts.assign_to != NONE) | self.legacy | crowded
        for i in np.flatnonzero(told).tolist():
            if moved[i]:
                sentences[i] = self._moves(i) + self._with_family(i)
            else:
                sentences[i] = self._csm_changes(i) if csm_changed[i] else self._stays(i)
        return sentences

    def _with_family(self, i: int) -> str:
        """That an account moves with others of its family."""
        family = self.snapshot.accounts.family[i]
        others = self.moved_of_family[family] - 1 if family >= 0 else 0
        return f" Its family goes with it ({others} more)." if others else ""

    def _moves(self, i: int) -> str:
        snapshot, accounts, ams = self.snapshot, self.snapshot.accounts, self.snapshot.ams
        owner, to = int(accounts.owner[i]), int(self.to_am[i])
        to_text = f"{ams.ids[to]} ({ams.names[to]}) ends at {self._fullness(to)}"
        if accounts.assign_to[i] != NONE:
            return f"The planner assigned it to {ams.ids[to]}."
        if owner == NONE:
            return f"It has no owner; {to_text}."
        if snapshot.owner_departed[i]:
            return f"Its owner {ams.ids[owner]} leaves{self._lifted(i)}; {to_text}."
        if accounts.holds.due[i]:
            return f"Its AE {ams.ids[owner]} hands it over{self._hold_ended(i)}; {to_text}."
        if owner in self.too_full:
            return f"The book of {ams.ids[owner]} is over its limit ({self.too_full[owner]}); {to_text}."
        if ams.floor[to] > 0 and snapshot.held[to] < ams.floor[to]:
            least = units_text(int(ams.floor[to]))
            return f"{ams.ids[to]} needs a book of at least {least} units; it ends at {self._fullness(to)}."
        if self.gained[owner]:
            return f"It makes room in the book of {ams.ids[owner]}, which takes {self.gained[owner]} others; {to_text}."
        if accounts.csm[i] != NONE and self.csm_full[accounts.csm[i]]:
            return f"Its CSM {snapshot.csms.ids[accounts.csm[i]]} is over the load limit; {to_text}."
        return f"It moves so that other books keep their limits; {to_text}."

    def _csm_changes(self, i: int) -> str:
        snapshot, accounts = self.snapshot, self.snapshot.accounts
        before = snapshot.csms.ids[accounts.csm[i]]
        after = snapshot.csms.ids[self.to_csm[i]] if self.to_csm[i] != NONE else "no CSM"
        stays = f"stays with {snapshot.ams.ids[self.to_am[i]]}"
        if accounts.assign_csm[i] != NONE:
            return f"The planner assigned its CSM {after}; it {stays}."
        if snapshot.csm_departed[i]:
            return f"Its CSM {before} leaves; {after} takes over and it {stays}."
        why = "is over the load limit" if self.csm_full[accounts.csm[i]] else "makes room for others"
        return f"Its CSM {before} {why}; {after} takes over and it {stays}."

    def _stays(self, i: int) -> str:
        snapshot, accounts = self.snapshot, self.snapshot.accounts
        owner = int(accounts.owner[i])
        if accounts.locked[i]:
            return self._locked(i)
        if accounts.assign_to[i] != NONE:
            return "The planner fixed it where it is."
        if self.legacy[i]:
            return f"It stays, though {snapshot.ams.ids[owner]} would not be eligible for it today."
        if owner in self.too_full:
            return f"It stays; moving others out of the book of {snapshot.ams.ids[owner]} costs less."
        return UNTOUCHED

    def _fullness(self, am: int) -> str:
        there = self.snapshot.ams.capacity[am] > 0
        share = f"{100 * self.after.utilization[am]:.1f} % of its capacity" if there else "no capacity"
        return f"{share}, {self.after.accounts[am]} accounts"

    def _lifted(self, i: int) -> str:
        """That a lock of an account whose owner left no longer holds."""
        written = self.lock_reason[i]
        if self.lock[i] is not True:
            return ""
        return f", so its lock ({written}) is lifted" if written else ", so its lock is lifted"

    def _hold_ended(self, i: int) -> str:
        """Why an AE's hold is over."""
        holds = self.snapshot.accounts.holds
        until = holds.until[i]
        return f", whose hold ended on {until}" if not np.isnat(until) else f" ({OVER[holds.why[i]]})"

    def _locked(self, i: int) -> str:
        """The reason code of a lock in force, and until when."""
        holds, until = self.snapshot.accounts.holds, _date_text(self.snapshot.frame["lock_until"], i)
        written = self.lock_reason[i]
        if self.lock[i] is not True and holds.held[i]:
            last = holds.until[i]
            return f"It is held by its AE {KEPT[holds.why[i]] if np.isnat(last) else f'until {last}'}."
        dated = f" until {until}" if until else ""
        return f"It is locked{dated}{f': {written}' if written else ''}."


def _date_text(dates: pd.Series, index: int) -> str:
    text = str(dates.iat[index])[:10]
    return "" if text == "NaT" else text


def over_limit(snapshot: Snapshot) -> dict[int, str]:
    """AMs whose book as it stands breaks a limit of the plan, with the numbers in words."""
    ams, held, limit = snapshot.ams, snapshot.held, snapshot.unit_limits
    words: dict[int, list[str]] = {}
    for am in np.flatnonzero((held > limit) & ~ams.departed).tolist():
        words.setdefault(am, []).append(f"{units_text(int(held[am]))} units, {limit[am] / HUNDREDTHS:,.0f} allowed")
    for found in count_limits(snapshot):
        counts = found.counts(snapshot, snapshot.accounts.owner)
        for am, most in enumerate(found.limit):
            if most is not None and counts[am] > most:
                words.setdefault(am, []).append(f"{counts[am]} {found.words()}, {most} allowed")
    return {am: "; ".join(parts) for am, parts in words.items()}
