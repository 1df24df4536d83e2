"""The first tables. What the triggers refuse is written out here: a migration never changes once it is released."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

CHANGES = (
    ("open", "approved"),
    ("open", "rejected"),
    ("open", "superseded"),
    ("approved", "open"),
    ("approved", "rejected"),
    ("approved", "superseded"),
    ("approved", "applied"),
    ("applied", "undone"),
)
LEGAL = " OR ".join(f"(OLD.state = '{before}' AND NEW.state = '{after}')" for before, after in CHANGES)
UNAPPROVED = (
    "NEW.state = 'applied' AND NOT EXISTS (SELECT 1 FROM approvals"
    " WHERE approvals.proposal_id = NEW.proposal_id AND approvals.plan_hash = NEW.plan_hash)"
)
ILLEGAL = f"NEW.plan_hash <> OLD.plan_hash OR (NEW.state <> OLD.state AND NOT ({LEGAL})) OR ({UNAPPROVED})"
APPEND_ONLY = ("events", "history", "approvals")


def _text(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def _key(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, primary_key=True) for name in names]


def _book(**options: bool) -> sa.Column[int]:
    return sa.Column("book_id", sa.Integer, sa.ForeignKey("books.book_id"), autoincrement=False, **options)  # type: ignore[arg-type]


def _number(name: str, *, null: bool = False, kind: type[sa.Integer] = sa.Integer) -> sa.Column[int]:
    return sa.Column(name, kind, nullable=null)


def _seq(name: str, *references: sa.ForeignKey) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, *references, primary_key=True, autoincrement=False)


def _of_proposal(**options: bool) -> sa.Column[str]:
    return sa.Column("proposal_id", sa.Text, sa.ForeignKey("proposals.proposal_id"), **options)  # type: ignore[arg-type]


def upgrade() -> None:
    """Make every table, index and trigger."""
    _tables_of_events()
    _tables_of_books()
    _tables_of_proposals()
    make = _postgresql_triggers if op.get_bind().dialect.name == "postgresql" else _sqlite_triggers
    make()


def _tables_of_events() -> None:
    op.create_table("chain", _seq("id"), *_text("store_id"), _number("head_seq"), *_text("head_hash", "head_at"))
    names = ("at", "actor", "what", "book", "proposal_id", "body", "previous", "hash")
    op.create_table("events", _seq("seq"), *_text(*names))


def _tables_of_books() -> None:
    name = sa.Column("name", sa.Text, nullable=False, unique=True)
    op.create_table(
        "books", sa.Column("book_id", sa.Integer, primary_key=True), name, *_text("as_of", "accounts_sha256")
    )
    columns = _text("am_id", "csm_id", "seen_am", "seen_csm", "traits")
    op.create_table("accounts", _book(primary_key=True), *_key("account_id"), *columns, _number("version"))
    receives = sa.Column("receives", sa.Boolean, nullable=False)
    key = _key("role", "person_id")
    op.create_table("people", _book(primary_key=True), *key, receives, *_text("leaves_on", "traits"))
    op.create_table(
        "history",
        _seq("event_seq", sa.ForeignKey("events.seq")),
        *_key("account_id"),
        _book(nullable=False),
        *_text("kind", "from_am", "to_am", "from_csm", "to_csm"),
    )
    op.create_index("history_of_account", "history", ["book_id", "account_id", "event_seq"])


def _tables_of_proposals() -> None:
    facts = _text("plan_hash", "accounts_sha256", "effective_date", "submitted_at", "record")
    op.create_table("runs", _book(primary_key=True), *_key("run_id"), *facts)
    op.create_table(
        "proposals",
        *_key("proposal_id"),
        _book(nullable=False),
        *_text("run_id", "undoes", "plan_hash", "state", "proposed_by", "proposed_at"),
        _number("approval_days"),
        _number("rejected_days"),
    )
    live = sa.text("state IN ('open', 'approved')")
    op.create_index(
        "one_live_proposal", "proposals", ["book_id", "undoes"], unique=True, sqlite_where=live, postgresql_where=live
    )
    op.create_table(
        "approvals",
        _seq("event_seq", sa.ForeignKey("events.seq")),
        _of_proposal(nullable=False),
        *_text("plan_hash", "approved_by", "expires_at"),
    )
    op.create_table(
        "moves",
        _of_proposal(primary_key=True),
        *_key("account_id"),
        *_text("from_am", "to_am", "from_csm", "to_csm"),
        _number("expected_version"),
        *_text("expected_traits", "am_traits", "csm_traits", "tier"),
        *(_number(name, kind=sa.BigInteger) for name in ("units", "arr", "disruption")),
        *_text("reason", "decision"),
        sa.Column("approval", sa.Integer, sa.ForeignKey("approvals.event_seq"), nullable=True),
        _number("applied_version", null=True),
    )
    key = _key("account_id", "refused_am", "refused_csm")
    op.create_table("locks", _book(primary_key=True), *key, *_text("until"), _of_proposal(nullable=False))


def _sqlite_triggers() -> None:
    for table in APPEND_ONLY:
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{change.lower()} BEFORE {change} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
    op.execute(
        f"CREATE TRIGGER proposals_legal BEFORE UPDATE ON proposals WHEN {ILLEGAL} "
        "BEGIN SELECT RAISE(ABORT, 'illegal change of a proposal'); END"
    )


def _postgresql_triggers() -> None:
    op.execute(
        "CREATE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
    )
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION append_only()"
        )
    op.execute(
        f"CREATE FUNCTION proposals_legal() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF {ILLEGAL} "
        "THEN RAISE EXCEPTION 'illegal change of a proposal'; END IF; RETURN NEW; END $$"
    )
    op.execute(
        "CREATE TRIGGER proposals_legal BEFORE UPDATE ON proposals FOR EACH ROW EXECUTE FUNCTION proposals_legal()"
    )
    op.execute(
        "CREATE FUNCTION approved_by_another() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF NEW.approved_by <> session_user OR EXISTS (SELECT 1 FROM proposals WHERE "
        "proposals.proposal_id = NEW.proposal_id AND proposals.proposed_by = session_user) "
        "THEN RAISE EXCEPTION 'a proposal is not approved by its proposer'; END IF; RETURN NEW; END $$"
    )
    op.execute(
        "CREATE TRIGGER approved_by_another BEFORE INSERT ON approvals FOR EACH ROW "
        "EXECUTE FUNCTION approved_by_another()"
    )
