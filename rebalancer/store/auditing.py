"""Auditing: is the store as its events say? Finds what was changed, deleted, reordered or dated back outside.

It makes changes evident, not impossible: who owns the file can rewrite all of it. Keep the anchor of an audit elsewhere
and hand it to the next one.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from rebalancer.store.clock_audit import wrong_clocks
from rebalancer.store.events import changes_digest, hash_of
from rebalancer.store.ledger import EVENT, results_digest
from rebalancer.store.plan import plan_hash
from rebalancer.store.store import Store
from rebalancer.store.tables import accounts, approvals, books, chain, events, history, ledger, moves, proposals


@dataclass(frozen=True)
class Finding:
    """One thing that is not as the events say. `event` is the number of the event, None where it is about a table."""

    kind: str
    message: str
    event: int | None = None


@dataclass(frozen=True)
class Audited:
    """What an audit read and found. `anchor` is the hash of the newest event."""

    events: int
    changes: int
    proposals: int
    anchor: str
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Nothing was found."""
        return not self.findings


def audit(store: Store, *, anchor: str | None = None) -> Audited:
    """Check the chain of events, and that replaying them gives the tables as they are.

    `anchor` is that of an earlier audit, whose events must all still be there.
    """
    with store.reading() as connection:
        head = connection.execute(sa.select(chain)).one()
        told = connection.execute(sa.select(events).order_by(events.c.seq)).all()
        changes = connection.execute(sa.select(history).order_by(history.c.event_seq)).all()
        count = connection.execute(sa.select(sa.func.count()).select_from(proposals)).scalar_one()
        found = [
            *_chain(told, head, anchor),
            *_changes(told, changes),
            *_owners(connection, changes),
            *_proposals(connection, told),
            *_results(connection, told),
            *(Finding("clock", text) for text in wrong_clocks(connection, told)),
        ]
    return Audited(len(told), len(changes), count, head.head_hash, tuple(found))


def _chain(told: Sequence[sa.Row[Any]], head: sa.Row[Any], anchor: str | None) -> Iterator[Finding]:
    previous, number, at = head.store_id, 0, ""
    for event in told:
        if event.seq != number + 1:
            yield Finding("missing", f"events {number + 1:,} to {event.seq - 1:,} are missing.", event.seq)
        elif event.previous != previous:
            yield Finding("order", f"event {event.seq:,} does not follow the one before it.", event.seq)
        if hash_of(event._asdict()) != event.hash:
            yield Finding("changed", f"event {event.seq:,} is not as it was written.", event.seq)
        if event.at < at:
            yield Finding("date", f"event {event.seq:,} is dated before the one before it.", event.seq)
        previous, number, at = event.hash, event.seq, max(at, event.at)
    if (number, previous) != (head.head_seq, head.head_hash):
        yield Finding(
            "missing", f"the newest event is not number {head.head_seq:,}, which was the last.", head.head_seq
        )
    if anchor is not None and anchor not in {head.store_id, *(event.hash for event in told)}:
        yield Finding("anchor", "no event has the hash of the anchor: events of that time were replaced or deleted.")


def _body(event: sa.Row[Any]) -> dict[str, Any]:
    """What an event says; nothing where its text was damaged, which the chain tells."""
    try:
        return dict(json.loads(event.body))
    except (ValueError, TypeError):
        return {}


def _changes(told: Sequence[sa.Row[Any]], changes: Sequence[sa.Row[Any]]) -> Iterator[Finding]:
    """The rows of `history` are those that the events vouch for."""
    of_event = defaultdict(list)
    for change in changes:
        of_event[change.event_seq].append(change._asdict())
    for event in told:
        body, rows = _body(event), of_event.pop(event.seq, [])
        if len(rows) != body.get("changes", 0) or (rows and changes_digest(rows) != body.get("changes_sha256")):
            yield Finding("history", f"the changes of owners of event {event.seq:,} are not as written.", event.seq)
    for seq in of_event:
        yield Finding("history", f"there are changes of owners of event {seq:,}, which is not there.", seq)


def _owners(connection: sa.Connection, changes: Sequence[sa.Row[Any]]) -> Iterator[Finding]:
    """Replaying the history gives the owners of today."""
    replayed: dict[tuple[int, str], tuple[str, str]] = {}
    for change in changes:
        key = (change.book_id, change.account_id)
        if change.kind == "gone":
            replayed.pop(key, None)
        else:
            if change.kind != "added" and replayed.get(key) != (change.from_am, change.from_csm):
                yield Finding("history", f"{change.account_id} changes hands from somebody who did not own it.")
            replayed[key] = (change.to_am, change.to_csm)
    now = {(row.book_id, row.account_id): (row.am_id, row.csm_id) for row in connection.execute(sa.select(accounts))}
    for key in sorted({*now, *replayed}):
        if now.get(key) != replayed.get(key):
            yield Finding("owner", f"the owner of {key[1]} is not the one that its history leads to.")


def _proposals(connection: sa.Connection, told: Sequence[sa.Row[Any]]) -> Iterator[Finding]:
    """Proposals, decisions and approvals are those of the events."""
    states: dict[str, str] = {}
    decisions: dict[tuple[str, str], str] = {}
    hashes: dict[str, str] = {}
    given = {}
    words = {"approved": "approved", "rejected": "rejected", "expired": "undecided"}
    for event in told:
        body = _body(event)
        if event.proposal_id and "state" in body:
            states[event.proposal_id] = body["state"]
        if event.what == "submitted":
            hashes[event.proposal_id] = body.get("plan_hash", "")
        for account in body.get("accounts", ()) if event.what in words else ():
            decisions[event.proposal_id, account] = words[event.what]
        if event.what == "approved":
            given[event.seq] = (event.proposal_id, body.get("plan_hash"), event.actor, body.get("expires_at"))
    yield from _states(connection, states, hashes)
    yield from _moves(connection, decisions, hashes)
    rows = connection.execute(sa.select(approvals)).all()
    now = {row.event_seq: (row.proposal_id, row.plan_hash, row.approved_by, row.expires_at) for row in rows}
    for seq in sorted({*now, *given}):
        if now.get(seq) != given.get(seq):
            yield Finding("approval", f"the approval of event {seq:,} is not as it was given.", seq)


def _states(connection: sa.Connection, states: dict[str, str], hashes: dict[str, str]) -> Iterator[Finding]:
    rows = {row.proposal_id: row for row in connection.execute(sa.select(proposals))}
    for name in sorted({*rows, *states}):
        row = rows.get(name)
        if row is None or row.state != states.get(name) or row.plan_hash != hashes.get(name):
            yield Finding("proposal", f"proposal {name} is not in the state that its events lead to.")


def _moves(
    connection: sa.Connection, decisions: dict[tuple[str, str], str], hashes: dict[str, str]
) -> Iterator[Finding]:
    planned = defaultdict(list)
    for row in connection.execute(sa.select(moves)):
        planned[row.proposal_id].append(row)
        if row.decision != decisions.get((row.proposal_id, row.account_id), "undecided"):
            yield Finding("decision", f"the decision on {row.account_id} in {row.proposal_id} is not the one made.")
    for name, hashed in sorted(hashes.items()):
        if plan_hash(row._asdict() for row in planned[name]) != hashed:
            yield Finding("moves", f"the moves of proposal {name} are not those it was submitted with.")


def _results(connection: sa.Connection, told: Sequence[sa.Row[Any]]) -> Iterator[Finding]:
    """The ledger of the CRM is what the newest import of each run left."""
    given = {}
    for event in told:
        if event.what == EVENT:
            body = _body(event)
            given[event.book, str(body.get("run_id"))] = body.get("results_sha256")
    rows = defaultdict(list)
    for row in connection.execute(sa.select(ledger, books.c.name.label("book")).join(books)):
        rows[row.book, row.run_id].append(row._asdict())
    for key in sorted({*given, *rows}):
        if results_digest(rows[key]) != given.get(key):
            yield Finding("ledger", f"what the CRM said of run {key[1]} in book {key[0]} is not as it was imported.")
