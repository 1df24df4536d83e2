"""size(): how many AMs and CSMs a book needs, why, until when the team lasts, and what one more AM is worth."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from rebalancer.book import Book
from rebalancer.coverage import CoverageModel
from rebalancer.errors import UsageError
from rebalancer.insight.csm_sizing import CsmSizing, csm_report
from rebalancer.insight.sizing_words import notes_of
from rebalancer.metrics.cells import cells
from rebalancer.metrics.factors import FACTOR_COLUMNS, factors_frame
from rebalancer.metrics.lacking import lacking
from rebalancer.metrics.net_ratio import NET_RATIO_COLUMNS, net_ratio
from rebalancer.metrics.opportunities import read_deals
from rebalancer.metrics.sizing import needed_frame
from rebalancer.metrics.sizing_chart import chart_frame
from rebalancer.metrics.team import read_team
from rebalancer.plan import resolve_model
from rebalancer.snapshot import Snapshot, take_snapshot

NEEDED_COLUMNS = tuple(dict.fromkeys((*NET_RATIO_COLUMNS, *FACTOR_COLUMNS, "accounts.region", "ams.cost")))


@dataclass(frozen=True)
class SizingCheck:
    """The quick check of a team's size: AMs by accounts per AM, and whether their books have the usual ARR.

    Source: holisticselling newsletter #15: $100M, 200 customers of $500K on average, 10-20 accounts per AM make 10-20
    AMs with $5-10M each.
    """

    accounts: int
    arr: int
    ams_low: float
    ams_high: float
    arr_per_am_low: float
    arr_per_am_high: float
    agrees: bool
    """The books that follow and the model's `heatmap.arr_per_am` have sizes in common."""


@dataclass(frozen=True)
class Sizing:
    """How many AMs and CSMs a book needs.

    `needed`: today against needed by units, accounts and ARR, see `rebalancer.metrics.sizing.needed_frame`. `chart`:
    the sizing chart, `rebalancer.metrics.sizing_chart.chart_frame`. `factors`: servicing load and opportunity,
    `rebalancer.metrics.factors.factors_frame`. `growth` is a share per year. `notes` are what the reader must know,
    `missing` the columns the book lacks.
    """

    needed: pd.DataFrame = field(repr=False)
    chart: pd.DataFrame = field(repr=False)
    factors: pd.DataFrame = field(repr=False)
    csms: CsmSizing = field(repr=False)
    check: SizingCheck
    growth: float
    notes: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def total(self) -> pd.Series:
        """The row of `needed` over all accounts."""
        return self.needed.iloc[0]


def size(
    book: Book,
    model: str | Path | CoverageModel | None = None,
    effective_date: date | str | None = None,
    growth: float | None = None,
) -> Sizing:
    """How many AMs and CSMs a book needs. `growth` of the load is a share per year, by default the model's.

    What one more AM is worth takes solving: `rebalancer.insight.marginal`. Raises `InvalidInput` where the book or the
    model is wrong, `UsageError` for a growth that can't be meant.
    """
    resolved = resolve_model(book, model)
    return size_report(take_snapshot(book.on(effective_date), resolved, "full", resolved.disruption.measure), growth)


def size_report(snapshot: Snapshot, growth: float | None = None) -> Sizing:
    """The sizing of a snapshot."""
    rate = float(snapshot.model.sizing.growth) if growth is None else growth
    if not -1 < rate <= 10:
        raise UsageError(f"growth is {rate:g}; give a share per year such as 0.2, above -1 and at most 10.")
    team, ratio = read_team(snapshot), net_ratio(snapshot, read_deals(snapshot))
    needed = needed_frame(snapshot, cells(snapshot, team, ratio), rate)
    return Sizing(
        needed=needed,
        chart=chart_frame(snapshot, needed),
        factors=factors_frame(snapshot),
        csms=csm_report(snapshot),
        check=sizing_check(len(snapshot.accounts), int(np.maximum(0, snapshot.accounts.arr).sum()), snapshot.model),
        growth=rate,
        notes=tuple(notes_of(snapshot, needed, ratio, team)),
        missing=lacking(snapshot.book, *NEEDED_COLUMNS),
    )


def sizing_check(accounts: int, arr: int, model: CoverageModel) -> SizingCheck:
    """The quick check of a team for so many accounts with so much ARR (dollars)."""
    fewest, most = (float(value) for value in model.sizing.accounts_per_am)
    low, high = accounts / most, accounts / fewest
    smallest, largest = (arr / high, arr / low) if accounts else (0.0, 0.0)
    usual_low, usual_high = (float(value) for value in model.heatmap.arr_per_am)
    agrees = smallest <= usual_high and largest >= usual_low
    return SizingCheck(accounts, arr, low, high, smallest, largest, agrees)
