"""marginal(): what one more AM, one fewer, and one more unit of capacity are worth, by solving again.

The value of a team is measured on its best plan (scope full). Two things cost money in it:

* moves: what they put at risk (`revenue_at_risk` of the plan);
* uncovered ARR: of a book that ends above its limit, the share of its ARR that its units beyond the limit are of its
  units. It counts in full (`sizing.uncovered_loss`, 1): a plan moves any account sooner than to leave a book above its
  limit, so what nobody has the time to serve must count for more than a change of AM. The figure is ours; the dollars
  rank regions and are no forecast of a loss.

`exposure = revenue at risk of the moves + uncovered_loss * uncovered ARR`, and an AM is worth the exposure that he
saves: the revenue he protects, set against the yearly cost of an AM. So that two teams compare, all solves look for
the least overload first, then for the least disruption (`overload_tolerance = 0`), and floors are lifted: they ask for
moves that no load asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd

from rebalancer.book import Book
from rebalancer.coverage import CoverageModel
from rebalancer.errors import NoPlanInTime, UsageError
from rebalancer.executors import run_all
from rebalancer.insight.sizing import size_report
from rebalancer.insight.teams import fewer_in, more_capacity_in, one_more, without_floors
from rebalancer.insight.worth import Solve, Worth, solved
from rebalancer.plan import resolve_model
from rebalancer.snapshot import Snapshot, take_snapshot

TIME_LIMIT = 10.0
CENT = 0.01
Told = Callable[[str], None]


@dataclass(frozen=True)
class Marginal:
    """What changes of the team are worth.

    `regions`, one row per region and change (`one more`, `one fewer`, `more capacity`): region, change, am_id (who
    joins or leaves), status of the plan, proven, at_risk, uncovered_units, uncovered_arr, exposure, value (exposure
    saved; below 0 where the change costs), moves_value and cover_value (its two parts), value_low and value_high (where
    it must lie; missing where a plan's overload is not proven least), per_unit (of `more capacity`: dollars a unit, the
    shadow price) and cost (dollars a year of a full-time AM there).
    `curve`, one row per team from one AM fewer to several more, each put where it saves most: ams (change of the team),
    region, exposure, value (against today's team), marginal (against the row before), uncertain (dollars by which a
    better plan could expose less). `concave`: no AM on the curve is worth more than the one before; None where plans
    that are not proven best leave it open. It is observed, never forced.
    """

    base: Worth
    regions: pd.DataFrame = field(repr=False)
    curve: pd.DataFrame = field(repr=False)
    concave: bool | None
    notes: tuple[str, ...]


def marginal(
    book: Book,
    model: str | Path | CoverageModel | None = None,
    effective_date: date | str | None = None,
    *,
    time_limit: float = TIME_LIMIT,
    workers: int | None = None,
    told: Told = lambda _: None,
    executor: Executor | None = None,
) -> Marginal:
    """What one more AM, one fewer and one more unit are worth, per region. `time_limit` is in seconds, for each of the
    solves: one for today's team, three for each region, and a few for the curve. `told` hears of each. Those of the
    regions run side by side on the workers of an `executor`, each with one core unless `workers` says otherwise.

    Raises `InvalidInput`, `UsageError`, `NoPlanInTime` where today's team has no plan in the time, and
    `WorkerLostError` where workers died of one of the solves.
    """
    if time_limit <= 0:
        raise UsageError("time_limit must be above 0.")
    resolved = _comparable(resolve_model(book, model))
    book = without_floors(book.on(effective_date))
    snapshot = take_snapshot(book, resolved, "full", "revenue_at_risk")
    return _Study(snapshot, time_limit, workers, told, executor).run()


def _comparable(model: CoverageModel) -> CoverageModel:
    """The model with the least overload whatever it costs in moves, and a plan in any case."""
    limits = model.limits.model_copy(
        update={"overload_tolerance": Decimal(0), "floor": Decimal(0), "when_over_capacity": "plan"}
    )
    return model.model_copy(update={"limits": limits})


@dataclass(frozen=True)
class _Variant:
    """A team to solve for: the book with it, None once that was handed over, and what is changed, in words."""

    book: Book | None
    words: str
    place: str = ""
    change: str = ""
    am: str = ""
    units: float = 0.0


class _Study:
    """The solves of one book, and what they say."""

    def __init__(
        self, snapshot: Snapshot, time_limit: float, workers: int | None, told: Told, executor: Executor | None
    ) -> None:
        self.snapshot, self.time_limit, self.told, self.executor = snapshot, time_limit, told, executor
        self.workers = workers if executor is None else workers or 1
        needed = size_report(snapshot).needed
        by_region = needed[(needed["by"] == "region") & (needed["accounts"] > 0)]
        short = by_region.assign(short=by_region["units_needed"] - by_region["today"])
        most = snapshot.model.sizing.marginal_regions
        order = short.sort_values("short", ascending=False, kind="stable")["region"].head(most)
        self.left_out = len(short) - len(order)
        self.places = sorted(order)
        self.cost = dict(zip(by_region["region"], by_region["average_cost"], strict=True))
        self.base = self.worth(snapshot.book, "today's team")
        if not self.base.planned:
            raise NoPlanInTime(f"today's team has no plan ({self.base.status}); give --time-limit more.")
        self.found: dict[tuple[str, str], Worth] = {}

    def worth(self, book: Book, words: str) -> Worth:
        ((_, found),) = self._worths([_Variant(book, words)])
        return found

    def _worths(self, variants: Iterable[_Variant]) -> Iterator[tuple[_Variant, Worth]]:
        """What each team is worth, in their order."""
        asked: list[_Variant] = []

        def solves() -> Iterator[Solve]:
            for variant in variants:
                assert variant.book is not None
                self.told(f"solving for {variant.words}")
                asked.append(replace(variant, book=None))
                yield Solve(variant.book, self.snapshot.model, self.time_limit, self.workers)

        if self.executor is None:
            yield from ((asked[-1], solved(solve)) for solve in solves())
            return
        found = dict(run_all(self.executor, solved, solves()))
        for number, variant in enumerate(asked):
            outcome = found[number]
            if isinstance(outcome, Exception):
                raise outcome
            yield variant, outcome

    def run(self) -> Marginal:
        variants = (variant for place in self.places for variant in self._variants(place))
        rows = [self._row(variant, found) for variant, found in self._worths(variants)]
        regions = pd.DataFrame(rows, columns=list(REGIONS))
        curve = self._curve(regions)
        return Marginal(self.base, regions, curve, is_concave(curve), tuple(self._notes()))

    def _variants(self, place: str) -> Iterator[_Variant]:
        """One more, one fewer and more capacity in a region."""
        book, name = self.snapshot.book, place or "any region"
        joined, am = one_more(book, place)
        yield _Variant(joined, f"one more AM in {name}", place, "one more", am)
        left, am = fewer_in(self.snapshot, place)
        if left is not None:
            yield _Variant(left, f"{name} without {am}", place, "one fewer", am)
        raised, units = more_capacity_in(self.snapshot, place)
        if units:
            yield _Variant(raised, f"{units:g} more units in {name}", place, "more capacity", "", units)

    def _row(self, variant: _Variant, found: Worth) -> dict[str, object]:
        self.found[variant.place, variant.change] = found
        value = self.base.exposure - found.exposure
        return {
            "region": variant.place,
            "change": variant.change,
            "am_id": variant.am,
            **found.figures(),
            "value": value,
            "moves_value": self.base.at_risk - found.at_risk,
            "cover_value": self.base.cover - found.cover,
            "value_low": _known(value - self.base.uncertain),
            "value_high": _known(value + found.uncertain),
            "per_unit": value / variant.units if variant.units else np.nan,
            "cost": self.cost.get(variant.place, np.nan),
        }

    def _curve(self, regions: pd.DataFrame) -> pd.DataFrame:
        """Teams from one AM fewer, where that costs least, to several more, each where it saves most."""
        fewer = regions[regions["change"] == "one fewer"].dropna(subset=["value"])
        rows: list[tuple[int, str, float, float]] = []
        if len(fewer):
            place = str(fewer["region"].to_numpy()[fewer["value"].to_numpy().argmax()])
            found = self.found[place, "one fewer"]
            rows.append((-1, place, found.exposure, found.uncertain))
        rows.append((0, "", self.base.exposure, self.base.uncertain))
        rows += self._added()
        curve = pd.DataFrame(rows, columns=["ams", "region", "exposure", "uncertain"])
        curve["value"] = self.base.exposure - curve["exposure"]
        curve["marginal"] = 0.0 - curve["exposure"].diff()
        return curve[["ams", "region", "exposure", "value", "marginal", "uncertain"]]

    def _added(self) -> Iterator[tuple[int, str, float, float]]:
        """AMs added one by one: the next goes where one more saved most so far, solved again unless none was added."""
        known = {place: self.found[place, "one more"] for place in self.places}
        saves = {place: self.base.exposure - found.exposure for place, found in known.items() if found.planned}
        book, before = self.snapshot.book, self.base
        for number in range(1, self.snapshot.model.sizing.marginal_ams + 1):
            while saves and (place := max(sorted(saves), key=lambda name: saves[name])) not in known:
                words = f"{number} more AMs, the last in {place or 'any region'}"
                known[place] = self.worth(one_more(book, place)[0], words)
                saves[place] = before.exposure - known[place].exposure
                if not known[place].planned:
                    del saves[place]
            if not saves:
                return
            book, before = one_more(book, place)[0], known[place]
            yield number, place, before.exposure, before.uncertain
            known = {}

    def _notes(self) -> Iterator[str]:
        rate = float(self.snapshot.model.sizing.uncovered_loss)
        yield (
            f"Values are dollars that the best plan exposes less: revenue at risk of its moves, and {100 * rate:g} % "
            "(sizing.uncovered_loss, ours) of the ARR beyond what books may hold. They rank; they are no forecast."
        )
        if not self.base.proven:
            yield "The plan of today's team is not proven best; a longer --time-limit narrows the ranges."
        if self.left_out:
            yield f"{self.left_out:,} regions with the least shortage were not solved (sizing.marginal_regions)."


REGIONS = (
    *("region", "change", "am_id", "status", "proven", "at_risk", "uncovered_units", "uncovered_arr", "exposure"),
    *("value", "moves_value", "cover_value", "value_low", "value_high", "per_unit", "cost"),
)


def _known(dollars: float) -> float:
    return dollars if np.isfinite(dollars) else np.nan


def is_concave(curve: pd.DataFrame) -> bool | None:
    """Whether no AM of a curve (columns exposure, uncertain; teams in rising order) is worth more than the one before.

    None where a team's exposure, which may be lower by what is uncertain, could make it so or not.
    """
    exposure, doubt = curve["exposure"].to_numpy(np.float64), curve["uncertain"].to_numpy(np.float64)
    rise = exposure[:-2] - 2 * exposure[1:-1] + exposure[2:]
    with np.errstate(invalid="ignore"):
        least, most = rise - doubt[:-2] - doubt[2:], rise + 2 * doubt[1:-1]
    if (least >= -CENT).all():
        return True
    return False if (most < -CENT).any() else None
