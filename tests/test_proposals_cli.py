"""`rebalancer proposals`: a run directory on its way through a store."""

import json

import pytest
from small_books import ACCOUNTS, AMS, TIGHT_AMS, write_book

from rebalancer.store import open_store, owners

ON = "2026-01-15T09:00:00Z"


@pytest.fixture(autouse=True)
def _day(monkeypatch):
    monkeypatch.setenv("REBALANCER_NOW", ON)
    monkeypatch.delenv("REBALANCER_STORE", raising=False)


@pytest.fixture
def proposed(run, tmp_path):
    """The command line, and the run of a small book of which three accounts move."""
    propose(run, tmp_path, "runs/one")
    return run


def propose(run, tmp_path, out, accounts=ACCOUNTS, ams=AMS, settings="", code=0):
    write_book(tmp_path / "book", accounts=accounts, ams=ams)
    done = run("propose", "book", "--reproducible", "--out", out, *settings.split())
    assert done.code == code, done.err


def submit(run, what="runs/one", *more):
    done = run("proposals", "submit", what, "--json", *more)
    assert done.code == 0, done.out
    return done.json["proposal_id"]


def test_a_run_goes_all_the_way(proposed, tmp_path):
    run, name = proposed, submit(proposed, "runs/one", "--by", "ann")
    listed = run("proposals", "list", "--json").json["proposals"]
    assert [(one["proposal_id"], one["state"], one["proposed_by"]) for one in listed] == [(name, "open", "ann")]
    moves = listed[0]["moves"]
    assert run("proposals", "approve", name, "--by", "olga", "--json").json["approved"] == moves
    assert run("proposals", "apply", name[:6], "--json").json["accounts"] == moves
    assert "was applied before; nothing was changed" in run("proposals", "apply", name).out
    owner = {account: am for account, (am, _) in owners(open_store("rebalancer.db"), "main").items()}
    planned = (tmp_path / "runs" / "one" / "assignments.csv").read_text().splitlines()[1:]
    assert owner == {line.split(",")[0]: line.split(",")[2] for line in planned}
    assert run("proposals", "audit").code == 0


def test_what_a_planner_reads_of_every_step(proposed):
    run = proposed
    assert "moves to decide in book main" in run("proposals", "submit", "runs/one").out
    name = run("proposals", "list", "--json").json["proposals"][0]["proposal_id"]
    assert "is there already, open; nothing was changed." in run("proposals", "submit", "runs/one").out
    shown = run("proposals", "show", name).out
    assert f"Proposal {name} of book main: open" in shown
    assert "undecided" in shown
    part = run("proposals", "approve", name, "--account", "A-06", "--comment", "he is free")
    assert "1 move approved, until 2026-01-29T09:00:00Z" in part.out
    assert "may leave a book above its limit" in part.err
    assert "this was approved before" in run("proposals", "approve", name, "--account", "A-06").out
    assert "approved by" in run("proposals", "show", name).out
    assert "he is free" in run("proposals", "show", name).out
    assert "1 account changed hands" in run("proposals", "apply", name).out
    history = run("proposals", "history", "--account", "A-06", "--csv", "all.csv").out
    assert "2 changes" in history
    assert name in history


def test_the_history_is_to_be_taken_away(proposed, tmp_path):
    submit(proposed)
    assert proposed("proposals", "history", "--csv", "changes.csv").code == 0
    lines = (tmp_path / "changes.csv").read_text().splitlines()
    assert lines[0].startswith("at,book,account_id,from_am,to_am")
    assert len(lines) == 8


def test_undo_is_a_proposal_of_its_own_and_says_what_stays(proposed):
    run, name = proposed, submit(proposed)
    run("proposals", "approve", name)
    run("proposals", "apply", name)
    back = run("proposals", "undo", name)
    assert "gives back" in back.out
    assert "Left out: A-07: M-3 can't receive accounts any more." in back.out
    live = run("proposals", "list", "--live", "--json").json["proposals"]
    assert [one["undoes"] for one in live] == [name]


def test_a_stale_proposal_ends_with_8_and_names_what_changed(proposed, tmp_path):
    run, name = proposed, submit(proposed)
    run("proposals", "approve", name)
    moved = run("proposals", "show", name, "--json").json["moves"]
    changed = next(move["account_id"] for move in moved if move["from_am"] == "M-1")
    line = next(line for line in ACCOUNTS.splitlines() if line.startswith(changed))
    accounts = ACCOUNTS.replace(line, line.replace(",M-1,", ",M-2,"))
    write_book(tmp_path / "book", accounts=accounts)
    run("propose", "book", "--reproducible", "--out", "runs/two", "--effective-date", "2026-01-16")
    refused = run("proposals", "submit", "runs/two", "--json")
    assert refused.code == 0
    second = refused.json["proposal_id"]
    if second:
        assert refused.json["superseded"] == [name]
    old = run("proposals", "submit", "runs/one", "--json")
    assert old.json["new"] is False
    propose(run, tmp_path, "runs/three", settings="--seed 7")
    stale = run("proposals", "submit", "runs/three", "--json")
    assert stale.code == 8
    assert stale.json["error"]["kind"] == "StalePlan"
    assert stale.json["error"]["changes"] == [f"{changed} belongs to M-2, not M-1"]


def test_a_book_in_which_nothing_has_to_move_makes_no_proposal(run, tmp_path):
    from small_books import OWNED, WIDE_AMS

    propose(run, tmp_path, "runs/none", OWNED, WIDE_AMS)
    assert "No change is needed" in run("proposals", "submit", "runs/none").out
    assert "(submitted before)" in run("proposals", "submit", "runs/none").out
    assert run("proposals", "list").out == "No proposals.\n"


def test_a_plan_that_keeps_not_every_limit_is_not_submitted(run, tmp_path):
    propose(run, tmp_path, "runs/tight", ams=TIGHT_AMS, code=4)
    done = run("proposals", "submit", "runs/tight")
    assert (done.code, "not a plan to apply" in done.err) == (4, True)


def test_a_run_that_was_edited_is_not_submitted(proposed, tmp_path):
    file = tmp_path / "runs" / "one" / "assignments.csv"
    file.write_text(file.read_text().replace("M-2", "M-1"))
    assert proposed("proposals", "submit", "runs/one").code == 3


def test_an_edited_run_with_a_manifest_to_match_fails_the_independent_check(proposed, tmp_path):
    from hashlib import sha256

    folder = tmp_path / "runs" / "one"
    file, manifest = folder / "assignments.csv", folder / "manifest.json"
    lines = file.read_text().splitlines(keepends=True)
    lines = [line.replace(",M-1,M-1,", ",M-1,M-2,").replace(",M-1,M-2,", ",M-1,M-1,") for line in lines]
    file.write_text("".join(lines))
    content = json.loads(manifest.read_text())
    content["files"]["assignments.csv"] = sha256(file.read_bytes()).hexdigest()
    manifest.write_text(json.dumps(content))
    done = proposed("proposals", "submit", "runs/one")
    assert (done.code, "rejected by the independent check" in done.err) == (7, True)


def test_a_store_that_was_changed_ends_the_audit_with_7(proposed):
    import sqlite3
    from contextlib import closing

    submit(proposed)
    with closing(sqlite3.connect("rebalancer.db")) as connection:
        connection.execute("UPDATE accounts SET am_id = 'M-9' WHERE account_id = 'A-01'")
        connection.commit()
    done = proposed("proposals", "audit", "--json")
    assert done.code == 7
    assert [finding["kind"] for finding in done.json["findings"]] == ["owner"]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["list"], "there is no store"),
        (["list", "--store", "postgresql://ann:s3cret@host/x"], "a password in --store"),
        (["list", "--store", "mysql://host/x"], "SQLite file or a PostgreSQL"),
        (["show", "feedbeef"], "there is no store"),
    ],
)
def test_a_call_that_makes_no_sense_ends_with_2_and_tells_no_password(run, args, said):
    done = run("proposals", *args)
    assert done.code == 2
    assert said in done.err
    assert "s3cret" not in done.err + done.out


def test_the_clock_of_the_environment_must_be_a_time(proposed, monkeypatch):
    monkeypatch.setenv("REBALANCER_NOW", "tomorrow")
    done = proposed("proposals", "submit", "runs/one")
    assert (done.code, "REBALANCER_NOW is not a time" in done.err) == (2, True)


def test_init_makes_a_store_and_is_harmless_when_repeated(run, tmp_path):
    for _ in range(2):
        assert run("proposals", "init", "--json").json["identity_enforced"] is False
    assert (tmp_path / "rebalancer.db").is_file()
    assert run("proposals", "audit").code == 0
