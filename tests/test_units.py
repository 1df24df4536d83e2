"""Coverage units: every number derived by hand."""

from decimal import Decimal

import numpy as np
import pytest
from helpers import book_of, snapshot_of

from rebalancer.units import floored, once_per_row, step_index, step_value

COLUMNS = "account_id,owner,arr,tier,products,stakeholders,complexity"
STEPS = ((Decimal(3), Decimal(2)), (Decimal(5), Decimal("0.5")))


def units_of(row, model="segmented", overrides=None):
    """Hundredths of units of one account given as `arr,tier,products,stakeholders,complexity`."""
    return int(snapshot_of(book_of(f"{COLUMNS}\na,,{row}"), model, overrides=overrides).accounts.units[0])


@pytest.mark.parametrize(
    ("arr", "tier"),
    [
        (500_000, "strategic"), (499_999, "enterprise"), ("499999.5", "strategic"), (100_000, "enterprise"),
        (99_999, "mid_market"), (25_000, "mid_market"), (24_999, "smb"), (0, "smb"), (-1_000_000, "smb"),
    ],
)  # fmt: skip
def test_a_missing_tier_follows_from_arr_with_the_edges_inclusive(arr, tier):
    weights = {"strategic": 800, "enterprise": 500, "mid_market": 200, "smb": 20}
    assert units_of(f"{arr},,,,", "coverage_units") == weights[tier]


def test_a_named_tier_wins_over_arr():
    assert units_of("9000000,smb,,,", "coverage_units") == 20


@pytest.mark.parametrize(
    ("row", "hundredths"),
    [
        ("0,enterprise,,,", 267),  # nothing known: factors 1
        ("0,enterprise,1,,", 160),  # 2.67 * 0.6 = 1.602
        ("0,enterprise,1.99,,", 160),  # below the edge
        ("0,enterprise,2,,", 214),  # at it: 2.67 * 0.8 = 2.136
        ("0,enterprise,3,,", 267),
        ("0,enterprise,4.999,,", 267),
        ("0,enterprise,5,,", 401),  # 2.67 * 1.5 = 4.005, half up
        ("0,enterprise,8,,", 668),  # 2.67 * 2.5 = 6.675, half up
        ("0,enterprise,10000,,", 668),
        ("0,enterprise,,2,", 160),
        ("0,enterprise,,3,", 267),
        ("0,enterprise,,6,", 401),
        ("0,enterprise,,10,", 534),
        ("0,enterprise,8,10,", 1335),  # 2.67 * 2.5 * 2 = 13.35
        ("0,smb,0,0,", 12),  # 0.33 * 0.6 * 0.6 = 0.1188
        ("0,mid_market,2,4,", 70),  # 0.87 * 0.8 * 1 = 0.696
        ("0,strategic,8,10,100", 285_000),  # 5.7 * 2.5 * 2 * 100
    ],
)
def test_units_are_tier_times_factors_times_complexity(row, hundredths):
    assert units_of(row) == hundredths


@pytest.mark.parametrize(
    ("complexity", "hundredths"),
    [
        ("0.025", 1),  # 0.2 * 0.025 = 0.005, half up
        ("0.0249", 0),  # 0.00498
        ("0.075", 2),  # 0.015, half up
        ("1.125", 23),  # 0.225
        ("", 20),
    ],
)
def test_half_a_hundredth_is_rounded_up(complexity, hundredths):
    assert units_of(f"0,smb,,,{complexity}", "coverage_units") == hundredths


def test_a_half_that_a_float_holds_below_is_still_rounded_up():
    assert 5 * 1.001 * 100 < 500.5  # what floats would make of it
    assert units_of("0,enterprise,,,1.001", "coverage_units") == 501


def test_one_large_account_outweighs_twenty_small_ones_under_segmented():
    """[KM]: a $400K multi-product enterprise account can outweigh 20 single-product mid-market ones."""
    largest = units_of("400000,,8,10,")  # 2.67 * 2.5 * 2 = 13.35
    single = units_of("40000,,1,3,")  # 0.87 * 0.6 * 1 = 0.522
    least = units_of("40000,,1,1,")  # 0.87 * 0.6 * 0.6 = 0.3132
    assert (largest, single, least) == (1335, 52, 31)
    assert largest > 20 * single > 20 * least


def test_one_large_account_does_not_outweigh_twenty_small_ones_where_a_model_has_no_factors():
    assert units_of("400000,,8,10,", "coverage_units") < 20 * units_of("40000,,1,1,", "coverage_units")


def test_a_value_below_the_first_step_or_missing_counts_one():
    assert step_index(np.array([np.nan, 2.9, 3, 4.9, 5, 99]), STEPS).tolist() == [-1, -1, 0, 0, 1, 1]
    assert [step_value(STEPS, index) for index in (-1, 0, 1)] == [1, 2, Decimal("0.5")]
    assert step_index(np.array([1.0]), ()).tolist() == [-1]


def test_a_capacity_is_floored_to_the_hundredth():
    assert [floored(Decimal(text)) for text in ("11.6655", "11.669999", "0.01", "0.009")] == [1166, 1166, 1, 0]


def test_a_function_is_called_once_for_every_distinct_row():
    asked = []
    keys = np.array([[1.0, 2], [3, 4], [1, 2]])
    assert once_per_row(keys, lambda key: asked.append(tuple(key)) or int(key.sum())).tolist() == [3, 7, 3]
    assert asked == [(1, 2), (3, 4)]
    assert once_per_row(np.zeros((0, 2)), int).tolist() == []


def test_capacity_is_the_cap_times_fte_times_ramp():
    # 33.33 * 0.7 * 0.5 = 11.6655
    ams = "am_id,capacity,fte,ramp\nE-1,,,\nE-2,80,0.5,\nE-3,33.33,0.7,0.5\nE-4,0,,\nE-5,,0,"
    assert snapshot_of(book_of("account_id\na", ams)).ams.capacity.tolist() == [10_000, 4_000, 1_166, 0, 0]
    assert snapshot_of(book_of("account_id\na", ams), overrides={"units": {"cap": 70}}).ams.capacity[0] == 7_000
