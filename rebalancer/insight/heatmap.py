"""heatmap(): every book by utilization, with the limit that binds it and what else says whether it is too much."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pandas as pd

from rebalancer.book import Book
from rebalancer.coverage import CoverageModel
from rebalancer.errors import UsageError, did_you_mean
from rebalancer.metrics import (
    ATTENTION_COLUMNS,
    GROUPS,
    RETENTION_COLUMNS,
    Group,
    attention_by_book,
    attention_frame,
    group_frame,
    heatmap_frame,
    lacking,
    retention_frame,
    top_accounts,
)
from rebalancer.plan import resolve_model
from rebalancer.snapshot import NONE, Snapshot, take_snapshot

SILENCE = ["silent_accounts", "silent_key_accounts"]


@dataclass(frozen=True)
class Heatmap:
    """Every book as it stands.

    `books` has a row per book, fullest first: the columns of `metrics.heatmap_frame`; top_accounts (ids of its largest
    accounts by ARR, largest first) and top_share (of its ARR that they are); silent_accounts and silent_key_accounts
    (missing where no touch is on record), unattended_days, unattended_account and touched_share as in
    `metrics.attention_by_book`; grr_forecast, grr_known, nrr_forecast and nrr_known as in `metrics.retention_frame`.
    `top` has a row per book and large account, as in `metrics.top_accounts`, `attention` one per account, as in
    `metrics.attention_frame`. `unowned` counts accounts that are in no
    book. `missing` are columns without a value.
    """

    day: date
    model: str
    books: pd.DataFrame = field(repr=False)
    top: pd.DataFrame = field(repr=False)
    unowned: int
    missing: tuple[str, ...]
    _snapshot: Snapshot = field(repr=False)
    attention: pd.DataFrame = field(repr=False)

    def by(self, group: Group) -> pd.DataFrame:
        """The books of each `manager`, `region` or `tier` together; columns as in `metrics.group_frame`, with silence
        missing where no touch is on record.
        """
        if group not in GROUPS:
            near = did_you_mean(group, GROUPS)
            raise UsageError(f'there is no grouping by "{group}"; it is one of {", ".join(GROUPS)}. {near}'.strip())
        return _silence_known(group_frame(self._snapshot, group, self.attention), self.attention)


def heatmap(
    book: Book, model: str | Path | CoverageModel | None = None, effective_date: date | str | None = None
) -> pd.DataFrame:
    """The book as it stands, one row per AM, fullest first; columns as `books` of `Heatmap`."""
    return heatmap_report(book, model, effective_date).books


def heatmap_report(
    book: Book, model: str | Path | CoverageModel | None = None, effective_date: date | str | None = None
) -> Heatmap:
    """The same with the largest accounts of every book, the books by group, and what the book lacks."""
    resolved = resolve_model(book, model)
    return heatmap_of(take_snapshot(book.on(effective_date), resolved, "full", resolved.disruption.measure))


def heatmap_of(snapshot: Snapshot) -> Heatmap:
    """The heatmap of a book that is a snapshot already."""
    attention = attention_frame(snapshot)
    top = top_accounts(snapshot, snapshot.model.heatmap.top_accounts)
    silence = attention_by_book(snapshot, attention)
    unknown = (silence["unknown_accounts"] == silence["accounts"]) & (silence["accounts"] > 0)
    silence[SILENCE] = silence[SILENCE].astype("Int64").mask(unknown)
    parts = (_tops(top), silence.drop(columns=["accounts", "unknown_accounts"]), _retention(snapshot))
    books = heatmap_frame(snapshot)
    for part in parts:
        books = books.merge(part, on="am_id", how="left", validate="one_to_one")
    books["top_accounts"] = [ids if isinstance(ids, tuple) else () for ids in books["top_accounts"]]
    books["top_share"] = (books["top_share"] / books["arr"].where(books["arr"] > 0)).astype(float)
    return Heatmap(
        day=snapshot.book.effective_date,
        model=snapshot.model.name,
        books=books,
        top=top,
        unowned=int((snapshot.accounts.owner == NONE).sum()),
        missing=missing_columns(snapshot.book),
        _snapshot=snapshot,
        attention=attention,
    )


def missing_columns(book: Book) -> tuple[str, ...]:
    """What silence and retention need and the book has no value of; either source of touches is enough."""
    silence = lacking(book, *ATTENTION_COLUMNS)
    return (*lacking(book, *RETENTION_COLUMNS), *(silence if len(silence) == len(ATTENTION_COLUMNS) else ()))


def _tops(top: pd.DataFrame) -> pd.DataFrame:
    grouped = top.groupby("am_id", sort=False)
    return grouped.agg(top_accounts=("account_id", tuple), top_share=("arr", "sum")).reset_index()


def _retention(snapshot: Snapshot) -> pd.DataFrame:
    return retention_frame(snapshot).drop(columns="arr")


def _silence_known(groups: pd.DataFrame, attention: pd.DataFrame) -> pd.DataFrame:
    if attention["silent_days"].notna().any():
        return groups
    return groups.assign(**{name: pd.array([pd.NA] * len(groups), dtype="Int64") for name in SILENCE})


def tier_mix(row: Iterable[tuple[str, int]]) -> str:
    """The accounts of each tier in words, `2 strategic, 14 enterprise`; empty where there are none."""
    return ", ".join(f"{count:,} {tier}" for tier, count in row if count)
