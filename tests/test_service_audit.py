"""The service audit: what each tier is owed against what it got, silence that overloads a book, and months."""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import book_of
from hypothesis import given, settings
from hypothesis import strategies as st

import rebalancer as rb
from rebalancer.book import Book
from rebalancer.errors import UsageError
from rebalancer.insight import audit
from rebalancer.metrics import attention_by_book
from rebalancer.metrics.service import DIMENSIONS
from rebalancer.plan import resolve_model
from rebalancer.snapshot import take_snapshot

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "data" / "sample"
ADVENTUREWORKS = ROOT.parent / "shared" / "data" / "adventureworks"
OWED = {"strategic": 6, "enterprise": 3, "mid_market": 2, "smb": 1}

ACCOUNTS = """account_id,owner,tier,sponsor
a,E-1,enterprise,Bo
b,E-1,enterprise,
c,E-2,smb,
d,,strategic,
"""
OLD = "account_id,date,kind\nc,2025-01-01,call\n"
"""A record that reaches back, so that the last quarter is known."""


def touched(*rows, kind="call"):
    """A table of touches from `account day` words, one of long ago before them."""
    return OLD + "\n".join(f"{row.split()[0]},{row.split()[1]},{[*row.split(), kind][2]}" for row in rows)


def audit_of(*touches, accounts=ACCOUNTS, day="2026-08-15", model=None, **tables):
    return audit(book_of(accounts, day=day, touches=touched(*touches), **tables), model)


def row(frame, **keys):
    for column, value in keys.items():
        frame = frame[frame[column] == value]
    assert len(frame) == 1
    return frame.iloc[0]


# Touches


def test_an_account_is_compliant_with_as_many_touches_in_the_last_full_quarter_as_its_tier_is_owed():
    found = audit_of("a 2026-04-01", "a 2026-05-05", "a 2026-06-30", "b 2026-04-01", "b 2026-06-30", "b 2026-07-01")
    assert (found.quarter, found.running) == ("2026-Q2", "2026-Q3")
    book = row(found.ams, am_id="E-1")
    assert (book["touches"], book["touches_owed"]) == (5, 6)
    assert (book["touches_met"], book["touches_of"], book["touches_share"]) == (1, 2, 0.5)


@pytest.mark.parametrize("tier", OWED)
def test_what_a_tier_is_owed_is_a_setting(tier):
    accounts = f"account_id,owner,tier\nx,E-1,{tier}\nc,E-2,smb"
    enough = [f"x 2026-05-{day:02}" for day in range(1, OWED[tier] + 1)]
    assert row(audit_of(*enough, accounts=accounts).tiers, tier=tier)["touches_met"] >= 1
    short = audit_of(*enough[1:], accounts=accounts)
    assert row(short.cells, am_id="E-1", tier=tier)["touches_met"] == 0
    model = resolve_model(book_of(accounts), None)
    more = model.model_copy(
        update={"service": model.service.model_copy(update={"touches_per_quarter": {tier: OWED[tier] + 1}})}
    )
    assert row(audit_of(*enough, accounts=accounts, model=more).cells, am_id="E-1", tier=tier)["touches_met"] == 0


def test_a_tier_that_is_owed_nothing_is_not_counted():
    book = book_of(ACCOUNTS, day="2026-08-15", touches=touched("a 2026-05-05"))
    none = Book.from_frames(
        **{name: frame for name, frame in book.tables.items() if len(frame)},
        effective_date=book.effective_date,
        overrides={"service": {"touches_per_quarter": {"enterprise": 0}}},
    )
    assert row(audit(none).ams, am_id="E-1")["touches_of"] == 0
    assert np.isnan(row(audit(none).ams, am_id="E-1")["touches_share"])


@pytest.mark.parametrize(
    ("day", "due"),
    [("2026-07-01", 0), ("2026-07-30", 0), ("2026-07-31", 1), ("2026-08-31", 2), ("2026-09-29", 2), ("2026-09-30", 3)],
)
def test_a_touch_of_the_running_quarter_is_due_once_its_share_of_the_days_has_passed(day, due):
    """3 a quarter of 92 days: one every 30 2/3 days, all of them on the last day."""
    found = audit_of("a 2026-05-05", day=day)
    assert found.accounts.set_index("account_id").loc["a", "touches_due"] == due


def test_the_running_quarter_counts_only_accounts_that_are_due_a_touch():
    book = row(audit_of("a 2026-08-01", day="2026-08-15").ams, am_id="E-1")
    assert (book["touches_running_met"], book["touches_running_of"]) == (1, 2)
    assert row(audit_of(day="2026-07-02").ams, am_id="E-1")["touches_running_of"] == 0


def test_touches_of_a_kind_that_is_not_meaningful_do_not_count():
    assert row(audit_of("a 2026-05-05 Newsletter").ams, am_id="E-1")["touches"] == 0


def test_a_quarter_before_the_first_touch_on_record_is_not_known():
    book = book_of(ACCOUNTS, day="2026-08-15", touches="account_id,date,kind\na,2026-07-10,call")
    found = audit(book)
    assert row(found.ams, am_id="E-1")["touches_of"] == 0
    assert pd.isna(row(found.ams, am_id="E-1")["touches"])
    assert row(found.ams, am_id="E-1")["touches_running_of"] == 2


def test_a_quarter_in_which_the_record_begins_is_said_to_be_not_whole():
    book = book_of(ACCOUNTS, day="2026-08-15", touches="account_id,date,kind\na,2026-05-10,call")
    assert audit(book).notes == ("touches are on record since 2026-05-10 only; 2026-Q2 is not whole.",)


# QBRs, sponsors, response times


def test_a_qbr_counts_from_touches_and_from_metrics_unless_its_value_is_0():
    metrics = "subject,id,name,value,date\naccount,b,QBR,1,2026-06-30\naccount,d,qbr,0,2026-06-30"
    found = audit_of("a 2026-05-05 qbr", metrics=metrics)
    assert row(found.ams, am_id="E-1")[["qbr_met", "qbr_of"]].tolist() == [2, 2]
    assert row(found.tiers, tier="strategic")[["qbr_met", "qbr_of"]].tolist() == [0, 1]
    assert row(found.tiers, tier="smb")["qbr_of"] == 0


def test_a_qbr_of_the_running_quarter_does_not_make_up_for_the_last_one():
    assert row(audit_of("a 2026-07-05 qbr", "b 2026-05-05 qbr").ams, am_id="E-1")["qbr_met"] == 1


def test_a_cadence_of_several_quarters_looks_back_over_them():
    book = book_of(ACCOUNTS, day="2026-08-15", touches=touched("c 2025-07-01 qbr", "a 2025-06-30 qbr"))
    model = resolve_model(book, None)
    yearly = {"enterprise": 4, "smb": 4}
    service = model.service.model_copy(update={"qbr_every_quarters": yearly})
    found = audit(book, model.model_copy(update={"service": service}))
    assert found.accounts.set_index("account_id")["qbr_held"].tolist() == [False, False, True, False]


def test_a_sponsor_is_asked_of_the_tiers_that_need_one():
    found = audit_of()
    assert row(found.tiers, tier="enterprise")[["sponsor_met", "sponsor_of"]].tolist() == [1, 2]
    assert row(found.tiers, tier="strategic")["sponsor_share"] == 0
    assert row(found.tiers, tier="smb")["sponsor_of"] == 0


def test_response_times_are_held_against_the_tier_and_an_accounts_own_target_wins():
    metrics = (
        "subject,id,name,value,target,date\n"
        "account,a,response_hours,9,,2026-08-01\n"  # 8 hours for enterprise
        "account,b,response_hours,9,10,2026-08-01\n"
        "account,b,response_hours,99,10,2026-07-01\n"  # older
        "account,c,response_hours,48,,2024-01-01\n"  # no longer valid
    )
    found = audit_of(metrics=metrics)
    assert row(found.ams, am_id="E-1")[["response_met", "response_of", "response_hours"]].tolist() == [1, 2, 9]
    assert row(found.tiers, tier="smb")["response_of"] == 0


def test_what_a_book_lacks_is_named():
    found = audit(book_of("account_id,owner\na,E-1"))
    assert found.missing == (
        "accounts.last_touch",
        "touches",
        "accounts.sponsor",
        'touches of kind "qbr" or metrics rows "qbr"',
        'metrics rows "response_hours"',
    )
    assert found.ams[[f"{name}_of" for name in DIMENSIONS]].sum().sum() == 0


# Silence


@pytest.mark.parametrize(("last", "overloaded"), [("2026-06-16", True), ("2026-06-17", False)])
@pytest.mark.parametrize("tier", ["enterprise", "strategic"])
def test_sixty_days_of_silence_of_an_important_account_overload_a_book_whatever_its_ratio(tier, last, overloaded):
    accounts = f"account_id,owner,tier\nx,E-1,{tier}\nc,E-2,smb"
    found = audit_of(f"x {last}", accounts=accounts, day="2026-08-15")
    book = row(found.ams, am_id="E-1")
    assert book["utilization"] < 0.1
    assert book["unattended_days"] == (60 if overloaded else 59)
    assert book["overloaded"] == overloaded


@pytest.mark.parametrize("tier", ["mid_market", "smb"])
def test_silence_of_other_tiers_overloads_nobody(tier):
    accounts = f"account_id,owner,tier\nx,E-1,{tier}"
    book = row(audit_of("x 2025-01-02", accounts=accounts).ams, am_id="E-1")
    assert book["unattended_days"] > 500
    assert not book["overloaded"]


def test_the_share_touched_in_ninety_days_counts_the_ninetieth_day():
    found = audit_of("a 2026-05-17", "b 2026-05-16", day="2026-08-15")
    assert row(found.ams, am_id="E-1")[["touched_met", "touched_of", "touched_share"]].tolist() == [1, 2, 0.5]


def test_silence_is_that_of_attention_and_of_nobody_else():
    book = rb.load_book(SAMPLE)
    model = resolve_model(book, None)
    snapshot = take_snapshot(book, model, "full", model.disruption.measure)
    columns = ["unattended_days", "silent_key_accounts", "touched_share"]
    by_book = attention_by_book(snapshot).set_index("am_id")[columns]
    own = audit(book).ams.set_index("am_id").drop(index="")[columns]
    pd.testing.assert_frame_equal(own, by_book, check_dtype=False)


# Months


def test_compliance_of_a_month_looks_at_the_quarter_that_ends_with_it():
    found = audit_of("a 2026-05-02", "a 2026-06-02", "a 2026-07-02")
    months = found.trend_by_am[found.trend_by_am["am_id"] == "E-1"].set_index("month")
    assert months.loc["2026-05":"2026-07", "touches"].tolist() == [1, 1, 1]
    assert months.loc["2026-05":"2026-07", "compliance"].tolist() == [0, 0, 0.5]
    assert np.isnan(months.loc["2026-08", "compliance"])
    assert not months.loc["2026-08", "whole"]


def test_the_trend_goes_back_twelve_months_and_the_last_day_of_a_month_makes_it_whole():
    found = audit_of("a 2026-05-02", day="2026-02-28")
    assert found.trend["month"].tolist() == [*(f"2025-{n:02}" for n in range(3, 13)), "2026-01", "2026-02"]
    assert found.trend["whole"].all()
    assert not audit_of(day="2024-02-28").trend["whole"].iloc[-1]  # 2024 has a 29 February
    assert audit_of(day="2024-02-29").trend["whole"].iloc[-1]


def test_months_before_the_record_are_not_known():
    found = audit(book_of(ACCOUNTS, day="2026-08-31", touches="account_id,date,kind\na,2026-05-10,call"))
    months = found.trend.set_index("month")
    assert months["touches"].notna().tolist() == [False] * 8 + [True] * 4
    assert months["compliance"].notna().tolist() == [False] * 10 + [True] * 2


def test_the_months_of_the_last_quarter_add_up_to_it():
    found = audit(rb.load_book(SAMPLE))
    months = found.trend[found.trend["month"].isin(["2026-07", "2026-08", "2026-09"])]
    assert months["touches"].sum() == found.team["touches"].iloc[0]
    assert months["compliance"].iloc[-1] == found.team["touches_share"].iloc[0]


# Laws

DAYS = st.dates(date(2026, 1, 1), date(2026, 8, 15))
TOUCHES = st.lists(
    st.tuples(st.sampled_from("abcd"), DAYS, st.sampled_from(["call", "qbr", "newsletter"])), max_size=25
)
NUMBERS = ["accounts", "touches", "touches_owed", *(f"{name}_{kind}" for name in DIMENSIONS for kind in ("met", "of"))]


@settings(max_examples=12)
@given(TOUCHES, st.permutations("abcd"))
def test_counts_by_am_and_tier_add_up_shares_are_shares_and_the_order_of_rows_is_nothing(touches, order):
    text = OLD + "".join(f"{account},{day},{kind}\n" for account, day, kind in touches)
    found = audit(book_of(ACCOUNTS, day="2026-08-15", touches=text))
    for frame in (found.ams, found.tiers, found.cells):
        assert frame[NUMBERS].sum().tolist() == found.team[NUMBERS].sum().tolist()
        shares = frame[[f"{name}_share" for name in DIMENSIONS]].to_numpy()
        assert ((shares >= 0) & (shares <= 1) | np.isnan(shares)).all()
    for by in (found.trend_by_am, found.trend_by_tier):
        totals = by.groupby("month")[["accounts", "touches", "owed"]].sum().to_numpy()
        np.testing.assert_array_equal(totals, found.trend[["accounts", "touches", "owed"]].to_numpy())
    lines = {line[0]: line for line in ACCOUNTS.splitlines()[1:]}
    shuffled = "\n".join([ACCOUNTS.splitlines()[0], *(lines[name] for name in order)])
    head, *rows = text.splitlines()
    again = audit(book_of(shuffled, day="2026-08-15", touches="\n".join([head, *reversed(rows)])))
    for name in ("ams", "cells", "accounts", "trend_by_am"):
        pd.testing.assert_frame_equal(getattr(found, name), getattr(again, name))


# The command


def test_the_command_says_what_is_owed_and_which_books_are_overloaded(run):
    result = run("audit", SAMPLE)
    assert result.code == 0
    assert "Service of 2026-Q3, the last full quarter." in result.out
    assert "So far: 2026-Q4, 1 of 92 days" in result.out
    assert "9 books are overloaded whatever the ratio" in result.out


def test_the_command_shows_one_book_with_the_accounts_that_lack_service(run):
    out = run("audit", SAMPLE, "--am", "AM-03").out
    assert "25 accounts touched less than owed in the quarter; the first 15" in out
    assert "AM-09" not in out


def test_json_has_the_columns_and_accounts_only_of_one_book(run):
    whole, one = run("audit", SAMPLE, "--json").json, run("audit", SAMPLE, "--am", "AM-03", "--json").json
    found = audit(rb.load_book(SAMPLE))
    assert [book["am_id"] for book in whole["ams"]] == found.ams["am_id"].tolist()
    assert list(whole["ams"][0]) == list(found.ams.columns)
    assert "accounts" not in whole
    assert len(one["accounts"]) == 35
    assert {account["am_id"] for account in one["accounts"]} == {"AM-03"}
    assert one["accounts"][0]["last_touch"][:4] == "2026"


def test_csv_writes_every_table_and_leaves_other_files_alone(run, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("x")
    assert run("audit", SAMPLE, "--csv", "out").code == 0
    written = pd.read_csv(tmp_path / "out" / "ams.csv", keep_default_na=False)
    assert written["accounts"].sum() == len(audit(rb.load_book(SAMPLE)).accounts)
    assert (tmp_path / "out" / "mine.txt").read_text() == "x"
    assert len(list((tmp_path / "out").iterdir())) == 9


def test_csv_that_can_not_be_written_is_a_usage_error(run, tmp_path):
    (tmp_path / "file").write_text("x")
    result = run("audit", SAMPLE, "--csv", "file/inside")
    assert (result.code, result.out) == (2, "")
    assert "can not be written" in result.err


def test_an_unknown_book_is_named_with_the_nearest_one(run):
    result = run("audit", SAMPLE, "--am", "AM-99")
    assert result.code == 2
    assert 'there is no book "AM-99". Did you mean "AM-' in result.err
    with pytest.raises(UsageError, match="share the pool's book"):
        audit(rb.load_book(SAMPLE)).of("nobody at all")


@pytest.mark.skipif(not ADVENTUREWORKS.is_dir(), reason="the AdventureWorks books are not here")
@pytest.mark.parametrize("book", ["book_2018q4", "book_2020q1"])
def test_real_books_are_audited_with_what_they_have(book):
    found = audit(rb.load_book(ADVENTUREWORKS / book))
    assert found.missing == (
        "accounts.sponsor",
        'touches of kind "qbr" or metrics rows "qbr"',
        'metrics rows "response_hours"',
    )
    assert found.team["touches_of"].iloc[0] == len(found.accounts)
    assert found.ams["accounts"].sum() == len(found.accounts)
    assert found.ams["overloaded"].any()
