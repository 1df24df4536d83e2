"""Sizing: AMs needed by units, accounts and ARR, the Net Ratio, the chart, how long the team lasts, and CSMs."""

import json
import os
import struct
import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_books import DAY, book_of, write_book

import rebalancer as rb
from rebalancer.insight import csm_sizing, size, sizing_check
from rebalancer.metrics.retention import weighted
from rebalancer.metrics.sizing import months_left
from rebalancer.plan import resolve_model
from rebalancer.snapshot import take_snapshot
from rebalancer.surfaces.charts import sizing_chart

ROOT = Path(__file__).resolve().parents[1]
ADVENTUREWORKS = Path(os.environ.get("REBALANCER_SHARED", ROOT.parent / "shared")) / "data" / "adventureworks"
SAMPLE = ROOT / "data" / "sample"
HEAD = "account_id,name,owner,arr,tier\n"


def accounts(count, arr, tier="", owner="M-1", start=0):
    return "".join(f"A{start + n:04},A,{owner},{arr},{tier}\n" for n in range(count))


def row(found, by="all", tier="", region=""):
    needed = found.needed
    chosen = (needed["by"] == by) & (needed["tier"] == tier) & (needed["region"] == region)
    (only,) = needed[chosen].to_dict("records")
    return only


def with_model(**section):
    return rb.load_model("coverage_units", {"sizing": section})


# The sources' examples


def test_100_million_dollars_and_200_accounts_make_10_to_20_ams_with_5_to_10_million_each():
    found = size(book_of(HEAD + accounts(200, 500_000), "am_id,name\nM-1,Ann\n"))
    check = found.check
    assert (check.accounts, check.arr, check.arr / check.accounts) == (200, 100_000_000, 500_000)
    assert (check.ams_low, check.ams_high) == (10, 20)
    assert (check.arr_per_am_low, check.arr_per_am_high) == (5_000_000, 10_000_000)
    assert check.agrees
    total = row(found)
    assert (total["arr_low"], total["arr_high"]) == (10, 20)  # ARR alone says the same for such accounts
    assert (total["accounts_low"], total["accounts_high"]) == (8, 20)  # strategic: 10-25 per AM
    assert total["units_needed"] == 16  # 200 x 8 units


def test_the_same_8_million_dollars_are_different_jobs_which_arr_alone_does_not_see():
    """30 accounts of $250K and 200 of $40K are both about $8M."""
    few = row(size(book_of(HEAD + accounts(30, 250_000), "am_id,name\nM-1,Ann\n")))
    many = row(size(book_of(HEAD + accounts(200, 40_000), "am_id,name\nM-1,Ann\n")))
    assert (few["arr"], many["arr"]) == (7_500_000, 8_000_000)
    assert few["arr_needed"] == pytest.approx(1.0)
    assert many["arr_needed"] == pytest.approx(8 / 7.5)
    assert (few["units_needed"], many["units_needed"]) == (1.5, 4.0)
    assert (few["binding"], many["binding"]) == ("units", "units")


def test_80_enterprise_accounts_of_130_thousand_dollars_take_four_ams_where_arr_asks_for_one_or_two():
    found = size(book_of(HEAD + accounts(80, 130_000), "am_id,name\nM-1,Ann\n"))
    total = row(found)
    assert total["units_needed"] == 4.0
    assert (total["accounts_low"], total["accounts_high"]) == (1.6, 3.2)
    assert (total["arr_low"], total["arr_high"]) == (1.04, 2.08)
    assert (total["binding"], total["gap"], total["hire"]) == ("units", 3.0, 3)
    assert any(note.startswith("ARR alone would ask for 1.0-2.1 AMs and miss the work") for note in found.notes)


@pytest.mark.parametrize(
    ("arr", "band", "low", "high"),
    [
        (24_999, "below $25K", 200, 200),
        (25_000, "$25-100K", 100, 150),
        (99_999, "$25-100K", 100, 150),
        (100_000, "$100-500K", 50, 100),
        (499_999, "$100-500K", 50, 100),
        (500_000, "$500K and more", 20, 50),
    ],
)
def test_csms_needed_lie_within_the_band_of_the_accounts_arr(arr, band, low, high):
    book = book_of(HEAD + accounts(600, arr), "am_id,name\nM-1,Ann\n", csms="csm_id,name\nC-1,Dee\n")
    bands = csm_sizing(book).bands.set_index("band")
    for name in (band, "all"):
        assert bands.loc[name, "accounts"] == 600
        assert bands.loc[name, ["needed_low", "needed_high"]].tolist() == pytest.approx([600 / high, 600 / low])
    assert 600 / high <= bands.loc[band, "needed"] <= 600 / low + 1e-3


# Today against needed


TEAM = (
    "am_id,name,region,fte,ramp,status,role,cost\n"
    "M-1,Ann,North,,,,,100000\nM-2,Ben,South,0.5,,,,60000\nM-3,Cy,South,,0.5,open,,\nM-4,Di,North,,,leave,,1\n"
    "M-5,Ed,North,,,,manager,300000\nM-6,Flo,North,,,,,100000\n"
)
REGIONS = "account_id,name,owner,arr,tier,region\n" + (
    "a,A,M-1,300000,enterprise,North\nb,B,M-1,300000,enterprise,South\nc,C,M-1,60000,mid_market,North\n"
    "d,D,M-2,60000,mid_market,South\ne,E,M-5,60000,mid_market,North\nf,F,,60000,mid_market,\n"
)


def test_each_am_counts_for_tiers_and_regions_by_the_units_of_his_accounts():
    found = size(book_of(REGIONS, TEAM))
    total, north, south = row(found), row(found, "region", region="North"), row(found, "region", region="South")
    assert (total["today"], total["coming"]) == (2.5, 0.5)  # M-4 is away, M-5 takes nothing, M-3 is to come
    assert north["today"] == pytest.approx(7 / 12 + 1)  # and M-6, who has no account, where he is
    assert south["today"] == pytest.approx(5 / 12 + 0.5)
    assert south["coming"] == 0.5
    assert row(found, "tier", "enterprise")["today"] == pytest.approx(10 / 12)
    assert any("2 books" not in note and "1 books that take no accounts today" in note for note in found.notes)
    assert any("1 accounts have no owner" in note for note in found.notes)


def test_people_who_are_to_come_need_not_be_hired_again():
    ams = "am_id,name,status,starts_on\nM-1,Ann,,\nM-2,Ben,open,\nM-3,Cy,,2026-03-01\n"
    total = row(size(book_of(HEAD + accounts(80, 130_000), ams)))
    assert (total["today"], total["coming"], total["gap"], total["hire"]) == (1, 2, 1, 1)


def test_cost_is_that_of_the_team_and_of_a_full_time_am():
    total = row(size(book_of(REGIONS, TEAM)))
    assert total["cost"] == 260_000
    assert total["average_cost"] == 260_000 / 2.5
    without = row(size(book_of(REGIONS, "am_id,name\nM-1,Ann\nM-2,Ben\nM-5,Ed\n")))
    assert np.isnan(without["cost"])
    assert "ams.cost" in size(book_of(REGIONS, "am_id,name\nM-1,Ann\nM-2,Ben\nM-5,Ed\n")).missing


@pytest.mark.parametrize("path", [SAMPLE, ADVENTUREWORKS / "book_2018q4", ADVENTUREWORKS / "book_2020q1"], ids=str)
def test_every_grouping_adds_up_to_the_heatmap(path):
    if not path.exists():
        pytest.skip("the AdventureWorks books are not there")
    book = rb.load_book(path)
    needed, heat = size(book).needed, rb.heatmap(book)
    snapshot = take_snapshot(book, resolve_model(book, None), "full", "accounts")
    unowned = snapshot.accounts.owner < 0
    for by in ("all", "tier", "region", "tier and region"):
        part = needed[needed["by"] == by]
        assert part["units"].sum() == pytest.approx(heat["units"].sum() + snapshot.accounts.units[unowned].sum() / 100)
        assert part["accounts"].sum() == heat["accounts"].sum() + unowned.sum()
        assert part["arr"].sum() == heat["arr"].sum() + snapshot.accounts.arr[unowned].sum()
        for column in ("today", "coming", "units_needed"):
            assert part[column].sum() == pytest.approx(needed[column].iloc[0], abs=1e-4)


def test_what_csms_and_renewal_reps_free_lowers_the_ams_needed_by_units():
    text = "account_id,name,owner,arr,tier,csm\na,A,M-1,1,enterprise,C-1\nb,B,M-1,1,enterprise,\n"
    book = book_of(text, "am_id,name\nM-1,Ann\n", csms="csm_id,name\nC-1,Dee\n")
    assert row(size(book))["units_needed"] == 0.1
    freed = row(size(book, with_model(csm_frees=0.2)))
    assert (freed["freed"], freed["units_needed"]) == (1.0, 0.09)
    reps = row(size(book, with_model(renewal_reps=1, renewal_rep_frees=0.03)))
    assert (reps["freed"], reps["units_needed"]) == (3.0, 0.07)


# Net Ratio


RATIO = "account_id,name,owner,arr,tier,expansion_arr_12m,grr_forecast,nrr_forecast\n"


def test_net_ratio_is_expansion_less_churn_over_the_book_under_management():
    text = RATIO + "a,A,M-1,100000,enterprise,20000,0.9,1\nb,B,M-1,300000,enterprise,,0.95,1\n"
    found = size(book_of(text, "am_id,name\nM-1,Ann\n"))
    assert row(found)["net_ratio"] == pytest.approx((20_000 - 10_000 - 15_000) / 400_000)
    assert any(
        note.startswith("Net Ratio -1.2 %: $20,000 expansion (accounts.expansion_arr_12m)") for note in found.notes
    )


def test_an_account_without_a_forecast_is_left_out_of_the_ratio_with_its_arr():
    text = RATIO + "a,A,M-1,100000,enterprise,20000,0.9,1\nb,B,M-1,300000,enterprise,5000,,\n"
    assert row(size(book_of(text, "am_id,name\nM-1,Ann\n")))["net_ratio"] == pytest.approx(0.1)


def test_without_expansion_arr_the_ratio_rests_on_deals_won_else_on_forecasts():
    text = RATIO.replace("expansion_arr_12m,", "") + "a,A,M-1,100000,enterprise,0.9,1.05\n"
    assert row(size(book_of(text, "am_id,name\nM-1,Ann\n")))["net_ratio"] == pytest.approx(0.05)
    deals = "account_id,type,amount,close_date,stage\n" + (
        "a,upsell,30000,2025-12-31,won\na,upsell,9,2024-12-31,won\na,upsell,9,2026-01-01,won\n"
    )
    found = row(size(book_of(text, "am_id,name\nM-1,Ann\n", opportunities=deals)))
    assert found["net_ratio"] == pytest.approx(0.2)


def test_a_ratio_that_is_not_known_is_said_and_bands_count_in_the_middle():
    found = size(book_of(HEAD + accounts(75, 150_000), "am_id,name\nM-1,Ann\n"))
    assert np.isnan(row(found)["net_ratio"])
    assert row(found)["accounts_needed"] == pytest.approx(75 / 37.5)
    assert row(found)["arr_needed"] == pytest.approx(75 * 0.15 / 7.5)
    assert any("Net Ratio is not known" in note for note in found.notes)


@pytest.mark.parametrize(
    ("grr", "nrr", "per_am"), [(1, 0.9, 50), (1, 1, 50), (1, 1.1, 37.5), (1, 1.2, 25), (1, 1.9, 25)]
)
def test_the_higher_the_net_ratio_the_smaller_the_book_and_the_more_ams(grr, nrr, per_am):
    text = RATIO + "".join(f"A{n},A,M-1,150000,enterprise,,{grr},{nrr}\n" for n in range(75))
    total = row(size(book_of(text, "am_id,name\nM-1,Ann\n")))
    assert total["accounts_needed"] == pytest.approx(75 / per_am)
    assert total["arr_needed"] == pytest.approx(75 * 0.15 / (per_am / 5))  # $10M beside 50 accounts, $5M beside 25


# The chart


def test_the_chart_has_ams_for_every_net_ratio_and_size_and_frames_the_size_advised():
    found = size(
        book_of(HEAD + accounts(100, 150_000), "am_id,name,cost\nM-1,Ann,150000\nM-2,Ben,150000\nM-3,Cy,150000\n")
    )
    chart = found.chart[found.chart["by"] == "all"]
    sizes = chart["accounts_per_am"].unique()
    assert (sizes[0], sizes[-1]) == (25, 50)  # the benchmark of enterprise accounts; today is within
    assert len(chart) == 7 * len(sizes)
    assert chart["ams"].tolist() == np.ceil(100 / chart["accounts_per_am"]).astype(int).tolist()
    assert chart["arr_per_am"].tolist() == (chart["accounts_per_am"] * 150_000).tolist()
    advised = chart[chart["advised"]].set_index("net_ratio")["accounts_per_am"]
    assert advised.is_monotonic_decreasing
    assert (advised[0.0], advised[0.2], advised[0.3]) == (50, 25, 25)
    pays = chart.set_index(["net_ratio", "accounts_per_am"])["pays"]
    assert pays[0.2, 25] == pytest.approx(0.2 * 25 * 150_000 / 150_000)


def test_there_is_a_chart_for_every_tier_and_region_with_accounts():
    chart = size(book_of(REGIONS, TEAM)).chart
    assert chart.groupby("by")[["tier", "region"]].nunique().max(axis=1).to_dict() == {"all": 1, "region": 3, "tier": 2}


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_the_picture_is_the_same_bytes_each_time(tmp_path, ending):
    found = size(book_of(REGIONS, TEAM), growth=0.2)
    files = [tmp_path / "deep" / f"{name}.{ending}" for name in "ab"]
    for file in files:
        sizing_chart(found.chart, found.needed, file)
    first, second = (file.read_bytes() for file in files)
    assert first == second
    if ending == "png":
        assert struct.unpack(">II", first[16:24]) == (1430, 682)
    else:
        assert b"<svg" in first
        assert str(date.today()).encode() not in first


def test_a_picture_of_another_kind_is_refused_before_anything_is_read(run, tmp_path):
    result = run("size", tmp_path / "nowhere", "--chart", "chart.bmp")
    assert result.code == 2
    assert "end its name with .png or .svg" in result.err


# Growth


def test_months_left_are_those_until_the_load_outgrows_the_team():
    found = months_left(*(pd.Series(x) for x in ([100.0, 100, 121, 0], [121.0, 100, 100, 50])), 0.1)
    assert found[:3].tolist() == pytest.approx([24, 0, 0])
    assert np.isnan(found[3])


@pytest.mark.parametrize("growth", [0.0, -0.2])
def test_without_growth_a_team_lasts_unless_it_is_over_capacity_now(growth):
    book = book_of(HEAD + accounts(20, 150_000), "am_id,name\nM-1,Ann\n")  # exactly 100 units
    assert np.isnan(row(size(book, growth=growth))["months"])
    over = row(size(book_of(HEAD + accounts(21, 150_000), "am_id,name\nM-1,Ann\n"), growth=growth))
    assert (over["months"], str(over["full_on"].date())) == (0, DAY)


@given(st.floats(0.05, 3), st.floats(1, 100), st.floats(1, 5))
def test_growing_for_the_months_left_fills_the_team(growth, load, room):
    (months,) = months_left(pd.Series([load]), pd.Series([load * room]), growth)
    assert load * (1 + growth) ** (months / 12) == pytest.approx(load * room)


@pytest.mark.parametrize("growth", ["-1", "11", "nan"])
def test_a_growth_that_can_not_be_meant_is_refused(run, tmp_path, growth):
    result = run("size", write_book(tmp_path / "book"), "--growth", growth)
    assert result.code == 2
    assert "share per year" in result.err


# Servicing load and opportunity


def test_factors_are_shown_where_the_columns_are_there():
    text = (
        "account_id,name,owner,arr,tier,grr_forecast,contracts,coterminous,products,wallet_share\n"
        "a,A,M-1,300000,enterprise,0.9,3,false,5,0.5\nb,B,M-1,100000,enterprise,0.5,1,,2,0.25\nc,C,M-1,0,smb,,,,1,\n"
        "d,D,M-1,0,smb,,2,true,1,\n"
    )
    found = size(book_of(text, "am_id,name\nM-1,Ann\n"))
    total = found.factors.iloc[0]
    assert total["attrition_risk"] == pytest.approx((0.1 * 300 + 0.5 * 100) / 400)
    assert (total["contracts"], total["apart"], total["products"]) == (2, 0.5, 2.25)
    assert total["wallet_share"] == pytest.approx((0.5 * 300 + 0.25 * 100) / 400)
    assert total["unused_wallet"] == 300_000 + 300_000
    assert total["products_open"] == (0 + 3 + 4 + 4) / 4
    assert np.isnan(total["stakeholders"])
    assert "accounts.stakeholders" in found.missing
    assert size(book_of(text, "am_id,name\nM-1,Ann\n"), with_model(products=7)).factors.iloc[0]["products_open"] == 4.75


def test_attrition_risk_is_what_retention_leaves():
    book = rb.load_book(SAMPLE)
    snapshot = take_snapshot(book, resolve_model(book, None), "full", "accounts")
    kept, known = weighted(snapshot, "grr_forecast")
    unowned = size(book).factors.iloc[0]["attrition_risk"]
    assert unowned == pytest.approx(1 - sum(kept) / sum(known) / 1_000_000, abs=2e-4)  # two accounts have no owner


# CSMs


CSMS = "csm_id,name,capacity,fte,regulated,starts_on,leaves_on\n" + (
    "C-1,Dee,,,true,,\nC-2,Eli,0.5,,,,\nC-3,Fay,,,,2026-02-01,\nC-4,Gus,,,,,2026-01-01\n"
)


def test_csms_are_counted_by_the_load_of_their_accounts_and_factors_change_their_capacity():
    text = "account_id,name,owner,arr,tier,csm\n" + (
        "a,A,M-1,600000,,C-1\nb,B,M-1,50000,,C-1\nc,C,M-1,50000,,C-2\nd,D,M-1,1,,C-4\ne,E,M-1,1,,\n"
    )
    model = rb.load_model("coverage_units", {"csm": {"regulated_factor": 0.5}, "sizing": {"csm_tools_factor": 2}})
    found = csm_sizing(book_of(text, "am_id,name\nM-1,Ann\n", csms=CSMS), model)
    bands = found.bands.set_index("band")
    share = (1 / 35) / (1 / 35 + 1 / 125)
    assert bands.loc["$500K and more", "today"] == pytest.approx(share, abs=1e-4)  # C-1: 1 x 0.5 x 2
    assert bands.loc["$25-100K", "today"] == pytest.approx(1 - share + 1, abs=1e-4)  # and C-2: 0.5 x 2
    assert bands["without_csm"].tolist() == [2, 0, 0, 0, 2]  # C-4 has left
    assert found.people["csm_id"].tolist() == ["C-1", "C-2"]
    assert bands.loc["all", "today"] == 2
    assert bands.loc["all", "hire"] == 0


def test_without_a_csms_table_the_need_is_told_and_today_is_not():
    found = csm_sizing(book_of(HEAD + accounts(400, 1), "am_id,name\nM-1,Ann\n"))
    total = found.bands.iloc[-1]
    assert total["needed"] == 2
    assert np.isnan(total["today"])
    assert found.missing == ("csms", "accounts.csm")


# The command


def test_the_command_prints_json_with_its_columns_and_writes_every_table(run, tmp_path):
    book = write_book(tmp_path / "book", REGIONS, TEAM)
    result = run("size", book, "--growth", "0.2", "--json", "--csv", tmp_path / "out", "--chart", tmp_path / "c.svg")
    assert result.code == 0
    assert result.json["growth"] == 0.2
    assert result.json["check"]["accounts"] == 6
    assert result.json["needed"][0]["by"] == "all"
    assert {file.stem for file in (tmp_path / "out").iterdir()} == {
        "needed",
        "chart",
        "factors",
        "csm_bands",
        "csm_people",
    }
    assert (tmp_path / "c.svg").exists()


def test_the_command_says_what_is_missing_and_until_when_the_team_lasts(run, tmp_path):
    shown = run(
        "size", write_book(tmp_path / "book", HEAD + accounts(10, 150_000), "am_id,name\nM-1,Ann\n"), "--growth", "1"
    )
    assert shown.code == 0
    assert "Not in the book: ams.cost." in shown.out
    assert "At 100 % growth the team is full in 12 months, on 2027-01-1" in shown.out


def test_a_sizing_that_can_not_be_meant_is_refused():
    with pytest.raises(rb.InvalidInput, match="start at 0"):
        with_model(csm_ranges=[[5, 1, 2]])
    with pytest.raises(rb.InvalidInput, match="second above the first"):
        with_model(net_ratio=[0.2, 0.2])


def test_the_check_of_no_accounts_divides_by_nothing():
    check = sizing_check(0, 0, rb.load_model("coverage_units"))
    assert (check.ams_low, check.arr_per_am_high) == (0, 0)


@pytest.mark.skipif(not ADVENTUREWORKS.exists(), reason="the AdventureWorks books are not there")
@pytest.mark.parametrize("name", ["book_2018q4", "book_2020q1"])
def test_adventureworks_is_sized_with_what_it_has(run, name):
    result = run("size", ADVENTUREWORKS / name, "--json")
    assert result.code == 0
    assert set(result.json["missing"]) >= {"opportunities", "accounts.contracts", "ams.cost"}
    assert result.json["needed"][0]["binding"] == "units"


def test_the_sample_lacks_nothing():
    found = size(rb.load_book(SAMPLE))
    assert found.missing == found.csms.missing == ()
    assert found.factors.drop(columns="apart").notna().all().all()  # few small accounts have several contracts


@pytest.mark.parametrize("command", ["size", "touch-model"])
def test_help_loads_neither_pandas_nor_matplotlib(command, tmp_path):
    code = (
        "import json, sys\nfrom rebalancer.cli import main\n"
        f"try:\n    main(['{command}', '--help'])\nexcept SystemExit as end:\n    assert end.code == 0\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert {"pandas", "numpy", "matplotlib", "ortools", "pydantic", "rich"} & loaded == set()
    assert "rebalancer.cli.options" in loaded


def test_the_library_draws_nothing_until_it_is_asked(tmp_path):
    code = "import rebalancer as rb, sys; rb.load_book; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
