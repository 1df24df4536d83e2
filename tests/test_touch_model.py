"""The touch model: the fewest accounts that drive the quarter, what may go into maintenance, and what changed."""

import json
import os
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_books import book_of, write_book

import rebalancer as rb
from rebalancer.insight import touch_model
from rebalancer.metrics.expected import expected_frame
from rebalancer.metrics.opportunities import read_deals
from rebalancer.metrics.touch_classes import smallest_driving_set
from rebalancer.plan import resolve_model
from rebalancer.quarters import Quarter
from rebalancer.snapshot import take_snapshot

ROOT = Path(__file__).resolve().parents[1]
ADVENTUREWORKS = Path(os.environ.get("REBALANCER_SHARED", ROOT.parent / "shared")) / "data" / "adventureworks"
AMS = "am_id,name\nM-1,Ann\nM-2,Ben\n"
HEAD = "account_id,name,owner,arr,tier,health,renewal_date\n"
NOW, BEFORE = Quarter(2026, 1), Quarter(2025, 4)
"""The quarter of the effective date of `small_books`, 15 January 2026, and the one before it."""

FOUR = HEAD + (
    "a,A,M-1,500000,enterprise,90,2026-02-01\n"
    "b,B,M-1,300000,enterprise,90,2026-03-31\n"
    "c,C,M-1,100000,enterprise,90,2026-01-01\n"
    "d,D,M-1,100000,enterprise,90,2026-03-01\n"
)


def classes(accounts, **others):
    """The class of every account, by id."""
    frame = touch_model(book_of(accounts, AMS, **others)).accounts
    return dict(zip(frame["account_id"], frame["touch"], strict=True))


def expected(accounts, quarter=NOW, model=None, **others):
    """The weighted dollars that each account is expected to bring in a quarter, by id."""
    book = book_of(accounts, AMS, **others)
    resolved = resolve_model(book, model)
    snapshot = take_snapshot(book, resolved, "full", "accounts")
    frame = expected_frame(snapshot, read_deals(snapshot), quarter)
    return dict(zip(frame["account_id"], frame["expected_cents"] / 100, strict=True))


def opportunities(*rows):
    return "account_id,type,amount,close_date,stage\n" + "\n".join(rows) + "\n"


# What is expected


def test_a_renewal_due_counts_with_its_arr_and_an_opportunity_with_its_amount_each_by_its_weight():
    rows = opportunities(
        "a,upsell,1000,2026-03-31,open", "a,cross_sell,1000,2026-01-01,proposal", "b,pilot,10,2026-02-02,"
    )
    found = expected(HEAD + "a,A,M-1,1000,smb,,2026-03-31\nb,B,M-1,9,smb,,2026-04-01\n", opportunities=rows)
    assert found == {"a": 900 + 600 + 400, "b": 3}


def test_a_renewal_that_is_also_an_opportunity_counts_once_with_the_amount_of_the_opportunity():
    rows = opportunities("a,renewal,700,2026-02-01,open")
    assert expected(HEAD + "a,A,M-1,1000,smb,,2026-02-01\n", opportunities=rows) == {"a": 630}


def test_what_is_won_lost_overdue_or_of_another_quarter_is_not_expected():
    rows = opportunities(
        "a,upsell,10,2026-02-01,won", "a,upsell,10,2026-02-01,Closed Lost", "a,upsell,10,2025-12-31,open",
        "a,upsell,10,2026-04-01,open", "a,upsell,10,,open",
    )  # fmt: skip
    assert expected(HEAD + "a,A,M-1,-5,smb,,2026-02-01\n", opportunities=rows) == {"a": 0}


def test_the_weights_are_those_of_the_model():
    book = book_of(FOUR, AMS)
    model = rb.load_model("coverage_units", {"touch_model": {"weights": {"renewal": 1}}})
    assert touch_model(book, model).accounts["expected"].tolist() == [500_000, 300_000, 100_000, 100_000]


def test_a_past_quarter_counts_all_that_was_to_close_in_it_and_renewals_dated_a_term_later():
    rows = opportunities("a,upsell,100,2025-12-31,won", "b,upsell,100,2025-10-01,lost")
    accounts = HEAD + "a,A,M-1,1000,smb,,2026-11-01\nb,B,M-1,1000,smb,,2026-01-31\nc,C,M-1,10,smb,,2025-11-11\n"
    assert expected(accounts, BEFORE, opportunities=rows) == {"a": 960, "b": 60, "c": 9}
    without = rb.load_model("coverage_units", {"touch_model": {"term_months": "none"}})
    assert expected(accounts, BEFORE, without, opportunities=rows) == {"a": 60, "b": 60, "c": 9}


# Classes


def test_high_touch_are_the_fewest_accounts_that_drive_80_percent():
    assert classes(FOUR) == {"a": "high", "b": "high", "c": "low", "d": "low"}  # 500 + 300 of 1,000: exactly 80 %


def test_just_below_80_percent_takes_one_more_and_equal_results_go_by_account_id():
    assert classes(FOUR.replace("b,B,M-1,300000", "b,B,M-1,299999")) == {
        "a": "high",
        "b": "high",
        "c": "high",
        "d": "low",
    }


def test_each_am_has_a_set_of_his_own():
    accounts = FOUR.replace("c,C,M-1", "c,C,M-2").replace("d,D,M-1", "d,D,M-2")
    assert classes(accounts) == {"a": "high", "b": "high", "c": "high", "d": "high"}


AT_REST = "r,R,M-1,50000,smb,70,2026-07-01\n"
"""Healthy, and not due until after the next quarter."""


def test_an_account_at_rest_is_tech_touch():
    assert classes(HEAD + AT_REST) == {"r": "tech"}


@pytest.mark.parametrize(
    ("change", "because"),
    [
        (("70,2026-07-01", "69,2026-07-01"), "its health is below 70"),
        (("70,2026-07-01", ",2026-07-01"), "its health is not known"),
        (("70,2026-07-01", "70,"), "its renewal date is not known"),
        (("70,2026-07-01", "70,2026-06-30"), "expected in 2026-Q2"),
        (("70,2026-07-01", "70,2025-12-31"), "due or has passed"),
        (("50000,smb,70,2026-07-01", "0,smb,70,2026-06-30"), "due or has passed"),
    ],
)
def test_what_is_due_unhealthy_or_not_known_is_not_tech_touch(change, because):
    row = touch_model(book_of(HEAD + AT_REST.replace(*change), AMS)).accounts.iloc[0]
    assert row["touch"] == "low"
    assert because in row["why"]


@pytest.mark.parametrize("row", ["r,upsell,0,2026-06-30,open", "r,upsell,5,2025-01-01,open", "r,upsell,5,,open"])
def test_an_account_with_something_open_is_not_tech_touch(row):
    assert classes(HEAD + AT_REST, opportunities=opportunities(row)) == {"r": "low"}


def test_an_opportunity_far_ahead_or_decided_leaves_an_account_in_tech_touch():
    rows = opportunities("r,upsell,5,2026-07-01,open", "r,upsell,5,2026-02-01,lost")
    assert classes(HEAD + AT_REST, opportunities=rows) == {"r": "tech"}


def test_an_open_amount_without_a_date_keeps_an_account_out_of_tech_touch():
    head, row = HEAD.replace("health", "opportunity,health"), AT_REST.replace("smb,", "smb,5,")
    assert classes(head + row) == {"r": "low"}


@given(
    st.lists(st.tuples(st.integers(0, 2), st.sampled_from([0, 0, 1, 2, 3, 5, 8, 100, 10**9])), min_size=1, max_size=9),
    st.sampled_from([0, 5000, 8000, 10_000]),
)
def test_the_driving_set_reaches_its_share_and_no_smaller_one_does(accounts, share):
    owner, cents = (np.array(values, dtype=np.int64) for values in zip(*accounts, strict=True))
    chosen = smallest_driving_set(owner, cents, share)
    for book in set(owner.tolist()):
        mine = cents[owner == book]
        taken, wanted = mine[chosen[owner == book]], mine.sum() * share
        assert taken.sum() * 10_000 >= wanted
        if len(taken):
            fewer = combinations(mine.tolist(), len(taken) - 1)
            assert all(sum(some) * 10_000 < wanted for some in fewer)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["M-1", "M-2", ""]),
            st.integers(0, 1000),
            st.sampled_from(["", "40", "80"]),
            st.sampled_from(["", "2026-02-01", "2026-05-01", "2027-01-01"]),
        ),
        min_size=1,
        max_size=12,
    ),
    st.booleans(),
)
def test_classes_partition_the_accounts_and_the_shares_of_every_book_sum_to_1(rows, touched):
    accounts = HEAD + "".join(f"x{i:02},X,{o},{arr},smb,{h},{d}\n" for i, (o, arr, h, d) in enumerate(rows))
    touches = {"touches": "account_id,am_id,date,kind\nx00,M-1,2026-01-10,call\n"} if touched else {}
    found = touch_model(book_of(accounts, AMS, **touches))
    assert len(found.accounts) == len(rows)
    assert set(found.accounts["touch"]) <= {"high", "low", "tech"}
    counted = found.accounts.groupby(["am_id", "touch"]).size()
    told = found.shares[found.shares["accounts"] > 0].set_index(["am_id", "touch"])["accounts"]
    assert counted.to_dict() == told.to_dict()
    sums = found.shares.groupby("am_id")[["account_share", "time_share"]].sum()
    assert np.allclose(sums, 1)
    with_result = found.shares.dropna(subset=["expected_share"]).groupby("am_id")["expected_share"].sum()
    assert np.allclose(with_result, 1)
    assert found.shares["expected"].sum() == pytest.approx(found.accounts["expected"].sum())


# Time


def test_time_is_that_of_touches_by_kind_and_of_units_where_a_book_has_none():
    touches = "account_id,am_id,date,kind\na,M-1,2026-01-15,QBR\n" + (
        "c,M-1,2025-10-18,call\nc,M-1,2025-10-17,call\nd,,2026-01-02,fax\n"
    )
    accounts = FOUR + "e,E,M-2,1,enterprise,90,2026-02-01\nf,F,M-2,0,enterprise,90,2026-09-01\n"
    shares = touch_model(book_of(accounts, AMS, touches=touches)).shares.set_index(["am_id", "touch"])
    assert shares.loc["M-1", "time_share"].tolist() == pytest.approx([120 / 180, 60 / 180, 0])
    assert shares.loc["M-2", "time_share"].tolist() == [0.5, 0, 0.5]
    assert shares["time_basis"].unique().tolist() == ["touches", "units"]


# Changes


def test_the_class_of_the_quarter_before_is_made_anew_in_the_book_the_account_was_in():
    accounts = HEAD + ("a,A,M-1,1000,smb,90,2026-02-01\nb,B,M-1,1000,smb,90,2026-12-01\nc,C,M-2,10,smb,90,2026-12-01\n")
    history = "account_id,role,from,to,date\n" + (
        "b,am,M-2,M-1,2026-01-05\nb,am,M-1,M-1,2026-01-09\nb,am,M-1,M-2,2025-12-20\nc,csm,x,y,2026-01-05\n"
    )
    found = touch_model(book_of(accounts, AMS, history=history))
    told = found.accounts.set_index("account_id")
    assert told["touch_before"].to_dict() == {"a": "low", "b": "high", "c": "low"}  # c beside b in the book of M-2
    assert told["am_before"].to_dict() == {"a": "M-1", "b": "M-2", "c": "M-2"}
    assert found.changes["account_id"].tolist() == ["a", "b", "c"]
    assert any("made anew from today's tables" in note and "2 of its renewals" in note for note in found.notes)


def test_changes_are_not_told_where_nothing_is_known_of_the_quarter_before():
    found = touch_model(book_of(HEAD + "a,A,M-1,1000,smb,90,2026-02-01\n", AMS))
    assert found.accounts["changed"].isna().all()
    assert found.changes.empty
    assert any("can't be told" in note for note in found.notes)


def test_a_book_without_dates_and_opportunities_says_what_it_lacks():
    found = touch_model(book_of("account_id,name,owner,arr\na,A,M-1,100\n", AMS))
    assert found.missing == ("accounts.renewal_date", "opportunities", "accounts.health", "touches", "history")
    assert found.accounts["touch"].tolist() == ["low"]
    assert any("no account can be high touch" in note for note in found.notes)


def test_row_order_does_not_matter():
    lines = FOUR.splitlines()
    turned = "\n".join([lines[0], *reversed(lines[1:])])
    assert touch_model(book_of(FOUR, AMS)).accounts.equals(touch_model(book_of(turned, AMS)).accounts)


# The model and the command


def test_a_model_whose_shares_of_time_do_not_sum_to_1_is_refused():
    with pytest.raises(rb.InvalidInput, match="sum to 1"):
        rb.load_model("coverage_units", {"touch_model": {"time_share": {"high": 1}}})


def test_the_command_prints_json_and_csv(run, tmp_path):
    book = write_book(tmp_path / "book", FOUR, AMS)
    result = run("touch-model", book, "--json", "--csv", tmp_path / "out")
    assert result.code == 0
    assert result.json["quarter"] == "2026-Q1"
    assert [row["touch"] for row in result.json["accounts"]] == ["high", "high", "low", "low"]
    assert result.json["accounts"][0]["changed"] is None
    assert (tmp_path / "out" / "accounts.csv").read_text(encoding="utf-8").startswith("account_id,name,am_id,")


def test_the_command_shows_one_book_and_another_quarter(run, tmp_path):
    book = write_book(tmp_path / "book", FOUR, AMS)
    shown = run("touch-model", book, "--am", "M-1", "--quarter", "Q2 2026")
    assert shown.code == 0
    assert "Touch model of 2026-Q2: 0 high, 4 low, 0 tech" in shown.out


@pytest.mark.parametrize(("option", "said"), [(("--am", "M-9"), "no book"), (("--quarter", "spring"), "2026-Q4")])
def test_the_command_refuses_what_can_not_be_meant(run, tmp_path, option, said):
    result = run("touch-model", write_book(tmp_path / "book", FOUR, AMS), *option)
    assert result.code == 2
    assert said in result.err


@pytest.mark.skipif(not ADVENTUREWORKS.exists(), reason="the AdventureWorks books are not there")
@pytest.mark.parametrize("name", ["book_2018q4", "book_2020q1"])
def test_adventureworks_is_classed_with_what_it_has(name):
    found = touch_model(rb.load_book(ADVENTUREWORKS / name))
    assert set(found.accounts["touch"]) == {"low"}
    assert set(found.missing) >= {"accounts.renewal_date", "opportunities", "accounts.health"}
    assert np.allclose(found.shares.groupby("am_id")[["account_share", "time_share"]].sum(), 1)


def test_the_sample_has_every_class_in_most_books():
    found = touch_model(rb.load_book(ROOT / "data" / "sample"))
    assert found.missing == ()
    by_book = found.shares[found.shares["am_id"] != ""].pivot(index="am_id", columns="touch", values="accounts")
    assert (by_book > 0).all(axis=1).mean() > 0.8
    high = found.shares[found.shares["touch"] == "high"].dropna(subset=["expected_share"])
    assert (high["expected_share"] >= 0.8).all()


def test_json_of_the_sample_is_json(run):
    result = run("touch-model", ROOT / "data" / "sample", "--json")
    assert len(json.loads(result.out)["accounts"]) == len(result.json["accounts"]) == 598
