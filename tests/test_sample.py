"""The sample book: the generator writes it, its story is in it, and its proposal is worth showing."""

import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import rebalancer as rb

DATA = Path(__file__).parent.parent / "data"
SAMPLE = DATA / "sample"
FILES = ["accounts.csv", "ams.csv", "book.toml", "csms.csv", "pods.csv"]


def generate(*options):
    subprocess.run([sys.executable, DATA / "generate_sample.py", *map(str, options)], check=True)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def book():
    return rb.load_book(SAMPLE)


@pytest.fixture(scope="module")
def accounts(book):
    return book.accounts.set_index("account_id")


@pytest.fixture(scope="module")
def ams(book):
    return book.ams.set_index("am_id")


@pytest.fixture(scope="module")
def proposal(book):
    return rb.propose(book, time_limit=60, workers=2)


@pytest.fixture(scope="module")
def repair(book):
    return rb.propose(book, scope="repair", time_limit=60, workers=2)


def plan_of(proposal):
    return proposal.assignments.set_index("account_id")


def books_of(proposal):
    return proposal.books.set_index("am_id")


def test_the_generator_writes_exactly_the_committed_files(tmp_path):
    generate("--out", tmp_path)
    assert contents(tmp_path) == contents(SAMPLE)


def test_another_seed_draws_other_accounts_for_the_same_team(tmp_path):
    generate("--out", tmp_path, "--seed", 99)
    other, committed = contents(tmp_path), contents(SAMPLE)
    assert [name for name in FILES if other[name] != committed[name]] == ["accounts.csv"]
    assert len(rb.load_book(tmp_path).accounts) == 600


def test_the_files_end_their_lines_with_a_line_feed_alone():
    assert sorted(contents(SAMPLE)) == FILES
    assert all(b"\r" not in text and text.endswith(b"\n") for text in contents(SAMPLE).values())


def test_the_book_loads_without_a_fault_or_a_warning(book):
    assert (len(book.accounts), len(book.ams), len(book.csms)) == (600, 24, 10)
    assert book.warnings == ()
    assert str(book.effective_date) == "2026-10-01"
    assert book.model == "coverage_units"


def test_every_account_has_a_name_of_its_own_and_some_have_accents(accounts):
    assert accounts["name"].is_unique
    assert sum(not name.isascii() for name in accounts["name"]) > 50


def test_every_am_is_in_a_pod_of_one_or_two_csms_whom_others_share(book):
    per_am = book.pods.groupby("am_id").csm_id.nunique()
    assert set(per_am.index) == set(book.ams["am_id"])
    assert set(per_am) == {1, 2}
    assert (book.pods.groupby("csm_id").am_id.nunique() >= 2).all()


def test_a_csm_is_always_in_the_pod_of_the_owner(book):
    served = book.accounts.query("csm != ''")
    pairs = set(zip(book.pods["am_id"], book.pods["csm_id"], strict=True))
    assert set(zip(served["owner"], served["csm"], strict=True)) <= pairs


def test_dates_lie_on_the_side_of_the_effective_date_where_they_belong(book):
    day, accounts = pd.Timestamp(book.effective_date), book.accounts
    assert (accounts["renewal_date"] > day).all()
    for column in ("owner_since", "csm_since", "last_touch"):
        assert (accounts[column].dropna() < day).all()


def test_most_tiers_are_derived_and_some_strategic_accounts_are_named(accounts):
    assert set(accounts["tier"]) == {"", "strategic"}
    assert accounts[accounts["tier"] == "strategic"]["arr"].lt(500_000).sum() == 4


def test_three_books_are_red_and_two_are_between_target_and_trigger(book):
    heat = rb.heatmap(book).set_index("am_id")
    assert set(heat.index[heat["band"] == "red"]) == {"AM-03", "AM-09", "AM-16"}
    assert set(heat.index[heat["utilization"].between(1, 1.1, inclusive="neither")]) == {"AM-14", "AM-22"}


def test_the_leaver_ends_with_nothing_and_his_lock_is_lifted(book, accounts, proposal):
    lifted = accounts[(accounts["owner"] == "AM-04") & accounts["lock"].eq(True)]
    assert list(lifted.index) == ["A-0323"]
    assert books_of(proposal).loc["AM-04", ["accounts_before", "accounts_after"]].tolist() == [20, 0]
    assert any("A-0323" in warning for warning in proposal.warnings)


def test_the_new_hire_starts_empty_and_is_filled_to_her_floor(ams, proposal):
    assert ams.loc["AM-19", ["ramp", "floor"]].tolist() == [0.5, 0.5]
    new = books_of(proposal).loc["AM-19"]
    assert new["accounts_before"] == 0
    assert 25 <= new["units_after"] <= 50


def test_nobody_on_leave_and_no_manager_receives_an_account(ams, proposal):
    assert ams.loc["AM-11", "status"] == "leave"
    assert ams.loc["AM-24", "role"] == "manager"
    books = books_of(proposal).loc[["AM-11", "AM-24"]]
    assert books["accounts_before"].tolist() == [20, 3]
    assert (books["gained"] == 0).all()


def test_locks_and_the_ae_hold_keep_their_accounts(accounts, proposal):
    plan = plan_of(proposal)
    assert set(plan.index[plan["locked"]]) == {"A-0119", "A-0305", "A-0387", "A-0460", "A-0586"}
    assert not plan[plan["locked"]]["moved"].any()
    assert list(accounts.index[accounts["ae_hold_until"].notna()]) == ["A-0119"]
    assert (accounts["lock_reason"] != "").sum() == accounts["lock"].eq(True).sum() == 6


def test_a_lock_that_has_ended_holds_nobody(accounts, proposal):
    assert accounts.loc["A-0263", "lock"] is True
    assert plan_of(proposal).loc["A-0263", "moved"]


def test_the_accounts_that_nobody_owns_get_an_owner(accounts, proposal):
    unowned = list(accounts.index[accounts["owner"] == ""])
    assert unowned == ["A-0055", "A-0262"]
    assert (plan_of(proposal).loc[unowned, "to_am"] != "").all()


def test_the_account_the_planner_assigned_goes_where_he_said(accounts, proposal):
    assert list(accounts.index[accounts["assign_to"] != ""]) == ["A-0082"]
    assert plan_of(proposal).loc["A-0082", ["from_am", "to_am"]].tolist() == ["AM-14", "AM-10"]


def test_eight_legacy_accounts_stay_with_their_owners(proposal):
    plan = plan_of(proposal)
    assert plan["legacy"].sum() == 8
    assert not plan[plan["legacy"]]["moved"].any()


def test_csms_stay_within_their_load_and_some_are_near_it(book, proposal):
    limit = book.csms["capacity"].fillna(1) * book.csms["fte"].fillna(1)
    for when in ("load_before", "load_after"):
        share = proposal.csms[when] / limit
        assert (share <= 1).all()
        assert (share > 0.9).sum() >= 3


def test_the_proposal_is_proven_optimal_and_moves_a_number_one_can_review(proposal):
    assert proposal.status == "optimal"
    assert 40 <= len(proposal.moves) <= 80
    assert proposal.moves["forced"].sum() == 22


def test_capacity_is_enough_but_tight_in_emea(ams, proposal):
    books = books_of(proposal)
    books = books[~books.index.isin(["AM-04", "AM-11", "AM-24"])]
    assert 0.85 <= books["units_after"].sum() / books["capacity"].sum() <= 0.93
    emea = books[["EMEA" in ams.loc[am, "region"] for am in books.index]]
    assert emea["units_after"].sum() / emea["capacity"].sum() >= 0.94


def test_repair_moves_fewer_accounts_and_leaves_yellow_books_alone(proposal, repair):
    assert repair.status == "optimal"
    assert len(repair.moves) < len(proposal.moves)
    assert books_of(repair).loc["AM-22", ["lost", "gained"]].tolist() == [0, 0]


def test_nobody_moves_when_the_plan_is_carried_out_and_run_again(proposal):
    again = rb.propose(proposal.book_after(), time_limit=60, workers=2)
    assert again.status == "no_change"


def test_the_written_run_passes_its_independent_check(proposal, tmp_path):
    proposal.write(tmp_path / "run")
    assert rb.verify_run(tmp_path / "run") == []


def test_the_readme_names_only_ids_that_exist_and_every_account_of_the_story(book, accounts, proposal):
    named = set(re.findall(r"\b(?:A-\d{4}|AM-\d\d|CSM-\d\d)\b", (DATA / "README.md").read_text(encoding="utf-8")))
    assert named <= {*accounts.index, *book.ams["am_id"], *book.csms["csm_id"]}
    plan = plan_of(proposal)
    special = accounts["lock"].eq(True) | accounts["ae_hold_until"].notna() | (accounts["assign_to"] != "")
    special |= (accounts["owner"] == "") | (accounts["owner"] == "AM-24")
    assert {*accounts.index[special], *plan.index[plan["legacy"]]} <= named


def test_the_readme_states_the_figures_of_the_default_model(proposal, repair):
    readme = (DATA / "README.md").read_text(encoding="utf-8")
    assert f"${proposal.value:,}" in readme
    assert f"${repair.value:,}" in readme
