"""Why a book is triggered, in words with its numbers."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from rebalancer.metrics import retention_frame
from rebalancer.snapshot import Snapshot


def reasons_in_words(fired: pd.DataFrame, snapshot: Snapshot, attention: pd.DataFrame) -> list[str]:
    """A phrase for every row of `metrics.trigger_frame`; `attention` is the frame it was made with."""
    retention = retention_frame(snapshot)
    known = dict(zip(retention["am_id"], retention["grr_known"], strict=True))
    bounds = set(attention.loc[attention["at_least"], "account_id"])
    share = f"{100 * float(snapshot.model.limits.trigger):g} %"
    return [_words(row, share, known, bounds) for row in fired.to_dict("records")]


def _words(row: Mapping[Hashable, Any], trigger: str, known: Mapping[str, float], bounds: set[str]) -> str:
    value, limit, reason = row["value"], row["limit"], row["reason"]
    if reason == "units":
        return f"{value:,.1f} units, above {limit:,.1f} ({trigger} of its capacity)"
    if reason == "grr":
        part = known[row["am_id"]]
        of = "" if part > 0.9995 else f", known of {100 * part:.0f} % of its ARR"
        return f"gross retention forecast {100 * value:.1f} %, below {100 * limit:g} %{of}"
    if reason == "silence":
        one = row["accounts"] == 1
        least = "at least " if row["account_id"] in bounds else ""
        longest = f"{row['account_id']} for {least}{value:,.0f} days"
        who = f"{row['accounts']:,} key {'account' if one else 'accounts'} silent"
        return f"{who}: {longest}" if one else f"{who}, the longest {longest}"
    return f"{value:,.0f} {reason.replace('_', ' ')}, limit {limit:,.0f}"
