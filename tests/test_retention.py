"""Retention: the forecast of a book is weighted by ARR, and what is not known is said."""

from decimal import Decimal

import numpy as np
import pytest
from helpers import book_of, snapshot_of
from hypothesis import given, settings
from hypothesis import strategies as st

from rebalancer.metrics import retention_frame
from rebalancer.metrics.retention import below, millionths, weighted


def snapshot(rows, header="account_id,owner,arr,grr_forecast,nrr_forecast"):
    return snapshot_of(book_of(f"{header}\n" + "\n".join(rows)))


def test_the_forecast_of_a_book_is_weighted_by_arr():
    frame = retention_frame(snapshot(["a,E-1,900000,0.95,1.2", "b,E-1,100000,0.50,0.5"]))
    assert frame.iloc[0].to_dict() == {
        "am_id": "E-1", "arr": 1_000_000,
        "grr_forecast": 0.905, "grr_known": 1.0, "nrr_forecast": 1.13, "nrr_known": 1.0,
    }  # fmt: skip


def test_accounts_without_a_forecast_are_left_out_and_their_arr_is_said():
    frame = retention_frame(snapshot(["a,E-1,300000,0.8,", "b,E-1,100000,,", "c,E-2,5,,"]))
    assert frame["grr_forecast"].tolist() == [0.8, pytest.approx(np.nan, nan_ok=True)]
    assert frame["grr_known"].tolist() == [0.75, 0.0]
    assert frame["nrr_forecast"].isna().all()


def test_a_book_without_arr_has_no_forecast():
    frame = retention_frame(snapshot(["a,E-1,0,0.1,", "b,E-1,-5,0.1,"]))
    assert frame[["grr_forecast", "grr_known"]].isna().all().all()
    assert frame["arr"].tolist() == [0, 0]


def test_a_credit_does_not_weigh_against_the_rest():
    frame = retention_frame(snapshot(["a,E-1,100,0.9,", "b,E-1,-100,0.1,"]))
    assert frame["grr_forecast"].tolist()[0] == 0.9


def test_a_trillion_dollars_do_not_overflow():
    frame = retention_frame(snapshot([f"a{n},E-1,{10**12},1,100" for n in range(12)]))
    assert frame.loc[0, ["grr_forecast", "nrr_forecast"]].tolist() == [1.0, 100.0]


@pytest.mark.parametrize(
    ("rows", "fires"),
    [
        (["a,E-1,70000,0.9,", "b,E-1,30001,0.9,"], False),  # a sum of floats would be a hair below
        (["a,E-1,100000,0.899999,"], True),
        (["a,E-1,100000,0.9000001,"], False),
        (["a,E-1,1,0.8,", "b,E-1,1,1.0,"], False),
        (["a,E-1,1,,"], False),
        (["a,E-1,0,0.2,"], False),
    ],
)
def test_a_forecast_is_below_ninety_percent_only_where_it_is_exactly(rows, fires):
    assert below(snapshot(rows), "grr_forecast", Decimal("0.90")).tolist() == [fires, False]


def test_shares_are_read_in_millionths_half_up():
    frame = snapshot(["a,E-1,1,0.8453335,", "b,E-1,1,0.8453345,", "c,E-1,1,,"]).frame
    assert millionths(frame["grr_forecast"]).tolist() == [845_334, 845_335, -1]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(("E-1", "E-2")), st.integers(-10, 10**9), st.integers(0, 1000) | st.none()),
        min_size=1,
        max_size=8,
    )
)
def test_the_books_together_are_the_team(accounts):
    rows = [f"a{n},{am},{arr},{'' if s is None else s / 1000}," for n, (am, arr, s) in enumerate(accounts)]
    kept, known = weighted(snapshot(rows), "grr_forecast")
    assert kept.sum() == sum(max(0, arr) * share * 1000 for _, arr, share in accounts if share is not None)
    assert known.sum() == sum(max(0, arr) for _, arr, share in accounts if share is not None)
