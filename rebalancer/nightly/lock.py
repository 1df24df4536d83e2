"""Lock: one night at a time on a store. The system gives it back when its holder ends, however it ends.

A file lock beside an SQLite store, a session's advisory lock in PostgreSQL; no row and no pid that could stay behind.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import sqlalchemy as sa

from rebalancer.errors import Busy, UsageError, printable
from rebalancer.store.connect import file_of, session, shown
from rebalancer.store.store import Store, timestamp

ADVISORY = 7252615
"""The number of the advisory lock; that of the migrations is one less."""

TICK = 0.1


@contextmanager
def night_lock(store: Store, *, wait: float = 0.0) -> Iterator[None]:
    """Hold the lock of the nights. Raises `Busy` naming who holds it where it is not free within `wait` seconds."""
    file = file_of(store.engine.url)
    held = _file_lock(file, wait) if file is not None else _advisory_lock(store, wait)
    with held:
        yield


def holder() -> str:
    """Who holds it, in words: process, host, since when."""
    return f"process {os.getpid()} on {socket.gethostname()} since {timestamp(datetime.now(UTC))}"


@contextmanager
def _file_lock(store: Path, wait: float) -> Iterator[None]:
    """The file stays when the lock is gone: whoever deleted it could let two in at once."""
    store = store.resolve()  # two names of one store have one lock
    place = store.with_name(f"{store.name}.night")
    try:
        file = place.open("a+", encoding="utf-8")
    except OSError as error:
        raise UsageError(f'the lock "{printable(str(place))}" can\'t be opened: {error.strerror}.') from None
    with file:
        _until(lambda: _try_lock(file), wait, lambda: _busy(shown(_url(store)), _told(file)))
        file.seek(0)
        file.truncate()
        file.write(json.dumps({"holder": holder()}))
        file.flush()
        yield


def _url(store: Path) -> sa.URL:
    return sa.URL.create("sqlite", database=str(store))


def _try_lock(file: IO[str]) -> bool:
    try:
        import fcntl
    except ImportError:  # Windows
        return _try_lock_on_windows(file)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _try_lock_on_windows(file: IO[str]) -> bool:
    import msvcrt

    try:
        file.seek(2**30)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    except OSError:
        return False
    return True


def _told(file: IO[str]) -> str:
    try:
        file.seek(0)
        return str(json.loads(file.read())["holder"])
    except (ValueError, KeyError, TypeError):
        return "another process"


@contextmanager
def _advisory_lock(store: Store, wait: float) -> Iterator[None]:
    """Of a session of its own, whose end gives it back; through a pooler of transactions it would not hold."""
    with session(store.engine) as connection:
        connection.execute(sa.text("SELECT set_config('application_name', :name, false)"), {"name": holder()[:63]})

        def taken() -> bool:
            return bool(connection.execute(sa.text(f"SELECT pg_try_advisory_lock({ADVISORY})")).scalar_one())

        _until(taken, wait, lambda: _busy(shown(store.engine.url), _session(connection)))
        yield


def _session(connection: sa.Connection) -> str:
    query = (
        "SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid)"
        f" WHERE locktype = 'advisory' AND objid = {ADVISORY} AND granted"
    )
    return connection.execute(sa.text(query)).scalar() or "another session"


def _until(taken: Callable[[], bool], wait: float, busy: Callable[[], Busy]) -> None:
    ends = time.monotonic() + wait
    while not taken():
        if time.monotonic() >= ends:
            raise busy()
        time.sleep(TICK)


def _busy(store: str, who: str) -> Busy:
    return Busy(f"a night is under way on the store {store}: {printable(who)}. Try again later, or use --wait.")
