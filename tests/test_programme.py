"""The global account programme: selection, spread, GAMs and RAMs, credit splits, and what plans do to them."""

import os
from pathlib import Path

import pandas as pd
import pytest
from helpers import book_of

import rebalancer as rb
from rebalancer.coverage import load_model
from rebalancer.insight.programme import overlap_of, programme
from rebalancer.insight.splits import split_effect

ROOT = Path(__file__).resolve().parents[1]
ADVENTUREWORKS = Path(os.environ.get("REBALANCER_SHARED", ROOT.parent / "shared")) / "data" / "adventureworks"

TEAM = "am_id,name,role\nG-1,Gia,gam\nG-2,Gus,gam\nE-1,Eva,\nE-2,Emil,\nE-3,Ed,"


def report_of(accounts, ams=TEAM, overrides=None, **others):
    return programme(book_of(accounts, ams, **others), load_model("coverage_units", overrides))


def states(report):
    return dict(zip(report.families["root"], report.families["state"], strict=True))


def said(report, kind):
    return report.problems.loc[report.problems["kind"] == kind, "message"].tolist()


# The source's own figures


def test_the_shipped_model_has_the_figures_of_the_source():
    terms = load_model("coverage_units").programme
    assert terms.selection.min_revenue == 1_000_000_000
    assert terms.pilot == (2, 5)
    assert (float(terms.pay.base[0]), float(terms.pay.base[1])) == (0.60, 0.70)
    assert (float(terms.pay.gam_on_global), float(terms.pay.ram_on_global)) == (0.25, 0.25)
    assert float(terms.pay.regional_quota) == 0.50


BIG = """account_id,owner,arr,region,parent_id,wallet_share
a,E-1,3000000,EMEA,,0.5
a2,E-2,1000000,APAC,a,0.5
b,E-1,3000000,AMER,,0.5
b2,E-2,1000000,EMEA,b,0.5
"""


@pytest.mark.parametrize(("revenue", "large"), [(1_000_000_000, True), (999_999_999, False)])
def test_a_customer_of_a_billion_dollars_revenue_is_large_and_one_a_dollar_below_is_not(revenue, large):
    metrics = f"subject,id,name,value,date\naccount,a2,customer_revenue,{revenue},2025-06-01"
    found = states(report_of(BIG, metrics=metrics))
    assert ("a" in found) is large
    assert found["b"] == "proposed"  # its revenue is not known: its ARR counts


def test_the_latest_revenue_counts_and_none_of_the_future():
    metrics = "subject,id,name,value,date\n" + "\n".join(
        f"account,a,customer_revenue,{value},{day}"
        for value, day in ((2_000_000_000, "2024-01-01"), (5, "2025-01-01"), (3_000_000_000, "2026-06-01"))
    )
    assert "a" not in states(report_of(BIG, metrics=metrics))


@pytest.mark.parametrize(
    ("families", "stage"), [(0, "none"), (1, "too small"), (2, "pilot"), (5, "pilot"), (6, "programme")]
)
def test_a_pilot_has_two_to_five_families(families, stage):
    rows = "\n".join(f"a{i},E-1,{'true' if i < families else ''}" for i in range(7))
    assert report_of(f"account_id,owner,is_global\n{rows}").stage == stage


# Selection


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("APAC", "EMEA"), "not multinational"),
        (("EMEA,,0.5\na2,E-2,1000000,APAC,a,0.5", "EMEA,,0.95\na2,E-2,1000000,APAC,a,0.95"), "not promising"),
        (("a2,E-2,1000000,APAC,a,0.5\n", ""), "not multinational, not complex"),
    ],
)
def test_a_family_that_fails_a_criterion_is_out_and_the_reason_names_it(change, why):
    families = report_of(BIG.replace(*change)).families.set_index("root")
    assert families.loc["a", "state"] == "out"
    assert families.loc["a", "why"] == why
    assert families.loc["b", "state"] == "proposed"


def test_the_potential_is_what_the_customer_buys_elsewhere():
    families = report_of("account_id,owner,arr,wallet_share\na,E-1,2000000,0.4\nb,E-1,5000000,").families.set_index(
        "root"
    )
    assert families.loc["a", "potential"] == 3_000_000
    assert pd.isna(families.loc["b", "potential"])
    assert families.loc["b", "promising"] == "unknown"


def test_a_criterion_can_be_left_out():
    overrides = {"programme": {"selection": {"min_regions": "none", "min_accounts": "none"}}}
    assert states(report_of("account_id,owner,arr,wallet_share\na,E-1,2000000,0.4", overrides=overrides)) == {
        "a": "proposed"
    }


def test_what_is_named_global_or_has_a_gam_is_in_whatever_the_criteria_say_and_is_to_be_reviewed():
    report = report_of("account_id,name,owner,arr,is_global,gam\na,Acme,E-1,5,true,\nb,,E-1,5,,G-1\nc,,E-1,5,,")
    assert states(report) == {"a": "in", "b": "in"}
    assert said(report, "criteria")[0] == "Acme (a) is not large, not complex; review whether it belongs there."


def candidates(regions):
    """A family per region given, worth less from one to the next, each with a second account elsewhere."""
    rows = ["account_id,owner,arr,region,parent_id,wallet_share"]
    for number, region in enumerate(regions):
        rows.append(f"f{number},E-1,{5_000_000 - number * 1_000},{region},,0.5")
        rows.append(f"f{number}x,E-2,10,Elsewhere,f{number},")
    return "\n".join(rows)


def test_the_limit_on_the_size_of_the_programme_is_strict_and_the_best_come_first():
    overrides = {"programme": {"max_families": 2, "max_region_share": "none"}}
    report = report_of(candidates(["A", "A", "B"]), overrides=overrides)
    assert states(report) == {"f0": "proposed", "f1": "proposed", "f2": "waits"}
    assert report.families["why"].tolist() == ["place 1 of 2", "place 2 of 2", "the programme is full at 2 families"]


def test_no_region_gets_more_than_its_share_of_the_places():
    overrides = {"programme": {"max_families": 4, "max_region_share": 0.5}}
    report = report_of(candidates(["A", "A", "A", "B", "C"]), overrides=overrides)
    assert states(report) == {"f0": "proposed", "f1": "proposed", "f3": "proposed", "f4": "proposed", "f2": "waits"}
    assert report.families.set_index("root").loc["f2", "why"] == "A has its 2 of 4 families"


def test_a_pilot_takes_the_first_of_every_region_in_turn():
    overrides = {"programme": {"pilot": [2, 3], "max_region_share": "none"}}
    families = report_of(candidates(["A", "A", "B", "C"]), overrides=overrides).families
    assert families.loc[families["pilot"], "root"].tolist() == ["f0", "f2", "f3"]


def test_the_spread_of_the_programme_is_told_and_a_region_above_its_share_named():
    rows = "\n".join(f"a{i},E-1,{region},true" for i, region in enumerate(["EMEA", "EMEA", "EMEA", "APAC"]))
    report = report_of(f"account_id,owner,region,is_global\n{rows}")
    assert report.regions[["home", "families", "share", "over"]].to_numpy().tolist() == [
        ["APAC", 1, 0.25, False],
        ["EMEA", 3, 0.75, True],
    ]
    assert said(report, "spread") == ["EMEA is home to 3 families of the programme, 75 %; 2 is the most of one region."]


def test_a_family_is_at_home_where_most_of_its_arr_is():
    accounts = (
        "account_id,owner,arr,region,parent_id,is_global\na,E-1,5,EMEA,,true\nb,E-1,6,APAC;AMER,a,\nc,E-1,9,AMER,a,"
    )
    (row,) = report_of(accounts).families.to_dict("records")
    assert (row["home"], row["regions"], row["accounts"], row["ams"]) == ("AMER", 3, 3, 1)


@pytest.mark.parametrize(("day", "review"), [("2025-01-01", ""), ("2024-12-31", "due"), ("", "unknown")])
def test_a_family_is_reviewed_every_so_many_months(day, review):
    metrics = f"subject,id,name,date\naccount,a,global_review,{day}" if day else "subject,id,name,date\nteam,T,nps,"
    report = report_of("account_id,owner,is_global\na,E-1,true", metrics=metrics)
    assert report.families["review"].tolist() == [review]
    assert bool(said(report, "review")) == (review == "due")


# Who leads


def test_every_family_has_a_gam_and_a_sponsor_or_is_named():
    accounts = "account_id,name,owner,is_global,gam,sponsor,parent_id\n"
    accounts += "a,Acme,E-1,true,G-1,,\nb,,E-1,,,Ida,a\nc,Core,E-1,true,,,"
    report = report_of(accounts)
    assert said(report, "no_gam") == ["Core (c) has no GAM."]
    assert said(report, "no_sponsor") == ["Core (c) has no executive sponsor."]


def test_a_family_with_several_gams_is_named():
    report = report_of("account_id,owner,gam,parent_id\na,E-1,G-1,\nb,E-1,G-2,a")
    assert said(report, "several_gams") == ["a has several GAMs: G-1, G-2."]


def test_the_limit_of_families_per_gam_is_strict():
    accounts = "account_id,owner,gam\na,E-1,G-1\nb,E-1,G-1\nc,E-2,G-2"
    report = report_of(accounts, overrides={"programme": {"families_per_gam": 1}})
    assert report.gams[["gam", "families", "over"]].to_numpy().tolist() == [["G-1", 2, True], ["G-2", 1, False]]
    assert said(report, "gam_limit") == ["GAM G-1 leads 2 families; 1 is the most."]


@pytest.mark.parametrize(
    ("left", "kind", "text"),
    [
        ("2025-12-31", "gam_left", "GAM G-1 has left: a, b need a new GAM."),
        ("2026-03-31", "gam_leaves", "GAM G-1 leaves on 2026-03-31: a, b need a new GAM by then."),
    ],
)
def test_where_a_gam_leaves_the_families_that_need_a_new_one_are_named(left, kind, text):
    ams = f"am_id,leaves_on\nG-1,{left}\nE-1,"
    assert said(report_of("account_id,owner,gam\na,E-1,G-1\nb,E-1,G-1", ams), kind) == [text]


def test_a_gam_who_is_nobody_of_the_book_is_named():
    assert said(report_of("account_id,owner,gam\na,E-1,Zed"), "unknown_gam") == ["GAM Zed is no AM of the book."]


def test_the_pairs_say_how_much_a_gam_and_a_ram_share_and_who_reports_into_the_gam():
    accounts = """account_id,owner,arr,gam
    a,E-1,10,G-1
    b,E-1,20,G-1
    c,E-2,30,G-1
    d,G-1,40,G-1
    e,E-2,50,
    f,E-3,60,G-2"""
    report = report_of(accounts)
    assert report.pairs.to_numpy().tolist() == [
        ["G-1", "E-1", 2, 30, 0.5, 1.0, "into the GAM"],
        ["G-1", "E-2", 1, 30, 0.25, 0.5, "dotted"],
        ["G-2", "E-3", 1, 60, 1.0, 1.0, "into the GAM"],
    ]
    assert report.gams[["gam", "own", "rams", "accounts_per_ram"]].to_numpy().tolist() == [
        ["G-1", 1, 2, 1.5],
        ["G-2", 0, 1, 1.0],
    ]


def test_rams_report_into_the_gam_only_where_all_who_serve_the_account_are_dedicated():
    accounts = "account_id,owner,gam,parent_id\na,E-1,G-1,\nb,E-2,G-1,a\nc,E-2,,"
    assert report_of(accounts).pairs["line"].tolist() == ["dotted", "dotted"]


# Credit splits

DEAL = "account_id,owner,gam\na,E-1,G-1"


def splits_of(rows, accounts=DEAL, **pay):
    report = report_of(
        accounts,
        overrides={"programme": {"pay": pay}} if pay else None,
        splits=f"account_id,am_id,role,credit,decided_by\n{rows}",
    )
    return {row["check"]: (row["verdict"], row["found"], row["lacks"]) for row in report.splits.to_dict("records")}


def test_both_the_gam_and_the_regional_am_are_credited_for_a_regional_deal():
    assert splits_of("a,G-1,gam,1,Finance\na,E-1,ram,1,Finance")["dual"] == ("ok", "gam 1 + ram 1", "")
    assert splits_of("a,G-1,gam,1,Finance")["dual"][0] == "broken"
    assert splits_of("a,G-1,gam,1,Finance\na,E-1,ram,0,Finance")["dual"][0] == "broken"


def test_an_account_that_its_gam_owns_is_no_regional_deal():
    found = splits_of("a,G-1,gam,1,Finance", "account_id,owner,gam\na,G-1,G-1")
    assert not {"dual", "ram", "ram_floor"} & set(found)


@pytest.mark.parametrize(
    ("gam", "ram", "verdicts"),
    [(0.25, 0.25, ("ok", "ok")), (0.24, 0.75, ("broken", "ok")), (0.85, 0.15, ("ok", "broken"))],
)
def test_gam_and_ram_are_each_credited_with_a_quarter_at_least(gam, ram, verdicts):
    found = splits_of(f"a,G-1,gam,{gam},Finance\na,E-1,ram,{ram},Finance")
    assert (found["gam_floor"][0], found["ram_floor"][0]) == verdicts
    assert found["gam_floor"][2] == "variable pay; the credit stands in for it"


@pytest.mark.parametrize("who", ["G-1", "g-1", "Gia", "E-1", "Eva"])
def test_neither_the_gam_nor_anybody_credited_decides_the_split(who):
    found = splits_of(f"a,G-1,gam,0.6,{who}\na,E-1,ram,0.4,{who}")
    assert found["decided_by"] == ("broken", who, "")


def test_a_third_party_decides_and_nobody_is_unknown():
    assert splits_of("a,G-1,gam,0.6,Finance\na,E-1,ram,0.4,Finance")["decided_by"][0] == "ok"
    assert splits_of("a,G-1,gam,0.6,\na,E-1,ram,0.4,")["decided_by"] == ("unknown", "not said", "splits.decided_by")


def test_a_split_is_defined_beforehand_for_every_account_with_a_gam():
    found = report_of("account_id,owner,gam\na,E-1,G-1\nb,E-1,").splits
    assert found.loc[found["subject"] == "a", ["check", "verdict"]].to_numpy().tolist() == [["defined", "broken"]]


def test_the_table_names_who_leads_and_who_owns_the_account():
    found = splits_of("a,G-2,gam,0.5,Finance\na,E-2,ram,0.5,Finance")
    assert (found["gam"][:2], found["ram"][:2]) == (("broken", "G-2"), ("broken", "E-2"))


@pytest.mark.parametrize(("credit", "verdict"), [("60", "broken"), ("-0.1", "broken"), ("", "unknown"), ("1", "ok")])
def test_a_credit_is_a_share_from_0_to_1(credit, verdict):
    assert splits_of(f"a,G-1,gam,{credit},Finance\na,E-1,ram,0.5,Finance")["credit"][0] == verdict


@pytest.mark.parametrize(
    ("key", "good", "bad"),
    [
        ("base", ["0.6", "0.65", "0.7"], ["0.59", "0.71", "0.5"]),
        ("gam_on_global", ["0.25", "1"], ["0.24"]),
        ("ram_on_global", ["0.25", "0.4"], ["0.2"]),
        ("regional_quota", ["0", "0.5", "0.55"], ["0.56", "1"]),
    ],
)
def test_the_pay_plan_keeps_to_the_figures_of_the_source(key, good, bad):
    for shares, verdict in ((good, "ok"), (bad, "broken")):
        for share in shares:
            assert splits_of("a,G-1,gam,1,Finance", **{f"plan_{key}": share})[key][0] == verdict, share


def test_what_the_pay_plan_does_not_say_is_unknown_and_the_key_is_named():
    found = splits_of("a,G-1,gam,1,Finance")
    for key in ("base", "gam_on_global", "ram_on_global", "regional_quota"):
        assert found[key] == ("unknown", "not given", f"programme.pay.plan_{key}")


# What a proposal does

LEAVER = "am_id,status,capacity\nE-1,inactive,\nE-2,,100\nG-1,,100"
MOVING = "account_id,owner,arr,gam\na,E-1,200000,G-1\nb,E-1,100000,\nc,E-1,50000,G-1\nd,E-2,10000,G-1"
CREDIT = """account_id,am_id,role,credit,decided_by
a,G-1,gam,0.6,Finance
a,E-1,ram,0.4,Finance
b,E-1,ram,1,Finance
d,E-2,ram,1,Finance"""
QUOTAS = "am_id,period,quota,actual\nE-2,2026-Q1,400000,\nE-2,2025-Q4,1,\nE-1,2026,90000,"


@pytest.fixture(scope="module")
def moving():
    ams = LEAVER + "\nE-3,leave,"
    return rb.propose(book_of(MOVING, ams, splits=CREDIT, quotas=QUOTAS).on("2026-01-15"), time_limit=5)


def test_the_owners_credit_moves_with_an_account_and_the_gams_stays(moving):
    plan = moving.assignments.set_index("account_id")["to_am"]
    effect = split_effect(moving)
    rows = effect.accounts.set_index(["account_id", "role"])
    assert rows.loc[("a", "gam"), ["from_am", "to_am", "credited", "moves"]].tolist() == ["G-1", "G-1", 120_000, False]
    assert rows.loc[("a", "ram"), ["from_am", "to_am", "credited", "moves"]].tolist() == [
        "E-1",
        plan["a"],
        80_000,
        True,
    ]
    assert rows.loc[("b", "ram"), "credited"] == 100_000
    assert "d" not in effect.accounts["account_id"].tolist()
    assert effect.notes == ("c moves and has a GAM, and no split is defined for it.",)


def test_the_effect_is_summed_by_am_and_set_against_the_quota_of_the_period(moving):
    ams = split_effect(moving).ams.set_index("am_id")
    assert ams.loc["E-1", ["lost", "gained", "change", "quota"]].tolist() == [180_000, 0, -180_000, 90_000]
    assert ams["change"].sum() == 0
    gained = ams[ams["gained"] > 0]
    assert gained["gained"].sum() == 180_000
    assert ams.loc["E-2", "quota"] == 400_000


def test_a_book_without_splits_says_so():
    proposal = rb.propose(book_of(MOVING, LEAVER), time_limit=5)
    effect = split_effect(proposal)
    assert effect.missing == ("splits", "quotas")
    assert len(effect.notes) == 2
    assert effect.ams.empty


def test_pairs_before_and_after_are_those_that_the_level_counts(moving):
    before, after = overlap_of(moving)
    assert after == moving.level("overlap")["value"]
    assert before == 2


# On real and shipped books


def test_the_sample_shows_what_its_page_says():
    report = programme(rb.load_book(ROOT / "data" / "sample"))
    assert report.stage == "pilot"
    assert said(report, "no_sponsor") == ["Northgate Haulage (A-0403) has no executive sponsor."]
    broken = report.splits[report.splits["verdict"] == "broken"]
    assert broken[["check", "subject"]].to_numpy().tolist() == [["ram_floor", "A-0254"], ["decided_by", "A-0432"]]
    assert said(report, "review") == ["Lonepine Insurance (A-0432) was last reviewed on 2025-06-30."]
    assert report.missing == ()


@pytest.mark.skipif(not ADVENTUREWORKS.is_dir(), reason="the AdventureWorks books are not here")
@pytest.mark.parametrize("name", ["book_2018q4", "book_2020q1"])
def test_a_real_book_without_global_accounts_says_what_it_lacks(name):
    report = programme(rb.load_book(ADVENTUREWORKS / name))
    assert {"accounts.gam", "accounts.is_global", "accounts.wallet_share", "splits"} <= set(report.missing)
    assert report.gams.empty
    assert report.pairs.empty
    assert report.stage == "none"
    assert report.splits["subject"].unique().tolist() == ["pay plan"]


# The command


def test_the_command_prints_writes_and_gives_json(run, tmp_path, moving):
    moving.write(str(tmp_path / "r"))
    folder = tmp_path / "book"
    folder.mkdir()
    texts = {"accounts": MOVING, "ams": LEAVER, "splits": CREDIT, "quotas": QUOTAS}
    for name, text in texts.items():
        header, *rows = text.splitlines()
        (folder / f"{name}.csv").write_text(
            "\n".join([header + ",name", *(row + "," for row in rows)]) if name in ("accounts", "ams") else text
        )
    done = run(
        "programme", folder, "--run", tmp_path / "r", "--out", tmp_path / "csv", "--effective-date", "2026-01-15"
    )
    assert done.code == 0, done.err
    assert "Families in the programme: 3 (the size of a pilot)" in done.out
    assert "Pairs of a GAM and another AM: 2 before the proposal" in done.out
    assert "note: the book has no" in done.err
    written = {file.stem for file in (tmp_path / "csv").iterdir()}
    assert written == {"families", "regions", "gams", "pairs", "splits", "problems", "credit_accounts", "credit_ams"}
    document = run("programme", folder, "--run", tmp_path / "r", "--json").json
    assert document["schema_version"] == 1
    assert {row["am_id"] for row in document["effect"]["ams"]} >= {"E-1"}
    assert document["families"][0]["state"] == "in"
