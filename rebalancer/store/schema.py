"""Schema: which version of the tables a store has, and how it gets them. Upgrades go forward only."""

from __future__ import annotations

import sqlite3
import uuid
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa

from rebalancer.errors import RebalancerError, UsageError, printable
from rebalancer.store.connect import file_of, shown, transaction
from rebalancer.store.tables import REVISION, chain

MIGRATIONS = Path(__file__).parent / "migrations"
GRANTS = Path(__file__).parent / "grants.sql"
"""Roles and grants of PostgreSQL, as a script."""


def revision_of(engine: sa.Engine) -> str | None:
    """The revision of a store's tables, None where it has none yet."""
    with transaction(engine, writes=False) as connection:
        return _revision(connection)


def _revision(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def refuse_newer(engine: sa.Engine, revision: str | None) -> None:
    """Raise `UsageError` where the store was made by a later version, which this one could only damage."""
    if revision is not None and revision > REVISION:
        raise UsageError(
            f"the store {shown(engine.url)} was made by a newer rebalancer (its tables are {revision}, this version "
            f"knows {REVISION}). Upgrade rebalancer."
        )


def upgrade(engine: sa.Engine) -> None:
    """Make or upgrade the tables in one transaction; an SQLite file with a store is copied beside itself first."""
    before = revision_of(engine)
    refuse_newer(engine, before)
    if before == REVISION:
        return
    with transaction(engine, writes=True) as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(7252614)"))
        before = _revision(connection)
        if before != REVISION:  # another command may have been faster
            if before is not None:
                _back_up(engine, before)
            _migrate(connection)
            _name_store(connection)


def _migrate(connection: sa.Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, REVISION)


def _name_store(connection: sa.Connection) -> None:
    """The row that the chain of events starts from."""
    if connection.execute(sa.select(chain.c.id)).first() is None:
        name = uuid.uuid4().hex
        connection.execute(chain.insert().values(id=1, store_id=name, head_seq=0, head_hash=name, head_at=""))


def _back_up(engine: sa.Engine, revision: str) -> None:
    """Copy an SQLite file, which nobody else can change meanwhile; the copy is there whole or not at all."""
    file = file_of(engine.url)
    if file is None:
        return
    copy = file.with_name(f"{file.name}.{revision}.backup")
    new = copy.with_name(f".{copy.name}.new")
    try:
        new.unlink(missing_ok=True)
        with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(new)) as target:
            source.backup(target)
        new.replace(copy)
    except (sqlite3.Error, OSError) as error:
        raise RebalancerError(
            f"the store {shown(engine.url)} can't be copied to {copy.name} before its upgrade, and was not changed: "
            f"{printable(str(error), 200)}. Make room, or check the rights of the folder."
        ) from error
    finally:
        new.unlink(missing_ok=True)
