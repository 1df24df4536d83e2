"""Ledger: what the CRM did with the accounts of a run, beside the proposal that the run became.

The rules are those of the ledger of the files, `rebalancer.crm.ledger.merged`: done stays done, and of failures the
latest counts. So importing files twice, or in another order, gives the same ledger.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
import sqlalchemy as sa

from rebalancer.crm.ledger import merged
from rebalancer.crm.results import Result
from rebalancer.errors import UsageError, printable
from rebalancer.store.books import book_named
from rebalancer.store.events import append, digest
from rebalancer.store.proposals import DEFAULT_BOOK, find, moves_of, proposal_id
from rebalancer.store.store import Store, Work
from rebalancer.store.tables import ledger, proposals

EVENT = "crm_results"

STATES = ("done", "failed", "pending")

RECORDED_IN = ("approved", "applied", "undone")
"""States of a proposal whose moves may have been loaded; what was undone was applied before."""

FRAME = {"account_id": "account_id", "Id": "crm_id", "OwnerId": "crm_owner", "state": "state", "error": "error",
         "when": "changed_at"}  # fmt: skip
"""Columns of the ledger of the files, and those of the table. `changed_at` is the time of the file that said so."""


@dataclass(frozen=True)
class Recorded:
    """What recording did: accounts of the run by state, how many are new or say something new, and those of the export
    that the store does not move, since nobody approved them.
    """

    proposal_id: str
    state: str
    counts: dict[str, int]
    changed: int
    not_approved: tuple[str, ...] = ()


def record_results(
    store: Store,
    run_id: str,
    rows: pd.DataFrame,
    *,
    book: str = DEFAULT_BOOK,
    by: str | None = None,
    comment: str = "",
    now: datetime | None = None,
) -> Recorded:
    """Take in the ledger of an export (`account_id, Id, OwnerId, state, error, when`), in one transaction.

    The same again changes nothing. Raises `UsageError` where the book has no proposal of the run, or one that is
    neither approved nor applied.
    """
    with store.writing(by, now) as work:
        row = loaded_proposal(work.connection, run_id, book)
        known = results_of(work.connection, row.book_id, run_id)
        wanted = _together(known.values(), rows)
        changed = [new for new in wanted if _is_new(known.get(new["account_id"]), new)]
        found = Recorded(row.proposal_id, row.state, counted(wanted), len(changed), _not_approved(work, row, wanted))
        if changed:
            _write(work, row, known, changed)
            told = {"run_id": run_id, **found.counts, "changed": len(changed), "results_sha256": results_digest(wanted)}
            append(work, EVENT, {**told, "comment": comment}, book=row.book, proposal=row.proposal_id)
        return found


def refuse_unloaded(store: Store, run_id: str, book: str = DEFAULT_BOOK) -> None:
    """Raise `UsageError` where `record_results` would, so that nothing is begun in vain."""
    with store.reading() as connection:
        loaded_proposal(connection, run_id, book)


def loaded_proposal(connection: sa.Connection, run_id: str, book: str) -> sa.Row[Any]:
    """The proposal of a run, whose moves may have been loaded. Raises `UsageError` where there is none such."""
    row = proposal_of_run(connection, run_id, book)
    if row.state not in RECORDED_IN:
        raise UsageError(
            f"proposal {row.proposal_id} of run {run_id} is {row.state}. What the CRM did is recorded of a proposal "
            "that is approved or applied; nothing was recorded."
        )
    return row


def proposal_of_run(connection: sa.Connection, run_id: str, book: str) -> sa.Row[Any]:
    """The proposal that a run became in a book. Raises `UsageError` where there is none."""
    book_named(connection, book)
    name = proposal_id(book, run_id)
    known = connection.execute(sa.select(proposals.c.proposal_id).where(proposals.c.proposal_id == name)).first()
    if known is None:
        raise UsageError(
            f'the book "{printable(book)}" of the store has no proposal of run {printable(run_id)}. Submit it with '
            "`rebalancer proposals submit`, name its book with --book, or leave out --store."
        )
    return find(connection, name)


def results_of(connection: sa.Connection, book: int, run_id: str) -> dict[str, sa.Row[Any]]:
    """The rows of a run's ledger by account; none where nothing was imported."""
    rows = connection.execute(sa.select(ledger).where(ledger.c.book_id == book, ledger.c.run_id == run_id))
    return {row.account_id: row for row in rows}


def counted(rows: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Accounts by state."""
    states = [row["state"] for row in rows]
    return {state: states.count(state) for state in STATES}


def results_digest(rows: Iterable[Mapping[str, Any]]) -> str:
    """What an event holds of the ledger of its run: a hash that does not depend on the order of its rows."""
    return digest(sorted([row[name] for name in FRAME.values()] for row in rows))


def _together(known: Iterable[sa.Row[Any]], rows: pd.DataFrame) -> list[dict[str, Any]]:
    """The ledger of the store and that of the files as one."""
    new = rows[list(FRAME)].to_dict("records")
    base = {row.crm_id: {name: getattr(row, column) for name, column in FRAME.items()} for row in known}
    for row in new:
        if row["Id"] not in base or _takes_place(base[row["Id"]], row):
            base[row["Id"]] = {str(name): value for name, value in row.items()}
    said = [_result(row) for row in new if row["OwnerId"] == base[row["Id"]]["OwnerId"]]
    whole = merged(pd.DataFrame(list(base.values()), columns=list(FRAME), dtype=object), said)
    return [{FRAME[str(name)]: value for name, value in row.items()} for row in whole.to_dict("records")]


def _takes_place(there: Mapping[str, Any], row: Mapping[Any, Any]) -> bool:
    """An export to another user takes the place of the one before, unless that one alone is done."""
    return bool(there["OwnerId"] != row["OwnerId"] and (row["state"] == "done" or there["state"] != "done"))


def _result(row: Mapping[Any, Any]) -> Result:
    return Result("", 0, row["Id"], row["OwnerId"], row["state"], row["error"], row["when"])


def _is_new(there: sa.Row[Any] | None, new: Mapping[str, Any]) -> bool:
    return there is None or any(getattr(there, name) != value for name, value in new.items())


def _not_approved(work: Work, row: sa.Row[Any], wanted: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    approved = {move.account_id for move in moves_of(work.connection, row.proposal_id) if move.decision == "approved"}
    return tuple(sorted({new["account_id"] for new in wanted} - approved))


def _write(work: Work, row: sa.Row[Any], known: Mapping[str, Any], changed: Sequence[Mapping[str, Any]]) -> None:
    new = [one for one in changed if one["account_id"] not in known]
    if new:
        key = {"book_id": row.book_id, "run_id": row.run_id}
        work.connection.execute(ledger.insert(), [{**key, **one} for one in new])
    updates = [{"of_account": one["account_id"], **one} for one in changed if one["account_id"] in known]
    if updates:
        names = [name for name in FRAME.values() if name != "account_id"]
        place = (ledger.c.book_id == row.book_id, ledger.c.run_id == row.run_id)
        change = ledger.update().where(*place, ledger.c.account_id == sa.bindparam("of_account"))
        values = [{name: one[name] for name in ("of_account", *names)} for one in updates]
        work.connection.execute(change.values({name: sa.bindparam(name) for name in names}), values)
