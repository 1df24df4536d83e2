"""Triggers: which books fire and why, since when by the state of earlier runs, and what the command says of it."""

import json
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest
from helpers import book_of, snapshot_of
from small_books import write_book

import rebalancer as rb
from rebalancer.cli import main
from rebalancer.coverage import load_model
from rebalancer.errors import InvalidInput, UsageError
from rebalancer.insight.diagnosis import diagnose
from rebalancer.insight.trigger_state import TriggerFile
from rebalancer.insight.triggers import day_of, triggers
from rebalancer.metrics import trigger_frame, unjudged

DAY = "2026-03-31"
AMS = "am_id,name,capacity,max_accounts,leaves_on\nM-1,Ann,10,,\nM-2,Ben,100,1,\nM-3,Cy,100,,\nM-4,Dee,1,,2026-01-01"
ACCOUNTS = "account_id,name,owner,arr,tier,grr_forecast,last_touch\n" + "\n".join(
    [
        "a1,A1,M-1,100,enterprise,0.95,2026-03-30",
        "a2,A2,M-1,100,enterprise,0.95,2026-03-30",
        "a3,A3,M-1,100,enterprise,0.95,2026-03-30",  # 15 units of 10
        "b1,B1,M-2,100,smb,0.95,2026-01-01",
        "b2,B2,M-2,100,smb,0.95,2026-01-01",  # two accounts, one allowed; smb may be silent
        "c1,C1,M-3,300,strategic,0.8,2026-01-30",
        "c2,C2,M-3,100,enterprise,0.99,2026-01-20",  # 84.75 %, silent for 60 and 70 days
        "d1,D1,M-4,100,strategic,0.1,2020-01-01",  # of somebody who has left
    ]
)
ALL = [("M-1", "units"), ("M-2", "accounts"), ("M-3", "grr"), ("M-3", "silence")]


def a_book(accounts=ACCOUNTS, day=DAY, **tables):
    return book_of(accounts, AMS, day=day, **tables)


def fired(report):
    return list(zip(report.triggers["am_id"], report.triggers["reason"], strict=True))


def test_units_counts_retention_and_silence_fire_with_their_numbers():
    frame = trigger_frame(snapshot_of(a_book()))
    assert frame.to_numpy().tolist() == [
        ["M-1", "units", 15.0, 11.0, "", 0],
        ["M-2", "accounts", 2.0, 1.0, "", 0],
        ["M-3", "grr", 0.8475, 0.9, "", 0],
        ["M-3", "silence", 70.0, 60.0, "c2", 2],
    ]


def test_a_book_at_110_percent_does_not_fire_and_above_it_does():
    for complexity, fires in (("2.2", []), ("2.202", ["units"])):
        book = book_of(f"account_id,owner,tier,complexity\na,E-1,enterprise,{complexity}", "am_id,capacity\nE-1,10")
        assert trigger_frame(snapshot_of(book))["reason"].tolist() == fires


def test_of_several_limits_on_the_same_count_the_tightest_is_told():
    ams = "am_id,book,max_accounts\nE-1,blended,1"
    snapshot = snapshot_of(
        book_of("account_id,owner\n" + "\n".join(f"a{n},E-1" for n in range(3)), ams),
        overrides={"books": {"blended": {"max_accounts": 2, "max_strategic": 0}}},
    )
    assert trigger_frame(snapshot)[["reason", "value", "limit"]].to_numpy().tolist() == [["accounts", 3.0, 1.0]]


def test_the_report_says_why_in_words():
    report = triggers(a_book())
    assert fired(report) == ALL
    assert report.triggers["why"].tolist() == [
        "15.0 units, above 11.0 (110 % of its capacity)",
        "2 accounts, limit 1",
        "gross retention forecast 84.8 %, below 90 %",
        "2 key accounts silent, the longest c2 for 70 days",
    ]
    assert report.triggers["days_left"].tolist() == [60] * 4
    assert (report.began, report.went_back, report.overdue, report.missing) == (True, False, (), ())


def test_a_silence_that_is_a_lower_bound_says_at_least():
    accounts = "account_id,owner,tier\na,M-1,strategic"
    report = triggers(a_book(accounts, touches="account_id,date\nz,2026-01-01"))
    assert report.triggers["why"].tolist() == ["1 key account silent: a for at least 89 days"]


def test_the_state_of_a_run_is_where_the_next_one_starts():
    state = triggers(a_book()).state
    later = triggers(a_book(day="2026-05-31"), state=state)
    assert set(later.triggers["book_since"]) == {date(2026, 3, 31)}
    row = later.triggers.set_index(["am_id", "reason"]).loc[("M-1", "units")]
    assert row[["days_left", "overdue", "due"]].tolist() == [-1, True, date(2026, 5, 30)]
    assert "M-1" in later.overdue
    assert later.events["what"].tolist().count("overdue") == 3


def test_a_cured_book_is_listed_with_its_days():
    state = triggers(a_book()).state
    cured = ACCOUNTS.replace("a3,A3,M-1", "a3,A3,M-3")
    report = triggers(a_book(cured, day="2026-04-10"), state=state)
    assert report.cleared.to_numpy().tolist() == [["M-1", "Ann", "units", date(2026, 3, 31), date(2026, 4, 10), 10]]
    assert ("M-1", "units") not in fired(report)


def test_a_book_that_is_not_there_any_more_clears():
    state = triggers(a_book()).state
    gone = book_of("account_id,owner\na,M-9", "am_id\nM-9", day="2026-04-10")
    assert set(triggers(gone, state=state).cleared["am_id"]) == {"M-1", "M-2", "M-3"}


def test_without_the_column_a_trigger_neither_fires_nor_clears():
    state = triggers(a_book()).state
    blind = ACCOUNTS.replace(",0.8,2026-01-30", ",,").replace(",0.99,2026-01-20", ",,")
    report = triggers(a_book(blind, day="2026-04-10"), state=state)
    rows = report.triggers.set_index(["am_id", "reason"]).loc["M-3"]
    assert rows["judged"].tolist() == [False, False]
    assert set(rows["why"]) == {"fired before, and can't be judged today for lack of data"}
    assert rows["since"].tolist() == [date(2026, 3, 31)] * 2
    assert unjudged(snapshot_of(a_book(blind))) == {("M-3", "grr"), ("M-3", "silence")}


def test_columns_without_a_value_are_named():
    assert triggers(a_book("account_id,owner\na,M-1")).missing == (
        "accounts.grr_forecast", "accounts.last_touch", "touches",
    )  # fmt: skip


def test_a_day_before_the_last_one_records_nothing():
    state = triggers(a_book()).state
    report = triggers(a_book(day="2026-03-30"), state=state)
    assert report.went_back
    assert report.state == state
    assert report.events.empty
    assert set(report.triggers["since"]) == {date(2026, 3, 30)}
    assert report.triggers["judged"].all()


# The zone


@pytest.mark.parametrize(
    ("zone", "moment", "day"),
    [
        ("UTC", datetime(2026, 3, 31, 23, 59, tzinfo=UTC), date(2026, 3, 31)),
        ("America/Los_Angeles", datetime(2026, 4, 1, 6, 59, tzinfo=UTC), date(2026, 3, 31)),
        ("Pacific/Auckland", datetime(2026, 3, 31, 11, 0, tzinfo=UTC), date(2026, 4, 1)),
        ("Europe/Berlin", datetime(2026, 3, 29, 0, 30, tzinfo=timezone(timedelta(hours=-3))), date(2026, 3, 29)),
    ],
)
def test_the_day_of_a_moment_is_that_of_the_one_zone(zone, moment, day):
    assert day_of(moment, zone) == day
    model = load_model("coverage_units", {"triggers": {"zone": zone}})
    assert triggers(a_book(), model, now=moment).day == day


def test_a_moment_without_a_zone_or_beside_a_date_is_refused():
    with pytest.raises(UsageError, match="has no time zone"):
        triggers(a_book(), now=datetime(2026, 3, 31))
    with pytest.raises(UsageError, match="either effective_date or now"):
        triggers(a_book(), effective_date=DAY, now=datetime.now(UTC))


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../UTC", "", "Europe"])
def test_a_zone_that_is_none_is_refused_by_name(zone):
    with pytest.raises(InvalidInput, match=r"triggers\.zone.*IANA"):
        load_model("coverage_units", {"triggers": {"zone": zone}})


# Repair starts from the triggers


def test_repair_cures_what_load_triggers_and_leaves_the_rest():
    proposal = rb.propose(a_book(), scope="repair", time_limit=10, workers=1)
    held = dict(zip(proposal.books["am_id"], proposal.books["units_after"], strict=True))
    assert held["M-1"] <= 10
    after = triggers(proposal.book_after())
    assert {reason for _, reason in fired(after)} == {"grr", "silence"}
    assert any("triggered by silent accounts" in warning for warning in proposal.warnings)


# The command


@pytest.fixture
def call(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_book(tmp_path / "book", ACCOUNTS, AMS)

    def run(*args, day=DAY, book="book"):
        with pytest.raises(SystemExit) as ended:
            main(["triggers", book, "--effective-date", day, *args])
        streams = capsys.readouterr()
        return ended.value.code, streams.out, streams.err

    return run


def test_the_first_run_says_that_there_was_no_state_and_where_it_is_now(call, tmp_path):
    code, out, err = call()
    assert code == 0
    assert out.startswith("3 of 4 books triggered; model coverage_units, 2026-03-31")
    file = tmp_path / "book.triggers.json"
    assert err == f"note: there was no state before, so every clock starts on 2026-03-31; it was written to {file}.\n"
    assert TriggerFile(file).load().day == date(2026, 3, 31)
    assert call()[2] == ""


def test_a_second_run_on_the_same_day_leaves_the_file_as_it_is(call, tmp_path):
    call()
    file = tmp_path / "book.triggers.json"
    before = (file.read_bytes(), file.stat().st_mtime_ns)
    call()
    assert (file.read_bytes(), file.stat().st_mtime_ns) == before


def test_a_dry_run_writes_nothing(call, tmp_path):
    err = call("--dry-run")[2]
    assert err.endswith("every clock starts on 2026-03-31; nothing was written.\n")
    assert not (tmp_path / "book.triggers.json").exists()


def test_days_left_and_overdue_are_shown(call):
    call()
    assert " 0 " in call(day="2026-05-30")[1]
    out = call(day="2026-05-31")[1]
    assert "3 overdue" in out
    assert "overdue by 1" in out


def test_what_cleared_is_shown(call, tmp_path):
    call("--state", "s.json")
    write_book(tmp_path / "book", ACCOUNTS.replace("a3,A3,M-1", "a3,A3,M-3"), AMS)
    out = call("--state", "s.json", day="2026-04-05")[1]
    assert "Cleared" in out
    line = next(line for line in out.splitlines() if line.endswith("5 ") and "units" in line)
    assert line.split() == ["M-1", "Ann", "units", "2026-03-31", "2026-04-05", "5"]


def test_a_book_without_triggers_is_told_in_a_line(call, tmp_path):
    write_book(tmp_path / "quiet", "account_id,name,owner,arr\na,A,M-1,5\n", "am_id,name\nM-1,Ann\n")
    _, out, err = call("--dry-run", book="quiet")
    assert out == "0 of 1 book triggered; model coverage_units, 2026-03-31.\n"
    assert "missing: accounts.grr_forecast, accounts.last_touch, touches without a value" in err


def test_json_and_csv_have_the_numbers(call, tmp_path):
    found = json.loads(call("--json", "--csv", "t.csv")[1])
    assert [(row["am_id"], row["reason"]) for row in found["triggers"]] == ALL
    assert found["triggers"][0] == {
        "am_id": "M-1", "name": "Ann", "reason": "units", "value": 15.0, "limit": 11.0, "account_id": "", "accounts": 0,
        "why": "15.0 units, above 11.0 (110 % of its capacity)", "since": "2026-03-31", "book_since": "2026-03-31",
        "due": "2026-05-30", "days_left": 60, "overdue": False, "judged": True,
    }  # fmt: skip
    assert found["state"]["began"] is True
    assert [event["what"] for event in found["events"]] == ["fired"] * 4
    assert (tmp_path / "t.csv").read_text(encoding="utf-8").startswith("am_id,name,reason,value,limit")


def test_a_damaged_state_ends_with_code_3_and_is_not_overwritten(call, tmp_path):
    (tmp_path / "book.triggers.json").write_text("{", encoding="utf-8")
    code, out, err = call()
    assert (code, out) == (3, "")
    assert "the state of the triggers is damaged" in err
    assert (tmp_path / "book.triggers.json").read_text(encoding="utf-8") == "{"


def test_a_run_for_an_earlier_day_warns_and_records_nothing(call, tmp_path):
    call()
    before = (tmp_path / "book.triggers.json").read_bytes()
    code, _, err = call(day="2026-03-01")
    assert code == 0
    assert "was last brought up to date for 2026-03-31, which is after 2026-03-01: nothing is recorded" in err
    assert (tmp_path / "book.triggers.json").read_bytes() == before


# Real books, and the sample


ADVENTUREWORKS = Path(__file__).parents[2] / "shared" / "data" / "adventureworks"


@pytest.mark.skipif(not ADVENTUREWORKS.is_dir(), reason="the AdventureWorks books are not here")
@pytest.mark.parametrize("name", ["book_2018q4", "book_2020q1"])
def test_the_adventureworks_books_fire_with_what_they_have(name):
    book = rb.load_book(ADVENTUREWORKS / name)
    report = triggers(book)
    assert report.missing == ()
    assert {"units", "grr", "silence"} == set(report.triggers["reason"])
    again = triggers(book, state=report.state)
    assert (again.state, len(again.events)) == (report.state, 0)
    for am_id in rb.heatmap(book)["am_id"]:
        found = diagnose(book, am_id)
        over = set(report.triggers.loc[report.triggers["am_id"] == am_id, "reason"]) - {"grr"}
        assert (found.verdict == "overloaded") == bool(over or found.book["benchmark"] == "above")


def test_the_sample_has_every_kind_of_trigger():
    report = triggers(rb.load_book(Path(__file__).parents[1] / "data" / "sample"))
    assert set(report.triggers["reason"]) == {"units", "accounts", "grr", "silence"}
    assert report.missing == ()
