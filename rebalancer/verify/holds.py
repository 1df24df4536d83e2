"""What AEs hold and have to hand over, recounted account by account from the model's rules."""

from __future__ import annotations

from calendar import monthrange
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

from rebalancer.verify.accounts import Account

if TYPE_CHECKING:
    from rebalancer.verify.facts import Facts

AE = "ae"
HELD, DUE = "held", "due"
Verdicts = Iterator[tuple[Account, str]]


def held_by_aes(facts: Facts) -> dict[str, Account]:
    """The accounts of AEs that a rule locks, and those that are due, as they then are; none where holds are off."""
    if not facts.model.locks.ae_hold:
        return {}
    mine = [account for account in facts.accounts.values() if _of_an_ae(facts, account)]
    changed: dict[str, Account] = {}
    for account, verdict in _verdicts(facts, mine):
        if verdict == HELD:
            if account.hold_until is None and account.assign_csm:
                continue  # the planner's word wins over a rule
            changed[account.account_id] = replace(account, locked=True)
        elif verdict == DUE and not account.locked and not _fixed(facts, account):
            changed[account.account_id] = replace(account, due=True)
    waiting = set(_waiting(facts, changed, mine))
    return {name: account for name, account in changed.items() if name not in waiting}


def _of_an_ae(facts: Facts, account: Account) -> bool:
    """Whether the book of the owner is that of an AE who has not left; the members of a pool have none."""
    book = facts.books.get(facts.book_of(account.owner)) if account.owner else None
    return book is not None and book.role == AE and not book.departed


def _fixed(facts: Facts, account: Account) -> bool:
    return bool(account.assign_to) and facts.stays(account, account.assign_to)


def _waiting(facts: Facts, changed: dict[str, Account], mine: list[Account]) -> Iterator[str]:
    """Due accounts whose family stays together and has a member that stays with the same AE."""
    family = {member: root for root, members in facts.families.items() for member in members}
    now = [changed.get(account.account_id, account) for account in mine]
    kept = {
        (family[account.account_id], account.owner)
        for account in now
        if account.account_id in family and (account.locked or _fixed(facts, account))
    }
    for account in now:
        if account.due and (family.get(account.account_id), account.owner) in kept:
            yield account.account_id


def _verdicts(facts: Facts, mine: list[Account]) -> Verdicts:
    """What the date of an account, else the rule of its tier, says of it."""
    for account in mine:
        if account.hold_until is not None:
            yield account, HELD if account.hold_until >= facts.day else DUE
    by_rule: dict[str, list[Account]] = defaultdict(list)
    for account in mine:
        by_rule[facts.model.holds.rule.get(account.tier, "none")].append(account)  # type: ignore[call-overload]
    yield from _by_duration(facts, _undated(by_rule["duration"]))
    yield from _by_expansion(facts, _undated(by_rule["expansion"]))
    for rule in ("accounts", "total_arr"):
        of_ae: dict[str, list[Account]] = defaultdict(list)
        for account in by_rule[rule]:
            of_ae[account.owner].append(account)
        for accounts in of_ae.values():
            yield from _by_room(facts, rule, accounts)


def _undated(accounts: Iterable[Account]) -> list[Account]:
    """Those that the rule judges: without a date, and not assigned by the planner."""
    return [account for account in accounts if account.hold_until is None and not account.assign_to]


def _by_duration(facts: Facts, accounts: list[Account]) -> Verdicts:
    for account in accounts:
        if account.owner_since is not None:
            ends = _months_after(account.owner_since, facts.model.holds.months[account.tier])  # type: ignore[index]
            yield account, HELD if ends is None or facts.day <= ends else DUE


def _months_after(day: date, months: int) -> date | None:
    """The same day so many months later, or that month's last; None where there is no such year."""
    year, month = divmod(12 * day.year + day.month - 1 + months, 12)
    if year > date.max.year:
        return None
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def _by_expansion(facts: Facts, accounts: list[Account]) -> Verdicts:
    if any(account.expansion for account in facts.accounts.values()):
        for account in accounts:
            yield account, HELD if account.expansion > facts.model.holds.expansion_above else DUE


def _by_room(facts: Facts, rule: str, accounts: list[Account]) -> Verdicts:
    """One AE's accounts in the order in which it keeps them, as long as there is room for number or ARR."""
    holds = facts.model.holds
    room = holds.accounts if rule == "accounts" else holds.total_arr
    for account in accounts:
        if account.hold_until is not None and account.hold_until >= facts.day:
            room -= _takes(rule, account)
    undated = sorted(_undated(accounts), key=lambda account: account.account_id)
    newest_first = sorted(undated, key=lambda account: account.owner_since or date.min, reverse=True)
    largest_first = sorted(undated, key=_value, reverse=True)
    if holds.keep == "newest":
        ordered = sorted(largest_first, key=lambda account: account.owner_since or date.min, reverse=True)
    else:
        ordered = sorted(newest_first, key=_value, reverse=True)
    for account in ordered:
        fits = _takes(rule, account) <= room
        room -= _takes(rule, account) if fits else 0
        yield account, HELD if fits else DUE


def _value(account: Account) -> int:
    return max(0, account.arr)


def _takes(rule: str, account: Account) -> int:
    return 1 if rule == "accounts" else _value(account)
