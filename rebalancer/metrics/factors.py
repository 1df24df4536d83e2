"""What makes accounts heavy to serve, and what can still be sold to them.

Source: Alexander Group, "Finding the Right Size for Your Account Manager Sales Force": servicing load (attrition risk,
contracts and whether they end together, switching costs) and opportunity (wallet share, products not yet bought).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from rebalancer.metrics.cells import GROUPINGS, in_order
from rebalancer.metrics.tally import quotient
from rebalancer.snapshot import Snapshot
from rebalancer.tables import TIERS

FACTOR_COLUMNS = tuple(
    f"accounts.{name}"
    for name in ("grr_forecast", "contracts", "coterminous", "products", "stakeholders", "wallet_share")
)


def factors_frame(snapshot: Snapshot) -> pd.DataFrame:
    """What makes accounts heavy to serve and what can still be sold to them, for all, per tier and per region.

    Servicing load: attrition_risk (1 - gross retention forecast, weighted by ARR), contracts (per account), apart
    (share of accounts with several contracts that do not end together), products and stakeholders (per account: the
    nearest a book has to switching costs). Opportunity: wallet_share (weighted by ARR), unused_wallet (dollars the same
    customers spend elsewhere), products_open (per account, not bought yet). Missing where no account has a value.
    """
    frame, sizing = snapshot.frame, snapshot.model.sizing
    arr = np.maximum(0, snapshot.accounts.arr).astype(np.float64)
    several = (frame["contracts"] > 1) & frame["coterminous"].notna()
    wallet = frame["wallet_share"].to_numpy(np.float64)
    catalogue = frame["products"].max() if sizing.products is None else float(sizing.products)
    with np.errstate(divide="ignore", invalid="ignore"):
        unused = np.where(wallet > 0, arr * (1 - wallet) / wallet, np.nan)
    columns = {
        "attrition_risk": (1 - frame["grr_forecast"], arr),
        "contracts": (frame["contracts"], None),
        "apart": (frame["coterminous"].eq(False).astype(float).where(several), None),
        "products": (frame["products"], None),
        "stakeholders": (frame["stakeholders"], None),
        "wallet_share": (frame["wallet_share"], arr),
        "products_open": ((catalogue - frame["products"]).clip(lower=0), None),
    }
    rows = pd.DataFrame({"tier": np.array(TIERS, dtype=object)[snapshot.accounts.tier], "region": frame["region"]})
    for name, (values, weight) in columns.items():
        known = values.notna().to_numpy()
        weights = np.where(known, 1.0 if weight is None else weight, 0.0)
        rows[f"{name}_part"], rows[f"{name}_whole"] = np.where(known, values, 0.0) * weights, weights
    rows["unused_part"], rows["unused_whole"] = np.nan_to_num(unused), ~np.isnan(unused)
    return _factor_rows(rows, [*columns])


def _factor_rows(rows: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    sums = [f"{name}_{end}" for name in (*names, "unused") for end in ("part", "whole")]
    parts = []
    for by in ("all", "tier", "region"):
        keys = list(GROUPINGS[by])
        part = rows.groupby(keys, as_index=False)[sums].sum() if keys else rows[sums].sum().to_frame().T
        parts.append(part.assign(by=by, **{key: "" for key in ("tier", "region") if key not in keys}))
    frame = in_order(pd.concat(parts, ignore_index=True))
    for name in names:
        whole = frame[f"{name}_whole"].to_numpy(np.float64)
        frame[name] = quotient(frame[f"{name}_part"].to_numpy(np.float64), whole)
    frame["unused_wallet"] = frame["unused_part"].where(frame["unused_whole"] > 0)
    order = [*names[:-1], "unused_wallet", names[-1]]
    return frame[["by", "tier", "region", *order]]
