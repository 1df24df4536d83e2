"""Guard: what the parent of a search holds against its child: plans of its own, and the check of every claim.

A claim that a plan at hand contradicts is refused with all others of that answer; the plans are judged by their values,
worked out here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rebalancer.certificate import Certificate, outside, proven
from rebalancer.engine.floor import sum_of_least
from rebalancer.engine.greedy import start_plans
from rebalancer.engine.outcome import LevelResult, Outcome, Stopped
from rebalancer.problem import Problem


class RefusedError(Exception):
    """An answer that cannot be right, and why."""


@dataclass(frozen=True)
class Plan:
    """A complete plan and its values. `searched`: the solver found it."""

    chosen: np.ndarray
    values: tuple[int, ...]
    searched: bool


class PlansAtHand:
    """The best complete plan of those offered: today's, the greedy one, those that the child has sent."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.best: Plan | None = None
        self._before: int | None = None
        self._least: int | None = None
        self._partial: tuple[np.ndarray, bool] | None = None
        self._known: list[tuple[int, ...]] = []
        self.offer(problem.today, searched=False)
        self._before = self.best.values[0] if self.best is not None else None

    def offer(self, chosen: np.ndarray, searched: bool) -> None:
        """Take a plan where it is better; groups without an arc (-1) get that of the best plan so far."""
        if not fits_shape(self.problem, chosen):
            return
        filled = chosen if self.best is None else np.where(chosen < 0, self.best.chosen, chosen)
        if not self.problem.is_complete(filled):
            self._partial = (chosen, searched)
            return
        plan = Plan(filled, self.problem.values(filled), searched)
        self._least = plan.values[0] if self._least is None else min(self._least, plan.values[0])
        self._known.append(plan.values)
        if self.best is None or self.beats(plan.values, self.best.values):
            self.best = plan

    def offer_greedy(self) -> None:
        """Work out the plans that need no solver, and complete with them what the child has sent."""
        for plan in start_plans(self.problem):
            self.offer(plan, searched=False)
        if self._partial is not None and self.best is not None:
            self.offer(*self._partial)

    def beats(self, values: tuple[int, ...], other: tuple[int, ...]) -> bool:
        """Better level by level, where the overload that may be given back counts as none."""
        within = values[0] <= self._allowed
        if within != (other[0] <= self._allowed):
            return within
        return values[1:] < other[1:] if within else values < other

    @property
    def _allowed(self) -> int:
        """The overload that later levels may use, as the search reckons it."""
        if self._least is None or self._before is None:
            return self._least or 0
        return self._least + int(self.problem.levels[0].tolerance * max(0, self._before - self._least))

    def contradicts(self, outcome: Outcome, values: tuple[int, ...]) -> str | None:
        """Why the plans at hand make an answer impossible, None where they do not.

        Components are searched alone, and each may give some of its cure back: where the answer is over capacity, only
        plans with no more than the least overload can be compared with it.
        """
        if self._before is not None and values[0] > self._before:
            return "its plan is worse than today's"
        least = outcome.levels[0].least
        most = values[0] if least is None else min(least, values[0])
        for known in self._known:
            if known[0] <= most and (known[0] == 0 < values[0] or known[1:] < values[1:]):
                return "its plan is worse than one at hand"
            if (beaten := _beaten_bound(outcome, values, known, most)) is not None:
                return beaten
        return None


def _beaten_bound(outcome: Outcome, values: tuple[int, ...], known: tuple[int, ...], most: int) -> str | None:
    """The first bound that a known plan beats; a level counts where those before it are proven and reached."""
    for index, level in enumerate(outcome.levels):
        if level.bound is not None and known[index] < level.bound:
            return f"its bound on {level.name}, {level.bound:,}, is beaten by a plan of {known[index]:,}"
        if level.proof is None or known[index] > (most if index == 0 else values[index]):
            return None
    return None


def checked(outcome: Outcome, at_hand: PlansAtHand) -> Outcome:
    """An answer whose plan is complete, whose values are those of its plan, and whose claims fit what is known.

    Raises `RefusedError`; a complete plan is then among those at hand.
    """
    problem, chosen = at_hand.problem, outcome.chosen
    if not fits_shape(problem, chosen) or not problem.is_complete(chosen):
        raise RefusedError("its plan is not complete")
    values = problem.values(chosen)
    fault = (
        _false_claim(problem, outcome, values)
        or _false_certificate(problem, outcome)
        or at_hand.contradicts(outcome, values)
    )
    if fault is not None:
        at_hand.offer(chosen, outcome.from_solver)
        raise RefusedError(fault)
    return outcome


def fits_shape(problem: Problem, chosen: np.ndarray) -> bool:
    """One arc of the problem, or -1, for each group."""
    whole = chosen.ndim == 1 and chosen.dtype == np.int64 and len(chosen) == len(problem.groups)
    return bool(whole and ((chosen >= -1) & (chosen < problem.n_arcs)).all())


def _false_claim(problem: Problem, outcome: Outcome, values: tuple[int, ...]) -> str | None:
    """What an answer says about its own plan that is not so."""
    if [level.name for level in outcome.levels] != [level.name for level in problem.levels]:
        return "its levels are not those asked for"
    if tuple(level.value for level in outcome.levels) != values or outcome.legal != (values[0] == 0):
        return "its values are not those of its plan"
    floors = floors_of(problem)
    for level, floor in zip(outcome.levels, floors, strict=True):
        reached = level.value if level.least is None else min(level.value, level.least)
        bounds = [bound for bound in (level.bound, level.certificate_bound) if bound is not None]
        if any(bound > reached for bound in bounds):
            return f"its bound on {level.name} is above its value"
        if level.proof is not None and (level.bound is None or level.bound < min(reached, level.value)):
            return f"its proof of {level.name} has no bound"
        if level.proof == "certificate" and max(floor, level.certificate_bound or 0) < reached:
            return f"its certificate of {level.name} does not reach its value"
    return None


def _false_certificate(problem: Problem, outcome: Outcome) -> str | None:
    """What the multipliers that came with an answer don't prove, worked out anew."""
    certificates = {certificate.level: certificate for certificate in outcome.certificates}
    for level, floor in zip(outcome.levels, floors_of(problem), strict=True):
        certificate = certificates.get(level.name)
        shown = floor if certificate is None else proven(problem, outcome.chosen, certificate)
        if level.certificate_bound is not None and (shown is None or level.certificate_bound > max(shown, floor)):
            return f"its multipliers do not prove the bound on {level.name} that it claims"
    return None


def floors_of(problem: Problem) -> list[int]:
    """A bound of every level that needs no solver."""
    constant = outside(problem)
    return [constant[index] + sum_of_least(problem, index) for index in range(len(problem.levels))]


def without_answer(at_hand: PlansAtHand, stopped: Stopped, warnings: tuple[str, ...]) -> Outcome | None:
    """The outcome of the best plan at hand, with no claim that needs a solver; None where there is no plan."""
    best, problem = at_hand.best, at_hand.problem
    if best is None:
        return None
    levels = tuple(
        LevelResult(
            level.name, value, floor, "certificate" if value == floor else None, floor, value if index == 0 else None
        )
        for index, (level, value, floor) in enumerate(zip(problem.levels, best.values, floors_of(problem), strict=True))
    )
    certificates = (Certificate.least(problem, 1),)
    return Outcome(best.chosen, levels, best.values[0] == 0, stopped, best.searched, warnings, certificates)
