"""Tables of the store. Times are UTC and days are dates, both as ISO text, so that every database hashes alike."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    text,
)

REVISION = "0001"
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
)

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
)
"""Who owns what now. `seen_am` and `seen_csm` are what the newest file showed, which lags behind what was applied."""

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

APPEND_ONLY = ("events", "history", "approvals")
"""Tables of which no row is ever changed or deleted; a trigger refuses it."""
