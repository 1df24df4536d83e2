"""Snapshot: a book on its effective date under one coverage model, as integer arrays.

The one place where values are scaled: units to hundredths, CSM load to millionths, dates to flags. Rules read a
snapshot and nothing else. Accounts, AMs and CSMs are numbered in the order of their ids; -1 means none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property

import numpy as np
import pandas as pd

from rebalancer.book import Book
from rebalancer.coverage import CoverageModel, Measure, Role, Scope
from rebalancer.disruption import MoveCosts, move_costs
from rebalancer.errors import Fault, Faults
from rebalancer.tables import TIERS
from rebalancer.units import HUNDREDTHS, coverage_units, floored, step_index, tier_codes

NONE = -1
CSM_FULL_LOAD = 10**6
"""The load of one full CSM; an account adds 10^6 // ratio."""

DEFAULT_ROLE = "regular"


@dataclass(frozen=True)
class Ams:
    """AMs as arrays. `capacity` and `held` (today's load) are hundredths of units."""

    ids: tuple[str, ...]
    names: tuple[str, ...]
    role: tuple[str, ...]
    kind: np.ndarray
    capacity: np.ndarray
    floor: np.ndarray
    departed: np.ndarray
    receives: np.ndarray
    may_be_assigned: np.ndarray
    max_accounts: tuple[int | None, ...]
    tiers: np.ndarray
    """AM x tier: the tiers the AM may receive."""

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Csms:
    """CSMs as arrays. `limit` is the load each may carry, in millionths of a full CSM."""

    ids: tuple[str, ...]
    limit: np.ndarray
    departed: np.ndarray
    receives: np.ndarray
    region: tuple[tuple[str, ...], ...]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Accounts:
    """Accounts as arrays. `owner`, `csm`, `assign_to`, `assign_csm` number AMs and CSMs; `csm` only with pods."""

    ids: tuple[str, ...]
    tier: np.ndarray
    units: np.ndarray
    arr: np.ndarray
    load: np.ndarray
    owner: np.ndarray
    csm: np.ndarray
    locked: np.ndarray
    assign_to: np.ndarray
    assign_csm: np.ndarray
    profile: np.ndarray
    """Which of `Snapshot.profiles` the account has; eligibility is worked out once per profile."""

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Snapshot:
    """Everything rules need: see the modules' docstring. `profiles` has columns tier, region, language, skills."""

    book: Book
    model: CoverageModel
    scope: Scope
    measure: Measure
    accounts: Accounts
    ams: Ams
    csms: Csms
    profiles: pd.DataFrame
    pods_active: bool
    pod_pairs: np.ndarray
    """Rows (AM, CSM) of the pods table without departed people, distinct, sorted."""
    warnings: tuple[Fault, ...] = field(default=())

    @cached_property
    def owner_departed(self) -> np.ndarray:
        """Per account: its owner has left (False where it has none)."""
        return _at(self.ams.departed, self.accounts.owner)

    @cached_property
    def csm_departed(self) -> np.ndarray:
        """Per account: its CSM has left (False where it has none)."""
        return _at(self.csms.departed, self.accounts.csm)

    @cached_property
    def may_stay(self) -> np.ndarray:
        """Per account: it has an owner and a CSM side that both can be kept as today."""
        return (self.accounts.owner != NONE) & ~self.owner_departed & ~self.csm_departed

    @cached_property
    def held(self) -> np.ndarray:
        """Hundredths of units per AM today."""
        return self.per_am(self.accounts.owner, self.accounts.units)

    @cached_property
    def unit_limits(self) -> np.ndarray:
        """Hundredths of units each AM may end with, by scope.

        full: target * capacity. repair: the same for a book above trigger * capacity, else never more than the
        larger of that and today's load.
        """
        limits = self.model.limits
        target = np.array([_share(capacity, limits.target) for capacity in self.ams.capacity], dtype=np.int64)
        if self.scope == "full":
            return target
        trigger = np.array([_share(capacity, limits.trigger) for capacity in self.ams.capacity], dtype=np.int64)
        return np.where(self.held > trigger, target, np.maximum(self.held, target))

    @cached_property
    def costs(self) -> MoveCosts:
        """Move costs in the measure that is minimised."""
        return self.costs_in(self.measure)

    def costs_in(self, measure: Measure) -> MoveCosts:
        """Move costs in any measure."""
        accounts = self.accounts
        day = self.book.effective_date
        return move_costs(measure, self.book.accounts, accounts.tier, accounts.units, day, self.model)

    def per_am(self, owner: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """The sum of `weight` over the accounts of each AM, for any assignment of owners."""
        owned = owner != NONE
        totals = np.zeros(len(self.ams), dtype=np.int64)
        np.add.at(totals, owner[owned], weight[owned])
        return totals


def take_snapshot(book: Book, model: CoverageModel, scope: Scope, measure: Measure) -> Snapshot:
    """The book in integers. Raises `InvalidInput` where a fixed seat contradicts a lock or names somebody gone."""
    faults = Faults()
    pods_active = len(book.pods) > 0 and model.pods.mode == "on"
    csms = _csms(book, model)
    tiers = tier_codes(book.accounts["tier"], book.accounts["arr"], model)
    owner = _numbers(book.accounts["owner"], book.ams["am_id"])
    ams = _ams(book, model, owner, tiers, faults)
    profile, profiles = _profiles(book, tiers)
    accounts = _accounts(book, model, tiers, owner, profile, ams, pods_active)
    _check_fixed_seats(book, model, accounts, ams, csms, pods_active, faults)
    faults.raise_errors()
    pairs = _pod_pairs(book, ams, csms) if pods_active else np.zeros((0, 2), dtype=np.int64)
    warnings = (*book.warnings, *faults.warnings)
    return Snapshot(book, model, scope, measure, accounts, ams, csms, profiles, pods_active, pairs, warnings)


def _accounts(
    book: Book,
    model: CoverageModel,
    tiers: np.ndarray,
    owner: np.ndarray,
    profile: np.ndarray,
    ams: Ams,
    pods_active: bool,
) -> Accounts:
    frame = book.accounts
    arr = frame["arr"].to_numpy(dtype=np.int64)
    ratios = np.array([int(ratio) for _, ratio in model.csm.ratios], dtype=np.int64)
    csm = _numbers(frame["csm"], book.csms["csm_id"])
    assign_csm = _numbers(frame["assign_csm"], book.csms["csm_id"])
    owner_stays = (owner != NONE) & ~_at(ams.departed, owner)
    return Accounts(
        ids=tuple(frame["account_id"]),
        tier=tiers,
        units=coverage_units(frame, tiers, model),
        arr=arr,
        load=CSM_FULL_LOAD // ratios[step_index(np.maximum(0, arr), model.csm.ratios)],
        owner=owner,
        csm=csm if pods_active else np.full(len(frame), NONE),
        locked=_lock_asked(book, model) & owner_stays,
        assign_to=_numbers(frame["assign_to"], book.ams["am_id"]),
        assign_csm=assign_csm if pods_active else np.full(len(frame), NONE),
        profile=profile,
    )


def _lock_asked(book: Book, model: CoverageModel) -> np.ndarray:
    """Per account: a manual lock or an AE hold is in force on the effective date (both dates inclusive)."""
    frame, day = book.accounts, pd.Timestamp(book.effective_date)
    manual = frame["lock"].eq(True) & (frame["lock_until"].isna() | (frame["lock_until"] >= day))
    hold = frame["ae_hold_until"] >= day
    return ((manual & model.locks.manual) | (hold & model.locks.ae_hold)).to_numpy(dtype=bool)


def _ams(book: Book, model: CoverageModel, owner: np.ndarray, tiers: np.ndarray, faults: Faults) -> Ams:
    frame, day = book.ams, pd.Timestamp(book.effective_date)
    role = frame["role"].where(frame["role"] != "", DEFAULT_ROLE)
    for name in sorted(set(role) - set(model.roles)):
        problem = f'the model "{model.name}" lists no role "{name}"; its AMs hold any tier without a count limit.'
        faults.warn("unlisted_role", problem, "Add the role to the model.", file="ams")
    roles = [model.roles.get(name, Role()) for name in role]
    kind = frame["book"].where(frame["book"] != "", model.books.default).to_numpy(dtype=object)
    departed = ((frame["status"] == "inactive") | (frame["leaves_on"] <= day)).to_numpy(dtype=bool)
    away = (frame["status"] == "leave").to_numpy(dtype=bool)
    not_yet = ((frame["status"] == "open") | (frame["starts_on"] > day)).to_numpy(dtype=bool)
    willing = [r.receives if flag is None else flag for r, flag in zip(roles, frame["receives"], strict=True)]
    capacity = _capacity(frame, model.units.cap)
    floors = [_or(value, model.limits.floor) for value in frame["floor"]]
    own = [None if np.isnan(value) else int(value) for value in frame["max_accounts"]]
    counted = [k in ("segmented", "blended") for k in kind]
    return Ams(
        ids=tuple(frame["am_id"]),
        names=tuple(frame["name"]),
        role=tuple(role),
        kind=kind,
        capacity=capacity,
        floor=np.array([_share(c, f) for c, f in zip(capacity, floors, strict=True)], dtype=np.int64),
        departed=departed,
        receives=~departed & ~away & ~not_yet & np.array(willing, dtype=bool),
        may_be_assigned=~departed & ~away,
        max_accounts=tuple(
            least(mine, r.max_accounts if counts else None) for mine, r, counts in zip(own, roles, counted, strict=True)
        ),
        tiers=_am_tiers(frame, kind, roles, owner, tiers, faults),
    )


def _am_tiers(
    frame: pd.DataFrame, kind: np.ndarray, roles: list[Role], owner: np.ndarray, tiers: np.ndarray, faults: Faults
) -> np.ndarray:
    """AM x tier. A segmented AM without tiers serves those of its role, else those it holds today, else any."""
    allowed = np.ones((len(frame), len(TIERS)), dtype=bool)
    today: list[str] = []
    for index, named in enumerate(frame["tiers"]):
        serves = named
        if not named and kind[index] == "pooled":
            serves = ("smb",)
        elif not named and kind[index] == "segmented":
            serves = roles[index].tiers
            if not serves:
                serves = tuple(TIERS[code] for code in np.unique(tiers[owner == index]))
                today.append(str(frame["am_id"].iat[index]))
        if serves:
            allowed[index] = [tier in serves for tier in TIERS]
    if today:
        problem = (
            f"{len(today)} segmented AMs name no tiers ({', '.join(today[:5])}{', ...' if len(today) > 5 else ''})"
        )
        faults.warn(
            "tiers_of_today", f"{problem}; each keeps to the tiers it holds today.", "Fill ams.tiers.", file="ams"
        )
    return allowed


def _csms(book: Book, model: CoverageModel) -> Csms:
    frame, day = book.csms, pd.Timestamp(book.effective_date)
    departed = (frame["leaves_on"] <= day).to_numpy(dtype=bool)
    factors = [
        (model.csm.regulated_factor if regulated else 1) * (model.csm.extra_duties_factor if duties else 1)
        for regulated, duties in zip(frame["regulated"], frame["extra_duties"], strict=True)
    ]
    limits = [
        int(CSM_FULL_LOAD * amount * factor // 1)
        for amount, factor in zip(_amounts(frame, Decimal(1)), factors, strict=True)
    ]
    return Csms(
        ids=tuple(frame["csm_id"]),
        limit=np.array(limits, dtype=np.int64),
        departed=departed,
        receives=~departed & ~(frame["starts_on"] > day).to_numpy(dtype=bool),
        region=tuple(frame["region"]),
    )


def _amounts(frame: pd.DataFrame, default: Decimal) -> list[Decimal]:
    """`capacity * fte * ramp` per row, exactly; missing capacity is `default`, missing fte and ramp are 1."""
    columns = zip(frame["capacity"], frame["fte"], frame["ramp"], strict=True)
    return [_or(capacity, default) * _or(fte, Decimal(1)) * _or(ramp, Decimal(1)) for capacity, fte, ramp in columns]


def _capacity(frame: pd.DataFrame, cap: Decimal) -> np.ndarray:
    return np.array([floored(amount) for amount in _amounts(frame, cap)], dtype=np.int64)


def _profiles(book: Book, tiers: np.ndarray) -> tuple[np.ndarray, pd.DataFrame]:
    frame = book.accounts
    skills = frame["skills"].map(lambda tags: ";".join(sorted(tags)))
    keys = pd.DataFrame({"tier": tiers, "region": frame["region"], "language": frame["language"], "skills": skills})
    profile = keys.groupby(list(keys.columns), sort=True).ngroup().to_numpy()
    first = np.unique(profile, return_index=True)[1]
    return profile, keys.iloc[first].reset_index(drop=True)


def _pod_pairs(book: Book, ams: Ams, csms: Csms) -> np.ndarray:
    am, csm = _numbers(book.pods["am_id"], book.ams["am_id"]), _numbers(book.pods["csm_id"], book.csms["csm_id"])
    present = ~ams.departed[am] & ~csms.departed[csm]
    return np.unique(np.column_stack([am[present], csm[present]]), axis=0)


def _check_fixed_seats(
    book: Book, model: CoverageModel, accounts: Accounts, ams: Ams, csms: Csms, pods_active: bool, faults: Faults
) -> None:
    """A fixed seat must exist and must not contradict a lock; lifted locks are listed."""
    frame = book.accounts
    to, to_csm = accounts.assign_to, accounts.assign_csm
    gone = (to != NONE) & ~_at(ams.may_be_assigned, to)
    csm_gone = _at(csms.departed, to_csm)
    against = accounts.locked & (to != NONE) & (to != accounts.owner)
    csm_against = accounts.locked & (to_csm != NONE) & (to_csm != accounts.csm) & ~_at(csms.departed, accounts.csm)
    if not pods_active and (frame["assign_csm"] != "").any():
        problem = (
            f"{(frame['assign_csm'] != '').sum()} accounts name a CSM in assign_csm, which has no effect without pods."
        )
        faults.warn("assign_csm", problem, "Add a pods table, or set pods.mode to on.", file="accounts")
    for wrong, column, problem, cure in (
        (gone, "assign_to", "this AM has left or is on leave and can't receive the account.", "Name another AM."),
        (csm_gone, "assign_csm", "this CSM has left.", "Name another CSM."),
        (against, "assign_to", "the account is locked to another AM.", "Remove the lock or assign_to."),
        (csm_against, "assign_csm", "the account is locked to another CSM.", "Remove the lock or assign_csm."),
    ):
        for index in np.flatnonzero(wrong):
            where = f"accounts, account {accounts.ids[index]}"
            faults.error(
                "fixed_seat", problem, cure, file=where, column=column, value=str(frame[column].iat[int(index)])
            )
    lifted = _lock_asked(book, model) & _at(ams.departed, accounts.owner)
    for index in np.flatnonzero(lifted):
        owner = ams.ids[accounts.owner[index]]
        problem = f"the lock of {accounts.ids[index]} is lifted, since its owner {owner} has left."
        faults.warn("lock_lifted", problem, file="accounts")


def least(*limits: int | None) -> int | None:
    """The tightest of several limits, None where there is none."""
    known = [limit for limit in limits if limit is not None]
    return min(known) if known else None


def _numbers(values: pd.Series, ids: pd.Series) -> np.ndarray:
    return pd.Index(ids).get_indexer(pd.Index(values)).astype(np.int64)


def _at(flags: np.ndarray, index: np.ndarray) -> np.ndarray:
    """`flags[index]`, False where the index is none."""
    return (index != NONE) & (flags[index] if len(flags) else False)


def _share(hundredths: int, share: Decimal) -> int:
    return int(int(hundredths) * share // 1)


def _or(value: float, default: Decimal) -> Decimal:
    return default if np.isnan(value) else Decimal(repr(float(value)))


def units_text(hundredths: int) -> str:
    """Hundredths of units as a planner reads them: `12,345` is `123.45`."""
    return f"{hundredths / HUNDREDTHS:,.2f}".rstrip("0").rstrip(".")
