"""Hard limits that contradict each other: proven, cut down to a smallest set, and told in the planner's words."""

import re
from itertools import combinations
from random import Random

import numpy as np
import pytest
from helpers import book_of, write_book
from test_engine import Limit, every_plan, problem_of

import rebalancer as rb
from rebalancer.coverage import load_model
from rebalancer.engine import Options, Stop, contradiction, solve
from rebalancer.engine.contradiction import contradictory_rows, irreducible, refuse_contradictions
from rebalancer.engine.cpsat import Answer, minimise
from rebalancer.engine.hard_rows import hard_rows_alone
from rebalancer.errors import Interrupted, NoLegalPlan, NoPlanInTime
from rebalancer.problem import HARD, NO_LIMIT

ACCOUNTS = """account_id, name, owner, arr, region
A-1, Acme, E-1, 100000, North
A-2, Bolt, E-1, 100000, North
A-3, Core, E-1, 300000, North
"""
AMS = "am_id, name, region\nE-1, Eva, South\nE-2, Emil, North\nE-3, Ella, North\n"
"""All three accounts have to leave E-1 where legacy seats are cured; only E-2 and E-3 may take them."""

SECONDS = 20.0
BOTH = (
    "the limits budgets (gained E-2) and budgets (gained E-3) can't hold together: what locks, fixed seats, families "
    "and eligibility require is beyond them. Raise budgets (gained E-2) by 1 or budgets (gained E-3) by 1, or remove "
    "some lock or assign_to."
)


def proposed(**budgets):
    model = load_model("coverage_units", {"limits": {"cure_legacy": True}, "budgets": budgets})
    return rb.propose(book_of(ACCOUNTS, AMS), model, workers=1)


# A book


def test_budgets_that_leave_room_say_nothing():
    assert sorted(proposed(accounts=3).moves["account_id"]) == ["A-1", "A-2", "A-3"]


def test_two_budgets_that_contradict_each_other_are_named_with_a_cure_for_each():
    with pytest.raises(NoLegalPlan) as refused:
        proposed(gained_per_am=1)
    assert str(refused.value) == BOTH


def test_a_budget_raised_as_told_has_a_plan_again():
    proposal = proposed(gained_per_am=2)
    assert (proposal.status, len(proposal.moves)) == ("optimal", 3)


def test_a_budget_that_takes_no_part_is_not_named():
    with pytest.raises(NoLegalPlan) as refused:
        proposed(gained_per_am=1, accounts=3, lost_per_am=3, arr=10**9, per_tier={"enterprise": 3})
    assert str(refused.value) == BOTH


def test_the_command_line_says_it_with_its_own_exit_code_and_writes_nothing(run, tmp_path):
    settings = "effective_date = 2026-01-01\n[overrides]\nlimits.cure_legacy = true\nbudgets.gained_per_am = 1\n"
    accounts, ams = (text.replace(", ", ",") for text in (ACCOUNTS, AMS))
    book = write_book(tmp_path, accounts=accounts, ams=ams, settings=settings)
    plain, machine = run("propose", book), run("propose", book, "--json")
    assert plain.code == machine.code == 4
    assert plain.err == f"error: {BOTH}\n"
    assert (machine.json["error"]["kind"], machine.json["error"]["message"]) == ("NoLegalPlan", BOTH)
    assert not (tmp_path / "runs").exists()


# Random conflicts


def conflict(seed):
    """A small problem of limits that some plan keeps one by one, except now and then one with two sides."""
    rng = Random(seed)
    counts = [rng.randint(1, 3) for _ in range(rng.randint(2, 5))]
    arcs = range(sum(counts))

    def limit():
        weights = {arc: rng.randint(1, 4) for arc in sorted(rng.sample(arcs, rng.randint(1, len(arcs))))}
        sums = [sum(weights.get(arc, 0) for arc in plan) for plan in every_plan(counts)]
        lo, hi = sorted(rng.randint(min(sums), max(sums)) for _ in range(2))
        side = rng.choice(("hi", "hi", "lo", "lo", "both"))
        return Limit(
            weights,
            lo=-NO_LIMIT if side == "hi" else (lo if side == "both" else hi),
            hi=NO_LIMIT if side == "lo" else (hi if side == "both" else lo),
            level=rng.choice((HARD, HARD, HARD, 0)),
        )

    return counts, [limit() for _ in range(rng.randint(2, 7))]


def holds(counts, limits):
    """Some plan keeps these limits, found by trying every one."""
    return any(
        all(limit.lo <= sum(w for arc, w in limit.weights.items() if arc in plan) <= limit.hi for limit in limits)
        for plan in every_plan(counts)
    )


def test_the_rows_named_contradict_each_other_and_any_fewer_of_them_do_not():
    found = 0
    for seed in range(500):
        counts, limits = conflict(seed)
        problem = problem_of(counts, [0] * sum(counts), limits)
        hard = [limit for limit in limits if limit.level == HARD]
        rows = contradictory_rows(problem, SECONDS, Stop())
        assert (rows is None) is holds(counts, hard), seed
        if rows is None:
            continue
        named = [limits[row] for row in rows]
        found += len(named) > 1
        assert all(limit.level == HARD for limit in named)
        assert not holds(counts, named), seed
        assert all(holds(counts, fewer) for fewer in combinations(named, len(named) - 1)), seed
    assert found >= 200


def test_a_limit_raised_as_told_makes_all_hold():
    told = 0
    for seed in range(200):
        counts, limits = conflict(seed)
        problem = problem_of(counts, [0] * sum(counts), limits)
        hard = [limit for limit in limits if limit.level == HARD]
        if holds(counts, hard):
            continue
        with pytest.raises(NoLegalPlan) as refused:
            refuse_contradictions([problem], SECONDS, Stop())
        for row, more in re.findall(r"rule \(r(\d+)\) by (\d+)", str(refused.value)):
            told += 1
            for raised, enough in ((int(more), True), (int(more) - 1, False)):
                chosen = limits[int(row)]
                relaxed = Limit(chosen.weights, chosen.lo - raised, chosen.hi + raised, HARD)
                others = [limit for limit in hard if limit is not chosen]
                assert holds(counts, [*others, relaxed]) is enough, (seed, row)
    assert told >= 30


def test_some_hard_rows_alone_can_hold_where_they_can_among_all_arcs():
    for seed in range(100):
        counts, limits = conflict(seed)
        problem = problem_of(counts, [0] * sum(counts), limits)
        hard = np.flatnonzero(problem.rows.level == HARD)
        rows = hard[:: 1 + seed % 2]
        part = hard_rows_alone(problem, rows)
        plans = every_plan(np.bincount(part.arc_group).tolist()) if len(part.groups) else [()]
        possible = any(part.is_complete(np.array(plan, dtype=np.int64)) for plan in plans)
        assert possible is holds(counts, [limits[row] for row in rows]), seed


def test_a_group_that_harms_no_row_where_it_stays_is_left_out():
    stays = Limit({0: 1, 2: 1, 4: 1}, lo=2, level=HARD)
    comes = Limit({1: 1, 3: 1}, hi=0, level=HARD)
    part = hard_rows_alone(problem_of([2, 2, 1], [0] * 5, [stays, comes]), np.array([0, 1]))
    assert (part.groups, part.rows.lo.tolist()) == ((), [-1, -NO_LIMIT])


@pytest.mark.parametrize("size", range(1, 5))
def test_the_filter_leaves_out_all_that_can_be(size):
    rng = Random(size)
    for _ in range(50):
        core = set(rng.sample(range(12), size))
        rows = np.array(rng.sample(range(12), 12))
        assert set(irreducible(rows, lambda kept, core=core: core <= set(kept.tolist())).tolist()) == core


@pytest.mark.parametrize("total", [2**31, 10**13, 2**53])
def test_large_numbers_are_told_apart_to_the_last_unit(total):
    half = total // 2
    for needed, possible in ((half, True), (half + 1, False)):
        weights = {0: half, 3: total - half}
        least, most = Limit(weights, lo=needed, level=HARD), Limit({0: 1, 2: 1, 3: 1}, hi=1, level=HARD)
        rows = contradictory_rows(problem_of([2, 2], [0] * 4, [least, most]), SECONDS, Stop())
        assert (rows is None) is possible


# No trust in one solver


FREE = problem_of([2, 2], [0] * 4, [Limit({0: 1, 2: 1}, hi=1, level=HARD), Limit({1: 1, 3: 1}, hi=1, level=HARD)])
STUCK = problem_of([2], [0, 1], [Limit({0: 1}, hi=0, level=HARD), Limit({1: 1}, hi=0, level=HARD)])


def test_a_solver_that_calls_all_impossible_is_not_believed(monkeypatch):
    monkeypatch.setattr(contradiction, "minimise", lambda *_: Answer("infeasible", None, None))
    assert contradictory_rows(FREE, SECONDS, Stop()) is None


def test_a_solver_without_presolve_that_shows_a_plan_refutes_the_one_with_it(monkeypatch):
    def lies(problem, task, hint, effort, stop):
        return minimise(problem, task, hint, effort, stop) if not effort.presolve else Answer("infeasible", None, None)

    monkeypatch.setattr(contradiction, "minimise", lies)
    monkeypatch.setattr(contradiction, "_contradicts_in_highs", lambda *_: None)
    assert contradictory_rows(FREE, SECONDS, Stop()) is None


@pytest.mark.parametrize(("second", "third", "proven"), [(True, None, True), (None, True, True), (None, None, False)])
def test_one_other_proof_is_needed(monkeypatch, second, third, proven):
    def quiet(problem, task, hint, effort, stop):
        if effort.presolve or second:
            return minimise(problem, task, hint, effort, stop)
        return Answer("unknown", None, None)

    monkeypatch.setattr(contradiction, "minimise", quiet)
    monkeypatch.setattr(contradiction, "_contradicts_in_highs", lambda *_: third)
    assert (contradictory_rows(STUCK, SECONDS, Stop()) is not None) is proven


def test_what_is_not_proven_is_no_plan_in_the_time(monkeypatch):
    monkeypatch.setattr(contradiction, "minimise", lambda *_: Answer("unknown", None, None))
    with pytest.raises(NoPlanInTime, match=r"^no plan was found in 5 s for the accounts g0, \.\.\.$"):
        solve(STUCK, Options(time_limit=5, workers=1))


def test_a_stop_during_the_proof_is_an_interruption(monkeypatch):
    stop = Stop()

    def stopped(*args):
        stop.request()
        return minimise(*args)

    monkeypatch.setattr(contradiction, "minimise", stopped)
    with pytest.raises(Interrupted):
        solve(STUCK, Options(time_limit=5, workers=1), stop)


def test_contradictions_of_several_parts_are_all_told():
    apart = [Limit({arc: 1}, hi=0, level=HARD) for arc in range(5)]
    with pytest.raises(NoLegalPlan) as refused:
        solve(problem_of([2, 2, 2], [0] * 6, apart[:4]), Options(time_limit=5, workers=1))
    assert re.findall(r"rule \(r\d\)(?= and| can't)", str(refused.value)) == [f"rule (r{row})" for row in range(4)]
    with pytest.raises(NoLegalPlan, match=r"^the limit rule \(r0\) can't hold: .* is beyond it\. Raise rule"):
        solve(problem_of([1, 2], [0] * 3, apart[:1]), Options(time_limit=5, workers=1))


def test_many_limits_are_counted_after_the_first():
    rows = [Limit({arc: 1}, hi=0, level=HARD) for arc in range(8)]
    with pytest.raises(NoLegalPlan, match=r"rule \(r4\), rule \(r5\) and 2 more can't hold together"):
        solve(problem_of([8], [0] * 8, rows), Options(time_limit=5, workers=1))
