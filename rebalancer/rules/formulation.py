"""Formulation: all rules together make the Problem of a snapshot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rebalancer.errors import Faults
from rebalancer.problem import HARD, Gates, Level, Problem, Rows
from rebalancer.rules.arcs import Arcs, candidates
from rebalancer.rules.balance import BALANCE
from rebalancer.rules.fit import fit_costs
from rebalancer.rules.one_seat import check_every_account_has_a_seat
from rebalancer.rules.receiving import Receiving
from rebalancer.rules.rule import NO_ROW, OVERLOAD, RowBlock, Rule
from rebalancer.snapshot import NONE, Snapshot

DISRUPTION, CONTINUITY, FIT, TIES = "disruption", "continuity", "fit", "ties"


@dataclass(frozen=True)
class Formulation:
    """A problem and what its arcs mean. `eligible` is profile x AM, of all rules together."""

    snapshot: Snapshot
    arcs: Arcs
    problem: Problem
    eligible: np.ndarray

    def today(self) -> np.ndarray:
        """Per account whether today's seat may be kept."""
        return self.problem.today >= 0


def formulate(snapshot: Snapshot, rules: tuple[Rule, ...]) -> Formulation:
    """Build the problem. Raises `InvalidInput` naming every account that no seat admits."""
    by_rule = {rule.name: allowed for rule in rules if (allowed := rule.eligible(snapshot)) is not None}
    eligible = np.logical_and.reduce(list(by_rule.values()))
    arcs = candidates(snapshot, eligible)
    for rule in rules:
        allowed = rule.allowed(snapshot, arcs)
        if allowed is not None:
            arcs = arcs.where(allowed)
    if snapshot.model.limits.cure_legacy:
        suits = [allowed for name, allowed in by_rule.items() if name != Receiving.name]
        arcs = _without_legacy(snapshot, arcs, np.logical_and.reduce(suits))
    faults = Faults()
    check_every_account_has_a_seat(snapshot, arcs, by_rule, faults)
    faults.raise_errors()
    blocks = [(rule.name, block) for rule in rules for block in rule.rows(snapshot, arcs)]
    return Formulation(snapshot, arcs, _problem(snapshot, arcs, blocks), eligible)


def legacy(snapshot: Snapshot, tag_rules: tuple[Rule, ...]) -> np.ndarray:
    """Per account: its present owner breaks today's eligibility (whether that owner receives is no matter)."""
    fits = [allowed for rule in tag_rules if (allowed := rule.eligible(snapshot)) is not None]
    owned = snapshot.accounts.owner != NONE
    allowed = np.logical_and.reduce(fits)
    return owned & ~allowed[snapshot.accounts.profile, snapshot.accounts.owner]


def _without_legacy(snapshot: Snapshot, arcs: Arcs, eligible: np.ndarray) -> Arcs:
    """Drop the seats of ineligible owners where the account has another seat and is not locked or fixed.

    Whether an owner receives accounts is no matter: an AE or an AM on leave keeps what it holds.
    """
    accounts = snapshot.accounts
    own = arcs.of_accounts(accounts.owner) == arcs.am
    bound = arcs.of_accounts(accounts.locked | (accounts.assign_to != NONE))
    broken = own & ~bound & ~eligible[accounts.profile[arcs.account], arcs.am]
    others = np.bincount(arcs.account[~broken], minlength=len(accounts))
    return arcs.where(~broken | (others[arcs.account] == 0))


def _problem(snapshot: Snapshot, arcs: Arcs, blocks: list[tuple[str, RowBlock]]) -> Problem:
    seat_key = arcs.am * (len(snapshot.csms) + 1) + arcs.csm + 1
    seats, arc_seat = np.unique(seat_key, return_inverse=True)
    names = _level_names(snapshot)
    today = np.full(len(snapshot.accounts), -1)
    as_today = np.flatnonzero(arcs.as_today)
    today[arcs.account[as_today]] = as_today
    tolerance = float(snapshot.model.limits.overload_tolerance)
    return Problem(
        groups=snapshot.accounts.ids,
        seats=tuple(_seat_id(snapshot, int(key)) for key in seats),
        arc_group=arcs.account,
        arc_seat=arc_seat.astype(np.int64),
        arc_book=arcs.am,
        today=today,
        rows=_rows(blocks, names),
        gates=Gates(),
        levels=tuple(
            Level(name, cost, np.zeros(0, dtype=np.int64), tolerance if name == OVERLOAD else 0.0)
            for name, cost in zip(names, _level_costs(snapshot, arcs, names, arc_seat), strict=True)
        ),
    )


def _level_names(snapshot: Snapshot) -> list[str]:
    continuity = [] if snapshot.measure == "revenue_at_risk" else [CONTINUITY]
    return [OVERLOAD, DISRUPTION, *continuity, BALANCE, FIT, TIES]


def _level_costs(snapshot: Snapshot, arcs: Arcs, names: list[str], arc_seat: np.ndarray) -> list[np.ndarray]:
    zero = np.zeros(len(arcs), dtype=np.int64)
    costs = {
        OVERLOAD: zero,
        BALANCE: zero,
        DISRUPTION: snapshot.costs.of(arcs.account, arcs.am_changed, arcs.csm_changed),
        CONTINUITY: arcs.csm_changed.astype(np.int64) + (arcs.am_changed & arcs.csm_changed),
        FIT: fit_costs(arcs),
        TIES: arc_seat.astype(np.int64),
    }
    return [costs[name] for name in names]


def _seat_id(snapshot: Snapshot, key: int) -> str:
    am, csm = divmod(key, len(snapshot.csms) + 1)
    return snapshot.ams.ids[am] + (f" + {snapshot.csms.ids[csm - 1]}" if csm else "")


def _rows(blocks: list[tuple[str, RowBlock]], levels: list[str]) -> Rows:
    """All blocks as one CSR."""
    offsets = np.cumsum([0, *(len(block.names) for _, block in blocks)])
    entry_row, entry_arc, weight = [], [], []
    for offset, (_, block) in zip(offsets, blocks, strict=False):
        arc = np.flatnonzero(block.row != NO_ROW)
        entry_arc.append(arc)
        entry_row.append(block.row[arc] + offset)
        weight.append(block.weight[arc])
    row = _joined(entry_row)
    order = np.argsort(row, kind="stable")
    sizes = np.bincount(row, minlength=int(offsets[-1]))
    level = [[HARD if block.level is None else levels.index(block.level)] * len(block.names) for _, block in blocks]
    return Rows(
        names=tuple(name for _, block in blocks for name in block.names),
        rules=tuple(rule for rule, block in blocks for _ in block.names),
        ptr=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        arc=_joined(entry_arc)[order],
        weight=_joined(weight)[order],
        lo=_joined([block.lo for _, block in blocks]),
        hi=_joined([block.hi for _, block in blocks]),
        level=_joined([np.array(part, dtype=np.int64) for part in level]),
        penalty=_joined([block.penalty for _, block in blocks]),
    )


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts).astype(np.int64) if parts else np.zeros(0, dtype=np.int64)
