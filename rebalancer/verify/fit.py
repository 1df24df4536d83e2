"""Whether an account fits a book: its tier, region, language and skills.

What changes is tested: an account that keeps its book keeps it however it came there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rebalancer.verify.accounts import Account
from rebalancer.verify.facts import Facts
from rebalancer.verify.people import Am


def words(values: Iterable[str]) -> str:
    """Values in order, for a message."""
    return ", ".join(sorted(values))


def allowed_tiers(facts: Facts, am: Am) -> frozenset[str]:
    """The tiers a book may receive; empty means any."""
    if am.kind == "pooled":
        return am.tiers or frozenset({"smb"})
    if am.kind == "segmented":
        return am.tiers or am.role_tiers or facts.held[am.am_id]
    return am.tiers


def misfit_tier(facts: Facts, account: Account, am: Am) -> str:
    """Why the account's tier does not fit the book; empty where it does."""
    tiers = allowed_tiers(facts, am)
    if not tiers or account.tier in tiers:
        return ""
    whose = "its tier is" if account.tier == facts.accounts[account.account_id].tier else "its family's highest tier is"
    kind = f"{'an' if am.kind == 'open' else 'a'} {am.kind}"
    return f"{whose} {account.tier}, {kind} book that takes {words(tiers)}"


def misfit_region(_: Facts, account: Account, am: Am) -> str:
    """Why the account's region does not fit the book; empty where it does."""
    return outside("region", account.region, am.region)


def misfit_language(_: Facts, account: Account, am: Am) -> str:
    """Why the account's language does not fit the book; empty where it does."""
    return outside("language", account.language, am.language)


def misfit_skill(_: Facts, account: Account, am: Am) -> str:
    """Why the book's skills do not cover the account's; empty where they do."""
    lacking = account.skills - am.skills if am.skills else frozenset()
    return f"it needs {words(lacking)}, which is not among {words(am.skills)}" if lacking else ""


def outside(what: str, asked: frozenset[str], tags: frozenset[str]) -> str:
    """Why asked tags are not all among those there are; empty where they are, or where there are none."""
    lacking = asked - tags if tags else frozenset()
    return f"its {what} is {words(asked)}, not one of {words(tags)}" if lacking else ""


Misfit = Callable[[Facts, Account, Am], str]
MISFITS: tuple[Misfit, ...] = (misfit_tier, misfit_region, misfit_language, misfit_skill)


def new_csm(account: Account, csm_id: str) -> bool:
    """Whether the CSM's eligibility counts: one new to the account, that no planner named."""
    return bool(csm_id) and csm_id != account.csm and not account.assign_csm


def _eligible(misfit: Misfit, facts: Facts, account: Account, am_id: str) -> str:
    """The problem of a known book that is new to the account, and that no planner named."""
    book = facts.books.get(facts.book_of(am_id))
    if book is None or facts.stays(account, am_id) or account.assign_to:
        return ""
    problem = misfit(facts, account, book)
    return f"goes to {am_id}: {problem}" if problem else ""


def tier_segmentation(facts: Facts, account: Account, am_id: str, _: str) -> str:
    """An account that changes its book fits the new book's tiers."""
    return _eligible(misfit_tier, facts, account, am_id)


def region(facts: Facts, account: Account, am_id: str, csm_id: str) -> str:
    """An account that changes its book or CSM lies in the new one's regions."""
    problem = _eligible(misfit_region, facts, account, am_id)
    if not problem and csm_id in facts.csms and new_csm(account, csm_id):
        astray = outside("region", account.region, facts.csms[csm_id].region)
        return f"goes to CSM {csm_id}: {astray}" if astray else ""
    return problem


def language(facts: Facts, account: Account, am_id: str, _: str) -> str:
    """An account that changes its book speaks one of the new book's languages."""
    return _eligible(misfit_language, facts, account, am_id)


def skill(facts: Facts, account: Account, am_id: str, _: str) -> str:
    """An account that changes its book finds every skill it needs."""
    return _eligible(misfit_skill, facts, account, am_id)
