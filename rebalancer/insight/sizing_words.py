"""What a sizing says in words: what binds, why ARR alone misleads, the three factors, and who is not counted."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd

from rebalancer.metrics.net_ratio import NetRatio
from rebalancer.metrics.team import Team
from rebalancer.people import NONE
from rebalancer.snapshot import Snapshot

VIEW_WORDS = {"units": "coverage units", "accounts": "the number of accounts", "arr": "ARR"}
A_BOOK = 10_000_000
"""Dollars of ARR by which the example shows what ARR does not see."""


def notes_of(snapshot: Snapshot, needed: pd.DataFrame, ratio: NetRatio, team: Team) -> Iterator[str]:
    """Sentences about a sizing; `needed` is `needed_frame`."""
    total = needed.iloc[0]
    yield _binding(total)
    yield from _arr_alone(needed)
    yield _ratio(total, ratio)
    yield _post_sales(snapshot, total)
    yield from _not_counted(snapshot, team)


def _binding(total: pd.Series) -> str:
    if not total["binding"]:
        return "There is nothing to serve."
    return (
        f"{VIEW_WORDS[total['binding']].capitalize()} ask for the most: {total['needed']:.1f} full AMs, against "
        f"{total['today']:.1f} today and {total['coming']:.1f} to come."
    )


def _arr_alone(needed: pd.DataFrame) -> Iterator[str]:
    """Where ARR asks for less than the work does: what the same dollars are in large and in small accounts."""
    total = needed.iloc[0]
    work = max(total["units_needed"], total["accounts_needed"])
    tiers = needed[(needed["by"] == "tier") & (needed["arr"] > 0) & (needed["accounts"] > 0)]
    if not total["arr_needed"] < work or tiers.empty:
        return
    text = f"ARR alone would ask for {total['arr_low']:.1f}-{total['arr_high']:.1f} AMs and miss the work"
    rows = tiers.assign(size=tiers["arr"] / tiers["accounts"]).sort_values("size", kind="stable")
    first, last = rows.iloc[-1], rows.iloc[0]
    if len(rows) > 1:
        text += f": $10M of this book are {_ten_millions(first)}, or {_ten_millions(last)}"
    yield f"{text}."


def _ten_millions(row: pd.Series) -> str:
    scale = A_BOOK / row["arr"]
    return f"{row['accounts'] * scale:,.0f} {row['tier']} accounts ({row['units'] * scale:,.0f} units)"


def _ratio(total: pd.Series, ratio: NetRatio) -> str:
    share = total["net_ratio"]
    if math.isnan(share):
        return (
            "The Net Ratio is not known, since the book says nothing of expansion or churn. Bands count in the middle."
        )
    expansion, churn, book = (float(values.sum()) for values in (ratio.expansion, ratio.churn, ratio.book))
    return (
        f"Net Ratio {100 * share:.1f} %: ${expansion:,.0f} expansion ({ratio.expansion_from}) less ${churn:,.0f} churn "
        f"({ratio.churn_from}), of ${book:,.0f} under management."
    )


def _post_sales(snapshot: Snapshot, total: pd.Series) -> str:
    """The third factor: who else works for the accounts, what that frees, and what a tenth of it would."""
    sizing = snapshot.model.sizing
    units = snapshot.accounts.units
    served = units[(snapshot.frame["csm"] != "").to_numpy(dtype=bool)].sum() / max(1, units.sum())
    full = float(snapshot.model.units.cap * snapshot.model.limits.target)
    tenth, freed = (units / full if full else 0.0 for units in (0.1 * served * total["units"], total["freed"]))
    return (
        f"Other post-sales roles: {len(snapshot.csms):,} CSMs serve {100 * served:.0f} % of the units, and "
        f"{sizing.renewal_reps:g} renewal reps; by the model's figures that frees {freed:.1f} AMs. "
        f"Every 10 % that CSMs take off an AM (sizing.csm_frees) is {tenth:.1f} AMs."
    )


def _not_counted(snapshot: Snapshot, team: Team) -> Iterator[str]:
    """Books that hold accounts and take none: their accounts are load, they themselves are not of the team."""
    owner = snapshot.accounts.owner
    held = snapshot.per_am(owner, np.ones(len(owner), dtype=np.int64))
    outside = (held > 0) & (team.today == 0)
    if outside.any():
        yield (
            f"{int(outside.sum()):,} books that take no accounts today (managers, leavers, on leave) hold "
            f"{int(held[outside].sum()):,}; the accounts are counted, the people are not."
        )
    if (owner == NONE).any():
        yield f"{int((owner == NONE).sum()):,} accounts have no owner; they are counted as work."
