"""The independent check: every rule broken and kept, every figure recounted, every file of a run in its place."""

import ast
import hashlib
import io
import json
import random
import shutil
from pathlib import Path

import pandas as pd
import pytest

import rebalancer.verify
from rebalancer.coverage import load_model
from rebalancer.errors import UsageError
from rebalancer.verify import CHECKS, ELASTIC, Ledger, verify_run, verify_tables
from rebalancer.verify.plan import read_plan

DAY = "2026-01-01"
TWO_AMS = "am_id\nE-1\nE-2"
PODS = {"csms": "csm_id\nC-1\nC-2", "pods": "pod_id,am_id,csm_id\nP-1,E-1,C-1\nP-2,E-2,C-2"}


def frame(text):
    return pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)


def ledger_of(accounts, ams=TWO_AMS, *, scope="full", model="coverage_units", overrides=None, **others):
    tables = {name: frame(text) for name, text in {"accounts": accounts, "ams": ams, **others}.items()}
    return Ledger.build(tables, load_model(model, overrides), DAY, scope)


def broken(rule, seats, accounts, ams=TWO_AMS, **options):
    """Messages of one check for seats written `account AM CSM`, comma between accounts; CSM `-` is none."""
    ledger = ledger_of(accounts, ams, **options)
    rows = []
    for account_id, am_id, *csm in (seat.split() for seat in seats.split(",")):
        account = ledger.accounts[account_id]
        to_csm = account.csm if not csm else csm[0].strip("-") if csm[0] == "-" else csm[0]
        rows.append((account_id, account.owner, am_id, account.csm, to_csm))
    columns = ["account_id", "from_am", "to_am", "from_csm", "to_csm"]
    plan = read_plan(ledger, pd.DataFrame(rows, columns=columns))
    return [violation.message for violation in CHECKS[rule](ledger, plan)]


def accounts_of(owner, count, tier="smb"):
    """So many accounts of a tier with one owner, named x1, x2, ..."""
    return "account_id,owner,arr,tier\n" + "\n".join(f"x{n},{owner},0,{tier}" for n in range(1, count + 1))


def all_at(am_id, count):
    return ",".join(f"x{n} {am_id}" for n in range(1, count + 1))


# What an account weighs and what a book carries


def units_of(row, model="coverage_units", overrides=None):
    header = "account_id,owner,arr,tier,products,stakeholders,complexity"
    return ledger_of(f"{header}\na,E-1,{row}", model=model, overrides=overrides).accounts["a"].units


def test_a_missing_tier_follows_from_arr_with_lower_edges_inclusive():
    ledger = ledger_of(
        "account_id,owner,arr,tier\na,E-1,500000,\nb,E-1,499999,\nc,E-1,25000,\nd,E-1,24999,\ne,E-1,-5,\nf,E-1,0,strategic"
    )
    assert [account.tier for account in ledger.accounts.values()] == [
        "strategic", "enterprise", "mid_market", "smb", "smb", "strategic",
    ]  # fmt: skip


def test_units_are_tier_times_factors_times_complexity_rounded_half_up():
    assert units_of("0,enterprise,,,") == 500  # no factors in this model
    assert units_of("0,enterprise,9,12,", "segmented") == 1335  # 2.67 * 2.5 * 2 = 13.35
    assert units_of("0,mid_market,2,4,", "segmented") == 70  # 0.87 * 0.8 * 1 = 0.696
    assert units_of("0,smb,,,0.025", "coverage_units") == 1  # 0.2 * 0.025 = 0.005, half up
    assert units_of("0,smb,,,0.0249", "coverage_units") == 0  # 0.00498
    assert units_of("0,enterprise,,,1.001") == 501  # 5.005, which a float holds as 5.00499...


def test_a_value_below_the_first_step_counts_one():
    steps = {"units": {"factors": {"products": [[3, 2]]}}}
    assert units_of("0,enterprise,2,,", overrides=steps) == 500
    assert units_of("0,enterprise,3,,", overrides=steps) == 1000


def test_capacity_is_floored_to_the_hundredth_after_fte_and_ramp():
    ams = "am_id,capacity,fte,ramp\nE-1,,,\nE-2,80,0.5,\nE-3,33.33,0.7,0.5"
    ledger = ledger_of("account_id,owner,arr\na,E-1,0", ams)
    assert [am.capacity for am in ledger.ams.values()] == [10_000, 4_000, 1_166]  # 33.33 * 0.35 = 11.6655


# Disruption


RISKY = "account_id,owner,arr,csm,tier,renewal_date,health,owner_since"


def cost(row, am, csm="C-1", measure="revenue_at_risk", **options):
    return ledger_of(f"{RISKY}\na,{row}", **{**PODS, **options}).cost("a", am, csm, measure)


def test_the_cost_of_an_am_a_csm_and_a_pod_break():
    row = "E-1,100000,C-1,enterprise,,,"  # base 2000 + 0.154 * 100000 = 17400
    assert cost(row, "E-1") == 0
    assert cost(row, "E-2") == 17_400
    assert cost(row, "E-1", "C-2") == 8_700  # a half
    assert cost(row, "E-1", "") == 8_700  # losing a CSM is a change
    assert cost(row, "E-2", "C-2") == 43_500  # 1 + 0.5 + 1


def test_a_first_am_or_csm_costs_nothing():
    assert cost(",100000,,enterprise,,,", "E-2", "C-2") == 0
    assert cost("E-1,100000,,enterprise,,,", "E-2", "C-2") == 17_400


def test_risk_multiplies_renewal_health_and_tenure():
    # 2026-04-01 is day 90: 1.5; health 49: 1.5; four years: 1.2. 0.154 * 2.7 = 0.4158; 2000 + 41580
    assert cost("E-1,100000,C-1,enterprise,2026-04-01,49,2022-01-01", "E-2") == 43_580
    # day 91: 1.2; health 50: 1.2; 2023-01-02 is two full years: 1.1. 0.154 * 1.584 = 0.243936; 2000 + 24393.6
    assert cost("E-1,100000,C-1,enterprise,2026-04-02,50,2023-01-02", "E-2") == 26_394


def test_a_past_renewal_and_a_future_start_are_no_risk():
    assert cost("E-1,100000,C-1,enterprise,2025-12-31,,2026-06-01", "E-2") == 17_400
    assert cost("E-1,100000,C-1,enterprise,2026-01-01,,", "E-2") == 25_100  # day 0: 2000 + 23100


def test_the_share_at_risk_is_at_most_all_and_a_negative_arr_counts_nothing():
    all_lost = {"disruption": {"loss_rate": 1}}
    assert cost("E-1,100000,C-1,enterprise,,10,", "E-2", overrides=all_lost) == 102_000
    assert cost("E-1,-100000,C-1,enterprise,,,", "E-2") == 2_000


def test_costs_round_half_up_and_a_change_costs_at_least_one():
    free = {"disruption": {"handover": {"smb": 0}, "loss_rate": 0}}
    assert cost("E-1,0,C-1,smb,,,", "E-2", overrides=free) == 1
    assert cost("E-1,0,C-1,smb,,,", "E-1", "C-2", overrides={"disruption": {"handover": {"smb": 51}}}) == 26  # 25.5


def test_the_measures_accounts_and_units_count_am_changes_alone():
    row = "E-1,100000,C-1,enterprise,,,"
    assert [cost(row, am, csm, "accounts") for am, csm in (("E-2", "C-2"), ("E-1", "C-2"))] == [1, 0]
    assert [cost(row, am, csm, "units") for am, csm in (("E-2", "C-2"), ("E-1", "C-2"))] == [500, 0]
    with pytest.raises(UsageError, match="no measure"):
        cost(row, "E-2", measure="feelings")


def test_an_account_without_units_still_costs_one_hundredth():
    weightless = {"units": {"tier": {"smb": 0}}}
    assert cost("E-1,0,C-1,smb,,,", "E-2", measure="units", overrides=weightless) == 1


# Limits of books


def test_a_book_may_end_at_its_limit_and_not_above():
    book = "account_id,owner,arr,tier\na,E-1,0,enterprise\nb,E-1,0,enterprise"
    ams = "am_id,capacity\nE-1,10\nE-2,5"
    assert broken("units_cap", "a E-1, b E-1", book, ams) == []
    assert broken("units_cap", "a E-2, b E-2", book, ams) == ["book E-2 ends at 10.00 units, its limit is 5.00"]


def test_in_repair_a_triggered_book_ends_at_target_and_no_other_grows_beyond_it():
    ams = "am_id,capacity\nE-1,10\nE-2,10"
    # today 12 > 11 is triggered: it may end at 10
    book = "account_id,owner,arr,tier\n" + "\n".join(f"x{n},E-1,0,mid_market" for n in range(1, 7))
    assert broken("units_cap", all_at("E-1", 6), book, ams, scope="repair") == [
        "book E-1 ends at 12.00 units, its limit is 10.00"
    ]
    # today 11.00 is not above the trigger: it may keep 11 and not reach 13
    book = "account_id,owner,arr,tier,complexity\na,E-1,0,mid_market,5.5\nb,E-2,0,mid_market,"
    assert broken("units_cap", "a E-1, b E-2", book, ams, scope="repair") == []
    assert broken("units_cap", "a E-1, b E-1", book, ams, scope="repair") == [
        "book E-1 ends at 13.00 units, its limit is 11.00"
    ]
    assert broken("units_cap", "a E-1, b E-2", book, ams) == ["book E-1 ends at 11.00 units, its limit is 10.00"]


def test_a_floor_binds_those_who_receive():
    book = "account_id,owner,arr,tier\na,E-1,0,enterprise\nb,E-1,0,mid_market"
    ams = "am_id,capacity,floor,receives\nE-1,10,,\nE-2,10,0.5,\nE-3,10,0.5,false"
    assert broken("floor", "a E-1, b E-2", book, ams) == ["book E-2 ends at 2.00 units, its floor is 5.00"]
    assert broken("floor", "a E-2, b E-1", book, ams) == []


def test_an_am_holds_at_most_its_own_number_of_accounts_whatever_its_book():
    ams = "am_id,max_accounts\nE-1,2\nE-2,"
    assert broken("accounts_limit", all_at("E-1", 2), accounts_of("E-1", 2), ams) == []
    assert broken("accounts_limit", all_at("E-1", 3), accounts_of("E-1", 3), ams) == [
        "book E-1 ends with 3 accounts, its limit is 2"
    ]


def test_a_role_limits_segmented_books_and_not_open_ones():
    ams = "am_id,role,book\nE-1,strategic,\nE-2,strategic,open"
    book = accounts_of("E-1", 8, "strategic")
    assert broken("accounts_limit", all_at("E-1", 8), book, ams, model="tiered_roles") == [
        "book E-1 ends with 8 accounts, its limit is 7"
    ]
    assert broken("accounts_limit", all_at("E-2", 8), book, ams, model="tiered_roles") == []


def test_a_segmented_book_holds_the_benchmarks_number_of_each_tier():
    book = accounts_of("E-1", 26, "strategic")
    assert broken("accounts_limit", all_at("E-1", 26), book, model="segmented") == [
        "book E-1 ends with 26 strategic accounts, its limit is 25"
    ]
    assert broken("accounts_limit", all_at("E-1", 25), accounts_of("E-1", 25, "strategic"), model="segmented") == []
    lower = {"books": {"segmented": {"max_strategic": 3, "max_accounts": 5}}}
    assert broken("accounts_limit", all_at("E-1", 6), accounts_of("E-1", 6), model="segmented", overrides=lower) == [
        "book E-1 ends with 6 accounts, its limit is 5"
    ]
    assert broken(
        "accounts_limit", all_at("E-1", 4), accounts_of("E-1", 4, "strategic"), model="segmented", overrides=lower
    ) == ["book E-1 ends with 4 strategic accounts, its limit is 3"]


def test_a_blended_book_holds_twenty_accounts_and_each_limit_lifts_alone():
    ams = "am_id,book\nE-1,blended\nE-2,open"
    book = accounts_of("E-1", 21, "strategic")
    accounts, strategic = (
        "book E-1 ends with 21 accounts, its limit is 20",
        "book E-1 ends with 21 strategic accounts, its limit is 20",
    )
    assert broken("blended_limit", all_at("E-1", 21), book, ams) == [accounts, strategic]
    assert broken("blended_limit", all_at("E-2", 21), book, ams) == []
    lifted = {"books": {"blended": {"max_accounts": "none"}}}
    assert broken("blended_limit", all_at("E-1", 21), book, ams, overrides=lifted) == [strategic]


def test_a_csm_carries_accounts_by_their_arr():
    # 35 accounts of 500000 weigh 10^6 // 35 = 28571 each: 999985; a 36th makes 1028556
    def book(count):
        return "account_id,owner,arr,csm\n" + "\n".join(f"x{n},E-1,500000,C-1" for n in range(1, count + 1))

    assert broken("csm_load", all_at("E-1", 35), book(35), **PODS) == []
    message = "CSM C-1 ends with a load of 1.028556, its limit is 1.000000"
    assert broken("csm_load", all_at("E-1", 36), book(36), **PODS) == [message]
    assert broken("csm_load", all_at("E-1", 36), book(36), **PODS, overrides={"pods": {"mode": "off"}}) == []


def test_a_csms_limit_shrinks_with_duties():
    csms = "csm_id,capacity,fte,regulated,extra_duties\nC-1,2,0.5,true,false\nC-2,,,true,true"
    factors = {"csm": {"regulated_factor": 0.9, "extra_duties_factor": 0.5}}
    ledger = ledger_of("account_id,owner,arr\na,E-1,0", csms=csms, pods=PODS["pods"], overrides=factors)
    assert [csm.limit for csm in ledger.csms.values()] == [900_000, 450_000]


def test_a_credit_weighs_on_a_csm_like_the_smallest_account():
    ledger = ledger_of("account_id,owner,arr\na,E-1,-500\nb,E-1,24999\nc,E-1,25000")
    assert [account.weight for account in ledger.accounts.values()] == [5_000, 5_000, 8_000]  # 200, 200, 125


def test_people_who_left_have_no_limits_of_their_own():
    csms = "csm_id,leaves_on\nC-1,2026-01-01\nC-2,"
    ams = "am_id,status,max_accounts\nE-1,inactive,1\nE-2,,1"
    rows = ledger_of("account_id,owner,arr\na,E-1,0", ams, csms=csms, pods=PODS["pods"]).elastic_rows({})
    assert [(row.rule, row.subject) for row in rows] == [
        ("units_cap", "E-2"),
        ("accounts_limit", "E-2"),
        ("csm_load", "C-2"),
    ]


def test_overload_weighs_every_excess_by_its_own_limit():
    # Three strategic accounts, 24 units, in a blended book of 10 units and at most 2 accounts, floor 0.5 at E-2:
    # units 1400 over 1000: 1400 * 1000 = 1400000; ams.max_accounts 3 - 2 = 1: 500000; strategic limit 2: 500000;
    # floor 500 short of 500: 500 * 2000 = 1000000; CSM 3 * 28571 = 85713 over 10^6 * 0.05 = 50000: 35713 * 20.
    ams = "am_id,book,capacity,max_accounts,floor\nE-1,blended,10,2,\nE-2,,10,,0.5"
    book = "account_id,owner,arr,csm\n" + "\n".join(f"x{n},E-1,600000,C-1" for n in (1, 2, 3))
    options = {**PODS, "csms": "csm_id,capacity\nC-1,0.05\nC-2,"}
    ledger = ledger_of(book, ams, overrides={"books": {"blended": {"max_strategic": 2}}}, **options)
    assert ledger.overload(ledger.today()) == 1_400_000 + 500_000 + 500_000 + 1_000_000 + 714_260


def test_the_weight_of_an_excess_is_rounded_half_up():
    ams = "am_id,max_accounts\nE-1,3\nE-2,0"  # 333333.3 and, for a limit of 0, a million
    rows = ledger_of(accounts_of("E-1", 5), ams).elastic_rows({"x1": ("E-2", "")})
    assert [row.penalty for row in rows if row.rule == "accounts_limit"] == [333_333, 1_000_000]
    ams = "am_id,capacity\nE-1,640000\nE-2,0.15"  # 0.0156 counts as 1; 10^6 / 15 = 66666.7 to 66667
    rows = ledger_of(accounts_of("E-1", 1), ams).elastic_rows({})
    assert [row.penalty for row in rows] == [1, 66_667]


# Eligibility


def test_a_segmented_book_takes_its_own_tiers_else_its_roles_else_todays():
    book = "account_id,owner,arr,tier\na,E-1,0,smb\nb,E-2,0,enterprise"
    own = "am_id,role,tiers\nE-1,,\nE-2,,enterprise;smb"
    role = "am_id,role,tiers\nE-1,,\nE-2,junior,"
    none = "am_id,role,tiers\nE-1,,\nE-2,,\nE-3,,"
    assert broken("tier_segmentation", "a E-2", book, own, model="segmented") == []
    assert broken("tier_segmentation", "a E-2", book, role, model="tiered_roles") == []
    assert broken("tier_segmentation", "a E-2", book, none, model="segmented") == [
        "account a goes to E-2: its tier is smb, a segmented book that takes enterprise"
    ]
    assert broken("tier_segmentation", "a E-3", book, none, model="segmented") == []


def test_a_pooled_book_that_names_tiers_takes_those():
    book = "account_id,owner,arr,tier\na,E-1,0,mid_market"
    assert broken("tier_segmentation", "a E-2", book, "am_id,book,tiers\nE-1,,\nE-2,pooled,mid_market;smb") == []


def test_other_books_take_any_tier_unless_they_name_some_and_pooled_ones_smb():
    book = "account_id,owner,arr,tier\na,E-1,0,smb\nb,E-1,0,enterprise"
    ams = "am_id,book,tiers\nE-1,,\nE-2,open,\nE-3,blended,enterprise\nE-4,pooled,"
    assert broken("tier_segmentation", "a E-2, b E-2", book, ams) == []
    assert broken("tier_segmentation", "a E-3, b E-3", book, ams) == [
        "account a goes to E-3: its tier is smb, a blended book that takes enterprise"
    ]
    assert broken("tier_segmentation", "a E-4, b E-4", book, ams) == [
        "account b goes to E-4: its tier is enterprise, a pooled book that takes smb"
    ]


TAGGED = "account_id,owner,arr,region,language,skills\na,E-1,0,EMEA,fr,sap;bank"


@pytest.mark.parametrize(
    ("rule", "ams", "message"),
    [
        ("region", "am_id,region\nE-1,\nE-2,AMER;APAC", "its region is EMEA, not one of AMER, APAC"),
        ("language", "am_id,language\nE-1,\nE-2,en", "its language is fr, not one of en"),
        ("skill", "am_id,skills\nE-1,\nE-2,sap;aws", "it needs bank, which is not among aws, sap"),
    ],
)
def test_tags_must_match_where_both_sides_have_them(rule, ams, message):
    assert broken(rule, "a E-2", TAGGED, ams) == [f"account a goes to E-2: {message}"]
    assert broken(rule, "a E-2", TAGGED) == []
    assert broken(rule, "a E-2", "account_id,owner,arr\na,E-1,0", ams) == []


def test_an_account_that_stays_is_never_tested_for_eligibility():
    ams = "am_id,region,language,skills,tiers,receives\nE-1,AMER,en,aws,smb,false\nE-2,,,,,"
    for rule in ("region", "language", "skill", "tier_segmentation", "receiving"):
        assert broken(rule, "a E-1", TAGGED.replace(",0,", ",900000,"), ams) == []


def test_a_matching_tag_is_enough():
    ams = "am_id,region,language,skills\nE-1,,,\nE-2,AMER;EMEA,en;fr,sap;bank;aws"
    assert [broken(rule, "a E-2", TAGGED, ams) for rule in ("region", "language", "skill")] == [[], [], []]


def test_a_new_csm_must_lie_in_the_region_and_receive():
    book = "account_id,owner,arr,csm,region\na,E-1,0,C-1,EMEA"
    pods = "pod_id,am_id,csm_id\nP,E-1,C-1\nP,E-1,C-2"
    csms = "csm_id,region,starts_on\nC-1,AMER,\nC-2,AMER,2026-01-02"
    assert broken("region", "a E-1 C-2", book, csms=csms, pods=pods) == [
        "account a goes to CSM C-2: its region is EMEA, not one of AMER"
    ]
    assert broken("receiving", "a E-1 C-2", book, csms=csms, pods=pods) == [
        "account a goes to CSM C-2, who receives no accounts"
    ]
    assert broken("region", "a E-1 C-1", book, csms=csms, pods=pods) == []


@pytest.mark.parametrize(
    "am",
    ["leave,,,", "active,,false,", "active,,,manager"],
    ids=["on leave", "receives nothing", "a manager"],
)
def test_who_does_not_receive_gets_nothing(am):
    ams = f"am_id,status,starts_on,receives,role\nE-1,,,,\nE-2,{am}"
    assert len(broken("receiving", "a E-2", "account_id,owner,arr\na,E-1,0", ams)) == 1
    assert broken("receiving", "a E-1", "account_id,owner,arr\na,E-1,0", ams) == []


@pytest.mark.parametrize(
    "am", ["active,2026-01-01,,", ",,true,manager", ",,,closer"], ids=["starts today", "told to", "unlisted"]
)
def test_who_receives_gets_accounts(am):
    ams = f"am_id,status,starts_on,receives,role\nE-1,,,,\nE-2,{am}"
    assert broken("receiving", "a E-2", "account_id,owner,arr\na,E-1,0", ams) == []


def test_the_planners_word_wins_over_eligibility_but_not_over_leave():
    book = "account_id,owner,arr,region,assign_to\na,E-1,0,EMEA,E-2"
    ams = "am_id,region,status\nE-1,,\nE-2,AMER,open"
    assert broken("region", "a E-2", book, ams) == broken("receiving", "a E-2", book, ams) == []
    away = ams.replace("open", "leave")
    assert broken("receiving", "a E-2", book, away) == ["account a goes to E-2, who is on leave"]


# Departures, locks, pods


@pytest.mark.parametrize(("am", "gone"), [("inactive,", 1), (",2026-01-01", 1), (",2026-01-02", 0), ("leave,", 0)])
def test_no_account_ends_at_an_am_who_has_left(am, gone):
    ams = f"am_id,status,leaves_on\nE-1,{am}\nE-2,,"
    messages = broken("departures", "a E-1", "account_id,owner,arr\na,E-1,0", ams)
    assert messages == ["account a ends at E-1, who has left"] * gone


def test_no_account_ends_with_a_csm_who_has_left_where_there_are_pods():
    csms = "csm_id,leaves_on\nC-1,2026-01-01\nC-2,"
    book = "account_id,owner,arr,csm\na,E-1,0,C-1"
    assert broken("departures", "a E-1", book, csms=csms, pods=PODS["pods"]) == [
        "account a ends with CSM C-1, who has left"
    ]
    assert broken("departures", "a E-1", book, csms=csms) == []
    other = book.replace("C-1", "C-2")
    assert len(broken("departures", "a E-1 C-1", other, csms=csms, pods=PODS["pods"])) == 1
    assert broken("receiving", "a E-1 C-1", other, csms=csms, pods=PODS["pods"]) == []  # said once is enough


@pytest.mark.parametrize(
    ("lock", "held"),
    [
        ("true,,", 1),
        ("true,2026-01-01,", 1),
        ("true,2025-12-31,", 0),
        ("false,,", 0),
        (",,2026-01-01", 1),
        (",,2025-12-31", 0),
    ],
)
def test_a_locked_account_stays_until_its_last_day(lock, held):
    book = f"account_id,owner,arr,lock,lock_until,ae_hold_until\na,E-1,0,{lock}"
    assert broken("locks", "a E-2", book) == ["account a is locked at E-1 and goes to E-2"] * held
    assert broken("locks", "a E-1", book) == []


def test_a_model_can_switch_a_lock_off():
    book = "account_id,owner,arr,lock,ae_hold_until\na,E-1,0,true,\nb,E-1,0,,2027-01-01"
    assert len(broken("locks", "a E-2, b E-2", book, overrides={"locks": {"manual": False}})) == 1
    assert broken("locks", "a E-2, b E-2", book, overrides={"locks": {"manual": False, "ae_hold": False}}) == []


def test_a_lock_is_lifted_where_the_owner_left_or_is_missing():
    book = "account_id,owner,arr,lock\na,E-1,0,true\nb,,0,true"
    ams = "am_id,status\nE-1,inactive\nE-2,"
    assert broken("locks", "a E-2, b E-2", book, ams) == []


def test_a_locked_account_keeps_its_csm_unless_that_csm_leaves():
    book = "account_id,owner,arr,csm,lock\na,E-1,0,C-1,true"
    pods = "pod_id,am_id,csm_id\nP,E-1,C-1\nP,E-1,C-2"
    message = "account a is locked with CSM C-1 and goes to CSM C-2"
    assert broken("locks", "a E-1 C-2", book, csms="csm_id\nC-1\nC-2", pods=pods) == [message]
    left = "csm_id,leaves_on\nC-1,2026-01-01\nC-2,"
    assert broken("locks", "a E-1 C-2", book, csms=left, pods=pods) == []
    assert broken("locks", "a E-1 C-2", book, csms=left) == [message]


def test_an_assigned_seat_is_the_seat_it_gets():
    book = "account_id,owner,arr,csm,assign_to,assign_csm\na,E-1,0,C-1,E-2,C-2"
    assert broken("locks", "a E-2 C-2", book, **PODS) == []
    assert broken("locks", "a E-1 C-2", book, **PODS) == ["account a goes to E-1, and assign_to names E-2"]
    assert broken("locks", "a E-2 -", book, **PODS) == ["account a goes to CSM none, and assign_csm names C-2"]


SERVED = "account_id,owner,arr,csm\na,E-1,0,C-1\nb,E-1,0,C-2\nc,E-1,0,"


def test_an_account_ends_in_todays_seat_or_in_a_pod():
    assert broken("pods", "a E-1, b E-1, c E-2", SERVED, **PODS) == []  # b's pair is legacy and kept, c has no CSM
    assert broken("pods", "a E-2 C-2, b E-2 C-2", SERVED, **PODS) == []
    assert broken("pods", "a E-2 C-1", SERVED, **PODS) == ["account a ends at E-2 with CSM C-1, who share no pod"]


def test_a_csm_is_given_up_only_where_the_am_has_no_pod():
    three = "am_id\nE-1\nE-2\nE-3"
    message = "account a ends at E-2 without a CSM, and E-2 has a pod"
    assert broken("pods", "a E-2 -", SERVED, three, **PODS) == [message]
    assert broken("pods", "a E-3 -", SERVED, three, **PODS) == []
    left = {**PODS, "csms": "csm_id,leaves_on\nC-1,\nC-2,2026-01-01"}
    assert broken("pods", "a E-2 -", SERVED, three, **left) == []


def test_an_account_without_a_csm_gets_one_only_by_the_planner():
    assert broken("pods", "c E-2 C-2", SERVED, **PODS) == ["account c has no CSM today and gets CSM C-2"]
    named = "account_id,owner,arr,assign_csm\nc,E-1,0,C-2"
    assert broken("pods", "c E-2 C-2", named, **PODS) == []
    assert broken("pods", "c E-1 C-2", named, **PODS) == ["account c ends at E-1 with CSM C-2, who share no pod"]


def test_a_csm_named_outside_every_possible_pod_is_the_planners_word():
    named = "account_id,owner,arr,assign_to,assign_csm\nc,E-1,0,E-1,C-2"
    assert broken("pods", "c E-1 C-2", named, **PODS) == []


def test_without_pods_every_csm_stays():
    message = "account a changes its CSM from C-1 without pods"
    assert broken("pods", "a E-2 C-1", SERVED, csms=PODS["csms"]) == []
    assert broken("pods", "a E-2 C-2", SERVED, csms=PODS["csms"]) == [message]
    assert broken("pods", "a E-2 C-2", SERVED, **PODS, overrides={"pods": {"mode": "off"}}) == [message]


def test_continuity_as_the_model_asks_for_it():
    def problems(seats, mode, **options):
        return broken("pod_continuity", seats, SERVED, **{**PODS, **options}, overrides={"pods": {"continuity": mode}})

    assert problems("a E-2 C-2", "prefer") == []
    assert problems("a E-2 C-2", "never_both") == ["account a loses both E-1 and CSM C-1"]
    assert problems("b E-2 C-2", "never_both") == []
    assert problems("a E-2 C-2, c E-2", "hard") == []
    assert problems("b E-2 C-2", "hard") == ["account b changes only its AM"]
    assert problems("b E-1 C-1", "hard") == ["account b changes only its CSM"]
    left = "csm_id,leaves_on\nC-1,2026-01-01\nC-2,"
    assert problems("a E-2 C-2", "never_both", csms=left) == []


def test_every_legal_seat_of_an_account_is_found():
    ledger = ledger_of(SERVED, "am_id\nE-1\nE-2\nE-3", **PODS)
    assert ledger.legal_seats("a") == [("E-1", "C-1"), ("E-2", "C-2"), ("E-3", "")]
    assert ledger.legal_seats("c") == [("E-1", ""), ("E-2", ""), ("E-3", "")]
    assert ledger.seat_problems("a", "E-2", "C-1") == {"pods": "ends at E-2 with CSM C-1, who share no pod"}


# A whole run, every figure of it by hand

INPUTS = {
    "accounts": """account_id,name,owner,arr,csm,tier,region,lock
a1,One,E-1,600000,C-1,,EMEA,
a2,Two,E-1,100000,C-1,,,
a3,Three,E-2,30000,C-2,,,true
a4,Four,E-3,1000,,,,
a5,Five,,0,,smb,,
""",
    # E-1 does not serve EMEA any more, so that a1 is legacy; E-3 left yesterday
    "ams": "am_id,name,capacity,region,leaves_on\nE-1,Ann,10,AMER,\nE-2,Ben,10,,\nE-3,Cas,10,,2025-12-31\n",
    "csms": "csm_id,name\nC-1,Dee\nC-2,Eve\n",
    "pods": PODS["pods"] + "\n",
}
# a2: (2000 + 0.154 * 100000) * 2.5 = 43500; a4: 50 + 154; a5 is a first placement
HEADER = (
    "account_id,from_am,to_am,from_csm,to_csm,tier,units,arr,moved,forced,csm_changed,locked,legacy,disruption,reason"
)
ASSIGNMENTS = f"""{HEADER}
a1,E-1,E-1,C-1,C-1,strategic,8.0,600000,False,False,False,False,True,0,stays
a2,E-1,E-2,C-1,C-2,enterprise,5.0,100000,True,False,True,False,False,43500,over
a3,E-2,E-2,C-2,C-2,mid_market,2.0,30000,False,False,False,True,False,0,stays
a4,E-3,E-1,,,smb,0.2,1000,True,True,False,False,False,204,left
a5,,E-2,,,smb,0.2,0,True,True,False,False,False,0,first
"""
MOVES = """account_id,to_am,units,moved,disruption,next_best
a2,E-2,5,true,43500,E-1
a4,E-1,0.20,true,204,E-2
a5,E-2,0.2,true,0,E-1
"""
BOOKS_HEADER = (
    "am_id,role,capacity,units_before,units_after,utilization_before,utilization_after,band_before,band_after,"
    "binding,accounts_before,accounts_after,arr_before,arr_after,lost,gained"
)
BOOKS = f"""{BOOKS_HEADER}
E-1,,10.0,13.0,8.2,1.3,0.82,red,green,units,2,2,700000,601000,1,1
E-2,,10.0,2.0,7.2,0.2,0.72,green,green,units,1,3,30000,130000,0,2
E-3,,10.0,0.2,0.0,0.02,0.0,green,green,,1,0,1000,0,1,0
"""
# 10^6 // 35 = 28571, // 75 = 13333, // 125 = 8000
CSMS = """csm_id,load_before,load_after,accounts_before,accounts_after
C-1,0.041904,0.028571,2,1
C-2,0.008,0.021333,1,2
"""
PROPOSAL = {
    "status": "feasible",
    "legal": True,
    "scope": "full",
    "measure": "revenue_at_risk",
    "levels": [
        {"name": "overload", "value": 0, "bound": 0, "gap": 0.0},
        {"name": "disruption", "value": 43704, "bound": 43000, "gap": 704 / 43704},
        {"name": "balance", "value": 7, "bound": None, "gap": None},
    ],
    "disruption": {"revenue_at_risk": 43704, "accounts": 2, "units": 5.2},
    "moves": {"accounts": 3, "arr": 101000, "share": 0.6, "csm_changes": 1, "pod_breaks": 1, "forced": 2},
    "warnings": ["pod P-1 ends with 2 accounts, fewer than 25", "pod P-2 ends with 3 accounts, fewer than 25"],
}


def copy_of(proposal):
    return json.loads(json.dumps(proposal))


def judged(
    *, assignments=ASSIGNMENTS, books=BOOKS, csms=CSMS, moves=MOVES, proposal=PROPOSAL, inputs=INPUTS, **options
):
    """Violations of the run above with something of it replaced."""
    asked = {"scope": "full", "measure": "revenue_at_risk", "effective_date": DAY, **options}
    return verify_tables(
        {name: frame(text) for name, text in inputs.items()},
        load_model("coverage_units"),
        assignments=frame(assignments),
        proposal=proposal,
        books=frame(books),
        csms=frame(csms),
        moves=frame(moves),
        **asked,
    )


def changed(text, key, column, value):
    table = frame(text)
    table.loc[table.iloc[:, 0] == key, column] = value
    return table.to_csv(index=False)


def test_a_true_plan_has_no_violation():
    assert judged() == []


def test_a_plan_of_typed_values_is_the_same_plan():
    typed = pd.read_csv(io.StringIO(ASSIGNMENTS))
    typed["arr"] = typed["arr"].astype("int64")
    tables = {name: frame(text) for name, text in INPUTS.items()}
    options = {"effective_date": pd.Timestamp(DAY), "scope": "full", "measure": "revenue_at_risk", "proposal": PROPOSAL}
    books = pd.read_csv(io.StringIO(BOOKS))
    assert verify_tables(tables, load_model("coverage_units"), assignments=typed, books=books, **options) == []


@pytest.mark.parametrize(
    ("column", "value", "true"),
    [
        ("tier", "smb", "enterprise"),
        ("units", "5.01", "5"),
        ("units", "five", "5"),
        ("arr", "100001", "100000"),
        ("moved", "False", "true"),
        ("forced", "True", "false"),
        ("csm_changed", "False", "true"),
        ("locked", "True", "false"),
        ("legacy", "", "false"),
        ("disruption", "43499", "43500"),
    ],
)
def test_every_column_of_the_assignments_is_recounted(column, value, true):
    (violation, *rest) = judged(assignments=changed(ASSIGNMENTS, "a2", column, value))
    claimed = value or "nothing"
    assert violation.rule == "recount"
    assert violation.message == f"assignments.csv, column {column}, account a2: claimed {claimed}, recounted {true}"
    assert all("moves.csv" in other.message for other in rest)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("capacity", "11"), ("units_before", "12.99"), ("units_after", "8.21"), ("utilization_before", "1.2999"),
        ("utilization_after", "0.8201"), ("utilization_after", "0.82001"), ("utilization_after", ""),
        ("band_before", "yellow"), ("band_after", "red"), ("accounts_before", "3"), ("accounts_after", "1"),
        ("arr_before", "700001"), ("arr_after", "1e6"), ("lost", "0"), ("gained", "2"),
    ],
)  # fmt: skip
def test_every_column_of_the_books_is_recounted(column, value):
    (violation,) = judged(books=changed(BOOKS, "E-1", column, value))
    assert violation.message.startswith(
        f"books.csv, column {column}, book E-1: claimed {value or 'nothing'}, recounted"
    )


@pytest.mark.parametrize(
    ("column", "value"),
    [("load_before", "0.041905"), ("load_after", "0"), ("accounts_before", "1"), ("accounts_after", "x")],
)
def test_every_column_of_the_csms_is_recounted(column, value):
    (violation,) = judged(csms=changed(CSMS, "C-1", column, value))
    assert violation.message.startswith(f"csms.csv, column {column}, CSM C-1: claimed {value}")


def test_an_account_that_stays_with_a_leaver_is_a_departure_and_no_forced_move():
    found = judged(assignments=changed(ASSIGNMENTS, "a4", "to_am", "E-3"))
    messages = [violation.message for violation in found]
    assert ("departures", "account a4 ends at E-3, who has left") in [(v.rule, v.message) for v in found]
    assert "assignments.csv, column forced, account a4: claimed True, recounted false" in messages


def test_an_account_that_moves_is_no_legacy():
    found = judged(assignments=changed(ASSIGNMENTS, "a1", "to_am", "E-2"))
    messages = [violation.message for violation in found]
    assert "assignments.csv, column legacy, account a1: claimed True, recounted false" in messages


def test_rows_that_are_missing_twice_or_foreign_are_named():
    rows = BOOKS.splitlines()
    books = "\n".join([*rows[:2], rows[1], rows[3], rows[3].replace("E-3", "E-9")])
    assert [violation.message for violation in judged(books=books)] == [
        "books.csv, am_id E-1: the row is there twice",
        "books.csv, am_id E-9: the row does not belong there",
        "books.csv, am_id E-2: the row is missing",
    ]


def test_a_book_without_capacity_is_red_as_soon_as_it_holds_something():
    inputs = {**INPUTS, "ams": INPUTS["ams"].replace("Cas,10", "Cas,0")}
    empty = "E-3,,0,0.2,0,,,red,green,,1,0,1000,0,1,0\n"
    books = "\n".join(BOOKS.splitlines()[:3]) + "\n" + empty
    assert judged(inputs=inputs, books=books) == []
    (violation,) = judged(inputs=inputs, books=books.replace("red,green,,1", "green,green,,1"))
    assert "band_before" in violation.message


def test_moves_hold_exactly_the_changed_accounts_and_repeat_the_assignments():
    assert [violation.message for violation in judged(moves=MOVES.replace("a4,E-1,0.20", "a4,E-2,0.21"))] == [
        "moves.csv, column to_am, account a4: claimed E-2, recounted E-1",
        "moves.csv, column units, account a4: claimed 0.21, recounted 0.2",
    ]
    assert [violation.message for violation in judged(moves=MOVES.replace("a5,", "a3,"))] == [
        "moves.csv, account_id a3: the row does not belong there",
        "moves.csv, account_id a5: the row is missing",
    ]


def test_many_differences_of_one_column_are_counted():
    count = 30
    accounts = accounts_of("E-1", count)
    rows = "".join(f"x{n},E-1,E-1,,,smb,0.3,0,False,False,False,False,False,0,\n" for n in range(1, count + 1))
    found = verify_tables(
        {"accounts": frame(accounts), "ams": frame(TWO_AMS)},
        load_model("coverage_units"),
        effective_date=DAY,
        scope="full",
        measure="revenue_at_risk",
        assignments=frame(HEADER + "\n" + rows),
        proposal={},
    )
    units = [violation.message for violation in found if "column units" in violation.message]
    assert len(units) == 21
    assert units[-1] == "assignments.csv, column units: 10 more differ"


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("disruption", "revenue_at_risk", 43703), ("disruption", "accounts", 3), ("disruption", "units", 5.21),
        ("disruption", "units", None), ("moves", "accounts", 2), ("moves", "arr", 101001), ("moves", "share", 0.61),
        ("moves", "share", "0.6"), ("moves", "csm_changes", 0), ("moves", "pod_breaks", True), ("moves", "forced", 1),
    ],
)  # fmt: skip
def test_every_total_of_the_proposal_is_recounted(part, key, value):
    proposal = copy_of(PROPOSAL)
    proposal[part][key] = value
    (violation,) = judged(proposal=proposal)
    assert violation.message.startswith(f"proposal.json, {part}, {key}: claimed {value}, recounted")


@pytest.mark.parametrize(
    ("level", "key", "value", "message"),
    [
        (0, "value", 1, "level overload, value: claimed 1, recounted 0"),
        (1, "value", 43705, "level disruption, value: claimed 43705, recounted 43704"),
        (1, "value", "43704", "level disruption, value: claimed 43704, recounted 43704"),
        (1, "bound", 43705, "level disruption: its bound 43705 is above its value 43,704"),
        (1, "gap", 0.01, "level disruption, gap: claimed 0.01, recounted 0.016108"),
        (1, "bound", None, "level disruption: claims a gap of 0.016108"),
        (1, "name", "other", "levels: disruption is there 0 times, and belongs there once"),
        (2, "name", "disruption", "levels: disruption is there 2 times, and belongs there once"),
        (2, "name", "continuity", "levels: continuity is no level of the measure revenue_at_risk"),
    ],
)
def test_the_levels_are_recounted(level, key, value, message):
    proposal = copy_of(PROPOSAL)
    proposal["levels"][level][key] = value
    assert f"proposal.json, {message}" in judged(proposal=proposal)[0].message


@pytest.mark.parametrize(("measure", "value"), [("accounts", 2), ("units", 520)])
def test_the_measures_accounts_and_units_have_a_continuity_level(measure, value):
    proposal = copy_of(PROPOSAL) | {"measure": measure}
    proposal["levels"][1] = {"name": "disruption", "value": value, "bound": value, "gap": 0}
    proposal["levels"][2] = {"name": "continuity", "value": 2, "bound": None, "gap": None}  # one CSM, one pod break
    assert judged(proposal=proposal, measure=measure) == []
    proposal["levels"][2]["value"] = 1
    assert [violation.message for violation in judged(proposal=proposal, measure=measure)] == [
        "proposal.json, level continuity, value: claimed 1, recounted 2"
    ]


@pytest.mark.parametrize(
    ("claims", "message"),
    [
        ({"status": "great"}, "status: great is not one of"),
        ({"status": "over_capacity"}, "status: over_capacity for a plan with an overload of 0"),
        ({"status": "no_change"}, "status: no_change, and 3 accounts change their AM or CSM"),
        ({"status": "optimal"}, "level disruption: is called optimal with bound 43000 below 43,704"),
        ({"legal": False}, "legal: claimed False, recounted true, with an overload of 0"),
        ({"scope": "repair"}, "scope: claimed repair, recounted full"),
        ({"measure": "units"}, "measure: claimed units, recounted revenue_at_risk"),
    ],
)
def test_status_legality_and_options_are_judged(claims, message):
    assert any(message in violation.message for violation in judged(proposal=copy_of(PROPOSAL) | claims))


OVER = {**INPUTS, "ams": INPUTS["ams"].replace("Ben,10", "Ben,7")}  # E-2 ends at 7.2 of 7: 20 * 1429 = 28580
OVER_BOOKS = BOOKS.replace("E-2,,10.0,2.0,7.2,0.2,0.72,green,green", "E-2,,7,2,7.2,0.2857,1.0286,green,yellow")


def test_an_over_capacity_plan_is_judged_by_its_overload_alone():
    proposal = copy_of(PROPOSAL) | {"status": "over_capacity", "legal": False}
    proposal["levels"][0] = {"name": "overload", "value": 28580, "bound": None, "gap": None}
    assert judged(proposal=proposal, inputs=OVER, books=OVER_BOOKS) == []
    assert judged(proposal=proposal | {"status": "baseline"}, inputs=OVER, books=OVER_BOOKS) == []


def test_a_plan_that_claims_to_be_legal_is_judged_by_every_limit():
    found = judged(inputs=OVER, books=OVER_BOOKS)
    assert [(violation.rule, violation.message) for violation in found] == [
        ("units_cap", "book E-2 ends at 7.20 units, its limit is 7.00"),
        ("recount", "proposal.json, legal: claimed True, recounted false, with an overload of 28,580"),
        ("recount", "proposal.json, status: feasible for a plan with an overload of 28,580"),
        ("recount", "proposal.json, level overload, value: claimed 0, recounted 28580"),
        ("recount", "proposal.json, level overload, gap: claimed 0.0, recounted 1.0"),
    ]


def seated(text):
    return [violation.message for violation in judged(assignments=text) if violation.rule == "one_seat"]


def test_every_account_has_exactly_one_seat():
    rows = ASSIGNMENTS.splitlines()
    assert seated("\n".join(rows[:-1])) == ["account a5 has 0 seats, and needs 1"]
    assert seated("\n".join([*rows, rows[1]])) == ["account a1 has 2 seats, and needs 1"]
    assert seated("\n".join([*rows, rows[1].replace("a1", "a9")])) == ["account a9 is assigned and is not in the book"]


def test_a_seat_starts_where_the_book_says_and_ends_with_known_people():
    assert seated(changed(ASSIGNMENTS, "a1", "from_am", "E-2")) == ["account a1: from_am says E-2, the book says E-1"]
    assert seated(changed(ASSIGNMENTS, "a4", "from_csm", "C-1")) == [
        "account a4: from_csm says C-1, the book says none"
    ]
    assert seated(changed(ASSIGNMENTS, "a5", "to_am", "")) == ["account a5 ends without an AM"]
    assert seated(changed(ASSIGNMENTS, "a5", "to_am", "E-9")) == ["account a5 ends at E-9, who is no AM of the book"]
    assert seated(changed(ASSIGNMENTS, "a2", "to_csm", "C-9")) == [
        "account a2 ends with CSM C-9, who is no CSM of the book"
    ]


@pytest.mark.parametrize(
    ("table", "key", "column", "value", "problem"),
    [
        ("accounts", "a1", "arr", "6e", "is not a number"),
        ("accounts", "a1", "arr", "0.5", "is not a whole number"),
        ("accounts", "a1", "owner", "E-9", "there is no E-9"),
        ("accounts", "a1", "csm", "C-9", "there is no C-9"),
        ("accounts", "a1", "tier", "large", "is not one of"),
        ("accounts", "a1", "lock", "perhaps", "is neither true nor false"),
        ("accounts", "a1", "account_id", "a2", "twice the account_id a2"),
        ("ams", "E-1", "leaves_on", "soon", "is not a date"),
        ("pods", "P-1", "am_id", "E-9", "pods names E-9 with C-1"),
    ],
)
def test_an_input_that_says_nothing_is_a_violation_and_no_crash(table, key, column, value, problem):
    (violation,) = judged(inputs={**INPUTS, table: changed(INPUTS[table], key, column, value)})
    assert violation.rule == "recount"
    assert problem in violation.message


def test_what_is_asked_for_must_exist():
    assert "scope" in judged(scope="half")[0].message
    assert "measure" in judged(measure="half")[0].message
    assert "effective date" in judged(effective_date="soon")[0].message
    assert "no column to_am" in judged(assignments="account_id,from_am,from_csm,to_csm\n")[0].message
    assert "not an object" in judged(proposal=[])[0].message


# The run directory


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    (folder / "inputs").mkdir(parents=True)
    for name, text in INPUTS.items():
        (folder / "inputs" / f"{name}.csv").write_text(text)
    (folder / "inputs" / "model.toml").write_text(load_model("coverage_units").to_toml())
    (folder / "inputs" / "book.toml").write_text(f"effective_date = {DAY}\n")
    for name, text in (("assignments", ASSIGNMENTS), ("books", BOOKS), ("csms", CSMS), ("moves", MOVES)):
        (folder / f"{name}.csv").write_text(text)
    (folder / "proposal.json").write_text(json.dumps(PROPOSAL))
    (folder / "timings.json").write_text("{}")
    sign(folder)
    return folder


def sign(folder):
    files = [
        file for file in folder.rglob("*") if file.is_file() and file.name not in ("manifest.json", "timings.json")
    ]
    hashes = {file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    (folder / "manifest.json").write_text(json.dumps({"schema_version": 1, "files": hashes}))


def rules(folder):
    return [(violation.rule, violation.message) for violation in verify_run(folder)]


def test_a_true_run_directory_has_no_violation(run):
    assert rules(run) == []


def test_a_directory_without_a_manifest_is_no_run(tmp_path):
    with pytest.raises(UsageError, match=r"no run directory: it has no manifest\.json"):
        verify_run(tmp_path)


def test_an_edited_file_is_named(run):
    (run / "proposal.json").write_text(json.dumps(PROPOSAL, indent=1))
    assert rules(run) == [("manifest", "proposal.json is not as it was written: its sha256 differs")]


def test_an_edited_plan_is_named_and_judged(run):
    (run / "assignments.csv").write_text(changed(ASSIGNMENTS, "a3", "to_am", "E-1"))
    found = rules(run)
    assert found[0] == ("manifest", "assignments.csv is not as it was written: its sha256 differs")
    assert ("locks", "account a3 is locked at E-2 and goes to E-1") in found


def test_a_missing_file_is_named(run):
    (run / "moves.csv").unlink()
    assert rules(run)[0] == ("manifest", "moves.csv is listed and is not there")


def test_a_file_too_many_is_named_but_not_the_timings(run):
    (run / "inputs" / "notes.txt").write_text("hello")
    assert rules(run) == [("manifest", "inputs/notes.txt is there and is not listed")]


def test_a_manifest_cannot_reach_outside_its_run(run):
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["files"]["../../secret"] = "0"
    (run / "manifest.json").write_text(json.dumps(manifest))
    assert rules(run) == [("manifest", "../../secret is listed and is not there")]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("proposal.json", "{"),
        ("proposal.json", "[]"),
        ("proposal.json", "[" * 100_000),
        ("assignments.csv", ""),
        ("assignments.csv", "account_id,to_am\na1\n"),
        ("assignments.csv", '"a'),
        ("books.csv", "\x80"),
        ("inputs/model.toml", "name = "),
        ("inputs/model.toml", 'name = "x"'),
        ("inputs/book.toml", ""),
        ("inputs/accounts.csv", "account_id\n"),
    ],
)
def test_an_unreadable_file_is_a_violation_and_no_crash(run, file, text):
    (run / file).write_bytes(text.encode("latin-1"))
    sign(run)
    assert {rule for rule, _ in rules(run)} <= {"manifest", "recount"}
    assert rules(run)


@pytest.mark.parametrize("text", ["", "[]", '{"files": 3}', '{"files": {"books.csv": null}}'])
def test_an_unreadable_manifest_is_a_violation_and_no_crash(run, text):
    (run / "manifest.json").write_text(text)
    assert rules(run)[0][0] == "manifest"


def test_every_change_of_a_signed_run_is_found(run):
    """One cell or figure at a time is changed and the manifest renewed: nothing passes, nothing crashes."""
    chance = random.Random(7)
    texts = {"assignments.csv": ASSIGNMENTS, "books.csv": BOOKS, "csms.csv": CSMS}
    passed = []
    for _ in range(150):
        file = chance.choice(sorted(texts))
        table = frame(texts[file])
        column = chance.choice([name for name in table.columns if name not in ("reason", "role", "binding")])
        row = chance.randrange(len(table))
        value = chance.choice(["", "E-2", "C-1", "true", "-1", "99999999", "nan", "é", "smb", "1e99"])
        if value == table.loc[row, column] or (value, table.loc[row, column]) == ("true", "True"):
            continue
        table.loc[row, column] = value
        (run / file).write_text(table.to_csv(index=False))
        sign(run)
        if not verify_run(run):
            passed.append((file, column, row, value))
        (run / file).write_text(texts[file])
    assert passed == []


# Independence


def test_verify_imports_nothing_of_what_it_checks():
    allowed = {"rebalancer.errors", "rebalancer.tables", "rebalancer.coverage", "rebalancer.verify"}
    opens_files = "rebalancer.reading.archive"  # refuses archives that would fill the memory; reads no book
    for file in Path(rebalancer.verify.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [node.module] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                assert not name.startswith(("ortools", "numpy", "scipy")), f"{file.name} imports {name}"
                parent = ".".join(name.split(".")[:2])
                known = parent in allowed or name == opens_files
                assert not name.startswith("rebalancer") or known, f"{file.name} imports {name}"


def test_the_checks_are_named_after_the_rules():
    assert set(CHECKS) == {
        "one_seat", "units_cap", "floor", "accounts_limit", "tier_segmentation", "blended_limit", "region", "language",
        "skill", "receiving", "open_headcount", "departures", "pools", "locks", "fatigue", "pods", "csm_load",
        "pod_continuity", "families", "budgets", "pod_size", "global_programme", "refused",
    }  # fmt: skip
    assert set(ELASTIC) < set(CHECKS)
    assert all(check.__doc__ for check in CHECKS.values())


def test_a_run_can_be_verified_anywhere(run, tmp_path):
    shutil.move(run, tmp_path / "elsewhere")
    assert verify_run(tmp_path / "elsewhere") == []
