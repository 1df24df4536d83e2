"""Record: turns an outcome back into the planner's terms: the frames and figures of a proposal."""

from __future__ import annotations

import json
import platform
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, get_args

import numpy as np
import pandas as pd

from rebalancer.alternatives import Alternatives
from rebalancer.coverage import Measure
from rebalancer.engine import LevelResult, Options, Outcome
from rebalancer.inputs import digest, input_hashes
from rebalancer.metrics import books_frame, csms_frame
from rebalancer.proposal import SCHEMA_VERSION, Proposal
from rebalancer.reasons import reasons
from rebalancer.relief import relief_warnings
from rebalancer.rules import ELIGIBILITY
from rebalancer.rules.formulation import Formulation, legacy
from rebalancer.rules.global_programme import programme_warnings
from rebalancer.rules.pod_size import pod_size_warnings
from rebalancer.snapshot import NONE, Snapshot
from rebalancer.steady import Standing
from rebalancer.tables import TIERS
from rebalancer.units import HUNDREDTHS, coverage_units, tier_codes

NEXT_BEST_LIMIT = 2_000
"""Moves whose next best seat is worked out; beyond that only the most costly ones."""


@dataclass(frozen=True)
class _Plan:
    """The plan in the domain's terms (arrays by account)."""

    to_am: np.ndarray
    to_csm: np.ndarray
    am_changed: np.ndarray
    csm_changed: np.ndarray
    moved: np.ndarray
    forced: np.ndarray


def _plan(formulation: Formulation, chosen: np.ndarray) -> _Plan:
    snapshot = formulation.snapshot
    accounts = snapshot.accounts
    to_am, to_csm = formulation.seats(chosen)
    moved = to_am != accounts.owner
    csm_changed = (accounts.csm != NONE) & (to_csm != accounts.csm)
    if not snapshot.pods_active:
        to_csm = pd.Index(snapshot.csms.ids).get_indexer(pd.Index(snapshot.frame["csm"]))
    forced = moved & ~snapshot.owner_present
    return _Plan(to_am, to_csm, moved & (accounts.owner != NONE), csm_changed, moved, forced)


def make_proposal(
    formulation: Formulation,
    outcome: Outcome,
    options: Options,
    short: list[str],
    standing: Standing | None = None,
) -> Proposal:
    """The proposal of an outcome, not yet checked. `short` says why no plan is legal, `standing` what to keep."""
    snapshot = formulation.snapshot
    plan = _plan(formulation, outcome.chosen)
    assignments = _assignments(formulation, outcome, plan)
    moves = _moves(formulation, outcome, plan, assignments)
    record = _record(snapshot, outcome, _options(options, standing), plan, assignments, short)
    books, csms = books_frame(snapshot, plan.to_am), csms_frame(snapshot, plan.to_csm)
    every = _with_excluded(snapshot, assignments)
    return Proposal(snapshot.book, snapshot.model, record, every, moves, books, csms, {}, outcome.certificates)


def _with_excluded(snapshot: Snapshot, assignments: pd.DataFrame) -> pd.DataFrame:
    """The assignments and, as they are, the accounts that the planner left out."""
    frame = snapshot.excluded
    if frame.empty:
        return assignments
    tiers = tier_codes(frame["tier"], frame["arr"], snapshot.model)
    why = frame["exclude_reason"].map(lambda text: f"It is left out of the plan{f': {text}' if text else ''}.")
    left_out = pd.DataFrame(
        {
            "account_id": frame["account_id"],
            "from_am": frame["owner"],
            "to_am": frame["owner"],
            "from_csm": frame["csm"],
            "to_csm": frame["csm"],
            "tier": np.array(TIERS, dtype=object)[tiers],
            "units": coverage_units(frame, tiers, snapshot.model) / HUNDREDTHS,
            "arr": frame["arr"],
            **dict.fromkeys(("moved", "forced", "csm_changed", "locked", "legacy"), False),
            "disruption": 0,
            "reason": why,
        }
    )
    return pd.concat([assignments, left_out]).sort_values("account_id", ignore_index=True)


def _assignments(formulation: Formulation, outcome: Outcome, plan: _Plan) -> pd.DataFrame:
    snapshot = formulation.snapshot
    accounts, frame = snapshot.accounts, snapshot.frame
    old = legacy(snapshot, ELIGIBILITY)
    at_risk = snapshot.costs_in("revenue_at_risk")
    index = np.arange(len(accounts))
    from_csm = frame["csm"].to_numpy(dtype=object)
    owner = frame["owner"].to_numpy(dtype=object)
    in_book = ~plan.moved & ~accounts.owner_gone
    named_csm = _ids(plan.to_csm, snapshot.csms.ids)
    kept_csm = from_csm if not snapshot.pods_active else np.full(len(accounts), "", dtype=object)
    return pd.DataFrame(
        {
            "account_id": accounts.ids,
            "from_am": owner,
            "to_am": np.where(in_book, owner, _ids(plan.to_am, snapshot.ams.ids)),
            "from_csm": from_csm,
            "to_csm": np.where(plan.to_csm == NONE, kept_csm, named_csm),
            "tier": np.array(TIERS, dtype=object)[accounts.tier],
            "units": accounts.units / HUNDREDTHS,
            "arr": accounts.arr,
            "moved": plan.moved,
            "forced": plan.forced,
            "csm_changed": plan.csm_changed,
            "locked": accounts.locked,
            "legacy": old & ~plan.moved & ~snapshot.owner_departed,
            "disruption": at_risk.of(index, plan.am_changed, plan.csm_changed),
            "reason": reasons(formulation, outcome.chosen, old),
        }
    )


def _ids(index: np.ndarray, ids: tuple[str, ...]) -> np.ndarray:
    return np.array([*ids, ""], dtype=object)[index]


def _moves(formulation: Formulation, outcome: Outcome, plan: _Plan, assignments: pd.DataFrame) -> pd.DataFrame:
    """The moved rows, most costly first, each with the next best seat and what that would add to the levels."""
    order = np.lexsort((assignments["account_id"], -assignments["disruption"].to_numpy()))
    order = order[assignments["moved"].to_numpy()[order]]
    others = Alternatives(formulation, outcome.chosen, order[:NEXT_BEST_LIMIT])
    best = [_next_best(others, int(i), int(plan.to_am[i])) for i in order[:NEXT_BEST_LIMIT]]
    best += [_NextBest()] * (len(order) - len(best))
    moves = assignments.iloc[order].reset_index(drop=True)
    moves["next_best"] = pd.Series([found.seat for found in best], dtype=str)
    moves["next_best_extra_overload"] = pd.array([found.overload for found in best], dtype="Int64")
    moves["next_best_extra_disruption"] = pd.array([found.disruption for found in best], dtype="Int64")
    moves["next_best_drawback"] = pd.Series([found.drawback for found in best], dtype=str)
    return moves


@dataclass(frozen=True)
class _NextBest:
    seat: str = ""
    overload: int | None = None
    disruption: int | None = None
    drawback: str = ""


def _next_best(others: Alternatives, account: int, here: int) -> _NextBest:
    """The best seat with another AM than `here`, all other accounts as planned; empty where no rule admits one."""
    problem = others.formulation.problem
    found = [other for other in others.of(account) if other.am != here]
    if not found:
        return _NextBest()
    best = found[0]
    seat = problem.seats[problem.arc_seat[best.arc]]
    return _NextBest(seat, best.extra[0], best.extra[1], others.drawback(best))


def _record(
    snapshot: Snapshot,
    outcome: Outcome,
    options: dict[str, Any],
    plan: _Plan,
    assignments: pd.DataFrame,
    short: list[str],
) -> dict[str, Any]:
    inputs = input_hashes(snapshot.book, snapshot.model)
    changed = bool(
        plan.moved.any() or plan.csm_changed.any() or (assignments["from_csm"] != assignments["to_csm"]).any()
    )
    moved_arr = int(snapshot.accounts.arr[plan.moved].sum())
    index = np.arange(len(assignments))
    by_measure = {
        name: int(snapshot.costs_in(name).of(index, plan.am_changed, plan.csm_changed).sum())
        for name in get_args(Measure)
    }
    by_measure["units"] = by_measure["units"] / HUNDREDTHS  # type: ignore[assignment]
    record = {
        "schema_version": SCHEMA_VERSION,
        "run_id": "",
        "status": _status(outcome, changed),
        "legal": outcome.legal,
        "stopped": outcome.stopped,
        "scope": snapshot.scope,
        "measure": snapshot.measure,
        "effective_date": snapshot.book.effective_date.isoformat(),
        "levels": [_level(level) for level in outcome.levels],
        "disruption": by_measure,
        "moves": {
            "accounts": int(plan.moved.sum()),
            "arr": moved_arr,
            "share": round(float(plan.moved.mean()), 12),
            "csm_changes": int(plan.csm_changed.sum()),
            "pod_breaks": int((plan.am_changed & plan.csm_changed).sum()),
            "forced": int(plan.forced.sum()),
        },
        "continuity": _continuity(snapshot, plan),
        "shortages": short,
        "inputs": inputs,
        "model": snapshot.model.name,
        "model_sha256": inputs["model.toml"],
        "seed": options["seed"],
        "options": {name: value for name, value in options.items() if name != "seed"},
        "versions": _versions(),
        "warnings": [
            *(str(warning) for warning in snapshot.warnings),
            *outcome.warnings,
            *pod_size_warnings(snapshot, plan.to_am),
            *programme_warnings(snapshot),
            *relief_warnings(snapshot),
        ],
    }
    matters = ("scope", "measure", "inputs", "seed", "options", "versions")
    record["run_id"] = digest(json.dumps({key: record[key] for key in matters}, sort_keys=True))[:16]
    return record


def _options(options: Options, standing: Standing | None) -> dict[str, Any]:
    """The options that matter to the plan."""
    told = {name: getattr(options, name) for name in ("seed", "time_limit", "gap", "reproducible")}
    return {**told, **({} if standing is None else {"standing": standing.record()})}


def _status(outcome: Outcome, changed: bool) -> str:
    if not outcome.legal:
        return "over_capacity"
    if not changed:
        return "no_change"
    deciding = [level for level in outcome.levels if level.name in ("overload", "disruption", "continuity")]
    if all(level.proof is not None for level in deciding):
        return "optimal"
    return "feasible" if outcome.from_solver else "baseline"


def _level(level: LevelResult) -> dict[str, Any]:
    return {
        "name": level.name,
        "value": level.value,
        "bound": level.bound,
        "gap": level.gap,
        "proof": level.proof,
        "certificate_bound": level.certificate_bound,
        **({"least": level.least} if level.name == "overload" else {}),
    }


def _continuity(snapshot: Snapshot, plan: _Plan) -> dict[str, Any]:
    """Relationships kept, over accounts whose owner is staying; those of departed owners are shown apart."""
    staying = snapshot.owner_present
    kept = staying & ~plan.moved
    arr = snapshot.accounts.arr
    return {
        "accounts": int(staying.sum()),
        "kept": int(kept.sum()),
        "share": round(float(kept.sum() / staying.sum()), 12) if staying.any() else None,
        "arr_share": round(float(arr[kept].sum() / arr[staying].sum()), 12) if arr[staying].sum() > 0 else None,
        "departed_owner_accounts": int(snapshot.owner_departed.sum()),
        "unowned_accounts": int((snapshot.accounts.owner == NONE).sum()),
    }


def _versions() -> dict[str, str]:
    packages = {name: version(name) for name in ("rebalancer", "ortools", "numpy", "pandas")}
    return {**packages, "python": platform.python_version()}
