"""Explains one account: why it moves or stays, and what its other seats would cost."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from rebalancer.alternatives import Alternatives
from rebalancer.errors import UsageError, did_you_mean
from rebalancer.explain.words import listed
from rebalancer.proposal import Proposal
from rebalancer.rebuilt import chosen_arcs, formulation_of
from rebalancer.rules.formulation import Formulation
from rebalancer.snapshot import Snapshot

SHOWN = 5
"""Other seats shown."""

REFUSED_COLUMNS = ["account_id", "am_id", "csm_id"]


@dataclass(frozen=True)
class Explanation:
    """The answer for one account: its row of `assignments`, and other seats with what they add to the levels."""

    account_id: str
    row: dict[Hashable, Any]
    seats: pd.DataFrame
    """Columns am_id, csm_id, extra_overload, extra_disruption, drawback (words); best first, all others as planned."""
    refused: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=REFUSED_COLUMNS))
    """Columns account_id, am_id, csm_id: whom the account, or one that stays together with it, refuses; of the last two
    one is filled, by an AM or a pool or by a CSM.
    """

    def text(self) -> str:
        """The explanation in a planner's words."""
        row = self.row
        verb = f"stays with {row['to_am']}"
        if row["moved"]:
            verb = f"moves from {row['from_am']} to {row['to_am']}" if row["from_am"] else f"goes to {row['to_am']}"
        lines = [
            f"{self.account_id} ({row['tier']}, {row['units']:g} units, ${row['arr']:,} ARR) {verb}.",
            str(row["reason"]),
        ]
        if row["csm_changed"]:
            lines.append(f"CSM: {row['from_csm']} -> {row['to_csm'] or 'none'}.")
        if row["disruption"]:
            lines.append(f"Revenue at risk: ${row['disruption']:,}.")
        if self.seats.empty:
            return "\n".join([*lines, "No rule admits another seat for it.", *self._refused_words()])
        lines.append("Other seats, all other accounts as planned (best first):")
        lines += [f"  {_seat_words(seat)}" for seat in self.seats.head(SHOWN).to_dict("records")]
        return "\n".join([*lines, *self._refused_words()])

    def _refused_words(self) -> Iterator[str]:
        """Whom it may not go to, though the other rules might admit it."""
        for account_id, named in self.refused.groupby("account_id", sort=False):
            who = "It" if account_id == self.account_id else f"{account_id} of its family"
            csms = "CSM " + named["csm_id"]
            yield f"{who} refuses {listed(named['am_id'].where(named['am_id'] != '', csms))}."


def _seat_words(seat: dict[Hashable, Any]) -> str:
    name = f"{seat['am_id']}{' + ' + str(seat['csm_id']) if seat['csm_id'] else ''}"
    return f"{name}: disruption {seat['extra_disruption']:+,}, {seat['drawback']}"


def explain(proposal: Proposal, account_id: str) -> Explanation:
    """Explain an account of a proposal. Raises `UsageError` for an account that is not in it."""
    row = row_of(proposal, account_id)
    formulation = formulation_of(proposal)
    snapshot, chosen = formulation.snapshot, chosen_arcs(formulation, proposal.assignments)
    if account_id not in snapshot.accounts.ids:
        return Explanation(account_id, row, pd.DataFrame())
    place = snapshot.accounts.ids.index(account_id)
    return Explanation(account_id, row, _seats(formulation, chosen, place), _refused(snapshot, place))


def explain_account(proposal: Proposal, account_id: str) -> str:
    """`explain` as text."""
    return explain(proposal, account_id).text()


def row_of(proposal: Proposal, account_id: str) -> dict[Hashable, Any]:
    """The account's row of `assignments`. Raises `UsageError` with the nearest id for one that is not there."""
    plan = proposal.assignments
    found = np.flatnonzero(plan["account_id"] == account_id)
    if not len(found):
        near = did_you_mean(account_id, plan["account_id"])
        raise UsageError(f'there is no account "{account_id}" in this run. {near}'.strip())
    return plan.iloc[int(found[0])].to_dict()


def _refused(snapshot: Snapshot, account: int) -> pd.DataFrame:
    """What the account refuses, then what others of its family do; the books that they are in aside."""
    accounts, family = snapshot.accounts, snapshot.accounts.family[account]
    found = []
    for column, refused, today, ids in (
        ("am_id", accounts.refused, accounts.owner, snapshot.ams.ids),
        ("csm_id", accounts.refused_csm, accounts.csm, snapshot.csms.ids),
    ):
        refusing, who = refused.T
        together = (family >= 0) & (accounts.family[refusing] == family)
        rows = np.flatnonzero(((refusing == account) | together) & (today[refusing] != who))
        empty = dict.fromkeys(REFUSED_COLUMNS, "")
        found += [{**empty, "account_id": accounts.ids[refusing[row]], column: ids[who[row]]} for row in rows]
    found.sort(key=lambda row: row["account_id"] != accounts.ids[account])
    return pd.DataFrame(found, columns=REFUSED_COLUMNS)


def _seats(formulation: Formulation, chosen: np.ndarray, account: int) -> pd.DataFrame:
    snapshot, others = formulation.snapshot, Alternatives(formulation, chosen, [account])
    rows = [
        {
            "am_id": snapshot.ams.ids[other.am],
            "csm_id": snapshot.csms.ids[other.csm] if other.csm >= 0 else "",
            "extra_overload": other.extra[0],
            "extra_disruption": other.extra[1],
            "drawback": others.drawback(other),
        }
        for other in others.of(account)
    ]
    return pd.DataFrame(rows, columns=["am_id", "csm_id", "extra_overload", "extra_disruption", "drawback"])
