"""What a night leaves: trigger clocks, derived tiers, what became of each book, and what the CRM said."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def _text(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def _key(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, primary_key=True) for name in names]


def _numbers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.Integer, nullable=False) for name in names]


def _book() -> sa.Column[int]:
    return sa.Column("book_id", sa.Integer, sa.ForeignKey("books.book_id"), primary_key=True, autoincrement=False)


def upgrade() -> None:
    """Add the tables of nights and of the CRM; those that are there keep what they hold."""
    empty = sa.text("''")
    op.add_column("books", sa.Column("clock_day", sa.Text, nullable=False, server_default=empty))
    op.add_column("books", sa.Column("clock_days", sa.Integer, nullable=False, server_default=sa.text("60")))
    op.add_column("books", sa.Column("clock_zone", sa.Text, nullable=False, server_default=sa.text("'UTC'")))
    op.add_column("accounts", sa.Column("tier", sa.Text, nullable=False, server_default=empty))
    op.create_index("events_of_book", "events", ["book", "seq"])
    op.create_table(
        "clocks", _book(), *_key("am_id", "reason", "first_red"), *_text("name", "manager", "last_red", "cleared")
    )
    night = sa.Column("night_id", sa.Integer, primary_key=True)
    facts = _text("day", "started_at", "ended_at", "holder", "version", "outcomes")
    op.create_table("nights", night, *facts, *_numbers("jobs", "books", "exit_code"), _seconds())
    op.create_table(
        "night_books",
        *_key("book", "day"),
        *_text("at", "status", "inputs", "run_id", "proposal_id", "message"),
        *_numbers("exit_code", "accounts", "moves", "triggered", "overdue"),
        _seconds(),
    )
    op.create_table(
        "ledger", _book(), *_key("run_id", "account_id"), *_text("crm_id", "crm_owner", "state", "error", "changed_at")
    )


def _seconds() -> sa.Column[float]:
    return sa.Column("seconds", sa.Float, nullable=False)
