"""Baseline: the book a night starts from: the file, with what the store knows better than it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from rebalancer.book import Book
from rebalancer.coverage import CoverageModel
from rebalancer.nightly.knowledge import Knowledge, Refusal, Target
from rebalancer.reading.convert import convert
from rebalancer.reading.options import AcceptedFaults
from rebalancer.reading.raw import RawTable
from rebalancer.tables import TABLES, TIERS
from rebalancer.units import tier_codes

REASON = "rejected before"
"""What `lock_reason` says of an account whose move was rejected."""


def baseline(
    book: Book, model: CoverageModel, known: Knowledge, *, free: Collection[str] = ()
) -> tuple[Book, dict[str, str]]:
    """The book with owners that were applied and are not in its file yet, rejected moves as locks and refusals, and
    derived tiers that hold until the ARR is clearly beyond their edge; and the derived tier of every account without
    one of its own. For the accounts in `free` rejected moves are locks alone.
    """
    accounts = _with_targets(book.accounts, known.targets)
    pools = book.tables["pools"]
    home = dict(zip(pools["am_id"], pools["pool_id"], strict=True))
    accounts = _with_refusals(accounts, known.refusals, book.effective_date.isoformat(), free, home)
    tiers = derived_tiers(accounts, model, known.tiers)
    accounts = _with_tiers(accounts, model, tiers)
    people = {name: _with_gone(book, accounts, name, key, column) for name, key, column in PEOPLE}
    return replace(book, tables={**book.tables, **people, "accounts": accounts}), tiers


PEOPLE = (("ams", "am_id", "owner"), ("csms", "csm_id", "csm"))


def _with_gone(book: Book, accounts: pd.DataFrame, name: str, key: str, column: str) -> pd.DataFrame:
    """The people of the file, and as departed those whom it no longer has but who were given accounts before."""
    there = book.tables[name]
    known = {"", *there[key], *book.tables["pools"]["pool_id"]}
    gone = sorted(set(accounts[column]) - known - set(book.accounts[column]))
    if not gone:
        return there
    empty = {other.name: [""] * len(gone) for other in TABLES[name].columns}
    text = pd.DataFrame({**empty, key: gone, "name": gone, "leaves_on": book.effective_date.isoformat()}, dtype=str)
    rows = convert(RawTable(TABLES[name], name, text, np.arange(len(gone))), AcceptedFaults())
    return pd.concat([there, rows]).sort_values(key, kind="stable", ignore_index=True)


def _with_targets(accounts: pd.DataFrame, targets: Mapping[str, Target]) -> pd.DataFrame:
    """A side of the target counts as long as the file shows what it showed before, or what was applied before it."""
    if not targets:
        return accounts
    accounts = accounts.copy()
    place = {account: index for index, account in enumerate(accounts["account_id"]) if account in targets}
    for account, at in place.items():
        target = targets[account]
        sides = (("owner", target.shown_ams, target.am_id, target.am_since),
                 ("csm", target.shown_csms, target.csm_id, target.csm_since))  # fmt: skip
        for column, earlier, now, since in sides:
            if accounts.at[at, column] != now and accounts.at[at, column] in earlier:
                accounts.at[at, column] = now
                accounts.at[at, f"{column}_since"] = pd.Timestamp(since)
    return accounts


def _with_refusals(
    accounts: pd.DataFrame,
    refusals: Mapping[str, tuple[Refusal, ...]],
    day: str,
    free: Collection[str],
    home: Mapping[str, str],
) -> pd.DataFrame:
    """An account stays with the owner that a rejected move was to take it from, and never goes where it was to go;
    where only its CSM was to change, it never gets that one.

    Where its owner or CSM has left no lock holds it; then the refusal still does. `home` is the pool of each of its
    members, who share one book: within it no AM changes.
    """
    lasting = {account: [one for one in every if one.until >= day] for account, every in refusals.items()}
    place = {account: at for at, account in enumerate(accounts["account_id"]) if lasting.get(account)}
    if not place:
        return accounts
    columns: dict[str, list[Any]] = {name: accounts[name].tolist() for name in LOCKING}
    seats = (accounts[name].tolist() for name in ("owner", "assign_to", "csm", "assign_csm"))
    owners, assigned, csm, assigned_csm = seats
    for account, at in place.items():
        own = [one for one in lasting[account] if one.from_am and one.from_am == owners[at]]
        until = pd.Timestamp(max((one.until for one in own), default=day))
        held = columns["lock"][at] is True and not columns["lock_until"][at] < until
        if own and not held:
            columns["lock"][at], columns["lock_reason"][at], columns["lock_until"][at] = True, REASON, until
        if account not in free:
            moved = [one for one in lasting[account] if _book(one.am_id, home) != _book(one.from_am, home)]
            ams = {one.am_id for one in moved} - {owners[at], assigned[at]}
            csms = {one.csm_id for one in lasting[account] if one not in moved} - {"", csm[at], assigned_csm[at]}
            columns["refused"][at] = tuple(sorted({*columns["refused"][at], *ams}))
            columns["refused_csm"][at] = tuple(sorted({*columns["refused_csm"][at], *csms}))
    typed = {
        name: pd.Series(values, index=accounts.index, dtype=object).astype(accounts[name].dtype)
        for name, values in columns.items()
    }
    return accounts.assign(**typed)


def _book(am_id: str, home: Mapping[str, str]) -> str:
    return home.get(am_id, am_id)


LOCKING = ("lock", "lock_reason", "lock_until", "refused", "refused_csm")


def derived_tiers(accounts: pd.DataFrame, model: CoverageModel, before: Mapping[str, str]) -> dict[str, str]:
    """The tier of every account whose file names none: that of its ARR, but the one it had while the ARR is within
    `stability.tier_margin` of the edge between them.
    """
    margin = float(model.stability.tier_margin)
    own = (accounts["tier"] != "").to_numpy(dtype=bool)
    none, arr = pd.Series("", index=accounts.index), accounts["arr"]
    now = tier_codes(none, arr, model)
    low = tier_codes(none, arr / (1 + margin), model)
    high = tier_codes(none, arr / (1 - margin), model)
    had = pd.Index(TIERS).get_indexer(pd.Index([before.get(account, "") for account in accounts["account_id"]]))
    # the first of TIERS is the highest: a smaller number is a higher tier
    held = np.where(had >= 0, np.clip(had, high, low), now)
    names = np.array(TIERS, dtype=object)[held]
    return {account: tier for account, tier, given in zip(accounts["account_id"], names, own, strict=True) if not given}


def _with_tiers(accounts: pd.DataFrame, model: CoverageModel, tiers: Mapping[str, str]) -> pd.DataFrame:
    """The tiers that are not those of the ARR written out; all others stay as the file has them."""
    plain = np.array(TIERS, dtype=object)[tier_codes(accounts["tier"], accounts["arr"], model)]
    wanted = [tiers.get(account, tier) for account, tier in zip(accounts["account_id"], plain, strict=True)]
    differs = pd.Series(np.array(wanted, dtype=object) != plain, index=accounts.index)
    if not differs.any():
        return accounts
    tier = accounts["tier"].mask(differs, pd.Series(wanted, index=accounts.index))
    return accounts.assign(tier=tier.astype(accounts["tier"].dtype))
