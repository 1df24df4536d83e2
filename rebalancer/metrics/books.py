"""What the books of a team hold, before and after a plan."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from rebalancer.limits import count_limits
from rebalancer.metrics.benchmarks import benchmark_frame, tier_counts
from rebalancer.snapshot import CSM_FULL_LOAD, NONE, Snapshot
from rebalancer.tables import TIERS
from rebalancer.units import HUNDREDTHS

ROUNDING = 4
"""Decimals of utilization and CSM load in frames."""


@dataclass(frozen=True)
class Load:
    """What each AM's book holds under one assignment of owners (arrays by AM)."""

    units: np.ndarray
    accounts: np.ndarray
    arr: np.ndarray
    utilization: np.ndarray
    band: list[str]
    binding: list[str]
    strain: np.ndarray
    """Share of the binding limit that is used."""


def load(snapshot: Snapshot, owner: np.ndarray) -> Load:
    """The figures of every book. `owner` is the AM of each account, -1 for none."""
    accounts, ams = snapshot.accounts, snapshot.ams
    units = snapshot.per_am(owner, accounts.units)
    with np.errstate(divide="ignore", invalid="ignore"):
        utilization = np.where(ams.capacity > 0, units / ams.capacity, np.nan)
    binding, strain = _binding(snapshot, owner, units)
    return Load(
        units=units,
        accounts=snapshot.per_am(owner, np.ones(len(accounts), dtype=np.int64)),
        arr=snapshot.per_am(owner, accounts.arr),
        utilization=np.round(utilization, ROUNDING),
        band=[_band(snapshot, int(u), int(c)) for u, c in zip(units, ams.capacity, strict=True)],
        binding=binding,
        strain=strain,
    )


def _band(snapshot: Snapshot, units: int, capacity: int) -> str:
    """green, yellow or red, from the exact quotient."""
    bands = snapshot.model.bands
    if units > capacity * bands.red_above:
        return "red"
    return "green" if units < capacity * bands.green_below or units == 0 else "yellow"


def _binding(snapshot: Snapshot, owner: np.ndarray, units: np.ndarray) -> tuple[list[str], np.ndarray]:
    """The tightest of all limits of each book and how much of it is used; empty where a book has none."""
    target = float(snapshot.model.limits.target)
    names, shares = ["units"], [_share(units, snapshot.ams.capacity * target)]
    for found in count_limits(snapshot):
        limit = np.array([np.nan if value is None else value for value in found.limit])
        names.append(found.words())
        shares.append(_share(found.counts(snapshot, owner), limit))
    table = np.where(np.isnan(np.array(shares)), -1.0, np.array(shares))
    tightest = table.argmax(axis=0)
    strain = table.max(axis=0)
    return [names[index] if used >= 0 else "" for index, used in zip(tightest, strain, strict=True)], strain


def _share(used: np.ndarray, limit: np.ndarray) -> np.ndarray:
    """used / limit; a limit of 0 is broken by anything and untouched by nothing; NaN where there is no limit."""
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(limit > 0, used / limit, np.where(used > 0, np.inf, 0.0))
    return np.where(np.isnan(limit), np.nan, share)


def books_frame(snapshot: Snapshot, to_am: np.ndarray) -> pd.DataFrame:
    """One row per AM with the columns of `books.csv`; units and capacity in units, arr in dollars."""
    ams, owner = snapshot.ams, snapshot.accounts.owner
    before, after = load(snapshot, owner), load(snapshot, to_am)
    one = np.ones(len(snapshot.accounts), dtype=np.int64)
    moved = owner != to_am
    return pd.DataFrame(
        {
            "am_id": ams.ids,
            "role": ams.role,
            "capacity": ams.capacity / HUNDREDTHS,
            "units_before": before.units / HUNDREDTHS,
            "units_after": after.units / HUNDREDTHS,
            "utilization_before": before.utilization,
            "utilization_after": after.utilization,
            "band_before": before.band,
            "band_after": after.band,
            "binding": after.binding,
            "accounts_before": before.accounts,
            "accounts_after": after.accounts,
            "arr_before": before.arr,
            "arr_after": after.arr,
            "lost": snapshot.per_am(np.where(moved, owner, NONE), one),
            "gained": snapshot.per_am(np.where(moved, to_am, NONE), one),
        }
    )


def csms_frame(snapshot: Snapshot, to_csm: np.ndarray) -> pd.DataFrame:
    """One row per CSM with the columns of `csms.csv`; load as a share of one full CSM."""
    csms, accounts = snapshot.csms, snapshot.accounts
    before = pd.Index(csms.ids).get_indexer(pd.Index(snapshot.frame["csm"]))
    columns: dict[str, object] = {"csm_id": list(csms.ids)}
    for when, who in (("before", before), ("after", to_csm)):
        columns[f"load_{when}"] = snapshot.per_csm(who, accounts.load) / CSM_FULL_LOAD
        columns[f"accounts_{when}"] = snapshot.per_csm(who, np.ones(len(accounts), dtype=np.int64))
    return pd.DataFrame(columns)[["csm_id", "load_before", "load_after", "accounts_before", "accounts_after"]]


def managers(snapshot: Snapshot) -> list[str]:
    """The manager of each book; of a pool those of its members, joined by `; `."""
    ams, found = snapshot.book.ams, [set[str]() for _ in snapshot.ams.ids]
    for book, manager in zip(snapshot.ams.numbers(ams["am_id"]).tolist(), ams["manager"], strict=True):
        found[book].add(manager)
    return ["; ".join(sorted(names - {""})) for names in found]


def heatmap_frame(snapshot: Snapshot) -> pd.DataFrame:
    """One row per AM as the book stands: am_id, name, role, book, units, capacity, utilization, band, binding,
    binding_share (of the binding limit that is used), accounts, arr, one count per tier, the columns of
    `benchmark_frame`, manager and region (of its AMs, joined by `; `); fullest first.
    """
    ams, owner = snapshot.ams, snapshot.accounts.owner
    now, tiers = load(snapshot, owner), tier_counts(snapshot, owner)
    frame = pd.DataFrame(
        {
            "am_id": ams.ids,
            "name": ams.names,
            "role": ams.role,
            "book": ams.kind,
            "units": now.units / HUNDREDTHS,
            "capacity": ams.capacity / HUNDREDTHS,
            "utilization": now.utilization,
            "band": now.band,
            "binding": now.binding,
            "binding_share": np.round(now.strain, ROUNDING),
            "accounts": now.accounts,
            "arr": now.arr,
            **{tier: tiers[:, code] for code, tier in enumerate(TIERS)},
            **benchmark_frame(snapshot).drop(columns="am_id"),
            "manager": managers(snapshot),
            "region": ["; ".join(sorted(tags)) for tags in ams.tags["region"]],
        }
    )
    order = np.lexsort((frame.index, -now.utilization, -now.strain))
    return frame.iloc[order].reset_index(drop=True)
