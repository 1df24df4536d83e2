"""Reviewed: what a file of decisions on a run does to its proposal, and the proposal that follows from it.

Two transactions, each of which changes nothing where it was done before: the rejections, then the run that was proposed
again. What happens to be cut off between the two is completed by the same call. A file approves nothing: nobody knows
who wrote in it, and the plan that its approvals spoke of is the one that is superseded.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import sqlalchemy as sa

from rebalancer.errors import UsageError
from rebalancer.store.decisions import Decided, reject_in
from rebalancer.store.events import append, digest
from rebalancer.store.ledger import proposal_of_run
from rebalancer.store.lifecycle import LIVE, WHY_NOT
from rebalancer.store.plan import Plan, plan_hash
from rebalancer.store.proposals import DEFAULT_BOOK, Submitted, moves_of, submit_in, supersede
from rebalancer.store.stale import changes_since, refuse_stale
from rebalancer.store.store import Store, Work
from rebalancer.store.tables import events, proposals, runs

EVENT = "reviewed"

DECIDABLE = (*LIVE, "rejected")
"""Where every move was rejected, another plan may still follow from what was decided."""


class Decision(Protocol):
    """What a reviewer decided on one account: `kind` is approve, keep or override."""

    @property
    def account_id(self) -> str:
        """The account."""

    @property
    def kind(self) -> str:
        """What was decided."""

    @property
    def am_id(self) -> str:
        """Where it is to be."""


@dataclass(frozen=True)
class Reviewed:
    """The decisions of a file on a run. `comments` are by account, those without a decision included."""

    run_id: str
    decisions: tuple[Decision, ...]
    comments: Mapping[str, str]

    def body(self) -> dict[str, Any]:
        """What the event says."""
        told = sorted([one.account_id, one.kind, one.am_id] for one in self.decisions)
        return {"run_id": self.run_id, "decisions": told, "comments": dict(self.comments)}

    def against(self) -> list[str]:
        """Accounts whose move is not wanted as it is: kept, or given to another AM."""
        return [one.account_id for one in self.decisions if one.kind != "approve"]


def refuse_undecidable(store: Store, review: Reviewed, book: str = DEFAULT_BOOK) -> None:
    """Raise `UsageError` where the run has no proposal, or one on which nothing can be decided any more."""
    with store.reading() as connection:
        _decidable(connection, review, book)


def record_review(
    store: Store,
    review: Reviewed,
    *,
    book: str = DEFAULT_BOOK,
    by: str | None = None,
    comment: str = "",
    now: datetime | None = None,
) -> Decided:
    """Reject the moves that were decided against, and keep the comments. The same decisions again change nothing.

    Raises what `refuse_undecidable` raises, and `UsageError` where the store does not let who works reject.
    """
    with store.writing(by, now) as work:
        row = _decidable(work.connection, review, book)
        moved = {move.account_id for move in moves_of(work.connection, row.proposal_id)}
        against = [account for account in review.against() if account in moved]
        if _is_told(work.connection, row, review):
            against = []
        else:
            append(work, EVENT, {**review.body(), "comment": comment}, book=book, proposal=row.proposal_id)
        return reject_in(work, row.proposal_id, against, comment)


def submit_review(
    store: Store,
    review: Reviewed,
    plan: Plan,
    *,
    book: str = DEFAULT_BOOK,
    by: str | None = None,
    comment: str = "",
    now: datetime | None = None,
) -> Submitted:
    """Let the plan that follows from the decisions take the place of the proposal they were made on.

    Where it moves the same accounts in the same way, that proposal stays. The book of the plan is not taken in: it
    holds the decisions, and the store has it without them. Raises `StalePlan` where the book changed since, and
    `UsageError` where another plan took the place of the proposal meanwhile.
    """
    with store.writing(by, now) as work:
        row = proposal_of_run(work.connection, review.run_id, book)
        if not _is_known(work, row, plan):
            _refuse_overtaken(work, row)
            if row.state in LIVE and row.plan_hash == plan_hash(plan.moves):
                return Submitted(row.proposal_id, row.state, len(plan.moves), new=False)
            refuse_stale(row.proposal_id, _changed(work, row, plan), "Superseding")
        done = submit_in(work, plan, book=book, observe=False, comment=comment)
        left = supersede(work, row.book_id, book) if done.new and done.proposal_id is None else done.superseded
        return Submitted(done.proposal_id, done.state, done.moves, done.new, left, done.rejected_before)


def _decidable(connection: sa.Connection, review: Reviewed, book: str) -> sa.Row[Any]:
    row = proposal_of_run(connection, review.run_id, book)
    if row.state not in DECIDABLE and not _is_told(connection, row, review):
        raise UsageError(
            f"proposal {row.proposal_id} of run {review.run_id} can't be decided on: {WHY_NOT[row.state]}. "
            "Decide on the run of the proposal that waits now; `rebalancer proposals list --live` shows it."
        )
    return row


def _is_told(connection: sa.Connection, row: sa.Row[Any], review: Reviewed) -> bool:
    """The store has the same decisions on the proposal."""
    names = ("run_id", "decisions", "comments")
    return any(digest({name: said[name] for name in names}) == digest(review.body()) for said in told(connection, row))


def told(connection: sa.Connection, row: sa.Row[Any]) -> Iterable[dict[str, Any]]:
    """What files decided on a proposal, oldest first: `decisions` (account, kind, AM) and `comments` by account."""
    query = sa.select(events.c.body).where(events.c.proposal_id == row.proposal_id, events.c.what == EVENT)
    return [json.loads(text) for text in connection.execute(query.order_by(events.c.seq)).scalars()]


def _is_known(work: Work, row: sa.Row[Any], plan: Plan) -> bool:
    known = sa.select(runs.c.run_id).where(runs.c.book_id == row.book_id, runs.c.run_id == plan.run_id)
    return work.connection.execute(known).first() is not None


def _refuse_overtaken(work: Work, row: sa.Row[Any]) -> None:
    live = (proposals.c.book_id == row.book_id, proposals.c.undoes == "", proposals.c.state.in_(LIVE))
    query = sa.select(proposals.c.proposal_id).where(*live, proposals.c.proposal_id != row.proposal_id)
    other = work.connection.execute(query).scalar()
    if row.state not in DECIDABLE or other is not None:
        newer = f"proposal {other} waits now" if other is not None else WHY_NOT[row.state]
        raise UsageError(
            f"proposal {row.proposal_id} is {row.state}, and {newer}: the decisions on it are kept, and nothing was "
            "submitted. Decide on the proposal that waits."
        )


def _changed(work: Work, row: sa.Row[Any], plan: Plan) -> list[str]:
    """What changed since of accounts that both plans move."""
    both = {move["account_id"] for move in plan.moves}
    planned = [move for move in moves_of(work.connection, row.proposal_id) if move.account_id in both]
    return changes_since(work, row.book_id, planned)
