"""The figures of the balanced scorecard: strategic, commercial and operational.

Every figure is one sum divided by another, so the books' figures add up to the team's. Where no account of a book has
a value in `metrics`, the AM's own row counts; for a team without either, its own, then the average of its AMs'.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rebalancer.metrics.contacts import first_day, months_of
from rebalancer.metrics.health import health_frame, nps_of
from rebalancer.metrics.opportunities import forecast_accuracy, forecast_frame
from rebalancer.metrics.retention import MILLIONTHS, weighted
from rebalancer.metrics.scoring import Scoring
from rebalancer.metrics.tally import Sums, Tally, average, share
from rebalancer.quarters import MONTHS, Quarter

Layer = Literal["strategic", "commercial", "operational"]
Better = Literal["above", "at_least", "at_most"]
Unit = Literal["share", "count", "days", "points"]
Figure = Callable[[Scoring, Quarter], Tally | Sums]
DEALS_NEED = "opportunities.type, stage and close_date"


@dataclass(frozen=True)
class Score:
    """One line of the scorecard: what it is called, what meets its target, and which columns it needs."""

    name: str
    layer: Layer
    words: str
    figure: Figure
    needs: str
    unit: Unit = "share"
    better: Better = "at_least"
    of_accounts: bool = False
    """The average of a metric of accounts, whose own targets count where the model sets none."""

    def sums(self, scoring: Scoring, quarter: Quarter) -> Sums:
        """Part and whole by book, nobody, team and everybody, as of a quarter."""
        known = scoring.spread(self.figure(scoring, quarter))
        own, averaged = (x(self.name, quarter, "value") for x in (scoring.own, scoring.own_averaged))
        return known.or_else(own).or_else(averaged)

    def target(self, scoring: Scoring, quarter: Quarter) -> np.ndarray:
        """Targets in the same order: own row, else the model's, else the accounts' average, else that of AMs."""
        found = scoring.own(self.name, quarter, "target")
        of_model = getattr(scoring.snapshot.model.scorecard.targets, self.name)
        if of_model is not None:
            return np.where(np.isnan(found.figure), float(of_model), found.figure)
        if self.of_accounts:
            found = found.or_else(scoring.spread(average(scoring.latest(self.name, quarter).target)))
        return found.or_else(scoring.own_averaged(self.name, quarter, "target")).figure

    def met(self, value: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Per entry True, False, or None where value or target is not known."""
        good = {"above": value > target, "at_least": value >= target, "at_most": value <= target}[self.better]
        met = good.astype(object)
        met[np.isnan(value) | np.isnan(target)] = None
        return met


def _flagged(name: str) -> Figure:
    """The share of key accounts whose last value is above 0; not known where no account has a value."""

    def figure(scoring: Scoring, quarter: Quarter) -> Tally:
        value = scoring.latest(name, quarter).value
        return share(value > 0, scoring.key & bool((~np.isnan(value)).any()))

    return figure


def _current_plans(scoring: Scoring, quarter: Quarter) -> Tally:
    """The share of key accounts whose plan was made or revised within the model's number of days."""
    plan = scoring.latest("account_plan", quarter)
    age = np.datetime64(scoring.day(quarter), "D") - plan.day
    current = (plan.value > 0) & (age < np.timedelta64(scoring.snapshot.model.scorecard.plan_current_days, "D"))
    return share(current, scoring.key & bool((~np.isnat(plan.day)).any()))


def _held(name: str, *kinds: str, quarters: int | None = None) -> Figure:
    """The share of key accounts with a row of that name that is not 0, or a touch of one of the kinds, in the quarter
    or in the model's number of quarters that end with it.
    """

    def figure(scoring: Scoring, quarter: Quarter) -> Tally:
        last = months_of(quarter)[1]
        first = last - MONTHS * (quarters or scoring.snapshot.model.scorecard.ebr_every_quarters) + 1
        times = scoring.readings.counts(name, first_day(first), scoring.day(quarter))
        times = times + scoring.contacts.between(first, last, *kinds)
        known = scoring.readings.recorded(name, quarter.end) or scoring.contacts.has(*kinds, until=last)
        return share(times > 0, scoring.key & known)

    return figure


def _nps(scoring: Scoring, quarter: Quarter) -> Tally:
    return average(nps_of(scoring.latest("nps", quarter).value, scoring.snapshot.model.scorecard.nps))


def _average(name: str) -> Figure:
    return lambda scoring, quarter: average(scoring.latest(name, quarter).value)


def _retention(column: str) -> Figure:
    """Forecasts have no date, so they are those of the quarter scored alone."""

    def figure(scoring: Scoring, quarter: Quarter) -> Sums:
        if not scoring.undated(quarter):
            nothing = np.zeros(scoring.cut.books + 1)
            return Sums(nothing, nothing)
        kept, known = weighted(scoring.snapshot, column)
        part, whole = (np.append(sums, 0).astype(np.float64) for sums in (kept, known))
        return Sums(part / MILLIONTHS, whole)

    return figure


def _conversion(kind: str | None = None) -> Figure:
    return lambda scoring, quarter: scoring.deals.conversion(quarter, kind)


def _accuracy(scoring: Scoring, quarter: Quarter) -> Sums:
    frame = forecast_frame(scoring.snapshot, scoring.deals, quarter)
    return forecast_accuracy(frame["forecast"].to_numpy(), frame["actual"].to_numpy())


def _discovered(scoring: Scoring, quarter: Quarter) -> Tally:
    return scoring.deals.am_discovered(quarter)


def _health(scoring: Scoring, quarter: Quarter) -> Tally:
    if quarter == scoring.now:
        return average(scoring.health["health_score"].to_numpy())
    frame = health_frame(scoring.snapshot, scoring.readings, scoring.day(quarter), today=False)
    return average(frame["health_score"].to_numpy())


SCORES = (
    Score("account_plan", "strategic", "account plans built", _flagged("account_plan"),
          "metrics rows account_plan"),
    Score("account_plan_current", "strategic", "account plans current", _current_plans,
          "metrics rows account_plan with a date"),
    Score("ebr", "strategic", "EBRs held", _held("ebr", "ebr"),
          "metrics rows ebr with a date, or touches of kind ebr"),
    Score("executive_touch", "strategic", "executive touches",
          _held("executive_touch", "executive", "executive_touch", quarters=1),
          "metrics rows executive_touch with a date, or touches of kind executive"),
    Score("advocacy", "strategic", "advocates", _flagged("advocacy"), "metrics rows advocacy"),
    Score("nps", "strategic", "NPS", _nps, "metrics rows nps", "points", of_accounts=True),
    Score("grr", "commercial", "gross retention (GRR)", _retention("grr_forecast"),
          "accounts.grr_forecast", better="above"),
    Score("nrr", "commercial", "net retention (NRR)", _retention("nrr_forecast"),
          "accounts.nrr_forecast", better="above"),
    Score("conversion", "commercial", "conversion", _conversion(), DEALS_NEED, better="above"),
    Score("conversion_renewal", "commercial", "conversion, renewals", _conversion("renewal"), DEALS_NEED,
          better="above"),
    Score("conversion_upsell", "commercial", "conversion, upsells", _conversion("upsell"), DEALS_NEED,
          better="above"),
    Score("conversion_cross_sell", "commercial", "conversion, incremental", _conversion("cross_sell"),
          DEALS_NEED, better="above"),
    Score("conversion_transformational", "commercial", "conversion, transformational",
          _conversion("transformational"), DEALS_NEED, better="above"),
    Score("forecast_accuracy", "commercial", "forecast accuracy", _accuracy,
          "opportunities.forecast, stage and close_date"),
    Score("am_discovered_upsell", "commercial", "AM-discovered upsell", _discovered,
          "opportunities.discovered_by, type, amount, stage and close_date"),
    Score("adoption", "operational", "adoption", _average("adoption"), "metrics rows adoption",
          of_accounts=True),
    Score("value_realized", "operational", "value realised", _average("value_realized"),
          "metrics rows value_realized", of_accounts=True),
    Score("open_issues", "operational", "open issues per account", _average("open_issues"),
          "metrics rows open_issues", "count", "at_most", of_accounts=True),
    Score("days_to_resolve", "operational", "days to resolve an issue", _average("days_to_resolve"),
          "metrics rows days_to_resolve", "days", "at_most", of_accounts=True),
    Score("health", "operational", "health score", _health,
          "accounts.health, or metrics rows adoption, value_realized, nps, open_issues", "points"),
)  # fmt: skip
"""Every line of the scorecard, in order."""
