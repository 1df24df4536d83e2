"""Families that stay together: the joint seats their members may end in.

A family unites in one book, or stays as it is today while those without an AM join it. A `Joint` is one such way: the
seats of each member, any of which goes with any of the others'.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product

from rebalancer.verify.accounts import Account
from rebalancer.verify.facts import Facts
from rebalancer.verify.fit import language, outside, region, skill, tier_segmentation
from rebalancer.verify.seats import (
    departures,
    fatigue,
    global_programme,
    legal_seats,
    locks,
    open_headcount,
    pod_continuity,
    pods,
    pools,
    receiving,
    refused,
    refused_csm,
)

Seat = tuple[str, str]
Joint = Mapping[str, Sequence[Seat]]

ELIGIBLE = (tier_segmentation, region, language, skill, receiving, open_headcount, departures, pools, refused)
"""What every member that comes to a book is tested for, with the family's highest tier."""
KEPT = (region, locks, refused_csm, fatigue, global_programme, pods, pod_continuity)
"""What every member's seat keeps, as if it were alone; of a region, that of a new CSM."""


def legal_options(facts: Facts, root: str) -> list[dict[str, Seat]]:
    """Every joint seat that a family which stays together may end in, the limits of books and CSMs aside, sorted."""
    members = facts.families[root]
    accounts = [facts.judged[member] for member in members]
    joints = _regular(facts, accounts) or [_as_named(facts, accounts)]
    found = {seats for joint in joints for seats in product(*(joint[member] for member in members))}
    return [dict(zip(members, seats, strict=True)) for seats in sorted(found)]


def is_legal(facts: Facts, root: str, seats: Mapping[str, Seat]) -> bool:
    """Whether `legal_options` has those seats; it looks only where they may be."""
    accounts = [facts.judged[member] for member in facts.families[root]]
    mine = {account.account_id: seats[account.account_id] for account in accounts}
    books = {facts.book_of(am_id) for am_id, _ in mine.values()}
    books = {book_id for book_id in books if book_id in facts.books and not facts.books[book_id].departed}
    united = _kept(facts, accounts, _united(facts, accounts, books if len(books) == 1 else ()))
    if _holds(united, mine) or _holds(_kept(facts, accounts, _as_today(facts, accounts)), mine):
        return True
    return not _regular(facts, accounts) and _holds([_as_named(facts, accounts)], mine)


def _holds(joints: Iterable[Joint], seats: Mapping[str, Seat]) -> bool:
    return any(all(seat in joint[member] for member, seat in seats.items()) for joint in joints)


def _regular(facts: Facts, accounts: list[Account]) -> list[Joint]:
    """All joints but the last resort."""
    found = [*_united(facts, accounts, facts.present), *_as_today(facts, accounts)]
    return list(_kept(facts, accounts, found))


def _kept(facts: Facts, accounts: list[Account], joints: Iterable[Joint]) -> Iterator[Joint]:
    """The joints without the seats that a member's lock, fatigue, continuity or assignment forbids."""
    for joint in joints:
        kept = {
            account.account_id: [
                seat for seat in joint[account.account_id] if not any(rule(facts, account, *seat) for rule in KEPT)
            ]
            for account in accounts
        }
        if all(kept.values()):
            yield kept


def _united(facts: Facts, accounts: list[Account], books: Iterable[str]) -> Iterator[Joint]:
    """The whole family in one of those books."""
    for book_id in books:
        coming = [account for account in accounts if facts.book_of(account.owner) != book_id]
        if _eligible(facts, coming, book_id):
            yield from _seated(facts, accounts, book_id)


def _as_today(facts: Facts, accounts: list[Account]) -> Iterator[Joint]:
    """Members with an AM keep book and CSM; the homeless join them, else end together, else each on its own."""
    homeless = [account for account in accounts if facts.homeless(account)]
    staying = [account for account in accounts if not facts.homeless(account)]
    kept = {account.account_id: [_seat_today(facts, account)] for account in staying}
    if not homeless:
        yield kept
        return
    books = {facts.book_of(account.owner) for account in staying}
    joining = [book_id for book_id in sorted(books) if _eligible(facts, homeless, book_id)]
    joining = joining or [book_id for book_id in facts.present if _eligible(facts, homeless, book_id)]
    if not joining:
        yield {**kept, **_each_alone(facts, homeless)}
    for book_id in joining:
        for placed in _seated(facts, homeless, book_id):
            yield {**kept, **placed}


def _as_named(facts: Facts, accounts: list[Account]) -> Joint:
    """The last resort: assigned members where the planner wants them, the homeless each on its own, others as today
    where that may be.
    """
    joint: dict[str, Sequence[Seat]] = {}
    for account in accounts:
        if account.assign_to or facts.homeless(account):
            joint |= _each_alone(facts, [account])
        elif account.assign_csm:
            alone = legal_seats(facts, account)
            joint[account.account_id] = [seat for seat in alone if facts.stays(account, seat[0])] or alone
        else:
            alone, today = legal_seats(facts, account), _seat_today(facts, account)
            joint[account.account_id] = [today] if today in alone else alone
    return joint


def _each_alone(facts: Facts, accounts: list[Account]) -> dict[str, Sequence[Seat]]:
    return {account.account_id: legal_seats(facts, account) for account in accounts}


def _eligible(facts: Facts, coming: list[Account], book_id: str) -> bool:
    """Whether the book may take every account that comes to it; a planner's word counts in the book it names."""
    for account in coming:
        named = bool(account.assign_to) and facts.book_of(account.assign_to) == book_id
        judged = account if named else replace(account, assign_to="")
        if account.due and facts.stays(account, book_id):
            return False
        if any(rule(facts, judged, book_id, "") for rule in ELIGIBLE):
            return False
    return True


def _seat_today(facts: Facts, account: Account) -> Seat:
    """Today's seat; where its CSM left, the first of the pod whom it does not refuse instead."""
    book_id, csm_id = facts.book_of(account.owner), account.csm
    if facts.pods_active and facts.csm_departed(csm_id):
        csm_id = next((one for one in facts.pod_csms.get(book_id, ()) if one not in account.refused_csm), "")
    return facts.seat_in(account, book_id), csm_id


def _seated(facts: Facts, accounts: list[Account], book_id: str) -> Iterator[dict[str, Sequence[Seat]]]:
    """The accounts in a book: who can keeps its CSM, all others take the same one of its pod."""
    csms = {account.account_id: account.csm for account in accounts}
    takers = [account for account in accounts if facts.pods_active and not _keeps_csm(facts, account, book_id)]
    choices = facts.pod_csms.get(book_id, ())
    common = [csm_id for csm_id in choices if all(_admits(facts, csm_id, account) for account in takers)]
    for csm_id in common if takers and choices else [""]:
        csms |= {account.account_id: csm_id for account in takers}
        yield {
            account.account_id: [(facts.seat_in(account, book_id), csms[account.account_id])] for account in accounts
        }


def _keeps_csm(facts: Facts, account: Account, book_id: str) -> bool:
    """Whether the account has no CSM, or one who is still there and serves the book, or serves it there today."""
    if not account.csm:
        return True
    serves = facts.book_of(account.owner) == book_id or (book_id, account.csm) in facts.pods
    return serves and not facts.csm_departed(account.csm)


def _admits(facts: Facts, csm_id: str, account: Account) -> bool:
    return not outside("region", account.region, facts.csms[csm_id].region)
