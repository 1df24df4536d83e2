"""heatmap(): every book by utilization, with the limit that binds it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pandas as pd

from rebalancer.book import Book
from rebalancer.coverage import CoverageModel
from rebalancer.metrics import heatmap_frame
from rebalancer.plan import resolve_model
from rebalancer.snapshot import take_snapshot


def heatmap(
    book: Book, model: str | Path | CoverageModel | None = None, effective_date: date | str | None = None
) -> pd.DataFrame:
    """The book as it stands, one row per AM, fullest first; columns as in `rebalancer.metrics.heatmap_frame`."""
    resolved = resolve_model(book, model)
    return heatmap_frame(take_snapshot(book.on(effective_date), resolved, "full", resolved.disruption.measure))
