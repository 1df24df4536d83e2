"""scorecard(): the balanced scorecard of every AM, team and everybody, in three layers, against its targets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd

from rebalancer.book import Book
from rebalancer.coverage import CoverageModel
from rebalancer.errors import UsageError, did_you_mean, printable
from rebalancer.metrics.health import PARTS, weights_frame
from rebalancer.metrics.opportunities import conversion_frame, forecast_frame
from rebalancer.metrics.readings import teams_of
from rebalancer.metrics.scores import SCORES
from rebalancer.metrics.scoring import Scoring, scoring_of
from rebalancer.plan import resolve_model
from rebalancer.quarters import Quarter
from rebalancer.snapshot import Snapshot, take_snapshot

ROUNDING = 1e-9
WAY_ROUND = (
    "The source prints the targets of gross and net retention the wrong way round. Here gross retention (GRR) is held "
    "against {grr} and net retention (NRR) against {nrr}: gross retention can't exceed 100 %."
)


@dataclass(frozen=True)
class Scorecard:
    """The scorecard of one quarter. `key_tiers` are those that the strategic layer looks at.

    `scores`: a row per figure and subject: layer, metric, words, unit (share, count, days or points), subject (`am`,
    `nobody` for accounts without an owner, `team` for the books of a manager, `all`), id (am_id, manager, else empty),
    value, better (how the target is met: value `above` it, `at_least` or `at_most`), target, met (True, False, or
    missing where value or target is not known), best (what the best reach, where the source says), previous (value of
    the quarter before), change (value - previous), basis (what the value rests on: accounts, opportunities, dollars).

    `trend`: a row per figure, subject and quarter: metric, subject, id, quarter, value, basis. `forecast` and
    `conversion`: see `metrics.opportunities.forecast_frame` (a row per book and quarter of the trend) and
    `conversion_frame`. `health`: a row per account, see `metrics.health.health_frame`, with am_id. `health_weights`:
    see `metrics.health.weights_frame`.

    `missing` lists what the book lacks, a line per figure that is not known of anybody; `notes` what else the reader
    must know.
    """

    model: str
    effective_date: date
    quarter: str
    key_tiers: tuple[str, ...]
    scores: pd.DataFrame
    trend: pd.DataFrame
    forecast: pd.DataFrame
    conversion: pd.DataFrame
    health: pd.DataFrame
    health_weights: pd.DataFrame
    missing: tuple[str, ...]
    notes: tuple[str, ...]

    def of(self, am: str) -> Scorecard:
        """The scorecard of one book beside everybody's. Raises `UsageError` for an unknown one."""
        known = self.scores.loc[self.scores["subject"] == "am", "id"].unique().tolist()
        if am not in known:
            near = did_you_mean(am, known) or "The members of a pool share the pool's book."
            raise UsageError(f'there is no book "{printable(am)}". {near}')
        by_subject = {name: getattr(self, name) for name in ("scores", "trend")}
        by_am = {name: getattr(self, name) for name in ("forecast", "conversion", "health")}
        return replace(
            self,
            **{name: f[((f["subject"] == "am") & (f["id"] == am)) | (f["subject"] == "all")]
               for name, f in by_subject.items()},
            **{name: frame[frame["am_id"] == am] for name, frame in by_am.items()},
        )  # fmt: skip


def scorecard(
    book: Book,
    model: str | Path | CoverageModel | None = None,
    effective_date: date | str | None = None,
    quarter: str | Quarter | None = None,
) -> Scorecard:
    """The scorecard of a quarter such as `2026-Q3`; without one, of the last full quarter before the effective date.

    Raises `UsageError` for what is no quarter or one that has not begun, else as `rebalancer.snapshot.take_snapshot`.
    """
    resolved = resolve_model(book, model)
    on = book.on(effective_date)
    scored = quarter_of(quarter, on.effective_date)
    return scorecard_of(take_snapshot(on, resolved, "full", resolved.disruption.measure), scored)


def quarter_of(asked: str | Quarter | None, day: date) -> Quarter:
    """The quarter asked for, else the last full one on a day."""
    running = Quarter.of(day)
    if asked is None:
        return running.previous
    found = asked if isinstance(asked, Quarter) else Quarter.parse(asked)
    if found is None:
        raise UsageError(f'"{printable(str(asked))}" is not a quarter; write it as {running.previous}.')
    if found > running:
        raise UsageError(f"{found} has not begun on {day}; the last full quarter is {running.previous}.")
    return found


def scorecard_of(snapshot: Snapshot, quarter: Quarter) -> Scorecard:
    """The same for a book that is a snapshot already."""
    scoring = scoring_of(snapshot, quarter)
    quarters = [quarter]
    while len(quarters) < snapshot.model.scorecard.trend_quarters:
        quarters.insert(0, quarters[0].previous)
    trend = _trend(scoring, quarters)
    health = scoring.health.copy()
    ids = np.array([*snapshot.ams.ids, ""], dtype=object)
    health.insert(1, "am_id", ids[snapshot.accounts.owner])
    return Scorecard(
        model=snapshot.model.name,
        effective_date=snapshot.book.effective_date,
        quarter=str(quarter),
        key_tiers=tuple(snapshot.model.scorecard.key_tiers),
        scores=_scores(scoring, trend, quarter),
        trend=trend,
        forecast=pd.concat([forecast_frame(snapshot, scoring.deals, each) for each in quarters], ignore_index=True),
        conversion=conversion_frame(snapshot, scoring.deals, quarter),
        health=health,
        health_weights=weights_frame(snapshot, health),
        missing=_missing(trend, quarter),
        notes=_notes(scoring, health, quarter),
    )


def _subjects(snapshot: Snapshot) -> pd.DataFrame:
    """subject and id in the order of all figures."""
    teams = teams_of(snapshot)
    subject = ["am"] * len(snapshot.ams) + ["nobody"] + ["team"] * len(teams) + ["all"]
    return pd.DataFrame({"subject": subject, "id": [*snapshot.ams.ids, "", *teams, ""]})


def _trend(scoring: Scoring, quarters: list[Quarter]) -> pd.DataFrame:
    """Every figure of every subject and quarter, in this order of figures, quarters and subjects."""
    subjects = _subjects(scoring.snapshot)
    asked = [(score, quarter) for score in SCORES for quarter in quarters]
    found = [score.sums(scoring, quarter) for score, quarter in asked]
    count = len(subjects)
    return pd.DataFrame(
        {
            "metric": np.repeat(np.array([score.name for score, _ in asked], dtype=object), count),
            "subject": np.tile(subjects["subject"].to_numpy(dtype=object), len(asked)),
            "id": np.tile(subjects["id"].to_numpy(dtype=object), len(asked)),
            "quarter": np.repeat(np.array([str(quarter) for _, quarter in asked], dtype=object), count),
            "value": np.concatenate([sums.figure for sums in found]),
            "basis": np.concatenate([sums.whole for sums in found]),
        }
    )


def _scores(scoring: Scoring, trend: pd.DataFrame, quarter: Quarter) -> pd.DataFrame:
    """The rows of the quarter with target, whether it is met, and the change."""
    rows = trend[trend["quarter"] == str(quarter)].drop(columns="quarter").reset_index(drop=True)
    rows["previous"] = trend.loc[trend["quarter"] == str(quarter.previous), "value"].to_numpy()
    parts = []
    for score in SCORES:
        part = rows[rows["metric"] == score.name].reset_index(drop=True)
        value, target = part["value"].to_numpy(), score.target(scoring, quarter)
        best = getattr(scoring.snapshot.model.scorecard.targets, f"{score.name}_best", None)
        extra = {"layer": score.layer, "words": score.words, "unit": score.unit, "better": score.better}
        figures = part.assign(target=target, best=np.nan if best is None else float(best), met=score.met(value, target))
        parts.append(figures.assign(**extra, change=part["value"] - part["previous"]))
    order = ["layer", "metric", "words", "unit", "better", "subject", "id", "value", "target", "met", "best"]
    return pd.concat(parts, ignore_index=True)[[*order, "previous", "change", "basis"]]


def _missing(trend: pd.DataFrame, quarter: Quarter) -> tuple[str, ...]:
    now = trend[(trend["quarter"] == str(quarter)) & trend["value"].notna()]
    known = set(now["metric"])
    return tuple(f"{score.name}: {score.needs}" for score in SCORES if score.name not in known)


def _above(target: Decimal) -> str:
    return f"> {100 * float(target):g} %"


def _notes(scoring: Scoring, health: pd.DataFrame, quarter: Quarter) -> tuple[str, ...]:
    targets = scoring.snapshot.model.scorecard.targets
    notes = []
    if targets.grr is not None and targets.nrr is not None:
        notes.append(WAY_ROUND.format(grr=_above(targets.grr), nrr=_above(targets.nrr)))
    if not quarter.end < scoring.snapshot.book.effective_date:
        notes.append(f"{quarter} still runs: its figures are those up to {scoring.snapshot.book.effective_date}.")
    scored = health[health["known_weight"] > 0]
    if len(scored) and scored["known_weight"].min() < 1 - ROUNDING:
        parts = ", ".join(name for name in PARTS if scored[name].notna().any())
        notes.append(
            f"Health scores are made of {parts}: on average {100 * scored['known_weight'].mean():.0f} % of the weights "
            "are known of an account. Those of what is not known are spread over the others."
        )
    return tuple(notes)
