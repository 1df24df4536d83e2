"""History: who owned what, since when, and why; and what there is to decide."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from rebalancer.errors import UsageError, printable
from rebalancer.store.books import book_named
from rebalancer.store.ledger import counted, results_of
from rebalancer.store.lifecycle import LIVE
from rebalancer.store.proposals import approvals_of, find, moves_of, record_of
from rebalancer.store.store import Store, timestamp
from rebalancer.store.tables import accounts, approvals, books, events, history, moves, proposals


def list_proposals(store: Store, *, book: str | None = None, live: bool = False) -> list[dict[str, Any]]:
    """Every proposal, newest first, with its counts; `live`: only those that wait for something."""
    with store.reading() as connection:
        query = sa.select(proposals, books.c.name.label("book"), *_counts()).join(books).outerjoin(moves)
        query = query.group_by(*proposals.c, books.c.name)
        if book is not None:
            query = query.where(proposals.c.book_id == book_named(connection, book).book_id)
        if live:
            query = query.where(proposals.c.state.in_(LIVE))
        rows = connection.execute(query.order_by(proposals.c.proposed_at.desc(), proposals.c.proposal_id)).all()
        return [_listed(row) for row in rows]


def _counts() -> list[sa.ColumnElement[Any]]:
    def of(decision: str) -> sa.ColumnElement[Any]:
        return sa.func.sum(sa.case((moves.c.decision == decision, 1), else_=0)).label(decision)

    count = sa.func.count(moves.c.account_id).label("moves")
    return [count, sa.func.sum(moves.c.arr).label("arr"), of("approved"), of("rejected"), of("undecided")]


LISTED = (
    *("proposal_id", "book", "state", "undoes", "run_id", "plan_hash", "moves", "approved", "rejected", "undecided"),
    *("arr", "proposed_by", "proposed_at"),
)
COUNTED = ("moves", "approved", "rejected", "undecided", "arr")


def _listed(row: sa.Row[Any]) -> dict[str, Any]:
    return {name: int(getattr(row, name)) if name in COUNTED else getattr(row, name) for name in LISTED}


@dataclass(frozen=True)
class Shown:
    """A proposal whole: its facts, its moves with the decision on each, its approvals, and the record of its run.

    `crm`: approved moves by what became of them in the CRM (done, failed, pending); None where none were imported.
    """

    facts: dict[str, Any]
    moves: list[dict[str, Any]]
    approvals: list[dict[str, Any]]
    events: list[dict[str, Any]]
    record: dict[str, Any]
    crm: dict[str, int] | None = None


MOVE = (
    *("account_id", "from_am", "to_am", "from_csm", "to_csm", "tier", "arr", "disruption", "decision", "reason"),
    "applied",
)


def show(store: Store, proposal: str, *, now: datetime | None = None) -> Shown:
    """A proposal with all that was decided on it. Raises `UsageError` where there is none of that id."""
    with store.reading() as connection:
        row = find(connection, proposal)
        given, planned = approvals_of(connection, row.proposal_id), moves_of(connection, row.proposal_id)
        day = timestamp(now or datetime.now(UTC))
        names = ("proposal_id", "book", "state", "undoes", "run_id", "plan_hash", "proposed_by", "proposed_at")
        facts = {name: getattr(row, name) for name in names}
        said = _comments(connection, row.proposal_id)
        shown = [
            {**_move(move), "expired": _is_expired(move, given, day), "comment": said.get(move.account_id, "")}
            for move in planned
        ]
        told = [_approval(approval) for _, approval in sorted(given.items())]
        record = record_of(connection, row.book_id, row.run_id)
        crm = _in_crm(connection, row, planned)
        return Shown(facts, shown, told, _events(connection, row.proposal_id), record, crm)


def _in_crm(connection: sa.Connection, row: sa.Row[Any], planned: list[sa.Row[Any]]) -> dict[str, int] | None:
    said = results_of(connection, row.book_id, row.run_id)
    approved = {move.account_id for move in planned if move.decision == "approved"}
    return counted({"state": one.state} for name, one in said.items() if name in approved) if said else None


def _comments(connection: sa.Connection, proposal: str) -> dict[str, str]:
    """What reviewers wrote in files of decisions, the newest by account."""
    query = sa.select(events.c.body).where(events.c.proposal_id == proposal, events.c.what == "reviewed")
    found: dict[str, str] = {}
    for text in connection.execute(query.order_by(events.c.seq)).scalars():
        found.update(json.loads(text)["comments"])
    return found


def _move(move: sa.Row[Any]) -> dict[str, Any]:
    facts = {name: getattr(move, name) for name in MOVE[:-1]}
    return {**facts, "units": move.units / 100, "applied": move.applied_version is not None}


def _is_expired(move: sa.Row[Any], given: dict[int, sa.Row[Any]], now: str) -> bool:
    return move.decision == "approved" and move.applied_version is None and given[move.approval].expires_at <= now


def _approval(approval: sa.Row[Any]) -> dict[str, Any]:
    return {name: getattr(approval, name) for name in ("approved_by", "plan_hash", "expires_at")}


def _events(connection: sa.Connection, proposal: str) -> list[dict[str, Any]]:
    query = sa.select(events).where(events.c.proposal_id == proposal).order_by(events.c.seq)
    return [
        {"at": row.at, "actor": row.actor, "what": row.what, "comment": json.loads(row.body).get("comment", "")}
        for row in connection.execute(query)
    ]


def ownership(
    store: Store, *, book: str | None = None, account: str | None = None, proposal: str | None = None
) -> list[dict[str, Any]]:
    """Every change of an owner or a CSM, oldest first: who, when, by which proposal, who approved it, and why.

    `kind` is `added`, `outside` (changed in the file), `gone`, `apply` or `undo`. Raises `UsageError` where the store
    knows no such book, account or proposal.
    """
    with store.reading() as connection:
        query = _ownership()
        if book is not None:
            query = query.where(history.c.book_id == book_named(connection, book).book_id)
        if proposal is not None:
            query = query.where(events.c.proposal_id == find(connection, proposal).proposal_id)
        if account is not None:
            query = query.where(history.c.account_id == account)
        rows = connection.execute(query.order_by(history.c.event_seq, history.c.account_id)).all()
        if account is not None and not rows:
            raise UsageError(f'the store has no history of account "{printable(account)}".')
        return [_owned(row) for row in rows]


def _ownership() -> sa.Select[Any]:
    of_move = sa.and_(moves.c.proposal_id == events.c.proposal_id, moves.c.account_id == history.c.account_id)
    query = sa.select(
        history, events.c.at, events.c.actor, events.c.proposal_id, books.c.name.label("book"), moves.c.reason
    )
    query = query.add_columns(approvals.c.approved_by, proposals.c.proposed_by, proposals.c.run_id)
    query = query.join(events, events.c.seq == history.c.event_seq).join(books, books.c.book_id == history.c.book_id)
    query = query.outerjoin(moves, of_move).outerjoin(approvals, approvals.c.event_seq == moves.c.approval)
    return query.outerjoin(proposals, proposals.c.proposal_id == events.c.proposal_id)


OWNED = (
    *("at", "book", "account_id", "from_am", "to_am", "from_csm", "to_csm", "kind", "proposal_id", "run_id"),
    *("proposed_by", "approved_by", "actor", "reason"),
)


def _owned(row: sa.Row[Any]) -> dict[str, Any]:
    return {name: getattr(row, name) or "" for name in OWNED}


def owners(store: Store, book: str) -> dict[str, tuple[str, str]]:
    """Who owns every account of a book now, as far as the store knows: (AM, CSM) by account."""
    with store.reading() as connection:
        number = book_named(connection, book).book_id
        rows = connection.execute(sa.select(accounts).where(accounts.c.book_id == number))
        return {row.account_id: (row.am_id, row.csm_id) for row in rows}
