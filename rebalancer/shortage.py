"""Shortage: why no plan keeps every limit, as sentences with numbers.

For one kind of limit at a time the accounts are sent to the books as a flow. Where it does not all fit, the minimum cut
names the accounts and the AMs that alone may take them: what these need together is more than what those have.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

from rebalancer.links import connected
from rebalancer.problem import NO_LIMIT
from rebalancer.rules.formulation import Formulation
from rebalancer.snapshot import NONE, Snapshot, units_text
from rebalancer.tables import TIERS
from rebalancer.units import HUNDREDTHS

NAMED = 6
"""AMs or regions named in a sentence before the rest is counted."""


@dataclass(frozen=True)
class _Resource:
    """One kind of limit: what an account takes, what each seat's holder offers, and how amounts read."""

    rule: str
    need: np.ndarray
    holder_of_arc: np.ndarray
    offer: np.ndarray
    holders: tuple[str, ...]
    who: str
    unit: str
    scale: int
    counted: np.ndarray


def shortages(formulation: Formulation, chosen: np.ndarray) -> list[str]:
    """Sentences for a plan that breaks elastic rows: what is short by kind of limit, then every broken limit."""
    sentences = []
    for resource in _resources(formulation):
        sentences += list(_cut(formulation, resource))
    return sentences + list(_broken_rows(formulation, chosen))


def _resources(formulation: Formulation) -> Iterator[_Resource]:
    snapshot, arcs = formulation.snapshot, formulation.arcs
    accounts = snapshot.accounts
    ones = np.ones(len(accounts), dtype=np.int64)
    every = np.ones(len(accounts), dtype=bool)
    needs = {"units_cap": (accounts.units, "units", HUNDREDTHS), "csm_load": (accounts.load, "full CSM loads", 10**6)}
    for rule in ("units_cap", "accounts_limit", "blended_limit", "csm_load"):
        for tier in (None, *(TIERS if rule in ("accounts_limit", "blended_limit") else ())):
            offer = _offers(formulation, rule, tier)
            if offer is None:
                continue
            need, unit, scale = needs.get(rule, (ones, f"{tier} places" if tier else "places", 1))
            counted = every if tier is None else accounts.tier == TIERS.index(tier)
            of_csm = rule == "csm_load"
            holder = arcs.csm if of_csm else arcs.am
            holders = snapshot.csms.ids if of_csm else snapshot.ams.ids
            yield _Resource(rule, need, holder, offer, holders, "CSMs" if of_csm else "AMs", unit, scale, counted)


def _offers(formulation: Formulation, rule: str, tier: str | None) -> np.ndarray | None:
    """Per AM or CSM its limit under the rule, `NO_LIMIT` where it has none; None where nobody is limited."""
    snapshot, rows = formulation.snapshot, formulation.problem.rows
    ids = snapshot.csms.ids if rule == "csm_load" else snapshot.ams.ids
    place = {f"{name}:{tier}" if tier else name: index for index, name in enumerate(ids)}
    offer = np.full(len(ids), NO_LIMIT)
    found = False
    for name, row_rule, hi in zip(rows.names, rows.rules, rows.hi, strict=True):
        if row_rule == rule and name in place:
            offer[place[name]], found = hi, True
    return offer if found else None


def _cut(formulation: Formulation, resource: _Resource) -> Iterator[str]:
    """One sentence per independent set of accounts that needs more than the people who may take them have."""
    snapshot, arcs = formulation.snapshot, formulation.arcs
    free = np.zeros(len(snapshot.accounts), dtype=bool)
    unlimited = (resource.holder_of_arc == NONE) | (resource.offer[resource.holder_of_arc] >= NO_LIMIT)
    free[arcs.account[unlimited]] = True
    bound = resource.counted & ~free & (resource.need > 0)
    if not bound.any():
        return
    accounts, holders = _short_side(resource, arcs.account, bound)
    if not len(accounts):
        return
    inside = np.isin(arcs.account, accounts)
    label = connected(arcs.account[inside], resource.holder_of_arc[inside], len(bound), len(resource.offer))
    for part in np.unique(label[accounts]):
        needing = accounts[label[accounts] == part]
        offering = holders[label[len(bound) + holders] == part]
        yield _sentence(snapshot, resource, needing, offering)


def _short_side(resource: _Resource, account: np.ndarray, bound: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The accounts and holders on the source side of a minimum cut, empty where everything fits."""
    edge = bound[account]
    left, right = account[edge], resource.holder_of_arc[edge]
    n, m = len(bound), len(resource.offer)
    source, sink = n + m, n + m + 1
    step = max(1, int(resource.need[bound].sum()) // 10**9 + 1)
    need = resource.need // step
    offer = np.minimum(resource.offer // step, int(need[bound].sum()) + 1)
    needing = np.flatnonzero(bound)
    used = np.unique(right)
    start = np.concatenate([np.full(len(needing), source), left, n + used])
    end = np.concatenate([needing, n + right, np.full(len(used), sink)])
    size = np.concatenate([need[needing], need[left], offer[used]])
    graph = csr_array((size.astype(np.int32), (start, end)), shape=(n + m + 2, n + m + 2))
    flow = maximum_flow(graph, source, sink)
    if flow.flow_value >= need[bound].sum():
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    residual = csr_array(graph - flow.flow)
    residual.data = np.where(residual.data > 0, 1, 0)
    residual.eliminate_zeros()
    reached = breadth_first_order(residual, source, return_predecessors=False)
    reached = reached[reached < n + m]
    return np.sort(reached[reached < n]), np.sort(reached[reached >= n] - n)


def _sentence(snapshot: Snapshot, resource: _Resource, accounts: np.ndarray, holders: np.ndarray) -> str:
    need, have = int(resource.need[accounts].sum()), int(resource.offer[holders].sum())
    people = _listed([resource.holders[i] for i in holders])
    counted = "1 account" if len(accounts) == 1 else f"{len(accounts):,} accounts"
    who = f"{len(holders)} {resource.who} ({people}) have"
    if len(holders) == 1:
        who = f"only {resource.who.removesuffix('s')} ({people}) has"
    described = _described(snapshot, accounts)
    several = " and " in described.partition(" in ")[0]
    return (
        f"{described} {'need' if several else 'needs'} {_amount(need, resource)} {resource.unit}, "
        f"{'their' if several else 'its'} {who} {_amount(have, resource)}: "
        f"{_amount(need - have, resource)} short ({resource.rule.replace('_', ' ')}, {counted})."
    )


def _amount(value: int, resource: _Resource) -> str:
    if resource.scale == HUNDREDTHS:
        return units_text(value)
    return f"{value / resource.scale:,.2f}" if resource.scale > 1 else f"{value:,}"


def _described(snapshot: Snapshot, accounts: np.ndarray) -> str:
    """The accounts as a planner names them: `enterprise in EMEA`."""
    tiers = [TIERS[code] for code in np.unique(snapshot.accounts.tier[accounts])]
    profiles = snapshot.profiles.iloc[np.unique(snapshot.accounts.profile[accounts])]
    regions = sorted(set(profiles["region"]) - {""})
    whose = "every tier" if len(tiers) == len(TIERS) else " and ".join(tiers)
    return f"{whose} in {_listed(regions)}" if regions else whose


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:NAMED])
    return shown if len(names) <= NAMED else f"{shown} and {len(names) - NAMED} more"


def _broken_rows(formulation: Formulation, chosen: np.ndarray) -> Iterator[str]:
    """Each limit that the plan breaks: whose, how full, and the limit."""
    problem = formulation.problem
    rows = problem.rows
    activity = rows.activity(problem.taken(chosen))
    excess = np.where(rows.level == 0, rows.excess(activity), 0)
    for row in np.flatnonzero(excess):
        rule = rows.rules[row]
        who, _, tier = rows.names[row].rpartition(":")
        if tier not in TIERS:  # an id may hold a colon itself
            who, tier = rows.names[row], ""
        scale = {"units_cap": HUNDREDTHS, "floor": HUNDREDTHS, "csm_load": 10**6}.get(rule, 1)
        what = {HUNDREDTHS: "units", 10**6: "full CSM loads"}.get(scale, f"{tier} accounts".strip())
        side = "at least" if activity[row] < rows.lo[row] else "at most"
        limit = rows.lo[row] if side == "at least" else rows.hi[row]
        yield (
            f"{who} ends with {_exact(int(activity[row]), scale)} {what}"
            + f", {side} {_exact(int(limit), scale)}"
            + f" allowed ({rule.replace('_', ' ')})."
        )


def _exact(value: int, scale: int) -> str:
    return f"{value / scale:,.3f}".rstrip("0").rstrip(".")
