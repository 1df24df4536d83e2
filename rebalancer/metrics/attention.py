"""Attention: when an account was last touched, how long it has been silent, and how many touches it had.

A touch counts where it has a date up to the effective date, and a kind that the model does not list in
`triggers.not_meaningful`. The last touch of an account is the later of those in `touches` and `accounts.last_touch`.

Where an account has no touch on record, its silence is not guessed. If the book has touches of others, the account has
been silent at least since the first of them, or since `owner_since` where that is later (a new customer): such a
number of days is a lower bound, marked by `at_least`. If the book has no touches at all, the silence is unknown.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from rebalancer.book import Book
from rebalancer.coverage import CoverageModel
from rebalancer.snapshot import NONE, Snapshot
from rebalancer.tables import TIERS

Period = Literal["month", "quarter", "year"]
PERIODS: dict[Period, str] = {"month": "M", "quarter": "Q", "year": "Y"}
NO_DAY = np.iinfo(np.int64).min

ATTENTION_COLUMNS = ("accounts.last_touch", "touches")
"""What attention is measured by; a book that lacks both has no figure of this module (see `metrics.lacking`)."""


def meaningful_touches(book: Book, model: CoverageModel) -> pd.DataFrame:
    """The touches that count: columns account_id, am_id, date and kind of the table `touches`, in its order.

    Left out are those without a date, after the book's effective date, and of a kind that is not meaningful. Account
    ids are those of the table: some may not be in the book.
    """
    touches = book.tables["touches"]
    code, kinds = pd.factorize(touches["kind"])
    ignored = {kind.casefold() for kind in model.triggers.not_meaningful}
    counts = np.array([str(kind).strip().casefold() not in ignored for kind in kinds], dtype=bool)
    dated = (touches["date"] <= pd.Timestamp(book.effective_date)).to_numpy(dtype=bool)
    kept = dated & counts[code] if len(kinds) else dated
    return touches[kept]


def attention_frame(snapshot: Snapshot) -> pd.DataFrame:
    """One row per account of the plan, in the order of `snapshot.frame`.

    Columns: account_id; am_id, the book it is in (empty without one); tier; arr in dollars; last_touch, the day of
    its last meaningful touch, missing where none is on record; silent_days, whole days from then to the effective
    date, missing where unknown; at_least, whether silent_days is only a lower bound; silent, whether that reaches
    `triggers.silent_days`; key, whether the account is of one of `triggers.silent_tiers`; touched, whether it was
    touched within `triggers.touched_days` (missing where unknown). The day that ends either period belongs to it.
    """
    triggers, accounts = snapshot.model.triggers, snapshot.accounts
    today = int(np.datetime64(snapshot.book.effective_date, "D").astype(np.int64))
    last = _last_touch(snapshot, today)
    known = last != NO_DAY
    since = np.where(known, last, _unseen_since(snapshot, today))
    days = np.where(since == NO_DAY, -1, today - since)
    silent = days >= triggers.silent_days
    touched = pd.array(known & (days <= triggers.touched_days), dtype="boolean")
    touched[(days < 0) | (~known & (days < triggers.touched_days))] = pd.NA
    names = np.array(TIERS, dtype=object)
    last_day = np.where(known, last, np.datetime64("NaT", "D").astype(np.int64)).astype("datetime64[D]")
    return pd.DataFrame(
        {
            "account_id": accounts.ids,
            "am_id": np.array([*snapshot.ams.ids, ""], dtype=object)[accounts.owner],
            "tier": names[accounts.tier],
            "arr": accounts.arr,
            "last_touch": last_day.astype("datetime64[s]"),
            "silent_days": pd.array(days, dtype="Int64"),
            "at_least": ~known & (days >= 0),
            "silent": silent,
            "key": np.isin(names[accounts.tier], triggers.silent_tiers),
            "touched": touched,
        }
    ).assign(silent_days=lambda frame: frame["silent_days"].mask(frame["silent_days"] < 0))


def _last_touch(snapshot: Snapshot, today: int) -> np.ndarray:
    """Day number of each account's last meaningful touch, `NO_DAY` where none is on record."""
    said = _days(snapshot.frame["last_touch"])
    last = np.where(said > today, NO_DAY, said)
    touches = meaningful_touches(snapshot.book, snapshot.model)
    account = pd.Index(snapshot.accounts.ids).get_indexer(pd.Index(touches["account_id"]))
    inside = account >= 0
    np.maximum.at(last, account[inside], _days(touches["date"])[inside])
    return last


def _unseen_since(snapshot: Snapshot, today: int) -> np.ndarray:
    """Day number from which on an account without a touch had none for certain, `NO_DAY` where no touch is on record.

    That is the first day of the records, of whatever kind, or the later day on which its owner got it.
    """
    recorded = _days(snapshot.book.tables["touches"]["date"])
    recorded = recorded[(recorded != NO_DAY) & (recorded <= today)]
    if not len(recorded):
        return np.full(len(snapshot.accounts), NO_DAY, dtype=np.int64)
    owned = _days(snapshot.frame["owner_since"])
    return np.maximum(recorded.min(), np.where(owned > today, today, owned))


def _days(dates: pd.Series) -> np.ndarray:
    """Dates as whole days since 1970; `NO_DAY`, which is also how numpy counts a missing date, for a missing one."""
    return dates.to_numpy(dtype="datetime64[D]").astype(np.int64)


def attention_by_book(snapshot: Snapshot, attention: pd.DataFrame | None = None) -> pd.DataFrame:
    """One row per book, in the order of `snapshot.ams`; `attention` is `attention_frame`, made where it is not given.

    Columns: am_id; accounts; touched_share, of the accounts of which it is known, those touched within
    `triggers.touched_days` (missing where it is known of none); unattended_days, the longest silence of an account in
    days (missing where none is known), and unattended_account, whose it is; silent_accounts, how many are silent, and
    silent_key_accounts, how many of those are of `triggers.silent_tiers`; unknown_accounts, how many have a silence
    that is not known.
    """
    frame = attention_frame(snapshot) if attention is None else attention
    owner = snapshot.accounts.owner
    days = frame["silent_days"].fillna(-1).to_numpy(dtype=np.int64)
    known = frame["touched"].notna().to_numpy(dtype=bool)
    touched = frame["touched"].fillna(value=False).to_numpy(dtype=bool)
    judged = snapshot.per_am(owner, known.astype(np.int64))
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(judged > 0, snapshot.per_am(owner, touched.astype(np.int64)) / judged, np.nan)
    longest = _longest(owner, days, len(snapshot.ams))
    place = np.where(longest >= 0, longest, 0)
    silent = frame["silent"].to_numpy(dtype=bool)
    key = frame["key"].to_numpy(dtype=bool)
    return pd.DataFrame(
        {
            "am_id": snapshot.ams.ids,
            "accounts": snapshot.per_am(owner, np.ones(len(owner), dtype=np.int64)),
            "touched_share": share,
            "unattended_days": pd.array(np.where(longest >= 0, days[place], 0), dtype="Int64"),
            "unattended_account": np.where(longest >= 0, frame["account_id"].to_numpy(dtype=object)[place], ""),
            "silent_accounts": snapshot.per_am(owner, silent.astype(np.int64)),
            "silent_key_accounts": snapshot.per_am(owner, (silent & key).astype(np.int64)),
            "unknown_accounts": snapshot.per_am(owner, (days < 0).astype(np.int64)),
        }
    ).assign(unattended_days=lambda table: table["unattended_days"].mask(longest < 0))


def _longest(owner: np.ndarray, days: np.ndarray, books: int) -> np.ndarray:
    """The account with the longest known silence in each book, the first by id of equals; -1 where none is known."""
    order = np.lexsort((-np.arange(len(days)), days))  # the last one written wins
    order = order[(owner[order] != NONE) & (days[order] >= 0)]
    longest = np.full(books, -1, dtype=np.int64)
    longest[owner[order]] = order
    return longest


def touch_counts(
    book: Book, model: CoverageModel, period: Period = "quarter", *, by_kind: bool = False
) -> pd.DataFrame:
    """How many meaningful touches each account had in each period of the calendar, up to the effective date.

    Columns: account_id, period (`2026-Q3`, `2026-07` or `2026`), with `by_kind` also kind, and touches; sorted by
    these. Periods without a touch have no row.
    """
    touches = meaningful_touches(book, model)
    span = touches["date"].dt.to_period(PERIODS[period])
    code, spans = pd.factorize(span, sort=True)
    text = np.array([str(one).replace("Q", "-Q") for one in spans], dtype=object)
    keys = {"account_id": touches["account_id"], "period": text[code] if len(text) else pd.Series([], dtype=object)}
    if by_kind:
        keys["kind"] = touches["kind"]
    frame = pd.DataFrame(keys)
    return frame.groupby(list(keys), sort=True).size().rename("touches").reset_index()
