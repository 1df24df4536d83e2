"""The figures of a book: bands, the limit that binds, and frames that add up."""

import numpy as np
import pytest
from helpers import TWO_PODS, book_of, snapshot_of

from rebalancer.metrics import books_frame, csms_frame, heatmap_frame, lacking, load, triggered
from rebalancer.tables import TIERS

MIXED = (
    "account_id,owner,tier,arr\na,E-1,strategic,600000\nb,E-1,enterprise,100001\nc,E-2,smb,-5\nd,,mid_market,30000\n"
    "e,E-2,smb,100"
)


def one_book(complexity, capacity="100"):
    """E-1 holds one enterprise account of 5 units times the complexity."""
    return snapshot_of(
        book_of(f"account_id,owner,tier,complexity\na,E-1,enterprise,{complexity}", f"am_id,capacity\nE-1,{capacity}")
    )


@pytest.mark.parametrize(
    ("complexity", "utilization", "band"),
    [
        ("1", 0.05, "green"),
        ("16.998", 0.8499, "green"),
        ("17", 0.85, "yellow"),
        ("20", 1.0, "yellow"),
        ("22", 1.1, "yellow"),
        ("22.002", 1.1001, "red"),
    ],
)
def test_a_book_is_green_below_85_percent_and_red_above_110(complexity, utilization, band):
    snapshot = one_book(complexity)
    found = load(snapshot, snapshot.accounts.owner)
    assert (found.utilization[0], found.band) == (utilization, [band])


def test_a_band_is_that_of_the_exact_quotient_not_of_the_rounded_one():
    snapshot = one_book("99.9953", "588.21")  # 499.98 of 588.21 = 0.850002
    assert load(snapshot, snapshot.accounts.owner).band == ["yellow"]
    snapshot = one_book("99.9951", "588.23")  # 499.98 of 588.23 = 0.849974, which rounds to 0.85
    found = load(snapshot, snapshot.accounts.owner)
    assert (found.utilization[0], found.band) == (0.85, ["green"])


@pytest.mark.parametrize(("complexity", "fires"), [("22", False), ("22.002", True)])
def test_a_book_is_triggered_above_110_percent(complexity, fires):
    assert triggered(one_book(complexity)).tolist() == [fires]


def test_a_book_is_triggered_above_a_count_without_slack():
    book = book_of("account_id,owner\na,E-1\nb,E-1\nc,E-2", "am_id,max_accounts,status\nE-1,1,\nE-2,1,\nE-3,0,inactive")
    assert triggered(snapshot_of(book)).tolist() == [True, False, False]


def test_a_book_without_capacity_is_red_with_an_account_and_green_without():
    snapshot = snapshot_of(book_of("account_id,owner,tier\na,E-1,smb", "am_id,capacity\nE-1,0\nE-2,0"))
    found = load(snapshot, snapshot.accounts.owner)
    assert found.band == ["red", "green"]
    assert np.isnan(found.utilization).all()
    assert found.strain.tolist() == [np.inf, 0]


@pytest.mark.parametrize(
    ("tier", "count", "am", "binding", "share"),
    [
        ("smb", 19, ",,blended", "accounts", 0.95),  # 3.8 units of 100
        ("enterprise", 19, ",,blended", "units", 0.95),  # equal: units first
        ("strategic", 2, ",3,blended", "accounts", 0.6667),  # 2 of its own 3
        ("strategic", 5, "30,,segmented", "units", 1.3333),  # 40 of 30
        ("strategic", 10, ",,segmented", "units", 0.8),  # 10 of 25 are 0.4
        ("smb", 1, ",0,open", "accounts", np.inf),
        ("smb", 10, ",,open", "units", 0.02),
    ],
)
def test_the_limit_that_binds_is_the_one_most_used(tier, count, am, binding, share):
    accounts = "account_id,owner,tier\n" + "\n".join(f"x{n},E-1,{tier}" for n in range(count))
    row = heatmap_frame(snapshot_of(book_of(accounts, f"am_id,capacity,max_accounts,book\nE-1,{am}"))).iloc[0]
    assert (row["binding"], row["binding_share"]) == (binding, share)


def test_a_limit_on_a_tier_binds_under_its_name():
    accounts = "account_id,owner,tier\na,E-1,strategic\nb,E-1,smb"
    model = {"books": {"blended": {"max_strategic": 1}}}
    snapshot = snapshot_of(book_of(accounts, "am_id,book\nE-1,blended"), overrides=model)
    assert heatmap_frame(snapshot)["binding"].tolist() == ["strategic accounts"]


def test_units_bind_against_the_target():
    snapshot = snapshot_of(
        book_of("account_id,owner,tier,complexity\na,E-1,enterprise,8"), overrides={"limits": {"target": 0.8}}
    )
    assert heatmap_frame(snapshot)["binding_share"].tolist() == [0.5, 0.0]


def test_the_books_of_a_plan_add_up():
    snapshot = snapshot_of(book_of(MIXED, "am_id,role,capacity\nE-1,junior,50\nE-2,,20\nE-3,,"))
    to_am = np.array([0, 2, 1, 2, 1])  # b and d go to E-3
    frame = books_frame(snapshot, to_am)
    assert frame.to_dict("list") == {
        "am_id": ["E-1", "E-2", "E-3"],
        "role": ["junior", "regular", "regular"],
        "capacity": [50, 20, 100],
        "units_before": [13, 0.4, 0],
        "units_after": [8, 0.4, 7],
        "utilization_before": [0.26, 0.02, 0],
        "utilization_after": [0.16, 0.02, 0.07],
        "band_before": ["green"] * 3,
        "band_after": ["green"] * 3,
        "binding": ["units"] * 3,
        "accounts_before": [2, 2, 0],
        "accounts_after": [1, 2, 2],
        "arr_before": [700_001, 95, 0],
        "arr_after": [600_000, 95, 130_001],
        "lost": [1, 0, 0],
        "gained": [0, 0, 2],
    }
    assert frame["units_after"].sum() == snapshot.accounts.units.sum() / 100
    assert frame["arr_after"].sum() == snapshot.accounts.arr.sum()
    assert frame["accounts_after"].sum() == len(snapshot.accounts)
    change = frame["accounts_after"] - frame["accounts_before"]
    assert change.tolist() == (frame["gained"] - frame["lost"]).tolist()


def test_a_plan_that_changes_nothing_has_equal_sides():
    snapshot = snapshot_of(book_of(MIXED))
    frame = books_frame(snapshot, snapshot.accounts.owner)
    for figure in ("units", "utilization", "band", "accounts", "arr"):
        assert frame[f"{figure}_before"].tolist() == frame[f"{figure}_after"].tolist()
    assert frame[["lost", "gained"]].sum().tolist() == [0, 0]


def test_the_load_of_csms_is_a_share_of_a_full_one():
    book = book_of("account_id,owner,csm,arr\na,E-1,C-1,500000\nb,E-1,C-1,0\nc,E-2,,0", **TWO_PODS)
    frame = csms_frame(snapshot_of(book), np.array([1, 0, -1]))
    assert frame.to_dict("list") == {
        "csm_id": ["C-1", "C-2"],
        "load_before": [0.033571, 0],  # 28571 + 5000 millionths
        "load_after": [0.005, 0.028571],
        "accounts_before": [2, 0],
        "accounts_after": [1, 1],
    }


def test_the_heatmap_puts_the_book_first_whose_tightest_limit_is_most_used():
    accounts = "account_id,owner,tier,complexity\n" + "\n".join(
        [
            "a,E-1,enterprise,10",  # 50 %
            "b,E-2,enterprise,20",  # 100 %
            "c,E-3,smb,",  # 0.2 %, and 1 of its 0 accounts
            "d,E-4,enterprise,10",  # 50 %, as E-1
            "e,E-6,smb,",  # no capacity at all
        ]
    )
    ams = "am_id,max_accounts,capacity\nE-1,,\nE-2,,\nE-3,0,\nE-4,,\nE-5,,\nE-6,,0"
    frame = heatmap_frame(snapshot_of(book_of(accounts, ams)))
    assert frame["am_id"].tolist() == ["E-3", "E-6", "E-2", "E-1", "E-4", "E-5"]
    assert frame.index.tolist() == list(range(6))


def test_the_heatmap_counts_every_tier():
    frame = heatmap_frame(snapshot_of(book_of(MIXED))).set_index("am_id")
    assert frame.loc["E-1", list(TIERS)].tolist() == [1, 1, 0, 0]
    assert frame.loc["E-2", list(TIERS)].tolist() == [0, 0, 0, 2]
    assert frame.loc["E-1", ["units", "accounts", "arr", "book", "role", "band"]].tolist() == [
        13.0, 2, 700_001, "open", "regular", "green",
    ]  # fmt: skip


def test_what_a_book_has_no_value_of_is_lacking():
    book = book_of(MIXED)
    asked = ("accounts.arr", "accounts.csm", "accounts.skills", "touches", "ams.am_id")
    assert lacking(book, *asked) == ("accounts.csm", "accounts.skills", "touches")
