"""Together: the results of all components as one outcome, with the proof of the whole."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rebalancer.certificate import Certificate, Multipliers, outside, proven
from rebalancer.engine.outcome import CERTIFIED, ComponentResult, LevelResult, Outcome, Proof, Stop, Stopped
from rebalancer.parts import Parts
from rebalancer.problem import Problem


@dataclass(frozen=True)
class Part:
    """A component as a problem of its own, and the numbers of its arcs, groups and rows in the whole."""

    problem: Problem
    arcs: np.ndarray
    groups: np.ndarray
    rows: np.ndarray


def parts_of(problem: Problem) -> list[Part]:
    """The components of a problem, in the order of their first groups."""
    every = Parts(problem)
    return [Part(*every[index], every.rows[index]) for index in range(len(every))]


def together(problem: Problem, parts: list[Part], results: list[ComponentResult], stop: Stop) -> Outcome:
    """The outcome of a problem from those of all its parts, in their order; the multipliers are reckoned anew."""
    chosen = np.full(len(problem.groups), -1)
    for part, result in zip(parts, results, strict=True):
        chosen[part.groups] = part.arcs[result.chosen]
    values = problem.values(chosen)
    constant = outside(problem)
    certificates = tuple(_joined(problem, parts, results, level) for level in CERTIFIED[: 1 + (values[0] > 0)])
    certified = {certificate.level: proven(problem, chosen, certificate) for certificate in certificates}
    levels = tuple(
        _added(name, values[index], constant[index], [result.levels[index] for result in results], certified.get(name))
        for index, name in enumerate(level.name for level in problem.levels)
    )
    return Outcome(
        chosen=chosen,
        levels=levels,
        legal=values[0] == 0,
        stopped=_stopped(levels, results, stop),
        from_solver=any(result.from_solver for result in results),
        warnings=tuple(dict.fromkeys(warning for result in results for warning in result.warnings)),
        certificates=certificates,
        spent=_spent(results),
    )


def _spent(results: list[ComponentResult]) -> dict[str, float]:
    """Seconds by phase, added up over components (which run side by side)."""
    phases = dict.fromkeys(phase for result in results for phase in result.spent)
    return {phase: round(sum(result.spent.get(phase, 0.0) for result in results), 3) for phase in phases}


def _joined(problem: Problem, parts: list[Part], results: list[ComponentResult], level: int) -> Certificate:
    """The multipliers of all components for one level; where a component needed none, its cheapest arcs prove it."""
    group, row = np.zeros(len(problem.groups), dtype=np.int64), np.zeros(len(problem.rows), dtype=np.int64)
    kept, copies = np.zeros(len(parts), dtype=np.int64), np.zeros(len(parts), dtype=np.int64)
    copy = [np.zeros(0, dtype=np.int64)]
    for place, (part, result) in enumerate(zip(parts, results, strict=True)):
        found = result.multipliers.get(level) or Multipliers.least(part.problem, level)
        group[part.groups], row[part.rows] = found.group, found.row
        kept[place] = found.kept[0] if len(found.kept) else 0
        copies[place] = len(found.copy)
        copy.append(found.copy)
    return Certificate(problem.levels[level].name, group, row, kept, np.concatenate(copy), copies)


def _added(name: str, value: int, constant: int, parts: list[LevelResult], certified: int | None) -> LevelResult:
    """One level of the whole: values, bounds and least values add up; a proof is as strong as its weakest part.

    `certified` is what the multipliers prove of the whole, worked out anew.
    """
    floor = _total(constant, [part.certificate_bound for part in parts])
    least = _total(constant, [part.least for part in parts])
    bound = _total(constant, [part.bound for part in parts])
    floor = certified if certified is not None else floor
    if floor is not None and certified is not None:
        bound = floor if bound is None else max(bound, min(floor, value if least is None else least))
    proof: Proof | None = None
    if all(part.proof is not None for part in parts):
        proof = "certificate" if floor == (value if least is None else min(value, least)) else "solver"
    return LevelResult(name, value, bound, proof, floor, least)


def _total(constant: int, values: list[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return constant + sum(known) if len(known) == len(values) else None


def _stopped(levels: tuple[LevelResult, ...], results: list[ComponentResult], stop: Stop) -> Stopped:
    deciding = [level for level in levels if level.name in ("overload", "disruption", "continuity")]
    if stop.requested:
        return "interrupt"
    if all(level.proof is not None for level in deciding):
        return "proven"
    return "time" if any(result.timed_out for result in results) or deciding[0].proof is None else "gap"
