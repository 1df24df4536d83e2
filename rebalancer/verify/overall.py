"""The rules that look at many accounts at once: families, budgets and the size of pods."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction

from rebalancer.verify.ledger import Ledger
from rebalancer.verify.plan import Plan
from rebalancer.verify.violation import Violation

NAMED = 5
"""Members of a family that a message names."""


def families(ledger: Ledger, plan: Plan) -> Iterator[Violation]:
    """A family that stays together ends in one book that is open to it, or as it is today."""
    for root, members in ledger.families.items():
        seated = [member for member in members if member in plan.seats]
        if len(seated) == len(members) and not plan.settled.issuperset(members):
            ends = [f"{member} at {_seat(*plan.seats[member])}" for member in members[:NAMED]]
            more = f" and {len(members) - NAMED:,} more" if len(members) > NAMED else ""
            means = "which is neither together in one book that is open to it nor as today"
            yield Violation("families", f"family {root} ends with {', '.join(ends)}{more}, {means}")


def _seat(am_id: str, csm_id: str) -> str:
    return f"{am_id or 'nobody'} with CSM {csm_id}" if csm_id else am_id or "nobody"


def budgets(ledger: Ledger, plan: Plan) -> Iterator[Violation]:
    """Moves that nothing forces stay within the model's budgets: in all, by tier, and out of and into each book."""
    for what, value, limit in _spent(ledger, plan):
        if limit is not None and value > limit:
            yield Violation("budgets", f"{what} is {value:,}, and the budget is {limit:,}")


def _spent(ledger: Ledger, plan: Plan) -> Iterator[tuple[str, int, int | None]]:
    budget, accounts = ledger.model.budgets, ledger.accounts
    moved = [account_id for account_id in plan.elsewhere if plan.moved(account_id) and not plan.forced(account_id)]
    share = None if budget.share is None else int(Fraction(budget.share) * len(accounts) // 1)
    yield "the number of accounts that move unforced", len(moved), budget.accounts
    yield "the ARR that moves unforced", sum(max(0, accounts[name].arr) for name in moved), budget.arr
    yield f"the number of accounts that move unforced, of {len(accounts):,}", len(moved), share
    tiers = Counter(accounts[name].tier for name in moved)
    for tier, limit in budget.per_tier.items():
        yield f"the number of {tier} accounts that move unforced", tiers[tier], limit
    lost = Counter(ledger.book_of(accounts[name].owner) for name in moved)
    gained = Counter(ledger.book_of(plan.seats[name][0]) for name in moved)
    for verb, counts, limit in (("loses", lost, budget.lost_per_am), ("gains", gained, budget.gained_per_am)):
        for book_id, count in sorted(counts.items()):
            yield f"the number of accounts that book {book_id} {verb} unforced", count, limit


def pod_size(ledger: Ledger, plan: Plan) -> Iterator[Violation]:
    """A pod that ends with fewer or more accounts than the model wants is named in the proposal's warnings."""
    least, most = ledger.model.pods.size
    held = Counter(ledger.book_of(am_id) for am_id, _ in plan.seats.values())
    for pod_id, books in _pod_books(ledger).items():
        count = sum(held[book_id] for book_id in books)
        if not least <= count <= most and not any(_names(sentence, pod_id) for sentence in plan.warnings):
            size = f"ends at a size of {count:,}, outside {least:,} to {most:,}"
            yield Violation("pod_size", f"pod {pod_id} {size}, and no warning says so")


def _pod_books(ledger: Ledger) -> dict[str, set[str]]:
    """The books of the AMs of each pod who have not left, where there are any."""
    books: dict[str, set[str]] = {}
    for pod_id, am_id, _ in ledger.pod_rows if ledger.pods_active else ():
        if not ledger.am_departed(am_id):
            books.setdefault(pod_id, set()).add(ledger.book_of(am_id))
    return books


def _names(sentence: str, pod_id: str) -> bool:
    """Whether the sentence has that id, and not only within a longer one."""
    return re.search(rf"(?<!\w){re.escape(pod_id)}(?!\w)", sentence) is not None
