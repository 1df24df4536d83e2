"""High, low and tech touch: the class of every account in a quarter, and the shares of each class in every book.

Source: holisticselling newsletter #15. High touch is the smallest set of a book's accounts that drives `high_share` of
the book's expected result of the quarter; equal results are taken in the order of account ids. Tech touch can go into
maintenance; the newsletter does not say when, so it is ours: nothing expected this quarter or next, nothing open,
a renewal date after the next quarter, and a health of `tech_health` or more. What is not known to be so is low touch.
"""

from __future__ import annotations

from typing import get_args

import numpy as np
import pandas as pd

from rebalancer.coverage.touch_model import TouchClass
from rebalancer.locks import OWNER_ROLES
from rebalancer.metrics.attention import meaningful_touches
from rebalancer.metrics.expected import CENTS, PARTS, expected_frame, open_until
from rebalancer.metrics.opportunities import Deals
from rebalancer.metrics.readings import places_of_accounts, words
from rebalancer.people import NONE
from rebalancer.quarters import Quarter
from rebalancer.snapshot import Snapshot
from rebalancer.tables import TIERS

CLASSES: tuple[TouchClass, ...] = get_args(TouchClass)
HIGH, LOW, TECH = range(len(CLASSES))


def smallest_driving_set(owner: np.ndarray, cents: np.ndarray, share: int) -> np.ndarray:
    """Per account: it is in the smallest set of its book that brings `share` (ten-thousandths) of the book's cents.

    Accounts come in the order of their ids, which decides between equal ones. A book that expects nothing has no set.
    """
    order = np.lexsort((np.arange(len(owner)), -cents, owner))
    books, amounts = owner[order], cents[order]
    first = np.flatnonzero(np.r_[True, books[1:] != books[:-1]]) if len(books) else np.zeros(0, dtype=np.int64)
    place = np.repeat(np.arange(len(first)), np.diff(np.r_[first, len(books)]))
    running = np.cumsum(amounts) - amounts
    before = running - running[first][place]
    total = np.add.reduceat(amounts, first)[place] if len(first) else amounts
    chosen = np.zeros(len(owner), dtype=bool)
    chosen[order] = (before * PARTS < total * share) & (amounts > 0)
    return chosen


def touch_classes(snapshot: Snapshot, deals: Deals, quarter: Quarter, owner: np.ndarray) -> pd.DataFrame:
    """One row per account, in the order of the plan: the columns of `expected_frame`, expected_next_cents (of the next
    quarter) and touch (index into `CLASSES`). `owner` numbers the book each account is in, -1 for none.
    """
    frame = expected_frame(snapshot, deals, quarter)
    following = expected_frame(snapshot, deals, quarter.next)["expected_cents"].to_numpy()
    cents = frame["expected_cents"].to_numpy()
    high = smallest_driving_set(owner, cents, int(snapshot.model.touch_model.high_share * PARTS))
    later = snapshot.frame["renewal_date"] > pd.Timestamp(quarter.next.end)
    healthy = snapshot.frame["health"] >= float(snapshot.model.touch_model.tech_health)
    quiet = (cents == 0) & (following == 0) & ~open_until(snapshot, deals, quarter.next)
    tech = quiet & (later & healthy).to_numpy(dtype=bool)
    return frame.assign(expected_next_cents=following, touch=np.where(high, HIGH, np.where(tech, TECH, LOW)))


def owners_before(snapshot: Snapshot, quarter: Quarter) -> np.ndarray:
    """The book each account was in at the end of a past quarter: today's, the changes in `history` since undone."""
    history = snapshot.book.tables["history"]
    since = history["date"] > pd.Timestamp(quarter.end)
    until = history["date"] <= pd.Timestamp(snapshot.book.effective_date)
    rows = history[since & until & history["role"].str.lower().isin(OWNER_ROLES)]
    rows = rows.sort_values("date", kind="stable").drop_duplicates("account_id", keep="first")
    owner = snapshot.accounts.owner.copy()
    place = places_of_accounts(snapshot, rows["account_id"])
    inside = place != NONE
    owner[place[inside]] = snapshot.ams.numbers(rows["from"])[inside]
    return owner


def minutes_by_account(snapshot: Snapshot) -> np.ndarray:
    """Minutes that touches took per account within `touch_model.time_days` up to the effective date."""
    settings = snapshot.model.touch_model
    touches = meaningful_touches(snapshot.book, snapshot.model)
    start = pd.Timestamp(snapshot.book.effective_date) - pd.Timedelta(days=settings.time_days)
    touches = touches[touches["date"] > start]
    place = places_of_accounts(snapshot, touches["account_id"])
    kinds = words(touches["kind"])
    names = words(pd.Series(list(settings.minutes), dtype=str)).tolist()
    by_word = dict(zip(names, map(float, settings.minutes.values()), strict=True))
    known = {kind: by_word.get(kind, by_word["other"]) for kind in kinds.unique()}
    minutes = kinds.map(known).to_numpy(dtype=np.float64)
    inside = place != NONE
    return np.bincount(place[inside], weights=minutes[inside], minlength=len(snapshot.accounts))


def class_shares(snapshot: Snapshot, classes: pd.DataFrame) -> pd.DataFrame:
    """One row per book that holds accounts and class, accounts nobody owns last under am_id "": am_id, touch, accounts,
    account_share, expected (dollars), expected_share (missing where the book expects nothing), time_share and
    time_basis. The shares of a book sum to 1.

    Time is that of `touches` (minutes by kind) where the book has any within `touch_model.time_days`, else `units`,
    else `accounts` where those are all 0.
    """
    owner, touch = snapshot.accounts.owner, classes["touch"].to_numpy()
    books = len(snapshot.ams) + 1
    cell = np.where(owner == NONE, books - 1, owner) * len(CLASSES) + touch

    def table(weight: np.ndarray) -> np.ndarray:
        return np.bincount(cell, weights=weight, minlength=books * len(CLASSES)).reshape(books, len(CLASSES))

    accounts, units = table(np.ones(len(owner))), table(snapshot.accounts.units)
    minutes, cents = table(minutes_by_account(snapshot)), table(classes["expected_cents"].to_numpy())
    timed, weighed = (values.sum(axis=1, keepdims=True) > 0 for values in (minutes, units))
    time = np.where(timed, minutes, np.where(weighed, units, accounts))
    basis = np.where(timed, "touches", np.where(weighed, "units", "accounts"))
    frame = pd.DataFrame(
        {
            "am_id": np.repeat(np.array([*snapshot.ams.ids, ""], dtype=object), len(CLASSES)),
            "touch": np.tile(np.array(CLASSES, dtype=object), books),
            "accounts": accounts.astype(np.int64).ravel(),
            "account_share": _shares(accounts).ravel(),
            "expected": cents.ravel() / CENTS,
            "expected_share": _shares(cents).ravel(),
            "time_share": _shares(time).ravel(),
            "time_basis": np.repeat(basis.ravel(), len(CLASSES)),
        }
    )
    return frame[np.repeat(accounts.sum(axis=1) > 0, len(CLASSES))].reset_index(drop=True)


def _shares(values: np.ndarray) -> np.ndarray:
    """Each row as shares of its sum, NaN where that is 0."""
    total = values.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(total > 0, values / np.where(total > 0, total, 1), np.nan)


def tier_names(snapshot: Snapshot) -> np.ndarray:
    """The tier of every account in the plan, by name."""
    return np.array(TIERS, dtype=object)[snapshot.accounts.tier]
