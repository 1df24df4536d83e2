"""Two runs side by side: inputs and options first, then what each proves and moves."""

import json
import subprocess
import sys

import pytest
from small_books import ACCOUNTS, AMS, CSMS, PODS, TIGHT_AMS, WITH_CSMS, book_of, write_book

import rebalancer as rb
from rebalancer.explain.compare import FIGURES, compare

TO_THREE = ACCOUNTS.replace("tier\n", "tier,assign_to\n").replace("0,enterprise\n", "0,enterprise,\n")
TO_THREE = TO_THREE.replace("0,mid_market\n", "0,mid_market,\n").replace("A-04,Dune,M-1,120000,enterprise,", "{}")
"""A-04 stands apart, to be assigned."""

FOUR_AMS = AMS + "M-4,Di,20,\n"


def assigned(to):
    """The book with A-04 assigned to an AM."""
    return TO_THREE.format(f"A-04,Dune,M-1,120000,enterprise,{to}")


def proposed(accounts=ACCOUNTS, ams=AMS, *, model=None, scope="full", measure=None, seed=0, **others):
    return rb.propose(book_of(accounts, ams, **others), model, scope=scope, measure=measure, seed=seed, workers=1)


def moves(found):
    return dict(zip(found.accounts["account_id"], found.accounts["moves"], strict=True))


def figure(found, name):
    row = found.figures.set_index("figure").loc[name]
    return row["first"], row["second"], row["difference"]


@pytest.fixture(scope="module")
def proposal():
    return proposed()


@pytest.fixture
def two_runs(run, tmp_path):
    """The full book once within its limits and once two units short."""
    run("propose", write_book(tmp_path / "wide"), "--out", "one", "--workers", 1)
    run("propose", write_book(tmp_path / "tight", ams=TIGHT_AMS), "--out", "two", "--workers", 1)
    return "one", "two"


# What went in


def test_a_run_compared_with_itself_differs_in_nothing(proposal):
    found = compare(proposal, proposal)
    assert found.same_plan
    assert found.text().splitlines() == [
        "Both runs have the same inputs, model and options.",
        "Both plans end every account in the same seat.",
    ]
    assert (found.inputs.empty, found.options.empty, found.model.empty, found.books.empty) == (True,) * 4
    assert set(found.figures["difference"].dropna()) == {0}


def test_different_options_are_said_first(proposal):
    found = compare(proposal, proposed(scope="repair", measure="units", seed=3))
    assert list(found.said_first()) == [
        "Both runs have the same inputs and model.",
        "Different scope: full and repair.",
        "Different measure: revenue_at_risk and units.",
        "Different seed: 0 and 3.",
        "The level disruption has another unit in each run: compare the figures in all three measures.",
    ]


def test_different_inputs_are_said_with_their_hashes(proposal):
    other = proposed(ams=TIGHT_AMS)
    found = compare(proposal, other)
    one, two = (plan.record["inputs"]["ams.csv"] for plan in (proposal, other))
    assert found.inputs.values.tolist() == [["ams.csv", one, two]]
    assert next(found.said_first()) == f"Different input ams.csv: {one[:12]} and {two[:12]} (sha256)."


def test_a_table_that_only_one_run_has_is_a_different_input(proposal):
    found = compare(proposal, proposed(csms=CSMS))
    assert found.inputs.set_index("file").loc["csms.csv", "first"] == ""
    assert "Different input csms.csv: none and " in found.text()


def test_different_models_are_told_key_by_key(proposal):
    changed = rb.load_model("coverage_units", {"limits": {"target": 0.9}, "disruption": {"csm_share": 0.25}})
    found = compare(proposal, proposed(model=changed))
    told = dict(zip(found.model["key"], found.model["second"], strict=True))
    assert told == {"limits.target": "0.9", "disruption.csm_share": "0.25"}
    assert list(found.inputs["file"]) == ["model.toml"]
    assert "Different model: disruption.csm_share is 0.5 and 0.25." in found.said_first()


# What came out


def test_figures_stand_side_by_side_with_their_difference(proposal):
    found = compare(proposal, proposed(measure="accounts"))
    assert list(found.figures["figure"]) == list(FIGURES)
    assert figure(found, "status") == ("optimal", "optimal", None)
    assert figure(found, "moves.accounts") == (3, 3, 0)
    assert figure(found, "moves.forced") == (2, 2, 0)
    first, second, difference = figure(found, "disruption.revenue_at_risk")
    assert (first, difference) == (34_840, second - 34_840)
    assert figure(found, "red_books_before") == (1, 1, 0)
    assert figure(found, "continuity.share")[0] == 0.8


def test_a_level_that_one_run_lacks_is_empty_there(proposal):
    levels = compare(proposal, proposed(measure="accounts")).levels.set_index("level")
    assert list(levels.index)[:3] == ["overload", "disruption", "continuity"]
    assert levels.loc["continuity", ["value_first", "bound_first", "proof_first"]].tolist() == [None, None, None]
    assert levels.loc["continuity", "value_second"] == 0
    assert levels.loc["disruption", ["value_first", "bound_first", "proof_first"]].tolist() == [
        34_840,
        34_840,
        "certificate",
    ]


def test_accounts_are_told_apart_by_the_run_that_moves_them(proposal):
    wide = proposed(ams="am_id,name,capacity\nM-1,Ann,100\nM-2,Ben,100\nM-3,Cy,100\n")
    found = compare(proposal, wide)
    assert moves(found)["A-04"] == moves(found)["A-07"] == "first"
    assert moves(compare(wide, proposal))["A-04"] == "second"
    assert "Move only in the first run: 2 accounts (A-04, A-07)." in found.text()


def test_accounts_that_move_to_different_ams_are_told_so():
    found = compare(proposed(assigned("M-2"), FOUR_AMS), proposed(assigned("M-4"), FOUR_AMS))
    row = found.accounts.set_index("account_id").loc["A-04"]
    assert (row["moves"], row["to_am_first"], row["to_am_second"]) == ("different", "M-2", "M-4")
    assert not found.same_plan
    assert any(line.startswith("Move in both runs, to different AMs: ") and "A-04" in line for line in found.outcome())
    assert {"M-2", "M-4"} <= set(found.books["am_id"])


def test_an_account_that_moves_to_one_am_in_both_is_no_difference(proposal):
    found = compare(proposal, proposed(scope="repair"))
    assert set(moves(found).values()) == {"both"}
    assert found.same_plan
    assert "Both plans end every account in the same seat." in found.text()


def test_another_csm_alone_is_a_difference_of_its_own():
    pods = PODS + "P-1,M-1,C-2\n"
    free = WITH_CSMS.replace("csm\n", "csm,assign_csm\n").replace("C-1\n", "C-1,\n").replace("C-2\n", "C-2,\n") + ","
    named = free.replace("A-01,Acme,M-1,300000,enterprise,C-1,", "A-01,Acme,M-1,300000,enterprise,C-1,C-2")
    found = compare(proposed(free, csms=CSMS, pods=pods), proposed(named, csms=CSMS, pods=pods))
    assert moves(found)["A-01"] == "csm"
    assert not found.same_plan


def test_accounts_and_books_of_only_one_run_are_listed_as_such(proposal):
    other = ACCOUNTS.replace("A-05,Echo", "B-05,Else")
    found = compare(proposal, proposed(other, FOUR_AMS))
    assert found.only["accounts"] == (["A-05"], ["B-05"])
    assert found.only["books"] == ([], ["M-4"])
    assert "1 account only in the first run: A-05." in found.text()
    assert "1 book only in the second run: M-4." in found.text()
    assert not {"A-05", "B-05"} & set(found.accounts["account_id"])
    assert not found.same_plan


def test_an_account_that_changed_hands_between_the_books_is_told_so(proposal):
    after = rb.propose(proposal.book_after(), workers=1)
    found = compare(after, rb.propose(book_of(ACCOUNTS.replace("Core,M-1", "Core,M-2")), workers=1))
    assert moves(found)["A-03"] == "elsewhere"
    assert "have different owners in the two books: " in found.text()


def test_a_plan_carried_out_ends_every_account_where_the_plan_put_it(proposal):
    found = compare(proposal, rb.propose(proposal.book_after(), workers=1))
    assert figure(found, "status") == ("optimal", "no_change", None)
    assert found.books.empty
    assert set(moves(found).values()) == {"first"}


def test_one_more_account_is_a_different_plan_even_where_nothing_moves():
    accounts = "account_id,name,owner,arr,tier\nA-01,Acme,M-1,300000,enterprise\n"
    found = compare(proposed(accounts), proposed(accounts + "A-02,Bolt,M-1,200000,enterprise\n"))
    assert found.accounts.empty
    assert not found.same_plan
    assert "1 account only in the second run: A-02." in found.text()


def test_a_move_to_the_same_am_with_another_csm_is_told_as_such():
    head = "account_id,name,owner,arr,tier,csm,assign_to,assign_csm\nA-01,Acme,M-1,300000,enterprise,C-1,M-2,"
    ams, pods = "am_id,name\nM-1,Ann\nM-2,Ben\n", "pod_id,am_id,csm_id\nP-1,M-1,C-1\nP-2,M-2,C-1\nP-2,M-2,C-2\n"
    plans = [proposed(f"{head}{csm}\n", ams, csms=CSMS, pods=pods) for csm in ("C-1", "C-2")]
    assert moves(compare(*plans)) == {"A-01": "csm"}


# The command


def test_the_command_says_inputs_first_then_figures_levels_accounts_and_books(run, two_runs):
    code, out, err = run("compare", *two_runs)
    lines = [" ".join(line.split()) for line in out.splitlines() if line.strip(" ─")]
    assert (code, err) == (0, "")
    assert lines[0].startswith("First: one (run ")
    assert lines[1].startswith("Second: two (run ")
    assert lines[2].startswith("Different input ams.csv: ")
    assert "status optimal over_capacity" in lines
    assert "revenue at risk $34,840 $34,840 $0" in lines
    assert "red books after 0 1 1" in lines
    assert any(line.startswith("overload 0 0 certificate 133,400 133,400") for line in lines)
    assert "\x1b" not in out


def test_json_holds_both_runs_and_every_difference(run, two_runs):
    code, out, err = run("compare", *two_runs, "--json")
    found = json.loads(out, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert (code, err, found["schema_version"]) == (0, "", 1)
    assert [one["run"] for one in found["runs"]] == ["one", "two"]
    assert [one["status"] for one in found["runs"]] == ["optimal", "over_capacity"]
    assert [row["file"] for row in found["inputs"]] == ["ams.csv"]
    assert found["only"] == {"accounts": {"first": [], "second": []}, "books": {"first": [], "second": []}}
    assert {row["figure"] for row in found["figures"]} == set(FIGURES)
    assert {"level", "value_first", "bound_first", "proof_second"} <= set(found["levels"][0])
    assert {"account_id", "moves", "to_am_first", "to_am_second"} <= set(found["accounts"][0])


def test_what_is_no_run_is_a_usage_error(run, two_runs):
    for args, words in (
        (("one", "wide"), '"wide" is no run directory'),
        (("nowhere", "one"), '"nowhere" is no run directory'),
        (("one",), "Missing argument 'RUN'."),
    ):
        code, out, err = run("compare", *args)
        assert (code, out) == (2, "")
        assert words in " ".join(err.split())


def test_a_run_that_was_edited_is_refused(run, two_runs, tmp_path):
    (tmp_path / "two" / "moves.csv").write_text("account_id\n", encoding="utf-8")
    code, _, err = run("compare", *two_runs)
    assert code == 3
    assert "moves.csv: is not as it was written." in err


def test_help_of_compare_loads_neither_pandas_nor_the_solver(tmp_path):
    code = "import sys\nfrom rebalancer.cli import main\ntry:\n    main(['compare', '--help'])\nexcept SystemExit:\n"
    code += "    assert not {'pandas', 'numpy', 'ortools', 'rich'} & set(sys.modules)\n"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, cwd=tmp_path)
