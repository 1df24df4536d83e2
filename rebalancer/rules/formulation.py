"""Formulation: all rules together make the Problem of a snapshot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from rebalancer.errors import Faults
from rebalancer.problem import Problem
from rebalancer.rules.admission import admitted
from rebalancer.rules.arcs import COMPACT, Arcs, starts
from rebalancer.rules.contradictions import refuse_contradictions
from rebalancer.rules.gating import Gating, gated
from rebalancer.rules.levels import level_names, levels_of
from rebalancer.rules.one_seat import check_every_account_has_a_seat
from rebalancer.rules.open_headcount import OpenHeadcount
from rebalancer.rules.receiving import Receiving
from rebalancer.rules.rule import RowBlock, Rule
from rebalancer.rules.tabulation import tabulated
from rebalancer.snapshot import NONE, Snapshot

WILLING = (Receiving.name, OpenHeadcount.name)
"""Rules on who takes new accounts; an owner who breaks one keeps what it holds and is no legacy owner."""

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
    eligible = eligible_books(snapshot, rules)
    arcs = admitted(snapshot, rules, eligible)
    if snapshot.model.limits.cure_legacy:
        suiting = tuple(rule for rule in rules if rule.name not in WILLING)
        arcs = _without_legacy(snapshot, arcs, eligible_books(snapshot, suiting))
    faults = Faults()
    check_every_account_has_a_seat(snapshot, arcs, rules, faults)
    faults.raise_errors()
    group_of = np.empty(len(snapshot.accounts), dtype=np.int64)
    group_of[arcs.account] = arcs.group if arcs.are_single else arcs.group[arcs.arc]
    gating = gated((block for rule in rules for block in rule.gates(snapshot, arcs)), arcs)
    blocks = ((rule.name, block) for rule in rules for block in rule.rows(snapshot, arcs))
    problem = _problem(snapshot, arcs, blocks, gating)
    refuse_contradictions(problem)
    return Formulation(snapshot, arcs, problem, group_of)


def eligible_books(snapshot: Snapshot, rules: tuple[Rule, ...]) -> np.ndarray:
    """Profile x book: no rule forbids that an account of that profile newly goes there."""
    eligible = np.ones((len(snapshot.profiles), len(snapshot.ams)), dtype=bool)
    for rule in rules:
        allowed = rule.eligible(snapshot)
        if allowed is not None:
            eligible &= allowed
    return eligible


def legacy(snapshot: Snapshot, tag_rules: tuple[Rule, ...]) -> np.ndarray:
    """Per account: its present owner breaks today's eligibility (whether that owner receives is no matter)."""
    profiles = snapshot.profiles
    by_itself = replace(snapshot, profiles=profiles.assign(tier=profiles["own_tier"]))
    owned = snapshot.accounts.owner != NONE
    return owned & ~eligible_books(by_itself, tag_rules)[snapshot.accounts.profile, snapshot.accounts.owner]


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


def _problem(snapshot: Snapshot, arcs: Arcs, blocks: Iterator[tuple[str, RowBlock]], gating: Gating) -> Problem:
    first = starts(arcs.group)
    leader = arcs.first_of_arc(arcs.account)[first]
    today = np.full(len(first), -1)
    as_today = np.flatnonzero(arcs.all_of_arc(arcs.as_today & arcs.of_accounts(snapshot.owner_present)))
    today[arcs.group[as_today]] = as_today
    seats, arc_seat = _seats(snapshot, arcs)
    return Problem(
        groups=tuple(snapshot.accounts.ids[account] for account in leader),
        seats=seats,
        arc_group=arcs.group,
        arc_seat=arc_seat,
        arc_book=_books(arcs),
        today=today,
        rows=tabulated(blocks, level_names(snapshot), arcs),
        gates=gating.gates,
        levels=levels_of(arcs, gating),
    )


def _books(arcs: Arcs) -> np.ndarray:
    """The book of each arc; none for a family in several."""
    if arcs.are_single:
        return arcs.am
    book = arcs.first_of_arc(arcs.am)
    return np.where(arcs.all_of_arc(arcs.am == book[arcs.arc]), book, COMPACT.type(NONE))


def _seats(snapshot: Snapshot, arcs: Arcs) -> tuple[tuple[str, ...], np.ndarray]:
    """Names of the seats, and the seat of each arc; a family spread over several has one of its own."""
    keys, seat = arcs.seats
    if not arcs.are_single:
        seat = arcs.first_of_arc(seat)
        together = arcs.all_of_arc(arcs.seats[1] == seat[arcs.arc])
        seat = np.where(together, seat, COMPACT.type(NONE)) + 1
        used = np.bincount(seat, minlength=len(keys) + 1) > 0
        keys, seat = np.append(-1, keys)[used], (np.cumsum(used, dtype=COMPACT) - 1)[seat]
    return tuple(_seat_id(snapshot, int(key)) for key in keys), seat


def _seat_id(snapshot: Snapshot, key: int) -> str:
    if key < 0:
        return SEVERAL_SEATS
    am, csm = divmod(key, len(snapshot.csms) + 1)
    return snapshot.ams.ids[am] + (f" + {snapshot.csms.ids[csm - 1]}" if csm else "")
