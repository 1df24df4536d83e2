"""Attention: the last meaningful touch of an account, its silence, and what a book adds up to."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from helpers import book_of, snapshot_of
from hypothesis import given, settings
from hypothesis import strategies as st

from rebalancer.coverage import load_model
from rebalancer.metrics import attention_by_book, attention_frame, meaningful_touches, touch_counts

DAY = "2026-03-31"
FOUR = (
    "account_id,owner,tier,last_touch,owner_since\na,E-1,enterprise,2026-01-30,\nb,E-1,smb,,\nc,E-2,strategic,,2026-03-01\n"
    "d,,mid_market,2026-03-31,"
)
TOUCHES = "account_id,am_id,date,kind\na,E-1,2026-01-15,call\na,E-1,2026-02-10,Newsletter\nd,E-2,2026-01-01,call\n"
PLAIN = load_model("coverage_units")


def attention(accounts=FOUR, day=DAY, overrides=None, **tables):
    return attention_frame(snapshot_of(book_of(accounts, day=day, **tables), overrides=overrides)).set_index(
        "account_id"
    )


def test_the_last_touch_is_the_later_of_the_account_and_its_touches():
    found = attention(touches=TOUCHES.replace("2026-01-15", "2026-02-01"))
    assert found.loc["a", ["last_touch", "silent_days"]].tolist() == [pd.Timestamp("2026-02-01"), 58]
    assert attention(touches=TOUCHES).loc["a", "last_touch"] == pd.Timestamp("2026-01-30")


@pytest.mark.parametrize(("day", "silent"), [("2026-03-30", False), ("2026-03-31", True), ("2026-04-01", True)])
def test_an_account_is_silent_from_the_sixtieth_day_on(day, silent):
    assert attention(day=day).loc["a", "silent"] == silent


@pytest.mark.parametrize(("day", "touched"), [("2026-04-30", True), ("2026-05-01", False)])
def test_the_ninetieth_day_still_counts_as_touched(day, touched):
    assert attention(day=day).loc["a", "touched"] == touched


def test_a_touch_that_is_not_meaningful_does_not_count_whatever_its_case():
    book = book_of(FOUR, touches=TOUCHES, day=DAY)
    assert meaningful_touches(book, PLAIN)["kind"].tolist() == ["call", "call"]
    every = load_model("coverage_units", {"triggers": {"not_meaningful": []}})
    assert len(meaningful_touches(book, every)) == 3


def test_a_touch_after_the_effective_date_has_not_happened_yet():
    accounts = FOUR.replace("2026-03-31", "2026-04-02")
    touches = TOUCHES + "a,E-1,2026-04-01,call\n"
    found = attention(accounts, touches=touches)
    assert found.loc["a", "silent_days"] == 60
    assert found.loc["d", "last_touch"] == pd.Timestamp("2026-01-01")


def test_without_any_touches_the_silence_of_an_account_that_has_none_is_unknown():
    found = attention()
    assert pd.isna(found.loc["b", ["last_touch", "silent_days", "touched"]]).all()
    assert found["at_least"].tolist() == [False] * 4
    assert found.loc["b", "silent"] == np.False_


def test_an_account_that_is_not_in_the_touches_was_silent_at_least_since_they_begin():
    found = attention(touches=TOUCHES)
    assert found.loc["b", ["silent_days", "at_least", "silent"]].tolist() == [89, True, True]
    assert pd.isna(found.loc["b", "touched"])
    earlier = attention(touches=TOUCHES.replace("2026-01-01", "2025-12-31"))
    assert earlier.loc["b", ["silent_days", "touched"]].tolist() == [90, False]


def test_a_new_customer_is_not_silent_for_longer_than_it_has_an_owner():
    assert attention(touches=TOUCHES).loc["c", ["silent_days", "at_least", "silent"]].tolist() == [30, True, False]


def test_touches_without_a_date_or_of_an_account_elsewhere_count_for_nobody():
    found = attention(touches="account_id,date\na,\nzz,2026-03-01\n")
    assert found.loc["a", "silent_days"] == 60
    assert found.loc["b", "silent_days"] == 30  # the records begin with the touch of somebody else


def test_a_book_names_its_longest_silence_and_counts_silent_accounts():
    snapshot = snapshot_of(book_of(FOUR, touches=TOUCHES, day=DAY))
    assert attention_by_book(snapshot).to_dict("list") == {
        "am_id": ["E-1", "E-2"],
        "accounts": [2, 1],
        "touched_share": [1.0, pytest.approx(np.nan, nan_ok=True)],
        "unattended_days": [89, 30],
        "unattended_account": ["b", "c"],
        "silent_accounts": [2, 0],
        "silent_key_accounts": [1, 0],
        "unknown_accounts": [0, 0],
    }


def test_a_book_of_which_nothing_is_known_says_so():
    found = attention_by_book(snapshot_of(book_of("account_id,owner\na,E-1", day=DAY)))
    assert found["unattended_days"].isna().tolist() == [True, True]
    assert found["unknown_accounts"].tolist() == [1, 0]
    assert found["unattended_account"].tolist() == ["", ""]


def test_of_equal_silences_the_first_account_is_named():
    accounts = "account_id,owner,last_touch\nb,E-1,2026-01-01\na,E-1,2026-01-01\nc,E-1,2026-01-02"
    assert attention_by_book(snapshot_of(book_of(accounts, day=DAY)))["unattended_account"].tolist() == ["a", ""]


@pytest.mark.parametrize(
    ("period", "expected"),
    [
        ("month", [("a", "2026-01", 1), ("a", "2026-03", 1), ("b", "2025-12", 2)]),
        ("quarter", [("a", "2026-Q1", 2), ("b", "2025-Q4", 2)]),
        ("year", [("a", "2026", 2), ("b", "2025", 2)]),
    ],
)
def test_touches_are_counted_by_account_and_period(period, expected):
    touches = (
        "account_id,date,kind\na,2026-01-01,call\nb,2025-12-31,call\nb,2025-12-01,qbr\na,2026-03-31,qbr\na,2026-04-01,x"
    )
    counted = touch_counts(book_of("account_id,owner\na,E-1", touches=touches, day=DAY), PLAIN, period)
    assert list(counted.itertuples(index=False, name=None)) == expected


def test_touches_are_counted_by_kind_where_asked():
    touches = "account_id,date,kind\na,2026-01-01,call\na,2026-01-02,qbr\na,2026-01-03,call"
    counted = touch_counts(book_of("account_id,owner\na,E-1", touches=touches, day=DAY), PLAIN, by_kind=True)
    assert list(counted.itertuples(index=False, name=None)) == [("a", "2026-Q1", "call", 2), ("a", "2026-Q1", "qbr", 1)]


def test_counting_no_touches_gives_no_rows():
    counted = touch_counts(book_of("account_id,owner\na,E-1", day=DAY), PLAIN)
    assert counted.columns.tolist() == ["account_id", "period", "touches"]
    assert counted.empty


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.integers(-400, 30)), max_size=12),
    st.lists(st.integers(-400, 30) | st.none(), min_size=4, max_size=4),
)
def test_silence_agrees_with_a_plain_look_at_every_touch(touches, last):
    day = date(2026, 3, 31)
    text = [(name, day + timedelta(days=shift)) for name, shift in touches]
    said = dict(zip("abcd", last, strict=True))
    accounts = "account_id,owner,last_touch\n" + "\n".join(
        f"{name},E-1,{'' if shift is None else day + timedelta(days=shift)}" for name, shift in said.items()
    )
    book = book_of(
        accounts, touches="account_id,date\na,2020-01-01\n" + "".join(f"{n},{d}\n" for n, d in text), day=DAY
    )
    found = attention_frame(snapshot_of(book)).set_index("account_id")
    for name, shift in said.items():
        past = [date(2020, 1, 1)] * (name == "a") + [when for who, when in text if who == name and when <= day]
        past += [day + timedelta(days=shift)] if shift is not None and shift <= 0 else []
        assert found.loc[name, "at_least"] == (not past)
        assert found.loc[name, "silent_days"] == (day - max(past, default=date(2020, 1, 1))).days
