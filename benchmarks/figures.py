"""Figures of records: gaps to the best bound known, times to a gap, targets, growth over sizes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

OURS = "rebalancer"
SHARES = (0.02, 0.01, 0.005, 0.001)
"""Gaps whose times are reported."""

Record = Mapping[str, Any]
"""The content of a file in `results/`."""


def best_bound(record: Record) -> int | None:
    """The largest bound that any method has proven: no legal plan costs less."""
    return max((known["bound"] for known in record["methods"].values() if known.get("bound") is not None), default=None)


def gap(value: int | None, bound: int | None) -> float | None:
    """`(value - bound) / max(1, value)`, None where either is unknown."""
    return None if value is None or bound is None else (value - bound) / max(1, value)


def gap_to_best(method: Mapping[str, Any], bound: int | None) -> float | None:
    """How far a legal plan may be from the least; None for a plan that is not legal."""
    return gap(method.get("value"), bound) if method.get("legal") else None


def own_gap(method: Mapping[str, Any]) -> float | None:
    """The gap that a method proves by itself."""
    return gap(method.get("value"), method.get("bound")) if method.get("legal") else None


def time_to(history: Iterable[Sequence[Any]], share: float, bound: int | None = None) -> float | None:
    """Seconds until the best plan was within `share` of a bound; without one, of what the method had proven by then."""
    for seconds, value, own in history:
        distance = gap(value, own if bound is None else bound)
        if distance is not None and distance <= share:
            return float(seconds)
    return None


def times(method: Mapping[str, Any], bound: int | None) -> dict[float, float | None]:
    """`time_to` each of `SHARES` for a method whose final plan is legal."""
    known = method.get("history", []) if method.get("legal") and bound is not None else []
    return {share: time_to(known, share, bound) for share in SHARES}


def contradictions(record: Record) -> list[str]:
    """Legal plans below a bound: somebody's bound, or our check of the plan, is then wrong."""
    plans = [(name, known["value"]) for name, known in record["methods"].items() if known.get("legal")]
    bounds = [(name, known["bound"]) for name, known in record["methods"].items() if known.get("bound") is not None]
    return [
        f"{one} has a legal plan at {value:,}, below the bound {bound:,} of {other}"
        for one, value in plans
        for other, bound in bounds
        if value < bound
    ]


def reached(record: Record) -> bool:
    """Whether the target of a case was reached: a proven gap at most its own, in the time of the whole path."""
    ours, target = record["methods"][OURS], record["target"]
    seconds = seconds_to_target(record)
    return seconds is not None and seconds <= target["seconds"] and not ours.get("violations")


def seconds_to_target(record: Record) -> float | None:
    """Seconds of the whole path, had the search ended where it first proved the gap wanted; None: it never did."""
    ours = record["methods"][OURS]
    distance = own_gap(ours)
    if distance is None or distance > record["target"]["gap"]:
        return None
    found = time_to(ours["history"], record["target"]["gap"])
    beside = ours["seconds"] - ours["search_seconds"]
    return float(beside + (ours["search_seconds"] if found is None else found))


def growth(points: Iterable[tuple[float, float]]) -> float | None:
    """The exponent b of `seconds = a * size ** b`, by least squares on logarithms; None for fewer than two sizes."""
    logs = [(math.log(size), math.log(seconds)) for size, seconds in points if size > 0 and seconds > 0]
    if len({size for size, _ in logs}) < 2:
        return None
    mean_x, mean_y = (sum(column) / len(logs) for column in zip(*logs, strict=True))
    above = sum((x - mean_x) * (y - mean_y) for x, y in logs)
    return above / sum((x - mean_x) ** 2 for x, _ in logs)
