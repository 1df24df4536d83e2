"""Triggers: which books have to be rebalanced today, for which reasons, and the numbers that say so.

[KM] KnowMBA, "Account Manager Coverage": above 110 % of its units, a forecast of gross retention below 90 %, or an
enterprise or strategic account that is silent for 60 days and more. Limits on counts fire as soon as they are broken.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from rebalancer.limits import count_limits
from rebalancer.metrics.attention import attention_by_book, attention_frame
from rebalancer.metrics.retention import below, retention_frame
from rebalancer.snapshot import Snapshot
from rebalancer.units import HUNDREDTHS

UNITS, GRR, SILENCE = "units", "grr", "silence"
NOT_OF_LOAD = (GRR, SILENCE)
"""Reasons that no limit of the rules cures: such a book ends at its relief only where that is asked for."""

Row = tuple[int, str, float, float, str, int]
COLUMNS = ("am_id", "reason", "value", "limit", "account_id", "accounts")


def trigger_frame(snapshot: Snapshot, attention: pd.DataFrame | None = None) -> pd.DataFrame:
    """One row per book and reason that fires, books in the order of their ids; those of people who left never fire.

    Columns: am_id; reason: `units`, `accounts`, `<tier>_accounts`, `grr` or `silence`; value and limit, in what the
    reason counts: units, accounts, share of ARR, days; for silence account_id, the longest silent account of the
    tiers that count, and accounts, how many of them are silent. `attention` is `metrics.attention_frame`.
    """
    rows = [*_over_units(snapshot), *_over_counts(snapshot), *_low_retention(snapshot), *_silent(snapshot, attention)]
    present = [row for row in rows if not snapshot.ams.departed[row[0]]]
    ids = snapshot.ams.ids
    ordered = sorted(present, key=lambda row: row[0])  # of one book, the reasons stay in this order
    return pd.DataFrame([(ids[row[0]], *row[1:]) for row in ordered], columns=list(COLUMNS))


def triggered(snapshot: Snapshot) -> np.ndarray:
    """Per AM: the book as it stands is above `trigger` of its units or above a limit on counts."""
    over = np.zeros(len(snapshot.ams), dtype=bool)
    over[[row[0] for row in (*_over_units(snapshot), *_over_counts(snapshot))]] = True
    return over & ~snapshot.ams.departed


def unjudged(snapshot: Snapshot, attention: pd.DataFrame | None = None) -> frozenset[tuple[str, str]]:
    """The book and reason of whatever can't be said for lack of data: it may or may not fire.

    Retention where no account of a book with ARR has a forecast; silence where it is not known of an account of a tier
    that counts.
    """
    frame = attention_frame(snapshot) if attention is None else attention
    retention = retention_frame(snapshot)
    no_forecast = retention.loc[(retention["arr"] > 0) & retention["grr_forecast"].isna(), "am_id"]
    unknown = frame.loc[frame["key"] & frame["silent_days"].isna() & (frame["am_id"] != ""), "am_id"].unique()
    return frozenset([*((name, GRR) for name in no_forecast), *((name, SILENCE) for name in unknown)])


def to_relieve(snapshot: Snapshot) -> tuple[str, ...]:
    """The ids of the books that end at `triggers.relief` or below: those named, and where the model relieves, those
    that retention or silence fires.
    """
    triggers, ids = snapshot.model.triggers, snapshot.ams.ids
    books = {ids[number] for number in snapshot.ams.numbers(triggers.relieve_books) if number >= 0}
    if triggers.relieve:
        fired = trigger_frame(snapshot)
        books |= set(fired.loc[fired["reason"].isin(NOT_OF_LOAD), "am_id"])
    return tuple(sorted(books))


def _over_units(snapshot: Snapshot) -> Iterator[Row]:
    trigger = snapshot.model.limits.trigger
    for am, (held, capacity) in enumerate(zip(snapshot.held.tolist(), snapshot.ams.capacity.tolist(), strict=True)):
        if held > capacity * trigger:
            yield am, UNITS, held / HUNDREDTHS, float(capacity * trigger / HUNDREDTHS), "", 0


def _over_counts(snapshot: Snapshot) -> Iterator[Row]:
    """The tightest of the broken limits on the same count."""
    tightest: dict[tuple[int, str], tuple[int, int]] = {}
    for found in count_limits(snapshot):
        reason = found.words().replace(" ", "_")
        counts = found.counts(snapshot, snapshot.accounts.owner).tolist()
        for am, (count, limit) in enumerate(zip(counts, found.limit, strict=True)):
            if limit is not None and count > limit:
                tightest[am, reason] = min(tightest.get((am, reason), (limit, count)), (limit, count))
    for (am, reason), (limit, count) in tightest.items():
        yield am, reason, float(count), float(limit), "", 0


def _low_retention(snapshot: Snapshot) -> Iterator[Row]:
    limit = snapshot.model.triggers.grr_below
    forecast = retention_frame(snapshot)["grr_forecast"].to_numpy()
    for am in np.flatnonzero(below(snapshot, "grr_forecast", limit)).tolist():
        yield am, GRR, float(forecast[am]), float(limit), "", 0


def _silent(snapshot: Snapshot, attention: pd.DataFrame | None) -> Iterator[Row]:
    frame = attention_frame(snapshot) if attention is None else attention
    of_key = frame.assign(silent_days=frame["silent_days"].where(frame["key"]))
    books = attention_by_book(snapshot, of_key)
    for am in np.flatnonzero(books["silent_key_accounts"].to_numpy() > 0).tolist():
        row = books.iloc[am]
        days, limit = float(row["unattended_days"]), float(snapshot.model.triggers.silent_days)
        yield am, SILENCE, days, limit, row["unattended_account"], int(row["silent_key_accounts"])
