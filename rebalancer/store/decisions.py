"""Decisions: approving and rejecting a proposal, whole or by move."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from rebalancer.errors import StalePlan, UsageError, printable
from rebalancer.store.events import append
from rebalancer.store.lifecycle import Decision, after, expiring, is_repeat, rejecting
from rebalancer.store.plan import plan_hash
from rebalancer.store.proposals import approvals_of, find, moves_of, set_state
from rebalancer.store.stale import changes_since, refuse_stale
from rebalancer.store.store import Store, Work, timestamp
from rebalancer.store.tables import approvals, locks, moves


@dataclass(frozen=True)
class Decided:
    """What a decision did: the accounts it was new for, and the counts of moves as they stand."""

    proposal_id: str
    state: str
    accounts: tuple[str, ...]
    approved: int
    rejected: int
    undecided: int
    expires_at: str = ""

    @property
    def changed(self) -> bool:
        """False where all of it had been decided so before."""
        return bool(self.accounts)


def approve(
    store: Store,
    proposal: str,
    *,
    accounts: Iterable[str] = (),
    plan: str | None = None,
    by: str | None = None,
    comment: str = "",
    now: datetime | None = None,
) -> Decided:
    """Approve the moves of some accounts, by default every move that was not rejected.

    The approval holds for the plan as it is now (its hash is `plan`, where given) and ends after the days of the
    model. Raises `StalePlan` where the book changed since, or the plan is not the one named; `UsageError` where the
    proposal is not open to approval, or the database knows that the proposer approves.
    """
    with store.writing(by, now) as work:
        row = find(work.connection, proposal)
        planned = refuse_altered(work, row, plan)
        after(row.state, "approve")
        if work.enforced and work.actor == row.proposed_by:
            raise UsageError(f"{work.actor} made proposal {row.proposal_id}; somebody else has to approve it.")
        state, planned = _end_old_approvals(work, row, planned)
        chosen = _chosen(planned, accounts, "rejected")
        new = [move for move in chosen if move.decision != "approved"]
        if not new:
            return _decided(work, row, ())
        refuse_stale(row.proposal_id, changes_since(work, row.book_id, new), "Approving")
        expires = timestamp(work.now + timedelta(days=row.approval_days))
        return _approve(work, row, after(state, "approve"), new, expires, comment)


def _approve(
    work: Work, row: sa.Row[Any], state: str, new: Sequence[sa.Row[Any]], expires: str, comment: str
) -> Decided:
    ids = [move.account_id for move in new]
    body = {"state": state, "accounts": ids, "plan_hash": row.plan_hash, "expires_at": expires, "comment": comment}
    seq = append(work, "approved", body, book=row.book, proposal=row.proposal_id)
    approval = {"event_seq": seq, "proposal_id": row.proposal_id, "plan_hash": row.plan_hash}
    work.connection.execute(approvals.insert().values(**approval, approved_by=work.actor, expires_at=expires))
    _decide(work, row, ids, "approved", seq)
    _unlock(work, row, [move for move in new if move.decision == "rejected"])
    set_state(work, row.proposal_id, state)
    return _decided(work, row, ids, expires)


def reject(
    store: Store,
    proposal: str,
    *,
    accounts: Iterable[str] = (),
    by: str | None = None,
    comment: str = "",
    now: datetime | None = None,
) -> Decided:
    """Reject the moves of some accounts, by default all of them; approved ones too, as long as nothing is applied.

    A rejected move of a plan stays rejected for the days of the model. Raises `UsageError` where the proposal is no
    longer open to decisions.
    """
    with store.writing(by, now) as work:
        row = find(work.connection, proposal)
        planned = moves_of(work.connection, row.proposal_id)
        if is_repeat(row.state, "reject"):
            return _decided(work, row, ())
        after(row.state, "reject")
        return reject_in(work, row.proposal_id, [move.account_id for move in _chosen(planned, accounts)], comment)


def reject_in(work: Work, proposal: str, accounts: Iterable[str], comment: str = "") -> Decided:
    """Reject the moves of these accounts and no others, in a transaction that is under way; those rejected before stay
    as they are.
    """
    row, named = find(work.connection, proposal), set(accounts)
    planned = moves_of(work.connection, row.proposal_id)
    ids = [move.account_id for move in planned if move.account_id in named and move.decision != "rejected"]
    if not ids:
        return _decided(work, row, ())
    chosen = set(ids)
    left: list[Decision] = ["rejected" if move.account_id in chosen else move.decision for move in planned]
    state = after(row.state, rejecting(row.state, left))
    _decide(work, row, ids, "rejected", None)
    until = (work.now + timedelta(days=row.rejected_days)).date().isoformat()
    if not row.undoes:
        _lock(work, row, [move for move in planned if move.account_id in chosen], until)
    body = {"state": state, "accounts": ids, "until": until, "comment": comment}
    append(work, "rejected", body, book=row.book, proposal=row.proposal_id)
    set_state(work, row.proposal_id, state)
    return _decided(work, row, ids)


def refuse_altered(work: Work, row: sa.Row[Any], plan: str | None = None) -> list[sa.Row[Any]]:
    """The moves of a proposal. Raises `StalePlan` where they are not those it was made with, or not of that hash."""
    planned = moves_of(work.connection, row.proposal_id)
    if plan_hash(move._asdict() for move in planned) != row.plan_hash:
        raise StalePlan(
            f"the moves of proposal {row.proposal_id} are not those it was made with; the store was changed from "
            "outside. `rebalancer proposals audit` says what. Nothing was written."
        )
    if plan is not None and not (plan and row.plan_hash.startswith(plan)):
        raise StalePlan(
            f'the plan of proposal {row.proposal_id} is {row.plan_hash[:16]}, not "{printable(plan)}". Look at it '
            "again with `rebalancer proposals show`."
        )
    return planned


def _chosen(planned: list[sa.Row[Any]], accounts: Iterable[str], without: str = "") -> list[sa.Row[Any]]:
    """The moves of the accounts named; without names, all but those of a decision."""
    named = set(accounts)
    unknown = named - {move.account_id for move in planned}
    if unknown:
        raise UsageError(f"the proposal does not move {', '.join(printable(name) for name in sorted(unknown))}.")
    if named:
        return [move for move in planned if move.account_id in named]
    return [move for move in planned if move.decision != without]


def _end_old_approvals(work: Work, row: sa.Row[Any], planned: list[sa.Row[Any]]) -> tuple[Any, list[sa.Row[Any]]]:
    """Take back approvals that have run out, so that they can be given anew."""
    ended = run_out(work, row, planned)
    if not ended:
        return row.state, planned
    ids = {move.account_id for move in ended}
    left: list[Decision] = ["undecided" if move.account_id in ids else move.decision for move in planned]
    event = expiring(left)
    state = after(row.state, event)
    _decide(work, row, sorted(ids), "undecided", None)
    append(work, "expired", {"state": state, "accounts": sorted(ids)}, book=row.book, proposal=row.proposal_id)
    set_state(work, row.proposal_id, state)
    return state, moves_of(work.connection, row.proposal_id)


def run_out(work: Work, row: sa.Row[Any], planned: Iterable[sa.Row[Any]]) -> list[sa.Row[Any]]:
    """The approved moves whose approval has ended."""
    given = approvals_of(work.connection, row.proposal_id)
    return [move for move in planned if move.decision == "approved" and given[move.approval].expires_at <= work.at]


def _decide(work: Work, row: sa.Row[Any], ids: Sequence[str], decision: Decision, approval: int | None) -> None:
    place = (moves.c.proposal_id == row.proposal_id, moves.c.account_id == sa.bindparam("of_account"))
    change = moves.update().where(*place).values(decision=decision, approval=approval)
    work.connection.execute(change, [{"of_account": account} for account in ids])


def _lock(work: Work, row: sa.Row[Any], rejected: Sequence[sa.Row[Any]], until: str) -> None:
    _unlock(work, row, rejected)
    rows = [{**_lock_key(row, move), "until": until, "proposal_id": row.proposal_id} for move in rejected]
    work.connection.execute(locks.insert(), rows)


def _unlock(work: Work, row: sa.Row[Any], accepted: Sequence[sa.Row[Any]]) -> None:
    for move in accepted:
        key = _lock_key(row, move)
        work.connection.execute(locks.delete().where(*(locks.c[name] == value for name, value in key.items())))


def _lock_key(row: sa.Row[Any], move: sa.Row[Any]) -> dict[str, Any]:
    names = {"account_id": move.account_id, "refused_am": move.to_am, "refused_csm": move.to_csm}
    return {"book_id": row.book_id, **names}


def _decided(work: Work, row: sa.Row[Any], ids: Sequence[str], expires: str = "") -> Decided:
    stands = [move.decision for move in moves_of(work.connection, row.proposal_id)]
    state = find(work.connection, row.proposal_id).state
    approved, rejected = stands.count("approved"), stands.count("rejected")
    left = len(stands) - approved - rejected
    return Decided(row.proposal_id, state, tuple(ids), approved, rejected, left, expires)
