"""`nightly` on the command line: what it prints, its exit codes, and what it does when it is ended or started twice."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest
import sqlalchemy as sa
from nightly_books import ACCOUNTS, AMS, QUIET
from stores import address_of, postgresql_store, sqlite_store

from rebalancer.store import audit, list_proposals, open_store
from rebalancer.store.tables import events

NOW = "2026-01-15T02:00:00Z"
REPEATS = int(os.environ.get("REBALANCER_REPEATS", "1"))
"""How often nights are started at once; by hand 5."""


def write(root, name, accounts=ACCOUNTS, ams=AMS):
    place = root / name
    place.mkdir(parents=True)
    (place / "accounts.csv").write_text(accounts, encoding="utf-8")
    (place / "ams.csv").write_text(ams, encoding="utf-8")


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("REBALANCER_NOW", NOW)
    write(tmp_path / "books", "north")
    write(tmp_path / "books", "south", QUIET)
    return tmp_path / "books"


def night(run, root, *more):
    return run("nightly", root, "--jobs", 1, "--time-limit", "5s", *more)


def test_a_night_says_what_became_of_every_book(run, root):
    found = night(run, root)
    assert found.code == 0, found.err
    lines = found.out.splitlines()
    assert any(line.startswith("north ") and " proposed " in line and "1 move" in line for line in lines)
    assert any(line.startswith("south ") and "no change" in line for line in lines)
    assert "2 books in " in found.out
    assert "1 no change, 1 proposed" in found.out
    assert "1 AM above a trigger, 0 of them overdue" in found.out


def test_json_is_a_line_for_every_book_and_one_for_the_night(run, root):
    found = night(run, root, "--json")
    rows = [json.loads(line) for line in found.out.splitlines()]
    assert {row["schema_version"] for row in rows} == {1}
    books, end = sorted(rows[:-1], key=lambda row: row["book"]), rows[-1]
    assert [(row["book"], row["status"], row["new"]) for row in books] == [
        ("north", "proposed", True),
        ("south", "no_change", True),
    ]
    assert books[0]["proposal_id"]
    assert (books[0]["triggered"], books[0]["overdue"]) == (1, 0)
    assert (end["books"], end["exit_code"], end["outcomes"]) == (2, 0, {"no_change": 1, "proposed": 1})


def test_the_exit_code_says_so_where_it_is_asked_to(run, root):
    assert night(run, root, "--detailed-exitcode").code == 10
    assert night(run, root, "--detailed-exitcode").code == 0


def test_a_bad_book_gives_the_exit_code_and_the_others_their_plan(run, root):
    write(root, "bad", "account_id,name\nA-1,Acme\n")
    found = night(run, root)
    assert found.code == 3
    assert 'column "owner" is missing' in found.out
    assert "proposed" in found.out


def test_one_book_alone_can_be_asked_for(run, root):
    found = night(run, root, "--only", "south", "--json")
    assert [json.loads(line).get("book") for line in found.out.splitlines()] == ["south", None]
    wrong = night(run, root, "--only", "sout")
    assert wrong.code == 2
    assert "south" in wrong.err


def test_a_root_without_books_says_what_was_looked_for(run, root, tmp_path):
    (tmp_path / "empty").mkdir()
    found = night(run, tmp_path / "empty")
    assert found.code == 2
    assert "no book" in found.err
    assert not (tmp_path / "rebalancer.db").exists()


def test_log_metrics_and_escalations_are_written(run, root, tmp_path):
    found = night(run, root, "--log", "night.log", "--metrics", "night.prom", "--escalations", "late.csv")
    assert found.code == 0
    told = [json.loads(line) for line in (tmp_path / "night.log").read_text(encoding="utf-8").splitlines()]
    assert [line["event"] for line in told] == ["night_started", "book_done", "book_done", "night_ended"]
    assert "rebalancer_night_duration_seconds" in (tmp_path / "night.prom").read_text(encoding="utf-8")
    rows = (tmp_path / "late.csv").read_text(encoding="utf-8").splitlines()
    assert rows[1].startswith("north,M-1,Ann,Olga,units,2026-01-15,2026-03-16,60,false,")


def test_an_older_store_is_not_upgraded_unattended(run, root, tmp_path):
    store = sqlite_store(tmp_path)
    with store.engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0001'"))
    found = night(run, root, "--store", address_of(store))
    assert found.code == 2
    assert "proposals init" in found.err


def test_a_password_is_in_no_output(run, root, monkeypatch):
    monkeypatch.setenv("REBALANCER_STORE", "postgresql://olga:canary@127.0.0.1:1/nothing")
    found = night(run, root, "--log", "night.log")
    assert found.code != 0
    assert "canary" not in found.out + found.err


def command(root, store, *more):
    return [
        *(sys.executable, "-m", "rebalancer", "nightly", str(root), "--store", store, "--jobs", "1"),
        *("--time-limit", "5s", "--out", str(root.parent / "runs"), *more),
    ]


def environment():
    return {**os.environ, "REBALANCER_NOW": NOW}


def told(store):
    """What the events say, without ids of runs and times."""
    with store.reading() as connection:
        return sorted((row.book, row.what, row.body) for row in connection.execute(sa.select(events)))


@pytest.fixture(params=["sqlite", "postgresql"])
def shared(request, tmp_path):
    if request.param == "sqlite":
        return sqlite_store(tmp_path)
    return postgresql_store(request.getfixturevalue("postgresql"))


@pytest.mark.long
@pytest.mark.parametrize("runs", [2, 5, 20])
def test_of_several_nights_at_once_one_proposes_and_the_others_say_busy(shared, root, runs):
    reference = sqlite_store(root)
    assert subprocess.run(command(root, address_of(reference)), env=environment(), capture_output=True).returncode == 0
    for _ in range(REPEATS):
        address = address_of(shared)
        every = [
            subprocess.Popen(command(root, address), env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            for _ in range(runs)
        ]
        ended = [(process.communicate()[1].decode(), process.returncode) for process in every]
        codes = {code for _, code in ended}
        assert codes <= {0, 75}, ended
        assert 0 in codes
        assert all("a night is under way" in err for err, code in ended if code == 75)
        assert [row["book"] for row in list_proposals(shared)] == ["north"]
        assert audit(shared).ok
        assert told(shared) == told(reference)


@pytest.mark.long
def test_several_nights_at_once_make_one_store_that_was_not_there(root):
    address = str(root.parent / "new.db")
    every = [
        subprocess.Popen(command(root, address, "--wait", "5m"), env=environment(), stderr=subprocess.PIPE)
        for _ in range(5)
    ]
    ended = [(process.communicate()[1].decode(), process.returncode) for process in every]
    assert [code for _, code in ended] == [0] * 5, ended
    assert [row["book"] for row in list_proposals(open_store(address))] == ["north"]


@pytest.mark.long
def test_a_night_that_is_killed_anywhere_is_finished_by_the_next(shared, root):
    write(root, "west")
    reference = sqlite_store(root)
    started = time.monotonic()
    assert subprocess.run(command(root, address_of(reference)), env=environment(), capture_output=True).returncode == 0
    whole = time.monotonic() - started
    chance = random.Random(7)
    for _ in range(20):
        process = subprocess.Popen(command(root, address_of(shared)), env=environment(), stdout=subprocess.DEVNULL)
        time.sleep(chance.uniform(0, whole))
        process.kill()
        process.wait()
        assert audit(shared).ok
    again = subprocess.run(command(root, address_of(shared)), env=environment(), capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert sorted(row["book"] for row in list_proposals(shared)) == ["north", "west"]
    assert told(shared) == told(reference)


def ends_within(group, seconds):
    """No process of the group is left after so long."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.long
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_night_that_is_told_to_stop_stops_soon_and_leaves_no_process(shared, root, number, code):
    chance = random.Random(number)
    for _ in range(5):
        process = subprocess.Popen(
            command(root, address_of(shared), "--json"),
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        time.sleep(chance.uniform(1.5, 3))
        process.send_signal(number)
        asked = time.monotonic()
        _, err = process.communicate(timeout=60)
        assert process.returncode in (code, 0, -number), err  # the last: before it could listen
        assert time.monotonic() - asked < 10
        assert b"Traceback" not in err
        assert ends_within(process.pid, 5)
        assert audit(shared).ok
