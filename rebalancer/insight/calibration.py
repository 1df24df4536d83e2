"""calibrate(): weights of a model's tiers from benchmarks, from a team's time tracking, or from its touches.

KnowMBA, "Account Manager Coverage", gives weights (5 for an enterprise account, 100 an AM) and benchmarks (25 to 50
enterprise accounts an AM) that do not agree: 100 / 5 is 20. Calibration derives the one from the other, or both from
what the team does.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pandas as pd

from rebalancer.book import Book
from rebalancer.coverage import CoverageModel, Tier, load_model
from rebalancer.errors import UsageError
from rebalancer.metrics import heatmap_frame, lacking
from rebalancer.metrics.calibration import (
    benchmark_units,
    position,
    reach,
    team_load,
    tier_weights,
    time_units,
    touch_hours,
    tracked_hours,
)
from rebalancer.plan import DEFAULT_MODEL, resolve_model
from rebalancer.reading.hours import read_hours
from rebalancer.snapshot import Snapshot, take_snapshot
from rebalancer.tables import TIERS

Source = Literal["benchmarks", "hours", "touches"]
OUTWEIGHED = 20
"""Single-product mid-market accounts that one large multi-product enterprise account can outweigh [KM]."""


@dataclass(frozen=True)
class Calibration:
    """Weights before and after, and what changes. Frames are joinable on tier and am_id.

    `tiers`: tier; accounts; benchmark_low, benchmark_high (accounts per AM); timed_accounts and hours (per account,
    missing with benchmarks); stretch (mean factor of its accounts); units_before, units_after (the tier's weight);
    mean_units_before, mean_units_after (of its accounts, factors included); accounts_per_am_before,
    accounts_per_am_after (cap / weight: accounts that no factor stretches); benchmark_before, benchmark_after (`below`,
    `within` or `above`, empty where there is none).
    `books`: am_id, name, capacity, and units, utilization and band before and after; changed (of band). `units` and
    `utilization` of all books together, before and after; `capacity` of the people who are there now.
    """

    source: Source
    base: CoverageModel
    model: CoverageModel
    effective_date: date
    tiers: pd.DataFrame
    books: pd.DataFrame
    units_before: float
    units_after: float
    utilization_before: float
    utilization_after: float
    capacity: float
    notes: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def changed(self) -> pd.DataFrame:
        """The books whose band changes."""
        return self.books[self.books["changed"]].reset_index(drop=True)


def calibrate(
    book: Book,
    model: str | Path | CoverageModel | None = None,
    source: Source = "benchmarks",
    *,
    hours: str | Path | pd.DataFrame | None = None,
    hours_per_am: float | None = None,
    effective_date: date | str | None = None,
    decimal: str | None = None,
) -> Calibration:
    """Weights per tier for a model (a name, a TOML file, or the book's own), and what they change in a book.

    `benchmarks`: cap / middle of the tier's benchmark. `hours`: in proportion to the mean hours of an account, from a
    file or frame with account_id and hours, or tier and hours (all hours of the tier). `touches`: the same from the
    book's touches, with `touch_model.minutes` by kind, within `touch_model.time_days`. The timed tiers together then
    weigh what they weigh today, unless `hours_per_am` says how many hours of that period a full AM has. `decimal` is
    what separates decimals in the hours.

    Raises `UsageError` where the source and what is given do not fit, `InvalidInput` for what is wrong with the hours.
    """
    _check(source, hours, hours_per_am)
    base = resolve_model(book, model)
    before = take_snapshot(book.on(effective_date), base, "full", base.disruption.measure)
    entries = None if hours is None else read_hours(hours, decimal)
    tiers, found = _weights(source, before, entries, hours_per_am)
    calibrated = _with_weights(base, found)
    after = take_snapshot(before.book, calibrated, "full", base.disruption.measure)
    units_before, capacity, used_before = team_load(before)
    units_after, _, used_after = team_load(after)
    missing = lacking(before.book, "touches") if source == "touches" else ()
    return Calibration(
        source,
        base,
        calibrated,
        before.book.effective_date,
        _tiers(tiers, tier_weights(after), base, calibrated),
        _books(before, after),
        units_before,
        units_after,
        used_before,
        used_after,
        capacity,
        tuple(_notes(source, base, calibrated, found, before, entries)),
        missing,
    )


def _check(source: str, hours: object, hours_per_am: float | None) -> None:
    if source not in get_args(Source):
        raise UsageError(f'unknown source "{source}"; it is one of {", ".join(get_args(Source))}.')
    if (source == "hours") != (hours is not None):
        raise UsageError("hours of a time tracking are needed with the source hours, and only there.")
    if hours_per_am is not None and (source == "benchmarks" or not 0 < hours_per_am < 10**6):
        raise UsageError("hours_per_am is a number of hours above 0, for the sources hours and touches.")


def _weights(
    source: Source, snapshot: Snapshot, entries: pd.DataFrame | None, hours_per_am: float | None
) -> tuple[pd.DataFrame, dict[Tier, Decimal]]:
    """A row per tier with what it weighs and takes, and the new weights of the tiers that have any."""
    tiers = tier_weights(snapshot)
    if source == "benchmarks":
        return tiers.assign(timed_accounts=np.nan, hours=np.nan), benchmark_units(snapshot.model)
    spent = touch_hours(snapshot) if entries is None else tracked_hours(snapshot, entries)
    tiers = tiers.join(spent)
    found = time_units(snapshot.model, tiers, hours_per_am)
    if not found:
        cure = "Give a book with touches." if entries is None else "Are the account ids those of the book?"
        raise UsageError(f"no account of the book has any time in {source}, so no weight follows. {cure}")
    return tiers, found


def _with_weights(base: CoverageModel, weights: dict[Tier, Decimal]) -> CoverageModel:
    units = base.units.model_copy(update={"tier": {**base.units.tier, **weights}})
    return base.model_copy(update={"units": units})


def _tiers(before: pd.DataFrame, after: pd.DataFrame, base: CoverageModel, model: CoverageModel) -> pd.DataFrame:
    benchmarks = [base.benchmarks.get(tier) for tier in TIERS]  # type: ignore[call-overload]
    frame = before.drop(columns="units")
    frame.insert(2, "benchmark_low", [None if found is None else found[0] for found in benchmarks])
    frame.insert(3, "benchmark_high", [None if found is None else found[1] for found in benchmarks])
    for when, used, sums in (("before", base, before), ("after", model, after)):
        weights = np.array([float(used.units.tier[tier]) for tier in TIERS])  # type: ignore[index]
        with np.errstate(divide="ignore", invalid="ignore"):
            frame[f"units_{when}"] = weights
            frame[f"mean_units_{when}"] = np.where(sums["accounts"] > 0, sums["units"] / sums["accounts"], np.nan)
            carried = np.where(weights > 0, float(used.units.cap) / weights, np.inf)
        frame[f"accounts_per_am_{when}"] = carried
        frame[f"benchmark_{when}"] = [position(*pair) for pair in zip(carried, benchmarks, strict=True)]
    return frame.astype({"benchmark_low": "Int64", "benchmark_high": "Int64", "timed_accounts": "Int64"})


def _books(before: Snapshot, after: Snapshot) -> pd.DataFrame:
    columns = ["am_id", "name", "capacity", "units", "utilization", "band"]
    old, new = (heatmap_frame(snapshot)[columns] for snapshot in (before, after))
    frame = old.merge(new[["am_id", "units", "utilization", "band"]], on="am_id", suffixes=("_before", "_after"))
    return frame.assign(changed=frame["band_before"] != frame["band_after"])


def _notes(
    source: Source,
    base: CoverageModel,
    model: CoverageModel,
    found: dict[Tier, Decimal],
    snapshot: Snapshot,
    entries: pd.DataFrame | None,
) -> list[str]:
    """What the reader must know, in sentences."""
    kept = [tier for tier in TIERS if tier not in found]
    notes = [literal_weights(), stretching(model)]
    if source == "touches":
        days = base.touch_model.time_days
        notes.append(
            f"Touches of {days} days say what customers got, not what they need: full books touch their accounts less."
        )
    if kept:
        notes.append(f"No figure for {', '.join(kept)}: the weight stays as it is.")
    if entries is not None:
        named = set(entries["account_id"]) - {""}
        unknown = len(named - set(snapshot.accounts.ids))
        if unknown:
            notes.append(f"{unknown:,} of {len(named):,} accounts with hours are not in the plan and were left out.")
    if snapshot.book.ams["capacity"].notna().any():
        notes.append("Some AMs have a capacity of their own in units (ams.capacity); it was left as it is.")
    if snapshot.book.overrides.get("units", {}).get("tier"):
        notes.append("The overrides of book.toml set units.tier and win over any model: remove them to use this one.")
    return [*notes, *([] if base.units.cap else ["The model's units.cap is 0, so no book has a capacity."])]


def literal_weights() -> str:
    """What the source's own weights imply beside its own benchmark, in a sentence."""
    model = load_model(DEFAULT_MODEL)
    weight, (low, high) = model.units.tier["enterprise"], model.benchmarks["enterprise"]
    carried = model.units.cap / weight
    where = position(float(carried), (low, high))
    return (
        f"The source's own weights: {model.units.cap} / {weight} = {carried.normalize():f} enterprise accounts an AM, "
        f"{where} the {low}-{high} of the same source."
    )


def stretching(model: CoverageModel) -> str:
    """How far the factors reach: how many single-product mid-market accounts an enterprise account can outweigh."""
    _, most = reach(model, "enterprise")
    least, _ = reach(model, "mid_market", products=1)
    if not least:
        return "A mid-market account weighs nothing in this model."
    words = (
        f"an enterprise account weighs up to {most.normalize():f} units, a mid-market account with one product "
        f"{least.normalize():f} and more: up to {most / least:.0f} of those to one"
    )
    if most > OUTWEIGHED * least:
        return f"With the factors of this model {words}. The source asks for more than {OUTWEIGHED}."
    cure = f"The source asks for more than {OUTWEIGHED}: use factors such as those of segmented."
    return f"{'With' if model.units.factors.products else 'Without'} factors for products {words}. {cure}"
