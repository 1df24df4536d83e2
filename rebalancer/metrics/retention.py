"""Retention: the forecast of gross and net retention (GRR, NRR) of every book, weighted by ARR.

`sum(arr * forecast) / sum(arr)` over the accounts that have a forecast and ARR above 0. Accounts without one are left
out, not guessed; how much of the ARR is known stands beside it. Forecasts are whole millionths wherever they are added
or compared, so that a book at exactly its limit is never on the wrong side of it.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import numpy as np
import pandas as pd

from rebalancer.snapshot import Snapshot

MILLIONTHS = 1_000_000
RETENTION_COLUMNS = ("accounts.grr_forecast", "accounts.nrr_forecast")
"""What retention is measured by (see `metrics.lacking`)."""


def retention_frame(snapshot: Snapshot) -> pd.DataFrame:
    """One row per book, in the order of `snapshot.ams`.

    Columns: am_id; arr, the dollars of accounts with ARR above 0; grr_forecast and nrr_forecast, shares of ARR
    weighted by ARR, missing where no account has a forecast; grr_known and nrr_known, the share of `arr` they cover.
    """
    arr = np.maximum(0, snapshot.accounts.arr)
    whole = snapshot.per_am(snapshot.accounts.owner, arr)
    columns: dict[str, object] = {"am_id": snapshot.ams.ids, "arr": whole}
    for name in ("grr", "nrr"):
        kept, known = weighted(snapshot, f"{name}_forecast")
        columns[f"{name}_forecast"] = _ratio(kept, known * MILLIONTHS)
        columns[f"{name}_known"] = _ratio(known, whole)
    return pd.DataFrame(columns)


def weighted(snapshot: Snapshot, column: str) -> tuple[np.ndarray, np.ndarray]:
    """Of a column of shares, by book: the sum of ARR times millionths, and the ARR of the accounts that have a value.

    Both are exact integers; the sum of all books' first over that of all their second is the team's figure.
    """
    forecast, owner = millionths(snapshot.frame[column]), snapshot.accounts.owner
    arr = np.where(forecast < 0, 0, np.maximum(0, snapshot.accounts.arr))
    thousands, rest = np.divmod(np.maximum(0, forecast), 1000)  # in two parts, since a trillion dollars would overflow
    kept = 1000 * snapshot.per_am(owner, arr * thousands).astype(object) + snapshot.per_am(owner, arr * rest)
    return kept, snapshot.per_am(owner, arr).astype(object)


def below(snapshot: Snapshot, column: str, share: Decimal) -> np.ndarray:
    """Per book: the forecast of that column is known and lower than `share`, compared exactly."""
    kept, known = weighted(snapshot, column)
    limit = Fraction(share) * MILLIONTHS
    pairs = zip(kept.tolist(), known.tolist(), strict=True)
    return np.array([whole > 0 and part < whole * limit for part, whole in pairs], dtype=bool)


def millionths(shares: pd.Series) -> np.ndarray:
    """Shares as whole millionths, rounded half up from their decimal text; -1 where missing."""
    code, distinct = pd.factorize(shares)
    exact = [int((Decimal(repr(float(share))) * MILLIONTHS).to_integral_value(ROUND_HALF_UP)) for share in distinct]
    return np.array([*exact, -1], dtype=np.int64)[code]


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = part.astype(np.float64) / whole.astype(np.float64)
    return np.where(whole > 0, shares, np.nan)
