"""What the CRM did, in the store: counted once, whatever files come, told by the audit, and used by an undo."""

import itertools
import json
import os

import pandas as pd
import pytest
import sqlalchemy as sa
from simulated_salesforce import ACCOUNTS, AMS, LOCKED, data_loader, salesforce_text
from small_books import write_book
from stores import OWNERS, START, as_approver, content, later, plan_of, submitted, tampered

from rebalancer.crm.folder import LEDGER_COLUMNS, default_folder
from rebalancer.errors import UsageError
from rebalancer.store import apply, approve, audit, open_store, owners, record_results, reject, show, submit_plan, undo

PLAN = {"A-1": "M-2", "A-2": "M-3", "A-3": "M-1"}
EARLY, LATE = "2026-01-15T08:00:00Z", "2026-01-15T08:30:00Z"


def files_say(owner="", **states):
    """The ledger of the files: `files_say(A_1="done", A_2="failed BUSY")`; other moves of the plan are pending."""
    rows = []
    for account, to in PLAN.items():
        state, _, rest = states.get(account.replace("-", "_"), "pending").partition(" ")
        error, _, when = rest.partition(" at ")
        rows.append((account, f"id-{account}", owner or f"user-{to}", state, error, when or EARLY))
    frame = pd.DataFrame(rows, columns=LEDGER_COLUMNS, dtype=object)
    frame.loc[frame["state"] == "pending", "when"] = ""
    return frame


@pytest.fixture
def applied(store):
    """A store with an applied proposal of the run `run-1`."""
    name = submitted(store, PLAN)
    approve(as_approver(store), name, now=START)
    apply(store, name, now=START)
    return store, name


def told(store):
    """The states and errors that the store has."""
    with store.reading() as connection:
        rows = connection.execute(sa.text("SELECT account_id, state, error FROM ledger ORDER BY account_id")).all()
    return {row.account_id: " ".join(part for part in row[1:] if part) for row in rows}


def events_of(store, what="crm_results"):
    with store.reading() as connection:
        rows = connection.execute(sa.text("SELECT body FROM events WHERE what = :what ORDER BY seq"), {"what": what})
        return [json.loads(row.body) for row in rows]


def test_every_account_of_the_files_is_in_the_store_with_one_event(applied):
    store, name = applied
    found = record_results(store, "run-1", files_say(A_1="done", A_2="failed BUSY"), now=START)
    assert (found.proposal_id, found.state, found.changed) == (name, "applied", 3)
    assert found.counts == {"done": 1, "failed": 1, "pending": 1}
    assert told(store) == {"A-1": "done", "A-2": "failed BUSY", "A-3": "pending"}
    (event,) = events_of(store)
    assert {key: event[key] for key in ("run_id", "done", "failed", "pending", "changed")} == {
        "run_id": "run-1", "done": 1, "failed": 1, "pending": 1, "changed": 3
    }  # fmt: skip
    assert audit(store).ok


def test_the_same_results_again_change_nothing(applied):
    store, _ = applied
    record_results(store, "run-1", files_say(A_1="done"), now=START)
    before = content(store)
    again = record_results(store, "run-1", files_say(A_1="done"), now=later(days=1))
    assert (again.changed, again.counts["done"]) == (0, 1)
    assert content(store) == before


def test_done_stays_done_and_the_latest_failure_counts_in_any_order(store):
    name = submitted(store, PLAN)
    approve(as_approver(store), name, now=START)
    imports = [
        files_say(A_1="failed BUSY", A_2=f"failed OLD at {EARLY}"),
        files_say(A_1="done"),
        files_say(A_2=f"failed NEW at {LATE}"),
    ]
    ends = set()
    for order in itertools.permutations(imports):
        tampered(store, "DELETE FROM ledger", "DELETE FROM events WHERE what = 'crm_results'")
        tampered(store, "UPDATE chain SET head_seq = (SELECT max(seq) FROM events)")
        for frame in order:
            record_results(store, "run-1", frame, now=START)
        ends.add(tuple(sorted(told(store).items())))
    assert ends == {(("A-1", "done"), ("A-2", "failed NEW"), ("A-3", "pending"))}


def test_an_export_to_another_user_takes_the_place_of_what_was_not_done(applied):
    store, _ = applied
    record_results(store, "run-1", files_say(A_1="done", A_2="failed INACTIVE"), now=START)
    record_results(store, "run-1", files_say(owner="user-other", A_2="done"), now=START)
    assert told(store) == {"A-1": "done", "A-2": "done", "A-3": "pending"}
    assert audit(store).ok


def test_results_are_recorded_of_an_approved_proposal_too_and_name_what_nobody_approved(store):
    name = submitted(store, PLAN)
    approve(as_approver(store), name, accounts=["A-1"], now=START)
    found = record_results(store, "run-1", files_say(A_1="done"), now=START)
    assert (found.state, found.not_approved) == ("approved", ("A-2", "A-3"))
    assert show(store, name).crm == {"done": 1, "failed": 0, "pending": 0}


@pytest.mark.parametrize("state", ["open", "rejected", "superseded"])
def test_results_of_a_proposal_that_was_never_loaded_are_refused_with_its_state(store, state):
    name = submitted(store, PLAN)
    if state == "rejected":
        reject(store, name, now=START)
    if state == "superseded":
        submitted(store, {"A-4": "M-3"}, run="run-2")
    before = content(store)
    with pytest.raises(UsageError, match=f"proposal {name} of run run-1 is {state}"):
        record_results(store, "run-1", files_say(A_1="done"), now=START)
    assert content(store) == before


def test_results_of_a_run_or_a_book_that_the_store_does_not_know_are_refused(applied):
    store, _ = applied
    with pytest.raises(UsageError, match="no proposal of run run-9"):
        record_results(store, "run-9", files_say(), now=START)
    with pytest.raises(UsageError, match='no book "other"'):
        record_results(store, "run-1", files_say(), book="other", now=START)


def test_a_proposal_says_what_became_of_it_in_the_crm(applied):
    store, name = applied
    assert show(store, name).crm is None
    record_results(store, "run-1", files_say(A_1="done", A_2="failed BUSY"), now=START)
    assert show(store, name).crm == {"done": 1, "failed": 1, "pending": 1}
    assert show(store, name).events[-1]["what"] == "crm_results"


def test_an_undo_names_what_the_crm_never_took_and_gives_all_of_it_back(applied):
    store, name = applied
    assert undo(store, name, now=START).not_in_crm == ()
    record_results(store, "run-1", files_say(A_1="done", A_2="failed BUSY"), now=START)
    back = undo(store, name, now=START)
    assert (back.new, back.moves, back.not_in_crm) == (False, 3, ("A-2", "A-3"))
    approve(as_approver(store), back.proposal_id, now=START)
    apply(store, back.proposal_id, now=START)
    assert {account: am for account, (am, _) in owners(store, "main").items()} == OWNERS
    assert undo(store, name, now=START).not_in_crm == ("A-2", "A-3")
    assert audit(store).ok


def test_an_undo_names_only_what_it_gives_back(applied):
    store, name = applied
    record_results(store, "run-1", files_say(A_1="failed BUSY"), now=START)
    now = {**OWNERS, "A-1": "M-3", "A-2": "M-3", "A-3": "M-1"}
    submit_plan(store, plan_of({}, now, "run-2", day="2026-01-16"), now=START)
    back = undo(store, name, now=START)
    assert back.left_out == ("A-1 changed since",)
    assert back.not_in_crm == ("A-2", "A-3")


def test_results_that_come_after_the_undo_are_recorded(applied):
    store, name = applied
    back = undo(store, name, now=START).proposal_id
    approve(as_approver(store), back, now=START)
    apply(store, back, now=START)
    assert record_results(store, "run-1", files_say(A_1="done"), now=START).state == "undone"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger SET state = 'done', error = '' WHERE account_id = 'A-2'",
        "UPDATE ledger SET crm_owner = 'user-M-9' WHERE account_id = 'A-1'",
        "DELETE FROM ledger WHERE account_id = 'A-3'",
        "DELETE FROM ledger",
        "UPDATE ledger SET run_id = 'run-0'",
        "INSERT INTO ledger SELECT book_id, run_id, 'A-9', crm_id, crm_owner, state, error, changed_at FROM ledger"
        " WHERE account_id = 'A-1'",
    ],
)
def test_a_ledger_that_is_not_as_it_was_imported_is_found(applied, statement):
    store, _ = applied
    record_results(store, "run-1", files_say(A_1="done", A_2="failed BUSY"), now=START)
    record_results(store, "run-1", files_say(A_2=f"failed BUSY at {LATE}"), now=START)
    assert audit(store).ok
    tampered(store, statement)
    assert {finding.kind for finding in audit(store).findings} == {"ledger"}


# The command


@pytest.fixture
def loaded(run, tmp_path, monkeypatch):
    """The command line, the proposal of an exported run, and the rows of its export."""
    monkeypatch.setenv("REBALANCER_NOW", "2026-01-15T09:00:00Z")
    monkeypatch.delenv("REBALANCER_STORE", raising=False)
    write_book(tmp_path / "book", accounts=salesforce_text(ACCOUNTS), ams=salesforce_text(AMS))
    assert run("propose", "book", "--reproducible", "--out", "one").code == 0
    name = run("proposals", "submit", "one", "--json").json["proposal_id"]
    assert run("export", "one", "--to", "salesforce").code == 0
    lines = (default_folder("one") / "owners.csv").read_text().splitlines()[1:]
    return run, name, [tuple(line.split(",")) for line in lines]


def results(tmp_path, done, failed):
    files = data_loader(tmp_path, list(done), [(*row, LOCKED) for row in failed])
    for file in files:
        os.utime(file, (0, 1768467600))
    return [str(file) for file in files]


def approve_and_apply(run, name):
    assert run("proposals", "approve", name).code == 0
    assert run("proposals", "apply", name).code == 0


def test_import_results_tells_the_store_too(loaded, tmp_path):
    run, name, rows = loaded
    approve_and_apply(run, name)
    files = results(tmp_path, rows[1:], rows[:1])
    done = run("import-results", "one", *files, "--store", "rebalancer.db", "--by", "ann")
    assert f"Recorded with proposal {name}, which is applied ({len(rows)} changed)." in done.out
    assert f"{len(rows) - 1} of {len(rows)} accounts done, 1 failed" in done.out
    again = run("import-results", "one", *files, "--store", "rebalancer.db", "--json").json["store"]
    assert (again["changed"], again["counts"]["failed"]) == (0, 1)
    shown = run("proposals", "show", name)
    assert f"In the CRM: {len(rows) - 1} done, 1 failed, 0 pending." in shown.out
    assert "crm_results by ann" in shown.out
    assert run("proposals", "show", name, "--json").json["crm"] == {"done": len(rows) - 1, "failed": 1, "pending": 0}
    assert run("proposals", "audit").code == 0


def test_the_undo_says_what_is_not_to_be_loaded_back(loaded, tmp_path):
    run, name, rows = loaded
    approve_and_apply(run, name)
    assert "In the CRM: no results were imported yet." in run("proposals", "show", name).out
    placed = [row for row in rows if row[0] in (tmp_path / "one-crm" / "rollback.csv").read_text()]
    run("import-results", "one", *results(tmp_path, [], placed[:1]), "--store", "rebalancer.db")
    back = run("proposals", "undo", name)
    assert f"so nothing is to be loaded back there: {placed[0][0]}" in back.out


def test_import_results_of_what_is_not_approved_records_nothing_anywhere(loaded, tmp_path):
    run, name, rows = loaded
    ledger = (tmp_path / "one-crm" / "ledger.csv").read_bytes()
    refused = run("import-results", "one", *results(tmp_path, rows, []), "--store", "rebalancer.db")
    assert refused.code == 2
    assert f"proposal {name} of run" in refused.err
    assert "is open" in refused.err
    assert (tmp_path / "one-crm" / "ledger.csv").read_bytes() == ledger


def test_without_a_store_the_files_alone_are_written(loaded, tmp_path):
    run, _, rows = loaded
    done = run("import-results", "one", *results(tmp_path, rows, []), "--json")
    assert (done.code, done.json["store"], done.json["done"]) == (0, None, len(rows))
    assert told(open_store("rebalancer.db")) == {}
