"""The rules that say which seats an account may take: trivial, violated, allowed, and the exact seats."""

import numpy as np
import pytest
from helpers import (
    TWO_PODS,
    about,
    arc_of,
    book_of,
    chosen,
    cost,
    formulation_of,
    messages,
    problem_of,
    seats,
    snapshot_of,
)

from rebalancer.rules import ELIGIBILITY
from rebalancer.rules.formulation import legacy


def seats_of(
    accounts, ams="am_id\nE-1\nE-2", *args, day="2026-01-01", model="coverage_units", overrides=None, **tables
):
    """The seats of account a."""
    return seats(problem_of(book_of(accounts, ams, day=day, **tables), model, overrides=overrides), "a")


# One seat


@about("one_seat", "trivial", "allowed", "exact")
def test_every_account_takes_exactly_one_of_its_seats():
    problem = problem_of(book_of("account_id,owner\na,E-1\nb,"))
    assert [seats(problem, account) for account in "ab"] == [["E-1", "E-2"]] * 2
    assert problem.is_complete(chosen(problem, "a E-1, b E-2"))
    a, b = arc_of(problem, "a", "E-1"), arc_of(problem, "b", "E-1")
    assert not problem.is_complete(np.array([a, -1]))
    assert not problem.is_complete(np.array([b, a]))
    assert not problem.is_complete(np.array([a]))
    assert list(problem.today) == [a, -1]


@about("one_seat", "violated")
def test_an_account_that_nobody_may_take_is_named_with_what_each_rule_left():
    accounts = "account_id,owner,region,language,skills,tier\na,,EMEA,fr,sap;bank,smb\nb,E-4,APAC,,,\nc,E-1,EMEA,,,"
    ams = (
        "am_id,region,language,skills,receives,status,tiers\nE-1,EMEA,en,,,,\nE-2,EMEA,fr,sap,,,\n"
        "E-3,EMEA,fr,,false,,\nE-4,APAC,,,,inactive,\nE-5,EMEA,,,,,enterprise"
    )
    chain = "of 5 AMs departures leaves 4, receiving leaves 3, tier segmentation leaves 2,"
    cure = "Widen an AM's tags or tiers, or fix a seat with assign_to."
    assert messages(lambda: problem_of(book_of(accounts, ams))) == [
        'accounts, column account_id, value "a": no AM may take this account (smb, region EMEA, language fr, skills '
        "bank;sap): it has no owner; "
        f"{chain} language leaves 1, skill leaves 0. {cure}",
        'accounts, column account_id, value "b": no AM may take this account (smb, region APAC): its owner E-4 has '
        "left; "
        f"{chain} region leaves 0. {cure}",
    ]


@about("one_seat", "violated")
@pytest.mark.parametrize(
    ("row", "whose"),
    [("a,E-1,C-1,", "its CSM C-1 has left"), ("a,,C-3,", "it has no owner"), ("a,E-1,C-3,E-2", "its seat is fixed")],
)
def test_where_no_pod_fits_the_message_says_so(row, whose):
    # C-2, the only one left of E-1's pod, serves APAC alone, and so does C-4, the one of E-2's
    people = {
        "csms": "csm_id,region,leaves_on\nC-1,,2025-12-31\nC-2,APAC,\nC-3,,\nC-4,APAC,",
        "pods": "pod_id,am_id,csm_id\nP,E-1,C-1\nP,E-1,C-2\nQ,E-2,C-4",
    }
    header = "account_id,owner,csm,assign_to,region"
    (message,) = messages(lambda: problem_of(book_of(f"{header}\n{row},EMEA", **people)))
    assert f"(smb, region EMEA): {whose}, and no pod fits. Widen" in message


# Departures


@about("departures", "trivial")
def test_where_nobody_has_left_every_am_is_a_seat():
    assert seats_of("account_id,owner\na,E-1", "am_id,leaves_on\nE-1,\nE-2,2026-01-02") == ["E-1", "E-2"]


@about("departures", "violated", "allowed", "exact")
@pytest.mark.parametrize("gone", ["2026-01-01,", "2020-01-01,active", ",inactive"])
def test_who_has_left_by_the_effective_date_ends_with_nothing(gone):
    problem = problem_of(book_of("account_id,owner\na,E-1\nb,E-2", f"am_id,leaves_on,status\nE-1,{gone}\nE-2,,"))
    assert [seats(problem, account) for account in "ab"] == [["E-2"], ["E-2"]]
    assert problem.today[0] == -1


@about("departures", "violated", "exact")
def test_a_csm_who_has_left_ends_with_nothing_and_the_am_stays():
    people = {**TWO_PODS, "csms": "csm_id,leaves_on\nC-1,2026-01-01\nC-2,2026-01-02"}
    people["pods"] += "\nP-1,E-1,C-2"
    assert seats_of("account_id,owner,csm\na,E-1,C-1", **people) == ["E-1 + C-2", "E-2 + C-2"]


# Receiving


@about("receiving", "trivial")
def test_an_am_who_receives_is_a_seat():
    assert seats_of("account_id,owner\na,E-1", "am_id,receives,starts_on\nE-1,,\nE-2,true,2026-01-01") == ["E-1", "E-2"]


@about("receiving", "violated", "exact")
@pytest.mark.parametrize(
    "columns", ["manager,,,", "gam,,,", "ae,,,", ",false,,", ",,leave,", ",,open,", ",,,2026-01-02", "ae,true,leave,"]
)
def test_who_does_not_receive_keeps_what_it_holds_and_gets_no_more(columns):
    problem = problem_of(
        book_of("account_id,owner\na,E-1\nb,E-2", f"am_id,role,receives,status,starts_on\nE-1,,,,\nE-2,{columns}")
    )
    assert [seats(problem, account) for account in "ab"] == [["E-1"], ["E-1", "E-2"]]


@about("receiving", "allowed")
def test_a_manager_receives_where_the_table_or_the_model_says_so():
    said = "am_id,role,receives\nE-1,,\nE-2,manager,true"
    assert seats_of("account_id,owner\na,E-1", said) == ["E-1", "E-2"]
    model = {"roles": {"manager": {"receives": True}}}
    assert seats_of("account_id,owner\na,E-1", "am_id,role\nE-1,\nE-2,manager", overrides=model) == ["E-1", "E-2"]


@about("receiving", "violated")
def test_a_csm_who_has_not_started_gets_no_account():
    people = {**TWO_PODS, "csms": "csm_id,starts_on\nC-1,\nC-2,2026-01-02", "pods": TWO_PODS["pods"] + "\nP-2,E-2,C-1"}
    assert seats_of("account_id,owner,csm\na,E-1,C-1", **people) == ["E-1 + C-1", "E-2 + C-1"]


def test_a_role_the_model_does_not_list_is_said_and_holds_any_tier():
    snapshot = snapshot_of(book_of("account_id\na", "am_id,role\nE-1,hunter"), "tiered_roles")
    assert 'the model "tiered_roles" lists no role "hunter"; its AMs hold any tier without a count limit' in str(
        snapshot.warnings[0]
    )
    assert snapshot.ams.max_accounts == (None,)


# Tier segmentation


@about("tier_segmentation", "trivial")
@pytest.mark.parametrize("tier", ["strategic", "enterprise", "mid_market", "smb"])
def test_an_open_book_takes_any_tier(tier):
    assert seats_of(f"account_id,owner,tier\na,E-1,{tier}") == ["E-1", "E-2"]


@about("tier_segmentation", "violated", "allowed", "exact")
@pytest.mark.parametrize(
    ("book", "model"), [("segmented", "coverage_units"), ("", "segmented"), ("open", "segmented"), ("blended", "pods")]
)
def test_an_am_with_tiers_takes_no_others_and_keeps_what_it_has(book, model):
    problem = problem_of(
        book_of(
            "account_id,owner,tier\na,E-1,smb\nb,E-1,enterprise\nc,E-2,smb",
            f"am_id,book,tiers\nE-1,open,\nE-2,{book},enterprise;strategic",
        ),
        model,
    )
    assert [seats(problem, account) for account in "abc"] == [["E-1"], ["E-1", "E-2"], ["E-1", "E-2"]]


@about("tier_segmentation", "allowed", "violated")
def test_a_segmented_am_without_tiers_serves_its_roles_else_todays_and_this_is_said():
    accounts = "account_id,owner,tier\na,E-9,smb\nb,E-2,enterprise"
    ams = "am_id,role,book\nE-1,strategic,\nE-2,,segmented\nE-3,,segmented\nE-9,,open"
    book = book_of(accounts, ams.replace("E-1,strategic", "E-1,junior"))
    model = {"roles": {"junior": {"tiers": ["smb", "mid_market"]}}}
    snapshot = formulation_of(book, "segmented", overrides=model)
    # E-1 by its role, E-2 by what it holds, E-3 holds nothing and takes any
    assert seats(snapshot.problem, "a") == ["E-1", "E-3", "E-9"]
    assert [str(warning) for warning in snapshot.snapshot.warnings] == [
        "ams: 2 segmented AMs name no tiers (E-2, E-3); each keeps to the tiers it holds today. Fill ams.tiers."
    ]


@about("tier_segmentation", "violated")
def test_a_pooled_book_takes_smb_unless_it_names_tiers():
    ams = "am_id,book,tiers\nE-1,,\nE-2,pooled,\nE-3,pooled,mid_market"
    assert seats_of("account_id,owner,tier\na,E-1,smb", ams) == ["E-1", "E-2"]
    assert seats_of("account_id,owner,tier\na,E-1,mid_market", ams) == ["E-1", "E-3"]


# Region, language, skill

TAGS = [("region", "region", "region"), ("language", "language", "language"), ("skill", "skills", "skills")]


def about_tags(*shows):
    """A test that shows these things of every rule of `TAGS`, one parameter each."""

    def note(test):
        for rule, _, _ in TAGS:
            about(rule, *shows)(test)
        return pytest.mark.parametrize(("rule", "of_account", "of_am"), TAGS)(test)

    return note


@about_tags("trivial")
def test_a_tag_missing_on_either_side_means_any(rule, of_account, of_am):
    assert seats_of(f"account_id,owner,{of_account}\na,E-1,", f"am_id,{of_am}\nE-1,\nE-2,x") == ["E-1", "E-2"]
    assert seats_of(f"account_id,owner,{of_account}\na,E-1,NA", f"am_id,{of_am}\nE-1,\nE-2,") == ["E-1", "E-2"]


@about_tags("violated", "allowed")
def test_a_tag_must_be_among_those_of_a_new_am(rule, of_account, of_am):
    problem = problem_of(
        book_of(
            f"account_id,owner,{of_account}\na,E-1,NA\nb,E-1,x\nc,E-3,na",
            f"am_id,{of_am}\nE-1,NA\nE-2,x;NA\nE-3,y",
        )
    )
    assert seats(problem, "a") == ["E-1", "E-2"]
    assert seats(problem, "b") == ["E-1", "E-2"]  # legacy: it may stay with E-1
    assert seats(problem, "c") == ["E-3"]  # tags are exact: na is not NA


@about_tags("violated", "exact")
def test_all_tags_of_an_account_are_needed_whatever_their_order_and_spaces(rule, of_account, of_am):
    ams = f"am_id,{of_am}\nE-1,\nE-2,p;q;r\nE-3,p"
    assert seats_of(f"account_id,owner,{of_account}\na,E-1,r ; p", ams) == ["E-1", "E-2"]


@about("region", "violated", "allowed")
def test_a_new_csm_serves_the_region_and_one_that_stays_is_not_asked():
    people = {
        "csms": "csm_id,region\nC-1,APAC\nC-2,APAC\nC-3,EMEA;APAC",
        "pods": "pod_id,am_id,csm_id\nP,E-1,C-1\nP,E-1,C-2\nQ,E-2,C-3\nQ,E-2,C-2",
    }
    assert seats_of("account_id,owner,csm,region\na,E-1,C-1,EMEA", **people) == ["E-1 + C-1", "E-2 + C-3"]
    assert "E-2 + C-2" in seats_of("account_id,owner,csm,region,assign_csm\na,E-1,C-1,EMEA,C-2", **people)


# Locks


@about("locks", "trivial")
def test_without_a_lock_every_am_is_a_seat():
    assert seats_of("account_id,owner,lock\na,E-1,false") == ["E-1", "E-2"]


@about("locks", "violated", "exact")
@pytest.mark.parametrize("row", ["true,,", "true,2026-01-01,", ",,2026-01-01", "false,,2026-06-01"])
def test_a_locked_account_stays_where_it_is(row):
    assert seats_of(f"account_id,owner,lock,lock_until,ae_hold_until\na,E-1,{row}") == ["E-1"]


@about("locks", "allowed")
@pytest.mark.parametrize("row", ["true,2025-12-31,", ",2027-01-01,", ",,2025-12-31"])
def test_a_lock_that_has_ended_holds_nobody(row):
    assert seats_of(f"account_id,owner,lock,lock_until,ae_hold_until\na,E-1,{row}") == ["E-1", "E-2"]


@about("locks", "allowed")
@pytest.mark.parametrize(("row", "kind"), [("true,", "manual"), (",2027-01-01", "ae_hold")])
def test_the_model_can_lift_a_kind_of_lock(row, kind):
    accounts = f"account_id,owner,lock,ae_hold_until\na,E-1,{row}"
    assert seats_of(accounts, overrides={"locks": {kind: False}}) == ["E-1", "E-2"]


@about("locks", "violated")
def test_a_locked_account_keeps_its_csm_too():
    accounts = "account_id,owner,csm,lock\na,E-1,C-1,true"
    people = {**TWO_PODS, "pods": TWO_PODS["pods"] + "\nP-1,E-1,C-2"}
    assert seats_of(accounts, **people) == ["E-1 + C-1"]
    left = {**people, "csms": "csm_id,leaves_on\nC-1,2025-01-01\nC-2,"}
    assert seats_of(accounts, **left) == ["E-1 + C-2"]


@about("locks", "allowed")
def test_a_lock_is_lifted_where_the_owner_has_left_and_this_is_said():
    rows = "a,E-1,true,,\nb,E-1,,,2027-01-01\nc,E-1,true,2025-12-31,\nd,E-2,true,,"
    accounts = f"account_id,owner,lock,lock_until,ae_hold_until\n{rows}"
    formulation = formulation_of(book_of(accounts, "am_id,status\nE-1,inactive\nE-2,"))
    assert [seats(formulation.problem, account) for account in "abcd"] == [["E-2"]] * 4
    lifted = [str(warning) for warning in formulation.snapshot.warnings if warning.code == "lock_lifted"]
    assert lifted == [
        f"accounts: the lock of {account} is lifted, since its owner E-1 has left." for account in "ab"
    ]  # that of c had ended before


@about("locks", "violated", "allowed")
def test_a_fixed_seat_is_the_only_one_and_is_asked_nothing():
    ams = "am_id,region,receives,status,starts_on\nE-1,,,,\nE-2,APAC,false,,\nE-3,,,open,2027-01-01"
    assert seats_of("account_id,owner,region,assign_to\na,E-1,EMEA,E-2", ams) == ["E-2"]
    assert seats_of("account_id,owner,region,assign_to\na,E-1,EMEA,E-3", ams) == ["E-3"]
    assert seats_of("account_id,owner,region,assign_to\na,,EMEA,E-2", ams) == ["E-2"]


@about("locks", "violated", "exact")
def test_an_assigned_csm_is_the_only_one():
    people = {**TWO_PODS, "pods": TWO_PODS["pods"] + "\nP-1,E-1,C-2"}
    assert seats_of("account_id,owner,csm,assign_csm\na,E-1,C-1,C-2", **people) == ["E-1 + C-2", "E-2 + C-2"]
    assert seats_of("account_id,owner,csm,assign_to,assign_csm\na,E-1,C-1,E-2,C-2", **people) == ["E-2 + C-2"]


GONE = "this AM has left or is on leave and can't receive the account. Name another AM."


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            "E-1,,true,E-2,",
            'assign_to, value "E-2": the account is locked to another AM. Remove the lock or assign_to.',
        ),
        (
            "E-1,C-1,true,,C-2",
            'assign_csm, value "C-2": the account is locked to another CSM. Remove the lock or assign_csm.',
        ),
        ("E-1,,,E-3,", f'assign_to, value "E-3": {GONE}'),
        ("E-1,,,E-4,", f'assign_to, value "E-4": {GONE}'),
        ("E-1,,,,C-3", 'assign_csm, value "C-3": this CSM has left. Name another CSM.'),
    ],
)
def test_a_fixed_seat_that_cannot_be_is_refused(row, message):
    ams = "am_id,status\nE-1,\nE-2,\nE-3,inactive\nE-4,leave"
    people = {**TWO_PODS, "csms": "csm_id,leaves_on\nC-1,\nC-2,\nC-3,2025-01-01"}
    book = book_of(f"account_id,owner,csm,lock,assign_to,assign_csm\na,{row}", ams, **people)
    assert messages(lambda: snapshot_of(book)) == [f"accounts, account a, column {message}"]


def test_an_assigned_csm_without_pods_has_no_effect_and_this_is_said():
    snapshot = snapshot_of(book_of("account_id,owner,assign_csm\na,E-1,C-2", csms="csm_id\nC-2"))
    assert [str(warning) for warning in snapshot.warnings] == [
        "accounts: 1 accounts name a CSM in assign_csm, which has no effect without pods. "
        "Add a pods table, or set pods.mode to on."
    ]


# Pods


@about("pods", "trivial")
def test_without_pods_a_seat_is_an_am_alone():
    assert seats_of("account_id,owner,csm\na,E-1,C-1", csms="csm_id\nC-1") == ["E-1", "E-2"]
    assert seats_of("account_id,owner,csm\na,E-1,C-1", **TWO_PODS, overrides={"pods": {"mode": "off"}}) == [
        "E-1",
        "E-2",
    ]


@about("pods", "violated", "exact")
def test_a_new_seat_is_a_pair_of_a_pod():
    people = {**TWO_PODS, "csms": "csm_id\nC-1\nC-2\nC-3", "pods": TWO_PODS["pods"] + "\nP-2,E-2,C-1"}
    problem = problem_of(book_of("account_id,owner,csm,arr,tier\na,E-1,C-1,100000,enterprise", **people))
    # C-3 is in no pod, and E-1 has C-1 alone. 2000 + 15400, once and two and a half times
    assert {seat: cost(problem, "a", seat) for seat in seats(problem, "a")} == {
        "E-1 + C-1": 0, "E-2 + C-1": 17_400, "E-2 + C-2": 43_500,
    }  # fmt: skip


@about("pods", "allowed")
def test_todays_pair_may_stay_though_it_is_in_no_pod():
    assert seats_of("account_id,owner,csm\na,E-1,C-2", **TWO_PODS) == ["E-1 + C-1", "E-1 + C-2", "E-2 + C-2"]


@about("pods", "allowed", "violated")
def test_an_account_without_a_csm_is_given_none():
    assert seats_of("account_id,owner\na,E-1", **TWO_PODS) == ["E-1", "E-2"]


@about("pods", "allowed", "exact")
def test_an_am_without_a_pod_takes_an_account_without_its_csm():
    people = {**TWO_PODS, "pods": "pod_id,am_id,csm_id\nP-1,E-1,C-1"}
    problem = problem_of(book_of("account_id,owner,csm,arr,tier\na,E-1,C-1,100000,enterprise", **people))
    assert {seat: cost(problem, "a", seat) for seat in seats(problem, "a")} == {"E-1 + C-1": 0, "E-2": 43_500}


@about("pods", "allowed")
def test_a_pod_whose_csms_have_all_left_is_none():
    people = {**TWO_PODS, "csms": "csm_id,leaves_on\nC-1,\nC-2,2025-01-01"}
    assert seats_of("account_id,owner,csm\na,E-1,C-1", **people) == ["E-1 + C-1", "E-2"]


# Pod continuity


@about("pod_continuity", "trivial", "exact")
def test_prefer_only_prices_the_loss_of_both():
    people = {**TWO_PODS, "pods": TWO_PODS["pods"] + "\nP-1,E-1,C-2\nP-2,E-2,C-1"}
    problem = problem_of(book_of("account_id,owner,csm,arr,tier\na,E-1,C-1,0,enterprise", **people))
    assert {seat: cost(problem, "a", seat) for seat in seats(problem, "a")} == {
        "E-1 + C-1": 0, "E-1 + C-2": 1_000, "E-2 + C-1": 2_000, "E-2 + C-2": 5_000,
    }  # fmt: skip


ALL_PAIRS = {**TWO_PODS, "pods": TWO_PODS["pods"] + "\nP-1,E-1,C-2\nP-2,E-2,C-1"}


def continuity(mode, accounts="account_id,owner,csm\na,E-1,C-1", ams="am_id\nE-1\nE-2", **people):
    return seats_of(accounts, ams, overrides={"pods": {"continuity": mode}}, **{**ALL_PAIRS, **people})


@about("pod_continuity", "violated", "allowed", "exact")
def test_never_both_keeps_one_familiar_face():
    assert continuity("never_both") == ["E-1 + C-1", "E-1 + C-2", "E-2 + C-1"]


@about("pod_continuity", "violated", "allowed", "exact")
def test_hard_moves_both_or_neither():
    assert continuity("hard") == ["E-1 + C-1", "E-2 + C-2"]


@about("pod_continuity", "allowed")
@pytest.mark.parametrize("mode", ["never_both", "hard"])
def test_continuity_is_lifted_where_one_of_them_has_left(mode):
    assert continuity(mode, ams="am_id,status\nE-1,inactive\nE-2,") == ["E-2 + C-1", "E-2 + C-2"]
    assert continuity(mode, csms="csm_id,leaves_on\nC-1,2025-01-01\nC-2,") == ["E-1 + C-2", "E-2 + C-2"]


@about("pod_continuity", "allowed")
@pytest.mark.parametrize("mode", ["never_both", "hard"])
def test_an_account_without_a_csm_has_no_continuity_to_lose(mode):
    assert continuity(mode, "account_id,owner\na,E-1") == ["E-1", "E-2"]


@about("pod_continuity", "allowed")
def test_a_seat_the_planner_fixed_wins_over_continuity():
    fixed = "account_id,owner,csm,assign_to,assign_csm\na,E-1,C-1,E-2,C-2"
    assert continuity("never_both", fixed) == ["E-2 + C-2"]
    assert continuity("hard", "account_id,owner,csm,assign_csm\na,E-1,C-1,C-2") == ["E-2 + C-2"]


def test_the_level_continuity_counts_csm_changes_and_pod_breaks():
    book = book_of("account_id,owner,csm\na,E-1,C-1", **ALL_PAIRS)
    problem = problem_of(book, measure="accounts")
    assert {seat: cost(problem, "a", seat, "continuity") for seat in seats(problem, "a")} == {
        "E-1 + C-1": 0, "E-1 + C-2": 1, "E-2 + C-1": 0, "E-2 + C-2": 2,
    }  # fmt: skip
    assert [level.name for level in problem.levels] == [
        "overload",
        "disruption",
        "continuity",
        "balance",
        "fit",
        "ties",
    ]
    assert [level.name for level in problem_of(book).levels] == ["overload", "disruption", "balance", "fit", "ties"]


# Legacy

MISFIT = "account_id,owner,region,lock,assign_to\na,E-1,EMEA,,\nb,E-1,,,\nc,,EMEA,,"
EMEA_LATER = "am_id,region\nE-1,APAC\nE-2,EMEA"


def test_a_legacy_account_is_marked_and_may_stay():
    formulation = formulation_of(book_of(MISFIT, EMEA_LATER))
    assert legacy(formulation.snapshot, ELIGIBILITY).tolist() == [True, False, False]
    assert seats(formulation.problem, "a") == ["E-1", "E-2"]


def cured(accounts, ams):
    return seats_of(accounts, ams, overrides={"limits": {"cure_legacy": True}})


def test_cure_legacy_moves_it_to_where_it_belongs():
    assert cured(MISFIT, EMEA_LATER) == ["E-2"]


def test_cure_legacy_leaves_what_is_locked_fixed_or_has_nowhere_to_go():
    assert cured(MISFIT.replace("EMEA,,\nb", "EMEA,true,\nb"), EMEA_LATER) == ["E-1"]
    assert cured(MISFIT.replace("EMEA,,\nb", "EMEA,,E-1\nb"), EMEA_LATER) == ["E-1"]
    assert cured("account_id,owner,region\na,E-1,EMEA", "am_id,region\nE-1,APAC\nE-2,APAC") == ["E-1"]


@pytest.mark.parametrize("columns", ["ae,,", "manager,,", ",leave,", ",,false"])
def test_cure_legacy_leaves_those_who_receive_nothing_what_they_hold(columns):
    ams = f"am_id,role,status,receives\nE-1,{columns}\nE-2,,,"
    assert cured("account_id,owner\na,E-1", ams) == ["E-1", "E-2"]
