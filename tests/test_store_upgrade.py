"""Stores of earlier versions: upgraded whole or not at all, with every event, and refused where they are too new.

The golden store of a revision is made by its own migration and filled by plain SQL as that version wrote it, so that
what the code of today writes has no part in it.
"""

import os
import random
import signal
import sqlite3
import time
import warnings
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from stores import OWNERS, as_approver, later, submitted

from rebalancer.errors import UsageError
from rebalancer.store import Store, apply, approve, audit, open_store, owners, reject, show, undo
from rebalancer.store.connect import engine_of, transaction, url_of
from rebalancer.store.schema import MIGRATIONS, revision_of
from rebalancer.store.tables import REVISION, metadata

GOLDEN = Path(__file__).parent / "golden"
OLDER = sorted(file.stem for file in GOLDEN.glob("*.sql"))
"""Revisions of which there is a golden store."""

APPLIED, OPEN = "e7e4400cd5ccdc22", "c92b46d8aecd19c8"
"""Its proposals that can go on: one is applied, of the other a move is approved."""


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request, tmp_path):
    """Where a store may be made."""
    if request.param == "sqlite":
        return str(tmp_path / "store.db")
    running = request.getfixturevalue("postgresql")
    return running.url(running.new_database())


def golden(address, revision):
    """A store of an older revision, filled."""
    engine = engine_of(url_of(address))
    with transaction(engine, writes=True) as connection:
        migrate(connection, revision)
        file = engine.dialect.name == "sqlite"
        begin = "PRAGMA defer_foreign_keys = ON" if file else "SET LOCAL session_replication_role = replica"
        lines = (GOLDEN / f"{revision}.sql").read_text(encoding="utf-8").split(";\n")
        for statement in [begin, *filter(str.strip, lines)]:
            connection.exec_driver_sql(statement if file else statement.replace("%", "%%"))
    return engine


def migrate(connection, revision):
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def rows(engine):
    """Every row of every table that a store has, whatever its revision."""
    with engine.connect() as connection:
        names = sorted(sa.inspect(connection).get_table_names())
        return {name: sorted(map(repr, connection.execute(sa.text(f"SELECT * FROM {name}")))) for name in names}


def test_every_revision_before_the_newest_has_a_golden_store():
    made = {script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()}
    assert set(OLDER) == made - {REVISION}


@pytest.mark.parametrize("revision", OLDER)
def test_a_store_of_every_older_revision_is_refused_until_it_is_upgraded(address, revision):
    golden(address, revision)
    with pytest.raises(UsageError, match=f"has tables of revision {revision}, and this version needs {REVISION}"):
        open_store(address)
    assert revision_of(open_store(address, create=True).engine) == REVISION


@pytest.mark.parametrize("revision", OLDER)
def test_an_upgraded_store_has_every_event_and_the_tables_that_the_code_declares(address, revision):
    before = rows(golden(address, revision))
    store = open_store(address, create=True)
    after = rows(store.engine)
    for table in ("events", "history", "proposals", "moves", "approvals", "locks", "runs", "people", "chain"):
        assert after[table] == before[table], table
    assert [row[:-1] for row in after["accounts"]] == [f"{row[:-1]}, ''" for row in before["accounts"]]
    found = audit(store)
    assert (found.findings, found.events, found.proposals) == ((), 8, 3)
    with store.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


@pytest.mark.parametrize("revision", OLDER)
def test_proposals_of_an_upgraded_store_go_on(address, revision):
    golden(address, revision)
    store = open_store(address, create=True)
    now = later(days=1)
    assert show(store, OPEN, now=now).facts["state"] == "approved"
    assert apply(store, OPEN, now=now).accounts == 1
    back = undo(store, APPLIED, now=now).proposal_id
    approve(as_approver(store), back, now=now)
    apply(store, back, now=now)
    assert {account: am for account, (am, _) in owners(store, "main").items()} == {**OWNERS, "A-4": "M-3"}
    again = submitted(store, {"A-2": "M-3"}, {**OWNERS, "A-1": "M-2"}, "run-9", now=now, day="2026-01-17")
    assert reject(store, again, now=now).state == "rejected"
    assert audit(store).ok


@pytest.mark.parametrize("revision", OLDER)
def test_a_file_is_copied_before_it_is_upgraded(tmp_path, revision):
    before = rows(golden(str(tmp_path / "store.db"), revision))
    open_store(str(tmp_path / "store.db"), create=True)
    backup = tmp_path / f"store.db.{revision}.backup"
    assert rows(engine_of(url_of(str(backup)))) == before
    left = sorted(file.name for file in tmp_path.iterdir() if not file.name.endswith(("-wal", "-shm")))
    assert left == ["store.db", backup.name]
    written = backup.stat().st_mtime_ns
    open_store(str(tmp_path / "store.db"), create=True)
    assert backup.stat().st_mtime_ns == written


def test_an_error_before_any_statement_of_an_upgrade_leaves_the_store_as_it_was(address):
    engine = golden(address, "0001")
    before, number = rows(engine), 0
    while revision_of(engine) == "0001":
        assert rows(engine) == before, f"statement {number}"
        number += 1
        with failing_at(number), suppress(Fault):
            open_store(address, create=True)
    assert number > 15
    assert audit(open_store(address)).ok


class Fault(Exception):
    """What a database may raise at any time."""


@contextmanager
def failing_at(number):
    """The statement of a number fails, and so does a commit, in every engine."""
    seen = [0]

    def count(*_):
        seen[0] += 1
        if seen[0] == number:
            raise Fault

    for what in ("before_cursor_execute", "commit"):
        sa.event.listen(sa.Engine, what, count)
    yield
    for what in ("before_cursor_execute", "commit"):
        sa.event.remove(sa.Engine, what, count)


def test_a_kill_during_an_upgrade_leaves_the_old_store_or_the_new_one(address, tmp_path):
    engine = golden(address, "0001")
    old, chance, states = rows(engine), random.Random(28), set()
    for number in range(20):
        if revision_of(engine) == REVISION:
            begin_again(engine, address)
        child = forked()
        if child == 0:
            try:
                slowly(address)
            finally:
                os._exit(1)
        time.sleep(chance.uniform(0.0, 0.35))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        found = revision_of(engine)
        states.add(found)
        if found == "0001":
            assert rows(engine) == old, f"kill {number}"
        else:
            assert audit(open_store(address)).ok
    store = open_store(address, create=True)
    assert audit(store).ok
    assert states <= {"0001", REVISION}
    assert "0001" in states


def slowly(address):
    """An upgrade that takes long enough to be killed anywhere in it."""
    sa.event.listen(sa.Engine, "before_cursor_execute", lambda *_: time.sleep(0.004))
    open_store(address, create=True)


def begin_again(engine, address):
    """Put the golden store in the place of the new one."""
    if engine.dialect.name == "sqlite":
        for file in Path(address).parent.glob("store.db*"):
            file.unlink()
    else:
        with engine.begin() as connection:
            connection.exec_driver_sql("DROP SCHEMA public CASCADE")
            connection.exec_driver_sql("CREATE SCHEMA public")
    golden(address, "0001")


def forked():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def test_a_store_of_a_later_version_is_refused_and_left_as_it_is(address):
    store = open_store(address, create=True)
    with store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0099'")
    before = rows(store.engine)
    for create in (False, True):
        with pytest.raises(UsageError, match=r"made by a newer rebalancer .* Upgrade rebalancer"):
            open_store(address, create=create)
    assert rows(store.engine) == before


def test_two_upgrades_at_once_make_one(address):
    from concurrent.futures import ThreadPoolExecutor

    golden(address, "0001")
    with ThreadPoolExecutor(5) as pool:
        done = [pool.submit(open_store, address, create=True) for _ in range(5)]
        assert all(revision_of(one.result().engine) == REVISION for one in done)
    assert audit(Store(engine_of(url_of(address)))).ok


def test_the_command_upgrades_and_says_which_revision_there_is(run, tmp_path):
    golden(str(tmp_path / "rebalancer.db"), "0001")
    refused = run("proposals", "list")
    assert (refused.code, "`rebalancer proposals init`" in refused.err) == (2, True)
    assert run("proposals", "init", "--json").json["revision"] == REVISION
    assert run("proposals", "audit").code == 0
    with closing(sqlite3.connect(tmp_path / "rebalancer.db.0001.backup")) as backup:
        assert backup.execute("SELECT version_num FROM alembic_version").fetchall() == [("0001",)]
