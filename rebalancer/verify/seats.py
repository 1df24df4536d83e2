"""The rules that one account's seat keeps or breaks on its own, whatever the others do.

Each takes the facts, an account and the seat (AM, CSM or "") proposed for it, and returns what is wrong in words,
or an empty text. They speak of what changes: an account that keeps its AM keeps it however it came there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from rebalancer.verify.costs import changes
from rebalancer.verify.facts import Account, Facts
from rebalancer.verify.people import Am

SeatRule = Callable[[Facts, Account, str, str], str]


def words(values: Iterable[str]) -> str:
    """Values in order, for a message."""
    return ", ".join(sorted(values))


def allowed_tiers(facts: Facts, am: Am) -> frozenset[str]:
    """The tiers an AM may receive; empty means any."""
    if am.kind == "pooled":
        return am.tiers or frozenset({"smb"})
    if am.kind == "segmented":
        return am.tiers or am.role_tiers or facts.held[am.am_id]
    return am.tiers


def misfit_tier(facts: Facts, account: Account, am: Am) -> str:
    """Why the account's tier does not fit the AM; empty where it does."""
    tiers = allowed_tiers(facts, am)
    fits = not tiers or account.tier in tiers
    return "" if fits else f"its tier is {account.tier}, a {am.kind} book that takes {words(tiers)}"


def misfit_region(_: Facts, account: Account, am: Am) -> str:
    """Why the account's region does not fit the AM; empty where it does."""
    return _outside("region", account.region, am.region)


def misfit_language(_: Facts, account: Account, am: Am) -> str:
    """Why the account's language does not fit the AM; empty where it does."""
    return _outside("language", account.language, am.language)


def misfit_skill(_: Facts, account: Account, am: Am) -> str:
    """Why the AM's skills do not cover the account's; empty where they do."""
    lacking = account.skills - am.skills if am.skills else frozenset()
    return f"it needs {words(lacking)}, which is not among {words(am.skills)}" if lacking else ""


def _outside(what: str, asked: frozenset[str], tags: frozenset[str]) -> str:
    lacking = asked - tags if tags else frozenset()
    return f"its {what} is {words(asked)}, not one of {words(tags)}" if lacking else ""


Misfit = Callable[[Facts, Account, Am], str]
MISFITS: tuple[Misfit, ...] = (misfit_tier, misfit_region, misfit_language, misfit_skill)


def _new_am(facts: Facts, account: Account, am_id: str) -> Am | None:
    """The AM whose eligibility counts: a known one, new to the account, that no planner named."""
    return facts.ams.get(am_id) if am_id != account.owner and not account.assign_to else None


def _new_csm(account: Account, csm_id: str) -> bool:
    """Whether the CSM's eligibility counts: one new to the account, that no planner named."""
    return bool(csm_id) and csm_id != account.csm and not account.assign_csm


def _eligible(misfit: Misfit, facts: Facts, account: Account, am_id: str) -> str:
    am = _new_am(facts, account, am_id)
    problem = misfit(facts, account, am) if am else ""
    return f"goes to {am_id}: {problem}" if problem else ""


def tier_segmentation(facts: Facts, account: Account, am_id: str, _: str) -> str:
    """An account that changes its AM fits the new AM's tiers."""
    return _eligible(misfit_tier, facts, account, am_id)


def region(facts: Facts, account: Account, am_id: str, csm_id: str) -> str:
    """An account that changes its AM or CSM lies in the new one's regions."""
    problem = _eligible(misfit_region, facts, account, am_id)
    if not problem and csm_id in facts.csms and _new_csm(account, csm_id):
        outside = _outside("region", account.region, facts.csms[csm_id].region)
        return f"goes to CSM {csm_id}: {outside}" if outside else ""
    return problem


def language(facts: Facts, account: Account, am_id: str, _: str) -> str:
    """An account that changes its AM speaks one of the new AM's languages."""
    return _eligible(misfit_language, facts, account, am_id)


def skill(facts: Facts, account: Account, am_id: str, _: str) -> str:
    """An account that changes its AM finds every skill it needs."""
    return _eligible(misfit_skill, facts, account, am_id)


def receiving(facts: Facts, account: Account, am_id: str, csm_id: str) -> str:
    """A new AM or CSM receives accounts; a planner's `assign_to` overrides all but leave. `departures` has leavers."""
    am, csm = facts.ams.get(am_id), facts.csms.get(csm_id)
    if am and am_id != account.owner and not am.departed:
        if am.on_leave:
            return f"goes to {am_id}, who is on leave"
        if not am.receives and not account.assign_to:
            return f"goes to {am_id}, who receives no accounts"
    if csm and _new_csm(account, csm_id) and not csm.receives and not (csm.departed and facts.pods_active):
        return f"goes to CSM {csm_id}, who receives no accounts"
    return ""


def departures(facts: Facts, account: Account, am_id: str, csm_id: str) -> str:
    """No account ends at an AM who has left, nor, with pods, with a CSM who has left."""
    del account
    if facts.am_departed(am_id):
        return f"ends at {am_id}, who has left"
    return f"ends with CSM {csm_id}, who has left" if facts.pods_active and facts.csm_departed(csm_id) else ""


def locks(facts: Facts, account: Account, am_id: str, csm_id: str) -> str:
    """A locked account keeps AM and CSM, unless that CSM leaves; an assigned seat is the seat it gets."""
    if account.assign_to and am_id != account.assign_to:
        return f"goes to {am_id}, and assign_to names {account.assign_to}"
    if account.assign_csm and csm_id != account.assign_csm:
        return f"goes to CSM {csm_id or 'none'}, and assign_csm names {account.assign_csm}"
    if account.locked and am_id != account.owner:
        return f"is locked at {account.owner} and goes to {am_id}"
    csm_leaves = facts.pods_active and facts.csm_departed(account.csm)
    if account.locked and account.csm and csm_id != account.csm and not csm_leaves and not account.assign_csm:
        return f"is locked with CSM {account.csm} and goes to CSM {csm_id or 'none'}"
    return ""


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
    if not csm_id:
        seated = bool(account.csm) and am_id in facts.podded
        return f"ends at {am_id} without a CSM, and {am_id} has a pod" if seated else ""
    if not account.csm and csm_id != account.assign_csm:
        return f"has no CSM today and gets CSM {csm_id}"
    kept = (am_id, csm_id) == (account.owner, account.csm)
    if kept or (am_id, csm_id) in facts.pods:
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
    if facts.am_departed(account.owner) or facts.csm_departed(account.csm):
        return ""
    am, csm = changes(account, am_id, csm_id)
    if mode == "never_both" and am and csm:
        return f"loses both {account.owner} and CSM {account.csm}"
    if mode == "hard" and account.csm and am != csm:
        return f"changes only its {'AM' if am else 'CSM'}"
    return ""


def _seats_else(facts: Facts, account: Account) -> Iterator[tuple[str, str]]:
    """Seats of an account that keep every rule but those of pods."""
    for am_id in facts.ams:
        for csm_id in ("", *facts.csms):
            if not any(rule(facts, account, am_id, csm_id) for rule in PERSONAL_RULES.values()):
                yield am_id, csm_id


PERSONAL_RULES: dict[str, SeatRule] = {
    "tier_segmentation": tier_segmentation,
    "region": region,
    "language": language,
    "skill": skill,
    "receiving": receiving,
    "departures": departures,
    "locks": locks,
}

SEAT_RULES: dict[str, SeatRule] = {**PERSONAL_RULES, "pods": pods, "pod_continuity": pod_continuity}
