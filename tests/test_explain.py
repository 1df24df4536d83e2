"""What is said of a book, and of keeping an account where it is: exact sentences and numbers on small books."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from small_books import ACCOUNTS, AMS, CSMS, PODS, TIGHT_AMS, WITH_CSMS, book_of, write_book

import rebalancer as rb
from rebalancer.errors import NoPlanInTime, UsageError
from rebalancer.explain import keep as keep_module
from rebalancer.explain.book import explain_book
from rebalancer.explain.keep import keep

SAMPLE = Path(__file__).parent.parent / "data" / "sample"

LOCKED = "account_id,name,owner,arr,tier,lock\n" + "\n".join(
    f"{line},{'true' if line[:4] in ('A-01', 'A-02', 'A-03') else ''}" for line in ACCOUNTS.splitlines()[1:]
)
"""Of the full book only A-04 may move."""


def with_columns(**columns):
    """ACCOUNTS with more columns, each written as {account: value}."""
    head, *lines = ACCOUNTS.splitlines()
    rows = [",".join([line, *(cells.get(line[:4], "") for cells in columns.values())]) for line in lines]
    return "\n".join([",".join([head, *columns]), *rows])


def proposed(*tables, model=None, scope="full", measure=None, **others):
    return rb.propose(book_of(*tables, **others), model, scope=scope, measure=measure, workers=1)


def kept(proposal, account):
    return keep(proposal, account, workers=1)


def edited(proposal, level, **values):
    """The proposal as if a level had ended otherwise."""
    levels = [{**one, **(values if one["name"] == level else {})} for one in proposal.record["levels"]]
    return replace(proposal, record={**proposal.record, "levels": levels})


def why(found):
    return dict(zip(found.stays["account_id"], found.stays["why"], strict=True))


@pytest.fixture(scope="module")
def proposal():
    return proposed()


@pytest.fixture
def written(run, tmp_path):
    assert run("propose", write_book(tmp_path / "book"), "--out", "run", "--workers", 1)[0] == 0
    return "run"


# A book


def test_a_book_that_sheds_is_told_in_words_and_numbers(proposal):
    assert proposal.explain(am="M-1").splitlines() == [
        "M-1 (Ann): regular, open book, capacity 15 units.",
        "Before: 20 units (133.3 %, red), 4 accounts, $770,000 ARR; tightest: units, 133.3 % used.",
        "After:  15 units (100.0 %, yellow), 3 accounts, $650,000 ARR; tightest: units, 100.0 % used.",
        "Loses 1 account (5 units, $120,000 ARR, $20,480 at risk):",
        "  The book of M-1 is over its limit (20 units, 15 allowed): A-04 to M-2 (5 units).",
        "Gains nothing.",
        "3 accounts stay:",
        "  3 could have moved, but moving the others costs less.",
        "Its limits after, tightest first:",
        "  units cap of M-1: 15, at most 15 (100.0 %)",
    ]


def test_what_a_book_gains_is_grouped_by_reason(proposal):
    assert proposal.explain(am="M-2").splitlines()[3:9] == [
        "Loses nothing.",
        "Gains 3 accounts (12 units, $310,000 ARR, $34,840 at risk):",
        "  The book of M-1 is over its limit (20 units, 15 allowed): A-04 from M-1 (5 units).",
        "  Its owner M-3 leaves: A-07 from M-3 (2 units).",
        "  It has no owner: A-06 from nobody (5 units).",
        "1 account stays:",
    ]


def test_the_book_of_a_leaver_ends_empty_and_says_so(proposal):
    lines = proposal.explain(am="M-3").splitlines()
    assert lines[1] == "M-3 has left: the book ends empty."
    assert "Nothing stays." in lines


def test_moves_and_stays_add_up_to_the_figures_of_every_book():
    plan = rb.propose(rb.load_book(SAMPLE), time_limit=30, workers=2)
    for row in plan.books.to_dict("records"):
        found = explain_book(plan, row["am_id"])
        assert (len(found.lost), len(found.gained)) == (row["lost"], row["gained"])
        stays = found.stays[found.stays["why"] != "left_out"]
        assert len(stays) + len(found.lost) == row["accounts_before"]
        assert len(stays) + len(found.gained) == row["accounts_after"]
        assert stays["units"].sum() + found.gained["units"].sum() == pytest.approx(row["units_after"])


def test_why_an_account_stays_names_the_first_cause_that_holds():
    accounts = with_columns(
        lock={"A-01": "true"},
        assign_to={"A-02": "M-1"},
        exclude={"A-05": "true"},
        region={"A-03": "EMEA"},
        parent_id={"A-07": "A-04"},
    )
    ams = "am_id,name,capacity,region\nM-1,Ann,30,AMER\nM-2,Ben,30,AMER\nM-3,Cy,30,AMER\nM-4,Di,30,EMEA\n"
    plan = proposed(accounts.replace("A-07,Gale,M-3", "A-07,Gale,M-1"), ams)
    assert why(explain_book(plan, "M-1")) == {
        "A-01": "locked", "A-02": "fixed", "A-03": "legacy", "A-04": "family", "A-07": "family",
    }  # fmt: skip
    assert why(explain_book(plan, "M-2"))["A-05"] == "left_out"
    text = plan.explain(am="M-1")
    assert "  1 locked or on hold: A-01.\n  1 fixed by the planner: A-02.\n" in text
    assert "  2 with their family: A-04, A-07.\n" in text


def test_an_account_that_no_rule_admits_elsewhere_is_told_apart():
    accounts = with_columns(region={"A-01": "EMEA"})
    plan = proposed(accounts, AMS.replace("leaves_on", "leaves_on,region").replace("15,\n", "15,,EMEA\n", 1)
                    .replace("20,\n", "20,,AMER\n").replace("2026-01-01", "2026-01-01,AMER"))  # fmt: skip
    assert why(explain_book(plan, "M-1"))["A-01"] == "no_other_seat"


def test_a_member_of_a_pool_is_answered_with_its_pool():
    plan = proposed(
        ACCOUNTS, AMS.replace("2026-01-01", ""), pools="pool_id,am_id\nP-1,M-2\nP-1,M-3\n", model="coverage_units"
    )
    pool, member = explain_book(plan, "P-1"), explain_book(plan, "M-2")
    assert pool.text().splitlines()[:2] == [
        "P-1 (Ben, Cy): pool, pooled book, capacity 35 units.",
        "A pool of M-2, M-3; its members have no own book.",
    ]
    assert (member.am_id, member.asked) == ("P-1", "M-2")
    assert member.text().splitlines()[1] == "A pool of M-2, M-3; M-2 has no own book."
    assert member.facts == pool.facts


def test_a_book_that_takes_nothing_says_why():
    manager = AMS.replace("am_id,name", "am_id,name,role").replace("Ben,", "Ben,manager,")
    ams = manager.replace("Ann,", "Ann,,").replace("Cy,", "Cy,,") + "M-4,Di,,100,\nM-5,Ed,,100,\n"
    text = proposed(ACCOUNTS, ams).explain(am="M-2")
    assert text.splitlines()[1].startswith("M-2 receives no accounts (role, status or `receives`)")
    opens = "am_id,name,capacity,status\nM-1,Ann,100,\nM-2,Ben,100,\nM-3,Cy,100,\nM-4,Di,100,open\n"
    assert "M-4 has not started" in proposed(ACCOUNTS, opens).explain(am="M-4")


def test_limits_are_those_of_the_book_its_floor_its_counts_and_its_csms():
    ams = "am_id,name,capacity,floor,max_accounts\nM-1,Ann,15,0.5,4\nM-2,Ben,25,,\nM-3,Cy,15,,\n"
    plan = proposed(WITH_CSMS, ams, csms=CSMS, pods=PODS + "P-3,M-3,C-1\n")
    limits = explain_book(plan, "M-1").limits.set_index("rule")
    assert limits.loc["units_cap", ["used", "most", "share"]].tolist() == [15, 15, 1]
    assert limits.loc["accounts_limit", ["subject", "used", "most", "share"]].tolist() == ["M-1", 3, 4, 0.75]
    assert limits.loc["floor", ["used", "least", "share"]].tolist() == [15, 7.5, 0.5]
    assert set(limits.loc[["csm_load"], "subject"]) == {"C-1"}
    assert limits["share"].is_monotonic_decreasing


def test_a_budget_on_what_a_book_loses_is_a_limit_of_that_book_alone():
    model = rb.load_model("coverage_units", {"budgets": {"lost_per_am": 2, "gained_per_am": 4}})
    limits = explain_book(rb.propose(book_of(), model, workers=1), "M-1").limits.set_index("rule")
    assert sorted(limits.loc["budgets", "subject"]) == ["gained:M-1", "lost:M-1"]


def test_a_broken_limit_stands_first_with_more_than_all_of_it_used():
    assert proposed(ams=TIGHT_AMS).explain(am="M-2").splitlines()[-1] == (
        "  units cap of M-2: 17, at most 15 (113.3 %)"
    )


def test_an_unknown_book_is_a_usage_error_with_the_nearest_id(proposal):
    with pytest.raises(UsageError, match=r'there is no AM or pool "m-2" in this run\. Did you mean "M-2"\?'):
        proposal.explain(am="m-2")


# Keeping an account


def test_keeping_an_account_costs_what_the_next_best_plan_costs(proposal):
    found = kept(proposal, "A-04")
    assert found.text().splitlines() == [
        "Keeping A-04 with M-1 costs $4,620 more at risk (proven), and moves A-03 instead.",
        "overload 0 -> 0; $34,840 at risk -> $39,460 at risk.",
        "Moves instead (1 account):",
        "  A-03: M-1 -> M-2 (5 units, $150,000 ARR)",
    ]
    disruption = found.levels[1]
    assert (disruption.extra, disruption.least, disruption.most, found.proven) == (4_620, 4_620, 4_620, True)
    assert found.changes[["account_id", "change"]].values.tolist() == [["A-03", "appears"]]


def test_keeping_changes_neither_the_proposal_nor_its_book(proposal):
    before = proposal.book.accounts.copy(), proposal.assignments.copy()
    kept(proposal, "A-04")
    assert proposal.book.accounts.equals(before[0])
    assert proposal.assignments.equals(before[1])


def test_an_account_that_stays_anyway_costs_nothing(proposal):
    found = kept(proposal, "A-01")
    assert (found.answer, found.levels) == ("stays", ())
    assert found.text() == "Keeping A-01 with M-1 costs nothing: it stays anyway."


@pytest.mark.parametrize(
    ("account", "words"), [("A-06", "it has no owner."), ("A-07", "its owner M-3 has left.")], ids=["unowned", "left"]
)
def test_there_is_nothing_to_keep_where_nobody_owns_it_who_stays(proposal, account, words):
    found = kept(proposal, account)
    assert (found.answer, found.text()) == ("nothing_to_keep", f"There is nothing to keep: {words}")


def test_an_account_left_out_of_the_plan_costs_nothing():
    plan = proposed(with_columns(exclude={"A-05": "true"}))
    assert kept(plan, "A-05").text() == "Keeping A-05 with M-2 costs nothing: it is left out of the plan."


def test_where_no_legal_plan_is_left_the_limits_that_break_are_named():
    found = kept(proposed(LOCKED), "A-04")
    lines = found.text().splitlines()
    assert (found.answer, found.proven) == ("not_legal", True)
    assert lines[0] == "Keeping A-04 with M-1 is not possible within the limits: no legal plan is left."
    assert "  M-1 ends with 20 units, at most 15 allowed (units cap)." in lines


def test_a_model_that_stops_over_capacity_gives_the_same_answer():
    accounts, settings = book_of(LOCKED), {"limits": {"when_over_capacity": "stop"}}
    plan = rb.propose(accounts, rb.load_model("coverage_units", settings), workers=1)
    found = kept(plan, "A-04")
    assert (found.answer, found.proven) == ("not_legal", True)
    assert "M-1 ends with 20 units, at most 15 allowed (units cap)." in found.shortages[0]


def test_a_plan_that_is_not_legal_and_not_proven_so_is_not_called_impossible(monkeypatch):
    worse = edited(proposed(ams=TIGHT_AMS), "overload", bound=0, proof=None)
    monkeypatch.setattr(keep_module, "propose", lambda *_, **__: worse)
    found = kept(proposed(), "A-04")
    assert not found.proven
    assert "no legal plan was found in the time; that there is none is not proven." in found.text()


def test_over_capacity_the_overload_is_compared_as_well():
    plan = proposed(LOCKED.replace("A-02,Bolt,M-1,200000,enterprise,true", "A-02,Bolt,M-1,200000,enterprise,"),
                    TIGHT_AMS)  # fmt: skip
    found = kept(plan, "A-04")
    assert found.answer == "priced"
    assert found.levels[0].run_value == found.levels[0].kept_value == 133_400
    assert found.text().splitlines()[0] == (
        "Keeping A-04 with M-1 costs $12,320 more at risk (proven), and moves A-02 instead."
    )


@pytest.mark.parametrize(
    ("bound", "words"),
    [
        (30_000, "Not proven: the least disruption rises by $4,620 at risk to $9,460 at risk."),
        (None, "Not proven: a bound on the disruption is missing, so the least cost is not known."),
    ],
)
def test_what_is_not_proven_is_told_as_an_interval_from_the_bounds(proposal, bound, words):
    found = kept(edited(proposal, "disruption", bound=bound, proof=None), "A-04")
    assert not found.proven
    assert found.text().splitlines()[0] == (
        "Keeping A-04 with M-1 costs $4,620 more at risk in the plans found, and moves A-03 instead."
    )
    assert found.text().splitlines()[2] == words


def test_an_interval_that_holds_zero_says_that_it_may_cost_nothing(proposal, monkeypatch):
    loose = edited(proposed(), "disruption", value=39_460, bound=30_000, proof=None)
    monkeypatch.setattr(keep_module, "propose", lambda *_, **__: loose)
    assert kept(proposal, "A-04").text().splitlines()[2] == (
        "Not proven: the least disruption rises by at most $4,620 at risk, and perhaps not at all."
    )


def test_below_a_level_that_is_not_proven_no_bound_is_claimed():
    plan = edited(proposed(measure="accounts"), "disruption", bound=1, proof=None)
    found = kept(plan, plan.moves["account_id"][~plan.moves["forced"]].iat[0])
    assert [level.name for level in found.levels] == ["overload", "disruption", "continuity"]
    continuity = found.levels[2]
    assert (continuity.least, continuity.most, continuity.proven) == (None, None, False)


@pytest.mark.parametrize("measure", ["accounts", "units"])
def test_another_plan_as_good_costs_nothing_more(measure):
    plan = proposed(measure=measure)
    moved = plan.moves["account_id"][~plan.moves["forced"]].iat[0]
    first = kept(plan, moved).text().splitlines()[0]
    assert first.startswith(f"Keeping {moved} with M-1 costs nothing more (proven), and moves A-0")


def test_the_csm_is_kept_as_well_where_pods_are_active():
    accounts = WITH_CSMS.replace("A-04,Dune,M-1,120000,enterprise,C-1", "A-04,Dune,M-1,120000,enterprise,C-2")
    plan = proposed(accounts, csms=CSMS, pods=PODS)
    moved = plan.moves.set_index("account_id").loc["A-04"]
    assert (moved["to_am"], moved["to_csm"]) == ("M-2", "C-2")
    found = kept(plan, "A-04")
    assert found.csm_id == "C-2"
    assert found.text().startswith("Keeping A-04 with M-1 and C-2 costs ")
    assert found.proven


def test_keeping_a_csm_that_would_change_moves_anothers_instead():
    accounts = (
        "account_id,name,owner,arr,tier,csm\nA-01,Acme,M-1,300000,enterprise,C-1\nA-02,Bolt,M-1,200000,enterprise,C-1\n"
    )
    csms, pods = "csm_id,name,capacity\nC-1,Dee,0.02\nC-2,Eli,1\n", "pod_id,am_id,csm_id\nP-1,M-1,C-1\nP-1,M-1,C-2\n"
    plan = proposed(accounts, "am_id,name\nM-1,Ann\n", csms=csms, pods=pods)
    assert plan.csm_changes[["account_id", "to_csm"]].values.tolist() == [["A-02", "C-2"]]
    found = kept(plan, "A-02")
    assert found.text().splitlines() == [
        "Keeping A-02 with M-1 and C-1 costs $7,700 more at risk (proven).",
        "overload 0 -> 0; $16,400 at risk -> $24,100 at risk.",
        "Gets another CSM (1 account):",
        "  A-01: C-2 instead of C-1 (5 units, $300,000 ARR)",
    ]


def test_keeping_what_the_planner_assigned_elsewhere_sets_that_aside():
    found = kept(proposed(with_columns(assign_to={"A-01": "M-2"})), "A-01")
    assert found.text().splitlines() == [
        "Keeping A-01 with M-1 means $27,720 less at risk (proven), and moves A-04 instead.",
        "overload 0 -> 0; $62,560 at risk -> $34,840 at risk.",
        "The planner assigned it to M-2; keeping it sets that aside.",
        "Moves instead (1 account):",
        "  A-04: M-1 -> M-2 (5 units, $120,000 ARR)",
    ]


def test_an_account_of_an_am_on_leave_can_be_kept():
    ams = "am_id,name,capacity,status\nM-1,Ann,15,leave\nM-2,Ben,20,\nM-3,Cy,15,inactive\n"
    found = kept(proposed(ACCOUNTS, ams), "A-04")
    assert (found.answer, found.levels[1].extra) == ("priced", 4_620)


def test_a_family_is_kept_whole_or_parted_by_the_planners_word():
    accounts = with_columns(parent_id={"A-03": "A-04"})
    plan = proposed(accounts, "am_id,name,capacity\nM-1,Ann,10\nM-2,Ben,30\nM-3,Cy,15\n")
    found = kept(plan, "A-04")
    assert set(plan.moves["account_id"]) >= {"A-03", "A-04"}
    assert found.changes.query("change == 'disappears'")["account_id"].tolist() == ["A-03"]


def test_what_contradicts_the_book_is_said_to_be_impossible(proposal, monkeypatch):
    def refuses(*_, **__):
        raise rb.InvalidInput([rb.Fault("fixed_seat", "the seat is taken.", "Free it.", file="accounts")])

    monkeypatch.setattr(keep_module, "propose", refuses)
    found = kept(proposal, "A-04")
    assert found.answer == "impossible"
    assert found.text() == "Keeping A-04 with M-1 is impossible: accounts: the seat is taken. Free it."


def test_no_plan_in_the_time_names_the_account_and_the_cure(proposal, monkeypatch):
    def finds_none(*_, **__):
        raise NoPlanInTime("no plan was found in 30 s for the accounts A-01, ...")

    monkeypatch.setattr(keep_module, "propose", finds_none)
    with pytest.raises(NoPlanInTime, match=r"no plan that keeps A-04 with M-1 was found: .*--time-limit"):
        kept(proposal, "A-04")


def test_a_run_of_another_version_is_pointed_out(proposal):
    old = replace(proposal, record={**proposal.record, "versions": {"rebalancer": "0.0.1"}})
    assert "Note: the run was made by version 0.0.1" in kept(old, "A-04").text()


def test_keeping_uses_the_options_of_the_run(monkeypatch):
    plan = rb.propose(book_of(), scope="repair", measure="units", seed=7, gap=0.25, reproducible=True, workers=1)
    asked = {}
    monkeypatch.setattr(keep_module, "propose", lambda *_, **options: asked.update(options) or plan)
    keep(plan, plan.moves["account_id"][~plan.moves["forced"]].iat[0], time_limit=5, workers=2)
    assert asked == {
        "scope": "repair", "measure": "units", "seed": 7, "gap": 0.25,
        "reproducible": True, "time_limit": 5, "workers": 2,
    }  # fmt: skip


def test_an_unknown_account_is_a_usage_error_with_the_nearest_id(proposal):
    with pytest.raises(UsageError, match=r'there is no account "a-04" in this run\. Did you mean "A-04"\?'):
        proposal.explain("a-04", keep=True)


def test_explain_takes_one_account_or_one_book(proposal):
    for wrong in ({}, {"account_id": "A-04", "am": "M-1"}, {"am": "M-1", "keep": True}):
        with pytest.raises(UsageError, match="either an account or am="):
            proposal.explain(**wrong)
    assert proposal.explain("A-01", keep=True) == kept(proposal, "A-01").text()


# The command


def test_the_command_says_what_the_library_says(run, written, proposal):
    assert run("explain", written, "--am", "M-1") == (0, proposal.explain(am="M-1") + "\n", "")
    shown = run("explain", written, "--account", "A-04", "--keep", "--workers", 1, "--time-limit", "20s")
    assert shown == (0, kept(proposal, "A-04").text() + "\n", "")


def test_json_of_a_book_holds_every_account_and_limit(run, written):
    found = json.loads(run("explain", written, "--am", "M-2", "--json")[1])
    assert found["schema_version"] == 1
    assert (found["am_id"], found["units_after"], found["binding"], found["asked"]) == ("M-2", 17, "units", "M-2")
    assert [row["account_id"] for row in found["gained_accounts"]] == ["A-04", "A-07", "A-06"]
    assert [row["account_id"] for row in found["stays_accounts"]] == ["A-05"]
    assert found["lost_accounts"] == []
    assert found["limits"][0] == {
        "rule": "units_cap", "subject": "M-2", "used": 17, "least": None, "most": 20, "share": 0.85,
    }  # fmt: skip


def test_json_of_keeping_holds_the_levels_and_the_changes(run, written):
    found = json.loads(run("explain", written, "--account", "A-04", "--keep", "--json")[1])
    assert (found["answer"], found["proven"], found["am_id"]) == ("priced", True, "M-1")
    assert [(level["name"], level["extra"]) for level in found["levels"]] == [("overload", 0), ("disruption", 4_620)]
    assert found["changes"][0]["account_id"] == "A-03"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "Give either --account or --am."),
        (("--account", "A-04", "--am", "M-1"), "Give either --account or --am."),
        (("--am", "M-1", "--keep"), "--keep goes with --account."),
        (("--account", "A-04", "--time-limit", "5s"), "--time-limit and --workers go with --keep."),
        (("--am", "m-2"), 'there is no AM or pool "m-2" in this run. Did you mean'),
        (("--account", "A-0", "--keep"), 'there is no account "A-0" in this run. Did you mean'),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(run, written, options, words):
    code, out, err = run("explain", written, *options)
    assert (code, out) == (2, "")
    assert words in " ".join(err.split())
    code, out, err = run("explain", written, *options, "--json")
    assert (code, err) == (2, "")
    assert words in json.loads(out)["error"]["message"]


def test_an_interrupted_search_tells_what_it_has_and_exits_with_130(run, written, monkeypatch):
    whole = keep_module.propose

    def stopped(*args, **options):
        plan = whole(*args, **options)
        return replace(plan, record={**plan.record, "stopped": "interrupt"})

    monkeypatch.setattr(keep_module, "propose", stopped)
    code, out, _ = run("explain", written, "--account", "A-04", "--keep")
    assert code == 130
    assert out.startswith("Keeping A-04 with M-1 costs $4,620 more at risk")
