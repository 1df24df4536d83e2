"""The rules that limit a whole book or CSM: trivial, violated, allowed, and the exact row."""

import pytest
from helpers import TWO_PODS, about, book_of, excess, formulation_of, problem_of, row_names, row_of

from rebalancer.problem import NO_LIMIT
from rebalancer.rules.rule import overload_price


def accounts_of(owner, count, tier="smb"):
    """So many accounts of a tier with one owner, named x1, x2, ..."""
    return "account_id,owner,tier\n" + "\n".join(f"x{n},{owner},{tier}" for n in range(1, count + 1))


def all_at(seat, count):
    return ",".join(f"x{n} {seat}" for n in range(1, count + 1))


# Units cap


@about("units_cap", "trivial", "exact")
def test_a_book_carries_its_capacity_in_hundredths():
    problem = problem_of(
        book_of("account_id,owner,tier\na,E-1,enterprise\nb,E-2,smb", "am_id,capacity\nE-1,\nE-2,33.337")
    )
    row = row_of(problem, "units_cap", "E-1")
    assert (row.lo, row.hi, row.level, row.weights) == (None, 10_000, "overload", {"a": 500, "b": 20})
    assert row.penalty == 100  # 10^6 / 10000
    small = row_of(problem, "units_cap", "E-2")
    assert (small.hi, small.penalty) == (3_333, 300)  # 10^6 / 3333 = 300.03


@about("units_cap", "violated", "allowed")
def test_a_book_may_be_full_and_no_fuller():
    problem = problem_of(book_of(accounts_of("E-1", 2, "enterprise"), "am_id,capacity\nE-1,10\nE-2,5"))
    assert excess(problem, all_at("E-1", 2), "units_cap") == {}
    assert excess(problem, all_at("E-2", 2), "units_cap") == {"E-2": 500}


@about("units_cap", "exact")
def test_what_is_too_much_is_priced_by_the_limit_it_breaks():
    problem = problem_of(book_of(accounts_of("E-1", 3, "enterprise"), "am_id,capacity\nE-1,10"))
    # 500 hundredths over a limit of 1000, each at 10^6 / 1000
    assert problem.values(problem.today)[0] == 500_000


LOADS = [
    # complexity of one enterprise account (5 units) makes the load; capacity 100
    ("20", 10_000, 10_000),  # 100 %
    ("21", 10_000, 10_500),  # 105 %: left alone, never pushed further
    ("22", 10_000, 11_000),  # 110 %: not above the trigger
    ("22.002", 10_000, 10_000),  # 110.01 %: triggered
    ("22.2", 10_000, 10_000),  # 111 %
    ("10", 10_000, 10_000),  # 50 %: room up to the target
]


@about("units_cap", "exact")
@pytest.mark.parametrize(("complexity", "full", "repair"), LOADS)
def test_the_limit_of_a_book_by_scope(complexity, full, repair):
    book = book_of(f"account_id,owner,tier,complexity\na,E-1,enterprise,{complexity}")
    assert row_of(problem_of(book, scope="full"), "units_cap", "E-1").hi == full
    assert row_of(problem_of(book, scope="repair"), "units_cap", "E-1").hi == repair
    assert row_of(problem_of(book, scope="repair"), "units_cap", "E-2").hi == 10_000


@about("units_cap", "exact")
def test_target_and_trigger_are_floored_shares_of_the_capacity():
    book = book_of("account_id,owner,tier,complexity\na,E-1,enterprise,2", "am_id,capacity\nE-1,9.09\nE-2,")
    limits = {"limits": {"target": 0.85, "trigger": 1.1}}
    # 909 * 0.85 = 772.65; 909 * 1.1 = 999.9 and it holds 1000
    for scope in ("full", "repair"):
        assert row_of(problem_of(book, scope=scope, overrides=limits), "units_cap", "E-1").hi == 772
    later = {"limits": {"target": 0.85, "trigger": 1.1002}}  # 909 * 1.1002 = 1000.08
    assert row_of(problem_of(book, scope="repair", overrides=later), "units_cap", "E-1").hi == 1_000


@about("units_cap", "trivial")
def test_who_has_left_has_no_limit_and_what_weighs_nothing_no_place_in_a_row():
    problem = problem_of(
        book_of("account_id,owner,tier\na,E-1,smb\nb,E-2,enterprise", "am_id,status\nE-1,inactive\nE-2,"),
        overrides={"units": {"tier": {"smb": 0}}},
    )
    assert row_names(problem, "units_cap") == ["E-2"]
    assert row_of(problem, "units_cap", "E-2").weights == {"b": 500}


def test_the_price_of_an_excess_is_rounded_half_up_and_at_least_one():
    limits = {0: 10**6, 1: 10**6, 3: 333_333, 15: 66_667, 64: 15_625, 400_000: 3, 3_000_000: 1}  # 2.5 is 3
    for limit, price in limits.items():
        assert overload_price(limit) == price


# Accounts limit


@about("accounts_limit", "trivial")
def test_an_open_book_has_no_limit_on_accounts_whatever_its_role():
    problem = problem_of(book_of(accounts_of("E-1", 3), "am_id,role,book\nE-1,strategic,open"), "tiered_roles")
    assert row_names(problem, "accounts_limit") == []


@about("accounts_limit", "exact", "violated", "allowed")
def test_an_am_holds_at_most_its_own_number_of_accounts_in_any_kind_of_book():
    problem = problem_of(book_of(accounts_of("E-1", 3), "am_id,book,max_accounts\nE-1,open,2\nE-2,,"))
    row = row_of(problem, "accounts_limit", "E-1")
    assert (row.lo, row.hi, row.level, row.penalty) == (None, 2, "overload", 500_000)
    assert row.weights == {"x1": 1, "x2": 1, "x3": 1}
    assert row_names(problem, "accounts_limit") == ["E-1"]
    assert excess(problem, all_at("E-1", 3), "accounts_limit") == {"E-1": 1}
    assert excess(problem, "x1 E-1, x2 E-1, x3 E-2", "accounts_limit") == {}


@about("accounts_limit", "exact")
@pytest.mark.parametrize(
    ("role", "book", "own", "limit"),
    [
        ("strategic", "", "", 7),
        ("", "", "", 20),  # regular
        ("junior", "", "", 40),
        ("junior", "", "12", 12),
        ("junior", "", "99", 40),
        ("junior", "blended", "", 40),
        ("junior", "", "0", 0),
    ],
)
def test_the_tightest_of_role_and_own_limit_counts(role, book, own, limit):
    book = book_of(
        "account_id,owner,tier\na,E-1,smb", f"am_id,role,book,max_accounts,tiers\nE-1,{role},{book},{own},smb"
    )
    assert row_of(problem_of(book, "tiered_roles"), "accounts_limit", "E-1").hi == limit


@about("accounts_limit", "exact")
def test_a_segmented_book_holds_the_benchmarks_number_of_each_tier():
    accounts = "account_id,owner,tier\na,E-1,strategic\nb,E-1,enterprise\nc,E-1,mid_market\nd,E-1,smb"
    problem = problem_of(book_of(accounts, "am_id,book\nE-1,segmented"))
    rows = {name: row_of(problem, "accounts_limit", name) for name in row_names(problem, "accounts_limit")}
    assert {name: (row.hi, list(row.weights)) for name, row in rows.items()} == {
        "E-1:strategic": (25, ["a"]), "E-1:enterprise": (50, ["b"]), "E-1:mid_market": (150, ["c"]),
    }  # fmt: skip


@about("accounts_limit", "exact")
def test_counts_have_no_slack_in_repair():
    book = book_of(accounts_of("E-1", 3), "am_id,max_accounts\nE-1,2\nE-2,5")
    limits = {name: row_of(problem_of(book, scope="repair"), "accounts_limit", name).hi for name in ("E-1", "E-2")}
    assert limits == {"E-1": 2, "E-2": 5}


# Blended limit


@about("blended_limit", "trivial")
def test_other_books_have_no_blended_limit():
    problem = problem_of(book_of(accounts_of("E-1", 2), "am_id,book\nE-1,open\nE-2,segmented\nE-3,pooled"))
    assert row_names(problem, "blended_limit") == []


@about("blended_limit", "exact")
def test_a_blended_book_holds_twenty_accounts_and_twenty_strategic_ones_in_any_model():
    accounts = "account_id,owner,tier\na,E-1,strategic\nb,E-1,smb"
    for model in ("coverage_units", "segmented", "tiered_roles", "pods", "blended"):
        problem = problem_of(book_of(accounts, "am_id,book\nE-1,blended"), model)
        assert row_names(problem, "blended_limit") == ["E-1", "E-1:strategic"]
        every, strategic = (row_of(problem, "blended_limit", name) for name in ("E-1", "E-1:strategic"))
        assert (every.hi, every.penalty, every.weights) == (20, 50_000, {"a": 1, "b": 1})
        assert (strategic.hi, strategic.weights) == (20, {"a": 1})


@about("blended_limit", "violated", "allowed")
def test_the_twenty_first_account_is_one_too_many():
    book = book_of(accounts_of("E-1", 21), "am_id,book\nE-1,blended\nE-2,open")
    assert excess(problem_of(book), all_at("E-1", 21), "blended_limit") == {"E-1": 1}
    assert excess(problem_of(book), all_at("E-2", 21), "blended_limit") == {}
    strategic = book_of(accounts_of("E-1", 21, "strategic"), "am_id,book\nE-1,blended\nE-2,open")
    assert excess(problem_of(strategic), all_at("E-1", 21), "blended_limit") == {"E-1": 1, "E-1:strategic": 1}


@about("blended_limit", "allowed")
@pytest.mark.parametrize(("lifted", "left"), [("max_accounts", ["E-1:strategic"]), ("max_strategic", ["E-1"])])
def test_each_limit_of_a_blended_book_lifts_alone(lifted, left):
    book = book_of("account_id,owner,tier\na,E-1,strategic", "am_id,book\nE-1,blended")
    assert row_names(problem_of(book, overrides={"books": {"blended": {lifted: "none"}}}), "blended_limit") == left


@about("blended_limit", "exact")
def test_each_limit_of_a_blended_book_can_be_set():
    limits = {"books": {"blended": {"max_accounts": 3, "max_strategic": 2, "max_per_tier": {"strategic": 1, "smb": 5}}}}
    book = book_of("account_id,owner,tier\na,E-1,strategic\nb,E-1,smb", "am_id,book\nE-1,blended")
    problem = problem_of(book, overrides=limits)
    assert {name: row_of(problem, "blended_limit", name).hi for name in row_names(problem, "blended_limit")} == {
        "E-1": 3, "E-1:strategic": 1, "E-1:smb": 5,
    }  # fmt: skip


# CSM load


@about("csm_load", "trivial")
def test_without_pods_nobody_counts_the_load_of_a_csm():
    book = book_of("account_id,owner,csm\na,E-1,C-1", csms="csm_id\nC-1")
    assert row_names(problem_of(book), "csm_load") == []


@about("csm_load", "exact")
@pytest.mark.parametrize(
    ("arr", "load"),
    [
        (-5, 5_000), (0, 5_000), (24_999, 5_000),  # 10^6 // 200
        (25_000, 8_000), (99_999, 8_000),  # // 125
        (100_000, 13_333), (499_999, 13_333),  # // 75
        (500_000, 28_571), (10**9, 28_571),  # // 35
    ],
)  # fmt: skip
def test_an_account_loads_its_csm_by_its_arr_with_the_edges_inclusive(arr, load):
    book = book_of(f"account_id,owner,csm,arr\na,E-1,C-1,{arr}", **TWO_PODS)
    row = row_of(problem_of(book), "csm_load", "C-1")
    assert (row.lo, row.hi, row.level, row.penalty, row.weights) == (None, 10**6, "overload", 1, {"a": load})


@about("csm_load", "exact")
def test_a_csm_carries_its_capacity_times_fte_ramp_and_factors():
    rows = "C-1,2,0.5,0.3333333,true,,\nC-2,,,,true,true,\nC-3,,,,,,2025-01-01"
    csms = f"csm_id,capacity,fte,ramp,regulated,extra_duties,leaves_on\n{rows}"
    factors = {"csm": {"regulated_factor": 0.9, "extra_duties_factor": 0.5}}
    problem = problem_of(book_of("account_id,owner\na,E-1", csms=csms, pods=TWO_PODS["pods"]), overrides=factors)
    # 10^6 * 2 * 0.5 * 0.3333333 * 0.9 = 299999.97, floored; 0.9 * 0.5; C-3 has left
    assert {name: row_of(problem, "csm_load", name).hi for name in row_names(problem, "csm_load")} == {
        "C-1": 299_999, "C-2": 450_000,
    }  # fmt: skip


@about("csm_load", "violated", "allowed")
def test_a_csm_carries_35_of_the_largest_accounts_and_not_36():
    def book(count):
        rows = "\n".join(f"x{n},E-1,C-1,500000" for n in range(1, count + 1))
        return problem_of(book_of(f"account_id,owner,csm,arr\n{rows}", **TWO_PODS))

    assert excess(book(35), all_at("E-1 + C-1", 35), "csm_load") == {}  # 35 * 28571 = 999985
    assert excess(book(36), all_at("E-1 + C-1", 36), "csm_load") == {"C-1": 28_556}


# Floor


@about("floor", "trivial")
def test_without_a_floor_there_is_no_row():
    assert row_names(problem_of(book_of("account_id,owner\na,E-1", "am_id,floor\nE-1,\nE-2,0")), "floor") == []


@about("floor", "exact")
def test_a_floor_is_a_share_of_the_capacity_for_those_who_receive():
    ams = "am_id,capacity,floor,receives,ramp\nE-1,33.33,0.5,,\nE-2,100,0.5,false,\nE-3,100,,,0.5\nE-4,0,0.9,,"
    problem = problem_of(book_of("account_id,owner,tier\na,E-1,enterprise", ams), overrides={"limits": {"floor": 0.2}})
    assert row_names(problem, "floor") == ["E-1", "E-3"]
    row = row_of(problem, "floor", "E-1")
    # 3333 * 0.5 = 1666.5, floored; 10^6 / 1666 = 600.2
    assert (row.lo, row.hi, row.level, row.penalty, row.weights) == (1_666, None, "overload", 600, {"a": 500})
    assert row_of(problem, "floor", "E-3").lo == 1_000  # the model's, of 50 units


@about("floor", "violated", "allowed")
@pytest.mark.parametrize("scope", ["full", "repair"])
def test_a_book_below_its_floor_is_short_by_the_rest(scope):
    book = book_of(accounts_of("E-1", 2, "enterprise"), "am_id,floor\nE-1,\nE-2,0.08")
    problem = problem_of(book, scope=scope)
    assert excess(problem, all_at("E-1", 2), "floor") == {"E-2": 800}
    assert excess(problem, "x1 E-1, x2 E-2", "floor") == {"E-2": 300}
    assert excess(problem, all_at("E-2", 2), "floor") == {}


# Balance


@about("balance", "exact")
def test_a_book_may_differ_by_five_points_from_what_its_cohort_holds():
    # 12 enterprise accounts are 60 units on 200 of capacity: 30 %, and 25 to 35 of 100
    problem = problem_of(book_of(accounts_of("E-1", 12, "enterprise")))
    for name in ("E-1", "E-2"):
        row = row_of(problem, "balance", name)
        assert (row.lo, row.hi, row.level, row.penalty) == (2_500, 3_500, "balance", 100)
        assert set(row.weights.values()) == {500}


@about("balance", "exact")
def test_the_tolerance_is_exact_where_floats_are_not():
    assert 10_000 * (0.15 - 0.05) < 1_000
    problem = problem_of(book_of(accounts_of("E-1", 6, "enterprise")))  # 30 units on 200: 15 %
    assert (row_of(problem, "balance", "E-1").lo, row_of(problem, "balance", "E-1").hi) == (1_000, 2_000)


@about("balance", "violated", "allowed")
def test_what_lies_beyond_is_priced_in_its_own_level():
    problem = problem_of(book_of(accounts_of("E-1", 12, "enterprise")))
    today = problem.values(problem.today)
    # E-1 has 6000 - 3500 too much and E-2 2500 too little, each at 10^6 / 10000
    assert dict(zip([level.name for level in problem.levels], today, strict=True))["balance"] == 500_000
    even = ",".join(f"x{n} {'E-1' if n <= 6 else 'E-2'}" for n in range(1, 13))
    assert excess(problem, even, "balance") == {}


@about("balance", "exact")
def test_what_nobody_holds_is_shared_over_all_who_may_take_it():
    ams = "am_id,role,capacity\nE-1,,100\nE-2,strategic,300"
    accounts = "account_id,owner,tier,complexity\na,E-1,enterprise,8\nb,,enterprise,16"
    problem = problem_of(book_of(accounts, ams))
    # b is 80 units over 400: 20 % for both; E-1's cohort holds 40 of 100, E-2's nothing
    assert [(row_of(problem, "balance", name).lo, row_of(problem, "balance", name).hi) for name in ("E-1", "E-2")] == [
        (5_500, 6_500), (4_500, 7_500),
    ]  # fmt: skip


@about("balance", "trivial")
def test_who_receives_nothing_is_not_compared():
    ams = "am_id,receives,capacity\nE-1,,\nE-2,false,\nE-3,,0"
    assert row_names(problem_of(book_of("account_id,owner\na,E-1", ams)), "balance") == ["E-1"]
    nobody = book_of("account_id,owner\na,E-1", "am_id,receives\nE-1,false")
    assert row_names(problem_of(nobody), "balance") == []


@about("balance", "exact")
def test_books_that_share_no_account_are_no_cohort():
    accounts = "account_id,owner,region,tier,complexity\na,E-1,EMEA,enterprise,10\nb,E-2,APAC,enterprise,2"
    problem = problem_of(book_of(accounts, "am_id,region\nE-1,EMEA\nE-2,APAC"))
    assert [row_of(problem, "balance", name).lo for name in ("E-1", "E-2")] == [4_500, 500]


# Fit


def test_fit_prefers_a_known_industry_the_same_manager_and_a_ramped_am():
    accounts = "account_id,owner,industry\na,E-1,bank\nb,E-2,bank\nc,,wood\nd,,"
    ams = "am_id,manager,ramp\nE-1,M,\nE-2,M,\nE-3,N,0.5\nE-4,,1"
    problem = formulation_of(book_of(accounts, ams)).problem
    fit = problem.levels[problem.level_index("fit")].arc_cost.reshape(4, 4).tolist()
    assert fit == [
        [0, 0, 3, 1],  # E-2 knows banks; E-3: industry, manager, ramp; E-4: industry alone, no manager known
        [0, 0, 3, 1],
        [1, 1, 2, 1],  # nobody knows wood; no old manager to differ from
        [0, 0, 1, 0],
    ]


def test_rows_without_a_side_are_open_there():
    rows = problem_of(book_of("account_id,owner\na,E-1", "am_id,floor\nE-1,0.5")).rows
    assert rows.lo[rows.rules.index("units_cap")] == -NO_LIMIT
    assert rows.hi[rows.rules.index("floor")] == NO_LIMIT
