"""Connections: what a store's address may be, how each database is opened, and what its errors mean."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from rebalancer.errors import Busy, RebalancerError, UsageError, printable

BUSY_SECONDS = 30
"""How long a command waits for another that writes, before it gives up with `Busy`."""

WRITES = "rebalancer_writes"
POSTGRESQL_BUSY = ("55P03", "40P01", "40001")
"""SQLSTATE of a lock that was not to be had, a deadlock, and a serialization failure."""
POSTGRESQL_DENIED = "42501"
NO_ROOM = ("disk is full", "disk I/O error", "could not extend file", "No space left", "could not write")
"""What both databases say where the disk is full or a file may not grow."""


def url_of(address: str) -> sa.URL:
    """The URL of a store: a path is an SQLite file. Raises `UsageError` for what is neither that nor PostgreSQL."""
    if "://" not in address:
        return sa.URL.create("sqlite", database=str(Path(address)))
    try:
        url = sa.make_url(address)
    except SQLAlchemyError:
        raise UsageError("the address of the store can't be read. Write a path, or postgresql://host/name.") from None
    kind = url.get_backend_name()
    if kind == "postgresql" or url.drivername == "postgres":
        if find_spec("psycopg") is None:
            raise UsageError("PostgreSQL needs psycopg: pip install 'rebalancer[postgres]'.")
        return url.set(drivername="postgresql+psycopg")
    if kind != "sqlite" or not url.database or url.database == ":memory:":
        raise UsageError(f'a store is an SQLite file or a PostgreSQL database, not "{printable(url.drivername)}".')
    return url.set(drivername="sqlite")


def file_of(url: sa.URL) -> Path | None:
    """The file of an SQLite store, None for PostgreSQL."""
    return Path(str(url.database)) if url.get_backend_name() == "sqlite" else None


def engine_of(url: sa.URL, busy_seconds: float = BUSY_SECONDS) -> sa.Engine:
    """An engine whose transactions begin as `begin` says; no connection is kept between two of them."""
    if file_of(url) is None:
        options = f"-c lock_timeout={int(busy_seconds * 1000)} -c timezone=UTC"
        engine = sa.create_engine(url, connect_args={"options": options}, poolclass=sa.NullPool)
    else:
        engine = sa.create_engine(url, connect_args={"timeout": busy_seconds}, poolclass=sa.NullPool)
        sa.event.listen(engine, "connect", _prepare_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    """Python's own BEGIN comes too late and locks too little, so it is switched off and `_begin_sqlite` says it."""
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def session(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A session without a transaction, for what lasts longer than one; errors as in `transaction`."""
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            yield connection
    except DBAPIError as error:
        raise _meaning(error, engine.url) from error


@contextmanager
def transaction(engine: sa.Engine, *, writes: bool) -> Iterator[sa.Connection]:
    """One transaction: committed at the end, rolled back on any error, whose meaning is told without the address."""
    try:
        with engine.connect().execution_options(**{WRITES: writes}) as connection, connection.begin():
            yield connection
    except DBAPIError as error:
        raise _meaning(error, engine.url) from error
    except SQLAlchemyError as error:
        raise RebalancerError(f"the store {shown(engine.url)} can't be used: {type(error).__name__}.") from error


def shown(url: sa.URL) -> str:
    """A store's address for messages: never the password."""
    file = file_of(url)
    return f'"{printable(str(file))}"' if file else f'"{printable(url.set(password=None).render_as_string())}"'


def _meaning(error: DBAPIError, url: sa.URL) -> RebalancerError:
    origin: Any = error.orig
    text = printable(str(origin).splitlines()[0] if str(origin) else type(origin).__name__, 200)
    state = getattr(origin, "sqlstate", None)
    if state in POSTGRESQL_BUSY or (isinstance(error, OperationalError) and "database is locked" in text):
        return Busy(f"the store {shown(url)} is busy: another command is writing. Try again later.")
    if state == POSTGRESQL_DENIED:
        return UsageError(f"the store {shown(url)} does not allow you this: {text}.")
    if "not a database" in text:
        return UsageError(f"{shown(url)} is not a store: {text}. Name another file with --store.")
    if "unable to open" in text or "readonly" in text:
        return UsageError(f"{shown(url)} can't be written: {text}. Check the folder and its rights.")
    if any(words in text for words in NO_ROOM):
        return RebalancerError(
            f"the store {shown(url)} has no room to write, and nothing was changed: {text}. "
            "Make room on its disk, then give the same command again."
        )
    return RebalancerError(f"the store {shown(url)} failed, and nothing was changed: {text}.")
