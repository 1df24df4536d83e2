"""One check for every rule, under the rule's name: from the ledger and the plan to the violations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from rebalancer.verify.global_programme import unsaid
from rebalancer.verify.ledger import Ledger
from rebalancer.verify.overall import budgets, families, pod_size
from rebalancer.verify.plan import Plan
from rebalancer.verify.rows import ELASTIC
from rebalancer.verify.seats import OF_CHANGES, SEAT_RULES
from rebalancer.verify.violation import Violation

Check = Callable[[Ledger, Plan], Iterator[Violation]]


def one_seat(ledger: Ledger, plan: Plan) -> Iterator[Violation]:
    """Every account is there exactly once, comes from the seat it has today, and ends with people who exist."""
    counts = Counter(plan.columns["account_id"])
    for account_id in (*ledger.accounts, *ledger.excluded):
        if counts[account_id] != 1:
            yield Violation("one_seat", f"account {account_id} has {counts[account_id]} seats, and needs 1")
    for account_id in counts:
        if account_id not in plan.index:
            yield Violation("one_seat", f"account {account_id} is assigned and is not in the book")
    for account_id in plan.index:
        yield from _seat(ledger, plan, account_id)


def _seat(ledger: Ledger, plan: Plan, account_id: str) -> Iterator[Violation]:
    at = plan.index[account_id]
    account = ledger.accounts.get(account_id) or ledger.excluded[account_id]
    for column, today in (("from_am", account.owner), ("from_csm", account.csm)):
        claimed = plan.columns[column][at]
        if claimed != today:
            message = f"account {account_id}: {column} says {claimed or 'none'}, the book says {today or 'none'}"
            yield Violation("one_seat", message)
    if account.excluded:
        yield from _left_out(plan, account_id)
        return
    am_id, csm_id = plan.seats[account_id]
    if am_id not in ledger.ams and am_id not in ledger.books:
        problem = f"ends at {am_id}, who is no AM of the book" if am_id else "ends without an AM"
        yield Violation("one_seat", f"account {account_id} {problem}")
    if csm_id and ledger.csms and csm_id not in ledger.csms:
        yield Violation("one_seat", f"account {account_id} ends with CSM {csm_id}, who is no CSM of the book")


def _left_out(plan: Plan, account_id: str) -> Iterator[Violation]:
    at = plan.index[account_id]
    for who in ("am", "csm"):
        today, end = plan.columns[f"from_{who}"][at], plan.columns[f"to_{who}"][at]
        if today != end:
            change = f"its {who.upper()} changes from {today or 'none'} to {end or 'none'}"
            yield Violation("one_seat", f"account {account_id} is excluded from the plan, and {change}")


def _seat_check(rule: str) -> Check:
    holds = SEAT_RULES[rule]

    def check(ledger: Ledger, plan: Plan) -> Iterator[Violation]:
        for account_id in plan.elsewhere if rule in OF_CHANGES else plan.seats:
            if account_id in plan.settled:  # judged with its family
                continue
            problem = holds(ledger, ledger.judged[account_id], *plan.seats[account_id])
            if problem:
                yield Violation(rule, f"account {account_id} {problem}")

    check.__doc__ = holds.__doc__
    return check


def global_programme(ledger: Ledger, plan: Plan) -> Iterator[Violation]:
    """Accounts of a GAM's own book stay, and the warnings say what the programme lacks."""
    yield from _seat_check("global_programme")(ledger, plan)
    for message in unsaid(ledger, plan.warnings):
        yield Violation("global_programme", message)


def _elastic_check(rule: str) -> Check:
    def check(ledger: Ledger, plan: Plan) -> Iterator[Violation]:
        del ledger
        return (Violation(rule, str(row)) for row in plan.rows if row.rule == rule and row.excess)

    check.__doc__ = f"Every {rule} row of `rows.elastic_rows` is kept."
    return check


CHECKS: dict[str, Check] = {
    "one_seat": one_seat,
    **{rule: _elastic_check(rule) for rule in ELASTIC},
    **{rule: _seat_check(rule) for rule in SEAT_RULES},
    **{check.__name__: check for check in (families, budgets, pod_size, global_programme)},
}
