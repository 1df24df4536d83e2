"""audit(): the service that every tier is owed against what it got, by tier, AM and month."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from rebalancer.book import Book
from rebalancer.coverage import CoverageModel
from rebalancer.errors import UsageError, did_you_mean, printable
from rebalancer.metrics.attention import ATTENTION_COLUMNS, attention_by_book
from rebalancer.metrics.books import load
from rebalancer.metrics.contacts import passed
from rebalancer.metrics.lacking import lacking
from rebalancer.metrics.service import DIMENSIONS, Service, service_levels
from rebalancer.metrics.service_trend import trend_frame
from rebalancer.metrics.tally import book_codes
from rebalancer.plan import resolve_model
from rebalancer.snapshot import Snapshot, take_snapshot
from rebalancer.tables import TIERS

NOBODY = "(nobody)"
SILENCE = ["unattended_days", "unattended_account", "silent_accounts", "silent_key_accounts"]
RESPONSE, QBR = 'metrics rows "response_hours"', 'touches of kind "qbr" or metrics rows "qbr"'


@dataclass(frozen=True)
class Audit:
    """What an audit of service levels found. Shares are fractions of the accounts that were owed something and of
    which it is known what they got; missing where there is none.

    `accounts`: a row per account in the plan, as `metrics.service.service_levels` describes it.

    `team`, `tiers`, `ams` and `cells` (AM x tier) have the columns (am_id and tier where they are cut by them; am_id
    is empty for accounts nobody owns): accounts; touches, touches_owed (of the last full quarter); for each of
    touches, qbr, sponsor, response, touched and touches_running the number of accounts NAME_met of NAME_of and their
    quotient NAME_share; response_hours (average). `touched` is within `triggers.touched_days`, `touches_running` holds
    the running quarter against the part of it that has passed.

    `ams`, where every book has a row, also has name, utilization, unattended_days (the longest silence of an account),
    unattended_account, silent_accounts, silent_key_accounts and overloaded (flag: an account of
    `triggers.silent_tiers` is silent, whatever the ratio).

    `quarter` is the last full quarter, `running` the one of which `days_passed` of `days` have passed; `touched_days`,
    `silent_days` and `silent_tiers` are the model's.

    `trend`, `trend_by_am` and `trend_by_tier`: a row per month, as `metrics.service_trend.trend_frame` describes it.
    `missing` lists the columns the book lacks, `notes` what else the reader must know.
    """

    model: str
    effective_date: date
    quarter: str
    running: str
    days_passed: int
    days: int
    touched_days: int
    silent_days: int
    silent_tiers: tuple[str, ...]
    team: pd.DataFrame
    tiers: pd.DataFrame
    ams: pd.DataFrame
    cells: pd.DataFrame
    accounts: pd.DataFrame
    trend: pd.DataFrame
    trend_by_am: pd.DataFrame
    trend_by_tier: pd.DataFrame
    missing: tuple[str, ...]
    notes: tuple[str, ...]

    def of(self, am: str) -> Audit:
        """The audit of one book: its row, tiers, accounts and trend. Raises `UsageError` for an unknown one."""
        known = self.ams["am_id"].tolist()
        if am not in known:
            near = did_you_mean(am, [name for name in known if name])
            cure = "The members of a pool share the pool's book."
            raise UsageError(f'there is no book "{printable(am)}". {near or cure}')
        frames = {name: getattr(self, name) for name in ("ams", "cells", "accounts", "trend_by_am")}
        return replace(self, **{name: frame[frame["am_id"] == am] for name, frame in frames.items()})


def audit(
    book: Book, model: str | Path | CoverageModel | None = None, effective_date: date | str | None = None
) -> Audit:
    """The service of the last full quarter and the running one; raises as `rebalancer.snapshot.take_snapshot` does."""
    resolved = resolve_model(book, model)
    return audit_of(take_snapshot(book.on(effective_date), resolved, "full", resolved.disruption.measure))


def audit_of(snapshot: Snapshot) -> Audit:
    """The same for a book that is a snapshot already."""
    service = service_levels(snapshot)
    books = len(snapshot.ams)
    am, tier = book_codes(snapshot.accounts.owner, books), snapshot.accounts.tier.astype(np.int64)
    by_am = pd.DataFrame({"am_id": [*snapshot.ams.ids, ""]})
    by_tier = pd.DataFrame({"tier": list(TIERS)})
    done, days = passed(service.running, snapshot.book.effective_date)
    return Audit(
        model=snapshot.model.name,
        effective_date=snapshot.book.effective_date,
        quarter=str(service.last),
        running=str(service.running),
        days_passed=done,
        days=days,
        touched_days=snapshot.model.triggers.touched_days,
        silent_days=snapshot.model.triggers.silent_days,
        silent_tiers=tuple(snapshot.model.triggers.silent_tiers),
        team=_cut(service, np.zeros(len(am), dtype=np.int64), pd.DataFrame(index=[0])),
        tiers=_cut(service, tier, by_tier),
        ams=_with_silence(snapshot, service, _cut(service, am, by_am)),
        cells=_cut(service, am * len(TIERS) + tier, by_am.merge(by_tier, how="cross")),
        accounts=service.frame,
        trend=trend_frame(snapshot, service, np.zeros(len(am), dtype=np.int64), ["all"]).drop(columns="group"),
        trend_by_am=trend_frame(snapshot, service, am, [*snapshot.ams.ids, ""]).rename(columns={"group": "am_id"}),
        trend_by_tier=trend_frame(snapshot, service, tier, list(TIERS)).rename(columns={"group": "tier"}),
        missing=_missing(snapshot, service),
        notes=_notes(snapshot, service),
    )


def _cut(service: Service, group: np.ndarray, keys: pd.DataFrame) -> pd.DataFrame:
    """The figures of each group; `keys` has a row per group. Groups without an account have no row,
    but every book has one.
    """
    count = len(keys)

    def total(values: pd.Series) -> np.ndarray:
        known = values.to_numpy(dtype=np.float64, na_value=np.nan)
        return np.bincount(group, weights=np.nan_to_num(known), minlength=count).astype(np.int64)

    accounts = np.bincount(group, minlength=count)
    columns: dict[str, object] = {"accounts": accounts}
    recorded = service.frame["touches"].notna().any()
    columns["touches"] = pd.array(total(service.frame["touches"]), dtype="Int64")
    columns["touches_owed"] = total(service.frame["touches_owed"])
    for name in DIMENSIONS:
        sums = service.tallies[name].by(group, count)
        columns[f"{name}_met"] = sums.part.astype(np.int64)
        columns[f"{name}_of"] = sums.whole.astype(np.int64)
        columns[f"{name}_share"] = sums.figure
    columns["response_hours"] = service.response_hours.by(group, count).figure
    frame = pd.concat([keys.reset_index(drop=True), pd.DataFrame(columns)], axis=1)
    if not recorded:
        frame["touches"] = pd.NA
    kept = (accounts > 0) | (keys["am_id"] != "" if list(keys) == ["am_id"] else False)
    return frame[kept].reset_index(drop=True)


def _with_silence(snapshot: Snapshot, service: Service, frame: pd.DataFrame) -> pd.DataFrame:
    """Silence from `attention` and utilization from `books`; accounts nobody owns have no book to be overloaded."""
    silence = attention_by_book(snapshot, service.attention)[["am_id", *SILENCE]]
    used = load(snapshot, snapshot.accounts.owner).utilization
    own = pd.DataFrame({"am_id": snapshot.ams.ids, "name": snapshot.ams.names, "utilization": used})
    joined = frame.merge(own, on="am_id", how="left").merge(silence, on="am_id", how="left")
    joined.insert(1, "name", joined.pop("name").fillna(NOBODY))
    for column in ("silent_accounts", "silent_key_accounts"):
        joined[column] = joined[column].astype("Int64")
    joined["unattended_account"] = joined["unattended_account"].fillna("")
    return joined.assign(overloaded=(joined["silent_key_accounts"] > 0).fillna(value=False).astype(bool))


def _missing(snapshot: Snapshot, service: Service) -> tuple[str, ...]:
    """What the audit would need and the book does not have."""
    lacked = list(lacking(snapshot.book, "touches", "accounts.sponsor"))
    if len(lacking(snapshot.book, *ATTENTION_COLUMNS)) == len(ATTENTION_COLUMNS):
        lacked.insert(0, "accounts.last_touch")
    if not service.frame["qbr_held"].notna().any():
        lacked.append(QBR)
    if not service.frame["response_hours"].notna().any():
        lacked.append(RESPONSE)
    return tuple(lacked)


def _notes(snapshot: Snapshot, service: Service) -> tuple[str, ...]:
    """Where the touches do not reach back far enough."""
    recorded = snapshot.book.tables["touches"]["date"].min()
    start = service.last.start
    if pd.isna(recorded) or recorded.date() <= start:
        return ()
    return (f"touches are on record since {recorded.date()} only; {service.last} is not whole.",)
