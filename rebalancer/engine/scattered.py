"""Scattered: a search whose components are solved by the workers of an executor, each in a safe child process there.

The parent cuts the problem up, puts the results together as a search in one place does, and checks the whole in the
same way. A result that is missing or does not fit is worked out here, or the plan at hand takes its place.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from rebalancer.engine.board import Board
from rebalancer.engine.guard import PlansAtHand, RefusedError, checked, fits_shape, without_answer
from rebalancer.engine.outcome import ComponentResult, Options, Outcome, Report, Stop
from rebalancer.engine.safely import GRACE_SECONDS, GREEDY_ARCS, best_at_hand, solve_safely
from rebalancer.engine.together import Part, parts_of, together
from rebalancer.errors import Interrupted, InvalidInput, NoLegalPlan, NoPlanInTime
from rebalancer.executors import run_all, slots_of, wanted
from rebalancer.problem import Problem

LEAST_ARCS = 5_000
"""Smaller components travel together in bundles of this size: a task costs some milliseconds and a model."""

BUNDLES_PER_SLOT = 4
"""At least so many bundles for each slot where the components allow it, so that all slots end at the same time."""

LEAST_SHARE = 0.05
"""Share of the remaining time that even the smallest bundle may use."""

LEAST_SECONDS = 0.5

WANTED_SECONDS = 0.5
"""Between two looks of a worker at whether its result is still waited for."""

Task = tuple[Problem, Options]


def solve_scattered(
    problem: Problem,
    options: Options,
    stop: Stop | None = None,
    report: Report | None = None,
    executor: Executor | None = None,
) -> Outcome:
    """As `solve_safely`, with the components on the workers of an executor where there are several large ones.

    With `options.reproducible` the outcome is the same as without. Raises as `solve_safely` does.
    """
    stop = stop or Stop()
    if executor is not None:
        stop.searching = True
        parts = parts_of(problem)
        bundles = _bundles([part.problem.n_arcs for part in parts], slots_of(executor))
        if len(bundles) > 1:
            return _Scattered(problem, parts, bundles, options, stop, report, executor).outcome()
    return solve_safely(problem, options, stop, report)


def _bundles(sizes: list[int], slots: int) -> list[list[int]]:
    """The numbers of the components of each task, those with the most arcs first."""
    enough = max(LEAST_ARCS, sum(sizes) // (BUNDLES_PER_SLOT * slots))
    bundles: list[list[int]] = []
    arcs = enough
    for index in sorted(range(len(sizes)), key=lambda index: -sizes[index]):
        if arcs >= enough:
            bundles.append([])
            arcs = 0
        bundles[-1].append(index)
        arcs += sizes[index]
    return [sorted(bundle) for bundle in bundles]


def solve_bundle(task: Task) -> Outcome:
    """What a worker does: a few components in a child process, ended where nobody waits for them any more."""
    with _stop_when_unwanted() as stop:
        return solve_safely(*task, stop)


@contextmanager
def _stop_when_unwanted() -> Iterator[Stop]:
    stop, ended, still_wanted = Stop(), threading.Event(), wanted()

    def watch() -> None:
        while not ended.wait(WANTED_SECONDS):
            if not still_wanted():
                stop.request()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield stop
    finally:
        ended.set()
        watcher.join()


class _Scattered:
    """One search: its tasks, what came back of them, and the whole."""

    def __init__(
        self,
        problem: Problem,
        parts: list[Part],
        bundles: list[list[int]],
        options: Options,
        stop: Stop,
        report: Report | None,
        executor: Executor,
    ) -> None:
        self.problem, self.parts, self.bundles = problem, parts, bundles
        self.options, self.stop, self.executor = options, stop, executor
        self.board = Board(len(parts), report)
        self.results: list[ComponentResult | None] = [None] * len(parts)
        self.impossible: dict[int, str] = {}
        self.faults: list[str] = []
        self.slots = slots_of(executor)
        self.waiting = problem.n_arcs
        self.started = time.monotonic()

    def outcome(self) -> Outcome:
        """The results of all components together, checked as those of one child process are."""
        try:
            self._gather()
        except KeyboardInterrupt:
            if self.stop.requested:
                raise
            self.stop.request()
        self._fill_in()
        results = [result for result in self.results if result is not None]
        outcome = together(self.problem, self.parts, results, self.stop)
        outcome = replace(outcome, warnings=(*outcome.warnings, *dict.fromkeys(self.faults)))
        at_hand = PlansAtHand(self.problem)
        if self.problem.n_arcs <= GREEDY_ARCS:
            at_hand.offer_greedy()
        try:
            return checked(outcome, at_hand)
        except RefusedError as error:
            fault = f"the search gave an answer that can't be right ({error})"
            return best_at_hand(at_hand, self.options, self.stop, fault)

    # Out and back

    def _gather(self) -> None:
        """Hand out the bundles and take in what comes; what a worker could not do is done here."""
        lost = []
        tasks = (self._task(bundle) for bundle in self.bundles)
        for number, found in run_all(
            self.executor, solve_bundle, tasks, in_flight=self.slots, until=lambda: self.stop.requested or self._late()
        ):
            if not self._taken(self.bundles[number], found):
                lost.append(self.bundles[number])
        for bundle in lost:
            if not (self.stop.requested or self._late()):
                self._solve_here(bundle)

    def _late(self) -> bool:
        """The time is up; a reproducible search has it for each of its parts, since its clock is not ours."""
        times = len(self.parts) if self.options.reproducible else 1
        return time.monotonic() - self.started > self.options.time_limit * times + GRACE_SECONDS

    def _task(self, bundle: list[int]) -> Task:
        arcs = sum(self.parts[index].problem.n_arcs for index in bundle)
        share = min(1.0, max(LEAST_SHARE, self.slots * arcs / max(1, self.waiting)))
        self.waiting -= arcs
        remaining = self.started + self.options.time_limit - time.monotonic()
        seconds = self.options.time_limit if self.options.reproducible else max(LEAST_SECONDS, remaining * share)
        options = replace(self.options, workers=1, time_limit=seconds, of_arcs=self.problem.n_arcs)
        return self._cut_out(bundle), options

    def _cut_out(self, bundle: list[int]) -> Problem:
        """Some components as a problem of their own. Seats stay here: the engine does not look at them."""
        if len(bundle) == 1:
            return replace(self.parts[bundle[0]].problem, seats=())
        groups = np.sort(np.concatenate([self.parts[index].groups for index in bundle]))
        return replace(self.problem.restricted(groups)[0], seats=())

    def _solve_here(self, bundle: list[int]) -> None:
        problem, options = self._task(bundle)
        try:
            found: Outcome | Exception = solve_safely(problem, options, self.stop)
        except (NoLegalPlan, NoPlanInTime, InvalidInput, Interrupted) as error:
            found = error
        self._taken(bundle, found)

    def _taken(self, bundle: list[int], found: Outcome | Exception) -> bool:
        """Take in what was found of a bundle; False where it has to be solved once more."""
        if isinstance(found, InvalidInput):
            raise found
        if isinstance(found, NoLegalPlan):
            self.impossible[bundle[0]] = str(found)
            return True
        if isinstance(found, NoPlanInTime | Interrupted):
            return True
        if not isinstance(found, Outcome):
            return False
        return self._noted(bundle, found)

    def _noted(self, bundle: list[int], found: Outcome) -> bool:
        parts = [self.parts[index] for index in bundle]
        results = found.components or self._from_plan(parts, found)
        if len(results) != len(parts) or not all(map(_fits, parts, results)):
            return False
        for index, result in zip(bundle, results, strict=True):
            self._note(index, result)
        return True

    def _note(self, index: int, result: ComponentResult) -> None:
        moves = int((result.chosen != self.parts[index].problem.today).sum())
        self.results[index] = result
        self.board.of(index)(result.levels[1].value, result.levels[1].bound, moves)
        self.board.ended(index)

    # Where there is no answer

    def _from_plan(self, parts: list[Part], found: Outcome) -> list[ComponentResult]:
        """The results of components whose search failed on its worker, from the plan that was at hand there."""
        groups, arcs = (np.sort(np.concatenate([getattr(part, name) for part in parts])) for name in ("groups", "arcs"))
        if len(found.chosen) != len(groups) or not ((found.chosen >= 0) & (found.chosen < len(arcs))).all():
            return []
        chosen = arcs[found.chosen]
        here = [np.searchsorted(part.arcs, chosen[np.searchsorted(groups, part.groups)]) for part in parts]
        if any((local >= part.problem.n_arcs).any() for part, local in zip(parts, here, strict=True)):
            return []
        self.faults += found.warnings
        stand_ins = [_stand_in(part.problem, local, found.from_solver) for part, local in zip(parts, here, strict=True)]
        return [result for result in stand_ins if result is not None]

    def _fill_in(self) -> None:
        """The best plan at hand for every component without a result. Raises where there is none."""
        if self.impossible:
            raise NoLegalPlan(" ".join(words for _, words in sorted(self.impossible.items())))
        missing = [index for index, result in enumerate(self.results) if result is None]
        for index in missing:
            result = _stand_in(self.parts[index].problem)
            if result is None and self.stop.requested:
                raise Interrupted("stopped before there was a plan.")
            if result is None:
                fault = "the search found no plan"
                raise NoPlanInTime(f"no plan was found in {self.options.time_limit:g} s: {fault}.")
            self._note(index, result)
        if missing and not self.stop.requested:
            self.faults.append(
                f"{len(missing):,} of the {len(self.parts):,} parts of the book were not solved in time; "
                "the plan made without the search was kept there"
            )


def _stand_in(problem: Problem, chosen: np.ndarray | None = None, searched: bool = False) -> ComponentResult | None:
    """The best plan at hand of a component, with no claim that needs a solver; None where there is no plan."""
    at_hand = PlansAtHand(problem)
    if chosen is not None:
        at_hand.offer(chosen, searched)
    if at_hand.best is None or problem.n_arcs <= GREEDY_ARCS:
        at_hand.offer_greedy()
    found = without_answer(at_hand, "time", ())
    if found is None:
        return None
    return ComponentResult(found.chosen, list(found.levels), found.legal, found.from_solver, True, {}, {})


def _fits(part: Part, result: ComponentResult) -> bool:
    """A result has a complete plan and the shape that putting it together with others needs."""
    problem = part.problem
    if not fits_shape(problem, result.chosen) or not problem.is_complete(result.chosen):
        return False
    if [level.name for level in result.levels] != [level.name for level in problem.levels]:
        return False
    return all(
        (len(found.group), len(found.row)) == (len(problem.groups), len(problem.rows))
        and all(array.ndim == 1 and array.dtype == np.int64 for array in vars(found).values())
        for found in result.multipliers.values()
    )
