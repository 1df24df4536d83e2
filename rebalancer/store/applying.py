"""Applying: what is approved becomes so, in one transaction; and proposals that take it back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from rebalancer.errors import StalePlan, UsageError, printable
from rebalancer.store.books import accounts_of, change_of, people_of
from rebalancer.store.decisions import refuse_altered, run_out
from rebalancer.store.events import append
from rebalancer.store.ledger import results_of
from rebalancer.store.lifecycle import LIVE, WHY_NOT, after, is_repeat
from rebalancer.store.plan import plan_hash
from rebalancer.store.proposals import find, insert_proposal, moves_of, proposal_id, set_state
from rebalancer.store.stale import against, changes_since, refuse_stale
from rebalancer.store.store import Store, Work
from rebalancer.store.tables import accounts, moves, proposals


@dataclass(frozen=True)
class Applied:
    """What applying did. `new` is False where it had been done before; `left_out` are moves that were not approved."""

    proposal_id: str
    state: str
    accounts: int
    left_out: int
    new: bool


def apply(
    store: Store, proposal: str, *, by: str | None = None, comment: str = "", now: datetime | None = None
) -> Applied:
    """Make the approved moves of a proposal so: all of them or none. Once applied, again changes nothing.

    Raises `StalePlan` naming what changed since, or where the approval has ended; `UsageError` where nothing is
    approved.
    """
    with store.writing(by, now) as work:
        row = find(work.connection, proposal)
        planned = refuse_altered(work, row)
        if is_repeat(row.state, "apply"):
            done = sum(move.applied_version is not None for move in planned)
            return Applied(row.proposal_id, row.state, done, len(planned) - done, new=False)
        state = after(row.state, "apply")
        approved = [move for move in planned if move.decision == "approved"]
        _refuse_run_out(work, row, approved)
        refuse_stale(row.proposal_id, changes_since(work, row.book_id, approved), "Applying")
        _write(work, row, approved)
        set_state(work, row.proposal_id, state)
        kind = "undo" if row.undoes else "apply"
        rows = [{**_change(move, kind), "book_id": row.book_id} for move in approved]
        body = {"state": state, "plan_hash": row.plan_hash, "comment": comment}
        append(work, "applied", body, book=row.book, proposal=row.proposal_id, changes=rows)
        _mark_undone(work, row)
        return Applied(row.proposal_id, state, len(approved), len(planned) - len(approved), new=True)


def _refuse_run_out(work: Work, row: sa.Row[Any], approved: Sequence[sa.Row[Any]]) -> None:
    ended = run_out(work, row, approved)
    if ended:
        count = f"{len(ended):,} of {len(approved):,} moves"
        raise StalePlan(
            f"Applying {row.proposal_id} is not possible: the approval of {count} ended after {row.approval_days} "
            "days. Nothing was written. Approve again, or reject.",
            [f"the approval of {move.account_id} has ended" for move in ended],
        )


def _write(work: Work, row: sa.Row[Any], approved: Sequence[sa.Row[Any]]) -> None:
    values = [
        {
            "of_account": move.account_id,
            "am_id": move.to_am,
            "csm_id": move.to_csm,
            "version": move.expected_version + 1,
        }
        for move in approved
    ]
    names = ("am_id", "csm_id", "version")
    place = (accounts.c.book_id == row.book_id, accounts.c.account_id == sa.bindparam("of_account"))
    change = accounts.update().where(*place).values({name: sa.bindparam(name) for name in names})
    work.connection.execute(change, values)
    place = (moves.c.proposal_id == row.proposal_id, moves.c.account_id == sa.bindparam("of_account"))
    mark = moves.update().where(*place).values(applied_version=sa.bindparam("version"))
    work.connection.execute(mark, [{name: value[name] for name in ("of_account", "version")} for value in values])


def _change(move: sa.Row[Any], kind: str) -> dict[str, str]:
    return change_of(move.account_id, kind, (move.from_am, move.from_csm), (move.to_am, move.to_csm))


def _mark_undone(work: Work, row: sa.Row[Any]) -> None:
    if row.undoes:
        undone = find(work.connection, row.undoes)
        state = after(undone.state, "undo")
        set_state(work, undone.proposal_id, state)
        append(work, "undone", {"state": state, "by": row.proposal_id}, book=row.book, proposal=undone.proposal_id)


@dataclass(frozen=True)
class Undoing:
    """The proposal that takes another back. `left_out`: accounts that changed since, with what changed.

    `not_in_crm`: accounts that it gives back and whose move failed or is pending in the ledger of the CRM, which never
    took it: they are not to be loaded back.
    """

    proposal_id: str
    undoes: str
    state: str
    moves: int
    left_out: tuple[str, ...]
    new: bool
    not_in_crm: tuple[str, ...] = ()


def undo(
    store: Store, proposal: str, *, by: str | None = None, comment: str = "", now: datetime | None = None
) -> Undoing:
    """Propose to give back what a proposal moved; it needs its own approval, and then `apply`.

    Accounts that changed since stay out, and are listed. Raises `StalePlan` where none is left, and `UsageError`
    where the proposal was not applied.
    """
    with store.writing(by, now) as work:
        row = find(work.connection, proposal)
        known = _undo_of(work, row)
        if known is not None:
            ids = [move.account_id for move in moves_of(work.connection, known.proposal_id)]
            unconfirmed = _unconfirmed(work, row, ids)
            return Undoing(known.proposal_id, row.proposal_id, known.state, len(ids), (), False, unconfirmed)
        if row.state != "applied":
            raise UsageError(f"undoing {row.proposal_id} is not possible: {WHY_NOT[row.state]}.")
        back, left_out = _back(work, row)
        if not back:
            refuse_stale(row.proposal_id, left_out, "Undoing")
        proposal_row = _undo_row(work, row, back)
        insert_proposal(work, proposal_row, back, row.book, comment)
        name, unconfirmed = proposal_row["proposal_id"], _unconfirmed(work, row, [move["account_id"] for move in back])
        return Undoing(name, row.proposal_id, "open", len(back), tuple(left_out), True, unconfirmed)


def _undo_of(work: Work, row: sa.Row[Any]) -> sa.Row[Any] | None:
    """The proposal that undoes another: live, or applied where the other is undone."""
    states = ("applied", "undone") if row.state == "undone" else LIVE
    query = sa.select(proposals).where(proposals.c.undoes == row.proposal_id, proposals.c.state.in_(states))
    return work.connection.execute(query).first()


def _unconfirmed(work: Work, row: sa.Row[Any], ids: Iterable[str]) -> tuple[str, ...]:
    """The accounts whose move failed or is pending in the ledger; those that it does not know may be anywhere."""
    said = results_of(work.connection, row.book_id, row.run_id)
    return tuple(name for name in sorted(ids) if name in said and said[name].state != "done")


def _undo_row(work: Work, row: sa.Row[Any], back: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """An id of its own for every attempt: one that was rejected does not stand in the way of the next."""
    query = sa.select(sa.func.count()).select_from(proposals).where(proposals.c.undoes == row.proposal_id)
    attempt = work.connection.execute(query).scalar_one()
    kept = {name: getattr(row, name) for name in ("book_id", "approval_days", "rejected_days")}
    name = proposal_id(row.book, "undo", row.proposal_id, str(attempt))
    return {**kept, "proposal_id": name, "run_id": "", "undoes": row.proposal_id, "plan_hash": plan_hash(back)}


def _back(work: Work, row: sa.Row[Any]) -> tuple[list[dict[str, Any]], list[str]]:
    """The moves the other way round, and what stands against some."""
    done = [move for move in moves_of(work.connection, row.proposal_id) if move.applied_version is not None]
    now = accounts_of(work.connection, row.book_id, (move.account_id for move in done))
    people = people_of(work.connection, row.book_id)
    back, left_out = [], []
    for move in done:
        if move.account_id not in now or now[move.account_id].version != move.applied_version:
            left_out.append(f"{printable(move.account_id)} changed since")
        elif reasons := _old_people_gone(move, people, work.at[:10]):
            left_out.append(f"{printable(move.account_id)}: {reasons[0]}")
        else:
            back.append(_reversed(move, row.proposal_id))
    return back, left_out


def _old_people_gone(move: sa.Row[Any], people: Mapping[tuple[str, str], sa.Row[Any]], day: str) -> list[str]:
    old = (("am", move.from_am, move.to_am), ("csm", move.from_csm, move.to_csm))
    return [
        text for role, name, to in old if name and name != to for text in against(name, people.get((role, name)), day)
    ]


def _reversed(move: sa.Row[Any], undone: str) -> dict[str, Any]:
    facts = {name: getattr(move, name) for name in ("account_id", "tier", "units", "arr", "disruption")}
    seats = {"from_am": move.to_am, "to_am": move.from_am, "from_csm": move.to_csm, "to_csm": move.from_csm}
    return {**facts, **seats, "reason": f"Undoes proposal {undone}."}
