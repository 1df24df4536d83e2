"""The result that accounts are expected to bring in a quarter: renewals due and open opportunities that close in it.

Every amount is weighted by `touch_model.weights`. The renewal of an account is due where its `renewal_date` lies in the
quarter, with the account's ARR; where the table `opportunities` has a renewal that closes in the quarter, that amount
counts in its place, never both. An open opportunity whose close date has passed is in no quarter to come.

A past quarter is made anew from the tables of today. All that was to close in it counts, whatever became of it since,
and a renewal date `touch_model.term_months` after the quarter stands for the renewal that was due in it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from rebalancer.metrics.opportunities import Deals
from rebalancer.quarters import Quarter
from rebalancer.snapshot import Snapshot

CENTS = 100
PARTS = 10_000
"""Weights and shares are compared as whole ten-thousandths, amounts as whole cents: no sum depends on its order."""

EXPECTED_COLUMNS = ("accounts.renewal_date", "opportunities")
"""What an expected result rests on; a book that lacks both has none."""


def expected_frame(snapshot: Snapshot, deals: Deals, quarter: Quarter) -> pd.DataFrame:
    """One row per account in the plan, in its order: account_id, renewal_due (dollars of ARR or of the renewals open),
    opportunities (dollars of what else is open), and the weighted renewal_cents, opportunity_cents and expected_cents
    (whole cents). `renewal_by_term` marks renewals taken from a later renewal date (past quarters only).
    """
    past = quarter < Quarter.of(snapshot.book.effective_date)
    rows = deals.of(quarter)
    rows = rows if past else rows[~(rows["won"] | rows["lost"])]
    renews = rows["type"] == "renewal"
    by_date, by_term = _due(snapshot, quarter, past)
    named = _sum(snapshot, rows[renews], rows.loc[renews, "amount"])
    has_renewal = _sum(snapshot, rows[renews], renews[renews].astype(np.float64)) > 0
    arr = np.maximum(0, snapshot.accounts.arr)
    renewal = np.where(has_renewal, named, np.where(by_date | by_term, arr, 0)).astype(np.int64)
    others = rows[~renews]
    weighted = _cents(others["amount"].to_numpy(), _weights(snapshot, others["type"]))
    renewal_cents = _cents(renewal, np.full(len(renewal), _weight(snapshot, "renewal")))
    opportunity_cents = _sum(snapshot, others, pd.Series(weighted, index=others.index))
    return pd.DataFrame(
        {
            "account_id": snapshot.accounts.ids,
            "renewal_due": renewal,
            "opportunities": _sum(snapshot, others, others["amount"]),
            "renewal_cents": renewal_cents,
            "opportunity_cents": opportunity_cents,
            "expected_cents": renewal_cents + opportunity_cents,
            "renewal_by_term": by_term & ~by_date & ~has_renewal,
        }
    )


def open_until(snapshot: Snapshot, deals: Deals, quarter: Quarter) -> np.ndarray:
    """Per account: something is open that closes by the end of the quarter, is overdue or undated, or was never dated
    (`accounts.opportunity` of an account without a row in the table).
    """
    rows = deals.rows
    undecided = ~(rows["won"] | rows["lost"])
    soon = rows["quarter"] <= quarter.year * 4 + quarter.number - 1
    count = _sum(snapshot, rows[undecided & soon], pd.Series(1.0, index=rows.index[undecided & soon]))
    listed = np.zeros(len(snapshot.accounts), dtype=bool)
    listed[rows["place"].to_numpy()] = True
    undated = (snapshot.frame["opportunity"] > 0).to_numpy(dtype=bool) & ~listed
    return (count > 0) | undated


def _due(snapshot: Snapshot, quarter: Quarter, past: bool) -> tuple[np.ndarray, np.ndarray]:
    """Per account: its renewal date lies in the quarter; it lies one term after it (past quarters only)."""
    dates = snapshot.frame["renewal_date"]
    term = snapshot.model.touch_model.term_months
    inside = _inside(dates, quarter)
    if not past or term is None:
        return inside, np.zeros(len(dates), dtype=bool)
    return inside, _inside(dates - pd.DateOffset(months=term), quarter)


def _inside(dates: pd.Series, quarter: Quarter) -> np.ndarray:
    return dates.between(pd.Timestamp(quarter.start), pd.Timestamp(quarter.end)).to_numpy(dtype=bool)


def _weight(snapshot: Snapshot, kind: str) -> int:
    weights = snapshot.model.touch_model.weights
    return int(weights.get(kind, weights["other"]) * PARTS)  # type: ignore[call-overload]


def _weights(snapshot: Snapshot, kinds: pd.Series) -> np.ndarray:
    known = {kind: _weight(snapshot, kind) for kind in kinds.unique()}
    return kinds.map(known).to_numpy(dtype=np.int64)


def _cents(dollars: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Dollars times a weight in ten-thousandths, as whole cents, half-up; what is below 0 brings nothing."""
    amounts: np.ndarray = np.maximum(0, dollars).astype(np.int64)
    return (amounts * weight * CENTS + PARTS // 2) // PARTS


def _sum(snapshot: Snapshot, rows: pd.DataFrame, values: pd.Series) -> np.ndarray:
    """Values of opportunities, summed by account; whole numbers below 2^53 add up exactly."""
    place = rows["place"].to_numpy()
    return np.bincount(place, weights=values.to_numpy(np.float64), minlength=len(snapshot.accounts)).astype(np.int64)
