"""`verify` rejects every plan that was tampered with: 1,000 of them, by rule, recount or manifest."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random

import numpy as np
import pandas as pd
import pytest
from random_books import Case, proposal_of, random_case

import rebalancer as rb
from rebalancer.engine import Options
from rebalancer.engine.outcome import LevelResult, Outcome
from rebalancer.record import make_proposal
from rebalancer.rules import RULES
from rebalancer.rules.formulation import Formulation, formulate
from rebalancer.snapshot import take_snapshot
from rebalancer.verify import Violation, verify_tables

BOOKS = 50
PER_BOOK = 20


def cases() -> list[tuple[Case, rb.Proposal]]:
    found = []
    for seed in range(1_000, 1_000 + 4 * BOOKS):
        case = random_case(seed, accounts=(5, 14))
        proposal = proposal_of(case)
        found += [] if proposal is None else [(case, proposal)]
        if len(found) == BOOKS:
            return found
    raise AssertionError("too few of the random books have a plan")


def verified(case: Case, assignments: pd.DataFrame, record: dict, proposal: rb.Proposal) -> list[Violation]:
    return verify_tables(
        case.book.text_tables(),
        case.model,
        effective_date=case.book.effective_date,
        scope=case.scope,
        measure=case.measure,
        assignments=assignments,
        proposal=record,
        books=proposal.books,
        csms=proposal.csms,
        moves=proposal.moves,
    )


def _other(rng: Random, values: list[str], present: str) -> str:
    return rng.choice([value for value in values if value != present] or [f"{present}x"])


def swap_owner(rng: Random, case: Case, plan: pd.DataFrame, record: dict) -> None:
    row = rng.randrange(len(plan))
    plan.loc[row, "to_am"] = _other(rng, case.book.ams["am_id"].tolist(), plan.loc[row, "to_am"])


def swap_csm(rng: Random, case: Case, plan: pd.DataFrame, record: dict) -> None:
    row = rng.randrange(len(plan))
    plan.loc[row, "to_csm"] = _other(rng, case.book.csms["csm_id"].tolist(), plan.loc[row, "to_csm"])


def drop_account(rng: Random, case: Case, plan: pd.DataFrame, record: dict) -> pd.DataFrame:
    return plan.drop(index=rng.randrange(len(plan)))


def repeat_account(rng: Random, case: Case, plan: pd.DataFrame, record: dict) -> None:
    first, second = rng.sample(range(len(plan)), 2)
    plan.loc[first, "account_id"] = plan.loc[second, "account_id"]


def rewrite_history(rng: Random, case: Case, plan: pd.DataFrame, record: dict) -> None:
    row = rng.randrange(len(plan))
    plan.loc[row, "from_am"] = _other(rng, case.book.ams["am_id"].tolist(), plan.loc[row, "from_am"])


def flip_flag(rng: Random, case: Case, plan: pd.DataFrame, record: dict) -> None:
    row, column = rng.randrange(len(plan)), rng.choice(["moved", "forced", "csm_changed", "locked", "legacy"])
    plan.loc[row, column] = not plan.loc[row, column]


def change_figure(rng: Random, case: Case, plan: pd.DataFrame, record: dict) -> None:
    row, column = rng.randrange(len(plan)), rng.choice(["units", "arr", "disruption"])
    plan.loc[row, column] = plan.loc[row, column] + 1


def wrong_objective(rng: Random, case: Case, plan: pd.DataFrame, record: dict) -> None:
    level = rng.choice([level for level in record["levels"] if level["name"] in ("overload", "disruption")])
    level["value"] += rng.choice([-1, 1, 1_000])


def bound_above_value(rng: Random, case: Case, plan: pd.DataFrame, record: dict) -> None:
    level = next(level for level in record["levels"] if level["name"] == "disruption")
    level["bound"] = level["value"] + 1


def wrong_gap(rng: Random, case: Case, plan: pd.DataFrame, record: dict) -> None:
    next(level for level in record["levels"] if level["name"] == "disruption")["gap"] = 0.5


def wrong_total(rng: Random, case: Case, plan: pd.DataFrame, record: dict) -> None:
    part, key = rng.choice([("moves", "accounts"), ("moves", "arr"), ("moves", "forced"), ("disruption", "accounts")])
    record[part][key] += 1


def claim_legal(rng: Random, case: Case, plan: pd.DataFrame, record: dict) -> None:
    record["legal"] = not record["legal"]


def wrong_status(rng: Random, case: Case, plan: pd.DataFrame, record: dict) -> None:
    record["status"] = "over_capacity" if record["legal"] else "optimal"


MUTATIONS: list[Callable[[Random, Case, pd.DataFrame, dict], pd.DataFrame | None]] = [
    swap_owner,
    swap_csm,
    drop_account,
    repeat_account,
    rewrite_history,
    flip_flag,
    change_figure,
    wrong_objective,
    bound_above_value,
    wrong_gap,
    wrong_total,
    claim_legal,
    wrong_status,
]


def test_every_one_of_a_thousand_mutated_plans_is_rejected():
    rejected, accepted = 0, []
    for index, (case, proposal) in enumerate(cases()):
        rng = Random(index)
        assert verified(case, proposal.assignments, dict(proposal.record), proposal) == []
        for number in range(PER_BOOK):
            mutate = MUTATIONS[(number + index) % len(MUTATIONS)]
            plan, record = proposal.assignments.copy(), json.loads(json.dumps(proposal.record))
            replaced = mutate(rng, case, plan, record)
            plan = plan if replaced is None else replaced.reset_index(drop=True)
            if verified(case, plan, record, proposal):
                rejected += 1
            else:
                accepted.append(f"book {index}: {mutate.__name__}")
    assert accepted == []
    assert rejected == BOOKS * PER_BOOK


def consistent_lie(formulation: Formulation, chosen: np.ndarray) -> rb.Proposal:
    """A proposal whose every figure agrees with a plan that breaks a limit, and that is claimed to be legal."""
    values = formulation.problem.values(chosen)
    names = [level.name for level in formulation.problem.levels]
    levels = tuple(
        LevelResult(name, 0 if name == "overload" else value, 0, None)
        for name, value in zip(names, values, strict=True)
    )
    return make_proposal(formulation, Outcome(chosen, levels, True, "proven", True), Options(), [])


ELASTIC = {"units_cap", "floor", "accounts_limit", "blended_limit", "csm_load"}


def test_a_plan_that_lies_consistently_is_rejected_by_the_rule_it_breaks():
    """Every account at once to one AM's seats: all figures are recounted by the liar, so only the rules speak."""
    rejected = set()
    for case, _ in cases():
        snapshot = take_snapshot(case.book, case.model, case.scope, case.measure)
        formulation = formulate(snapshot, RULES)
        problem = formulation.problem
        first = np.searchsorted(problem.arc_group, np.arange(len(problem.groups)))
        if problem.values(first)[0] == 0:
            continue
        lie = consistent_lie(formulation, first)
        found = verified(case, lie.assignments, dict(lie.record), lie)
        rules = {violation.rule for violation in found} - {"recount"}
        assert rules, found
        assert rules <= {*ELASTIC, "budgets"}
        rejected |= rules
    assert rejected >= ELASTIC


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    case = random_case(1_003, accounts=(8, 12))
    proposal = rb.propose(case.book, case.model, scope=case.scope, measure=case.measure, workers=1)
    return proposal, tmp_path_factory.mktemp("runs")


def test_an_edited_byte_of_any_file_of_a_run_is_rejected(written):
    proposal, folder = written
    run = folder / "edited"
    proposal.write(run)
    files = [path for path in run.rglob("*") if path.is_file() and path.name not in ("timings.json", "manifest.json")]
    assert len(files) > 6
    for path in files:
        whole = path.read_bytes()
        place = len(whole) // 2
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        violations = rb.verify_run(run)
        assert any(violation.rule == "manifest" and path.name in violation.message for violation in violations), path
        path.write_bytes(whole)
    assert rb.verify_run(run) == []
