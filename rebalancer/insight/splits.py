"""Splits: whether the credit of global accounts is shared as it should be, and what a proposal does to it.

What is asked for is that of the commercial account management playbook. The table `splits` carries who is credited
with which share of an account, and who decided it. Of pay it says nothing: those figures are the model's
(`programme.pay`), and where they are not given the check says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from rebalancer.coverage.programme import Pay
from rebalancer.global_accounts import gam_of
from rebalancer.proposal import Proposal
from rebalancer.quarters import Quarter
from rebalancer.snapshot import Snapshot

OK, BROKEN, UNKNOWN = "ok", "broken", "unknown"
GAM, RAM = "gam", "ram"
PLAN = "pay plan"

CHECKS = ["check", "subject", "verdict", "found", "asked", "lacks"]


def split_checks(snapshot: Snapshot) -> pd.DataFrame:
    """One row per check: check, subject (an account, or the pay plan), verdict (ok, broken, unknown), found, asked,
    lacks (what the book or the model does not say; empty where nothing).

    Of an account: defined, credit (from 0 to 1), gam and ram (who is credited leads and owns it), dual, gam_floor,
    ram_floor, decided_by. Of the pay plan: base, gam_on_global, ram_on_global, regional_quota.
    """
    found = [row for deal in _deals(snapshot) for row in _of_deal(deal, snapshot.model.programme.pay)]
    found += _of_plan(snapshot.model.programme.pay)
    return pd.DataFrame(found, columns=CHECKS, dtype=object)


Check = tuple[str, str, str, str, str, str]
"""A row of `split_checks`."""


@dataclass(frozen=True)
class _Deal:
    """An account with a GAM or a split: who leads it, who owns it, and the rows (AM, role, credit, decided by)."""

    account_id: str
    gam: str
    owner: str
    rows: tuple[tuple[str, str, float, str], ...]
    people: dict[str, str]
    """Names of AMs, in lower case, by id in lower case."""

    def credit(self, role: str) -> float | None:
        """What all rows of a role credit; None where there is none."""
        known = [credit for _, of, credit, _ in self.rows if of == role and not np.isnan(credit)]
        return sum(known) if known else None

    def who(self, role: str) -> list[str]:
        """Who is credited in a role."""
        return [am_id for am_id, of, _, _ in self.rows if of == role]

    @property
    def is_regional(self) -> bool:
        """Somebody other than the GAM owns it."""
        return bool(self.owner) and self.owner != self.gam


def _deals(snapshot: Snapshot) -> Iterator[_Deal]:
    table, frame, ams = snapshot.book.tables["splits"], snapshot.frame, snapshot.book.ams
    rows: dict[str, list[tuple[str, str, float, str]]] = {}
    columns = (table[name].tolist() for name in ("account_id", "am_id", "role", "credit", "decided_by"))
    for account_id, am_id, role, credit, decided_by in zip(*columns, strict=True):
        rows.setdefault(account_id, []).append((am_id, role.lower(), credit, decided_by))
    people = dict(zip(ams["am_id"].str.lower(), ams["name"].str.lower(), strict=True))
    asked = (snapshot.gam != "") | frame["account_id"].isin(set(rows)).to_numpy()
    for account_id, gam, owner in zip(
        frame["account_id"][asked], snapshot.gam[asked], frame["owner"][asked], strict=True
    ):
        credited = sorted(rows.get(account_id, ()), key=lambda row: (row[1], row[0]))
        yield _Deal(account_id, gam, owner, tuple(credited), people)


def _row(subject: str, check: str, verdict: str, found: str, asked: str, lacks: str = "") -> Check:
    return check, subject, verdict, found, asked, lacks


Row = Callable[..., Check]


def _of_deal(deal: _Deal, pay: Pay) -> Iterator[Check]:
    row = partial(_row, deal.account_id)
    if not deal.rows:
        yield row("defined", BROKEN, "no split", "a split defined beforehand", "splits")
        return
    yield row("defined", OK, f"{len(deal.rows):,} credited", "a split defined beforehand")
    shares = [credit for _, _, credit, _ in deal.rows]
    whole = all(0 <= share <= 1 for share in shares if not np.isnan(share))
    lacks = "splits.credit" if any(np.isnan(share) for share in shares) else ""
    verdict = BROKEN if not whole else UNKNOWN if lacks else OK
    yield row("credit", verdict, _credits(deal), "shares from 0 to 1", lacks)
    yield _named(row, deal, GAM, deal.gam, "accounts.gam")
    if deal.is_regional:
        yield _named(row, deal, RAM, deal.owner, "accounts.owner")
        both = all((deal.credit(role) or 0) > 0 for role in (GAM, RAM))
        yield row("dual", OK if both else BROKEN, _credits(deal), "credit for the GAM and for the regional AM")
    floors = ((GAM, pay.gam_on_global, True), (RAM, pay.ram_on_global, deal.is_regional))
    for role, floor, wanted in floors:
        if wanted:
            yield _floor(row, deal, role, float(floor))
    yield _decided(row, deal)


def _named(row: Row, deal: _Deal, role: str, person: str, column: str) -> Check:
    """Who is credited in a role is who leads or owns the account."""
    credited = deal.who(role)
    asked = f"{person} as {role}" if person else f"a {role}"
    if not person:
        return row(role, UNKNOWN, ", ".join(credited) or "nobody", asked, column)
    return row(role, OK if person in credited else BROKEN, ", ".join(credited) or "nobody", asked)


def _floor(row: Row, deal: _Deal, role: str, floor: float) -> Check:
    """At least a quarter of the variable pay on the global account; the credit stands in for the pay."""
    credit, asked = deal.credit(role), f"at least {100 * floor:.0f} %"
    if credit is None:
        return row(f"{role}_floor", UNKNOWN, "no credit", asked, f"splits.credit of a {role}")
    verdict = OK if credit >= floor else BROKEN
    return row(f"{role}_floor", verdict, f"{100 * credit:.0f} %", asked, "variable pay; the credit stands in for it")


def _decided(row: Row, deal: _Deal) -> Check:
    """A third party decides: nobody who is credited, and never the GAM."""
    asked = "a third party, never the GAM"
    by = sorted({decided_by for _, _, _, decided_by in deal.rows})
    if "" in by:
        return row("decided_by", UNKNOWN, "not said", asked, "splits.decided_by")
    parties = {am_id.lower() for am_id, _, _, _ in deal.rows} | ({deal.gam.lower()} if deal.gam else set())
    parties |= {deal.people[am_id] for am_id in parties if deal.people.get(am_id)}
    own = [who for who in by if who.strip().lower() in parties]
    return row("decided_by", BROKEN if own else OK, ", ".join(own or by), asked)


def _credits(deal: _Deal) -> str:
    return " + ".join(f"{role or '?'} {'?' if np.isnan(credit) else f'{credit:g}'}" for _, role, credit, _ in deal.rows)


def _of_plan(pay: Pay) -> Iterator[Check]:
    """What the pay plan has to keep to; unknown where the model does not say what it is."""
    low, high = pay.base
    span = f"{100 * low:.0f}/{100 * (1 - low):.0f} to {100 * high:.0f}/{100 * (1 - high):.0f}"
    most = pay.regional_quota + pay.about
    for check, given, holds, asked in (
        ("base", pay.plan_base, lambda share: low <= share <= high, f"base to variable {span}"),
        ("gam_on_global", pay.plan_gam_on_global, lambda share: share >= pay.gam_on_global,
         f"at least {100 * pay.gam_on_global:.0f} % of a GAM's variable pay on the global quota"),
        ("ram_on_global", pay.plan_ram_on_global, lambda share: share >= pay.ram_on_global,
         f"at least {100 * pay.ram_on_global:.0f} % of a RAM's variable pay on the global account's ARR"),
        ("regional_quota", pay.plan_regional_quota, lambda share: share <= most,
         f"no regional quota of a GAM, else about {100 * pay.regional_quota:.0f} % of a pure RAM's"),
    ):  # fmt: skip
        if given is None:
            yield check, PLAN, UNKNOWN, "not given", asked, f"programme.pay.plan_{check}"
        else:
            yield check, PLAN, OK if holds(given) else BROKEN, f"{100 * given:.0f} %", asked, ""


# What a proposal does


@dataclass(frozen=True)
class SplitEffect:
    """What a proposal does to credit.

    `accounts`: one row per credit of a moved account with a GAM or a split: account_id, arr, role, credit, credited
    (arr x credit, dollars), from_am, to_am (who is credited before and after), moves. `ams`: one row per AM: am_id,
    lost, gained, change (dollars of credited ARR), quota (of the quarter or year of the effective date), of_quota
    (change / quota). `missing` names what was lacking, `notes` says what else matters.
    """

    accounts: pd.DataFrame
    ams: pd.DataFrame
    missing: tuple[str, ...]
    notes: tuple[str, ...]


def split_effect(proposal: Proposal) -> SplitEffect:
    """Which credit moves with the accounts that a proposal moves: the owner's share goes to the new owner, everybody
    else's stays, and the GAM's above all.
    """
    book = proposal.book
    gam = dict(zip(book.accounts["account_id"], gam_of(book.accounts, book.accounts), strict=True))
    moved = proposal.assignments.loc[proposal.assignments["moved"], ["account_id", "arr", "from_am", "to_am"]]
    splits = book.tables["splits"][["account_id", "am_id", "role", "credit"]]
    joined = moved.merge(splits, on="account_id", how="left")
    led = joined["account_id"].map(gam)
    joined = joined[joined["am_id"].notna() | (led != "")].reset_index(drop=True)
    led, undefined = joined["account_id"].map(gam), joined["am_id"].isna()
    role = joined["role"].fillna("").str.lower()
    is_gam = (role == GAM) | (joined["am_id"] == led)
    moves = ~undefined & ~is_gam & (joined["am_id"] == joined["from_am"])
    accounts = pd.DataFrame(
        {
            "account_id": joined["account_id"],
            "arr": joined["arr"],
            "role": role.astype(object),
            "credit": joined["credit"].astype(float),
            "credited": (joined["arr"] * joined["credit"].astype(float)).round(),
            "from_am": joined["am_id"].fillna("").astype(object),
            "to_am": np.where(moves, joined["to_am"], joined["am_id"].fillna("")).astype(object),
            "moves": moves,
        }
    )
    ams = _by_am(accounts, proposal)
    missing = tuple(name for name in ("splits", "quotas") if book.tables[name].empty)
    return SplitEffect(accounts, ams, missing, tuple(_notes(joined, led, undefined, is_gam, moves)))


def _by_am(accounts: pd.DataFrame, proposal: Proposal) -> pd.DataFrame:
    moved = accounts[accounts["moves"]]
    lost, gained = (moved.groupby(side)["credited"].sum() for side in ("from_am", "to_am"))
    index = pd.Index(sorted({*lost.index, *gained.index}), name="am_id")
    found = pd.DataFrame({"lost": lost.reindex(index).fillna(0), "gained": gained.reindex(index).fillna(0)})
    found["change"] = found["gained"] - found["lost"]
    found["quota"] = _quotas(proposal).reindex(index).astype(float)
    found["of_quota"] = found["change"] / found["quota"].where(found["quota"] > 0)
    return found.reset_index()


def _quotas(proposal: Proposal) -> pd.Series:
    """The quota of each AM for the quarter of the effective date, else for its year."""
    table, day = proposal.book.tables["quotas"], proposal.book.effective_date
    now = Quarter.of(day)
    of_quarter = table["period"].map(lambda text: Quarter.parse(text) == now).astype(bool)
    of_year = table["period"].str.strip() == str(day.year)
    sums = table.loc[of_quarter].groupby("am_id")["quota"].sum()
    return sums.combine_first(table.loc[of_year].groupby("am_id")["quota"].sum())


def _notes(
    joined: pd.DataFrame, led: pd.Series, undefined: pd.Series, is_gam: pd.Series, moves: pd.Series
) -> Iterator[str]:
    for account_id in joined.loc[undefined, "account_id"]:
        yield f"{account_id} moves and has a GAM, and no split is defined for it."
    gam_owned = joined["from_am"] == led
    for account_id in joined.loc[gam_owned & ~undefined, "account_id"].drop_duplicates():
        yield f"{account_id} leaves the book of its GAM, whose credit stays; whoever takes it has none yet."
    owners = joined[~undefined].assign(moves=moves, is_gam=is_gam).groupby("account_id", sort=False)["moves"].any()
    for account_id in owners.index[~owners]:
        if account_id not in set(joined.loc[gam_owned, "account_id"]):
            yield f"{account_id} moves and its owner is not credited; the new owner has no credit either."
