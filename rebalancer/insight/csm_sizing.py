"""csm_sizing(): how many CSMs the accounts of each band of ARR need, against those there are."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pandas as pd

from rebalancer.book import Book
from rebalancer.coverage import CoverageModel
from rebalancer.metrics.csm_sizing import CSM_COLUMNS, csm_bands_frame, csm_people_frame
from rebalancer.metrics.lacking import lacking
from rebalancer.plan import resolve_model
from rebalancer.snapshot import Snapshot, take_snapshot


@dataclass(frozen=True)
class CsmSizing:
    """`bands`: see `rebalancer.metrics.csm_sizing.csm_bands_frame`. `people`: `csm_people_frame` there. `factors` are
    the model's factors on capacity by name. `notes` are what the reader must know, `missing` what the book lacks.
    """

    bands: pd.DataFrame = field(repr=False)
    people: pd.DataFrame = field(repr=False)
    factors: dict[str, float]
    notes: tuple[str, ...]
    missing: tuple[str, ...]


def csm_sizing(
    book: Book, model: str | Path | CoverageModel | None = None, effective_date: date | str | None = None
) -> CsmSizing:
    """The CSMs a book needs, by band of ARR. Raises `InvalidInput` where the book or the model is wrong."""
    resolved = resolve_model(book, model)
    return csm_report(take_snapshot(book.on(effective_date), resolved, "full", resolved.disruption.measure))


def csm_report(snapshot: Snapshot) -> CsmSizing:
    """The CSMs that the accounts of a snapshot need."""
    csm, sizing = snapshot.model.csm, snapshot.model.sizing
    factors = {
        "csm.regulated_factor": float(csm.regulated_factor),
        "csm.extra_duties_factor": float(csm.extra_duties_factor),
        "sizing.csm_complex_factor": float(sizing.csm_complex_factor),
        "sizing.csm_tools_factor": float(sizing.csm_tools_factor),
    }
    people = csm_people_frame(snapshot)
    return CsmSizing(
        bands=csm_bands_frame(snapshot),
        people=people,
        factors=factors,
        notes=tuple(_notes(snapshot, people, factors)),
        missing=lacking(snapshot.book, *CSM_COLUMNS),
    )


def _notes(snapshot: Snapshot, people: pd.DataFrame, factors: dict[str, float]) -> list[str]:
    frame = snapshot.book.csms
    regulated, duties = (int(frame[name].eq(True).sum()) for name in ("regulated", "extra_duties"))
    set_to = ", ".join(f"{name} {value:g}" for name, value in factors.items())
    over = people[people["used"] > 1]
    notes = [
        f"Factors on capacity: {set_to}. {regulated:,} of {len(frame):,} CSMs serve regulated industries, "
        f"{duties:,} have extra duties."
    ]
    if len(over):
        named = ", ".join(f"{csm} {100 * used:.0f} %" for csm, used in over[["csm_id", "used"]].head(5).to_numpy())
        notes.append(f"CSMs over their load: {named}{', ...' * (len(over) > 5)}.")
    return notes
