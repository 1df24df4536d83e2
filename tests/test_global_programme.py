"""The rule on the global account programme: GAMs change last, and their accounts lie with few AMs."""

import json
from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest
from helpers import about, arc_of, book_of, chosen, formulation_of, problem_of, seats
from random_books import Case, random_case
from test_engine import problem_of as engine_problem
from test_verify import broken

import rebalancer as rb
from rebalancer.alternatives import Alternatives
from rebalancer.coverage import load_model
from rebalancer.engine import Options, component, solve
from rebalancer.errors import RebalancerError
from rebalancer.global_accounts import gam_of, led_families
from rebalancer.problem import HARD, Gates, Level
from rebalancer.rules import RULES
from rebalancer.rules.formulation import formulate
from rebalancer.rules.global_programme import programme_warnings
from rebalancer.snapshot import take_snapshot
from rebalancer.verify import Ledger, verify_tables
from rebalancer.verify.global_programme import pairs

TEAM = "am_id,role\nG-1,gam\nG-2,gam\nE-1,\nE-2,\nE-3,"
OFF = {"programme": {"overlap": "off"}}


def overlap(problem, plan):
    return problem.values(chosen(problem, plan))[problem.level_index("overlap")]


# Which GAM leads an account


def test_an_account_without_a_gam_takes_the_only_one_of_its_family():
    accounts = book_of("account_id,parent_id,gam\na,,G-1\nb,a,\nc,b,\nd,,\ne,d,G-1\nf,d,G-2\ng,d,").accounts
    assert dict(zip(accounts["account_id"], gam_of(accounts, accounts), strict=True)) == {
        "a": "G-1", "b": "G-1", "c": "G-1", "d": "", "e": "G-1", "f": "G-2", "g": "",
    }  # fmt: skip
    assert led_families(accounts).to_numpy().tolist() == [["a", "G-1"], ["d", "G-1"], ["d", "G-2"]]


# Gates


@about("global_programme", "trivial")
def test_a_book_without_gams_has_neither_gates_nor_the_level():
    problem = problem_of(book_of("account_id,owner\na,E-1", TEAM))
    assert len(problem.gates) == 0
    assert problem.level_index("overlap") is None


def test_the_level_comes_after_disruption_and_continuity_and_can_be_switched_off():
    book = book_of("account_id,owner,gam\na,E-1,G-1", TEAM)
    names = [level.name for level in problem_of(book, measure="accounts").levels]
    assert names[:4] == ["overload", "disruption", "continuity", "overlap"]
    assert problem_of(book, overrides=OFF).level_index("overlap") is None


@about("global_programme", "exact")
def test_a_gate_opens_with_any_account_of_a_gams_families_and_counts_once():
    accounts = "account_id,owner,gam\na,E-1,G-1\nb,E-2,G-1\nc,E-1,G-2\nd,E-3,"
    problem = problem_of(book_of(accounts, TEAM))
    assert problem.gates.names == ("G-1 + E-1", "G-1 + E-2", "G-1 + E-3", "G-2 + E-1", "G-2 + E-2", "G-2 + E-3")
    assert overlap(problem, "a E-1, b E-2, c E-1, d E-3") == 3
    assert overlap(problem, "a E-2, b E-2, c E-2, d E-3") == 2
    arcs = [slice(*problem.gates.ptr[k : k + 2]) for k in range(6)]
    assert problem.gates.arc[arcs[0]].tolist() == [arc_of(problem, "a", "E-1"), arc_of(problem, "b", "E-1")]


def test_a_gam_who_owns_an_account_is_no_pair_with_itself():
    problem = problem_of(book_of("account_id,owner,gam\na,G-1,G-1\nb,E-1,G-1", TEAM))
    assert overlap(problem, "a G-1, b E-1") == 1


def test_a_family_that_moves_together_opens_a_gate_once():
    accounts = "account_id,owner,gam,parent_id\na,E-1,G-1,\nb,E-1,G-1,a\nc,E-2,G-1,a"
    problem = problem_of(book_of(accounts, TEAM))
    names = [name for name in problem.gates.names if name == "G-1 + E-1"]
    assert len(names) == 1
    entries = problem.gates.arc[: problem.gates.ptr[1]]
    assert len(entries) == len(set(entries.tolist()))
    assert problem.values(problem.today)[2] == 2


# A GAM is changed last


@about("global_programme", "violated", "allowed", "exact")
def test_an_account_that_its_own_gam_owns_has_no_other_seat_unless_the_planner_or_a_departure_says_so():
    def seats_of(row, ams=TEAM):
        return seats(problem_of(book_of(f"account_id,owner,gam,assign_to\na,{row}", ams)), "a")

    assert seats_of("G-1,G-1,") == ["G-1"]
    assert seats_of("G-1,G-2,") == ["E-1", "E-2", "E-3", "G-1"]
    assert seats_of("E-1,G-1,") == ["E-1", "E-2", "E-3"]
    assert seats_of("G-1,G-1,E-2") == ["E-2"]
    gone = "am_id,role,leaves_on\nG-1,gam,2025-12-31\nE-1,,"
    assert seats_of("G-1,G-1,", gone) == ["E-1"]


def test_a_family_with_an_account_of_its_gam_stays_as_it_is():
    accounts = "account_id,owner,gam,parent_id\na,G-1,G-1,\nb,E-1,,a"
    plan = rb.propose(book_of(accounts, TEAM), time_limit=5)
    assert plan.assignments["to_am"].tolist() == ["G-1", "E-1"]


# Warnings


def warnings_of(accounts, ams=TEAM, overrides=None):
    snapshot = formulation_of(book_of(accounts, ams), overrides=overrides).snapshot
    return list(programme_warnings(snapshot))


@about("global_programme", "allowed")
def test_nothing_is_warned_of_where_every_global_family_has_a_gam_who_is_there():
    assert warnings_of("account_id,owner,gam,is_global\na,E-1,G-1,true\nb,E-1,,") == []


def test_global_families_without_a_gam_are_named():
    accounts = "account_id,owner,gam,is_global,parent_id\na,E-1,,true,\nb,E-1,G-1,true,\nc,E-1,,true,b"
    assert warnings_of(accounts) == ["1 global family has no GAM: a."]
    many = "account_id,owner,is_global\n" + "\n".join(f"a{i},E-1,true" for i in range(7))
    assert warnings_of(many) == ["7 global families have no GAM: a0, a1, a2, a3, a4 and 2 more."]


@about("global_programme", "violated")
def test_a_gam_with_more_families_than_the_limit_is_warned_of():
    accounts = "account_id,owner,gam\na,E-1,G-1\nb,E-1,G-1\nc,E-1,G-1\nd,E-1,G-2"
    limit = {"programme": {"families_per_gam": 2}}
    assert warnings_of(accounts, overrides=limit) == ["GAM G-1 leads 3 global families; 2 is the most."]
    assert warnings_of(accounts, overrides={"programme": {"families_per_gam": 3}}) == []
    assert warnings_of(accounts, overrides={"programme": {"families_per_gam": "none"}}) == []


def test_the_families_of_a_gam_who_leaves_need_a_new_one_and_the_plan_leaves_the_column_alone():
    ams = "am_id,role,status\nG-1,gam,inactive\nE-1,,\nE-2,,"
    book = book_of("account_id,owner,gam\na,E-1,G-1\nb,E-2,G-1", ams)
    proposal = rb.propose(book, time_limit=5)
    assert "GAM G-1 has left: a, b need a new one." in proposal.warnings
    assert proposal.book_after().accounts["gam"].tolist() == ["G-1", "G-1"]


# In the plan


LED = """account_id,owner,arr,gam
a,GONE,200000,G-1
b,GONE,200000,G-1
c,GONE,200000,G-2
d,GONE,200000,G-2
"""
ROOM = "am_id,role,status,capacity\nGONE,,inactive,\nG-1,gam,,\nG-2,gam,,\nE-1,,,10\nE-2,,,10"


def test_among_equal_plans_each_gam_works_with_one_am_where_that_is_possible():
    proposal = rb.propose(book_of(LED, ROOM), time_limit=5)
    assert proposal.level("overlap") == {
        "name": "overlap", "value": 2, "bound": 2, "gap": 0.0, "proof": "solver", "certificate_bound": 0,
    }  # fmt: skip
    plan = proposal.assignments.set_index("account_id")["to_am"]
    assert plan["a"] == plan["b"] != plan["c"] == plan["d"]


def test_overlap_never_costs_disruption():
    book = book_of("account_id,owner,arr,gam\na,E-1,200000,G-1\nb,E-2,200000,G-1", TEAM)
    proposal = rb.propose(book, time_limit=5)
    assert proposal.status == "no_change"
    assert proposal.level("overlap")["value"] == 2


def test_another_seat_that_spreads_a_gams_accounts_says_so():
    formulation = formulation_of(book_of(LED, ROOM))
    problem = formulation.problem
    plan = chosen(problem, "a E-1, b E-1, c E-2, d E-2")
    found = Alternatives(formulation, plan, range(4)).of(0)
    index = problem.level_index("overlap")
    assert [other.extra[index] for other in found] == [1]
    free = replace(
        problem, rows=replace(problem.rows, level=np.full(len(problem.rows), 3), penalty=problem.rows.lo * 0)
    )
    others = Alternatives(replace(formulation, problem=free), plan, range(4))
    assert others.drawback(others.of(0)[0]) == "spreads a GAM's accounts over more AMs"


@pytest.mark.parametrize("seed", range(25))
def test_what_another_seat_adds_to_overlap_is_the_difference_of_the_two_plans(seed):
    case = with_gams(random_case(seed), seed)
    formulation = formulate(take_snapshot(case.book, case.model, case.scope, case.measure), RULES) if case else None
    if formulation is None:
        return
    problem, rng = formulation.problem, np.random.default_rng(seed)
    first = np.searchsorted(problem.arc_group, np.arange(len(problem.groups)))
    plan = first + rng.integers(0, np.bincount(problem.arc_group))
    others = Alternatives(formulation, plan, range(len(formulation.group_of)))
    now = np.array(problem.values(plan))
    for account, group in enumerate(formulation.group_of):
        for other in others.of(account):
            elsewhere = plan.copy()
            elsewhere[group] = other.arc
            assert other.extra == tuple(np.array(problem.values(elsewhere)) - now)


# Against every plan there is

MOST_PLANS = 1_000


def with_gams(case, seed):
    """The case with GAMs named on most accounts, some of them AMs of the book; None where an account has no seat."""
    rng = np.random.default_rng(seed)
    accounts = case.book.accounts.copy()
    names = ["", "X", "Y", *case.book.ams["am_id"]]
    accounts["gam"] = rng.choice(
        names, len(accounts), p=[0.2, 0.35, 0.25, *[0.2 / (len(names) - 3)] * (len(names) - 3)]
    )
    tables = {name: table for name, table in case.book.tables.items() if len(table)} | {"accounts": accounts}
    book = rb.Book.from_frames(**tables, effective_date=case.book.effective_date)
    case = Case(book, case.model, case.scope, case.measure)
    try:
        formulate(take_snapshot(case.book, case.model, case.scope, case.measure), RULES)
    except RebalancerError:
        return None
    return case


def every_plan(ledger):
    """Every plan as `verify` sees it, None where there are too many."""
    options = [ledger.options(group) for group in ledger.groups()]
    if np.prod([float(len(found)) for found in options]) > MOST_PLANS:
        return None
    return [{name: seat for part in joint for name, seat in part.items()} for joint in product(*options)]


def least(case):
    """The least (overload, disruption, continuity, overlap) over all plans, from the facts of `verify` alone."""
    ledger = Ledger.build(case.book.text_tables(), case.model, case.book.effective_date, case.scope)
    plans = every_plan(ledger)
    if plans is None or case.model.budgets != load_model("coverage_units").budgets:
        return None

    def values(plan):
        changes = [ledger.changes(name, *seat) for name, seat in plan.items()]
        continuity = 0 if case.measure == "revenue_at_risk" else sum(csm + (am and csm) for am, csm in changes)
        cost = sum(ledger.cost(name, *seat, case.measure) for name, seat in plan.items())
        return ledger.overload(plan), cost, continuity, pairs(ledger, plan) or 0

    return min(values(plan) for plan in plans)


def test_the_plan_of_a_small_book_is_the_least_of_all_plans_in_overlap_too():
    compared = told = 0
    for seed in range(80):
        case = with_gams(random_case(seed, accounts=(3, 7)), seed)
        expected = None if case is None else least(case)
        if expected is None:
            continue
        formulation = formulate(take_snapshot(case.book, case.model, case.scope, case.measure), RULES)
        outcome = solve(formulation.problem, Options(time_limit=20, workers=1))
        found = {level.name: level.value for level in outcome.levels}
        values = (found["overload"], found["disruption"], found.get("continuity", 0), found.get("overlap", 0))
        assert values == expected, seed
        compared += 1
        told += found.get("overlap", 0) > 1
    assert compared >= 40
    assert told >= 20


def large_book(n_ams, per_am, led, gams):
    """AMs with room, and accounts of a leaver whose GAMs take turns: any AM may take them at the same disruption."""
    owned = [(f"A-{am:02d}-{k}", f"M-{am:02d}", "") for am in range(n_ams) for k in range(per_am)]
    left = [(f"L-{k:03d}", "GONE", f"G-{k % gams}") for k in range(led)]
    accounts = pd.DataFrame([*owned, *left], columns=["account_id", "owner", "gam"])
    ams = pd.DataFrame({"am_id": [*(f"M-{am:02d}" for am in range(n_ams)), "GONE"], "name": "", "status": ""})
    ams.loc[ams["am_id"] == "GONE", "status"] = "inactive"
    return rb.Book.from_frames(
        accounts.assign(name="", arr=200_000, tier="enterprise"), ams, effective_date="2026-01-01"
    )


@pytest.mark.parametrize(
    ("book", "expected"),
    [((6, 10, 20, 2), 2), ((15, 10, 30, 1), 3)],
    ids=["480 arcs", "2,700 arcs"],
)
def test_a_component_of_any_size_that_is_solved_as_a_whole_finds_the_least_overlap(book, expected):
    """Ten places are free with each AM, so 10 accounts of one GAM fit with one, and 30 with three."""
    proposal = rb.propose(large_book(*book), time_limit=30, workers=1)
    assert proposal.status == "optimal"
    assert proposal.level("overlap")["value"] == expected
    assert proposal.level("disruption")["proof"] == "certificate"


def test_a_component_too_large_for_a_proof_still_finds_a_plan_that_keeps_every_limit():
    """10,200 arcs: the level is improved among equal seats only, and no bound is claimed."""
    proposal = rb.propose(large_book(30, 10, 40, 1), time_limit=30, workers=1)
    level = proposal.level("overlap")
    assert proposal.status == "optimal"
    assert 4 <= level["value"] <= 30
    assert level["proof"] is None


def two_groups_and_a_gate():
    """Either group may change at no cost in disruption; the first one opens a gate, and both would help balance."""
    problem = engine_problem([2, 2], [0, 0, 0, 0], [], balance=[5, 0, 5, 0])
    rows = replace(
        problem.rows,
        names=("tie",), rules=("rule",), ptr=np.array([0, 2]), arc=np.array([0, 2]), weight=np.array([1, 1]),
        lo=np.array([0]), hi=np.array([9]), level=np.array([HARD]), penalty=np.array([0]),
    )  # fmt: skip
    gates = Gates(("k",), np.array([0, 1]), np.array([1]))
    none, one = np.array([0]), np.array([1])
    overload, disruption, balance = (replace(level, gate_cost=none) for level in problem.levels)
    levels = (overload, disruption, Level("overlap", np.zeros(4, dtype=np.int64), one), balance)
    return replace(problem, rows=rows, gates=gates, levels=levels)


def values_found():
    outcome = solve(two_groups_and_a_gate(), Options(time_limit=5, workers=1, isolate=False))
    return [level.value for level in outcome.levels]


def test_a_level_after_one_of_gates_alone_keeps_them_shut():
    assert values_found() == [0, 0, 0, 5]


def test_so_does_a_component_too_large_to_be_solved_as_a_whole(monkeypatch):
    monkeypatch.setattr(component, "WHOLE_LATER", 0)
    assert values_found() == [0, 0, 0, 5]


# Verify counts again


def checked(book, proposal, record=None, model=None):
    return verify_tables(
        book.text_tables(),
        model or proposal.model,
        effective_date=book.effective_date,
        scope="full",
        measure="revenue_at_risk",
        assignments=proposal.assignments,
        proposal=record or proposal.record,
    )


def test_verify_recounts_the_level_from_the_tables():
    book = book_of(LED, ROOM)
    proposal = rb.propose(book, time_limit=5)
    assert checked(book, proposal) == []
    record = json.loads(json.dumps(proposal.record))
    next(level for level in record["levels"] if level["name"] == "overlap")["value"] = 1
    assert next(str(found) for found in checked(book, proposal, record)) == (
        "(recount) proposal.json, level overlap, value: claimed 1, recounted 2"
    )
    record["levels"] = [level for level in record["levels"] if level["name"] != "overlap"]
    assert "overlap is there 0 times" in str(checked(book, proposal, record)[0])


def test_verify_refuses_the_level_where_there_is_none():
    book = book_of("account_id,owner\na,E-1", TEAM)
    proposal = rb.propose(book, time_limit=5)
    record = json.loads(json.dumps(proposal.record))
    record["levels"].append({"name": "overlap", "value": 0, "bound": 0, "gap": 0.0})
    assert "overlap is no level of a plan without GAMs" in str(checked(book, proposal, record)[0])


@pytest.mark.parametrize(
    ("accounts", "ams", "missing"),
    [
        ("account_id,owner,is_global\na,E-1,true", TEAM, "1 global families have no GAM"),
        ("account_id,owner,gam\na,E-1,G-1", "am_id,status\nG-1,inactive\nE-1,", "GAM G-1 has left"),
        (
            "account_id,owner,gam\n" + "\n".join(f"a{i},E-1,G-1" for i in range(6)),
            TEAM,
            "GAM G-1 leads 6 global families, more than 5",
        ),
    ],
)
def test_verify_asks_for_every_warning_of_the_programme(accounts, ams, missing):
    book = book_of(accounts, ams)
    proposal = rb.propose(book, time_limit=5)
    assert checked(book, proposal) == []
    record = {**proposal.record, "warnings": []}
    (found,) = [str(violation) for violation in checked(book, proposal, record)]
    assert found.startswith(f"(global_programme) {missing}")


def test_verify_refuses_a_plan_that_takes_an_account_from_its_gam():
    accounts = "account_id,owner,arr,gam\na,G-1,0,G-1"
    assert broken("global_programme", "a G-1", accounts, TEAM) == []
    (found,) = broken("global_programme", "a E-1", accounts, TEAM)
    assert "a is owned by G-1, its GAM, and goes to E-1" in found


@pytest.mark.parametrize("seed", range(60))
def test_verify_knows_the_same_gams_and_counts_the_same_pairs(seed):
    case = with_gams(random_case(seed), seed)
    if case is None:
        return
    formulation = formulate(take_snapshot(case.book, case.model, case.scope, case.measure), RULES)
    ledger = Ledger.build(case.book.text_tables(), case.model, case.book.effective_date, case.scope)
    snapshot, problem = formulation.snapshot, formulation.problem
    rng = np.random.default_rng(seed)
    first = np.searchsorted(problem.arc_group, np.arange(len(problem.groups)))
    plan = first + rng.integers(0, np.bincount(problem.arc_group))
    to_am, _ = formulation.seats(plan)
    seated = {name: (snapshot.ams.ids[am], "") for name, am in zip(snapshot.accounts.ids, to_am, strict=True)}
    assert {name: ledger.gams.get(name, "") for name in snapshot.accounts.ids} == dict(
        zip(snapshot.accounts.ids, snapshot.gam, strict=True)
    )
    index = problem.level_index("overlap")
    assert pairs(ledger, seated) == (None if index is None else problem.values(plan)[index])


def test_the_shipped_models_switch_it_on():
    assert {load_model(name).programme.overlap for name in rb.model_names()} == {"on"}
