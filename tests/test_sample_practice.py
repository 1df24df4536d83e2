"""The sample book shows the practice of coverage: what `data/README.md` says of touches, deals, figures and splits."""

from pathlib import Path

import pandas as pd
import pytest

import rebalancer as rb

SAMPLE = Path(__file__).parent.parent / "data" / "sample"
RED = ["AM-03", "AM-09", "AM-16"]
TODAY = pd.Timestamp("2026-10-01")


@pytest.fixture(scope="module")
def book():
    return rb.load_book(SAMPLE)


@pytest.fixture(scope="module")
def accounts(book):
    return book.accounts.set_index("account_id")


@pytest.fixture(scope="module")
def touches(book, accounts):
    touches = book.tables["touches"]
    return touches.assign(red=touches["account_id"].map(accounts["owner"]).isin(RED))


@pytest.fixture(scope="module")
def deals(book, accounts):
    deals = book.tables["opportunities"]
    return deals.assign(owner=deals["account_id"].map(accounts["owner"]))


@pytest.fixture(scope="module")
def expansions(deals):
    return deals[deals["type"] != "renewal"]


def in_metrics(book, accounts, name):
    """The mean of a measured figure of accounts, in red books and in the others."""
    rows = book.tables["metrics"].query("subject == 'account' and name == @name")
    red = rows["id"].map(accounts["owner"]).isin(RED)
    return rows.groupby(red)["value"].mean().reindex([True, False]).round(2).tolist()


def test_reading_it_has_nothing_to_warn_of(book):
    assert book.warnings == ()


def test_the_tables_are_as_long_as_the_readme_says(book):
    readme = (SAMPLE.parent / "README.md").read_text(encoding="utf-8")
    for name in ("touches", "opportunities", "metrics"):
        assert f"{len(book.tables[name]):,}" in readme
        assert set(book.tables[name].get("account_id", [])) <= set(book.accounts["account_id"])


def test_the_latest_touch_of_an_account_is_its_last_touch(touches, accounts):
    latest = touches.groupby("account_id")["date"].max()
    assert latest.to_dict() == accounts["last_touch"].dropna().to_dict()


def test_touches_reach_back_over_five_quarters_and_none_is_in_the_future(touches):
    assert touches["date"].dt.to_period("Q").nunique() == 5
    assert touches["date"].max() < TODAY


def test_red_books_are_touched_half_as_much_since_march(touches):
    monthly = touches.groupby([touches["date"] >= "2026-03-01", "red"]).size().unstack()
    monthly = monthly.div([8, 7], axis=0)
    assert 0.5 < monthly.loc[True, True] / monthly.loc[False, True] < 0.65
    assert 0.95 < monthly.loc[True, False] / monthly.loc[False, False] < 1.15


def test_qbrs_are_held_less_and_answers_come_later_in_red_books(book, accounts):
    assert in_metrics(book, accounts, "qbr") == [0.38, 0.86]
    assert in_metrics(book, accounts, "response_hours") == [17.71, 11.24]
    assert in_metrics(book, accounts, "executive_touch") == [0.13, 0.45]


def test_every_qbr_that_was_held_is_a_touch_of_its_day(book, touches):
    held = book.tables["metrics"].query("name == 'qbr' and value == 1")
    qbrs = touches[touches["kind"] == "qbr"]
    assert set(zip(held["id"], held["date"], strict=True)) <= set(zip(qbrs["account_id"], qbrs["date"], strict=True))


def test_an_enterprise_account_of_a_book_that_is_not_red_was_silent_for_75_days(accounts):
    row = accounts.loc["A-0116"]
    assert (row["owner"], 100_000 <= row["arr"] < 500_000) == ("AM-17", True)
    assert (TODAY - row["last_touch"]).days == 75


def test_one_book_alone_is_forecast_to_retain_less_than_nine_tenths(accounts):
    kept = (accounts["arr"] * accounts["grr_forecast"]).groupby(accounts["owner"]).sum()
    share = kept / accounts["arr"].groupby(accounts["owner"]).sum()
    assert share[share < 0.9].round(2).to_dict() == {"AM-13": 0.87}
    heat = rb.heatmap(rb.load_book(SAMPLE)).set_index("am_id")
    assert heat.loc["AM-13", "band"] == "green"


def test_one_forecast_of_the_last_quarter_was_three_times_what_came(expansions):
    closed = expansions[
        expansions["stage"].isin(["won", "lost"]) & expansions["close_date"].between("2026-07-01", TODAY)
    ]
    came = closed["amount"].where(closed["stage"] == "won", 0).groupby(closed["owner"]).sum()
    assert (closed["owner"] == "AM-10").sum() >= 2
    assert (closed.groupby("owner")["forecast"].sum() / came)["AM-10"] == pytest.approx(3, abs=0.05)
    late = expansions[(expansions["stage"] == "open") & (expansions["close_date"] < TODAY)]
    assert sorted(late["account_id"]) == ["A-0014", "A-0203"]


def test_one_am_finds_his_upsells_himself_and_those_of_red_books_hardly_any(expansions):
    won = expansions[(expansions["stage"] == "won") & (expansions["close_date"] >= "2025-10-01")]
    own = won["amount"].where(won["discovered_by"] == won["owner"], 0).groupby(won["owner"]).sum()
    share = own / won["amount"].groupby(won["owner"]).sum()
    assert share["AM-20"] > 0.9
    assert share[RED].max() < 0.15


def test_amounts_of_accounts_are_the_sums_of_their_opportunities(accounts, expansions):
    still_open = expansions[expansions["stage"] == "open"].groupby("account_id")["amount"].sum()
    assert accounts["opportunity"][accounts["opportunity"] > 0].to_dict() == still_open.to_dict()
    won = expansions[(expansions["stage"] == "won") & (expansions["close_date"] >= "2025-10-01")]
    bought = accounts["expansion_arr_12m"]
    assert bought[bought > 0].to_dict() == won.groupby("account_id")["amount"].sum().to_dict()


def test_what_quotas_count_is_what_was_won(book, expansions):
    won = expansions[expansions["stage"] == "won"]
    won = won.groupby(["owner", won["close_date"].dt.to_period("Q")])["amount"].sum()
    quotas = book.tables["quotas"].set_index(["am_id", "period"])["actual"]
    assert quotas["AM-08", "2026-Q3"] == won["AM-08", pd.Period("2026Q3")]
    assert (quotas[:, "2026-Q4"] == 0).all()


def test_every_renewal_that_is_due_this_quarter_is_an_open_opportunity(accounts, deals):
    due = accounts[accounts["renewal_date"].between("2026-10-01", "2026-12-31")]
    renewals = deals[(deals["type"] == "renewal") & (deals["stage"] == "open")].set_index("account_id")
    assert len(due) == 126
    assert renewals["amount"].to_dict() == due["arr"].to_dict()
    assert renewals["close_date"].to_dict() == due["renewal_date"].to_dict()


def test_four_customers_are_global_and_one_has_no_sponsor(accounts):
    members = accounts[accounts["is_global"].eq(True)]
    heads = {parent or account for account, parent in members["parent_id"].items()}
    assert heads == {"A-0504", "A-0403", "A-0432", "A-0474"}
    assert list(members.index[members["sponsor"] == ""]) == ["A-0403"]
    assert (accounts["gam"] != "").eq(accounts["is_global"].eq(True)).all()


def test_one_global_customer_is_small_and_was_not_reviewed_for_a_year(book, accounts):
    rows = book.tables["metrics"].set_index("id")
    reviewed = rows[rows["name"] == "global_review"]["date"]
    assert list(reviewed.index[reviewed < "2025-10-01"]) == ["A-0432"]
    revenue = rows[rows["name"] == "customer_revenue"]["value"]
    assert set(revenue.index) <= set(accounts.index)
    assert list(revenue[reviewed.index].loc[lambda found: found < 10**9].index) == ["A-0432"]


def test_one_split_breaks_a_floor_and_one_was_decided_by_its_gam(book):
    splits = book.tables["splits"]
    assert splits[splits["credit"] < 0.25]["account_id"].tolist() == ["A-0254"]
    gams = set(splits.loc[splits["role"] == "gam", "am_id"])
    assert set(splits.loc[splits["decided_by"].isin(gams), "account_id"]) == {"A-0432"}


def test_every_am_but_the_open_position_has_an_address_and_each_costs_something(book):
    ams = book.ams.set_index("am_id")
    assert ams.loc["AM-01", ["email", "cost"]].tolist() == ["annika.sorensen@example.com", 210_000]
    assert list(ams.index[ams["email"] == ""]) == ["AM-26"]
    assert (ams["cost"] > 0).all()
