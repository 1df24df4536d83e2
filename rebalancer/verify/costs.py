"""What a changed seat costs: revenue at risk in dollars, accounts, or units in hundredths."""

from __future__ import annotations

from fractions import Fraction

from rebalancer.coverage import MEASURES
from rebalancer.errors import UsageError
from rebalancer.verify.accounts import Account
from rebalancer.verify.facts import Facts
from rebalancer.verify.scales import half_up, step, whole_years


def changes(facts: Facts, account: Account, am_id: str, csm_id: str) -> tuple[bool, bool]:
    """Whether an existing book, and an existing CSM, changes; a first one is no change."""
    am_changes = bool(account.owner) and not facts.stays(account, am_id)
    return am_changes, bool(account.csm) and csm_id != account.csm


def risk(facts: Facts, account: Account) -> Fraction:
    """The product of the steps for a near renewal, health and time with the owner; what is missing counts 1."""
    renewal = None if account.renewal_date is None else (account.renewal_date - facts.day).days
    tenure = None if account.owner_since is None else whole_years(account.owner_since, facts.day)
    started = account.owner_since is None or account.owner_since <= facts.day
    scales = facts.scales
    return (
        step(scales.renewal_days, None if renewal is None or renewal < 0 else renewal)
        * step(scales.health, account.health)
        * step(scales.tenure_years, tenure if started else None)
    )


def cost(facts: Facts, account: Account, am_id: str, csm_id: str, measure: str) -> int:
    """The disruption of one account in a seat, an integer in the measure."""
    am, csm = changes(facts, account, am_id, csm_id)
    if measure == "accounts":
        return int(am)
    if measure == "units":
        return max(1, account.units) if am else 0
    if measure != "revenue_at_risk":
        raise UsageError(f'there is no measure "{measure}". Measures: {", ".join(MEASURES)}.')
    if not am and not csm:
        return 0
    scales = facts.scales
    at_risk = min(Fraction(1), scales.loss_rate * risk(facts, account)) * max(0, account.arr)
    share = int(am) + scales.csm_share * int(csm) + scales.pod_break * int(am and csm)
    return max(1, half_up((scales.handover[account.tier] + at_risk) * share))
