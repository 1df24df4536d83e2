"""Service month by month."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd

from rebalancer.metrics.contacts import YEAR, month_text
from rebalancer.metrics.service import Service, owed_touches
from rebalancer.metrics.tally import group_sum, quotient
from rebalancer.quarters import MONTHS
from rebalancer.snapshot import Snapshot


def trend_frame(snapshot: Snapshot, service: Service, group: np.ndarray, names: list[str]) -> pd.DataFrame:
    """Month by month up to the running one, per group of accounts (`group` numbers them in the order of `names`).

    Columns: group, month (`2026-07`), whole (False for the running month), accounts, touches, touched_share (of the
    accounts, those touched in the month), owed and compliance: of the accounts that are owed touches, those that had a
    quarter's worth in the three months that end with it. Accounts and owners are today's. Months before the first
    touch on record are missing, and so is compliance before three months are on record and in the running month.
    """
    contacts, owed = service.contacts, owed_touches(snapshot)
    day = snapshot.book.effective_date
    today = day.year * YEAR + day.month - 1
    ended = today if (day + timedelta(days=1)).day == 1 else today - 1
    first = today + 1 if contacts.first is None else contacts.first
    rows = []
    for month in range(today - snapshot.model.service.trend_months + 1, today + 1):
        recent = contacts.between(month - MONTHS + 1, month)
        of_month = _by_group(group, names, contacts.between(month, month), recent >= owed, owed > 0)
        of_month.insert(1, "month", month_text(month))
        of_month.insert(2, "whole", month <= ended)
        if month < first:
            of_month[["touches", "touched_share"]] = np.nan
        if not first + MONTHS - 1 <= month <= ended:
            of_month["compliance"] = np.nan
        rows.append(of_month)
    return pd.concat(rows, ignore_index=True).sort_values(["group", "month"], ignore_index=True, kind="stable")


def _by_group(
    group: np.ndarray, names: list[str], touches: np.ndarray, met: np.ndarray, owed: np.ndarray
) -> pd.DataFrame:
    def total(weight: np.ndarray) -> np.ndarray:
        return group_sum(group, weight.astype(np.float64), len(names))

    accounts, counted = total(np.ones(len(group))), total(owed)
    frame = pd.DataFrame(
        {
            "group": names,
            "accounts": accounts.astype(np.int64),
            "touches": total(touches),
            "touched_share": quotient(total(touches > 0), accounts),
            "owed": counted.astype(np.int64),
            "compliance": quotient(total(met & owed), counted),
        }
    )
    return frame[frame["accounts"] > 0]
