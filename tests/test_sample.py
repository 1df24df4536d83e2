"""The sample book: the generator writes it, every rule is shown in it, and its proposal is worth showing.

Each rule has tests whose names begin with it; they hold what `data/README.md` says of the rule.
"""

import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import rebalancer as rb
from rebalancer.rules import RULES

DATA = Path(__file__).parent.parent / "data"
SAMPLE = DATA / "sample"
FILES = [
    *("accounts.csv", "ams.csv", "book.toml", "csms.csv", "history.csv", "metrics.csv", "opportunities.csv"),
    *("pods.csv", "pools.csv", "quotas.csv", "splits.csv", "touches.csv"),
]
POOL = "POOL-EMEA"


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


@pytest.fixture
def switched(book, tmp_path):
    """The proposal with some keys of the default model set, as `--model` does it."""

    def propose(text):
        file = tmp_path / "variant.toml"
        file.write_text(f'extends = "coverage_units"\n\n{text}\n', encoding="utf-8")
        return rb.propose(book, file, time_limit=60, workers=2)

    return propose


def plan_of(proposal):
    return proposal.assignments.set_index("account_id")


def tags_of(column):
    """Every value as the set of its tags, whether it was read as text or as tags."""
    return column.map(lambda value: set(value.split(";") if isinstance(value, str) else value) - {""})


def moves_within(accounts, ams, proposal, account_column, am_column):
    """Moves of accounts that name a tag, each with whether the new AM has all of its tags."""
    offered = tags_of(ams[am_column])
    offered[POOL] = offered["AM-06"] | offered["AM-25"]
    asked = tags_of(accounts[account_column])
    moves = proposal.moves[proposal.moves["account_id"].map(lambda account: bool(asked[account]))]
    fits = [asked[account] <= offered[am] for account, am in zip(moves["account_id"], moves["to_am"], strict=True)]
    return dict(zip(moves["account_id"], fits, strict=True))


def legacy_stays(proposal, *accounts):
    plan = plan_of(proposal).loc[list(accounts)]
    return plan["legacy"].all() and not plan["moved"].any()


def pod_pairs(book):
    """Pairs of AM and CSM in a pod; the pool has those of its members."""
    pods = book.pods
    pool = set(book.tables["pools"]["am_id"])
    pairs = set(zip(pods["am_id"], pods["csm_id"], strict=True))
    return pairs | {(POOL, csm) for am, csm in pairs if am in pool}


def books_of(proposal):
    return proposal.books.set_index("am_id")


def test_the_generator_writes_exactly_the_committed_files(tmp_path):
    generate("--out", tmp_path)
    assert contents(tmp_path) == contents(SAMPLE)


def test_another_seed_draws_other_accounts_for_the_same_team(tmp_path):
    generate("--out", tmp_path, "--seed", 99)
    other, committed = contents(tmp_path), contents(SAMPLE)
    same = ["ams.csv", "csms.csv", "pods.csv", "pools.csv"]
    assert [name for name in FILES if other[name] == committed[name]] == same
    assert len(rb.load_book(tmp_path).accounts) == 600


def test_the_files_end_their_lines_with_a_line_feed_alone():
    assert sorted(contents(SAMPLE)) == FILES
    assert all(b"\r" not in text and text.endswith(b"\n") for text in contents(SAMPLE).values())


def test_the_book_loads_without_a_fault_or_a_warning(book):
    assert (len(book.accounts), len(book.ams), len(book.csms)) == (600, 26, 10)
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
    assert not (served["owner"] == "").any()
    pairs = pod_pairs(book)
    assert set(zip(served["owner"], served["csm"], strict=True)) <= pairs


def test_dates_lie_on_the_side_of_the_effective_date_where_they_belong(book):
    day, accounts = pd.Timestamp(book.effective_date), book.accounts
    assert (accounts["renewal_date"] > day).all()
    for column in ("owner_since", "csm_since", "last_touch"):
        assert (accounts[column].dropna() < day).all()


def test_most_tiers_are_derived_and_some_strategic_accounts_are_named(accounts):
    assert set(accounts["tier"]) == {"", "strategic"}
    assert accounts[accounts["tier"] == "strategic"]["arr"].lt(500_000).sum() == 4


def test_every_rule_is_shown_and_its_row_in_the_readme_has_a_test():
    text = (DATA / "README.md").read_text(encoding="utf-8")
    table = text.split("## Every rule in it")[1].split("\n## ")[0]
    names = [rule.name for rule in RULES]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == names
    tests = [name for name in globals() if name.startswith("test_")]
    assert not [name for name in names if not any(test.startswith(f"test_{name}_") for test in tests)]


def test_one_seat_every_account_in_the_plan_ends_in_a_book_and_an_excluded_one_in_none(accounts, proposal):
    out = list(accounts.index[accounts["exclude"].eq(True)])
    assert out == ["A-0172", "A-0363"]
    plan = plan_of(proposal)
    assert plan.index.is_unique
    assert set(plan.index) == set(accounts.index)
    assert (plan["to_am"] != "").all()
    assert books_of(proposal)["accounts_after"].sum() == 598
    assert (plan.loc[out, "to_am"] == accounts.loc[out, "owner"]).all()
    assert plan.loc["A-0363", "reason"] == "It is left out of the plan: Served by the partner desk since July."


def test_departures_the_leaver_ends_with_nothing_and_his_lock_is_lifted(book, accounts, proposal):
    lifted = accounts[(accounts["owner"] == "AM-04") & accounts["lock"].eq(True)]
    assert list(lifted.index) == ["A-0323"]
    assert books_of(proposal).loc["AM-04", ["accounts_before", "accounts_after"]].tolist() == [20, 0]
    assert any("A-0323" in warning for warning in proposal.warnings)


def test_receiving_nobody_on_leave_and_no_manager_is_given_an_account(accounts, ams, proposal):
    assert ams.loc["AM-11", "status"] == "leave"
    assert ams.loc["AM-24", "role"] == "manager"
    books = books_of(proposal).loc[["AM-11", "AM-24"]]
    assert books["accounts_before"].tolist() == [20, 3]
    assert (books[["lost", "gained"]] == 0).all(axis=None)
    assert list(accounts.index[accounts["owner"] == "AM-24"]) == ["A-0093", "A-0114", "A-0198"]


def test_open_headcount_stays_empty_unless_the_model_counts_on_it(ams, proposal, switched):
    assert ams.loc["AM-26", ["status", "ramp"]].tolist() == ["open", 0.5]
    assert books_of(proposal).loc["AM-26", "accounts_after"] == 0
    counted = switched("[headcount]\nopen = true")
    assert counted.value == proposal.value
    taken = counted.moves.query("to_am == 'AM-26'")
    assert len(taken) == 9
    assert taken["forced"].sum() == 7


def test_tier_segmentation_gives_a_strategic_am_no_small_account(ams, proposal):
    strategic = ["AM-01", "AM-08", "AM-15", "AM-21"]
    assert (ams.loc[strategic, "book"] == "segmented").all()
    assert proposal.moves.query("to_am in @strategic")["tier"].tolist() == ["enterprise"]
    juniors = list(ams.index[ams["role"] == "junior"])
    to_juniors = proposal.moves[proposal.moves["to_am"].isin([*juniors, POOL])]
    assert set(to_juniors["tier"]) == {"mid_market", "smb"}
    assert legacy_stays(proposal, "A-0233", "A-0436", "A-0451")


def test_region_every_account_that_moves_goes_to_an_am_of_its_region(accounts, ams, proposal):
    moves = moves_within(accounts, ams, proposal, "region", "region")
    assert len(moves) == len(proposal.moves)
    assert all(moves.values())
    assert legacy_stays(proposal, "A-0377", "A-0443")


def test_language_an_account_that_moves_goes_to_somebody_who_speaks_it(accounts, ams, proposal):
    assert moves_within(accounts, ams, proposal, "language", "language") == dict.fromkeys(
        ["A-0554", "A-0428", "A-0247"], True
    )
    named = accounts.loc[["A-0332", "A-0515", "A-0076"], "language"]
    assert named.tolist() == ["Japanese", "Japanese", "French"]
    assert legacy_stays(proposal, "A-0430", "A-0516")


def test_skill_an_account_that_moves_goes_to_somebody_who_has_it(accounts, ams, proposal):
    assert moves_within(accounts, ams, proposal, "skills", "skills") == {"A-0575": True}
    assert plan_of(proposal).loc["A-0575", ["from_am", "to_am"]].tolist() == ["AM-09", "AM-13"]
    wanted = tags_of(accounts.loc[["A-0072", "A-0309", "A-0268", "A-0391"], "skills"])
    assert wanted.tolist() == [{"integrations"}] * 2 + [{"procurement"}] * 2
    assert legacy_stays(proposal, "A-0407")


def test_pools_two_ams_share_one_book_in_which_the_accounts_of_both_count(accounts, proposal):
    books = books_of(proposal)
    assert not {"AM-06", "AM-25"} & set(books.index)
    assert accounts["owner"].value_counts()[["AM-06", "AM-25", POOL]].tolist() == [13, 11, 8]
    pool = books.loc[POOL]
    assert pool[["capacity", "accounts_before", "accounts_after", "lost"]].tolist() == [70, 32, 34, 0]
    gained = proposal.moves.query("to_am == @POOL")
    assert gained["from_am"].tolist() == ["AM-04", "AM-04"]
    assert not plan_of(proposal)[accounts["owner"].isin(["AM-06", "AM-25", POOL])]["moved"].any()


def test_families_move_stay_or_join_as_one_unless_the_book_lets_them_part(book, accounts, proposal):
    plan = plan_of(proposal)
    assert plan.loc[["A-0227", "A-0125", "A-0505"], "to_am"].tolist() == ["AM-19"] * 3
    assert plan.loc[["A-0200", "A-0090"], "from_am"].tolist() == ["AM-02", "AM-04"]
    assert plan.loc[["A-0200", "A-0090"], "to_am"].tolist() == ["AM-02", "AM-02"]
    split = ["A-0235", "A-0088", "A-0504", "A-0548", "A-0254"]
    assert plan.loc[split, "from_am"].nunique() == 5
    assert not plan.loc[split, "moved"].any()
    assert book.overrides["families"] == {"free": ["A-0029"]}
    assert plan.loc[["A-0029", "A-0036", "A-0446"], "moved"].tolist() == [False, False, True]
    children = accounts[accounts["parent_id"] != ""]
    assert sorted(children["parent_id"].value_counts().items()) == [
        ("A-0029", 2), ("A-0200", 1), ("A-0227", 2), ("A-0235", 1), ("A-0504", 2),
    ]  # fmt: skip


def test_families_share_the_first_word_of_their_names(accounts):
    children = accounts[accounts["parent_id"] != ""]
    parents = accounts.loc[children["parent_id"], "name"]
    assert [name.split()[0] for name in children["name"]] == [name.split()[0] for name in parents]


def test_locks_and_the_ae_hold_keep_their_accounts(accounts, proposal):
    plan = plan_of(proposal)
    assert set(plan.index[plan["locked"]]) == {"A-0119", "A-0305", "A-0387", "A-0460", "A-0586"}
    assert not plan[plan["locked"]]["moved"].any()
    assert list(accounts.index[accounts["ae_hold_until"].notna()]) == ["A-0119"]
    assert (accounts["lock_reason"] != "").sum() == accounts["lock"].eq(True).sum() == 6


def test_locks_an_ae_hold_keeps_its_account_until_its_date_and_not_a_day_longer(book, proposal):
    assert proposal.explain("A-0119").splitlines()[1] == "It is held by its AE until 2026-12-31."
    last, after = (rb.propose(book, effective_date=day, time_limit=60) for day in ("2026-12-31", "2027-01-01"))
    assert [plan_of(found).loc["A-0119", "locked"] for found in (last, after)] == [True, False]
    assert not plan_of(last).loc["A-0119", "moved"]


def test_locks_one_that_has_ended_holds_nobody(accounts, proposal):
    assert accounts.loc["A-0263", "lock"] is True
    assert plan_of(proposal).loc["A-0263", "moved"]


def test_locks_what_the_planner_named_is_where_the_account_ends(accounts, proposal):
    assert list(accounts.index[accounts["assign_to"] != ""]) == ["A-0082"]
    assert list(accounts.index[accounts["assign_csm"] != ""]) == ["A-0283"]
    plan = plan_of(proposal)
    assert plan.loc["A-0082", ["from_am", "to_am"]].tolist() == ["AM-14", "AM-10"]
    assert plan.loc["A-0283", ["from_csm", "to_csm", "moved"]].tolist() == ["CSM-08", "CSM-07", False]


def test_refused_an_account_of_the_leaver_goes_to_another_am_where_it_refuses_the_first(book, accounts, proposal):
    assert (accounts["refused"] == ()).all()
    assert plan_of(proposal).loc["A-0323", "to_am"] == "AM-07"
    tables = book.text_tables()
    tables["accounts"]["refused"] = tables["accounts"]["account_id"].map({"A-0323": "AM-07"}).fillna("")
    settings = {"model": book.model, "overrides": book.overrides, "effective_date": book.effective_date}
    refusing = rb.propose(rb.Book.from_frames(**tables, **settings), time_limit=60, workers=2)
    assert plan_of(refusing).loc["A-0323", "to_am"] not in ("AM-04", "AM-07")
    assert refusing.value == proposal.value


def test_fatigue_spares_the_accounts_that_just_changed_their_am_where_it_is_on(book, proposal, switched):
    history = book.tables["history"].set_index("account_id")
    changed = ["A-0047", "A-0412", "A-0519"]
    recent = history.index[history["date"] > pd.Timestamp("2026-04-01")]
    assert sorted(set(recent) & set(proposal.moves["account_id"])) == changed
    spared = switched("[fatigue]\nquarters = 2")
    assert not plan_of(spared).loc[list(recent), "moved"].any()
    assert spared.value > proposal.value


def test_fatigue_the_history_ends_where_the_book_begins(book, accounts):
    history = book.tables["history"]
    rows = accounts.loc[history["account_id"]]
    assert len(history) == 30
    assert (history["to"].to_numpy() == rows["owner"].to_numpy()).all()
    assert (history["date"].to_numpy() == rows["owner_since"].to_numpy()).all()
    assert (history["from"] != history["to"]).all()


def test_global_programme_accounts_of_their_gam_stay_and_three_ams_share_the_others(accounts, proposal):
    led = accounts[accounts["gam"] != ""]
    assert list(led.index) == ["A-0254", "A-0403", "A-0432", "A-0474", "A-0504", "A-0548"]
    assert list(led.index[led["gam"] == led["owner"]]) == ["A-0403", "A-0474", "A-0504"]
    assert not plan_of(proposal).loc[led.index, "moved"].any()
    assert proposal.level("overlap")["value"] == 3


def test_pods_every_moved_account_with_a_csm_ends_with_one_of_its_ams_pod(book, proposal):
    served = proposal.moves.query("to_csm != ''")
    assert len(served) > 30
    assert set(zip(served["to_am"], served["to_csm"], strict=True)) <= pod_pairs(book)


def test_pod_continuity_no_account_loses_its_am_and_its_csm_at_once(proposal):
    plan = plan_of(proposal)
    both = plan["moved"] & plan["csm_changed"]
    assert not both.any()
    assert list(plan.index[plan["csm_changed"]]) == ["A-0283"]


def test_pod_size_warns_of_pods_with_few_accounts(proposal):
    warned = [re.search(r"pod (\S+) \((\S+)\) ends with (\d+) accounts", text) for text in proposal.warnings]
    found = {match[2]: int(match[3]) for match in warned if match}
    assert len(found) == 9
    assert (found["AM-24"], found["AM-26"]) == (3, 0)


def test_budgets_limit_what_an_am_loses_where_they_are_on(proposal, switched):
    assert books_of(proposal).loc["AM-09", "lost"] == 9
    assert books_of(proposal)["lost"].drop(["AM-04", "AM-09"]).max() == 7
    limited = switched("[budgets]\nlost_per_am = 7")
    lost = limited.moves.query("from_am == 'AM-09'")
    assert len(lost) == 6
    assert lost["arr"].mean() > proposal.moves.query("from_am == 'AM-09'")["arr"].mean()


def test_units_cap_three_books_are_red_two_yellow_ones_are_over_and_all_end_within(book, proposal, repair):
    heat = rb.heatmap(book).set_index("am_id")
    assert set(heat.index[heat["band"] == "red"]) == {"AM-03", "AM-09", "AM-16"}
    assert set(heat.index[heat["utilization"].between(1, 1.1, inclusive="neither")]) == {"AM-14", "AM-22"}
    assert heat.loc["AM-05", "capacity"] == 80
    books = books_of(proposal)
    assert (books["units_after"] <= books["capacity"]).all()
    assert books_of(repair).loc["AM-22", ["lost", "gained", "units_after"]].tolist() == [0, 0, 105.1]


def test_accounts_limit_stops_a_book_that_has_units_left(ams, proposal):
    assert ams["max_accounts"].dropna().to_dict() == {"AM-10": 33}
    row = books_of(proposal).loc["AM-10"]
    assert row[["accounts_before", "accounts_after", "binding"]].tolist() == [27, 33, "accounts"]
    assert row["utilization_after"] == pytest.approx(0.86, abs=0.005)


def test_blended_limit_makes_a_book_with_units_left_shed_two_accounts(ams, proposal):
    assert list(ams.index[ams["book"] == "blended"]) == ["AM-20"]
    row = books_of(proposal).loc["AM-20"]
    assert row[["accounts_before", "accounts_after", "gained"]].tolist() == [22, 20, 0]
    assert row["utilization_before"] < 0.7
    assert proposal.moves.query("from_am == 'AM-20'")["tier"].tolist() == ["smb", "smb"]


def test_csm_load_csms_stay_within_it_and_four_are_near_it(book, proposal):
    csms = book.csms.set_index("csm_id")
    limit = csms["capacity"].fillna(1) * csms["fte"].fillna(1)
    loads = proposal.csms.set_index("csm_id")
    share = loads["load_after"] / limit
    near = share[share > 0.9].mul(100).round().astype(int)
    assert near.to_dict() == {"CSM-04": 91, "CSM-06": 93, "CSM-07": 94, "CSM-10": 94}
    assert (share <= 1).all()
    assert (loads["load_before"] <= limit).all()


def test_floor_the_new_hire_starts_empty_and_is_filled_to_it(ams, proposal):
    assert ams.loc["AM-19", ["ramp", "floor"]].tolist() == [0.5, 0.5]
    new = books_of(proposal).loc["AM-19"]
    assert new["accounts_before"] == 0
    assert new[["accounts_after", "units_after"]].tolist() == [13, 25.1]


def test_fairness_counts_what_two_ams_lose_beyond_their_share_where_it_is_on(proposal, switched):
    fair = switched("[fairness]\nloss_share = 0.05")
    level = next(level for level in fair.record["levels"] if level["name"] == "fairness")
    assert (level["value"], level["proof"]) == (268_800, "solver")
    assert fair.value == proposal.value
    lost = proposal.moves.query("not forced").groupby("from_am")["arr"].sum()
    share = (lost / books_of(proposal)["arr_before"]).dropna()
    assert share[share > 0.05].round(2).to_dict() == {"AM-03": 0.09, "AM-09": 0.07}


def test_balance_decides_between_seats_that_cost_the_same(proposal):
    assert plan_of(proposal).loc["A-0323", "to_am"] == "AM-07"
    assert "AM-01 + CSM-01: disruption +0, leaves the books less even" in proposal.explain("A-0323")


def test_the_accounts_that_nobody_owns_get_an_owner_and_cost_nothing(accounts, proposal):
    unowned = list(accounts.index[accounts["owner"] == ""])
    assert unowned == ["A-0055", "A-0262"]
    plan = plan_of(proposal).loc[unowned]
    assert (plan["to_am"] != "").all()
    assert (plan["disruption"] == 0).all()


def test_eight_legacy_accounts_stay_with_their_owners(proposal):
    plan = plan_of(proposal)
    assert plan["legacy"].sum() == 8
    assert not plan[plan["legacy"]]["moved"].any()


def test_the_proposal_is_proven_optimal_and_moves_a_number_one_can_review(proposal):
    assert proposal.status == "optimal"
    assert 40 <= len(proposal.moves) <= 80
    assert proposal.moves["forced"].sum() == 22


def test_capacity_is_enough_but_tight_in_emea(ams, proposal):
    books = books_of(proposal)
    books = books[~books.index.isin(["AM-04", "AM-11", "AM-24", "AM-26"])]
    assert 0.85 <= books["units_after"].sum() / books["capacity"].sum() <= 0.93
    emea = books[[am == POOL or "EMEA" in ams.loc[am, "region"] for am in books.index]]
    assert emea["units_after"].sum() / emea["capacity"].sum() == pytest.approx(0.95, abs=0.005)


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
    listed = accounts["exclude"].eq(True) | (accounts["parent_id"] != "") | accounts.index.isin(accounts["parent_id"])
    plan = plan_of(proposal)
    special = listed | accounts["lock"].eq(True) | accounts["ae_hold_until"].notna() | (accounts["assign_to"] != "")
    special |= (accounts["owner"] == "") | (accounts["owner"] == "AM-24") | (accounts["assign_csm"] != "")
    assert {*accounts.index[special], *plan.index[plan["legacy"]]} <= named


def test_the_readme_states_the_figures_of_the_default_model(proposal, repair):
    readme = (DATA / "README.md").read_text(encoding="utf-8")
    assert f"${proposal.value:,}" in readme
    assert f"${repair.value:,}" in readme
