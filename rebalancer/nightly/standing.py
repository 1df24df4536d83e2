"""Standing: what of the live proposal of a book is still there tonight, and whether it can stay as it is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from rebalancer.book import Book
from rebalancer.nightly.knowledge import Live
from rebalancer.snapshot import Snapshot
from rebalancer.steady import Standing, burdens
from rebalancer.store.plan import Plan
from rebalancer.store.store import timestamp


def intact(live: Live, base: Book) -> dict[str, tuple[str, str]]:
    """The moves not rejected of accounts that are still where they were: by account the new AM and CSM."""
    accounts = base.accounts
    rows = zip(accounts["account_id"], accounts["owner"], accounts["csm"], strict=True)
    seats = {account: (owner, csm) for account, owner, csm in rows if account in live.moves}
    return {
        name: (move.to_am, move.to_csm)
        for name, move in live.moves.items()
        if move.decision != "rejected" and seats.get(name) == (move.from_am, move.from_csm)
    }


def standing_of(live: Live | None, snapshot: Snapshot) -> Standing | None:
    """What the search is to keep of it; None where there is nothing."""
    if live is None:
        return None
    known: Mapping[str, object] = snapshot.ams.of_person
    moves = {name: seat for name, seat in intact(live, snapshot.book).items() if seat[0] in known}
    return Standing(moves, float(snapshot.model.stability.worse)) if moves else None


def waits_for_apply(live: Live, snapshot: Snapshot, now: datetime) -> bool:
    """It is approved, its approvals have not ended, its approved moves start from where the accounts are, rules admit
    them, and they overload nobody more than today.
    """
    if live.state != "approved" or live.approved_until <= timestamp(now):
        return False
    approved = {name: (move.to_am, move.to_csm) for name, move in live.moves.items() if move.decision == "approved"}
    return not set(approved) - set(intact(live, snapshot.book)) and burdens(snapshot, approved) <= 0


def is_same(plan: Plan, live: Live, base: Book) -> bool:
    """The plan moves what the live proposal still moves, and nothing of that was rejected or went stale."""
    new = {move["account_id"]: (move["to_am"], move["to_csm"]) for move in plan.moves}
    return new == intact(live, base) and len(new) == len(live.moves)
