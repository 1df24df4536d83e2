"""AE holds: who is held, until when and why, what is due, and that plans and `verify` keep to it."""

import os
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import book_of, messages, problem_of, seats, snapshot_of
from test_verify import broken

import rebalancer as rb
from rebalancer import insight
from rebalancer.coverage import load_model
from rebalancer.holds import months_after
from rebalancer.verify import Ledger

ROOT = Path(__file__).resolve().parents[1]
ADVENTUREWORKS = Path(os.environ.get("REBALANCER_SHARED", ROOT.parent / "shared")) / "data" / "adventureworks"

TEAM = "am_id,role\nE-1,ae\nE-2,ae\nM-1,\nM-2,"
EVERY_TIER = ("strategic", "enterprise", "mid_market", "smb")


def rule(name, **figures):
    """Overrides that give every tier one rule."""
    return {"holds": {"rule": dict.fromkeys(EVERY_TIER, name), **figures}}


def holds_of(accounts, overrides=None, ams=TEAM, **options):
    """`held`, `due` or `-` per account, with its rule and last day where it has them."""
    snapshot = snapshot_of(book_of(accounts, ams, **options), overrides=overrides)
    found = snapshot.accounts.holds
    words = {}
    for index, account in enumerate(snapshot.accounts.ids):
        state = "held" if found.held[index] else "due" if found.due[index] else "-"
        until = "" if np.isnat(found.until[index]) else f" {found.until[index]}"
        words[account] = f"{state} {found.why[index]}{until}".strip()
    return words


# The source's own figures


def test_small_customers_are_held_six_to_twelve_months_and_enterprise_ones_for_years():
    months = load_model("coverage_units").holds.months
    assert 6 <= months["smb"] <= months["mid_market"] <= 12
    assert months["enterprise"] >= 24


def test_the_four_rules_can_be_chosen_tier_by_tier():
    accounts = """account_id,owner,arr,tier,owner_since,expansion_arr_12m
    a,E-1,900000,strategic,2020-01-01,50000
    b,E-1,200000,enterprise,2025-06-01,0
    c,E-1,50000,mid_market,2025-06-01,0
    d,E-1,9000,smb,2025-06-01,0"""
    overrides = {
        "holds": {
            "rule": {"strategic": "expansion", "enterprise": "duration", "mid_market": "accounts", "smb": "total_arr"},
            "accounts": 0,
        }
    }
    assert holds_of(accounts, overrides) == {
        "a": "held expansion",
        "b": "held duration 2027-06-01",
        "c": "due accounts",
        "d": "held total_arr",
    }


def test_without_a_rule_only_dates_hold_so_that_books_without_any_are_as_they_were():
    accounts = "account_id,owner,owner_since\na,E-1,2010-01-01\nb,M-1,2010-01-01"
    assert holds_of(accounts) == {"a": "-", "b": "-"}
    assert load_model("coverage_units").holds.rule == dict.fromkeys(EVERY_TIER, "none")


# A fixed duration


@pytest.mark.parametrize(
    ("since", "months", "until"),
    [
        ("2025-07-15", 6, "2026-01-15"),
        ("2025-08-31", 6, "2026-02-28"),  # February has no 31st
        ("2024-02-29", 12, "2025-02-28"),
        ("2024-02-29", 48, "2028-02-29"),
        ("2025-12-31", 1, "2026-01-31"),
    ],
)
def test_a_hold_of_months_ends_on_that_day_of_the_month_or_its_last(since, months, until):
    found = months_after(np.array([since], dtype="datetime64[D]"), np.array([months]))
    assert str(found[0]) == until


@pytest.mark.parametrize(("day", "state"), [("2026-01-15", "held"), ("2026-01-16", "due"), ("2024-01-01", "held")])
def test_the_last_day_of_a_duration_still_holds(day, state):
    accounts = "account_id,owner,tier,owner_since\na,E-1,smb,2025-07-15"
    assert holds_of(accounts, rule("duration"), day=day)["a"] == f"{state} duration 2026-01-15"


def test_an_account_without_the_day_it_was_won_is_neither_held_nor_due_and_that_is_said():
    book = book_of("account_id,owner,tier,owner_since\na,E-1,smb,\nb,E-1,smb,2020-01-01", TEAM)
    snapshot = snapshot_of(book, overrides=rule("duration"))
    assert snapshot.accounts.holds.why.tolist() == ["unknown", "duration"]
    assert snapshot.accounts.holds.due.tolist() == [False, True]
    (warning,) = snapshot.warnings
    assert warning.code == "ae_hold_unknown"
    assert "1 accounts of AEs lack the column" in str(warning)


# A number of accounts


THREE = "account_id,owner,arr,owner_since\na,E-1,10,2025-03-01\nb,E-1,30,2025-01-01\nc,E-1,20,2025-02-01\nd,E-2,5,"


def test_an_ae_keeps_its_newest_accounts_and_each_ae_its_own():
    found = holds_of(THREE, rule("accounts", accounts=2))
    assert found == {"a": "held accounts", "b": "due accounts", "c": "held accounts", "d": "held accounts"}


def test_the_largest_accounts_can_be_kept_instead():
    found = holds_of(THREE, rule("accounts", accounts=2, keep="largest"))
    assert [name for name, state in found.items() if state.startswith("held")] == ["b", "c", "d"]


def test_equal_days_are_decided_by_arr_and_then_by_the_id():
    accounts = "account_id,owner,arr,owner_since\nb,E-1,10,2025-03-01\na,E-1,10,2025-03-01\nc,E-1,11,2025-03-01"
    assert holds_of(accounts, rule("accounts", accounts=2))["b"] == "due accounts"


def test_an_account_held_by_a_date_takes_up_one_of_the_places():
    accounts = "account_id,owner,owner_since,ae_hold_until\na,E-1,2025-03-01,\nb,E-1,2020-01-01,2026-12-31"
    assert holds_of(accounts, rule("accounts", accounts=1)) == {"a": "due accounts", "b": "held date 2026-12-31"}


# Expansion


def test_an_account_is_held_while_its_expansion_exceeds_the_threshold_and_not_at_it():
    accounts = "account_id,owner,expansion_arr_12m\na,E-1,10000\nb,E-1,10001\nc,E-1,-5"
    assert holds_of(accounts, rule("expansion", expansion_above=10_000)) == {
        "a": "due expansion",
        "b": "held expansion",
        "c": "due expansion",
    }


def test_a_book_that_says_nothing_of_expansion_makes_nobody_due():
    assert holds_of("account_id,owner\na,E-1", rule("expansion")) == {"a": "- unknown"}


# A total ARR


def test_an_ae_keeps_what_its_total_arr_carries_and_the_source_advises_against_it():
    book = book_of(
        "account_id,owner,arr,owner_since\na,E-1,60,2025-03-01\nb,E-1,50,2025-02-01\nc,E-1,40,2025-01-01", TEAM
    )
    snapshot = snapshot_of(book, overrides=rule("total_arr", total_arr=100))
    assert snapshot.accounts.holds.due.tolist() == [False, True, False]  # b would exceed it, c does not
    assert [warning.code for warning in snapshot.warnings] == ["ae_total_arr"]
    assert "advises against" in str(snapshot.warnings[0])


# A date wins


@pytest.mark.parametrize("name", ["none", "duration", "accounts", "expansion", "total_arr"])
def test_a_date_wins_over_every_rule(name):
    accounts = "account_id,owner,owner_since,ae_hold_until,expansion_arr_12m\n"
    accounts += "a,E-1,2010-01-01,2026-01-01,0\nb,E-1,2025-12-31,2025-12-31,99999"
    found = holds_of(accounts, rule(name))
    assert found == {"a": "held date 2026-01-01", "b": "due date 2025-12-31"}


def test_a_date_holds_whoever_owns_the_account_and_makes_only_an_ae_hand_it_over():
    accounts = "account_id,owner,ae_hold_until\na,M-1,2027-01-01\nb,M-1,2020-01-01"
    assert holds_of(accounts) == {"a": "held date 2027-01-01", "b": "- date 2020-01-01"}


def test_holds_can_be_switched_off_altogether():
    overrides = {**rule("accounts", accounts=0), "locks": {"ae_hold": False}}
    accounts = "account_id,owner,ae_hold_until\na,E-1,2020-01-01\nb,E-1,2027-01-01\nc,E-1,"
    assert set(holds_of(accounts, overrides).values()) == {"-"}


# What else keeps a due account


def test_a_manual_lock_and_the_planners_word_keep_a_due_account_with_its_ae():
    accounts = "account_id,owner,ae_hold_until,lock,assign_to\na,E-1,2020-01-01,true,\nb,E-1,2020-01-01,,E-1"
    assert holds_of(accounts) == {"a": "- lock 2020-01-01", "b": "- lock 2020-01-01"}


def test_a_due_account_waits_for_a_relative_whom_the_same_ae_still_holds():
    accounts = "account_id,owner,parent_id,ae_hold_until\na,E-1,,2020-01-01\nb,E-1,a,2027-01-01\nc,E-2,a,2020-01-01"
    assert holds_of(accounts) == {
        "a": "- family 2020-01-01",
        "b": "held date 2027-01-01",
        "c": "due date 2020-01-01",
    }


def test_an_account_that_the_planner_assigned_is_judged_by_no_rule_and_takes_up_no_place():
    accounts = "account_id,owner,owner_since,assign_to\na,E-1,2025-03-01,M-1\nb,E-1,2025-01-01,"
    assert holds_of(accounts, rule("accounts", accounts=1)) == {"a": "- lock", "b": "held accounts"}


def test_a_rule_does_not_hold_an_account_whose_csm_the_planner_names():
    book = book_of(
        "account_id,owner,csm,assign_csm,owner_since\na,E-1,C-1,C-2,2025-12-31",
        TEAM,
        csms="csm_id\nC-1\nC-2",
        pods="pod_id,am_id,csm_id\nP-1,E-1,C-1\nP-1,E-1,C-2",
    )
    proposal = rb.propose(book, load_model("coverage_units", rule("duration")), time_limit=5)
    assert proposal.assignments[["to_am", "to_csm", "locked"]].to_numpy().tolist() == [["E-1", "C-2", False]]


# In the plan


def test_a_held_account_has_one_seat_and_a_due_one_every_seat_but_its_aes():
    book = book_of("account_id,owner,ae_hold_until\na,E-1,2027-01-01\nb,E-1,2020-01-01\nc,E-1,", TEAM)
    problem = problem_of(book)
    assert seats(problem, "a") == ["E-1"]
    assert seats(problem, "b") == ["M-1", "M-2"]
    assert seats(problem, "c") == ["E-1", "M-1", "M-2"]


def test_a_due_account_does_not_stay_with_an_ae_who_receives_accounts():
    ams = "am_id,role,receives\nE-1,ae,true\nE-2,ae,true\nM-1,,"
    assert seats(problem_of(book_of("account_id,owner,ae_hold_until\na,E-1,2020-01-01", ams)), "a") == ["E-2", "M-1"]


def test_a_proposal_places_what_is_due_and_says_why():
    book = book_of(
        "account_id,owner,arr,tier,ae_hold_until,owner_since\n"
        "a,E-1,200000,,2025-12-31,2024-01-01\nb,E-1,200000,,,2024-01-02\nc,E-1,200000,,2026-06-30,2024-01-01",
        TEAM,
    )
    proposal = rb.propose(book, load_model("coverage_units", rule("duration")), time_limit=5)
    plan = proposal.assignments.set_index("account_id")
    assert plan["to_am"].to_dict() == {"a": "M-1", "b": "E-1", "c": "E-1"}
    assert plan.loc["a", ["moved", "forced"]].all()
    assert plan["locked"].tolist() == [False, True, True]
    assert plan.loc["a", "reason"].startswith("Its AE E-1 hands it over, whose hold ended on 2025-12-31; M-1 ()")
    assert plan.loc["b", "reason"] == "It is held by its AE until 2026-01-02."
    assert plan.loc["c", "reason"] == "It is held by its AE until 2026-06-30."
    assert proposal.status == "optimal"


@pytest.mark.parametrize(
    ("name", "figures", "held", "due"),
    [
        ("accounts", {"accounts": 1}, "among the accounts that it keeps", "it keeps no more accounts"),
        ("expansion", {}, "while it expands", "it no longer expands enough"),
        ("total_arr", {"total_arr": 100}, "within the ARR that it keeps", "it keeps no more ARR"),
    ],
)
def test_the_reason_says_by_which_rule_an_account_is_held_or_handed_over(name, figures, held, due):
    accounts = "account_id,owner,arr,owner_since,expansion_arr_12m\na,E-1,100,2025-03-01,20000\nb,E-1,100,2025-01-01,0"
    book = book_of(accounts, TEAM)
    proposal = rb.propose(book, load_model("coverage_units", rule(name, **figures)), time_limit=5)
    reasons = proposal.assignments["reason"].tolist()
    assert reasons[0] == f"It is held by its AE {held}."
    assert reasons[1].startswith(f"Its AE E-1 hands it over ({due}); ")


def test_a_due_account_that_no_am_may_take_is_named_with_the_cure():
    book = book_of(
        "account_id,owner,ae_hold_until,language\na,E-1,2020-01-01,fr", "am_id,role,language\nE-1,ae,\nM-1,,en"
    )
    (fault,) = messages(lambda: problem_of(book))
    assert "the hold of its AE E-1 is over" in fault
    assert "A later ae_hold_until leaves it with its AE." in fault


def test_a_family_that_is_due_goes_together_or_joins_a_member_who_has_an_am():
    ams = "am_id,role\nE-1,ae\nM-1,\nM-2,"
    book = book_of("account_id,owner,parent_id,ae_hold_until\na,E-1,,2020-01-01\nb,E-1,a,2020-01-01", ams)
    assert seats(problem_of(book), "a") == ["M-1", "M-2"]
    book = book_of("account_id,owner,parent_id,ae_hold_until\na,E-1,,2020-01-01\nb,M-1,a,", ams)
    plan = rb.propose(book, time_limit=5).assignments
    assert plan["to_am"].tolist() == ["M-1", "M-1"]


def test_a_due_account_is_spared_neither_by_fatigue_nor_by_the_continuity_of_pods():
    tables = {
        "csms": "csm_id\nC-1\nC-2",
        "pods": "pod_id,am_id,csm_id\nP-1,E-1,C-1\nP-2,M-1,C-2",
        "history": "account_id,role,from,to,date\na,am,M-1,E-1,2025-12-01",
    }
    book = book_of("account_id,owner,csm,ae_hold_until\na,E-1,C-1,2025-12-31", "am_id,role\nE-1,ae\nM-1,", **tables)
    overrides = {"fatigue": {"quarters": 4}, "pods": {"continuity": "never_both"}}
    proposal = rb.propose(book, load_model("coverage_units", overrides), time_limit=5)
    assert proposal.assignments[["to_am", "to_csm"]].to_numpy().tolist() == [["M-1", "C-2"]]


def test_a_handover_counts_in_no_budget():
    book = book_of("account_id,owner,ae_hold_until\na,E-1,2020-01-01\nb,E-1,2020-01-01", TEAM)
    model = load_model("coverage_units", {"budgets": {"accounts": 0}})
    assert rb.propose(book, model, time_limit=5).record["moves"]["forced"] == 2


def test_keep_says_that_there_is_nothing_to_keep():
    book = book_of("account_id,owner,ae_hold_until\na,E-1,2020-01-01", TEAM)
    text = rb.propose(book, time_limit=5).explain("a", keep=True)
    assert "the hold of its AE E-1 is over" in text


# The report

MIXED = """account_id,name,owner,arr,tier,owner_since,ae_hold_until,expansion_arr_12m,lock,assign_to,parent_id
a,Acme,E-1,100,smb,2025-10-01,,,,,
b,Bolt,E-1,200,smb,2025-01-15,,,,,
c,Core,E-2,300,enterprise,,2025-12-31,,,,
d,Dune,E-2,400,enterprise,,,20000,,,
e,Echo,E-2,500,enterprise,,,500,,,
f,Fjord,E-1,600,smb,,,,,,
g,Gale,E-1,700,strategic,,,,,,
h,Hill,M-1,800,smb,,2026-06-30,,,,
i,Iris,E-1,900,smb,2020-01-01,,,true,,
j,Juno,M-1,1000,smb,,,,,,
"""
BY_TIER = {"holds": {"rule": {"smb": "duration", "enterprise": "expansion"}}}


@pytest.fixture(scope="module")
def report():
    return insight.holds(book_of(MIXED, TEAM), load_model("coverage_units", BY_TIER))


def test_the_report_says_who_is_held_until_when_and_why_what_is_due_first(report):
    shown = report.accounts.assign(until=report.accounts["until"].dt.strftime("%Y-%m-%d").fillna(""))
    assert shown[["account_id", "am_id", "rule", "state", "until", "why"]].to_numpy().tolist() == [
        ["b", "E-1", "duration", "due", "2025-07-15", "6 months from 2025-01-15"],
        ["c", "E-2", "date", "due", "2025-12-31", "ae_hold_until says so"],
        ["e", "E-2", "expansion", "due", "", "expansion $500, not above $10,000"],
        ["a", "E-1", "duration", "held", "2026-04-01", "6 months from 2025-10-01"],
        ["h", "M-1", "date", "held", "2026-06-30", "ae_hold_until says so"],
        ["d", "E-2", "expansion", "held", "", "expansion $20,000, above $10,000"],
        ["i", "E-1", "lock", "kept", "2020-07-01", "locked, or fixed by the planner"],
        ["f", "E-1", "unknown", "unknown", "", "owner_since is missing"],
        ["g", "E-1", "", "no_rule", "", "no rule for its tier"],
    ]
    assert report.accounts["days_left"].tolist()[:2] == [-170, -1]
    assert report.rules["smb"] == "6 months"
    assert report.rules["strategic"] == "until ae_hold_until"


def test_the_report_adds_up_by_owner(report):
    aes = report.aes.set_index("am_id")
    assert aes.loc["E-2", ["accounts", "held", "due", "arr_held", "arr_due"]].tolist() == [3, 1, 2, 400, 800]
    assert aes[["held", "due"]].sum().tolist() == [len(report.held), len(report.due)]
    assert aes["arr_due"].sum() == report.due["arr"].sum()
    assert str(aes.loc["E-1", "next_until"])[:10] == "2026-04-01"


def test_the_handover_list_is_what_the_proposal_places(report):
    proposal = rb.propose(book_of(MIXED, TEAM), load_model("coverage_units", BY_TIER), time_limit=5)
    assert set(proposal.moves["account_id"]) == set(report.due["account_id"])
    locked = proposal.assignments.query("locked")["account_id"]
    assert set(locked) == {*report.held["account_id"], "i"}


def test_columns_that_a_rule_needs_and_nobody_filled_are_named():
    book = book_of("account_id,owner,tier\na,E-1,smb\nb,E-1,enterprise", TEAM)
    found = insight.holds(book, load_model("coverage_units", BY_TIER))
    assert found.missing == ("accounts.owner_since", "accounts.expansion_arr_12m")
    assert any("lack the column" in note for note in found.notes)
    assert insight.holds(book).missing == ()


@pytest.mark.skipif(not ADVENTUREWORKS.is_dir(), reason="the AdventureWorks books are not here")
@pytest.mark.parametrize("name", ["book_2018q4", "book_2020q1"])
def test_a_real_book_without_aes_holds_nobody_and_says_so(name):
    found = insight.holds(rb.load_book(ADVENTUREWORKS / name), load_model("coverage_units", rule("duration")))
    assert found.accounts.empty
    assert "No AM of the book has the role ae" in found.notes[0]


def test_the_command_prints_writes_and_gives_json(run, tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "accounts.csv").write_text(MIXED)
    names = "am_id,role,name\nE-1,ae,Eva\nE-2,ae,Emil\nM-1,,Mia\nM-2,,Max\n"
    (tmp_path / "b" / "ams.csv").write_text(names)
    (tmp_path / "m.toml").write_text(
        'extends = "coverage_units"\n[holds.rule]\nsmb = "duration"\nenterprise = "expansion"\n'
    )
    asked = ("holds", tmp_path / "b", "--model", tmp_path / "m.toml", "--effective-date", "2026-01-01")
    done = run(*asked, "--csv", tmp_path / "h.csv")
    assert done.code == 0, done.err
    assert "3 accounts due for handover ($1,000 ARR), 3 accounts held ($1,300 ARR), on 2026-01-01, model m." in done.out
    assert (tmp_path / "h.csv").read_text(encoding="utf-8").splitlines()[1].startswith("b,Bolt,E-1,smb,200,2025-01-15,")
    document = run(*asked, "--json").json
    assert [row["account_id"] for row in document["accounts"]][:3] == ["b", "c", "e"]
    assert document["accounts"][0]["until"] == "2025-07-15"
    assert document["missing"] == []


# Verify counts again


def test_verify_refuses_a_due_account_that_stays_and_a_held_one_that_moves():
    accounts = "account_id,owner,arr,ae_hold_until\na,E-1,0,2020-01-01\nb,E-1,0,2027-01-01"
    assert broken("locks", "a M-1, b E-1", accounts, TEAM) == []
    (stays,) = broken("locks", "a E-1, b E-1", accounts, TEAM)
    assert "a stays with the AE E-1, whose hold is over" in stays
    (moves,) = broken("locks", "a M-1, b M-1", accounts, TEAM)
    assert "b is locked at E-1 and goes to M-1" in moves


def ledger_of(book, overrides):
    return Ledger.build(book.text_tables(), load_model("coverage_units", overrides), book.effective_date, "full")


def random_book(seed):
    """Accounts of three AEs and two AMs with every column that a hold looks at, often empty."""
    rng = np.random.default_rng(seed)
    n = 40

    def some(values):
        return rng.choice(values, n)

    owners = some(["E-1", "E-1", "E-2", "E-3", "M-1", ""])
    return rb.Book.from_frames(
        accounts=pd.DataFrame(
            {
                "account_id": [f"A-{i:02d}" for i in rng.permutation(n)],
                "name": "",
                "owner": owners,
                "arr": some([0, 500, 900, 900, 2_000, 200_000]),
                "tier": some([*EVERY_TIER, ""]),
                "owner_since": some(["", "2025-02-28", "2025-08-31", "2020-02-29", "2025-12-31", "2026-05-01"]),
                "ae_hold_until": np.where(
                    owners == "E-1", some(["", "2025-12-31"]), some(["", "2026-01-01", "2026-06-01"])
                ),
                "expansion_arr_12m": some(["", "10000", "10001", "90000"]) if seed % 3 else [""] * n,
                "parent_id": [f"P-{i}" if i < 6 else "" for i in rng.integers(0, 20, n)],
                "lock": np.where(owners == "E-2", some(["", "", "true"]), ""),
                "assign_to": np.where(owners == "E-1", some(["", "", "E-1", "M-1"]), ""),
                "exclude": some(["", "", "", "", "true"]),
            }
        ),
        ams=pd.DataFrame(
            {
                "am_id": ["E-1", "E-2", "E-3", "M-1", "M-2"],
                "name": "",
                "role": ["ae", "ae", "ae", "", ""],
                "leaves_on": ["", "", "2025-06-01" if seed % 2 else "", "", ""],
            }
        ),
        effective_date="2026-01-01",
    )


@pytest.mark.parametrize("seed", range(40))
def test_verify_finds_the_same_holds_by_itself(seed):
    rng = np.random.default_rng(1_000 + seed)
    rules = dict(
        zip(EVERY_TIER, rng.choice(["none", "duration", "accounts", "expansion", "total_arr"], 4), strict=True)
    )
    overrides = {
        "holds": {"rule": rules, "accounts": 3, "total_arr": 1_500, "keep": ["newest", "largest"][seed % 2]},
        "families": {"mode": ["together", "free"][seed % 2]},
    }
    book = random_book(seed)
    snapshot = snapshot_of(book, overrides=overrides)
    recounted = ledger_of(book, overrides).accounts
    found = snapshot.accounts
    assert {name for name, account in recounted.items() if account.due} == {
        name for name, due in zip(found.ids, found.holds.due, strict=True) if due
    }
    assert {name for name, account in recounted.items() if account.locked} == {
        name for name, locked in zip(found.ids, found.locked, strict=True) if locked
    }
    assert not (found.holds.due & found.locked).any()


@pytest.mark.parametrize("seed", range(0, 40, 4))
def test_a_proposal_of_a_book_with_every_kind_of_hold_passes_its_check(seed):
    book = random_book(seed)
    accounts = book.accounts.assign(assign_to="")
    book = rb.Book.from_frames(accounts, book.ams, effective_date=date(2026, 1, 1))
    overrides = {**rule("duration"), "families": {"mode": ["together", "free"][seed % 8 // 4]}}
    proposal = rb.propose(book, load_model("coverage_units", overrides), time_limit=5)
    due = snapshot_of(book, overrides=overrides).accounts.holds.due
    planned = proposal.assignments.set_index("account_id").loc[book.accounts.query("exclude != True")["account_id"]]
    assert planned["moved"].to_numpy()[due].all()
    assert not planned["to_am"][due].isin(["E-1", "E-2", "E-3"]).any()
