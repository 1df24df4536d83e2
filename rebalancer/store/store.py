"""Store: opens a store and gives the transactions in which everything else works."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from rebalancer.errors import UsageError
from rebalancer.store.connect import BUSY_SECONDS, engine_of, file_of, shown, transaction, url_of
from rebalancer.store.schema import refuse_newer, revision_of, upgrade
from rebalancer.store.tables import REVISION, chain


@dataclass(frozen=True)
class Head:
    """The newest event of the chain: its number, hash and time."""

    store_id: str
    seq: int
    hash: str
    at: str


@dataclass
class Work:
    """A writing transaction: who works, when, and the end of the chain of events, which is locked until it ends.

    `now` never lies before the newest event: a clock that was put back does not date an event back.
    """

    connection: sa.Connection
    actor: str
    now: datetime
    head: Head
    enforced: bool
    """The database says who works, so rules on persons are enforced."""

    @property
    def at(self) -> str:
        """Now, as the store holds it."""
        return timestamp(self.now)


def timestamp(moment: datetime) -> str:
    """A moment as text in UTC, to the second: `2026-01-15T09:30:00Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment_of(text: str) -> datetime:
    """The moment of a text that `timestamp` wrote."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


@dataclass(frozen=True)
class Store:
    """An open store. `enforced`: the database knows who works (PostgreSQL); else a name is only claimed."""

    engine: sa.Engine

    @property
    def enforced(self) -> bool:
        """Identity is the login of the database."""
        return self.engine.dialect.name == "postgresql"

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A transaction that only reads, and sees one state of the store from begin to end."""
        with transaction(self.engine, writes=False) as connection:
            if self.enforced:
                connection.execute(sa.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
            yield connection

    @contextmanager
    def writing(self, by: str | None = None, now: datetime | None = None) -> Iterator[Work]:
        """A transaction that writes: all of it or nothing. One at a time; others wait, then give up with `Busy`.

        `by` is who works where the database does not know it: by default the user of the system. `now`: default now.
        Raises `UsageError` where `by` is given and the database knows better.
        """
        if by is not None and self.enforced:
            raise UsageError("who works is the login of the database here; leave out --by.")
        with transaction(self.engine, writes=True) as connection:
            head = Head(*connection.execute(_LOCKED_HEAD).one())
            moment = (now or datetime.now(UTC)).astimezone(UTC).replace(microsecond=0)
            moment = max(moment, moment_of(head.at)) if head.at else moment
            actor = connection.execute(sa.text("SELECT session_user")).scalar_one() if self.enforced else by or _user()
            yield Work(connection, str(actor), moment, head, self.enforced)


_LOCKED_HEAD = sa.select(chain.c.store_id, chain.c.head_seq, chain.c.head_hash, chain.c.head_at).with_for_update()


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def open_store(address: str, *, create: bool = False, busy_seconds: float = BUSY_SECONDS) -> Store:
    """Open the store at a path (SQLite) or a `postgresql://` address.

    With `create`, its tables are made or upgraded where needed. Raises `UsageError` where there is no store, or one
    of another version; `Busy` where another command keeps it locked for `busy_seconds`.
    """
    url = url_of(address)
    file = file_of(url)
    if file is not None and not file.exists() and not create:
        raise UsageError(f"there is no store {shown(url)}. `rebalancer proposals submit RUN` makes one.")
    if file is not None and not file.parent.is_dir():
        raise UsageError(f"{shown(url)} can't be made: there is no such folder.")
    engine = engine_of(url, busy_seconds)
    if create:
        upgrade(engine)
    else:
        _refuse_other(engine)
    return Store(engine)


def _refuse_other(engine: sa.Engine) -> None:
    revision = revision_of(engine)
    refuse_newer(engine, revision)
    if revision != REVISION:
        have = "has no tables" if revision is None else f"has tables of revision {revision}"
        raise UsageError(
            f"the store {shown(engine.url)} {have}, and this version needs {REVISION}. "
            "`rebalancer proposals init` makes or upgrades them."
        )
