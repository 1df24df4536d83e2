"""organisations(): customers that more than one AM sees."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pandas as pd

from rebalancer.book import Book
from rebalancer.coverage import CoverageModel
from rebalancer.metrics import lacking
from rebalancer.metrics.organisations import organisations_frame
from rebalancer.plan import resolve_model
from rebalancer.snapshot import take_snapshot


@dataclass(frozen=True)
class Organisations:
    """`shared` has a row per organisation seen by more than one AM, as in `metrics.organisations.organisations_frame`.

    `missing` are columns without a value.
    """

    shared: pd.DataFrame = field(repr=False)
    missing: tuple[str, ...]


def organisations(
    book: Book, model: str | Path | CoverageModel | None = None, effective_date: date | str | None = None
) -> Organisations:
    """The organisations that more than one AM sees; raises as `rebalancer.snapshot.take_snapshot` does."""
    resolved = resolve_model(book, model)
    snapshot = take_snapshot(book.on(effective_date), resolved, "full", resolved.disruption.measure)
    return Organisations(organisations_frame(snapshot), lacking(book, "accounts.parent_id"))
