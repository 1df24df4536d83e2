"""Explains one book: before and after, what it loses and gains and why, why the rest stays, its tightest limits."""

from __future__ import annotations

from collections.abc import Container, Hashable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from rebalancer.errors import UsageError, did_you_mean
from rebalancer.explain.words import counted, dollars, listed, percent, plain
from rebalancer.metrics import load
from rebalancer.problem import HARD, NO_LIMIT
from rebalancer.proposal import Proposal
from rebalancer.reasons import over_limit
from rebalancer.rebuilt import chosen_arcs, formulation_of
from rebalancer.rules.formulation import Formulation
from rebalancer.snapshot import CSM_FULL_LOAD, NONE, Snapshot
from rebalancer.tables import TIERS
from rebalancer.units import HUNDREDTHS

SHOWN_LIMITS = 5

MOVE_COLUMNS = ["account_id", "am_id", "tier", "units", "arr", "disruption", "forced", "why", "reason"]
"""`am_id` is the other side: where a lost account goes, where a gained one comes from (empty: it had no owner)."""
STAY_COLUMNS = ["account_id", "tier", "units", "arr", "why", "csm_changed", "reason"]
LIMIT_COLUMNS = ["rule", "subject", "used", "least", "most", "share"]

STAYS = {
    "locked": "locked or on hold",
    "fixed": "fixed by the planner",
    "left_out": "left out of the plan",
    "fatigue": "with a new owner too lately",
    "legacy": "legacy, kept though this book would not be eligible today",
    "family": "with their family",
    "no_other_seat": "without another seat that the rules admit",
    "others_cost_less": "could have moved, but moving the others costs less",
    "free": "could move, but nothing requires it",
}
"""Why an account stays, in the order in which the first that holds is named."""

MANY = ("others_cost_less", "free")
"""The rest of a book, whose ids nobody reads."""


@dataclass(frozen=True)
class BookExplanation:
    """The answer for one book. `asked` is the id asked for: the book's own, or that of a member of the pool.

    `facts` is the book's row of `books.csv` with `name`, `book`, `binding_before`, `binding_share_before` and
    `binding_share_after`. `lost` and `gained` have `MOVE_COLUMNS`, costliest first; `stays` has `STAY_COLUMNS`;
    `limits` has `LIMIT_COLUMNS` (units, accounts or full CSM loads), tightest first.
    """

    am_id: str
    asked: str
    facts: dict[str, Any]
    notes: list[str]
    lost: pd.DataFrame
    gained: pd.DataFrame
    stays: pd.DataFrame
    limits: pd.DataFrame

    def text(self) -> str:
        """The explanation in a planner's words."""
        facts = self.facts
        lines = [
            f"{self.am_id} ({facts['name']}): {facts['role']}, {facts['book']} book, "
            f"capacity {plain(facts['capacity'])} units.",
            *self.notes,
            f"Before: {self._state('before')}",
            f"After:  {self._state('after')}",
            *_moves_words("Loses", "to", self.lost),
            *_moves_words("Gains", "from", self.gained),
            *self._stay_words(),
            *self._limit_words(),
        ]
        return "\n".join(lines)

    def _state(self, when: str) -> str:
        facts = self.facts
        share = facts[f"utilization_{when}"]
        used = f" ({percent(share)}, {facts[f'band_{when}']})" if np.isfinite(share) else f" ({facts[f'band_{when}']})"
        binding, strain = facts["binding" if when == "after" else "binding_before"], facts[f"binding_share_{when}"]
        tightest = f"; tightest: {binding}, {percent(strain)} used" if binding and np.isfinite(strain) else ""
        return (
            f"{plain(facts[f'units_{when}'])} units{used}, {counted(facts[f'accounts_{when}'], 'account')}, "
            f"{dollars(facts[f'arr_{when}'])} ARR{tightest}."
        )

    def _stay_words(self) -> Iterator[str]:
        if self.stays.empty:
            yield "Nothing stays."
            return
        yield f"{counted(len(self.stays), 'account')} stay{'s' * (len(self.stays) == 1)}:"
        for why, words in STAYS.items():
            group = self.stays[self.stays["why"] == why]
            if len(group):
                named = "" if why in MANY else f": {listed(group['account_id'])}"
                yield f"  {len(group):,} {words}{named}."
        changed = self.stays[self.stays["csm_changed"]]
        if len(changed):
            yield f"  {len(changed):,} of them change their CSM: {listed(changed['account_id'])}."

    def _limit_words(self) -> Iterator[str]:
        if self.limits.empty:
            return
        yield "Its limits after, tightest first:"
        for limit in self.limits.head(SHOWN_LIMITS).to_dict("records"):
            yield f"  {_limit_words(limit)}"


def _limit_words(limit: dict[Hashable, Any]) -> str:
    side, bound = ("at most", limit["most"]) if pd.notna(limit["most"]) else ("at least", limit["least"])
    what = f"{str(limit['rule']).replace('_', ' ')} of {limit['subject']}"
    share = f" ({percent(limit['share'])})" if np.isfinite(limit["share"]) else ""
    return f"{what}: {_exact(limit['used'])}, {side} {_exact(bound)}{share}"


def _exact(number: float) -> str:
    return f"{number:,.3f}".rstrip("0").rstrip(".")


def _moves_words(verb: str, side: str, moves: pd.DataFrame) -> Iterator[str]:
    if moves.empty:
        yield f"{verb} nothing."
        return
    yield (
        f"{verb} {counted(len(moves), 'account')} ({plain(moves['units'].sum())} units, "
        f"{dollars(int(moves['arr'].sum()))} ARR, {dollars(int(moves['disruption'].sum()))} at risk):"
    )
    for why, group in moves.groupby("why", sort=False):
        each = (
            f"{row['account_id']} {side} {row['am_id'] or 'nobody'} ({plain(row['units'])} units)"
            for row in group.to_dict("records")
        )
        yield f"  {why}: {listed(each)}."


def explain_book(proposal: Proposal, am_id: str) -> BookExplanation:
    """Explain the book of an AM or pool; for a member of a pool, the pool's. Raises `UsageError` for an unknown id."""
    formulation = formulation_of(proposal)
    snapshot = formulation.snapshot
    ams = snapshot.ams
    if am_id not in ams.of_person:
        near = did_you_mean(am_id, ams.of_person)
        raise UsageError(f'there is no AM or pool "{am_id}" in this run. {near}'.strip())
    book = ams.of_person[am_id]
    plan = proposal.assignments.assign(
        owned_by=ams.numbers(proposal.assignments["from_am"]), ends_with=ams.numbers(proposal.assignments["to_am"])
    )
    moves = plan[plan["moved"]]
    chosen = chosen_arcs(formulation, proposal.assignments)
    return BookExplanation(
        am_id=ams.ids[book],
        asked=am_id,
        facts=_facts(proposal, snapshot, book),
        notes=list(_notes(snapshot, book, am_id)),
        lost=_moves(moves[moves["owned_by"] == book], "to_am"),
        gained=_moves(moves[moves["ends_with"] == book], "from_am"),
        stays=_stays(formulation, plan[~plan["moved"] & (plan["ends_with"] == book)]),
        limits=_limits(formulation, chosen, book),
    )


def _facts(proposal: Proposal, snapshot: Snapshot, book: int) -> dict[str, Any]:
    name = snapshot.ams.ids[book]
    row = proposal.books[proposal.books["am_id"] == name].iloc[0].to_dict()
    plan = proposal.assignments.set_index("account_id").loc[list(snapshot.accounts.ids)]
    before = load(snapshot, snapshot.accounts.owner)
    after = load(snapshot, snapshot.ams.numbers(plan["to_am"]))
    return {
        **{str(key): value for key, value in row.items()},
        "name": snapshot.ams.names[book],
        "book": str(snapshot.ams.kind[book]),
        "binding_before": before.binding[book],
        "binding_share_before": float(before.strain[book]),
        "binding_share_after": float(after.strain[book]),
    }


def _notes(snapshot: Snapshot, book: int, asked: str) -> Iterator[str]:
    """What about its holder explains the book."""
    ams, name = snapshot.ams, snapshot.ams.ids[book]
    if ams.is_pool[book]:
        pools = snapshot.book.tables["pools"]
        members = sorted(set(pools[pools["pool_id"] == name]["am_id"]))
        yield f"A pool of {', '.join(members)}; {'its members have' if asked == name else f'{asked} has'} no own book."
    if ams.departed[book]:
        yield f"{name} has left: the book ends empty."
    elif not ams.receiving[book]:
        yield f"{name} receives no accounts (role, status or `receives`), and keeps what it holds."
    elif not snapshot.receives[book]:
        yield f"{name} has not started, and the model gives open headcount no accounts."


def _moves(moves: pd.DataFrame, other: str) -> pd.DataFrame:
    """Moves with the other side, and the first half of the reason: why, without what becomes of the new book."""
    why = moves["reason"].map(lambda reason: str(reason).split("; ")[0].split(". ")[0].rstrip("."))
    found = moves.assign(am_id=moves[other], why=why)
    order = found.sort_values(["disruption", "account_id"], ascending=[False, True])
    return order[MOVE_COLUMNS].reset_index(drop=True)


def _stays(formulation: Formulation, kept: pd.DataFrame) -> pd.DataFrame:
    place = {name: index for index, name in enumerate(formulation.snapshot.accounts.ids)}
    full = over_limit(formulation.snapshot)
    why = [_why_it_stays(formulation, row, place.get(row["account_id"]), full) for row in kept.to_dict("records")]
    return kept.assign(why=pd.Series(why, index=kept.index, dtype=str))[STAY_COLUMNS].reset_index(drop=True)


def _why_it_stays(
    formulation: Formulation, row: dict[Hashable, Any], place: int | None, too_full: Container[int]
) -> str:
    """A key of `STAYS`; `place` is None for an account that is not in the plan, `too_full` are books over a limit."""
    if place is None:
        return "left_out"
    accounts = formulation.snapshot.accounts
    group = formulation.group_of[place]
    flags = {
        "locked": bool(row["locked"]),
        "fixed": accounts.assign_to[place] != NONE,
        "fatigue": bool(accounts.fatigued[place]),
        "legacy": bool(row["legacy"]),
        "family": accounts.family[place] >= 0,
        "no_other_seat": int((formulation.problem.arc_group == group).sum()) == 1,
        "others_cost_less": int(accounts.owner[place]) in too_full,
    }
    return next((why for why, holds in flags.items() if holds), "free")


def _limits(formulation: Formulation, chosen: np.ndarray, book: int) -> pd.DataFrame:
    """Every limit on the book, and on the CSMs of its accounts and pod, under the plan."""
    snapshot, rows = formulation.snapshot, formulation.problem.rows
    to_am, to_csm = formulation.seats(chosen)
    activity = rows.activity(formulation.problem.taken(chosen))
    name = snapshot.ams.ids[book]
    serving = set(to_csm[(to_am == book) & (to_csm != NONE)].tolist())
    serving |= set(snapshot.pod_pairs[snapshot.pod_pairs[:, 0] == book, 1].tolist())
    csms = {snapshot.csms.ids[csm] for csm in serving}
    found = []
    for row in np.flatnonzero((rows.level == 0) | (rows.level == HARD)).tolist():
        rule = rows.rules[row]
        subject = _subject(rule, rows.names[row], name, csms)
        if subject:
            scale = {"units_cap": HUNDREDTHS, "floor": HUNDREDTHS, "csm_load": CSM_FULL_LOAD}.get(rule, 1)
            found.append((rule, subject, *_used(int(activity[row]), int(rows.lo[row]), int(rows.hi[row]), scale)))
    frame = pd.DataFrame(found, columns=LIMIT_COLUMNS)
    return frame.sort_values(["share", "rule", "subject"], ascending=[False, True, True], ignore_index=True)


def _subject(rule: str, row: str, book: str, csms: set[str]) -> str:
    """Whose limit a row is, empty where it is none of the book."""
    if rule == "csm_load":
        return row if row in csms else ""
    if rule == "budgets":
        return row if row in (f"lost:{book}", f"gained:{book}") else ""
    if row == book:
        return row
    tier = next((tier for tier in TIERS if row == f"{book}:{tier}"), "")
    return f"{book}, {tier}" if tier and rule in ("accounts_limit", "blended_limit") else ""


def _used(used: int, least: int, most: int, scale: int) -> tuple[float, float, float, float]:
    """Used, least and most in units a planner reads, and the share of the limit: 1 is at it, above is broken."""
    lower, upper = least / scale if least > -NO_LIMIT else np.nan, most / scale if most < NO_LIMIT else np.nan
    if most < NO_LIMIT:
        share = used / most if most > 0 else (np.inf if used > 0 else 0.0)
    else:
        share = least / used if used > 0 else (np.inf if least > 0 else 0.0)
    return used / scale, lower, upper, round(share, 4)
