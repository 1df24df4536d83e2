"""The balanced scorecard: its figures, the sources' own numbers, targets the right way round, and what is missing."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import book_of, messages
from hypothesis import given, settings
from hypothesis import strategies as st

import rebalancer as rb
from rebalancer.coverage import load_model
from rebalancer.errors import UsageError
from rebalancer.insight import scorecard
from rebalancer.metrics.opportunities import forecast_accuracy, forecast_columns
from rebalancer.metrics.retention import retention_frame
from rebalancer.metrics.scores import SCORES
from rebalancer.plan import resolve_model
from rebalancer.snapshot import take_snapshot

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "data" / "sample"
ADVENTUREWORKS = ROOT.parent / "shared" / "data" / "adventureworks"

ACCOUNTS = "account_id,owner,tier,arr\na,E-1,enterprise,100000\nb,E-1,enterprise,300000\nc,E-2,smb,1000\nd,,smb,500"
AMS = "am_id,name,manager\nE-1,Eva,Mia\nE-2,Emil,Mia\nE-3,Ed,Noa"
DEALS = "account_id,type,amount,close_date,stage,discovered_by,forecast\n"
METRICS = "subject,id,name,value,target,date\n"
DAY = "2026-08-15"  # the last full quarter is 2026-Q2


def card(accounts=ACCOUNTS, ams=AMS, day=DAY, quarter=None, overrides=None, **tables):
    book = book_of(accounts, ams, day=day, **tables)
    return scorecard(book, load_model("coverage_units", overrides), quarter=quarter)


def score(found, metric, subject="all", name=""):
    """The row of one figure."""
    rows = found.scores
    rows = rows[(rows["metric"] == metric) & (rows["subject"] == subject) & (rows["id"] == name)]
    assert len(rows) == 1
    return rows.iloc[0]


def deals(kind, won, lost, day="2026-05-05", account="a", amount=100):
    """So many won and lost opportunities of a type."""
    return "".join(
        f"{account},{kind},{amount},{day},{stage},,\n" for stage, n in (("Won", won), ("lost", lost)) for _ in range(n)
    )


# Retention, the right way round


@pytest.mark.parametrize(
    ("grr", "nrr", "grr_met", "nrr_met"),
    [
        ("0.95", "1.10", False, False),
        ("0.951", "1.101", True, True),
        ("1", "1.2", True, True),
        ("0.9", "1", False, False),
    ],
)
def test_gross_retention_has_to_be_above_95_percent_and_net_retention_above_110(grr, nrr, grr_met, nrr_met):
    found = card(f"account_id,owner,arr,grr_forecast,nrr_forecast\na,E-1,100,{grr},{nrr}")
    assert score(found, "grr", "am", "E-1")[["value", "target", "met"]].tolist() == [float(grr), 0.95, grr_met]
    assert score(found, "nrr", "am", "E-1")[["value", "target", "met"]].tolist() == [float(nrr), 1.1, nrr_met]
    assert score(found, "nrr")["best"] == 1.2


def test_targets_printed_the_wrong_way_round_are_refused_and_the_note_says_so():
    faults = messages(lambda: load_model("coverage_units", {"scorecard": {"targets": {"grr": Decimal("1.1")}}}))
    assert len(faults) == 1
    assert "scorecard.targets.grr" in faults[0]
    note = card().notes[0]
    assert "the wrong way round" in note
    assert "(GRR) is held against > 95 % and net retention (NRR) against > 110 %" in note


def test_retention_is_that_of_the_retention_module_weighted_by_arr():
    book = rb.load_book(SAMPLE)
    model = resolve_model(book, None)
    frame = retention_frame(take_snapshot(book, model, "full", model.disruption.measure)).set_index("am_id")
    found = scorecard(book)
    for metric in ("grr", "nrr"):
        mine = found.scores[(found.scores["metric"] == metric) & (found.scores["subject"] == "am")].set_index("id")
        np.testing.assert_allclose(mine["value"].to_numpy(), frame[f"{metric}_forecast"].to_numpy(), rtol=1e-12)


# Conversion


@pytest.mark.parametrize(
    ("metric", "kind", "target"),
    [
        ("conversion", "other", 0.30),
        ("conversion_renewal", "renewal", 0.90),
        ("conversion_upsell", "Upsell", 0.60),
        ("conversion_cross_sell", "cross-sell", 0.40),
        ("conversion_transformational", "transformational", 0.25),
    ],
)
def test_conversion_has_to_be_above_the_target_of_its_type(metric, kind, target):
    won = round(target * 20)
    exactly = score(card(opportunities=DEALS + deals(kind, won, 20 - won)), metric)
    above = score(card(opportunities=DEALS + deals(kind, won + 1, 19 - won)), metric)
    assert exactly[["value", "target", "met", "basis"]].tolist() == [target, target, False, 20]
    assert above["met"] is True


def test_open_opportunities_and_those_of_other_quarters_are_not_decided():
    text = DEALS + deals("upsell", 1, 0) + deals("upsell", 5, 0, "2026-07-01") + "a,upsell,1,2026-05-05,negotiation,,\n"
    found = card(opportunities=text)
    assert score(found, "conversion")[["value", "basis"]].tolist() == [1, 1]
    assert found.conversion[["am_id", "type", "won", "lost"]].to_numpy().tolist() == [["E-1", "upsell", 1, 0]]


def test_the_words_for_won_and_lost_are_settings():
    stages = {"scorecard": {"won_stages": ["Signed"], "lost_stages": ["Dead"]}}
    text = DEALS + "a,upsell,1,2026-05-05,SIGNED,,\na,upsell,1,2026-05-05,dead,,\na,upsell,1,2026-05-05,won,,\n"
    assert score(card(opportunities=text, overrides=stages), "conversion")[["value", "basis"]].tolist() == [0.5, 2]


def test_an_opportunity_belongs_to_whoever_owns_its_account():
    text = (
        DEALS
        + deals("upsell", 1, 0, account="a")
        + deals("upsell", 0, 1, account="d")
        + deals("upsell", 1, 0, account="x")
    )
    found = card(opportunities=text)
    assert score(found, "conversion", "am", "E-1")["value"] == 1
    assert score(found, "conversion", "nobody")["value"] == 0
    assert score(found, "conversion")[["value", "basis"]].tolist() == [0.5, 2]


# Forecasts


def test_a_pipeline_of_ten_million_is_expected_to_bring_two_and_a_half_to_three_and_a_half():
    text = DEALS + "a,upsell,7000000,2026-05-05,open,,\nb,cross_sell,3000000,2026-06-05,won,,2800000\n"
    frame = card(opportunities=text).forecast
    book = frame[(frame["am_id"] == "E-1") & (frame["quarter"] == "2026-Q2")].iloc[0]
    assert book[["pipeline", "low", "high"]].tolist() == [10_000_000, 2_500_000, 3_500_000]
    assert book[["won_of_it", "in_range", "forecast", "actual"]].tolist() == [3_000_000, True, 2_800_000, 3_000_000]


def test_renewals_are_forecast_but_are_no_pipeline():
    text = DEALS + "a,renewal,900,2026-05-05,won,,800\na,upsell,100,2026-05-05,won,,50\n"
    frame = card(opportunities=text).forecast
    book = frame[(frame["am_id"] == "E-1") & (frame["quarter"] == "2026-Q2")].iloc[0]
    assert book[["pipeline", "won_of_it", "forecast", "actual"]].tolist() == [100, 100, 850, 1000]


def test_the_range_of_a_pipeline_is_a_setting():
    frame = pd.DataFrame(
        {name: [10_000_000.0] for name in ("pipeline", "won_of_it", "forecast", "actual", "quota", "quota_actual")}
    ).assign(am_id="E-1", quarter="2026-Q2", actual_from="opportunities")
    found = forecast_columns(frame, (Decimal("0.25"), Decimal("0.35"))).iloc[0]
    assert found[["low", "high", "in_range"]].tolist() == [2_500_000, 3_500_000, False]
    assert forecast_columns(frame, (Decimal(0), Decimal(1))).iloc[0]["in_range"] is True


@pytest.mark.parametrize(
    ("forecast", "actual", "accuracy"),
    [(3, 3, 1), (3, 2.5, 2.5 / 3), (2.5, 3, 2.5 / 3), (3, 3.5, 3 / 3.5), (3, 0, 0), (0, 3, None), (3, None, None)],
)
def test_accuracy_is_the_smaller_of_forecast_and_actual_over_the_larger(forecast, actual, accuracy):
    found = forecast_accuracy(np.array([float(forecast)]), np.array([np.nan if actual is None else float(actual)]))
    assert found.figure[0] == accuracy if accuracy is not None else np.isnan(found.figure[0])


def test_a_forecast_at_the_lower_end_of_the_sources_range_just_meets_the_target():
    text = DEALS + "a,upsell,10000000,2026-05-05,open,,3000000\na,upsell,2500000,2026-05-05,won,,\n"
    assert score(card(opportunities=text), "forecast_accuracy", "am", "E-1")["met"] is True


def test_an_optimist_and_a_pessimist_do_not_make_an_accurate_team():
    text = DEALS + "a,upsell,100,2026-05-05,won,,200\nc,upsell,200,2026-05-05,won,,100\n"
    found = card(opportunities=text)
    assert score(found, "forecast_accuracy", "am", "E-1")["value"] == 0.5
    assert score(found, "forecast_accuracy")["value"] == 0.5


def test_quotas_give_the_actual_where_no_opportunity_is_decided():
    quotas = "am_id,period,quota,actual\nE-1,2026-Q2,400,300\nE-1,Q1 2026,100,100"
    text = DEALS + "a,upsell,400,2026-05-05,commit,,400\n"
    frame = card(opportunities=text, quotas=quotas).forecast
    book = frame[(frame["am_id"] == "E-1") & (frame["quarter"] == "2026-Q2")].iloc[0]
    assert book[["actual", "actual_from", "accuracy", "quota"]].tolist() == [300, "quotas", 0.75, 400]
    decided = card(opportunities=text + "a,upsell,200,2026-05-05,won,,\n", quotas=quotas).forecast
    book = decided[(decided["am_id"] == "E-1") & (decided["quarter"] == "2026-Q2")].iloc[0]
    assert book[["actual", "actual_from", "quota_actual"]].tolist() == [200, "opportunities", 300]


def test_what_an_am_discovered_is_a_share_of_the_expansion_won_of_which_it_is_said_who_did():
    rows = [
        ("upsell", 300, "won", "AM"),
        ("cross_sell", 200, "won", "e-1"),
        ("transformational", 500, "won", "marketing"),
        ("upsell", 9000, "won", ""),  # nobody is named
        ("renewal", 9000, "won", "AM"),  # no expansion
        ("upsell", 9000, "lost", "AM"),
    ]
    text = DEALS + "".join(f"a,{kind},{amount},2026-05-05,{stage},{who},\n" for kind, amount, stage, who in rows)
    assert score(card(opportunities=text), "am_discovered_upsell")[["value", "basis"]].tolist() == [0.5, 1000]


# Strategic and operational figures


def metric(name, value="1", subject="account", who="a", target="", day="2026-06-30"):
    return f"{subject},{who},{name},{value},{target},{day}\n"


@pytest.mark.parametrize("name", ["account_plan", "advocacy", "ebr", "executive_touch"])
def test_the_strategic_layer_is_a_share_of_key_accounts(name):
    found = card(metrics=METRICS + metric(name) + metric(name, "0", who="b") + metric(name, who="c"))
    assert score(found, name, "am", "E-1")[["value", "basis"]].tolist() == [0.5, 2]
    assert score(found, name, "am", "E-2")["basis"] == 0  # c is of no key tier
    every = {"scorecard": {"key_tiers": ["enterprise", "smb"]}}
    assert score(card(metrics=METRICS + metric(name, who="c"), overrides=every), name)[["value", "basis"]].tolist() == [
        0.25,
        4,
    ]


@pytest.mark.parametrize(
    ("day", "current"), [("2026-06-30", 0.5), ("2026-01-02", 0.5), ("2026-01-01", 0.0), ("", None)]
)
def test_a_plan_is_current_for_half_a_year(day, current):
    found = card(metrics=METRICS + metric("account_plan", day=day))
    assert score(found, "account_plan")["value"] == 0.5
    value = score(found, "account_plan_current")["value"]
    assert np.isnan(value) if current is None else value == current


def test_executive_touches_and_ebrs_also_come_from_touches():
    touches = "account_id,date,kind\na,2026-05-05,executive\nb,2026-03-31,Executive\nb,2025-07-01,EBR\na,2025-06-30,ebr"
    found = card(touches=touches)
    assert score(found, "executive_touch")["value"] == 0.5
    assert score(found, "ebr")["value"] == 0.5


def test_operational_figures_are_averages_against_the_accounts_own_targets():
    rows = [metric("adoption", "0.5", target="0.7"), metric("adoption", "0.9", target="0.9", who="b")]
    rows += [metric("open_issues", "3", target="2"), metric("days_to_resolve", "4", target="5")]
    found = card(metrics=METRICS + "".join(rows))
    assert score(found, "adoption")[["value", "target"]].tolist() == pytest.approx([0.7, 0.8])
    assert score(found, "adoption")["met"] is False
    assert score(found, "open_issues", "am", "E-1")[["value", "target", "met"]].tolist() == [3, 2, False]
    assert score(found, "days_to_resolve")["met"] is True
    own = card(metrics=METRICS + "".join(rows), overrides={"scorecard": {"targets": {"open_issues": 3}}})
    assert score(own, "open_issues")[["target", "met"]].tolist() == [3, True]


def test_the_rows_of_ams_and_teams_count_where_accounts_have_none():
    rows = [
        metric("nps", "30", "am", "E-1", "40"),
        metric("nps", "50", "am", "E-2", "40"),
        metric("NPS", "35", "Team", "Mia", "45"),
        metric("adoption", "0.9", "am", "E-1"),
        metric("adoption", "0.2"),
    ]
    found = card(metrics=METRICS + "".join(rows))
    assert score(found, "nps", "am", "E-1")[["value", "target", "met"]].tolist() == [30, 40, False]
    assert score(found, "nps", "team", "Mia")[["value", "target", "met"]].tolist() == [35, 45, False]
    assert score(found, "nps")[["value", "target", "met"]].tolist() == [40, 40, True]
    assert score(found, "adoption", "am", "E-1")["value"] == 0.2


def test_the_members_of_a_pool_stand_for_it_with_their_average():
    rows = metric("nps", "30", "am", "E-1") + metric("nps", "50", "am", "E-2")
    found = card(metrics=METRICS + rows, pools="pool_id,am_id\nP,E-1\nP,E-2")
    assert score(found, "nps", "am", "P")["value"] == 40


def test_answers_become_promoters_less_detractors():
    answers = METRICS + "".join(
        metric("nps", value, who=who) for value, who in (("9", "a"), ("8", "b"), ("6", "c"), ("10", "d"))
    )
    assert score(card(metrics=answers, overrides={"scorecard": {"nps": "answers"}}), "nps")["value"] == 25


def test_the_last_valid_value_counts_and_one_without_a_date_only_where_nothing_is_dated():
    rows = [
        metric("adoption", "0.1", day=""),
        metric("adoption", "0.9", day="2026-07-01"),
        metric("adoption", "0.3", who="b", day=""),
    ]
    found = card(metrics=METRICS + "".join(rows) + metric("adoption", "0.5", day="2026-06-30"))
    assert found.quarter == "2026-Q2"
    assert score(found, "adoption")["value"] == pytest.approx(0.4)
    old = card(metrics=METRICS + metric("adoption", "0.5", day="2025-06-30"))
    assert np.isnan(score(old, "adoption")["value"])


# Health


def test_the_health_score_weighs_what_is_known_by_the_models_weights():
    accounts = "account_id,owner,tier,health\na,E-1,enterprise,80\nb,E-1,enterprise,"
    rows = (
        metric("adoption", "0.35", target="0.7")
        + metric("adoption", "0.7", target="0.7", who="b")
        + metric("nps", "0", who="b")
    )
    found = card(accounts, metrics=METRICS + rows)
    health = found.health.set_index("account_id")
    assert health.loc["a", "health_score"] == pytest.approx((40 * 80 + 20 * 50) / 60)
    assert health.loc["b", "health_score"] == pytest.approx((20 * 100 + 10 * 50) / 30)
    assert health["known_weight"].tolist() == pytest.approx([0.6, 0.3])
    assert score(found, "health")["value"] == pytest.approx(health["health_score"].mean())
    weights = found.health_weights.set_index("part")
    assert weights["weight"].sum() == pytest.approx(1)
    assert weights["rescaled"].sum() == pytest.approx(1)
    assert weights.loc["health", ["weight", "accounts"]].tolist() == [0.4, 1]
    assert weights.loc["adoption", "rescaled"] == pytest.approx((20 / 60 + 20 / 30) / 2)
    assert found.notes[-1] == (
        "Health scores are made of health, adoption, nps: on average 45 % of the weights are known of an account. "
        "Those of what is not known are spread over the others."
    )


def test_every_part_of_the_health_score_goes_from_0_to_100():
    rows = [
        *(metric(name, value, target="0.5") for name, value in (("adoption", "0.9"), ("value_realized", "0"))),
        *(metric(name, value) for name, value in (("nps", "-100"), ("open_issues", "9"))),
    ]
    touches = f"account_id,date,kind\na,{DAY},call"
    health = card(metrics=METRICS + "".join(rows), touches=touches).health.set_index("account_id").loc["a"]
    parts = ["adoption", "value_realized", "nps", "issues", "attention"]
    assert health[parts].tolist() == [100, 0, 0, 0, 100]
    assert health["health_score"] == pytest.approx((20 + 10) * 100 / 60)


def test_a_weight_of_0_leaves_a_part_out_and_all_of_them_are_refused():
    accounts = "account_id,owner,health\na,E-1,80"
    found = card(accounts, metrics=METRICS + metric("nps", "0"), overrides={"scorecard": {"health": {"health": 0}}})
    assert found.health["health_score"].tolist() == [50]
    nothing = dict.fromkeys(("health", "adoption", "value_realized", "nps", "issues", "attention"), 0)
    assert (
        "at least one weight" in messages(lambda: load_model("coverage_units", {"scorecard": {"health": nothing}}))[0]
    )


# Quarters and what is missing


def test_without_a_quarter_the_last_full_one_is_scored_and_the_trend_ends_with_it():
    text = DEALS + deals("upsell", 1, 1, "2026-02-01") + deals("upsell", 3, 1)
    found = card(opportunities=text)
    conversion = score(found, "conversion")
    assert found.quarter == "2026-Q2"
    assert conversion[["value", "previous", "change"]].tolist() == [0.75, 0.5, 0.25]
    trend = found.trend[(found.trend["metric"] == "conversion") & (found.trend["subject"] == "all")]
    assert trend["quarter"].tolist() == ["2025-Q3", "2025-Q4", "2026-Q1", "2026-Q2"]
    assert trend["value"].isna().tolist() == [True, True, False, False]


def test_a_running_quarter_is_said_to_be_running_and_one_to_come_is_refused():
    found = card(quarter="Q3 2026")
    assert found.quarter == "2026-Q3"
    assert "2026-Q3 still runs: its figures are those up to 2026-08-15." in found.notes
    with pytest.raises(UsageError, match="2026-Q4 has not begun on 2026-08-15; the last full quarter is 2026-Q2"):
        card(quarter="2026-Q4")
    with pytest.raises(UsageError, match='"summer" is not a quarter; write it as 2026-Q2'):
        card(quarter="summer")


def test_what_has_no_date_is_not_made_a_figure_of_the_past():
    accounts = "account_id,owner,arr,grr_forecast,nrr_forecast,health\na,E-1,100,0.96,1.2,80"
    found = card(accounts, quarter="2025-Q4", metrics=METRICS + metric("nps", "30", day=""))
    for name in ("grr", "nrr", "health", "nps"):
        assert np.isnan(score(found, name)["value"])
    assert not np.isnan(score(card(accounts), "grr")["value"])


def test_every_figure_that_is_not_known_names_what_the_book_lacks():
    found = card()
    assert [line.partition(":")[0] for line in found.missing] == [each.name for each in SCORES]
    assert "nps: metrics rows nps" in found.missing
    assert "grr: accounts.grr_forecast" in found.missing
    assert found.scores["met"].isna().all()
    assert card(ACCOUNTS.replace("arr", "arr,grr_forecast", 1).replace("100000", "100000,0.9")).missing == tuple(
        line for line in found.missing if not line.startswith("grr")
    )


def test_the_sample_has_everything():
    found = scorecard(rb.load_book(SAMPLE))
    assert found.missing == ()
    assert set(found.scores.loc[found.scores["subject"] == "team", "id"]) == {
        "Dana Whitlock", "Hugo Estevan", "Petra Aldervik", "Wei Ling Tan",
    }  # fmt: skip
    optimist = score(found, "forecast_accuracy", "am", "AM-10")
    assert optimist["met"] is False
    assert optimist["change"] < -0.1


@pytest.mark.skipif(not ADVENTUREWORKS.is_dir(), reason="the AdventureWorks books are not here")
@pytest.mark.parametrize("book", ["book_2018q4", "book_2020q1"])
def test_real_books_are_scored_with_what_they_have(book):
    found = scorecard(rb.load_book(ADVENTUREWORKS / book))
    known = found.scores[found.scores["value"].notna()]
    assert set(known["metric"]) == {"grr", "nrr", "health"}
    assert len(found.missing) == len(SCORES) - 3


# Laws

STAGES = st.sampled_from(["won", "lost", "open"])
TYPES = st.sampled_from(["renewal", "upsell", "cross_sell"])
OPPORTUNITIES = st.lists(
    st.tuples(st.sampled_from("abcd"), TYPES, st.integers(0, 500), STAGES, st.sampled_from(["AM", "CSM", ""]),
              st.integers(0, 500)),
    min_size=1, max_size=20,
)  # fmt: skip
VALUES = st.lists(
    st.tuples(st.sampled_from("abcd"), st.sampled_from(["adoption", "nps", "account_plan", "open_issues"]),
              st.integers(0, 10), st.dates(date(2026, 1, 1), date(2026, 8, 1))),
    min_size=1, max_size=20, unique_by=lambda row: (row[0], row[1], row[3]),
)  # fmt: skip


@settings(max_examples=12)
@given(OPPORTUNITIES, VALUES)
def test_ams_add_up_to_the_team_shares_are_shares_and_the_order_of_rows_is_nothing(opportunities, values):
    text = [f"{a},{kind},{x},2026-05-05,{stage},{who},{f}" for a, kind, x, stage, who, f in opportunities]
    rows = [f"account,{a},{name},{value},1,{day}" for a, name, value, day in values]
    found = card(opportunities=DEALS + "\n".join(text), metrics=METRICS + "\n".join(rows))
    scores = found.scores
    shares = scores.loc[scores["unit"] == "share"].query("metric not in ['nrr', 'adoption', 'value_realized']")["value"]
    assert (shares.dropna() >= 0).all()
    assert (shares.dropna() <= 1).all()
    for name, rows_of in scores.groupby("metric"):
        parts = rows_of[rows_of["subject"].isin(["am", "nobody"])]
        whole = rows_of[rows_of["subject"] == "all"].iloc[0]
        assert parts["basis"].sum() == pytest.approx(whole["basis"]), name
        weighted = (parts["value"].fillna(0) * parts["basis"]).sum()
        assert weighted == pytest.approx(whole["basis"] * (0 if np.isnan(whole["value"]) else whole["value"])), name
    again = card(opportunities=DEALS + "\n".join(text[::-1]), metrics=METRICS + "\n".join(rows[::-1]))
    pd.testing.assert_frame_equal(found.scores, again.scores)
    pd.testing.assert_frame_equal(found.health, again.health)


# The command


def test_the_command_shows_everybody_teams_and_ams_and_says_the_targets_are_the_right_way_round(run):
    result = run("scorecard", SAMPLE)
    assert result.code == 0
    for text in ("Scorecard of 2026-Q3", "Everybody", "Teams, by manager", "> 95.0 %", "> 110.0 %", "wrong way round"):
        assert text in result.out


def test_the_command_shows_one_book_beside_all(run):
    out = run("scorecard", SAMPLE, "--am", "AM-10", "--quarter", "2026-Q2").out
    assert "Scorecard of 2026-Q2" in out
    assert "Forecast against actual" in out
    assert "AM-09" not in out


def test_json_has_the_columns_and_csv_the_scores(run, tmp_path):
    found = scorecard(rb.load_book(SAMPLE))
    document = run("scorecard", SAMPLE, "--json", "--csv", "out/scores.csv").json
    assert list(document["scores"][0]) == list(found.scores.columns)
    assert len(document["scores"]) == len(found.scores)
    assert document["quarter"] == "2026-Q3"
    assert "health" not in document
    assert len(run("scorecard", SAMPLE, "--json", "--am", "AM-03").json["health"]) == 35
    written = pd.read_csv(tmp_path / "out" / "scores.csv", keep_default_na=False)
    assert list(written.columns) == list(found.scores.columns)
    assert len(written) == len(found.scores)


def test_what_cannot_be_scored_is_a_usage_error(run):
    assert run("scorecard", SAMPLE, "--quarter", "2027-Q1").code == 2
    result = run("scorecard", SAMPLE, "--am", "AM-100")
    assert (result.code, result.out) == (2, "")
    assert 'Did you mean "AM-10"?' in result.err
