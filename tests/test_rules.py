"""The rules as a whole: each is checked a second time by `verify`, and each is shown by tests."""

import pytest
import test_global_programme
import test_refused
import test_rules_rows
import test_rules_seats
import test_rules_team
from helpers import COVERED, TWO_PODS, book_of, formulation_of, problem_of, seats

from rebalancer.problem import HARD
from rebalancer.rules import ELIGIBILITY, RULES
from rebalancer.rules.formulation import formulate
from rebalancer.verify.checks import CHECKS

MODULES = (test_global_programme, test_refused, test_rules_rows, test_rules_seats, test_rules_team)
NAMES = [rule.name for rule in RULES]
SOFT = {"balance", "fairness"}
"""Rules that only order legal plans: there is nothing to break."""


def test_every_rule_has_a_check_of_its_name_in_verify_and_the_other_way_round():
    assert set(CHECKS) == set(NAMES) - SOFT


def test_every_rule_has_a_name_of_its_own_and_says_what_it_limits():
    assert len(set(NAMES)) == len(NAMES)
    assert all(NAMES)
    assert all(type(rule).__doc__ for rule in RULES)
    assert set(ELIGIBILITY) <= set(RULES)


@pytest.mark.parametrize("name", NAMES)
def test_every_rule_is_shown_as_trivial_violated_allowed_and_exact(name):
    assert COVERED.get(name, set()) == {"trivial", "violated", "allowed", "exact"}


def test_no_test_speaks_of_a_rule_that_is_not_there():
    assert set(COVERED) == set(NAMES)
    assert all(module.__doc__ for module in MODULES)


def test_no_limit_is_hard_so_that_changing_nothing_is_always_a_plan():
    book = book_of(
        "account_id,owner,csm\na,E-1,C-1",
        "am_id,book,max_accounts,floor\nE-1,blended,0,0.5\nE-2,segmented,0,",
        **TWO_PODS,
    )
    problem = problem_of(book)
    assert {"units_cap", "accounts_limit", "blended_limit", "csm_load", "floor", "balance"} == set(problem.rows.rules)
    assert (problem.rows.level != HARD).all()
    assert problem.is_complete(problem.today)


def test_a_rule_left_out_takes_its_limit_with_it():
    snapshot = formulation_of(
        book_of("account_id,owner,region\na,E-1,EMEA", "am_id,region\nE-1,EMEA\nE-2,APAC")
    ).snapshot
    without = tuple(rule for rule in RULES if rule.name not in ("region", "units_cap"))
    problem = formulate(snapshot, without).problem
    assert seats(problem, "a") == ["E-1", "E-2"]
    assert set(problem.rows.rules) == {"balance"}
