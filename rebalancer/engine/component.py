"""One component: its levels one after the other, each bound at its best value before the next."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from rebalancer.certificate import Multipliers
from rebalancer.engine.bound import certify
from rebalancer.engine.cpsat import Answer, Effort, Task, minimise
from rebalancer.engine.decompose import Approach
from rebalancer.engine.floor import sum_of_least
from rebalancer.engine.greedy import cheapened, start_plans
from rebalancer.engine.narrow import Narrower
from rebalancer.engine.outcome import CERTIFIED, ComponentResult, LevelResult, OneReport, Options, Proof, Stop
from rebalancer.problem import Problem

SEARCH_SHARE = 0.8
"""Share of the time for the levels that decide the plan; the later ones get at most the rest."""

LATER_LEVEL_WORK = 1.0
"""Deterministic time of a later level: it breaks ties, and must not keep a planner waiting."""

FIRST_SHARE = 0.4
"""Share of the search time spent looking for a legal plan, or for the least overload, before going on."""

LARGE = 500
"""Components with more arcs are decomposed; below, the solver alone is as quick."""

WHOLE_LATER = 8_000
"""Components with more arcs have their later levels improved among seats of equal cost only, without a proof."""

LATER_WORK_OF_LARGE = 0.1
"""Deterministic time of a later level of such a component."""

REPRODUCIBLE_WORK = 0.1
"""Deterministic time for each second of the limit where the same bytes are asked for, so that on a busy machine too the
work ends before the clock does.
"""

ROUNDING = 1e-6
"""What the solver's own comparison of gaps may round."""

PASS_ON_SECONDS = 0.2
"""Between two plans that the solver hands out while it runs: turning one into arcs takes time."""

PassOn = Callable[[np.ndarray, bool], None]
"""Called with every better plan, so that it outlives the search, and whether the solver found it."""


def solve_component(
    problem: Problem,
    options: Options,
    seconds: float,
    work: float,
    workers: int,
    stop: Stop,
    report: OneReport,
    pass_on: PassOn | None = None,
) -> ComponentResult | None:
    """The best plan found within `seconds` (and deterministic `work` where reproducible), None where there is none."""
    return _Search(problem, options, seconds, work, workers, stop, report, pass_on).run()


class _Search:
    def __init__(
        self,
        problem: Problem,
        options: Options,
        seconds: float,
        work: float,
        workers: int,
        stop: Stop,
        report: OneReport,
        pass_on: PassOn | None,
    ) -> None:
        self.problem, self.options, self.stop, self.report = problem, options, stop, report
        self.pass_on, self.passed_on = pass_on, 0.0
        self.seconds, self.work, self.workers = seconds, work * REPRODUCIBLE_WORK, workers
        self.started = time.monotonic()
        self.names = [level.name for level in problem.levels]
        self.best: np.ndarray | None = None
        self.values: tuple[int, ...] = ()
        self.from_solver = self.timed_out = False
        self.multipliers: dict[int, Multipliers] = {}
        self.certified: dict[int, int] = {}
        self.certified_for: dict[int, tuple[tuple[tuple[int, int], ...], bool]] = {}
        self.approaches: dict[tuple[int, tuple[tuple[int, int], ...], bool], Approach] = {}
        self.warnings: list[str] = []
        self._solved_legal: Answer | None = None

    def run(self) -> ComponentResult | None:
        starts = start_plans(self.problem)
        for plan in starts:
            self._keep(plan, from_solver=False)
        overload = self._overload()
        if self.best is None or overload is None:
            return None
        levels = [overload]
        within: list[tuple[int, int]] = []
        if overload.value > 0:
            within.append((0, max(overload.value, self._allowed(overload))))
            self._cheapen(starts, within[0][1])
        for level in range(1, len(self.names)):
            result = self._level(level, tuple(within), legal=overload.value == 0)
            levels.append(result)
            within.append((level, self.values[level]))
            if level == 1 and overload.value > 0:
                within[0] = (0, self.values[0])
        levels = [self._final(level, index) for index, level in enumerate(levels)]
        if self.options.reproducible and time.monotonic() - self.started > self.seconds * SEARCH_SHARE:
            self.warnings.append("the clock ended the search before its work was done: the next run may differ")
        return ComponentResult(
            self.best,
            levels,
            self.values[0] == 0,
            self.from_solver,
            self.timed_out,
            self.multipliers,
            self._spent(),
            self.warnings,
        )

    def _spent(self) -> dict[str, float]:
        """Seconds by phase, of all tasks together."""
        phases = [approach.spent for approach in self.approaches.values()]
        return {phase: sum(spent[phase] for spent in phases) for phase in (phases[0] if phases else ())}

    def _final(self, level: LevelResult, index: int) -> LevelResult:
        """A level's result with the value of the plan that is handed out. Where that plan beats the bound, something
        was wrong, and only what needs no solver is claimed.
        """
        value, floor = self.values[index], level.certificate_bound
        if level.bound is None or level.bound <= value:
            proven = level.proof or _proof(level.bound == value, value == floor)
            return replace(level, value=value, proof=proven)
        self.warnings.append(
            f"a later plan of {level.name} {value:,} beat the bound {level.bound:,}, which was refused"
        )
        least = None if level.least is None else min(level.least, value)
        return LevelResult(level.name, value, floor, _proof(value == floor, True), floor, least)

    def _keep(self, plan: np.ndarray | None, from_solver: bool) -> bool:
        """Keep a plan that is complete and better than the best one, level by level; whether it is no worse."""
        if plan is None or not self.problem.is_complete(plan):
            return False
        values = self.problem.values(plan)
        if self.best is not None and values >= self.values:
            return values == self.values
        self._replace(plan, values, from_solver)
        return True

    def _replace(self, plan: np.ndarray, values: tuple[int, ...], from_solver: bool) -> None:
        self.best, self.values, self.from_solver = plan, values, from_solver
        if self.pass_on is not None:
            self.pass_on(plan, from_solver)
        self.report(values[1], None, int((plan != self.problem.today).sum()))

    def _overload(self) -> LevelResult | None:
        """Level 0. A legal plan makes it 0; where none is found, the least overload is sought."""
        floor = sum_of_least(self.problem, 0)
        if self.best is not None and self.values[0] == 0:
            return LevelResult("overload", 0, 0, "certificate", 0, 0)
        legal = self._believed(Task(1, legal=True), self._solve(Task(1, legal=True), None, FIRST_SHARE))
        if self._keep(legal.chosen, from_solver=True) and self.values[0] == 0:
            self._solved_legal = legal if legal.status == "optimal" else None
            return LevelResult("overload", 0, 0, "certificate", 0, 0)
        task = Task(0, legal=False)
        answer = self._believed(task, self._solve(task, self.best, FIRST_SHARE))
        self._keep(answer.chosen, from_solver=True)
        if self.best is None:
            return None
        value, floor = self.values[0], max(floor, self.certified.get(0, floor))
        bound = floor if answer.bound is None else max(floor, answer.bound)
        proven = bound == value and (value == floor or answer.status == "optimal")
        if legal.status == "infeasible" and value == 0:
            self.warnings.append("the solver called a book impossible that has a legal plan; its answer was not used")
        return LevelResult("overload", value, bound, _proof(proven, value == floor), floor, value)

    def _cheapen(self, starts: list[np.ndarray], allowed: int) -> None:
        """Start the search for little disruption from the cheapest plan at hand within the overload allowed.

        The plan of least overload is the dearest kind: whoever searched for it did not look at moves.
        """
        assert self.best is not None
        for start in (self.best, *starts):
            if self.problem.values(start)[0] <= allowed:
                plan = cheapened(self.problem, start, allowed)
                if self.problem.is_complete(plan):
                    self._keep_level(plan, Task(1, ((0, allowed),), legal=False))

    def _allowed(self, overload: LevelResult) -> int:
        """The overload later levels may use: the least, plus a share of the cure, whose last points cost most."""
        share = self.problem.levels[0].tolerance
        before = self.problem.values(self.problem.today)[0]
        return overload.value + int(share * max(0, before - overload.value))

    def _level(self, level: int, within: tuple[tuple[int, int], ...], legal: bool) -> LevelResult:
        """Minimise one level with the earlier ones bound; the best plan never gets worse."""
        name, floor = self.names[level], sum_of_least(self.problem, level)
        if self.values[level] == floor:
            self.multipliers.pop(level, None)
            return LevelResult(name, floor, floor, "certificate", floor)
        later = level > (2 if "continuity" in self.names else 1)
        reuse = self._solved_legal if level == 1 else None
        task = Task(level, within, legal)
        self._forget_other_tasks(task)
        if level > 1:
            self._rearrange(task)
            if self.values[level] == floor:
                return LevelResult(name, floor, floor, "certificate", floor)
        if later and self.problem.n_arcs > WHOLE_LATER:
            return LevelResult(name, self.values[level], floor, None, floor)
        answer = reuse or self._believed(task, self._solve(task, self.best, 1.0, later=later))
        if answer.chosen is not None:
            self._keep_level(answer.chosen, task)
        value, floor = self.values[level], max(floor, self.certified.get(level, floor))
        bound = floor if answer.bound is None else max(floor, answer.bound)
        if (
            not later
            and bound != value
            and not (self.options.gap and value - bound <= self.options.gap * max(1, value))
        ):
            self.timed_out = True
        return LevelResult(name, value, bound, _proof(bound == value, value == floor), floor)

    def _rearrange(self, task: Task) -> None:
        """Improve a later level among the seats that cost each group the same in every level before it.

        A small problem without rows over the earlier levels: it finds at size what the whole one has no time for.
        The whole one follows, since only that proves anything.
        """
        assert self.best is not None
        costs = [level.arc_cost for level in self.problem.levels[1 : task.level]]
        closed = np.zeros(self.problem.n_arcs, dtype=bool)
        for cost in costs:
            closed |= cost != cost[self.best][self.problem.arc_group]
        gated = (level for level, each in enumerate(self.problem.levels) if each.gate_cost.any())
        priced = {*self.problem.rows.level.tolist(), *gated}
        kept = tuple((level, most) for level, most in task.within if level == 0 or level in priced)
        answer = self._solve(replace(task, within=kept, closed=closed), self.best, 1.0, later=True)
        if answer.chosen is not None and self.problem.is_complete(answer.chosen):
            self._keep_level(answer.chosen, task)

    def _keep_level(self, plan: np.ndarray, task: Task) -> None:
        """Keep the solver's plan where the task admits it and it is better in the first level that differs.

        `overload` is not compared: a share of its cure may be given back.
        """
        values = self.problem.values(plan)
        if task.admits(values) and values[1:] < self.values[1:]:
            self._replace(plan, values, from_solver=True)

    def _believed(self, task: Task, answer: Answer) -> Answer:
        """The answer, or only its plan where a plan at hand or its own contradicts it: nothing is claimed from it."""
        fault = self._contradiction(task, answer)
        if fault is None:
            return answer
        self.warnings.append(f"the solver {fault}; its answer on {self.names[task.level]} was not used")
        complete = answer.chosen is not None and self.problem.is_complete(answer.chosen)
        return Answer("unknown", answer.chosen if complete else None, None)

    def _contradiction(self, task: Task, answer: Answer) -> str | None:
        """What is wrong with an answer, judged from plans alone; None where nothing shows."""
        known = self.values[task.level] if self.best is not None and task.admits(self.values) else None
        bound, gap = answer.bound, self._gap(task.level)
        if answer.status == "infeasible":
            return "called impossible what a plan at hand keeps" if known is not None else None
        if answer.chosen is not None:
            if not self.problem.is_complete(answer.chosen):
                return "gave an incomplete plan"
            values = self.problem.values(answer.chosen)
            value = values[task.level]
            if not task.admits(values):
                return "gave a plan beyond a limit"
            short = answer.status == "optimal" and bound is not None and value - bound > gap * max(1, value) + ROUNDING
            if short or (bound is not None and bound > value):
                return f"called a plan of {value:,} {answer.status} with the bound {bound:,}"
        if bound is not None and known is not None and bound > known:
            return f"gave the bound {bound:,}, which a plan of {known:,} beats"
        return None

    def _solve(self, task: Task, hint: np.ndarray | None, share: float, later: bool = False) -> Answer:
        spent = time.monotonic() - self.started
        total = self.seconds if later else self.seconds * SEARCH_SHARE
        part = 1.0 if self.options.reproducible else 0.3 if later else share  # there the work is shared out
        seconds = (total - spent) * part
        if self.stop.requested or seconds <= 0:
            return Answer("unknown", None, None)
        work = self.work * (share if not later else 1 - SEARCH_SHARE) if self.options.reproducible else None
        if later:
            most = LATER_WORK_OF_LARGE if self.problem.n_arcs > WHOLE_LATER else LATER_LEVEL_WORK
            work = most if work is None else min(most, work)
        gap = self._gap(task.level)
        effort = Effort(seconds, work, self.workers, gap, self.options.seed)
        if later:
            return self._among_open(task, hint, effort)
        if self.problem.n_arcs > LARGE:
            if (task.level, task.within, task.legal) not in self.approaches:
                approach = Approach(self.problem, task, self.stop, partial(self._note, task))
                self.approaches[task.level, task.within, task.legal] = approach
            found = self.approaches[task.level, task.within, task.legal].run(hint, effort)
            self._certify(task, found.multipliers, found.certified)
            return found.answer
        watch = partial(self._watch, task) if task.level == 1 or (task.level == 0 and self.pass_on) else None
        answer = minimise(self.problem, task, hint, effort, self.stop, watch)
        if answer.status != "infeasible" and task.level in CERTIFIED:
            self._certify(task, *certify(self.problem, task, self.stop))
        return answer

    def _certify(self, task: Task, multipliers: Multipliers, certified: int) -> None:
        """Keep what the certificate proves of a level, in its latest task."""
        if task.level in CERTIFIED:
            self.multipliers[task.level], self.certified[task.level] = multipliers, certified
            self.certified_for[task.level] = (task.within, task.legal)

    def _forget_other_tasks(self, task: Task) -> None:
        """What was proven of legal plans says nothing of those that are not."""
        if self.certified_for.get(task.level) != (task.within, task.legal):
            self.certified.pop(task.level, None)
            self.multipliers.pop(task.level, None)

    def _among_open(self, task: Task, hint: np.ndarray | None, effort: Effort) -> Answer:
        """The solver on the arcs that are not closed; the others are not even built."""
        if task.closed is None or hint is None:
            return minimise(self.problem, task, hint, effort, self.stop)
        every = np.arange(len(self.problem.groups))
        part = Narrower(self.problem, task).narrowed(every, np.flatnonzero(~task.closed), hint)
        answer = minimise(part.problem, part.task(task), np.searchsorted(part.arcs, hint), effort, self.stop)
        chosen = None if answer.chosen is None else part.widened(answer.chosen, hint)
        return Answer("feasible" if chosen is not None else "unknown", chosen, None)

    def _note(self, task: Task, plan: np.ndarray | None, bound: int | None) -> None:
        """Report a plan or a bound of the decomposition, and pass the plan on."""
        if plan is not None and not self.problem.is_complete(plan):
            return
        value = None if plan is None else self.problem.values(plan)
        if task.level == 1:
            moves = -1 if plan is None else int((plan != self.problem.today).sum())
            self.report(None if value is None else value[1], bound, moves)
        if plan is not None and value is not None and self.pass_on is not None and self._improves(task, value):
            self.pass_on(plan, True)

    def _gap(self, level: int) -> float:
        """The relative gap that is good enough. The least overload is needed only to a thousandth of the share of the
        cure that is given back afterwards.
        """
        if level == 0:
            return self.problem.levels[0].tolerance / 1000
        return self.options.gap if self.names[level] == "disruption" else 0.0

    def _watch(self, task: Task, best: int, bound: int, plan: Callable[[], np.ndarray]) -> None:
        """Report what the running solver has; its plan goes on, but is kept only from its answer."""
        if task.level == 1:
            self.report(best, bound, -1)
        now = time.monotonic()
        if self.pass_on is None or now - self.passed_on < PASS_ON_SECONDS:
            return
        self.passed_on, chosen = now, plan()
        if self.problem.is_complete(chosen) and self._improves(task, self.problem.values(chosen)):
            self.pass_on(chosen, True)

    def _improves(self, task: Task, values: tuple[int, ...]) -> bool:
        """These values are within the task and less than those of the best plan in the first level that differs."""
        start = 1 if task.within else 0
        return task.admits(values) and (self.best is None or values[start:] < self.values[start:])


def _proof(proven: bool, at_floor: bool) -> Proof | None:
    if not proven:
        return None
    return "certificate" if at_floor else "solver"
