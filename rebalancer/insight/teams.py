"""Teams: the same book with one AM more, one fewer, or a little more capacity in a region."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from rebalancer.book import Book
from rebalancer.snapshot import Snapshot
from rebalancer.tables import AMS, TABLES, TIERS

NEW_AM = "NEW-AM"


def with_tables(book: Book, tables: Mapping[str, pd.DataFrame]) -> Book:
    """The book with some tables in place of its own, sorted as reading sorts them."""
    ordered = {name: frame.sort_values(list(TABLES[name].key), ignore_index=True) for name, frame in tables.items()}
    return replace(book, tables={**book.tables, **ordered})


def without_floors(book: Book) -> Book:
    """The book without `ams.floor`."""
    return with_tables(book, {"ams": book.ams.assign(floor=np.nan)})


def one_more(book: Book, region: str) -> tuple[Book, str]:
    """The book with one full AM more who serves a region (any, where it is empty) and every tier, and his id.

    Where the region has pods he is in one with all of their CSMs, so that his accounts can keep theirs.
    """
    number = 1
    while f"{NEW_AM}-{number}" in set(book.ams["am_id"]):
        number += 1
    am = f"{NEW_AM}-{number}"
    values: dict[str, object] = {
        "am_id": am, "name": am, "status": "active", "tiers": TIERS, "region": (region,) if region else ()
    }  # fmt: skip
    row = {column.name: [values.get(column.name, _nothing(book.ams[column.name]))] for column in AMS.columns}
    ams = pd.concat([book.ams, pd.DataFrame(row).astype(book.ams.dtypes)], ignore_index=True)
    served = book.ams["region"].map(lambda tags: not region or not tags or region in tags).astype(bool)
    beside = book.pods[book.pods["am_id"].isin(book.ams["am_id"][served])]
    pods = pd.DataFrame({"pod_id": am, "am_id": am, "csm_id": sorted(set(beside["csm_id"]))}, dtype=str)
    tables = {"ams": ams} | ({"pods": pd.concat([book.pods, pods], ignore_index=True)} if len(pods) else {})
    return with_tables(book, tables), am


def _nothing(values: pd.Series) -> object:
    """What a column holds where nothing is known."""
    if pd.api.types.is_datetime64_any_dtype(values):
        return pd.NaT
    if pd.api.types.is_integer_dtype(values):
        return 0
    if pd.api.types.is_float_dtype(values):
        return np.nan
    if values.dtype == object:
        return () if values.map(lambda value: isinstance(value, tuple)).any() else None
    return ""


def fewer_in(snapshot: Snapshot, region: str) -> tuple[Book | None, str]:
    """The book without one AM of a region: of those who take accounts, the one who holds the fewest units (the first by
    id of equals). Pools keep their members. None where the region has no such AM.
    """
    here = np.flatnonzero(_team(snapshot, region) & ~snapshot.ams.is_pool)
    if not len(here):
        return None, ""
    am = snapshot.ams.ids[here[snapshot.held[here].argmin()]]
    ams = snapshot.book.ams.copy()
    gone = ams["am_id"] == am
    ams["leaves_on"] = ams["leaves_on"].mask(gone, pd.Timestamp(snapshot.book.effective_date)).astype("datetime64[s]")
    return with_tables(snapshot.book, {"ams": ams}), am


def more_capacity_in(snapshot: Snapshot, region: str) -> tuple[Book, float]:
    """The book with `sizing.marginal_units` more capacity for every AM of a region, and the units that makes."""
    more = snapshot.model.sizing.marginal_units
    here = np.flatnonzero(_team(snapshot, region))
    ams = snapshot.book.ams.copy()
    raised = np.isin(snapshot.ams.numbers(ams["am_id"]), here)
    own = ams["capacity"].fillna(float(snapshot.model.units.cap))
    ams["capacity"] = ams["capacity"].mask(pd.Series(raised), own + float(more))
    rate = ams["fte"].fillna(1.0) * ams["ramp"].fillna(1.0)
    return with_tables(snapshot.book, {"ams": ams}), float(rate[raised].sum() * float(more))


def _team(snapshot: Snapshot, region: str) -> np.ndarray:
    """Books that take accounts today and may take those of a region."""
    tags = snapshot.ams.tags["region"]
    serves = np.array([not region or not own or region in own for own in tags], dtype=bool)
    return snapshot.receives & serves
