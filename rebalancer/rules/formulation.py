"""Formulation: all rules together make the Problem of a snapshot."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from rebalancer.errors import Faults, NoLegalPlan
from rebalancer.problem import HARD, Gates, Level, Problem, Rows
from rebalancer.rules.arcs import Arcs, assembled, candidates
from rebalancer.rules.balance import BALANCE
from rebalancer.rules.fairness import FAIRNESS
from rebalancer.rules.families import FamilyArcs, to_dissolve
from rebalancer.rules.fit import fit_costs
from rebalancer.rules.one_seat import check_every_account_has_a_seat
from rebalancer.rules.open_headcount import OpenHeadcount
from rebalancer.rules.receiving import Receiving
from rebalancer.rules.rule import NO_ROW, OVERLOAD, RowBlock, Rule
from rebalancer.snapshot import NONE, Snapshot

WILLING = (Receiving.name, OpenHeadcount.name)
"""Rules on who takes new accounts; an owner who breaks one keeps what it holds and is no legacy owner."""

DISRUPTION, CONTINUITY, FIT, TIES = "disruption", "continuity", "fit", "ties"


TIE_STEP, TIE_CYCLE = 383, 1009
"""Seat ranks weigh differently from account to account, so that two equal accounts can't be swapped unnoticed."""

SEVERAL_SEATS = "several seats"
"""Name of the seat of a family whose members sit in more than one."""


@dataclass(frozen=True)
class Formulation:
    """A problem and what its arcs mean. `group_of` is the group of each account: itself, or its family."""

    snapshot: Snapshot
    arcs: Arcs
    problem: Problem
    group_of: np.ndarray

    def seats(self, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The book and CSM of each account under a plan (the arc of each group)."""
        arcs, n = self.arcs, len(self.snapshot.accounts)
        placed = self.problem.taken(chosen)[arcs.arc]
        am, csm = np.full(n, NONE), np.full(n, NONE)
        am[arcs.account[placed]], csm[arcs.account[placed]] = arcs.am[placed], arcs.csm[placed]
        return am, csm


def formulate(snapshot: Snapshot, rules: tuple[Rule, ...]) -> Formulation:
    """Build the problem. Raises `InvalidInput` naming every account that no seat admits."""
    by_rule = {rule.name: allowed for rule in rules if (allowed := rule.eligible(snapshot)) is not None}
    eligible = np.logical_and.reduce(list(by_rule.values()))
    dissolved = np.zeros(len(snapshot.accounts), dtype=bool)
    arcs = _admitted(snapshot, rules, eligible, dissolved)
    dissolved = to_dissolve(snapshot, np.bincount(arcs.account, minlength=len(dissolved)) > 0)
    if dissolved.any():
        arcs = _admitted(snapshot, rules, eligible, dissolved)
    if snapshot.model.limits.cure_legacy:
        suits = [allowed for name, allowed in by_rule.items() if name not in WILLING]
        arcs = _without_legacy(snapshot, arcs, np.logical_and.reduce(suits))
    faults = Faults()
    check_every_account_has_a_seat(snapshot, arcs, by_rule, faults)
    faults.raise_errors()
    blocks = [(rule.name, block) for rule in rules for block in rule.rows(snapshot, arcs)]
    group_of = np.empty(len(snapshot.accounts), dtype=np.int64)
    group_of[arcs.account] = arcs.group[arcs.arc]
    problem = _problem(snapshot, arcs, blocks)
    _refuse_contradictions(problem)
    return Formulation(snapshot, arcs, problem, group_of)


def _refuse_contradictions(problem: Problem) -> None:
    """Raise `NoLegalPlan` for a hard row that no choice of arcs can satisfy."""
    rows = problem.rows
    for row in np.flatnonzero(rows.level == HARD):
        arcs = rows.arc[rows.ptr[row] : rows.ptr[row + 1]]
        weight = np.zeros(problem.n_arcs, dtype=np.int64)
        weight[arcs] = rows.weight[rows.ptr[row] : rows.ptr[row + 1]]
        first = np.searchsorted(problem.arc_group, np.arange(len(problem.groups)))
        short = int(rows.lo[row]) - int(np.maximum.reduceat(weight, first).sum())
        over = int(np.minimum.reduceat(weight, first).sum()) - int(rows.hi[row])
        if max(short, over) > 0:
            name = f"{rows.rules[row].replace('_', ' ')} ({rows.names[row].replace(':', ' ')})"
            raise NoLegalPlan(
                f"the limit {name} can't hold: what locks, fixed seats and departures require is "
                f"{max(short, over):,} beyond it. Raise the limit, or remove some assign_to."
            )


def _admitted(snapshot: Snapshot, rules: tuple[Rule, ...], eligible: np.ndarray, dissolved: np.ndarray) -> Arcs:
    """All arcs that every rule admits. Accounts of a dissolved family stay as today unless they must move."""
    families = FamilyArcs(snapshot, eligible, dissolved)
    of_families = families.build()
    arcs = assembled(snapshot, candidates(snapshot, eligible, families.alone), of_families)
    accounts = snapshot.accounts
    assigned = (accounts.assign_to != NONE) | (accounts.assign_csm != NONE)
    arcs = arcs.where(~arcs.of_accounts(dissolved & ~assigned & snapshot.may_stay) | arcs.as_today)
    for rule in rules:
        allowed = rule.allowed(snapshot, arcs)
        if allowed is not None:
            arcs = arcs.where(allowed)
    return arcs


def legacy(snapshot: Snapshot, tag_rules: tuple[Rule, ...]) -> np.ndarray:
    """Per account: its present owner breaks today's eligibility (whether that owner receives is no matter)."""
    profiles = snapshot.profiles
    by_itself = replace(snapshot, profiles=profiles.assign(tier=profiles["own_tier"]))
    fits = [allowed for rule in tag_rules if (allowed := rule.eligible(by_itself)) is not None]
    owned = snapshot.accounts.owner != NONE
    allowed = np.logical_and.reduce(fits)
    return owned & ~allowed[snapshot.accounts.profile, snapshot.accounts.owner]


def _without_legacy(snapshot: Snapshot, arcs: Arcs, eligible: np.ndarray) -> Arcs:
    """Drop the seats of ineligible owners where the account stands alone, has another seat and is not locked or fixed.

    Whether an owner receives accounts is no matter: an AE or an AM on leave keeps what it holds.
    """
    accounts = snapshot.accounts
    own = arcs.of_accounts(accounts.owner) == arcs.am
    bound = arcs.of_accounts(accounts.locked | (accounts.assign_to != NONE) | (accounts.family >= 0))
    broken = own & ~bound & ~eligible[accounts.profile[arcs.account], arcs.am]
    others = np.bincount(arcs.account[~broken], minlength=len(accounts))
    return arcs.where(~broken | (others[arcs.account] == 0))


def _problem(snapshot: Snapshot, arcs: Arcs, blocks: list[tuple[str, RowBlock]]) -> Problem:
    first = np.searchsorted(arcs.arc, np.arange(arcs.n_arcs))
    n_groups = int(arcs.group.max()) + 1
    leader = arcs.account[first[np.searchsorted(arcs.group, np.arange(n_groups))]]
    names = _level_names(snapshot)
    today = np.full(n_groups, -1)
    as_today = np.flatnonzero(arcs.all_of_arc(arcs.as_today & arcs.of_accounts(snapshot.owner_present)))
    today[arcs.group[as_today]] = as_today
    one_book = arcs.all_of_arc(arcs.am == arcs.am[first][arcs.arc])
    seats, arc_seat = _seats(snapshot, arcs, first)
    tolerance = float(snapshot.model.limits.overload_tolerance)
    return Problem(
        groups=tuple(snapshot.accounts.ids[account] for account in leader),
        seats=seats,
        arc_group=arcs.group,
        arc_seat=arc_seat,
        arc_book=np.where(one_book, arcs.am[first], NONE),
        today=today,
        rows=_rows(blocks, names, arcs),
        gates=Gates(),
        levels=tuple(
            Level(name, cost, np.zeros(0, dtype=np.int64), tolerance if name == OVERLOAD else 0.0)
            for name, cost in zip(names, _level_costs(snapshot, arcs, names), strict=True)
        ),
    )


def _seats(snapshot: Snapshot, arcs: Arcs, first: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
    """Names of the seats, and the seat of each arc; a family spread over several has one of its own."""
    key = arcs.am * (len(snapshot.csms) + 1) + arcs.csm + 1
    same = arcs.all_of_arc(key == key[first][arcs.arc])
    seats, seat = np.unique(np.where(same, key[first], -1), return_inverse=True)
    return tuple(_seat_id(snapshot, int(number)) for number in seats), seat.reshape(-1).astype(np.int64)


def _level_names(snapshot: Snapshot) -> list[str]:
    continuity = [] if snapshot.measure == "revenue_at_risk" else [CONTINUITY]
    fairness = [] if snapshot.model.fairness.loss_share is None else [FAIRNESS]
    return [OVERLOAD, DISRUPTION, *continuity, *fairness, BALANCE, FIT, TIES]


def _level_costs(snapshot: Snapshot, arcs: Arcs, names: list[str]) -> list[np.ndarray]:
    zero = np.zeros(len(arcs), dtype=np.int64)
    seat = np.unique(arcs.am * (len(snapshot.csms) + 1) + arcs.csm + 1, return_inverse=True)[1].reshape(-1)
    costs = {
        OVERLOAD: zero,
        FAIRNESS: zero,
        BALANCE: zero,
        DISRUPTION: snapshot.costs.of(arcs.account, arcs.am_changed, arcs.csm_changed),
        CONTINUITY: arcs.csm_changed.astype(np.int64) + (arcs.am_changed & arcs.csm_changed),
        FIT: fit_costs(arcs),
        TIES: seat * (1 + arcs.account * TIE_STEP % TIE_CYCLE),
    }
    return [arcs.per_arc(costs[name]) for name in names]


def _seat_id(snapshot: Snapshot, key: int) -> str:
    if key < 0:
        return SEVERAL_SEATS
    am, csm = divmod(key, len(snapshot.csms) + 1)
    return snapshot.ams.ids[am] + (f" + {snapshot.csms.ids[csm - 1]}" if csm else "")


def _rows(blocks: list[tuple[str, RowBlock]], levels: list[str], arcs: Arcs) -> Rows:
    """All blocks as one CSR; the placements of an arc that fall into one row are added up."""
    offsets = np.cumsum([0, *(len(block.names) for _, block in blocks)])
    keys, weights = [], []
    for offset, (_, block) in zip(offsets, blocks, strict=False):
        placement = np.flatnonzero((block.row != NO_ROW) & (block.weight != 0))
        keys.append((block.row[placement] + offset) * arcs.n_arcs + arcs.arc[placement])
        weights.append(block.weight[placement])
    entries, place = np.unique(_joined(keys), return_inverse=True)
    weight = np.zeros(len(entries), dtype=np.int64)
    np.add.at(weight, place.reshape(-1), _joined(weights))
    row, arc = np.divmod(entries, max(1, arcs.n_arcs))
    sizes = np.bincount(row, minlength=int(offsets[-1]))
    level = [[HARD if block.level is None else levels.index(block.level)] * len(block.names) for _, block in blocks]
    return Rows(
        names=tuple(name for _, block in blocks for name in block.names),
        rules=tuple(rule for rule, block in blocks for _ in block.names),
        ptr=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        arc=arc,
        weight=weight,
        lo=_joined([block.lo for _, block in blocks]),
        hi=_joined([block.hi for _, block in blocks]),
        level=_joined([np.array(part, dtype=np.int64) for part in level]),
        penalty=_joined([block.penalty for _, block in blocks]),
    )


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts).astype(np.int64) if parts else np.zeros(0, dtype=np.int64)
