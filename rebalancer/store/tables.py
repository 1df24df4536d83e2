"""Tables of the store. Times are UTC and days are dates, both as ISO text, so that every database hashes alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    text,
)

REVISION = "0002"
"""The newest migration; a store of another revision is upgraded or refused."""

metadata = MetaData()


def _text(name: str, *args: object, null: bool = False) -> Column[str]:
    return Column(name, Text, *args, nullable=null)  # type: ignore[arg-type]


def _book(**options: bool) -> Column[int]:
    return Column("book_id", Integer, ForeignKey("books.book_id"), autoincrement=False, **options)  # type: ignore[arg-type]


chain = Table(
    "chain",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    _text("store_id"),
    Column("head_seq", Integer, nullable=False),
    _text("head_hash"),
    _text("head_at"),
)
"""One row: which store this is and its newest event. Every writer locks it first, so writers follow each other."""

events = Table(
    "events",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    _text("at"),
    _text("actor"),
    _text("what"),
    _text("book"),
    _text("proposal_id"),
    _text("body"),
    _text("previous"),
    _text("hash"),
)

books = Table(
    "books",
    metadata,
    Column("book_id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    _text("as_of"),
    _text("accounts_sha256"),
    Column("clock_day", Text, nullable=False, server_default=text("''")),
    Column("clock_days", Integer, nullable=False, server_default=text("60")),
    Column("clock_zone", Text, nullable=False, server_default=text("'UTC'")),
)
"""`clock_day` is the last day that the trigger clocks took in, empty before the first; `clock_days` and `clock_zone`
are `triggers.days` and `triggers.zone` of the model of that day."""

accounts = Table(
    "accounts",
    metadata,
    _book(primary_key=True),
    Column("account_id", Text, primary_key=True),
    _text("am_id"),
    _text("csm_id"),
    _text("seen_am"),
    _text("seen_csm"),
    _text("traits"),
    Column("version", Integer, nullable=False),
    Column("tier", Text, nullable=False, server_default=text("''")),
)
"""Who owns what now. `seen_am` and `seen_csm` are what the newest file showed, which lags behind what was applied.

`tier` is the one that a night derived from the ARR, empty where a file names it or no night has been.
"""

people = Table(
    "people",
    metadata,
    _book(primary_key=True),
    Column("role", Text, primary_key=True),
    Column("person_id", Text, primary_key=True),
    Column("receives", Boolean, nullable=False),
    _text("leaves_on"),
    _text("traits"),
)

runs = Table(
    "runs",
    metadata,
    _book(primary_key=True),
    Column("run_id", Text, primary_key=True),
    _text("plan_hash"),
    _text("accounts_sha256"),
    _text("effective_date"),
    _text("submitted_at"),
    _text("record"),
)

proposals = Table(
    "proposals",
    metadata,
    Column("proposal_id", Text, primary_key=True),
    _book(nullable=False),
    _text("run_id"),
    _text("undoes"),
    _text("plan_hash"),
    _text("state"),
    _text("proposed_by"),
    _text("proposed_at"),
    Column("approval_days", Integer, nullable=False),
    Column("rejected_days", Integer, nullable=False),
)

LIVE_ONCE = Index(
    "one_live_proposal",
    proposals.c.book_id,
    proposals.c.undoes,
    unique=True,
    sqlite_where=text("state IN ('open', 'approved')"),
    postgresql_where=text("state IN ('open', 'approved')"),
)
"""A book has one live plan, and an applied proposal one live undo."""

approvals = Table(
    "approvals",
    metadata,
    Column("event_seq", Integer, ForeignKey("events.seq"), primary_key=True, autoincrement=False),
    Column("proposal_id", Text, ForeignKey("proposals.proposal_id"), nullable=False),
    _text("plan_hash"),
    _text("approved_by"),
    _text("expires_at"),
)

moves = Table(
    "moves",
    metadata,
    Column("proposal_id", Text, ForeignKey("proposals.proposal_id"), primary_key=True),
    Column("account_id", Text, primary_key=True),
    _text("from_am"),
    _text("to_am"),
    _text("from_csm"),
    _text("to_csm"),
    Column("expected_version", Integer, nullable=False),
    _text("expected_traits"),
    _text("am_traits"),
    _text("csm_traits"),
    _text("tier"),
    Column("units", BigInteger, nullable=False),
    Column("arr", BigInteger, nullable=False),
    Column("disruption", BigInteger, nullable=False),
    _text("reason"),
    _text("decision"),
    Column("approval", Integer, ForeignKey("approvals.event_seq"), nullable=True),
    Column("applied_version", Integer, nullable=True),
)
"""The moves of a proposal, what each expects of the account and its new people, and the decision on it."""

locks = Table(
    "locks",
    metadata,
    _book(primary_key=True),
    Column("account_id", Text, primary_key=True),
    Column("refused_am", Text, primary_key=True),
    Column("refused_csm", Text, primary_key=True),
    _text("until"),
    Column("proposal_id", Text, ForeignKey("proposals.proposal_id"), nullable=False),
)
"""Rejected moves, which are not to be proposed again before a day."""

history = Table(
    "history",
    metadata,
    Column("event_seq", Integer, ForeignKey("events.seq"), primary_key=True, autoincrement=False),
    Column("account_id", Text, primary_key=True),
    _book(nullable=False),
    _text("kind"),
    _text("from_am"),
    _text("to_am"),
    _text("from_csm"),
    _text("to_csm"),
)
"""Every change of an owner or a CSM, by the event that made it."""

Index("history_of_account", history.c.book_id, history.c.account_id, history.c.event_seq)

Index("events_of_book", events.c.book, events.c.seq)

clocks = Table(
    "clocks",
    metadata,
    _book(primary_key=True),
    Column("am_id", Text, primary_key=True),
    Column("reason", Text, primary_key=True),
    Column("first_red", Text, primary_key=True),
    _text("name"),
    _text("manager"),
    _text("last_red"),
    _text("cleared"),
)
"""The clocks of the triggers, as `rebalancer.insight.trigger_clock`; `cleared` is empty while one runs. `name` and
`manager` are those of the AM when it was last red, for whoever is told that it is overdue."""

nights = Table(
    "nights",
    metadata,
    Column("night_id", Integer, primary_key=True),
    _text("day"),
    _text("started_at"),
    _text("ended_at"),
    _text("holder"),
    _text("version"),
    _text("outcomes"),
    Column("jobs", Integer, nullable=False),
    Column("books", Integer, nullable=False),
    Column("exit_code", Integer, nullable=False),
    Column("seconds", Float, nullable=False),
)
"""Every run of the batch; `ended_at` is empty while it runs, and where it was killed. `outcomes` counts books by
status, as JSON."""

night_books = Table(
    "night_books",
    metadata,
    Column("book", Text, primary_key=True),
    Column("day", Text, primary_key=True),
    _text("at"),
    _text("status"),
    _text("inputs"),
    _text("run_id"),
    _text("proposal_id"),
    _text("message"),
    Column("exit_code", Integer, nullable=False),
    Column("accounts", Integer, nullable=False),
    Column("moves", Integer, nullable=False),
    Column("triggered", Integer, nullable=False),
    Column("overdue", Integer, nullable=False),
    Column("seconds", Float, nullable=False),
)
"""What became of a book on a day. `inputs` is a hash of what that came of: where it is the same, so is the answer."""

ledger = Table(
    "ledger",
    metadata,
    _book(primary_key=True),
    Column("run_id", Text, primary_key=True),
    Column("account_id", Text, primary_key=True),
    _text("crm_id"),
    _text("crm_owner"),
    _text("state"),
    _text("error"),
    _text("changed_at"),
)
"""What became of a run's accounts in the CRM: pending, failed or done, as the result files said."""

APPEND_ONLY = ("events", "history", "approvals")
"""Tables of which no row is ever changed or deleted; a trigger refuses it."""


AT_ONCE = 500
"""Ids in one IN list; SQLite takes no endless ones."""


Id = TypeVar("Id", int, str)


def in_parts(ids: Iterable[Id]) -> Iterator[list[Id]]:
    """Ids in order, so many at once as a query takes."""
    wanted = sorted(set(ids))
    for start in range(0, len(wanted), AT_ONCE):
        yield wanted[start : start + AT_ONCE]
