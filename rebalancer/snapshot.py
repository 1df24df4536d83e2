"""Snapshot: a book on its effective date under one coverage model, as integer arrays.

The one place where values are scaled: units to hundredths, CSM load to millionths, dates to flags. Rules read a
snapshot and nothing else. Accounts, books and CSMs are numbered in the order of their ids; -1 means none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property

import numpy as np
import pandas as pd

from rebalancer.book import Book
from rebalancer.coverage import CoverageModel, Measure, Scope
from rebalancer.csms import CSM_FULL_LOAD, Csms, pod_pairs, read_csms
from rebalancer.disruption import MoveCosts, move_costs
from rebalancer.errors import Fault, Faults
from rebalancer.families import roots, together
from rebalancer.global_accounts import gam_of, led_families
from rebalancer.holds import AE_ROLE, UNKNOWN, Holds, ae_holds
from rebalancer.locks import AUTOMATIC, changed_recently, lock_reasons
from rebalancer.people import NONE, Ams, least, read_ams, share_of
from rebalancer.refusals import refused_books, refused_csms
from rebalancer.tables import TIERS
from rebalancer.units import HUNDREDTHS, coverage_units, step_index, tier_codes

__all__ = ["CSM_FULL_LOAD", "NONE", "Accounts", "Ams", "Csms", "Snapshot", "least", "take_snapshot", "units_text"]

SHOWN = 5
"""Accounts that a warning about many names."""

NO_PAIRS = np.zeros((0, 2), dtype=np.int64)
"""Nobody's pods and refusals."""


@dataclass(frozen=True)
class Accounts:
    """The accounts in the plan as arrays. `owner`, `assign_to` number books, `csm`, `assign_csm` CSMs (pods only).

    `locked` leaves out lifted locks. `family` numbers the families that stay together, -1 for accounts that stand
    alone. `holds` says which accounts their AE holds, and which it has to hand over.
    """

    ids: tuple[str, ...]
    tier: np.ndarray
    units: np.ndarray
    arr: np.ndarray
    load: np.ndarray
    owner: np.ndarray
    owner_gone: np.ndarray
    csm: np.ndarray
    locked: np.ndarray
    holds: Holds
    fatigued: np.ndarray
    assign_to: np.ndarray
    assign_csm: np.ndarray
    refused: np.ndarray
    """Rows (account, book), distinct and sorted: the books that an account must not newly be given to."""
    refused_csm: np.ndarray
    """The same of CSMs, rows (account, CSM); none without pods."""
    family: np.ndarray
    profile: np.ndarray
    """Which of `Snapshot.profiles` the account has; eligibility is worked out once per profile."""

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Snapshot:
    """Everything rules need: see the module's docstring.

    `profiles` has columns tier, region, language, skills, own_tier; `tier` is that of the family's highest account.
    `frame` holds the rows of `accounts` that are in the plan, `excluded` the others.
    """

    book: Book
    frame: pd.DataFrame
    excluded: pd.DataFrame
    model: CoverageModel
    scope: Scope
    measure: Measure
    accounts: Accounts
    ams: Ams
    csms: Csms
    profiles: pd.DataFrame
    pods_active: bool
    pod_pairs: np.ndarray
    """Rows (book, CSM) of the pods table without departed people, distinct, sorted."""
    warnings: tuple[Fault, ...] = field(default=())

    @cached_property
    def owner_departed(self) -> np.ndarray:
        """Per account: its owner has left (False where it has none, and where its pool goes on)."""
        return _at(self.ams.departed, self.accounts.owner)

    @cached_property
    def csm_departed(self) -> np.ndarray:
        """Per account: its CSM has left (False where it has none)."""
        return _at(self.csms.departed, self.accounts.csm)

    @cached_property
    def owner_present(self) -> np.ndarray:
        """Per account: somebody owns it who has not left and need not hand it over; only then is a move not forced."""
        return (self.accounts.owner != NONE) & ~self.owner_departed & ~self.accounts.holds.due

    @cached_property
    def may_stay(self) -> np.ndarray:
        """Per account: it has an owner and a CSM side that both can be kept as today."""
        return self.owner_present & ~self.csm_departed

    @cached_property
    def receives(self) -> np.ndarray:
        """Per book: it may be given accounts."""
        return self.ams.receiving & (self.ams.started | self.model.headcount.open)

    @cached_property
    def held(self) -> np.ndarray:
        """Hundredths of units per book today."""
        return self.per_am(self.accounts.owner, self.accounts.units)

    @cached_property
    def unit_limits(self) -> np.ndarray:
        """Hundredths of units each book may end with, by scope.

        full: target * capacity. repair: the same for a book above trigger * capacity that need not wait, else never
        more than the larger of that and today's load. A relieved book ends at relief * capacity in either scope, if
        that is less.
        """
        target = self._shares(self.model.limits.target)
        if self.scope == "full":
            limit = target
        else:
            trigger = self._shares(self.model.limits.trigger)
            cured = (self.held > trigger) & ~self._named(self.model.triggers.wait_books)
            limit = np.where(cured, target, np.maximum(self.held, target))
        relief = self._shares(min(self.model.limits.target, self.model.triggers.relief))
        return np.where(self.relieved, relief, limit)

    @cached_property
    def relieved(self) -> np.ndarray:
        """Per book: the model names it, or one of its members, in `triggers.relieve_books`."""
        return self._named(self.model.triggers.relieve_books)

    def _named(self, books: tuple[str, ...]) -> np.ndarray:
        """Per book: it, or one of its members, is among these ids."""
        named = self.ams.numbers(books)
        flags = np.zeros(len(self.ams), dtype=bool)
        flags[named[named != NONE]] = True
        return flags

    def _shares(self, share: Decimal) -> np.ndarray:
        """Hundredths of units: a share of each book's capacity."""
        return np.array([share_of(capacity, share) for capacity in self.ams.capacity], dtype=np.int64)

    @cached_property
    def costs(self) -> MoveCosts:
        """Move costs in the measure that is minimised."""
        return self.costs_in(self.measure)

    @cached_property
    def gam(self) -> np.ndarray:
        """Per account the id of its global account manager, empty where it has none."""
        named = bool((self.book.accounts["gam"] != "").any())
        return gam_of(self.frame, self.book.accounts, self.roots if named else {})

    @cached_property
    def roots(self) -> dict[str, str]:
        """The ultimate parent of every account of the book, those that are left out of the plan too."""
        return roots(self.book.accounts)

    @cached_property
    def led_families(self) -> pd.DataFrame:
        """Global families and who leads them; columns root, gam. See `global_accounts.led_families`."""
        accounts = self.book.accounts
        marked = bool((accounts["gam"] != "").any() or accounts["is_global"].eq(True).any())
        return led_families(accounts, self.roots if marked else {})

    def costs_in(self, measure: Measure) -> MoveCosts:
        """Move costs in any measure."""
        accounts = self.accounts
        return move_costs(measure, self.frame, accounts.tier, accounts.units, self.book.effective_date, self.model)

    def per_am(self, owner: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """The sum of `weight` over the accounts of each book, for any assignment of owners."""
        return _per_holder(owner, weight, len(self.ams))

    def per_csm(self, csm: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """The sum of `weight` over the accounts of each CSM, for any assignment of CSMs."""
        return _per_holder(csm, weight, len(self.csms))


def _per_holder(holder: np.ndarray, weight: np.ndarray, holders: int) -> np.ndarray:
    held = holder != NONE
    totals = np.zeros(holders, dtype=np.int64)
    np.add.at(totals, holder[held], weight[held])
    return totals


def take_snapshot(book: Book, model: CoverageModel, scope: Scope, measure: Measure) -> Snapshot:
    """The book in integers. Raises `InvalidInput` where a fixed seat contradicts a lock or names somebody gone."""
    faults = Faults()
    out = book.accounts["exclude"].eq(True)
    frame, excluded = (book.accounts[kept].reset_index(drop=True) for kept in (~out, out))
    if frame.empty:
        faults.error(
            "empty", "every account is excluded.", "Leave some in the plan.", file="accounts", column="exclude"
        )
        faults.raise_errors()
    tiers = tier_codes(frame["tier"], frame["arr"], model)
    ams, csms = read_ams(book, model, frame, tiers, faults), read_csms(book, model)
    pods_active = len(book.pods) > 0 and model.pods.mode == "on"
    family = together(frame, book.accounts, model)
    profile, profiles = _profiles(frame, _highest_tier(tiers, family), tiers)
    accounts = _accounts(book, frame, model, tiers, family, profile, ams, pods_active)
    _check_fixed_seats(frame, accounts, ams, csms, pods_active, faults)
    _warn_of_lifted_locks(book, frame, model, accounts, ams, faults)
    _warn_of_holds(accounts.holds, model, faults)
    _warn_of_refused_owners(accounts, ams, faults)
    faults.raise_errors()
    pairs = pod_pairs(book, ams, csms) if pods_active else NO_PAIRS
    warnings = (*book.warnings, *faults.warnings)
    return Snapshot(
        book, frame, excluded, model, scope, measure, accounts, ams, csms, profiles, pods_active, pairs, warnings
    )


def _accounts(
    book: Book,
    frame: pd.DataFrame,
    model: CoverageModel,
    tiers: np.ndarray,
    family: np.ndarray,
    profile: np.ndarray,
    ams: Ams,
    pods_active: bool,
) -> Accounts:
    arr = frame["arr"].to_numpy(dtype=np.int64)
    ratios = np.array([int(ratio) for _, ratio in model.csm.ratios], dtype=np.int64)
    owner = ams.numbers(frame["owner"])
    present = (owner != NONE) & ~_at(ams.departed, owner)
    day = book.effective_date
    of_ae = present & np.isin(np.array([*ams.role, ""], dtype=object)[owner], [AE_ROLE])
    csm_fixed = (frame["assign_csm"] != "").to_numpy(dtype=bool) & pods_active
    holds = ae_holds(frame, tiers, owner, of_ae, csm_fixed, model, day)
    reasons = lock_reasons(frame, model, day, holds.held)
    named = ((frame["assign_to"] != "") | (frame["assign_csm"] != "")).to_numpy(dtype=bool)
    asked = np.logical_or.reduce([flags & ~(named & (code in AUTOMATIC)) for code, flags in reasons.items()])
    assign_to, locked = ams.numbers(frame["assign_to"]), asked & present
    holds = holds.settled(locked, (assign_to != NONE) & (assign_to == owner), owner, family)
    return Accounts(
        ids=tuple(frame["account_id"]),
        tier=tiers,
        units=coverage_units(frame, tiers, model),
        arr=arr,
        load=CSM_FULL_LOAD // ratios[step_index(np.maximum(0, arr), model.csm.ratios)],
        owner=owner,
        owner_gone=frame["owner"].isin(ams.gone).to_numpy(dtype=bool),
        csm=_numbers(frame["csm"], book.csms["csm_id"], pods_active),
        locked=locked,
        holds=holds,
        fatigued=changed_recently(frame, book.tables["history"], model, day) & present & ~holds.due,
        assign_to=assign_to,
        assign_csm=_numbers(frame["assign_csm"], book.csms["csm_id"], pods_active),
        refused=refused_books(frame["refused"], ams),
        refused_csm=refused_csms(frame["refused_csm"], book.csms["csm_id"]) if pods_active else NO_PAIRS,
        family=family,
        profile=profile,
    )


def _highest_tier(tiers: np.ndarray, family: np.ndarray) -> np.ndarray:
    """The tier that decides where an account may go: that of its family's highest account."""
    highest, inside = tiers.copy(), family >= 0
    of_family = np.full(int(family.max(initial=-1)) + 1, len(TIERS), dtype=tiers.dtype)
    np.minimum.at(of_family, family[inside], tiers[inside])
    highest[inside] = of_family[family[inside]]
    return highest


def _profiles(frame: pd.DataFrame, tiers: np.ndarray, own: np.ndarray) -> tuple[np.ndarray, pd.DataFrame]:
    known = {tags: ";".join(sorted(tags)) for tags in set(frame["skills"])}
    skills = [known[tags] for tags in frame["skills"]]
    tags = {"region": frame["region"], "language": frame["language"], "skills": skills}
    keys = pd.DataFrame({"tier": tiers, **tags, "own_tier": own})
    profile = keys.groupby(list(keys.columns), sort=True).ngroup().to_numpy()
    first = np.unique(profile, return_index=True)[1]
    return profile, keys.iloc[first].reset_index(drop=True)


def _check_fixed_seats(
    frame: pd.DataFrame,
    accounts: Accounts,
    ams: Ams,
    csms: Csms,
    pods_active: bool,
    faults: Faults,
) -> None:
    """A fixed seat must exist and must not contradict a lock."""
    to, to_csm = accounts.assign_to, accounts.assign_csm
    gone = (to != NONE) & ~_at(ams.may_be_assigned, to)
    csm_gone = _at(csms.departed, to_csm)
    against = accounts.locked & (to != NONE) & (to != accounts.owner)
    refused = _newly(accounts.refused, to, accounts.owner)
    csm_refused = _newly(accounts.refused_csm, to_csm, accounts.csm)
    csm_against = accounts.locked & (to_csm != NONE) & (to_csm != accounts.csm) & ~_at(csms.departed, accounts.csm)
    if not pods_active and (frame["assign_csm"] != "").any():
        named = int((frame["assign_csm"] != "").sum())
        problem = f"{named} accounts name a CSM in assign_csm, which has no effect without pods."
        faults.warn("assign_csm", problem, "Add a pods table, or set pods.mode to on.", file="accounts")
    for wrong, column, problem, cure in (
        (gone, "assign_to", "this AM has left or is on leave and can't receive the account.", "Name another AM."),
        (csm_gone, "assign_csm", "this CSM has left.", "Name another CSM."),
        (against, "assign_to", "the account is locked to another AM.", "Remove the lock or assign_to."),
        (refused, "assign_to", "the account names the same AM in refused.", "Clear one of the two columns."),
        (csm_refused, "assign_csm", "the account names the same CSM in refused_csm.", "Clear one of the two columns."),
        (csm_against, "assign_csm", "the account is locked to another CSM.", "Remove the lock or assign_csm."),
    ):
        for index in np.flatnonzero(wrong):
            where = f"accounts, account {accounts.ids[index]}"
            value = str(frame[column].iat[int(index)])
            faults.error("fixed_seat", problem, cure, file=where, column=column, value=value)


def _newly(refused: np.ndarray, to: np.ndarray, today: np.ndarray) -> np.ndarray:
    """The accounts that are assigned to somebody whom they refuse and do not have today."""
    found = np.zeros(len(to), dtype=bool)
    refusing, who = refused.T
    found[refusing[(to[refusing] == who) & (today[refusing] != who)]] = True
    return found


def _warn_of_lifted_locks(
    book: Book, frame: pd.DataFrame, model: CoverageModel, accounts: Accounts, ams: Ams, faults: Faults
) -> None:
    """Locks that the planner or an AE set on accounts whose owner has left."""
    reasons = lock_reasons(frame, model, book.effective_date)
    lifted = (reasons["manual"] | reasons["ae_hold"]) & _at(ams.departed, accounts.owner)
    for index in np.flatnonzero(lifted):
        owner = frame["owner"].iat[int(index)]
        problem = f"the lock of {accounts.ids[index]} is lifted, since its owner {owner} has left."
        faults.warn("lock_lifted", problem, file="accounts")


def _warn_of_holds(holds: Holds, model: CoverageModel, faults: Faults) -> None:
    """A rule that the source advises against, and accounts of which a rule can't tell."""
    if holds.of_ae.any() and "total_arr" in model.holds.rule.values():
        problem = "AEs hold accounts up to a total ARR, which the playbook behind the four rules advises against."
        faults.warn("ae_total_arr", problem, "Prefer duration, accounts or expansion in holds.rule.", file="accounts")
    unknown = int((holds.why == UNKNOWN).sum())
    if unknown:
        problem = f"{unknown:,} accounts of AEs lack the column of their hold rule; they are neither held nor due."
        cure = "Fill owner_since or expansion_arr_12m, or give them a date in ae_hold_until."
        faults.warn("ae_hold_unknown", problem, cure, file="accounts")


def _warn_of_refused_owners(accounts: Accounts, ams: Ams, faults: Faults) -> None:
    """Accounts that refuse the book that they are in, and that nothing takes away from there."""
    refusing, books = accounts.refused.T
    own = refusing[(accounts.owner[refusing] == books) & ~ams.departed[books] & ~accounts.holds.due[refusing]]
    if len(own):
        shown = ", ".join(accounts.ids[index] for index in own[:SHOWN])
        more = f" and {len(own) - SHOWN:,} more" if len(own) > SHOWN else ""
        many = "account refuses the AM who owns it" if len(own) == 1 else "accounts refuse the AM who owns them"
        problem = f"{len(own):,} {many} ({shown}{more}); a refusal takes nothing away from its owner."
        faults.warn("refused_owner", problem, "Name another AM in assign_to.", file="accounts", column="refused")


def _numbers(values: pd.Series, ids: pd.Series, active: bool) -> np.ndarray:
    found = pd.Index(ids).get_indexer(pd.Index(values)).astype(np.int64)
    return found if active else np.full(len(values), NONE)


def _at(flags: np.ndarray, index: np.ndarray) -> np.ndarray:
    """`flags[index]`, False where the index is none."""
    return (index != NONE) & (flags[index] if len(flags) else False)


def units_text(hundredths: int) -> str:
    """Hundredths of units as a planner reads them: `12,345` is `123.45`."""
    return f"{hundredths / HUNDREDTHS:,.2f}".rstrip("0").rstrip(".")
