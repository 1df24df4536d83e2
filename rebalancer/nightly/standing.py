"""Standing: what of the live proposal of a book is still there tonight, and whether it can stay as it is."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from rebalancer.book import Book
from rebalancer.nightly.knowledge import Live, LiveMove
from rebalancer.snapshot import Snapshot
from rebalancer.steady import Standing, burdens
from rebalancer.store.plan import Observed, Plan
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
    return Standing(moves, float(snapshot.model.stability.worse), live.was) if moves else None


def can_wait(live: Live, snapshot: Snapshot, seen: Observed, now: datetime) -> bool:
    """Somebody approved it and the approvals have not ended, or made it by hand for more than a repair; what is to be
    moved can still be applied, rules admit it, and it overloads nobody more than today.
    """
    if live.state == "approved" and live.approved_until > timestamp(now):
        wanted = {name for name, move in live.moves.items() if move.decision == "approved"}
    elif live.state == "open" and live.scope == "full":
        wanted = {name for name, move in live.moves.items() if move.decision != "rejected"}
    else:
        return False
    seats = {name: seat for name, seat in intact(live, snapshot.book).items() if name in wanted}
    return len(seats) == len(wanted) and _can_be_applied(live, wanted, seen) and burdens(snapshot, seats) <= 0


def is_same(plan: Plan, live: Live, base: Book, seen: Observed) -> bool:
    """The plan moves what the live proposal still moves, and nothing of that was rejected or went stale."""
    new = {move["account_id"]: (move["to_am"], move["to_csm"]) for move in plan.moves}
    return new == intact(live, base) and len(new) == len(live.moves) and _can_be_applied(live, set(new), seen)


def _can_be_applied(live: Live, wanted: Collection[str], seen: Observed) -> bool:
    """Nothing that `approve` and `apply` look at has changed: the account, its new people, and who owned it."""
    return all(_is_fresh(live.moves[name], name, seen) for name in wanted)


def _is_fresh(move: LiveMove, account: str, seen: Observed) -> bool:
    if not move.unchanged or account not in seen.seats or seen.seats[account].traits != move.expected_traits:
        return False
    sides = (("am", move.from_am, move.to_am, move.am_traits), ("csm", move.from_csm, move.to_csm, move.csm_traits))
    return all(
        (who := seen.people.get((role, to))) is not None and who.traits == traits and who.receives
        for role, before, to, traits in sides
        if to and to != before
    )
