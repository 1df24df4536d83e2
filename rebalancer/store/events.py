"""Events: what happened, append-only. Each holds the hash of the one before, so that nothing can be changed unseen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from rebalancer.store.store import Work
from rebalancer.store.tables import chain, events, history

HASHED = ("seq", "at", "actor", "what", "book", "proposal_id", "body", "previous")


def canonical(value: Any) -> str:
    """JSON that is the same text for the same value."""
    return json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"))


def digest(value: Any) -> str:
    """sha256 of a value's canonical JSON."""
    return hashlib.sha256(canonical(value).encode("ascii")).hexdigest()


def hash_of(event: Mapping[str, Any]) -> str:
    """The hash of an event, over everything that it says and the hash of the one before."""
    return digest([event[name] for name in HASHED])


def append(
    work: Work,
    what: str,
    body: Mapping[str, Any],
    *,
    book: str = "",
    proposal: str = "",
    changes: Sequence[Mapping[str, Any]] = (),
) -> int:
    """Note what happened and hand back its number. `changes` are rows of `history`, which the event vouches for."""
    seq = work.head.seq + 1
    told = {**body, **({"changes": len(changes), "changes_sha256": changes_digest(changes)} if changes else {})}
    event = {
        "seq": seq,
        "at": work.at,
        "actor": work.actor,
        "what": what,
        "book": book,
        "proposal_id": proposal,
        "body": canonical(told),
        "previous": work.head.hash,
    }
    event["hash"] = hash_of(event)
    work.connection.execute(events.insert(), event)
    if changes:
        work.connection.execute(history.insert(), [{**change, "event_seq": seq} for change in changes])
    work.connection.execute(chain.update().values(head_seq=seq, head_hash=event["hash"], head_at=work.at))
    work.head = replace(work.head, seq=seq, hash=str(event["hash"]), at=work.at)
    return seq


CHANGE = ("account_id", "kind", "from_am", "to_am", "from_csm", "to_csm")


def changes_digest(changes: Iterable[Mapping[str, Any]]) -> str:
    """What an event holds of its rows of `history`: a hash that does not depend on their order."""
    return digest(sorted([change[name] for name in CHANGE] for change in changes))
