"""The chain of events: whoever changes a store behind its back is found out. And what its tables refuse."""

import random

import pandas as pd
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from stores import START, as_approver, later, plan_of, sqlite_store, submitted, tampered

from rebalancer.crm.folder import LEDGER_COLUMNS
from rebalancer.errors import RebalancerError, UsageError
from rebalancer.store import apply, approve, audit, open_store, record_results, reject, submit_plan, undo
from rebalancer.store.events import canonical, hash_of
from rebalancer.store.lifecycle import CHANGES
from rebalancer.store.schema import MIGRATIONS
from rebalancer.store.tables import APPEND_ONLY, REVISION, events, metadata


def busy(store, rounds):
    """A store in which a lot has happened."""
    other = as_approver(store)
    for number in range(rounds):
        now = later(days=number)
        name = submitted(store, {"A-5": "M-3"}, {**OWNED, "A-5": ""}, f"run-{number}", now=now)
        approve(other, name, now=now)
        apply(store, name, now=now)
        back = undo(store, name, now=now).proposal_id
        approve(other, back, now=now)
        apply(store, back, now=now)
    reject(store, submitted(store, {"A-1": "M-2"}, run="last", now=later(days=9)), now=later(days=9))
    return store


OWNED = {"A-1": "M-1", "A-2": "M-1", "A-3": "M-2", "A-4": "M-2", "A-5": ""}


def all_events(store):
    with store.reading() as connection:
        return [dict(row._mapping) for row in connection.execute(sa.select(events).order_by(events.c.seq))]


def flip(told, at, chance):
    """One letter of one field differs."""
    column = chance.choice(["at", "actor", "what", "book", "proposal_id", "body", "previous", "hash"])
    text = told[at][column]
    place = chance.randrange(len(text)) if text else 0
    letter = chance.choice([c for c in "0123456789abcdef" if text[place : place + 1] != c])
    told[at][column] = text[:place] + letter + text[place + 1 :]


def flip_and_rehash(told, at, chance):
    """The body differs, and its hash was made to fit."""
    told[at]["body"] = canonical({"state": "applied", "forged": chance.random()})
    told[at]["hash"] = hash_of(told[at])


def delete(told, at, chance):
    """It is gone."""
    del told[at]


def delete_and_close(told, at, chance):
    """It is gone, and those behind it moved up."""
    del told[at]
    for event in told[at:]:
        event["seq"] -= 1


def reorder(told, at, chance):
    """It has changed places with another."""
    other = chance.choice([i for i in range(len(told)) if i != at])
    told[at]["seq"], told[other]["seq"] = told[other]["seq"], told[at]["seq"]


def backdate(told, at, chance):
    """It is dated days before."""
    told[at]["at"] = "2026-01-1" + str(chance.randrange(5)) + told[at]["at"][10:]


WAYS = [flip, flip_and_rehash, delete, delete_and_close, reorder, backdate]


@pytest.mark.long
def test_200_random_changes_of_events_are_all_found(store):
    busy(store, 4)
    said = pd.DataFrame([("A-5", "id-5", "user-3", "failed", "BUSY", "2026-01-15T08:00:00Z")], columns=LEDGER_COLUMNS)
    record_results(store, "run-0", said, now=later(days=9))
    assert audit(store).ok
    told, chance = all_events(store), random.Random(20260115)
    assert {"observed", "submitted", "approved", "applied", "undone", "rejected", "crm_results"} <= {
        event["what"] for event in told
    }
    unseen = []
    for number in range(200):
        changed = [dict(event) for event in told]
        WAYS[number % len(WAYS)](changed, chance.randrange(len(changed)), chance)
        forge(store, changed)
        if audit(store).ok:
            unseen.append((number, WAYS[number % len(WAYS)].__name__))
    assert unseen == []
    forge(store, told)
    assert audit(store).ok


def forge(store, told):
    """Put other events in the place of those of a store."""
    with store.engine.connect() as connection:
        if store.enforced:
            connection.exec_driver_sql("SET session_replication_role = replica")
        else:
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
            triggers = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'")
            for name in triggers.scalars().all():
                connection.exec_driver_sql(f"DROP TRIGGER {name}")
            connection.exec_driver_sql("BEGIN")
        connection.execute(events.delete())
        connection.execute(events.insert(), told)
        connection.commit()


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("UPDATE accounts SET am_id = 'M-9' WHERE account_id = 'A-1'", "owner"),
        ("DELETE FROM accounts WHERE account_id = 'A-1'", "owner"),
        ("UPDATE history SET to_am = 'M-9' WHERE account_id = 'A-1'", "history"),
        ("DELETE FROM history WHERE account_id = 'A-1'", "history"),
        ("UPDATE proposals SET state = 'applied' WHERE run_id = 'last'", "proposal"),
        ("UPDATE moves SET decision = 'approved', approval = NULL WHERE decision = 'rejected'", "decision"),
        ("UPDATE moves SET to_am = 'M-9'", "moves"),
        ("UPDATE approvals SET expires_at = '2099-01-01T00:00:00Z'", "approval"),
        ("UPDATE approvals SET approved_by = 'somebody'", "approval"),
        ("UPDATE events SET actor = 'somebody' WHERE seq = 3", "changed"),
    ],
)
def test_a_table_that_is_not_as_the_events_say_is_found(store, statement, kind):
    tampered(busy(store, 1), statement)
    assert kind in {finding.kind for finding in audit(store).findings}


def test_a_chain_that_was_written_anew_is_found_by_the_anchor_of_an_earlier_audit(tmp_path):
    store = busy(sqlite_store(tmp_path), 1)
    anchor = audit(store).anchor
    told = all_events(store)
    told[1]["actor"] = "somebody"
    with store.reading() as connection:
        previous = connection.exec_driver_sql("SELECT store_id FROM chain").scalar_one()
    for event in told:
        event["previous"] = previous
        previous = event["hash"] = hash_of(event)
    forge(store, told)
    with store.engine.connect() as connection:
        connection.exec_driver_sql("UPDATE chain SET head_hash = ?", (previous,))
        connection.commit()
    assert not [finding for finding in audit(store).findings if finding.kind in ("changed", "order", "missing")]
    assert "anchor" in {finding.kind for finding in audit(store, anchor=anchor).findings}


def test_the_anchor_of_an_earlier_audit_holds_as_the_store_grows(store):
    busy(store, 1)
    anchor = audit(store).anchor
    submit_plan(store, plan_of({"A-2": "M-3"}, run="more"), now=later(days=20))
    assert audit(store, anchor=anchor).ok


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize("change", ["DELETE FROM {}", "UPDATE {} SET event_seq = event_seq + 100"])
def test_what_is_append_only_is_neither_changed_nor_deleted(store, table, change):
    busy(store, 1)
    statement = change.format(table).replace("event_seq", "seq" if table == "events" else "event_seq")
    with pytest.raises(RebalancerError, match="append-only"), store.writing() as work:
        work.connection.execute(sa.text(statement))
    assert audit(store).ok


def test_the_tables_refuse_every_change_of_state_that_is_not_legal(store):
    states = ("open", "approved", "rejected", "superseded", "applied", "undone")
    name = submitted(store)
    approve(as_approver(store), name, now=START)
    for before in states:
        for now in states:
            tampered_state(store, name, before)
            refused = not changes(store, name, now)
            assert refused == (before != now and (before, now) not in CHANGES), (before, now)


def tampered_state(store, name, state):
    """Put a proposal in a state, past the trigger."""
    with store.engine.begin() as connection:
        if store.enforced:
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
            connection.execute(sa.text(f"UPDATE proposals SET state = '{state}' WHERE proposal_id = '{name}'"))
        else:
            trigger = connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE name = 'proposals_legal'")
            made = trigger.scalar_one()
            connection.exec_driver_sql("DROP TRIGGER proposals_legal")
            connection.execute(sa.text(f"UPDATE proposals SET state = '{state}' WHERE proposal_id = '{name}'"))
            connection.exec_driver_sql(made)


def changes(store, name, state):
    """A statement that puts the proposal into a state is let through."""
    try:
        with store.writing() as work:
            work.connection.execute(sa.text(f"UPDATE proposals SET state = '{state}' WHERE proposal_id = '{name}'"))
    except RebalancerError as error:
        if "illegal change of a proposal" in str(error):
            return False
        raise
    return True


def test_the_tables_refuse_to_apply_what_has_no_approval(store):
    name = submitted(store)
    assert changes(store, name, "approved")
    assert not changes(store, name, "applied")


# Identity


def test_postgresql_refuses_an_approval_by_the_proposer(postgresql):
    from stores import postgresql_store

    store = postgresql_store(postgresql)
    name = submitted(store)
    with pytest.raises(UsageError, match="somebody else has to approve it"):
        approve(store, name, now=START)
    with pytest.raises(UsageError, match="leave out --by"):
        approve(as_approver(store), name, by="postgres", now=START)
    events_before = len(all_events(store))
    insert = "INSERT INTO approvals SELECT 1, proposal_id, plan_hash, '{}', '2099' FROM proposals"
    for who in ("postgres", "olga"):
        with pytest.raises(RebalancerError, match="not approved by its proposer"), store.writing() as work:
            work.connection.execute(sa.text(insert.format(who)))
    assert len(all_events(store)) == events_before
    assert approve(as_approver(store), name, now=START).changed


def test_in_a_file_a_name_is_only_claimed(tmp_path):
    store = sqlite_store(tmp_path)
    name = submitted(store, by="ann")
    approve(store, name, by="ann", now=START)
    assert [event["actor"] for event in all_events(store)[1:]] == ["ann", "ann"]


# Versions


def test_the_migrations_make_the_tables_that_the_code_declares(store):
    with store.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    assert ScriptDirectory(str(MIGRATIONS)).get_heads() == [REVISION]


def test_a_store_of_a_newer_version_is_refused(store):
    from stores import address_of

    with store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    for create in (False, True):
        with pytest.raises(UsageError, match="made by a newer rebalancer"):
            open_store(address_of(store), create=create)


def test_opening_a_store_again_changes_nothing(store):
    from stores import address_of, content

    submitted(store)
    before = content(store)
    assert content(open_store(address_of(store), create=True)) == before


def test_what_is_no_store_is_refused_without_a_password_in_the_message(tmp_path, postgresql):
    (tmp_path / "text.db").write_text("not a database, but long enough to look like a file of some kind" * 20)
    empty = postgresql.url(postgresql.new_database()).replace("postgres@", "postgres:s3cret@")
    for address, said in (
        (str(tmp_path / "none.db"), "there is no store"),
        (str(tmp_path / "text.db"), "not a store"),
        ("mysql://host/name", "SQLite file or a PostgreSQL"),
        (str(tmp_path / "no" / "folder.db"), "no such folder|no store"),
        (empty, "has no tables"),
        ("postgresql://ann:s3cret@/x?host=/nowhere", "failed"),
    ):
        with pytest.raises(RebalancerError, match=said) as refused:
            open_store(address)
        assert "s3cret" not in str(refused.value)
