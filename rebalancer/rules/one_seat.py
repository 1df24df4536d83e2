"""One seat: every account ends in exactly one seat, and one that nobody may take is named."""

from __future__ import annotations

import numpy as np

from rebalancer.errors import Faults, printable
from rebalancer.rules.rule import Arcs, Rule
from rebalancer.snapshot import NONE, Snapshot
from rebalancer.tables import TIERS


class OneSeat(Rule):
    """sum of x over an account's arcs = 1. The engine holds this by its own form; the rule sees that arcs are there."""

    name = "one_seat"


def check_every_account_has_a_seat(snapshot: Snapshot, arcs: Arcs, rules: tuple[Rule, ...], faults: Faults) -> None:
    """Note every account that no seat admits, with how many AMs each rule in turn leaves, where it takes any."""
    n_arcs = np.bincount(arcs.account, minlength=len(snapshot.accounts))
    missing = np.flatnonzero(n_arcs == 0)
    asked = rules if len(missing) else ()
    eligible = {rule.name: allowed for rule in asked if (allowed := rule.eligible(snapshot)) is not None}
    for account in missing:
        left = np.ones(len(snapshot.ams), dtype=bool)
        chain = []
        for name, allowed in eligible.items():
            before = left.sum()
            left = left & allowed[snapshot.accounts.profile[account]]
            chain += [f"{name.replace('_', ' ')} leaves {left.sum()}"] if left.sum() < before else []
        before = left.sum()
        left[_refused(snapshot, int(account))] = False
        refuses = left.sum() < before
        chain += [f"refused leaves {left.sum()}"] if refuses else []
        whose = _why_not_as_today(snapshot, int(account))
        if snapshot.owner_present[account] or left.any():
            whose = f"{whose}, and no pod fits"
        profile = snapshot.profiles.iloc[int(snapshot.accounts.profile[account])]
        tags = ", ".join(
            f"{key} {printable(str(profile[key]))}" for key in ("region", "language", "skills") if profile[key]
        )
        if chain:
            whose += f"; of {len(snapshot.ams)} AMs {', '.join(chain)}"
        faults.error(
            "no_seat",
            f"no AM may take this account ({TIERS[profile['tier']]}{', ' + tags if tags else ''}): {whose}.",
            "Widen an AM's tags or tiers, or fix a seat with assign_to."
            + (" Or take an AM out of refused." if refuses else "")
            + (" Or take a CSM out of refused_csm." if account in snapshot.accounts.refused_csm[:, 0] else "")
            + (" A later ae_hold_until leaves it with its AE." if snapshot.accounts.holds.due[account] else ""),
            file="accounts",
            column="account_id",
            value=snapshot.accounts.ids[account],
        )


def _refused(snapshot: Snapshot, account: int) -> np.ndarray:
    """The books that an account must not newly be given to."""
    refused = snapshot.accounts.refused
    books: np.ndarray = refused[refused[:, 0] == account, 1]
    return books


def _why_not_as_today(snapshot: Snapshot, account: int) -> str:
    accounts = snapshot.accounts
    if accounts.owner[account] == NONE:
        return "it has no owner"
    if snapshot.owner_departed[account]:
        return f"its owner {snapshot.ams.ids[accounts.owner[account]]} has left"
    if snapshot.accounts.holds.due[account]:
        return f"the hold of its AE {snapshot.ams.ids[accounts.owner[account]]} is over"
    if snapshot.csm_departed[account]:
        return f"its CSM {snapshot.csms.ids[accounts.csm[account]]} has left"
    return "its seat is fixed"
