"""The rules that one account's seat keeps or breaks on its own, whatever the others do.

Each takes the facts, an account and the seat (AM or pool, CSM or "") proposed for it, and returns what is wrong in
words, or an empty text. They speak of what changes: an account that keeps its book keeps it however it came there.
Members of a family that stays together are given as `Facts.judged` has them, with the family's highest tier.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rebalancer.verify.accounts import Account
from rebalancer.verify.costs import changes
from rebalancer.verify.facts import Facts
from rebalancer.verify.fit import language, new_csm, region, skill, tier_segmentation

SeatRule = Callable[[Facts, Account, str, str], str]


def receiving(facts: Facts, account: Account, am_id: str, csm_id: str) -> str:
    """A new AM or CSM receives accounts; a planner's `assign_to` overrides all but leave. `departures` has leavers,
    `open_headcount` those who are not there yet.
    """
    book, csm = facts.books.get(facts.book_of(am_id)), facts.csms.get(csm_id)
    if book and not facts.stays(account, am_id) and not book.departed:
        if book.on_leave:
            return f"goes to {am_id}, who is on leave"
        if not book.receives and not account.assign_to:
            return f"goes to {am_id}, who receives no accounts"
    if csm and new_csm(account, csm_id) and not csm.receives and not (csm.departed and facts.pods_active):
        return f"goes to CSM {csm_id}, who receives no accounts"
    return ""


def open_headcount(facts: Facts, account: Account, am_id: str, _: str) -> str:
    """An AM who is not there yet receives nothing, unless the model or the planner says so."""
    book = facts.books.get(facts.book_of(am_id))
    if book is None or book.departed or not book.vacant or facts.stays(account, am_id) or account.assign_to:
        return ""
    return f"goes to {am_id}, who is open headcount, and the model gives it nothing"


def departures(facts: Facts, account: Account, am_id: str, csm_id: str) -> str:
    """No account ends at an AM who has left, nor, with pods, with a CSM who has left."""
    del account
    if facts.am_departed(am_id):
        return f"ends at {am_id}, who has left"
    return f"ends with CSM {csm_id}, who has left" if facts.pods_active and facts.csm_departed(csm_id) else ""


def pools(facts: Facts, account: Account, am_id: str, _: str) -> str:
    """Accounts come to a pool, never to its members; tiers that the model keeps for pools come to nobody else."""
    pool_id, owner = facts.pool_of.get(am_id), account.owner
    if pool_id is not None and am_id != owner:
        return f"comes to {am_id}, who has no book but that of pool {pool_id}"
    if facts.stays(account, am_id):
        kept = facts.seat_in(account, facts.book_of(owner))
        astray = am_id != kept and not facts.am_departed(am_id)
        return f"stays in pool {am_id} and is not written for its owner {owner}" if astray else ""
    for_pools = account.tier in facts.model.pools.only and facts.has_pool and not account.assign_to
    if for_pools and am_id not in facts.pools:
        return f"goes to {am_id}, who is no pool, and {account.tier} accounts change only to pools"
    return ""


def locks(facts: Facts, account: Account, am_id: str, csm_id: str) -> str:
    """A locked account keeps AM and CSM, unless that CSM leaves; one that is due leaves its AE; an assigned seat is the
    seat it gets.
    """
    if account.assign_to and facts.book_of(am_id) != facts.book_of(account.assign_to):
        return f"goes to {am_id}, and assign_to names {account.assign_to}"
    if account.assign_csm and csm_id != account.assign_csm:
        return f"goes to CSM {csm_id or 'none'}, and assign_csm names {account.assign_csm}"
    if account.due and facts.stays(account, am_id):
        return f"stays with the AE {account.owner}, whose hold is over"
    if account.locked and not facts.stays(account, am_id):
        return f"is locked at {account.owner} and goes to {am_id}"
    csm_leaves = facts.pods_active and facts.csm_departed(account.csm)
    if account.locked and account.csm and csm_id != account.csm and not csm_leaves and not account.assign_csm:
        return f"is locked with CSM {account.csm} and goes to CSM {csm_id or 'none'}"
    return ""


def refused(facts: Facts, account: Account, am_id: str, csm_id: str) -> str:
    """An account comes to nobody that it refuses, nor to the pool of one it refuses; whom it has may keep it."""
    if account.refused and not facts.stays(account, am_id):
        against = sorted(name for name in account.refused if facts.book_of(name) == facts.book_of(am_id))
        if against:
            return f"goes to {am_id}, and refused names {', '.join(against)}"
    return refused_csm(facts, account, am_id, csm_id)


def refused_csm(facts: Facts, account: Account, _: str, csm_id: str) -> str:
    """With pods, no account newly gets a CSM that it refuses."""
    against = facts.pods_active and csm_id in account.refused_csm and csm_id != account.csm
    return f"goes to CSM {csm_id}, whom refused_csm names" if against else ""


def fatigue(facts: Facts, account: Account, am_id: str, _: str) -> str:
    """An account whose AM changed lately keeps its AM, unless that AM left or the planner names another."""
    if account.account_id not in facts.tired or facts.homeless(account) or facts.stays(account, am_id):
        return ""
    if account.assign_to and not facts.stays(account, account.assign_to):
        return ""
    quarters = facts.model.fatigue.quarters
    return f"changed its AM within the last {quarters} quarters and goes from {account.owner} to {am_id}"


def global_programme(facts: Facts, account: Account, am_id: str, _: str) -> str:
    """An account that its own GAM owns stays there, unless the GAM left or the planner names another AM."""
    owner = account.owner
    if not owner or facts.gams.get(account.account_id) != owner or facts.stays(account, am_id):
        return ""
    if account.assign_to or facts.homeless(account):
        return ""
    return f"is owned by {owner}, its GAM, and goes to {am_id}"


def pods(facts: Facts, account: Account, am_id: str, csm_id: str) -> str:
    """Today's seat, or a pair of a pod; without pods nobody's CSM changes.

    Where no pod can hold the CSM that the planner named, the planner's word wins.
    """
    problem = _outside_pods(facts, account, am_id, csm_id)
    if not problem or not account.assign_csm:
        return problem
    return problem if any(not _outside_pods(facts, account, *seat) for seat in _seats_else(facts, account)) else ""


def _outside_pods(facts: Facts, account: Account, am_id: str, csm_id: str) -> str:
    if not facts.pods_active:
        return "" if csm_id == account.csm else f"changes its CSM from {account.csm or 'none'} without pods"
    book_id = facts.book_of(am_id)
    if not csm_id:
        seated = bool(account.csm) and book_id in facts.pod_csms
        return f"ends at {am_id} without a CSM, and {am_id} has a pod" if seated else ""
    if not account.csm and csm_id != account.assign_csm:
        return f"has no CSM today and gets CSM {csm_id}"
    kept = facts.stays(account, am_id) and csm_id == account.csm
    if kept or (book_id, csm_id) in facts.pods:
        return ""
    return f"ends at {am_id} with CSM {csm_id}, who share no pod"


def pod_continuity(facts: Facts, account: Account, am_id: str, csm_id: str) -> str:
    """`never_both`: no customer loses AM and CSM at once. `hard`: they change together or not at all.

    Where the side that the planner fixed leaves no such seat, the planner's word wins.
    """
    problem = _discontinuous(facts, account, am_id, csm_id)
    if not problem or not (account.assign_to or account.assign_csm):
        return problem
    others = [seat for seat in _seats_else(facts, account) if not pods(facts, account, *seat)]
    return problem if any(not _discontinuous(facts, account, *seat) for seat in others) else ""


def _discontinuous(facts: Facts, account: Account, am_id: str, csm_id: str) -> str:
    mode = facts.model.pods.continuity
    if not facts.pods_active or mode == "prefer":
        return ""
    if account.due or facts.am_departed(facts.book_of(account.owner)) or facts.csm_departed(account.csm):
        return ""
    am, csm = changes(facts, account, am_id, csm_id)
    if mode == "never_both" and am and csm:
        return f"loses both {account.owner} and CSM {account.csm}"
    if mode == "hard" and account.csm and am != csm:
        return f"changes only its {'AM' if am else 'CSM'}"
    return ""


def _seats_else(facts: Facts, account: Account) -> Iterator[tuple[str, str]]:
    """Seats of an account that keep every rule but those of pods."""
    for book_id in facts.books:
        am_id = facts.seat_in(account, book_id)
        for csm_id in ("", *facts.csms):
            if not any(rule(facts, account, am_id, csm_id) for rule in PERSONAL_RULES.values()):
                yield am_id, csm_id


def legal_seats(facts: Facts, account: Account) -> list[tuple[str, str]]:
    """Every seat that the account may end in on its own, the limits of books and CSMs aside, sorted."""
    csm_ids = sorted({"", account.csm, account.assign_csm, *facts.csms})
    am_ids = sorted({facts.seat_in(account, book_id) for book_id in facts.books})
    candidates = [(am_id, csm_id) for am_id in am_ids for csm_id in csm_ids]
    return [seat for seat in candidates if not any(rule(facts, account, *seat) for rule in SEAT_RULES.values())]


PERSONAL_RULES: dict[str, SeatRule] = {
    "tier_segmentation": tier_segmentation,
    "region": region,
    "language": language,
    "skill": skill,
    "receiving": receiving,
    "open_headcount": open_headcount,
    "departures": departures,
    "pools": pools,
    "locks": locks,
    "refused": refused,
    "fatigue": fatigue,
    "global_programme": global_programme,
}

SEAT_RULES: dict[str, SeatRule] = {**PERSONAL_RULES, "pods": pods, "pod_continuity": pod_continuity}

OF_CHANGES = frozenset(SEAT_RULES) - {"departures", "pools", "locks"}
"""Rules that nobody can break by keeping exactly the AM and the CSM that it has."""
