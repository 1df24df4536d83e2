"""Runs the queries of one book in one read-only transaction; values stay what the database says they are."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import sqlalchemy as sa

from rebalancer.errors import Faults, RebalancerError, printable
from rebalancer.nightly.address import Address, without_secrets
from rebalancer.reading import limits

CONNECT_SECONDS = 15
"""A server that does not answer by then is down."""

AT_ONCE = 10_000
SHOWN = 300


@dataclass(frozen=True)
class Query:
    """The SQL of one table, and the key of the TOML file where it stands."""

    table: str
    sql: str
    key: str


def frames_of(
    queries: Iterable[Query], parameters: Mapping[str, Any], address: Address, faults: Faults
) -> dict[str, pd.DataFrame]:
    """The rows of every query by table, as objects; what fails is noted, and the other queries still run."""
    url = address.url()
    frames: dict[str, pd.DataFrame] = {}
    try:
        with _reading(url) as connection:
            for query in queries:
                try:
                    with _alone(connection):
                        frame = _frame(connection, query, parameters, faults, address.toml)
                except RebalancerError:
                    raise
                except Exception as error:  # each driver has its own
                    problem = f"the query of {query.table} failed: {_first_line(error, url)}."
                    faults.error("query", problem, "Correct it.", file=address.toml, column=query.key)
                    if connection.invalidated:
                        return frames
                else:
                    frames |= {query.table: frame} if frame is not None else {}
    except RebalancerError:
        raise
    except Exception as error:
        _note_no_connection(error, url, address, faults)
    return frames


@contextmanager
def _reading(url: sa.URL) -> Iterator[sa.Connection]:
    """A connection in a transaction that can't write; what a database has no such thing for is rolled back."""
    backend = url.get_backend_name()
    if backend == "sqlite":
        engine = sa.create_engine("sqlite://", creator=lambda: _open_file(url), poolclass=sa.NullPool)
    elif backend == "postgresql":
        wait = {} if "connect_timeout" in url.query else {"connect_timeout": CONNECT_SECONDS}
        engine = sa.create_engine(url.set(drivername="postgresql+psycopg"), connect_args=wait, poolclass=sa.NullPool)
        engine = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    else:
        engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        if backend == "sqlite":
            connection.exec_driver_sql("BEGIN")
        yield connection


def _open_file(url: sa.URL) -> sqlite3.Connection:
    """An SQLite file that is there, for reading. Python's own transactions would begin only where something writes."""
    file = Path(url.database or "").absolute()
    connection = sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=CONNECT_SECONDS)
    connection.execute("PRAGMA query_only = ON").close()
    return connection


def _alone(connection: sa.Connection) -> AbstractContextManager[Any]:
    """In PostgreSQL one failed statement fails all that follow, but for a savepoint."""
    return connection.begin_nested() if connection.dialect.name == "postgresql" else nullcontext()


def _frame(
    connection: sa.Connection, query: Query, parameters: Mapping[str, Any], faults: Faults, file: str
) -> pd.DataFrame | None:
    bound = [_bound(name, parameters[name]) for name in names_of(query.sql)]
    streaming = {"stream_results": True, "max_row_buffer": AT_ONCE}
    with connection.execute(sa.text(query.sql).bindparams(*bound), execution_options=streaming) as result:
        if not result.returns_rows:
            faults.error("query", "it gives no rows.", "Write a SELECT.", file=file, column=query.key)
            return None
        columns, rows = list(result.keys()), list(result.fetchmany(limits.MAX_ROWS + 1))
        if not limits.within("rows of the query", len(rows), limits.MAX_ROWS, faults, file=file, column=query.key):
            return None
        rows += result.fetchall()
    return _of_rows(columns, rows, query, faults, file)


def _of_rows(columns: list[str], rows: Any, query: Query, faults: Faults, file: str) -> pd.DataFrame | None:
    """The rows as a frame of objects: an id of digits stays an integer beside a missing one."""
    values = [[row[place] for row in rows] for place in range(len(columns))]
    binary = [name for name, cells in zip(columns, values, strict=True) if any(map(_is_binary, cells))]
    for name in binary:
        problem = f'the column "{printable(name)}" holds bytes, which are no text.'
        faults.error("query", problem, "Cast it in the query.", file=file, column=query.key)
    frame = pd.DataFrame(dict(enumerate(values)), dtype=object)
    return None if binary else frame.set_axis(columns, axis="columns")


def _is_binary(value: object) -> bool:
    return isinstance(value, (bytes, bytearray, memoryview))


@cache
def names_of(sql: str) -> tuple[str, ...]:
    """The parameters that a query names: `region` for `:region`."""
    return tuple(sa.text(sql).compile().params)


def _bound(name: str, value: Any) -> sa.BindParameter[Any]:
    """A parameter with its value; a list is for `IN :name`."""
    if isinstance(value, list):
        return sa.bindparam(name, [_plain(part) for part in value], expanding=True)
    return sa.bindparam(name, _plain(value))


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value


def _note_no_connection(error: Exception, url: sa.URL, address: Address, faults: Faults) -> None:
    if isinstance(error, (sa.exc.NoSuchModuleError, ImportError)):
        driver = printable(url.drivername)
        problem, cure = f"no driver for {driver} is installed.", "Install its package for SQLAlchemy on every worker."
        if driver.startswith("postgres"):
            cure = (
                "Install it on every worker: pip install 'rebalancer[postgres]'. An address begins with postgresql://."
            )
    else:
        problem, cure = (
            f"the database can't be used: {_first_line(error, url)}.",
            "Check the address, and that it runs.",
        )
    place = "connection.url_env" if address.variable else "connection.url_file"
    faults.error("connection", problem, cure, file=address.toml, column=place)


def _first_line(error: Exception, url: sa.URL) -> str:
    origin = getattr(error, "orig", None) or error
    lines = str(origin).strip().splitlines() or [type(origin).__name__]
    return printable(without_secrets(lines[0], url), SHOWN).rstrip(".")
