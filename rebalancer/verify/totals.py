"""Recounts of `proposal.json`: what it claims of legality, status, levels, disruption and moves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

from rebalancer.verify.figures import shown
from rebalancer.verify.global_programme import pairs
from rebalancer.verify.plan import Plan
from rebalancer.verify.text import exact
from rebalancer.verify.violation import Violation

FILE = "proposal.json"
STATUSES = ("optimal", "feasible", "no_change", "over_capacity", "baseline")
CLOSE = 1e-9


def totals(plan: Plan, proposal: Mapping[str, Any], scope: str, measure: str) -> Iterator[Violation]:
    """Every claim of the proposal that follows from the seats."""
    for key, asked in (("scope", scope), ("measure", measure)):
        if proposal.get(key, asked) != asked:
            yield _wrong(key, proposal.get(key), asked)
    yield from _status(plan, proposal)
    yield from _levels(plan, proposal, measure)
    yield from _disruption(plan, proposal)
    yield from _moves(plan, proposal)


def as_number(value: object) -> Fraction | None:
    """The exact number of a JSON value; None for everything that is none, a truth among them."""
    return exact(str(value)) if isinstance(value, (int, float)) else None


def _wrong(key: str, claimed: object, recounted: object) -> Violation:
    return Violation("recount", f"{FILE}, {key}: claimed {claimed}, recounted {recounted}")


def _part(proposal: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    part = proposal.get(key)
    return part if isinstance(part, Mapping) else {}


def _status(plan: Plan, proposal: Mapping[str, Any]) -> Iterator[Violation]:
    status, legal = proposal.get("status"), plan.overload == 0
    if proposal.get("legal") is not legal:
        yield _wrong("legal", proposal.get("legal"), f"{shown(legal)}, with an overload of {plan.overload:,}")
    if status not in STATUSES:
        yield Violation("recount", f"{FILE}, status: {status} is not one of {', '.join(STATUSES)}")
    elif status != "baseline" and (status == "over_capacity") is legal:
        yield Violation("recount", f"{FILE}, status: {status} for a plan with an overload of {plan.overload:,}")
    changed = sum(change.moved or change.csm for change in plan.elsewhere.values())
    if status == "no_change" and changed:
        yield Violation("recount", f"{FILE}, status: no_change, and {changed:,} accounts change their AM or CSM")


def _levels(plan: Plan, proposal: Mapping[str, Any], measure: str) -> Iterator[Violation]:
    claimed = proposal.get("levels")
    levels = [level for level in claimed if isinstance(level, Mapping)] if isinstance(claimed, (list, tuple)) else []
    recounted = {"overload": plan.overload, "disruption": plan.total(measure)}
    if measure != "revenue_at_risk":
        changes = plan.elsewhere.values()
        recounted["continuity"] = sum(change.csm + (change.am and change.csm) for change in changes)
    elif any(level.get("name") == "continuity" for level in levels):
        yield Violation("recount", f"{FILE}, levels: continuity is no level of the measure {measure}")
    overlap = pairs(plan.ledger, plan.seats)
    if overlap is not None:
        recounted["overlap"] = overlap
    elif any(level.get("name") == "overlap" for level in levels):
        yield Violation("recount", f"{FILE}, levels: overlap is no level of a plan without GAMs, nor where it is off")
    for name, value in recounted.items():
        found = [level for level in levels if level.get("name") == name]
        if len(found) != 1:
            yield Violation("recount", f"{FILE}, levels: {name} is there {len(found)} times, and belongs there once")
        deciding = proposal.get("status") == "optimal" and name != "overlap"
        for level in found:
            yield from _level(level, name, value, proven=deciding)


def _level(level: Mapping[str, Any], name: str, value: int, *, proven: bool) -> Iterator[Violation]:
    if as_number(level.get("value")) != value:
        yield _wrong(f"level {name}, value", level.get("value"), value)
    bound, gap = level.get("bound"), level.get("gap")
    if bound is None:
        if gap is not None:
            yield Violation("recount", f"{FILE}, level {name}: claims a gap of {gap} without a bound")
        if proven and name != "overload":
            yield Violation("recount", f"{FILE}, level {name}: is called optimal without a bound")
        return
    least = as_number(bound)
    if least is None or least > value:
        yield Violation("recount", f"{FILE}, level {name}: its bound {bound} is above its value {value:,}")
        return
    if proven and least != value:
        yield Violation("recount", f"{FILE}, level {name}: is called optimal with bound {bound} below {value:,}")
    yield from _close(f"level {name}, gap", gap, (value - least) / max(1, value))


def _close(key: str, claimed: object, recounted: Fraction) -> Iterator[Violation]:
    number = as_number(claimed)
    if number is None or abs(number - recounted) > CLOSE:
        yield _wrong(key, claimed, float(recounted))


def _disruption(plan: Plan, proposal: Mapping[str, Any]) -> Iterator[Violation]:
    part = _part(proposal, "disruption")
    for measure, parts in (("revenue_at_risk", 1), ("accounts", 1), ("units", 100)):
        value = Fraction(plan.total(measure), parts)
        if as_number(part.get(measure)) != value:
            yield _wrong(f"disruption, {measure}", part.get(measure), shown(value))


def _moves(plan: Plan, proposal: Mapping[str, Any]) -> Iterator[Violation]:
    part, accounts = _part(proposal, "moves"), plan.ledger.accounts
    moved = [account_id for account_id, change in plan.elsewhere.items() if change.moved]
    changes = plan.elsewhere.values()
    recounted = {
        "accounts": len(moved),
        "arr": sum(accounts[account_id].arr for account_id in moved),
        "csm_changes": sum(change.csm for change in changes),
        "pod_breaks": sum(change.am and change.csm for change in changes),
        "forced": sum(plan.forced(account_id) for account_id in moved),
    }
    for key, value in recounted.items():
        if as_number(part.get(key)) != value:
            yield _wrong(f"moves, {key}", part.get(key), value)
    yield from _close("moves, share", part.get("share"), Fraction(len(moved), max(1, len(accounts))))
