"""touch_model(): high, low and tech touch of a quarter, the shares of each class per AM, and what changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rebalancer.book import Book
from rebalancer.coverage import CoverageModel
from rebalancer.metrics.expected import CENTS, EXPECTED_COLUMNS
from rebalancer.metrics.lacking import lacking
from rebalancer.metrics.opportunities import read_deals
from rebalancer.metrics.touch_classes import CLASSES, class_shares, owners_before, tier_names, touch_classes
from rebalancer.plan import resolve_model
from rebalancer.quarters import Quarter
from rebalancer.snapshot import Snapshot, take_snapshot

NEEDED = (*EXPECTED_COLUMNS, "accounts.health", "touches", "history")


@dataclass(frozen=True)
class TouchReport:
    """The touch model of one quarter.

    `accounts`, one row per account: account_id, name, am_id, tier, arr, touch, renewal_due, opportunities, expected,
    expected_next, share (of what its book expects), why; touch_before, am_before and changed, of the quarter before,
    made anew from today's tables (empty and missing where those tell nothing of it). Amounts are dollars; `expected` is
    weighted, `renewal_due` and `opportunities` are not.
    `shares`, one row per AM and class: see `rebalancer.metrics.touch_classes.class_shares`; `time_wanted` is the
    model's share of time. `notes` are what the reader must know, `missing` the columns the book lacks.
    """

    quarter: Quarter
    accounts: pd.DataFrame = field(repr=False)
    shares: pd.DataFrame = field(repr=False)
    notes: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def changes(self) -> pd.DataFrame:
        """The rows of `accounts` whose class is another than in the quarter before."""
        return self.accounts[self.accounts["changed"].eq(True)].reset_index(drop=True)


def touch_model(
    book: Book,
    model: str | Path | CoverageModel | None = None,
    effective_date: date | str | None = None,
    quarter: Quarter | None = None,
) -> TouchReport:
    """The touch model of a book for a quarter, by default that of the effective date.

    Raises `InvalidInput` where the book or the model is wrong.
    """
    resolved = resolve_model(book, model)
    snapshot = take_snapshot(book.on(effective_date), resolved, "full", resolved.disruption.measure)
    return touch_report(snapshot, quarter or Quarter.of(snapshot.book.effective_date))


def touch_report(snapshot: Snapshot, quarter: Quarter) -> TouchReport:
    """The touch model of a snapshot."""
    deals, previous = read_deals(snapshot), quarter.previous
    owner = snapshot.accounts.owner
    now = touch_classes(snapshot, deals, quarter, owner)
    owner_before = owners_before(snapshot, previous)
    before = touch_classes(snapshot, deals, previous, owner_before)
    accounts = _accounts(snapshot, now, quarter)
    accounts = accounts.assign(**_compared(snapshot, now, before, owner_before))
    shares = class_shares(snapshot, now)
    wanted = {name: float(share) for name, share in snapshot.model.touch_model.time_share.items()}
    return TouchReport(
        quarter=quarter,
        accounts=accounts,
        shares=shares.assign(time_wanted=shares["touch"].map(wanted)),
        notes=tuple(_notes(snapshot, now, before, shares, quarter)),
        missing=lacking(snapshot.book, *NEEDED),
    )


def _accounts(snapshot: Snapshot, now: pd.DataFrame, quarter: Quarter) -> pd.DataFrame:
    owner, cents = snapshot.accounts.owner, now["expected_cents"].to_numpy()
    totals = np.append(snapshot.per_am(owner, cents), cents[owner < 0].sum())[owner]
    share = np.where(totals > 0, cents / np.maximum(totals, 1), np.nan)
    return pd.DataFrame(
        {
            "account_id": snapshot.accounts.ids,
            "name": snapshot.frame["name"].to_numpy(),
            "am_id": _book_ids(snapshot)[owner],
            "tier": tier_names(snapshot),
            "arr": snapshot.accounts.arr,
            "touch": np.array(CLASSES, dtype=object)[now["touch"]],
            "renewal_due": now["renewal_due"],
            "opportunities": now["opportunities"],
            "expected": cents / CENTS,
            "expected_next": now["expected_next_cents"] / CENTS,
            "share": share,
            "why": _why(snapshot, now, quarter),
        }
    )


def _book_ids(snapshot: Snapshot) -> np.ndarray:
    """The id of every book, and an empty one for accounts that nobody owns."""
    return np.array([*snapshot.ams.ids, ""], dtype=object)


def _why(snapshot: Snapshot, now: pd.DataFrame, quarter: Quarter) -> np.ndarray:
    """The reason of every class in words."""
    frame, settings = snapshot.frame, snapshot.model.touch_model
    due, health = frame["renewal_date"], frame["health"]
    touch = now["touch"].to_numpy()
    cases: list[tuple[np.ndarray, str]] = [
        (touch == 0, f"among the fewest that drive {100 * settings.high_share:.0f} % of the book's quarter"),
        (touch == 2, f"nothing open or due until after {quarter.next}, health {settings.tech_health} or more"),
        (now["expected_cents"].to_numpy() > 0, f"expected in {quarter}, but not among those that drive it"),
        (now["expected_next_cents"].to_numpy() > 0, f"expected in {quarter.next}"),
        (due.isna().to_numpy(), "nothing expected, but its renewal date is not known"),
        ((due <= pd.Timestamp(quarter.next.end)).to_numpy(), "its renewal date is due or has passed"),
        (health.isna().to_numpy(), "nothing expected, but its health is not known"),
        ((health < float(settings.tech_health)).to_numpy(), f"nothing expected, but its health is below "
                                                            f"{settings.tech_health}"),
    ]  # fmt: skip
    return np.select([flags for flags, _ in cases], [text for _, text in cases], "an opportunity is open")


def _compared(snapshot: Snapshot, now: pd.DataFrame, before: pd.DataFrame, owner_before: np.ndarray) -> dict[str, Any]:
    """touch_before, am_before and changed; nothing is said of a quarter of which the tables tell nothing."""
    if not before["expected_cents"].any():
        none = pd.array([None] * len(now), dtype="boolean")
        return {"touch_before": "", "am_before": "", "changed": none}
    return {
        "touch_before": np.array(CLASSES, dtype=object)[before["touch"]],
        "am_before": _book_ids(snapshot)[owner_before],
        "changed": pd.array((now["touch"] != before["touch"]).to_numpy(), dtype="boolean"),
    }


def _notes(
    snapshot: Snapshot, now: pd.DataFrame, before: pd.DataFrame, shares: pd.DataFrame, quarter: Quarter
) -> list[str]:
    settings, notes = snapshot.model.touch_model, []
    if not now["expected_cents"].any():
        notes.append(
            f"Nothing is known to be expected in {quarter}: without renewal dates or open opportunities no account "
            "can be high touch."
        )
    if before["expected_cents"].any():
        notes.append(_recomputed(before, quarter.previous, settings.term_months))
    else:
        notes.append(f"Changes since {quarter.previous} can't be told: nothing is known to have been due in it.")
    by_touches = shares.drop_duplicates("am_id")["time_basis"].eq("touches")
    notes.append(
        f"Time is that of the touches of the last {settings.time_days} days in {int(by_touches.sum()):,} of "
        f"{len(by_touches):,} books, else of units."
    )
    return notes


def _recomputed(before: pd.DataFrame, quarter: Quarter, term: int | None) -> str:
    said = f"The classes of {quarter} are made anew from today's tables, not remembered"
    by_term = int(before["renewal_by_term"].sum())
    if by_term:
        said += f"; {by_term:,} of its renewals are read from renewal dates {term} months later"
    return f"{said}."
