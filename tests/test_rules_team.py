"""The rules on families, pools, budgets and people to come: trivial, violated, allowed, and exact."""

import pytest
from helpers import TWO_PODS, about, book_of, excess, formulation_of, messages, problem_of, row_names, row_of, seats

import rebalancer as rb
from rebalancer.rules.formulation import SEVERAL_SEATS
from rebalancer.rules.pod_size import pod_size_warnings

THREE = "am_id\nE-1\nE-2\nE-3"


def family_seats(formulation, account):
    """The joint seats of an account's family: one `member book CSM` text per arc."""
    arcs, accounts = formulation.arcs, formulation.snapshot
    group = formulation.group_of[accounts.accounts.ids.index(account)]
    found = []
    for arc in [number for number in range(arcs.n_arcs) if arcs.group[number] == group]:
        places = [index for index in range(len(arcs)) if arcs.arc[index] == arc]
        csms = [*accounts.csms.ids, "-"]
        found.append(
            ", ".join(
                f"{accounts.accounts.ids[arcs.account[p]]} {accounts.ams.ids[arcs.am[p]]} {csms[arcs.csm[p]]}"
                for p in places
            )
        )
    return found


# Families

SPLIT = "account_id,owner,parent_id\na,E-1,\nb,E-2,a\nc,E-1,"


@about("families", "trivial", "exact")
def test_an_account_without_relatives_stands_alone():
    problem = problem_of(book_of(SPLIT))
    assert problem.groups == ("a", "c")
    assert seats(problem, "c") == ["E-1", "E-2"]


@about("families", "allowed", "exact")
def test_a_split_family_stays_as_it_is_or_unites():
    formulation = formulation_of(book_of(SPLIT, THREE))
    assert family_seats(formulation, "a") == [
        "a E-1 -, b E-1 -",
        "a E-1 -, b E-2 -",
        "a E-2 -, b E-2 -",
        "a E-3 -, b E-3 -",
    ]
    problem = formulation.problem
    assert problem.today[0] >= 0
    assert problem.seats[problem.arc_seat[problem.today[0]]] == SEVERAL_SEATS
    # arr 0, tier smb: a handover costs 50, and only those who move pay it
    assert problem.levels[1].arc_cost[problem.arc_group == 0].tolist() == [50, 0, 50, 100]


@about("families", "violated")
def test_a_family_never_splits_further():
    formulation = formulation_of(book_of("account_id,owner,parent_id\na,E-1,\nb,E-1,a", THREE))
    assert family_seats(formulation, "a") == ["a E-1 -, b E-1 -", "a E-2 -, b E-2 -", "a E-3 -, b E-3 -"]


@about("families", "exact")
def test_the_units_of_a_family_count_in_every_book_that_holds_a_part():
    book = book_of("account_id,owner,parent_id,tier\na,E-1,,enterprise\nb,E-2,a,mid_market")
    problem = problem_of(book)
    rows = problem.rows
    loads = {}
    for index, name in enumerate(rows.names):
        if rows.rules[index] == "units_cap":
            entries = slice(rows.ptr[index], rows.ptr[index + 1])
            loads[name] = dict(zip(rows.arc[entries].tolist(), rows.weight[entries].tolist(), strict=True))
    united_at_1, as_today, united_at_2 = range(3)
    assert loads == {
        "E-1": {united_at_1: 700, as_today: 500},
        "E-2": {as_today: 200, united_at_2: 700},
    }


@about("families", "violated", "allowed")
def test_the_highest_tier_of_a_family_decides_where_it_may_go():
    accounts = "account_id,owner,parent_id,tier\na,E-1,,smb\nb,E-1,a,enterprise"
    ams = "am_id,tiers\nE-1,\nE-2,smb\nE-3,enterprise"
    assert family_seats(formulation_of(book_of(accounts, ams)), "a") == ["a E-1 -, b E-1 -", "a E-3 -, b E-3 -"]


@about("families", "allowed")
def test_members_of_a_leaver_join_a_book_that_holds_another_member():
    accounts = "account_id,owner,parent_id\na,E-1,\nb,E-2,a"
    ams = "am_id,leaves_on\nE-1,\nE-2,2025-12-31\nE-3,"
    formulation = formulation_of(book_of(accounts, ams))
    assert family_seats(formulation, "b") == ["a E-1 -, b E-1 -", "a E-3 -, b E-3 -"]


@about("families", "allowed")
def test_members_of_a_leaver_whom_no_such_book_may_take_go_to_another():
    accounts = "account_id,owner,parent_id,language\na,E-1,,\nb,E-2,a,de"
    ams = "am_id,leaves_on,language\nE-1,,en\nE-2,2025-12-31,\nE-3,,de"
    formulation = formulation_of(book_of(accounts, ams))
    assert family_seats(formulation, "a") == ["a E-1 -, b E-3 -", "a E-3 -, b E-3 -"]


@about("families", "exact")
def test_a_member_keeps_its_csm_where_the_new_pod_has_it_and_else_takes_the_arcs():
    accounts = "account_id,owner,csm,parent_id\na,E-1,C-1,\nb,E-1,C-2,a"
    pods = {"csms": "csm_id\nC-1\nC-2\nC-3", "pods": "pod_id,am_id,csm_id\nP-1,E-1,C-1\nP-2,E-2,C-2\nP-3,E-2,C-3"}
    formulation = formulation_of(book_of(accounts, **pods))
    assert family_seats(formulation, "a") == ["a E-1 C-1, b E-1 C-2", "a E-2 C-2, b E-2 C-2", "a E-2 C-3, b E-2 C-2"]


@about("families", "exact")
def test_members_whose_csm_left_may_take_any_of_the_pod_together_in_their_own_book():
    accounts = "account_id,owner,csm,parent_id\na,E-1,C-1,\nb,E-1,C-1,a"
    csms = "csm_id,capacity,leaves_on\nC-1,,2025-12-31\nC-2,0.001,\nC-3,,"
    pods = "pod_id,am_id,csm_id\nP-1,E-1,C-1\nP-1,E-1,C-2\nP-1,E-1,C-3"
    book = book_of(accounts, csms=csms, pods=pods)
    assert family_seats(formulation_of(book), "a") == [
        "a E-1 C-2, b E-1 C-2",
        "a E-1 C-3, b E-1 C-3",
        "a E-2 -, b E-2 -",
    ]
    plan = rb.propose(book, workers=1).assignments
    assert plan["to_csm"].tolist() == ["C-3", "C-3"], "C-2 has no room, and losing the AM as well costs more"


def test_a_member_whose_csm_left_keeps_its_am_where_the_others_are_assigned_apart():
    accounts = "account_id,owner,csm,parent_id,assign_to\na,E-1,,,E-2\nb,E-1,,a,E-3\nc,E-1,C-1,a,"
    csms = "csm_id,leaves_on\nC-1,2025-12-31\nC-2,\nC-3,"
    pods = "pod_id,am_id,csm_id\nP-1,E-1,C-1\nP-1,E-1,C-2\nP-1,E-1,C-3\nP-2,E-2,C-2"
    formulation = formulation_of(book_of(accounts, THREE, csms=csms, pods=pods))
    assert family_seats(formulation, "c") == ["c E-1 C-2"]


@about("families", "allowed")
def test_a_family_may_be_let_free():
    for terms in ({"mode": "free"}, {"free": ["a"]}):
        assert problem_of(book_of(SPLIT), overrides={"families": terms}).groups == ("a", "b", "c")
    one = {"families": {"mode": "free", "together": ["a"]}}
    assert problem_of(book_of(SPLIT), overrides=one).groups == ("a", "c")


def test_a_lock_holds_the_whole_family_where_its_member_is():
    accounts = "account_id,owner,parent_id,lock\na,E-1,,true\nb,E-2,a,"
    assert family_seats(formulation_of(book_of(accounts, THREE)), "a") == ["a E-1 -, b E-1 -", "a E-1 -, b E-2 -"]


def test_where_locks_conflict_only_as_today_remains():
    accounts = "account_id,owner,parent_id,lock\na,E-1,,true\nb,E-2,a,true"
    assert family_seats(formulation_of(book_of(accounts, THREE)), "a") == ["a E-1 -, b E-2 -"]


def test_siblings_under_a_parent_that_is_not_in_the_book_are_a_family():
    problem = problem_of(book_of("account_id,owner,parent_id\na,E-1,HOLDING\nb,E-1,HOLDING\nc,E-1,OTHER"))
    assert problem.groups == ("a", "c")


# Pools

POOL = {"pools": "pool_id,am_id\nSMB,E-2\nSMB,E-3"}


@about("pools", "trivial", "exact")
def test_a_pool_has_the_capacity_of_its_members_and_they_have_no_book():
    problem = problem_of(book_of("account_id,owner\na,E-1", "am_id,capacity\nE-1,\nE-2,60\nE-3,45.5", **POOL))
    assert row_names(problem, "units_cap") == ["E-1", "SMB"]
    assert row_of(problem, "units_cap", "SMB").hi == 10_550
    assert seats(problem, "a") == ["E-1", "SMB"]


@about("pools", "violated", "allowed")
def test_small_accounts_newly_go_only_to_a_pool_where_the_model_says_so():
    accounts = "account_id,owner,tier\na,E-1,smb\nb,E-1,enterprise"
    ams = "am_id\nE-1\nE-2\nE-3\nE-4"
    problem = problem_of(book_of(accounts, ams, **POOL), "smb_pool")
    assert seats(problem, "a") == ["E-1", "SMB"]
    assert seats(problem, "b") == ["E-1", "E-4"]


@about("pools", "allowed")
def test_an_account_of_a_member_is_the_pools_and_does_not_move():
    book = book_of("account_id,owner\na,E-2\nb,SMB", THREE, **POOL)
    problem = problem_of(book)
    assert [problem.seats[problem.arc_seat[arc]] for arc in problem.today] == ["SMB", "SMB"]


@about("pools", "exact")
def test_a_leaver_shrinks_the_pool_and_its_accounts_stay_there():
    ams = "am_id,leaves_on\nE-1,\nE-2,2025-12-31\nE-3,"
    problem = problem_of(book_of("account_id,owner\na,E-2", ams, **POOL))
    assert row_of(problem, "units_cap", "SMB").hi == 10_000
    assert problem.today[0] >= 0


def test_a_pool_must_not_have_the_id_of_an_am():
    book = book_of("account_id,owner\na,E-1", THREE, pools="pool_id,am_id\nE-1,E-2")
    assert messages(lambda: problem_of(book)) == [
        'pools, column pool_id, value "E-1": the pool has the id of an AM. Give the pool an id of its own.'
    ]


# Budgets

MOVERS = "account_id,owner,tier,arr\na,E-1,smb,10\nb,E-1,enterprise,200\nc,E-2,smb,-30\nd,,smb,999"


def budget(**limits):
    return problem_of(book_of(MOVERS, THREE), overrides={"budgets": limits})


@about("budgets", "trivial")
def test_without_budgets_there_is_no_row():
    assert row_names(budget(), "budgets") == []


@about("budgets", "exact")
def test_a_budget_is_written_over_what_stays():
    row = row_of(budget(accounts=1), "budgets", "accounts")
    assert (row.lo, row.hi, row.level) == (2, None, None)  # 3 owned accounts, 1 may go; the unowned one is forced
    assert row.weights == {"a": 1, "b": 1, "c": 1}
    assert row_of(budget(arr=50), "budgets", "arr").lo == 160  # 10 + 200 + 0 - 50
    assert row_of(budget(share=0.5), "budgets", "share").lo == 1  # 3 - floor(0.5 * 4)
    assert row_of(budget(per_tier={"smb": 0}), "budgets", "accounts:smb").lo == 2
    assert row_of(budget(lost_per_am=1), "budgets", "lost:E-1").lo == 1
    gained = row_of(budget(gained_per_am=1), "budgets", "gained:E-3")
    assert (gained.hi, gained.weights) == (1, {"a": 1, "b": 1, "c": 1})


@about("budgets", "violated", "allowed")
def test_a_budget_counts_unforced_moves_only():
    problem = budget(accounts=1)
    assert excess(problem, "a E-1, b E-1, c E-1, d E-3", "budgets") == {}
    assert excess(problem, "a E-2, b E-1, c E-1, d E-3", "budgets") == {"accounts": 1}
    gained = budget(gained_per_am=1)
    assert excess(gained, "a E-3, b E-1, c E-2, d E-3", "budgets") == {}
    assert excess(gained, "a E-3, b E-3, c E-2, d E-3", "budgets") == {"gained:E-3": 1}


# Fatigue

HISTORY = {
    "history": "account_id,role,from,to,date\na,am,E-2,E-1,2025-07-02\nb,am,E-2,E-1,2025-07-01\nc,csm,,C-1,2025-12-01"
}


@about("fatigue", "violated", "allowed", "exact")
def test_an_account_whose_am_changed_within_two_quarters_keeps_it():
    book = book_of("account_id,owner\na,E-1\nb,E-1\nc,E-1", **HISTORY)
    problem = problem_of(book, overrides={"fatigue": {"quarters": 2}})
    assert seats(problem, "a") == ["E-1"]  # 2 July is after 1 July, six months before 1 January
    assert seats(problem, "b") == ["E-1", "E-2"]
    assert seats(problem, "c") == ["E-1", "E-2"]  # its CSM changed, not its AM


@about("fatigue", "trivial")
def test_fatigue_is_off_by_default():
    assert seats(problem_of(book_of("account_id,owner\na,E-1", **HISTORY)), "a") == ["E-1", "E-2"]


@about("fatigue", "allowed")
def test_fatigue_does_not_hold_a_leavers_account_or_what_the_planner_names():
    terms = {"fatigue": {"quarters": 2}}
    left = "am_id,leaves_on\nE-1,2025-12-31\nE-2,"
    assert seats(problem_of(book_of("account_id,owner\na,E-1", left, **HISTORY), overrides=terms), "a") == ["E-2"]
    named = book_of("account_id,owner,assign_to\na,E-1,E-2", **HISTORY)
    assert seats(problem_of(named, overrides=terms), "a") == ["E-2"]


# Open headcount

COMING = "am_id,status,starts_on\nE-1,,\nE-2,open,\nE-3,,2026-01-02\nE-4,,2026-01-01"


@about("open_headcount", "violated", "trivial", "exact")
def test_who_has_not_started_receives_nothing():
    assert seats(problem_of(book_of("account_id,owner\na,E-1", COMING)), "a") == ["E-1", "E-4"]


@about("open_headcount", "allowed")
def test_open_positions_take_part_where_the_model_says_so():
    problem = problem_of(book_of("account_id,owner\na,E-1", COMING), overrides={"headcount": {"open": True}})
    assert seats(problem, "a") == ["E-1", "E-2", "E-3", "E-4"]


# Pod size


@about("pod_size", "trivial", "violated", "allowed", "exact")
def test_a_pod_outside_its_usual_size_is_pointed_out():
    book = book_of("account_id,owner\na,E-1\nb,E-1\nc,E-2", **TWO_PODS)
    formulation = formulation_of(book, overrides={"pods": {"size": [2, 3]}})
    to_am, _ = formulation.seats(formulation.problem.today)
    assert list(pod_size_warnings(formulation.snapshot, to_am)) == [
        "pod P-2 (E-2) ends with 1 accounts; 2 to 3 is what a pod covers."
    ]


# Fairness


@about("fairness", "trivial")
def test_fairness_is_no_level_unless_the_model_sets_a_share():
    problem = problem_of(book_of("account_id,owner,arr\na,E-1,1000"))
    assert problem.level_index("fairness") is None
    assert row_names(problem, "fairness") == []


@about("fairness", "exact", "violated", "allowed")
def test_a_loss_beyond_the_share_of_an_ams_arr_is_priced():
    book = book_of("account_id,owner,arr\na,E-1,600\nb,E-1,400\nc,,900")
    problem = problem_of(book, overrides={"fairness": {"loss_share": 0.5}})
    assert problem.level_index("fairness") == 2
    row = row_of(problem, "fairness", "E-1")
    assert (row.lo, row.hi, row.level, row.penalty) == (500, None, "fairness", 1_000)  # 10^6 / 1000
    assert row.weights == {"a": 600, "b": 400}
    assert excess(problem, "a E-1, b E-2, c E-2", "fairness") == {}
    assert excess(problem, "a E-2, b E-1, c E-2", "fairness") == {"E-1": 100}


# Exclusions and further locks


def test_an_excluded_account_is_no_part_of_the_plan():
    problem = problem_of(book_of("account_id,owner,exclude\na,E-1,true\nb,E-1,"))
    assert problem.groups == ("b",)


@pytest.mark.parametrize(
    ("lock", "locked"),
    [
        ({"renewal_days": 90}, ["soon"]),
        ({"changed_days": 90}, ["new"]),
        ({"health_below": 50}, ["ill"]),
        ({"open_opportunity": True}, ["open"]),
        ({}, []),
    ],
)
def test_the_model_may_lock_accounts_by_what_is_known_of_them(lock, locked):
    accounts = (
        "account_id,owner,renewal_date,owner_since,health,opportunity\n"
        "soon,E-1,2026-04-01,,,\nlate,E-1,2026-04-02,,,\npast,E-1,2025-12-31,,,\n"
        "new,E-1,,2025-10-03,,\nold,E-1,,2025-10-02,,\nill,E-1,,,49.9,\nwell,E-1,,,50,\nopen,E-1,,,,1"
    )
    problem = problem_of(book_of(accounts), overrides={"locks": lock})
    assert sorted(name for name in problem.groups if seats(problem, name) == ["E-1"]) == sorted(locked)


def test_a_lock_by_rule_yields_to_the_planners_own_word():
    book = book_of("account_id,owner,health,assign_to\na,E-1,10,E-2")
    assert seats(problem_of(book, overrides={"locks": {"health_below": 50}}), "a") == ["E-2"]
