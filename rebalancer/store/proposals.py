"""Proposals: submitting a run, finding a proposal, and what it holds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from rebalancer.errors import Fault, InvalidInput, UsageError, did_you_mean, printable
from rebalancer.store.books import accounts_of, observe_book, people_of
from rebalancer.store.events import append, digest
from rebalancer.store.lifecycle import LIVE, after
from rebalancer.store.plan import Plan, plan_hash, read_plan
from rebalancer.store.stale import changes_since, refuse_stale
from rebalancer.store.store import Store, Work
from rebalancer.store.tables import approvals, books, locks, moves, proposals, runs

SHORTEST_PREFIX = 4
DEFAULT_BOOK = "main"


@dataclass(frozen=True)
class Submitted:
    """What submitting a run did. `proposal_id` is None where the run moves nothing."""

    proposal_id: str | None
    state: str
    moves: int
    new: bool
    superseded: tuple[str, ...] = ()
    rejected_before: tuple[str, ...] = ()
    """Accounts whose very move was rejected not long ago."""


def submit(
    store: Store,
    run: str | Path,
    *,
    book: str = DEFAULT_BOOK,
    observe: bool = True,
    by: str | None = None,
    comment: str = "",
    now: datetime | None = None,
) -> Submitted:
    """Make a proposal of a run directory. The same run again changes nothing.

    With `observe`, the book of the run is taken in as its newest file first, unless it is older. A live plan of the
    book is superseded. Raises `StalePlan` where the run was made for owners that are not those of the store,
    `InvalidInput` where the store has the same run with another plan, and what `read_plan` raises.
    """
    return submit_plan(store, read_plan(run), book=book, observe=observe, by=by, comment=comment, now=now)


def submit_plan(
    store: Store,
    plan: Plan,
    *,
    book: str = DEFAULT_BOOK,
    observe: bool = True,
    by: str | None = None,
    comment: str = "",
    now: datetime | None = None,
) -> Submitted:
    """As `submit`, of a plan that was read already."""
    with store.writing(by, now) as work:
        return submit_in(work, plan, book=book, observe=observe, comment=comment)


def submit_in(
    work: Work,
    plan: Plan,
    *,
    book: str = DEFAULT_BOOK,
    observe: bool = True,
    comment: str = "",
    again: bool = False,
) -> Submitted:
    """As `submit_plan`, in a transaction that is under way. With `again` a run whose proposal is no longer live is
    proposed once more.
    """
    known = _already(work, book, plan)
    if known is not None and not (again and plan.moves and known.state not in LIVE):
        return known
    number = observe_book(work, book, plan.observed) if observe else _number(work, book)
    hashed = plan_hash(plan.moves)
    if known is None:
        work.connection.execute(runs.insert().values(_run_row(work, number, plan, hashed)))
    if not plan.moves:
        append(work, "no_change", {"run_id": plan.run_id, "comment": comment}, book=book)
        return Submitted(None, "no_change", 0, new=True)
    superseded = supersede(work, number, book)
    proposal = {
        "proposal_id": proposal_id(book, plan.run_id, *_attempt(work, number, plan.run_id)),
        "book_id": number,
        "run_id": plan.run_id,
        "undoes": "",
        "plan_hash": hashed,
        "approval_days": plan.approval_days,
        "rejected_days": plan.rejected_days,
    }
    insert_proposal(work, proposal, plan.moves, book, comment)
    rejected = tuple(_rejected_before(work, number, plan.moves))
    return Submitted(str(proposal["proposal_id"]), "open", len(plan.moves), True, superseded, rejected)


def proposal_id(book: str, *what: str) -> str:
    """The id of a proposal: a hash, so that the same run of the same book is the same proposal."""
    return digest([book, *what])[:16]


def _number(work: Work, book: str) -> int:
    from rebalancer.store.books import book_named

    return int(book_named(work.connection, book).book_id)


def _already(work: Work, book: str, plan: Plan) -> Submitted | None:
    """What became of the same run before, None where it is new."""
    query = sa.select(runs.c.plan_hash).join(books, books.c.book_id == runs.c.book_id)
    query = query.where(books.c.name == book, runs.c.run_id == plan.run_id)
    known = work.connection.execute(query).scalar_one_or_none()
    if known is None:
        return None
    if known != plan_hash(plan.moves):
        problem = f"the store has run {plan.run_id} with other moves: a search by the clock need not end alike."
        raise InvalidInput([Fault("same_run", problem, "Propose with --reproducible, or with another --seed.")])
    if not plan.moves:
        return Submitted(None, "no_change", 0, new=False)
    found = _of_run(work, _number(work, book), plan.run_id)
    newest = next((row for row in found if row.state in LIVE), found[-1])
    return Submitted(newest.proposal_id, newest.state, len(plan.moves), new=False)


def _of_run(work: Work, number: int, run_id: str) -> list[sa.Row[Any]]:
    """The proposals of a run, oldest first: one, unless it had to be proposed again."""
    query = sa.select(proposals).where(proposals.c.book_id == number, proposals.c.run_id == run_id)
    return list(work.connection.execute(query.order_by(proposals.c.proposed_at, proposals.c.proposal_id)))


def _attempt(work: Work, number: int, run_id: str) -> tuple[str, ...]:
    """What tells a further proposal of the same run from the first."""
    before = len(_of_run(work, number, run_id))
    return (str(before),) if before else ()


def _run_row(work: Work, number: int, plan: Plan, hashed: str) -> dict[str, Any]:
    return {
        "book_id": number,
        "run_id": plan.run_id,
        "plan_hash": hashed,
        "accounts_sha256": plan.observed.accounts_sha256,
        "effective_date": plan.observed.day,
        "submitted_at": work.at,
        "record": plan.record,
    }


def supersede(work: Work, number: int, book: str, comment: str = "") -> tuple[str, ...]:
    """Let the live plans of a book be superseded, and hand back their ids."""
    live = (proposals.c.book_id == number, proposals.c.undoes == "", proposals.c.state.in_(LIVE))
    found = work.connection.execute(sa.select(proposals).where(*live)).all()
    for row in found:
        set_state(work, row.proposal_id, after(row.state, "supersede"))
        told = {"state": "superseded", **({"comment": comment} if comment else {})}
        append(work, "superseded", told, book=book, proposal=row.proposal_id)
    return tuple(row.proposal_id for row in found)


def set_state(work: Work, proposal: str, state: str) -> None:
    """Write a proposal's new state."""
    work.connection.execute(proposals.update().where(proposals.c.proposal_id == proposal).values(state=state))


def insert_proposal(
    work: Work, proposal: Mapping[str, Any], planned: Sequence[Mapping[str, Any]], book: str, comment: str
) -> None:
    """Write an open proposal with its moves. Raises `StalePlan` where the book is not as the moves expect."""
    row = {**proposal, "state": "open", "proposed_by": work.actor, "proposed_at": work.at}
    work.connection.execute(proposals.insert().values(row))
    work.connection.execute(moves.insert(), _expecting(work, row, planned))
    written = moves_of(work.connection, row["proposal_id"])
    refuse_stale(row["proposal_id"], changes_since(work, row["book_id"], written), "Submitting")
    body = {name: row[name] for name in ("plan_hash", "run_id", "undoes")}
    told = {**body, "state": "open", "moves": len(written), "comment": comment}
    append(work, "submitted", told, book=book, proposal=row["proposal_id"])


def _expecting(work: Work, row: Mapping[str, Any], planned: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The moves with what they expect of the account and its new people, which is what the store knows now."""
    now = accounts_of(work.connection, row["book_id"], (move["account_id"] for move in planned))
    people = people_of(work.connection, row["book_id"])

    def of_person(role: str, name: str) -> str:
        return str(people[role, name].traits) if (role, name) in people else "{}"

    return [
        {
            **move,
            "proposal_id": row["proposal_id"],
            "expected_version": now[move["account_id"]].version if move["account_id"] in now else 0,
            "expected_traits": now[move["account_id"]].traits if move["account_id"] in now else "{}",
            "am_traits": of_person("am", move["to_am"]),
            "csm_traits": of_person("csm", move["to_csm"]),
            "decision": "undecided",
        }
        for move in planned
    ]


def _rejected_before(work: Work, number: int, planned: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = work.connection.execute(sa.select(locks).where(locks.c.book_id == number, locks.c.until >= work.at[:10]))
    refused = {(row.account_id, row.refused_am, row.refused_csm) for row in rows}
    return [str(m["account_id"]) for m in planned if (m["account_id"], m["to_am"], m["to_csm"]) in refused]


def find(connection: sa.Connection, given: str) -> sa.Row[Any]:
    """The proposal of an id, or of the beginning of one, with the name of its book. Raises `UsageError` if none."""
    query = sa.select(proposals, books.c.name.label("book")).join(books, books.c.book_id == proposals.c.book_id)
    start = proposals.c.proposal_id.startswith(given, autoescape=True)
    found = connection.execute(query.where(start).limit(2)).all() if len(given) >= SHORTEST_PREFIX else []
    if len(found) == 1 or (found and found[0].proposal_id == given):
        return found[0]
    if found:
        raise UsageError(f'"{printable(given)}" begins more than one proposal; write more of it.')
    near = did_you_mean(given, connection.execute(sa.select(proposals.c.proposal_id)).scalars())
    raise UsageError(f'the store has no proposal "{printable(given)}". {near or "`proposals list` shows them."}')


def moves_of(connection: sa.Connection, proposal: str) -> list[sa.Row[Any]]:
    """The moves of a proposal, by account."""
    query = sa.select(moves).where(moves.c.proposal_id == proposal).order_by(moves.c.account_id)
    return list(connection.execute(query))


def approvals_of(connection: sa.Connection, proposal: str) -> dict[int, sa.Row[Any]]:
    """The approvals of a proposal by number."""
    rows = connection.execute(sa.select(approvals).where(approvals.c.proposal_id == proposal))
    return {row.event_seq: row for row in rows}


def record_of(connection: sa.Connection, book: int, run_id: str) -> dict[str, Any]:
    """The content of `proposal.json` of a run, empty for an undo, which has none."""
    query = sa.select(runs.c.record).where(runs.c.book_id == book, runs.c.run_id == run_id)
    text = connection.execute(query).scalar_one_or_none()
    return dict(json.loads(text)) if text else {}
