"""`rebalancer status`: how the nights went, what waits for people, and the figures for a monitor."""

import io
import json
import logging
import os
from datetime import timedelta

import pytest
import time_machine
from nights import DAY, clock, known_book, night, night_book
from prometheus_client.parser import text_string_to_metric_families
from stores import START, address_of, as_approver, later, submitted

from rebalancer.errors import UsageError
from rebalancer.nightly.log import configure, event, masked, release
from rebalancer.nightly.status import Limits, status_of
from rebalancer.nightly.textfile import write_metrics
from rebalancer.store import approve, open_store, reject
from rebalancer.store.store import timestamp
from rebalancer.store.waiting import waiting_proposals
from rebalancer.store.watching import books_behind, books_of_day, last_nights

DONE = later(minutes=12)


@pytest.fixture(autouse=True)
def _morning(monkeypatch):
    monkeypatch.setenv("REBALANCER_NOW", timestamp(later(hours=1)))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("REBALANCER_STORE", raising=False)


def good_night(store, day=DAY, start=START):
    """A night that ended well, with three books."""
    end = start + timedelta(minutes=12)
    night(store, day=day, start=start, end=end, code=0, outcomes={"no_change": 2, "proposed": 1})
    for book, status in (("east", "no_change"), ("north", "no_change"), ("main", "proposed")):
        night_book(store, book, status, day=day, at=start + timedelta(minutes=3))


# Nights


def test_a_night_that_ended_says_how_long_it_took_and_what_became_of_its_books(store):
    good_night(store)
    (found,) = last_nights(store, now=later(hours=1))
    assert (found.state, found.exit_code, found.seconds) == ("ended", 0, 720.0)
    assert (found.done, found.books, found.outcomes) == (3, 3, {"no_change": 2, "proposed": 1})
    assert not found.failed


@pytest.mark.parametrize(("after", "state"), [(50, "running"), (64, "running"), (66, "did_not_end")])
def test_a_night_without_an_end_runs_until_no_book_was_finished_for_an_hour(store, after, state):
    night(store, books=50)
    night_book(store, "east", at=later(minutes=5))
    (found,) = last_nights(store, now=later(minutes=after))
    assert (found.state, found.done, found.seconds) == (state, 1, 300.0)
    assert found.exit_code is None


def test_a_night_without_an_end_was_killed_where_a_later_one_began(store):
    night(store, books=3)
    night_book(store, "east", at=later(minutes=1))
    night(store, start=later(minutes=2), books=3)
    night_book(store, "north", at=later(minutes=3))
    night_book(store, "main", at=later(minutes=4))
    newer, older = last_nights(store, now=later(minutes=5))
    assert (newer.state, newer.done) == ("running", 2)
    assert (older.state, older.done) == ("did_not_end", 1)
    assert (newer.before, older.before) == (1, 0)


def test_books_that_failed_come_first_and_over_capacity_is_an_answer(store):
    night(store, end=DONE, code=3)
    night_book(store, "east", "over_capacity", code=4)
    night_book(store, "north", "invalid", code=3, message="accounts.csv row 3: not a number.")
    night_book(store, "west", "kept")
    night_book(store, "old", "invalid", code=3, day="2026-01-14", at=later(days=-1))
    found = books_of_day(store)
    assert [(book.book, book.failed) for book in found] == [("north", True), ("west", False), ("east", False)]
    assert found[0].message == "accounts.csv row 3: not a number."
    assert [book.book for book in books_of_day(store, "2026-01-14")] == ["old"]


def test_a_book_is_behind_when_no_night_had_an_answer_for_it_since(store):
    for day in ("2026-01-10", "2026-01-15"):
        night_book(store, "good", day=day)
    night_book(store, "bad", day="2026-01-10")
    night_book(store, "bad", "invalid", code=3, day="2026-01-15", message="no owner")
    night_book(store, "never", "failed", code=1, day="2026-01-15")
    night_book(store, "missed", day="2026-01-12")
    night_book(store, "closed", day="2025-11-01")
    night_book(store, "full", "over_capacity", code=4, day="2026-01-15")
    found = books_behind(store, later(days=-2).date())
    assert [(book.book, book.last_good, book.last_tried, book.status) for book in found] == [
        ("never", "", "2026-01-15", "failed"),
        ("bad", "2026-01-10", "2026-01-15", "invalid"),
        ("missed", "2026-01-12", "2026-01-12", "no_change"),
    ]


# What waits


def test_proposals_wait_the_oldest_first_and_say_when_an_approval_ends(store):
    name = submitted(store)
    approve(as_approver(store), name, accounts=["A-1"], now=later(days=1))
    (found,) = waiting_proposals(store, now=later(days=2, hours=1))
    assert (found.state, found.moves, found.undecided, found.arr) == ("approved", 2, 1, 2000)
    assert (found.age_seconds, found.approval_ends) == (49 * 3600, timestamp(later(days=15)))
    assert not found.ends_soon
    assert waiting_proposals(store, now=later(days=12, hours=1))[0].ends_soon
    assert waiting_proposals(store, now=later(days=40))[0].ends_soon
    assert waiting_proposals(store, now=later(days=-5))[0].age_seconds == 0
    reject(as_approver(store), name, now=later(days=3))
    assert waiting_proposals(store, now=later(days=3)) == []


# The check


def problems(store, now, **limits):
    return status_of(store, now, Limits(**limits)).problems


def test_a_good_night_is_no_problem_until_it_is_too_old(store):
    good_night(store)
    assert problems(store, later(hours=1)) == []
    assert problems(store, DONE + timedelta(hours=36)) == []
    (old,) = problems(store, DONE + timedelta(hours=36, seconds=1))
    assert old == f"no night has ended in the last 36 hours; the last one ended {timestamp(DONE)}."
    assert problems(store, DONE + timedelta(hours=25), max_age=timedelta(hours=24)) != []


def test_a_store_without_a_night_is_a_problem(store):
    assert problems(store, START) == ["no night has run in this store."]


@pytest.mark.parametrize("code", [1, 2, 3, 5, 7, 8, 75, 130, 143])
def test_a_night_that_failed_is_a_problem(store, code):
    night(store, end=DONE, code=code)
    assert problems(store, later(hours=1)) == [f"the night of {DAY} ended with code {code}."]


@pytest.mark.parametrize("code", [0, 4, 6, 10])
def test_a_night_with_an_answer_for_every_book_is_none(store, code):
    night(store, end=DONE, code=code)
    assert problems(store, later(hours=1)) == []


def test_a_night_that_was_killed_is_a_problem_and_one_that_runs_is_none(store):
    good_night(store, day="2026-01-14", start=later(days=-1))
    night(store, start=later(hours=10), books=50)
    assert problems(store, later(hours=10, minutes=30)) == []
    (killed,) = problems(store, later(hours=11, minutes=30))
    assert killed == f"the night of {DAY} did not end: 0 of 50 books were finished."


def test_a_book_that_failed_is_a_problem_until_the_night_is_run_again(store):
    good_night(store)
    night_book(store, "west", "invalid", code=3, at=later(minutes=1))
    assert problems(store, later(hours=1)) == [f"1 book got no answer in the night of {DAY}."]


# The command


@pytest.fixture
def status(run, store):
    """Calls `status` on the store."""

    return lambda *args: run("status", "--store", address_of(store), *args)


def full(store):
    """A store with something of everything; the id of its proposal."""
    night(store, day="2026-01-14", start=later(days=-1), books=4)
    night(store, end=DONE, code=3, books=4, outcomes={"proposed": 1, "no_change": 2, "invalid": 1})
    night_book(store, "main", "proposed", at=later(minutes=2))
    night_book(store, "east", at=later(minutes=3))
    night_book(store, "west", at=later(minutes=4))
    problem = 'accounts.csv row 3, column arr, value "150 k": not a plain number. Write 150000.'
    night_book(store, "north", "invalid", code=3, message=problem)
    name = submitted(store, now=later(days=-3))
    book = known_book(store)
    clock(store, book, "M-1", "2025-11-01")
    clock(store, book, "M-2", "2025-11-20", reason="grr", name="Ben", manager="")
    clock(store, book, "M-3", "2026-01-10", reason="silence", name="Cy")
    return name


def test_what_a_planner_reads_in_the_morning(store, status):
    name = full(store)
    done = status()
    assert done.code == 0
    assert "Night of 2026-01-15: ended 2026-01-15 09:12 UTC after 12 min, code 3; 4 of 4 books." in done.out
    assert "Books: 1 invalid, 2 no_change, 1 proposed." in done.out
    assert "Of the 1 before it, 1 went wrong: 2026-01-14 (did not end)." in done.out
    assert "1 book got no answer" in done.out
    assert 'value "150 k": not a plain number.' in done.out
    assert "1 proposal to decide or to apply" in done.out
    assert name in done.out
    assert "1 AM overdue, 1 due within 14 days; 1 more triggered, due later" in done.out
    (red,) = [line for line in done.out.splitlines() if line.split()[:1] == ["M-1"]]
    assert red.split() == ["M-1", "Ann", "main", "units", "2025-11-01", "2025-12-31", "overdue", "15", name[:8], "open"]
    assert "M-3" not in done.out


def test_a_book_over_capacity_has_an_answer_that_somebody_should_look_at(store, status):
    night(store, end=DONE, code=4)
    night_book(store, "east", "over_capacity", code=4, message="tier smb is 2 units short.")
    night_book(store, "west", "kept")
    done = status("--check")
    assert done.code == 0
    assert "1 book with an answer to look at" in done.out
    assert "tier smb is 2 units short." in done.out
    assert "no answer" not in done.out


def test_the_report_says_the_same_as_json(store, status):
    name = full(store)
    found = status("--json").json
    assert (found["schema_version"], found["at"], found["ok"]) == (1, "2026-01-15T10:00:00Z", False)
    assert (found["night"]["state"], found["night"]["exit_code"]) == ("ended", 3)
    assert [book["book"] for book in found["books"]] == ["north", "east", "west", "main"]
    assert [one["proposal_id"] for one in found["proposals"]] == [name]
    left = {line["am_id"]: line["days_left"] for line in found["deadlines"]}
    assert list(left.items()) == [("M-1", -15), ("M-2", 4), ("M-3", 55)]
    assert (found["overdue"], found["due_soon"]) == (1, 1)


def test_the_days_of_the_clock_and_of_what_is_shown_are_options(store, status):
    full(store)
    found = status("--json", "--days", "90", "--within", "60").json
    assert [line["days_left"] for line in found["deadlines"]] == [15, 34, 85]
    assert (found["overdue"], found["due_soon"]) == (0, 2)


def test_a_day_is_that_of_the_time_zone(store, status, monkeypatch):
    full(store)
    monkeypatch.setenv("REBALANCER_NOW", "2026-01-15T23:30:00Z")
    left = {zone: status("--json", "--zone", zone).json["deadlines"][0]["days_left"] for zone in ("UTC", "Asia/Tokyo")}
    assert left == {"UTC": -15, "Asia/Tokyo": -16}
    assert "Default" not in status("--zone", "Mars").err
    assert status("--zone", "Mars").code == 2


def test_a_monitor_rings_where_a_night_failed_and_hears_why(store, status):
    full(store)
    done = status("--check")
    assert done.code == 1
    assert "check: the night of 2026-01-15 ended with code 3." in done.err
    assert "check: 1 book got no answer in the night of 2026-01-15." in done.err
    assert status().code == 0


def test_a_monitor_is_quiet_after_a_good_night(store, status):
    good_night(store)
    assert status("--check")[::2] == (0, "")
    assert status("--check", "--max-age", "30m").code == 1


def test_an_empty_store_says_what_to_do(store, status):
    done = status()
    assert done.code == 0
    assert "No night has run in this store. `rebalancer nightly ROOT --store URL` runs one." in done.out
    assert "No proposal waits for anybody." in done.out
    assert "No AM is overdue or due within 14 days." in done.out
    assert status("--check").code == 1
    assert status("--json").json["night"] is None


def test_a_store_that_is_missing_says_what_to_do(run):
    done = run("status")
    assert done.code == 2
    assert 'there is no store "rebalancer.db"' in done.err
    assert run("status", "--json").json["error"]["exit_code"] == 2


def test_a_night_that_was_killed_says_how_far_it_came_and_what_to_do(store, status, monkeypatch):
    night(store, books=50)
    night_book(store, "east", at=later(minutes=30))
    monkeypatch.setenv("REBALANCER_NOW", timestamp(later(hours=3)))
    out = " ".join(status().out.split())
    assert "DID NOT END (process 4711 on host-1 since 2026-01-15T09:00:00Z), last heard of 30 min after" in out
    assert "; 1 of 50 books. Run it again: it goes on where it stopped." in out


def test_names_that_would_steer_a_terminal_are_shown_escaped(store, status):
    night(store, end=DONE, code=3)
    night_book(store, "\x1b[2Jnorth", "invalid", code=3, message="\u202eevil\x1b]0;x\x07")
    assert not {"\x1b", "\x07", "\u202e"} & set(status().out)


def test_status_changes_nothing_in_the_store(store, status):
    from stores import content

    full(store)
    before = content(store)
    status("--escalations", "due.csv", "--metrics", "rebalancer.prom", "--check")
    assert content(store) == before


# Figures for Prometheus


def figures(path):
    """Values by name and labels."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(path.read_text(encoding="utf-8"))
        for sample in family.samples
    }


def test_the_figures_say_how_the_night_went_and_what_waits(store, tmp_path):
    full(store)
    write_metrics(store, tmp_path / "rebalancer.prom", later(hours=1))
    found = figures(tmp_path / "rebalancer.prom")
    assert found["rebalancer_night_end_timestamp_seconds",] == DONE.timestamp()
    assert found["rebalancer_night_start_timestamp_seconds",] == START.timestamp()
    assert found["rebalancer_night_duration_seconds",] == 720
    assert found["rebalancer_night_exit_code",] == 3
    assert found["rebalancer_night_unfinished",] == 0
    assert found["rebalancer_night_books_expected",] == 4
    assert found["rebalancer_night_books", "no_change"] == 2
    assert found["rebalancer_night_books", "invalid"] == 1
    assert found["rebalancer_night_books_failed",] == 1
    assert found["rebalancer_books_behind",] == 1
    assert (found["rebalancer_proposals_live", "open"], found["rebalancer_proposals_live", "approved"]) == (1, 0)
    assert found["rebalancer_proposals_oldest_age_seconds",] == 73 * 3600
    assert found["rebalancer_clocks_running",] == 3
    assert found["rebalancer_clocks_overdue",] == 1
    assert found["rebalancer_clocks_due_soon",] == 1


def test_every_figure_is_a_gauge_with_a_help_and_a_unit_at_its_end(store, tmp_path):
    full(store)
    write_metrics(store, tmp_path / "rebalancer.prom", later(hours=1))
    families = list(text_string_to_metric_families((tmp_path / "rebalancer.prom").read_text()))
    assert {family.type for family in families} == {"gauge"}
    assert all(family.documentation for family in families)
    names = [family.name for family in families]
    assert all(name.startswith("rebalancer_") and not name.endswith("_total") for name in names)
    assert all(name.endswith("_seconds") for name in names if "age" in name or "duration" in name or "time" in name)


def test_what_is_not_known_yet_is_no_figure(store, tmp_path):
    write_metrics(store, tmp_path / "rebalancer.prom", START)
    found = figures(tmp_path / "rebalancer.prom")
    assert not [name for name, *_ in found if name.startswith("rebalancer_night_") and "failed" not in name]
    assert found["rebalancer_clocks_running",] == 0


def test_the_figures_are_replaced_whole_or_not_at_all(store, tmp_path, monkeypatch):
    target = tmp_path / "rebalancer.prom"
    target.write_text("old\n")
    monkeypatch.setattr(os, "rename", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(UsageError, match="No space left on device"):
        write_metrics(store, target, START)
    assert target.read_text() == "old\n"
    assert [file.name for file in tmp_path.iterdir() if "prom" in file.name] == ["rebalancer.prom"]


def test_a_folder_that_can_not_be_written_is_said(run, tmp_path):
    open_store(str(tmp_path / "rebalancer.db"), create=True)
    (tmp_path / "file").write_text("")
    for option in ("--metrics", "--escalations"):
        done = run("status", option, "file/out")
        assert done.code == 2
        assert f"Name another place with {option}." in done.err


# The log


@pytest.fixture
def lines():
    """What is written to the log, a line each."""
    stream = io.StringIO()
    yield lambda: stream.getvalue().splitlines(), stream
    release()


@time_machine.travel("2026-01-15T02:12:09.250Z", tick=False)
def test_an_event_is_one_json_object_a_line(lines):
    read, stream = lines
    log = configure(stream)
    event(log, "book_done", book="north\neast", status="no_change", seconds=1.5, level="high", share=float("nan"))
    event(log, "book_failed", severity=logging.ERROR, book="west", message="a 2\u2028b")
    first, second = (json.loads(line) for line in read())
    assert first == {
        "ts": "2026-01-15T02:12:09.250Z", "level": "info", "event": "book_done", "book": "north\neast",
        "status": "no_change", "seconds": 1.5, "share": None,
    }  # fmt: skip
    assert (second["level"], second["message"]) == ("error", "a 2\u2028b")


@time_machine.travel("2026-01-15T02:12:09Z", tick=False)
def test_plain_lines_are_for_people(lines):
    read, stream = lines
    log = configure(stream, as_json=False)
    event(log, "book_done", book="north", seconds=1.5, message="two words", moves=3)
    event(log, "book_failed", severity=logging.WARNING, book="\x1b[2J")
    assert read() == [
        '02:12:09 book_done book=north seconds=1.5 message="two words" moves=3',
        "02:12:09 warning: book_failed book=\\x1b[2J",
    ]


CANARY = "c4nary/w0rd"
SECRETS = [
    f"postgresql://planner:{CANARY}@host/name",
    f"postgresql+psycopg://:{CANARY}@host",
    f"postgresql://planner:{CANARY}@x@host/name",
    f"postgresql://host/name?user=ann&password={CANARY}&sslmode=require",
    f"host=db password={CANARY} user=ann",
    f"{{'aws_secret_access_key': '{CANARY}'}}",
    f'{{"account_key": "{CANARY}"}}',
    f"PGPASSWORD={CANARY}",
    f"token: {CANARY}",
]


@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize("text", SECRETS)
def test_a_password_is_never_in_the_log(lines, text, as_json):
    read, stream = lines
    log = configure(stream, as_json)
    event(log, f"opened {text}", store=text, several=[text, {"inner": text}], password=CANARY, db_token=CANARY)
    log.info("opened %s", text)
    try:
        raise OSError(f"no connection to {text}")
    except OSError:
        log.exception("failed")
    assert len(read()) == 3
    assert "no connection to" in read()[2]
    assert not [line for line in read() if CANARY in line or "w0rd" in line]


@pytest.mark.parametrize("text", ["postgresql://host/name", "ann@host", "s3://bucket/books", "12:30 north"])
def test_what_is_no_password_stays(text):
    assert masked(text) == text


def test_a_log_file_is_continued_and_only_the_last_set_up_holds(tmp_path, capsys):
    file = tmp_path / "night.log"
    event(configure(), "to_stderr")
    for name in ("one", "two"):
        event(configure(file), name)
    release()
    assert [json.loads(line)["event"] for line in file.read_text().splitlines()] == ["one", "two"]
    assert [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()] == ["to_stderr"]
    with pytest.raises(UsageError, match="No such file"):
        configure(tmp_path / "nowhere" / "night.log")


def test_a_log_that_can_not_be_written_stops_nothing(capsys):
    class Full(io.StringIO):
        def write(self, _text):
            raise OSError(28, "No space left on device", CANARY)

    log = configure(Full())
    event(log, "one")
    event(log, "two")
    release()
    assert capsys.readouterr().err == "warning: the log can't be written: OSError; the night goes on.\n"
