"""Stores for tests: small plans, what a store holds, and a private PostgreSQL server."""

import os
import shutil
import sqlite3
import subprocess
import tempfile
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from rebalancer.store import Observed, Person, Plan, Seat, Store, open_store, submit_plan
from rebalancer.store.connect import engine_of
from rebalancer.store.events import digest
from rebalancer.store.tables import metadata

START = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)
OWNERS = {"A-1": "M-1", "A-2": "M-1", "A-3": "M-2", "A-4": "M-2", "A-5": ""}
AMS = ("M-1", "M-2", "M-3")


def later(**how):
    """A moment after `START`: `later(days=3)`."""
    return START + timedelta(**how)


def observed(owners=OWNERS, ams=AMS, day="2026-01-15", traits=None):
    """A book as a file shows it. An owner `M-1 + C-1` has a CSM."""
    seats = {
        account: Seat(*(owner.split(" + ") if " + " in owner else (owner, "")), (traits or {}).get(account, "{}"))
        for account, owner in owners.items()
    }
    people = {("am", am): Person(True, "", "{}") for am in ams} | {
        ("csm", csm): Person(True, "", "{}") for csm in ("C-1", "C-2")
    }
    return Observed(day, digest(sorted(owners.items())), seats, people)


def plan_of(moves, owners=OWNERS, run="run-1", **how):
    """A plan that moves accounts to AMs: `plan_of({"A-1": "M-2"})`."""
    options = {name: how.pop(name) for name in ("approval_days", "rejected_days") if name in how}
    seen = observed(owners, **how)
    rows = [
        {
            "account_id": account,
            "from_am": seen.seats[account].am_id if account in seen.seats else "",
            "to_am": am,
            "from_csm": seen.seats[account].csm_id if account in seen.seats else "",
            "to_csm": seen.seats[account].csm_id if account in seen.seats else "",
            "tier": "smb",
            "units": 100,
            "arr": 1000,
            "disruption": 50,
            "reason": f"{account} relieves its book.",
        }
        for account, am in sorted(moves.items())
    ]
    return Plan(run, "{}", seen, tuple(rows), **{"approval_days": 14, "rejected_days": 90, **options})


def submitted(store, moves=None, owners=OWNERS, run="run-1", by=None, now=START, **how):
    """The id of a proposal made of such a plan."""
    plan = plan_of({"A-1": "M-2", "A-3": "M-1"} if moves is None else moves, owners, run, **how)
    return submit_plan(store, plan, by=by, now=now).proposal_id


def content(store):
    """Every row of every table."""
    with store.reading() as connection:
        return {table.name: sorted(map(repr, connection.execute(sa.select(table)))) for table in metadata.sorted_tables}


def tampered(store, *statements):
    """Change a store behind its back, the triggers switched off."""
    with store.engine.begin() as connection:
        if store.engine.dialect.name == "postgresql":
            connection.execute(sa.text("SET session_replication_role = replica"))
        else:
            triggers = sa.text("SELECT name FROM sqlite_master WHERE type = 'trigger'")
            for name in connection.execute(triggers).scalars().all():
                connection.execute(sa.text(f"DROP TRIGGER {name}"))
            connection.execute(sa.text("PRAGMA defer_foreign_keys = ON"))
        for statement in statements:
            connection.execute(sa.text(statement))


class Server:
    """A PostgreSQL server of its own, in a temporary directory, on a socket that nobody else sees."""

    def __init__(self, folder, programs):
        self.folder, self.programs, self.count = folder, programs, 0

    def url(self, database="postgres", user="postgres"):
        return f"postgresql://{user}@/{database}?host={self.folder}"

    def connect(self, database="postgres"):
        url = self.url(database).replace("postgresql:", "postgresql+psycopg:")
        return sa.create_engine(url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT").connect()

    def run(self, *statements, database="postgres"):
        with self.connect(database) as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    def new_database(self, template="template1"):
        self.count += 1
        self.run(f"CREATE DATABASE store_{self.count} TEMPLATE {template}")
        return f"store_{self.count}"

    def limit(self, size):
        """From now on a new connection may write no file beyond so many bytes; None: as it likes."""
        pid = as_postgres(["head", "-1", self.folder / "data" / "postmaster.pid"]).stdout.strip()
        as_postgres(["prlimit", "--pid", pid, f"--fsize={size or 'unlimited'}:unlimited"])

    def drop(self, database):
        self.run(f"DROP DATABASE {database} WITH (FORCE)")


def programs():
    """The folder of PostgreSQL's programs, None where it is not installed."""
    found = shutil.which("initdb")
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found is None and not installed:
        return None
    return Path(found or installed[-1]).resolve().parent


def as_postgres(command):
    """A command as a user that PostgreSQL accepts: it refuses root."""
    if os.getuid() != 0:
        return subprocess.run(command, check=True, capture_output=True, text=True, cwd="/")
    return subprocess.run(
        command, check=True, capture_output=True, text=True, cwd="/", user="postgres", group="postgres", extra_groups=[]
    )


@contextmanager
def server(*options):
    """A running server, made with options of `initdb`; skipped where none is installed, unless all has to run."""
    place = programs()
    if place is None:
        missing = "PostgreSQL is not installed"
        pytest.fail(missing) if os.environ.get("REBALANCER_CI") else pytest.skip(missing)
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    if os.getuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    data = folder / "data"
    as_postgres(
        [place / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8", "--locale=C", *options]
    )
    quiet = "-c fsync=off -c shared_buffers=16MB -c max_connections=60"
    settings = f"-c listen_addresses='' -c unix_socket_directories='{folder}' {quiet}"
    control = [place / "pg_ctl", "-D", data, "-w", "-l", folder / "log"]
    as_postgres([*control, "-o", settings, "start"])
    try:
        yield Server(folder, place)
    finally:
        as_postgres([*control, "-m", "immediate", "stop"])
        shutil.rmtree(folder, ignore_errors=True)


def address_of(store):
    """What `open_store` takes for the same store."""
    url = store.engine.url
    return url.database if url.get_backend_name() == "sqlite" else url.render_as_string(hide_password=False)


def as_approver(store):
    """The store as somebody else than the proposer opens it, where the database knows who that is."""
    if not store.enforced:
        return store
    with store.engine.begin() as connection:
        connection.exec_driver_sql(
            "DO $$ BEGIN CREATE ROLE olga LOGIN SUPERUSER; EXCEPTION WHEN duplicate_object THEN NULL; END $$"
        )
    return Store(engine_of(store.engine.url.set(username="olga")))


@contextmanager
def copies(store, folder, running=None):
    """Makes copies of a store, as fast as its database can, and removes the one before."""
    last = []

    def remove():
        for database in last:
            running.drop(database)
        last.clear()

    def copy():
        if not store.enforced:
            target = folder / "copy.db"
            for file in folder.glob("copy.db*"):
                file.unlink()
            with closing(sqlite3.connect(store.engine.url.database)) as source, closing(sqlite3.connect(target)) as new:
                source.backup(new)
            return Store(engine_of(store.engine.url.set(database=str(target))))
        remove()
        last.append(running.new_database(template=store.engine.url.database))
        return Store(engine_of(store.engine.url.set(database=last[-1])))

    yield copy
    remove()


def sqlite_store(folder):
    """A new store in a file."""
    return open_store(str(folder / "store.db"), create=True)


def postgresql_store(of):
    """A new store in a database of a server."""
    return open_store(of.url(of.new_database()), create=True)
