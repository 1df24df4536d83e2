"""Weights of tiers from benchmarks, tracked hours or touches, and what the literal weights of the source imply."""

import json
import tomllib
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from helpers import book_of, frame
from hypothesis import given, settings
from hypothesis import strategies as st

import rebalancer as rb
from rebalancer.cli import main
from rebalancer.coverage import load_model
from rebalancer.errors import InvalidInput, UsageError
from rebalancer.insight.calibrated_model import write_calibrated
from rebalancer.insight.calibration import calibrate, literal_weights, stretching
from rebalancer.metrics import heatmap_frame
from rebalancer.metrics.calibration import benchmark_units, position, reach
from rebalancer.snapshot import take_snapshot
from rebalancer.tables import TIERS
from rebalancer.units import coverage_units

SAMPLE = Path(__file__).parent.parent / "data" / "sample"
ADVENTUREWORKS = Path(__file__).parents[2] / "shared" / "data" / "adventureworks"

ACCOUNTS = """account_id,owner,arr,tier,products,stakeholders
A-1,E-1,800000,strategic,1,1
A-2,E-1,200000,enterprise,1,1
A-3,E-1,200000,enterprise,1,1
A-4,E-2,50000,mid_market,1,1
A-5,E-2,50000,mid_market,1,1
A-6,E-2,5000,smb,1,1
"""
HOURS = "account_id,hours\nA-1,40\nA-2,10\nA-3,30\nA-4,8\nA-5,4\nA-6,2"


@pytest.fixture
def book():
    return book_of(ACCOUNTS)


def weights(found):
    return {tier: float(value) for tier, value in found.model.units.tier.items()}


# Benchmarks


def test_the_weight_is_the_cap_over_the_middle_of_the_benchmark():
    found = benchmark_units(load_model("coverage_units"))
    assert found == {
        "strategic": Decimal("5.71"),
        "enterprise": Decimal("2.67"),
        "mid_market": Decimal("0.87"),
        "smb": Decimal("0.33"),
    }


def test_the_model_segmented_has_these_weights():
    shipped = load_model("segmented").units.tier
    for tier, units in benchmark_units(load_model("coverage_units")).items():
        assert abs(shipped[tier] - units) <= Decimal("0.01"), tier


def test_another_cap_scales_every_weight():
    found = benchmark_units(load_model("coverage_units", {"units": {"cap": 200}}))
    assert found["enterprise"] == Decimal("5.33")


def test_the_literal_weights_of_the_source_lie_below_its_own_benchmark(book):
    tiers = calibrate(book).tiers.set_index("tier")
    assert tiers.loc["enterprise", "accounts_per_am_before"] == 20
    assert tiers.loc["enterprise", ["benchmark_low", "benchmark_high"]].tolist() == [25, 50]
    assert tiers["benchmark_before"].tolist() == ["within", "below", "below", "within"]
    assert tiers["benchmark_after"].tolist() == ["within"] * 4
    assert literal_weights() == (
        "The source's own weights: 100 / 5 = 20 enterprise accounts an AM, below the 25-50 of the same source."
    )


@pytest.mark.parametrize(
    ("accounts", "where"), [(24.9, "below"), (25, "within"), (50, "within"), (50.1, "above"), (float("inf"), "")]
)
def test_both_ends_of_a_benchmark_lie_within(accounts, where):
    assert position(accounts, (25, 50)) == where


def test_a_benchmark_without_an_upper_end_is_never_exceeded():
    assert position(10_000, (300, None)) == "within"
    assert position(1, None) == ""


def test_a_tier_without_a_benchmark_keeps_its_weight_and_that_is_said(book):
    model = load_model("coverage_units")
    model = model.model_copy(update={"benchmarks": {"enterprise": (25, 50)}})
    found = calibrate(book, model)
    assert weights(found) == {"strategic": 8, "enterprise": 2.67, "mid_market": 2, "smb": 0.2}
    assert any("No figure for strategic, mid_market, smb" in note for note in found.notes)


# How far the factors stretch


def test_one_large_account_of_segmented_outweighs_twenty_small_ones():
    model = load_model("segmented")
    accounts = frame("products,stakeholders,complexity\n8,10,\n1,2,").apply(pd.to_numeric)
    large, small = coverage_units(accounts, [TIERS.index("enterprise"), TIERS.index("mid_market")], model)
    assert (large, small) == (1335, 31)
    assert large > 20 * small


def test_it_does_so_even_where_the_small_ones_have_more_stakeholders():
    model = load_model("segmented")
    accounts = frame("products,stakeholders,complexity\n8,10,\n1,5,").apply(pd.to_numeric)
    large, small = coverage_units(accounts, [TIERS.index("enterprise"), TIERS.index("mid_market")], model)
    assert large > 20 * small


def test_the_extremes_of_segmented_are_those_of_its_step_tables():
    model = load_model("segmented")
    assert reach(model, "enterprise") == (Decimal("2.67") * Decimal("0.36"), Decimal("13.35"))
    assert reach(model, "mid_market", products=1)[0] == Decimal("0.3132")
    assert "up to 43 of those to one" in stretching(model)


def test_a_model_without_factors_is_said_not_to_stretch():
    assert reach(load_model("coverage_units"), "enterprise") == (5, 5)
    assert "use factors such as those of segmented" in stretching(load_model("coverage_units"))


def test_a_figure_below_the_first_row_of_a_table_has_factor_one():
    model = load_model("coverage_units", {"units": {"factors": {"products": [[3, 2]]}}})
    assert reach(model, "enterprise") == (5, 10)
    assert reach(model, "enterprise", products=1) == (5, 5)


# Hours


def test_hours_give_weights_in_proportion_and_the_load_of_the_team_stays(book):
    found = calibrate(book, source="hours", hours=frame(HOURS))
    tiers = found.tiers.set_index("tier")
    assert tiers["hours"].tolist() == [40, 20, 6, 2]
    assert tiers["timed_accounts"].tolist() == [1, 2, 2, 1]
    per_hour = (8 + 2 * 5 + 2 * 2 + 0.2) / 94
    assert list(weights(found).values()) == [round(hours * per_hour, 2) for hours in (40, 20, 6, 2)]
    assert found.units_after == pytest.approx(found.units_before, abs=0.03)


def test_with_hours_per_am_a_full_book_is_that_many_hours(book):
    found = calibrate(book, source="hours", hours=frame(HOURS), hours_per_am=400)
    assert weights(found) == {"strategic": 10, "enterprise": 5, "mid_market": 1.5, "smb": 0.5}
    assert found.books.set_index("am_id")["units_after"].to_dict() == {"E-1": 20, "E-2": 3.5}


def test_several_entries_of_an_account_add_up(book):
    again = frame(HOURS.replace("A-1,40", "A-1,15\nA-1,25"))
    assert weights(calibrate(book, source="hours", hours=again)) == weights(
        calibrate(book, source="hours", hours=frame(HOURS))
    )


def test_hours_by_tier_are_all_hours_of_the_tier(book):
    by_tier = frame("tier,hours\nstrategic,40\nenterprise,40\nmid_market,12\nsmb,2")
    assert weights(calibrate(book, source="hours", hours=by_tier)) == weights(
        calibrate(book, source="hours", hours=frame(HOURS))
    )


def test_a_tier_that_nobody_timed_keeps_its_weight_and_the_others_their_load(book):
    found = calibrate(book, source="hours", hours=frame("account_id,hours\nA-1,40\nA-2,10"))
    assert weights(found)["mid_market"] == 2
    tiers = found.tiers.set_index("tier")
    assert tiers.loc["enterprise", "timed_accounts"] == 1
    timed = tiers.loc[["strategic", "enterprise"]]
    assert (timed["mean_units_after"] * timed["accounts"]).sum() == pytest.approx(18, abs=0.02)
    assert any("No figure for mid_market, smb" in note for note in found.notes)


def test_factors_are_divided_out_so_that_the_mean_account_weighs_what_its_hours_say():
    book = book_of(ACCOUNTS.replace("A-2,E-1,200000,enterprise,1,1", "A-2,E-1,200000,enterprise,8,10"))
    tiers = calibrate(book, "segmented", "hours", hours=frame(HOURS)).tiers.set_index("tier")
    mean, hours = tiers["mean_units_after"], tiers["hours"]
    assert tiers.loc["enterprise", "stretch"] > 2 > tiers.loc["mid_market", "stretch"]
    assert mean["strategic"] / mean["enterprise"] == pytest.approx(hours["strategic"] / hours["enterprise"], rel=0.02)
    assert mean["enterprise"] / mean["mid_market"] == pytest.approx(hours["enterprise"] / hours["mid_market"], rel=0.05)


def test_accounts_that_are_not_in_the_plan_are_left_out_and_counted(book):
    found = calibrate(book, source="hours", hours=frame(HOURS + "\nX-9,500"))
    assert weights(found) == weights(calibrate(book, source="hours", hours=frame(HOURS)))
    assert any(note.startswith("1 of 7 accounts with hours") for note in found.notes)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(1, 500), min_size=6, max_size=6), st.floats(0.2, 20))
def test_the_unit_in_which_time_is_counted_does_not_matter(hours, times):
    book, ids = book_of(ACCOUNTS), [f"A-{number}" for number in range(1, 7)]
    first, second = (
        calibrate(book, source="hours", hours=pd.DataFrame({"account_id": ids, "hours": values}))
        for values in (hours, [value * times for value in hours])
    )
    for tier in TIERS:
        assert weights(first)[tier] == pytest.approx(weights(second)[tier], abs=0.011)


# Touches


def test_touches_count_by_the_minutes_of_their_kind():
    touches = "account_id,am_id,date,kind\nA-1,E-1,2025-12-20,qbr\nA-2,E-1,2025-12-21,call\nA-4,E-2,2025-12-01,email\n"
    touches += "A-6,E-2,2025-01-01,qbr\nA-6,E-2,2025-12-24,newsletter\n"
    found = calibrate(book_of(ACCOUNTS, touches=touches), source="touches")
    hours = found.tiers.set_index("tier")["hours"]
    assert hours[["strategic", "enterprise", "mid_market"]].tolist() == pytest.approx([2, 0.25, 1 / 12])
    assert pd.isna(hours["smb"])
    assert weights(found)["smb"] == 0.2
    assert found.missing == ()


def test_a_book_without_touches_gives_no_weights(book):
    with pytest.raises(UsageError, match="Give a book with touches"):
        calibrate(book, source="touches")


# What changes, and the model it makes


def test_books_are_those_of_the_heatmap_under_either_model():
    book = rb.load_book(SAMPLE)
    found = calibrate(book)
    for when, model in (("before", found.base), ("after", found.model)):
        heat = heatmap_frame(take_snapshot(book, model, "full", "accounts")).set_index("am_id")
        books = found.books.set_index("am_id")
        for column in ("units", "utilization", "band"):
            assert books[f"{column}_{when}"].to_dict() == heat[column].to_dict()
    assert (found.changed["band_before"] != found.changed["band_after"]).all()
    assert {"AM-03", "AM-09", "AM-16"} <= set(found.changed["am_id"])


def test_only_the_weights_of_tiers_change(book):
    found = calibrate(book)
    assert found.model.model_copy(update={"units": found.base.units}) == found.base


@pytest.mark.parametrize("base", ["coverage_units", "segmented", "pods"])
def test_the_written_model_extends_its_base_and_is_the_calibrated_one(base, tmp_path, book):
    found = calibrate(book, base)
    file = write_calibrated(found, base, tmp_path / "ours.toml")
    again = load_model(file)
    assert tomllib.loads(file.read_text(encoding="utf-8"))["extends"] == base
    assert again.units == found.model.units
    assert again.limits == found.base.limits


def test_a_model_of_ones_own_is_extended_from_another_directory(tmp_path, book):
    own = tmp_path / "mine.toml"
    own.write_text('extends = "segmented"\n[units]\ncap = 50\n', encoding="utf-8")
    (tmp_path / "new").mkdir()
    found = calibrate(book, own)
    again = load_model(write_calibrated(found, str(own), tmp_path / "new" / "ours.toml"))
    assert again.units == found.model.units
    assert again.units.cap == 50


def test_the_second_calibration_from_benchmarks_changes_nothing(tmp_path, book):
    file = write_calibrated(calibrate(book), "coverage_units", tmp_path / "ours.toml")
    again = calibrate(book, file)
    assert (again.tiers["units_before"] == again.tiers["units_after"]).all()
    assert again.changed.empty


# What can't be meant


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"source": "guesses"}, "unknown source"),
        ({"source": "hours"}, "hours of a time tracking"),
        ({"source": "benchmarks", "hours": "x.csv"}, "hours of a time tracking"),
        ({"source": "benchmarks", "hours_per_am": 5}, "hours_per_am"),
        ({"source": "touches", "hours_per_am": 0}, "hours_per_am"),
        ({"source": "hours", "hours": "nowhere.csv"}, "there is no table of hours"),
    ],
)
def test_what_does_not_fit_together_is_refused(book, options, words):
    with pytest.raises(UsageError, match=words):
        calibrate(book, **options)


def test_everything_wrong_with_the_hours_is_said_at_once(tmp_path, book):
    file = tmp_path / "hours.csv"
    file.write_text("account_id,tier,hours\nA-1,,\n,,3\nA-2,,-4\n,huge,5\nA-3,,many\n", encoding="utf-8")
    with pytest.raises(InvalidInput) as error:
        calibrate(book, source="hours", hours=file)
    assert {(fault.row, fault.column) for fault in error.value.faults} == {
        (2, "hours"), (3, "account_id"), (4, "hours"), (5, "tier"), (6, "hours"),
    }  # fmt: skip


@pytest.mark.parametrize("text", ["hours\n3\n", "account_id,minutes\nA-1,3\n"])
def test_a_table_that_lacks_a_column_is_refused(book, text):
    with pytest.raises(InvalidInput):
        calibrate(book, source="hours", hours=frame(text))


def test_hours_of_accounts_that_nobody_knows_are_refused(book):
    with pytest.raises(UsageError, match="ids those of the book"):
        calibrate(book, source="hours", hours=frame("account_id,hours\nX-1,3"))


def test_the_hours_may_be_a_workbook(tmp_path, book):
    file = tmp_path / "hours.xlsx"
    pd.DataFrame({"Account ID": ["A-1", "A-2"], "Hours": [4.5, 3]}).to_excel(file, index=False)
    found = calibrate(book, source="hours", hours=file)
    assert found.tiers["hours"].tolist()[:2] == [4.5, 3]


# The command


def call(capsys, *words):
    with pytest.raises(SystemExit) as ended:
        main(["models", "calibrate", *map(str, words)])
    shown = capsys.readouterr()
    return ended.value.code, shown.out, shown.err


def test_the_command_shows_weights_books_and_notes(capsys):
    code, out, _ = call(capsys, SAMPLE)
    assert code == 0
    assert "5 -> 2.67" in out
    assert "10 books of 25 with another band" in out
    assert "100 / 5 = 20 enterprise accounts an AM" in out


def test_the_command_in_json_has_the_columns_of_the_frames(capsys):
    _, out, _ = call(capsys, SAMPLE, "--from", "touches", "--json")
    shown = json.loads(out)
    found = calibrate(rb.load_book(SAMPLE), source="touches")
    assert shown["schema_version"] == 1
    assert list(shown["tiers"][0]) == list(found.tiers.columns)
    assert list(shown["books"][0]) == list(found.books.columns)
    assert shown["units_before"] == found.units_before


def test_the_command_writes_a_model_and_a_table_once(capsys, tmp_path):
    model, table = tmp_path / "ours.toml", tmp_path / "books.csv"
    words = (SAMPLE, "--out", model, "--csv", table)
    assert call(capsys, *words)[0] == 0
    assert len(pd.read_csv(table)) == 25
    code, _, err = call(capsys, *words)
    assert (code, "is there already" in err) == (2, True)
    assert call(capsys, *words, "--force")[0] == 0
    assert sorted(file.name for file in tmp_path.iterdir()) == ["books.csv", "ours.toml"]


def test_a_model_file_does_not_come_to_extend_itself(capsys, tmp_path):
    model = tmp_path / "ours.toml"
    model.write_text('extends = "segmented"\n', encoding="utf-8")
    code, _, err = call(capsys, SAMPLE, "-m", model, "--out", model, "--force")
    assert (code, "can't extend itself" in err) == (2, True)


@pytest.mark.skipif(not ADVENTUREWORKS.is_dir(), reason="the AdventureWorks books are not here")
@pytest.mark.parametrize("name", ["book_2018q4", "book_2020q1"])
def test_the_adventureworks_books_are_calibrated_by_benchmarks_and_by_their_touches(name):
    book = rb.load_book(ADVENTUREWORKS / name)
    found = calibrate(book)
    assert found.tiers["accounts"].sum() == len(book.accounts)
    timed = calibrate(book, source="touches")
    assert timed.units_after == pytest.approx(timed.units_before, rel=0.02)
