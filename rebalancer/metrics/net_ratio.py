"""The Net Ratio: (upsell + cross-sell - churn) / book under management. The higher, the more AMs pay.

Source: Alexander Group, "Finding the Right Size for Your Account Manager Sales Force".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rebalancer.metrics.opportunities import EXPANSION, Deals
from rebalancer.metrics.tally import Tally
from rebalancer.quarters import Quarter
from rebalancer.snapshot import Snapshot

NET_RATIO_COLUMNS = ("accounts.expansion_arr_12m", "accounts.grr_forecast", "accounts.nrr_forecast", "opportunities")
QUARTERS = 4


@dataclass(frozen=True)
class NetRatio:
    """Dollars per account of a year: expansion won, churn, and ARR under management (0 where either is not known).

    `expansion_from` and `churn_from` name the columns they were taken from, empty where the book has none.
    """

    expansion: np.ndarray
    churn: np.ndarray
    book: np.ndarray
    expansion_from: str
    churn_from: str

    @property
    def tally(self) -> Tally:
        """The ratio of any group of accounts."""
        return Tally(self.expansion - self.churn, self.book)


def net_ratio(snapshot: Snapshot, deals: Deals) -> NetRatio:
    """Expansion: `expansion_arr_12m`, else what was won of upsells, cross-sells and transformational deals in the last
    four full quarters, else the forecasts' nrr - grr. Churn: 1 - grr_forecast of the ARR, else the renewals lost in
    those quarters. Accounts of which one of the two is not known are left out, with their ARR.
    """
    arr = np.maximum(0, snapshot.accounts.arr).astype(np.float64)
    expansion, expansion_from = _expansion(snapshot, deals, arr)
    churn, churn_from = _churn(snapshot, deals, arr)
    known = ~np.isnan(expansion) & ~np.isnan(churn)
    return NetRatio(
        np.where(known, expansion, 0), np.where(known, churn, 0), np.where(known, arr, 0), expansion_from, churn_from
    )


def _expansion(snapshot: Snapshot, deals: Deals, arr: np.ndarray) -> tuple[np.ndarray, str]:
    frame = snapshot.frame
    said = frame["expansion_arr_12m"].to_numpy(np.float64)
    if said.any():
        return said, "accounts.expansion_arr_12m"
    won = _year(snapshot, deals, "won", EXPANSION)
    if won.any():
        return won, "opportunities"
    forecast = (frame["nrr_forecast"] - frame["grr_forecast"]).to_numpy(np.float64) * arr
    return forecast, "" if np.isnan(forecast).all() else "accounts.nrr_forecast"


def _churn(snapshot: Snapshot, deals: Deals, arr: np.ndarray) -> tuple[np.ndarray, str]:
    forecast = (1 - snapshot.frame["grr_forecast"]).to_numpy(np.float64) * arr
    if not np.isnan(forecast).all():
        return forecast, "accounts.grr_forecast"
    if (deals.rows["type"] == "renewal").any():
        return _year(snapshot, deals, "lost", ("renewal",)), "opportunities"
    return forecast, ""


def _year(snapshot: Snapshot, deals: Deals, end: str, kinds: tuple[str, ...]) -> np.ndarray:
    """Dollars by account of deals of some types that ended so in the last four full quarters."""
    quarter = Quarter.of(snapshot.book.effective_date)
    dollars = np.zeros(len(snapshot.accounts))
    for _ in range(QUARTERS):
        quarter = quarter.previous
        rows = deals.of(quarter)
        rows = rows[rows[end] & rows["type"].isin(kinds)]
        dollars += np.bincount(rows["place"].to_numpy(), weights=rows["amount"].to_numpy(), minlength=len(dollars))
    return dollars
