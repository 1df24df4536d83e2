"""The health score: a weighted composite of what is known of an account, from 0 to 100."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from rebalancer.metrics.attention import attention_frame
from rebalancer.metrics.readings import Readings
from rebalancer.snapshot import Snapshot

FULL = 100.0
PARTS = ("health", "adoption", "value_realized", "nps", "issues", "attention")
NPS_SPAN = 200.0
"""An NPS lies from -100 to 100."""

PROMOTER, DETRACTOR = 9, 6
"""Answers from 9 on are promoters', up to 6 detractors'."""


def health_frame(snapshot: Snapshot, readings: Readings, day: date, *, today: bool = True) -> pd.DataFrame:
    """One row per account in the plan: account_id, health_score, the parts it is made of (0 to 100 each, missing where
    not known) and known_weight, the share of the model's weights that is known.

    The score is sum(weight x part) / sum(weight) over the parts that are known of the account: the weights of the
    others are spread over them in proportion. Missing where no part is known. Parts: `accounts.health`; adoption and
    value_realized as shares of the account's goal, at most 100; nps, moved from -100..100 to 0..100; issues, 100 with
    none open and 0 with `issues_full`; attention, 100 where the account was touched within `triggers.touched_days`.
    `today` False leaves out what has no date of its own (health, attention, undated rows).
    """
    weights = snapshot.model.scorecard.health.weights()
    parts = health_parts(snapshot, readings, day, today=today)
    values = np.column_stack([parts[name] for name in PARTS])
    weight = np.array([weights[name] for name in PARTS])
    known = ~np.isnan(values)
    counted = (known * weight).sum(axis=1)
    total = (np.where(known, values, 0.0) * weight).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        score = np.where(counted > 0, total / counted, np.nan)
    return pd.DataFrame(
        {"account_id": snapshot.accounts.ids, "health_score": score, **parts, "known_weight": counted / weight.sum()}
    )


def health_parts(snapshot: Snapshot, readings: Readings, day: date, *, today: bool = True) -> dict[str, np.ndarray]:
    """Each part of the score by account, 0 to 100, NaN where not known; see `health_frame`."""
    within = snapshot.model.scorecard.valid_days

    def latest(name: str) -> np.ndarray:
        return readings.latest(name, day, within, undated=today).value

    nothing = np.full(len(snapshot.accounts), np.nan)
    full = snapshot.model.scorecard.health.issues_full
    return {
        "health": snapshot.frame["health"].to_numpy(np.float64) if today else nothing,
        "adoption": of_goal(readings, "adoption", day, within, undated=today),
        "value_realized": of_goal(readings, "value_realized", day, within, undated=today),
        "nps": FULL * (nps_of(latest("nps"), snapshot.model.scorecard.nps) + NPS_SPAN / 2) / NPS_SPAN,
        "issues": np.clip(FULL * (1 - latest("open_issues") / full), 0, FULL),
        "attention": _attention(snapshot) if today else nothing,
    }


def of_goal(readings: Readings, name: str, day: date, within: int, *, undated: bool) -> np.ndarray:
    """The last value of each account as a share of its goal, 0 to 100; NaN where either is missing or the goal is 0."""
    found = readings.latest(name, day, within, undated=undated)
    with np.errstate(divide="ignore", invalid="ignore"):
        reached = np.where(found.target > 0, found.value / found.target, np.nan)
    return np.clip(FULL * reached, 0, FULL)


def nps_of(values: np.ndarray, kind: str) -> np.ndarray:
    """Scores as they are, from -100 to 100; of answers from 0 to 10, 100 for a promoter and -100 for a detractor.

    The average of the latter is the share of promoters minus that of detractors.
    """
    if kind == "scores":
        return np.clip(values, -NPS_SPAN / 2, NPS_SPAN / 2)
    passive_or_less = np.where(values <= DETRACTOR, -FULL, 0.0)
    return np.where(np.isnan(values), np.nan, np.where(values >= PROMOTER, FULL, passive_or_less))


def _attention(snapshot: Snapshot) -> np.ndarray:
    touched = attention_frame(snapshot)["touched"]
    return FULL * touched.astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)


def weights_frame(snapshot: Snapshot, health: pd.DataFrame) -> pd.DataFrame:
    """One row per part: part, weight (the model's, as a share of all), accounts (of which it is known), rescaled (its
    share of the weights that were used, averaged over the accounts that have a score).
    """
    weights = snapshot.model.scorecard.health.weights()
    weight = np.array([weights[name] for name in PARTS])
    known = health[list(PARTS)].notna().to_numpy()
    used = known * weight
    scored = used.sum(axis=1) > 0
    shares = used[scored] / used[scored].sum(axis=1, keepdims=True)
    return pd.DataFrame(
        {
            "part": PARTS,
            "weight": weight / weight.sum(),
            "accounts": known.sum(axis=0),
            "rescaled": shares.mean(axis=0) if scored.any() else np.full(len(PARTS), np.nan),
        }
    )
