"""Decompose: the best plan for one task on a large problem, and the bound that certifies it.

The dual (`bound`) says what no plan can be below and which arcs good plans use. A walk led by it makes a first plan,
neighbourhoods of a few books are solved one after the other, and once the arcs that a better plan could still use are
few enough, the solver decides among them for certain.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from rebalancer.certificate import Multipliers
from rebalancer.engine.bound import Ascent, Dual
from rebalancer.engine.cpsat import Answer, Effort, Task, minimise
from rebalancer.engine.greedy import guided
from rebalancer.engine.narrow import Narrowed, Narrower
from rebalancer.engine.neighbours import Kind, Neighbours, Sizes
from rebalancer.engine.outcome import Stop
from rebalancer.problem import Problem

CLIMBS = (1, 150, 500)
"""Evaluations of the dual before each of the first plans: at once where every seat costs a group the same."""

FURTHER = 500
"""Evaluations of every further climb, as long as the ascent goes on."""

FIRST_CORES = (0.1, 0.5, 2.0)
"""Cores in which a first plan is sought where the walk found none."""

NOTHING = -(2**62)
"""A bound that says nothing."""

CORE_WORK = 1.5
"""Deterministic time of a core; large ones get more."""

FEW_ARCS = 6_000
"""Open arcs beyond one for each group that the solver is given as a whole: most such problems take it seconds."""

AT_ONCE_ARCS = 20_000
"""Up to so many arcs the solver tries the whole before anything else: where few accounts move the bound is weak, and
it decides in a second what neighbourhoods never prove."""

MOST_ARCS = 40_000
"""Beyond so many open arcs the whole is not tried; up to there, the more there are the later."""

EXACT_WORK = 0.5
"""Deterministic time of the first attempt at the whole; the next ones get double."""

PART_WORK, MAX_PART_WORK = 0.15, 2.0
"""Deterministic time of one neighbourhood, at first and at most."""

EVALUATION_WORK = 2e-8
"""Deterministic time that one evaluation of the dual counts for each arc."""

NOTE_SECONDS = 0.2
"""Between two plans of a running solver that are passed on."""

Note = Callable[[np.ndarray | None, int | None], None]
"""Called with a better plan, or None, and the bound known so far."""


@dataclass
class Approached:
    """The solver's kind of answer, the certificate behind its bound and what the certificate alone proves.

    `spent` is seconds by phase: bound, core, improve.
    """

    answer: Answer
    multipliers: Multipliers
    certified: int
    spent: dict[str, float]


class Approach:
    """One task on one problem. It can be run again with more time, and then goes on where it was."""

    def __init__(self, problem: Problem, task: Task, stop: Stop, note: Note) -> None:
        self.problem, self.task, self.stop, self.note = problem, task, stop, note
        self.effort = Effort(0.0, None, 1, 0.0, 0)
        self.deadline = self.work = self.noted = 0.0
        self.spent = dict.fromkeys(("bound", "core", "improve"), 0.0)
        started = time.monotonic()
        self.ascent = Ascent(problem, task.level, task.within, task.legal)
        self.narrower = Narrower(problem, task)
        self.spent["bound"] += time.monotonic() - started
        self.plan: np.ndarray | None = None
        self.values: tuple[int, ...] = ()
        self.bound = self.certified = NOTHING
        self.multipliers = Multipliers.least(problem, task.level, len(task.within))
        self.dual: Dual | None = None
        self.solved = self.impossible = False
        self.rounds, self.halfway = 0, math.inf
        self.climbs, self.first_cores = list(CLIMBS), list(FIRST_CORES)
        self.exact_work, self.part_work, self.sizes = EXACT_WORK, PART_WORK, Sizes()

    def run(self, plan: np.ndarray | None, effort: Effort) -> Approached:
        """Minimise the task's level as `cpsat.minimise` does. A `plan` that keeps the task's limits is the start."""
        self.effort, self.deadline, self.work = effort, time.monotonic() + effort.seconds, 0.0
        self.halfway = time.monotonic() + effort.seconds / 2 if effort.deterministic is None else math.inf
        if plan is not None:
            self._take(plan)
        while self.climbs and not self._over():
            self._climb(self.climbs.pop(0))
            self._walk()
        with ThreadPoolExecutor(self.effort.workers) as pool:
            self._improve(pool)
        return self._result()

    @contextmanager
    def _timed(self, phase: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        self.spent[phase] += time.monotonic() - started

    def _result(self) -> Approached:
        bound = None if self.bound == NOTHING else self.bound
        if self.plan is None:
            answer = Answer("infeasible" if self.impossible else "unknown", None, bound)
        else:
            done = self.value <= self.bound or (self._near() and self.solved)
            answer = Answer("optimal" if done else "feasible", self.plan, min(self.bound, self.value))
        return Approached(answer, self.multipliers, self.certified, self.spent)

    @property
    def value(self) -> int:
        """What the best plan costs at the task's level."""
        return self.values[self.task.level]

    def _near(self) -> bool:
        """The gap that was asked for is reached."""
        return self.plan is not None and self.value - self.bound <= self.effort.gap * max(1, self.value)

    def _over(self) -> bool:
        """Near enough, out of time or work, or told to stop."""
        spent = self.effort.deterministic is not None and self.work >= self.effort.deterministic
        return self.stop.requested or spent or time.monotonic() > self.deadline or self._near()

    def _take(self, plan: np.ndarray) -> bool:
        """Keep a plan that is within the task's limits and better; whether it was."""
        if not self.problem.is_complete(plan):
            return False
        values = self.problem.values(plan)
        if not self.task.admits(values) or (self.plan is not None and values[self.task.level] >= self.value):
            return False
        self.plan, self.values = plan, values
        self.note(plan, self.bound if self.bound > NOTHING else None)
        return True

    def _climb(self, evaluations: int) -> None:
        """Raise the bound, and learn which arcs matter."""
        before = self.ascent.evaluations
        with self._timed("bound"):
            self.ascent.climb(evaluations, self.stop, self.deadline)
            dual = self.ascent.dual()
        self.work += (self.ascent.evaluations - before) * self.problem.n_arcs * EVALUATION_WORK
        if self.dual is None or dual.bound >= self.certified:
            self.dual, self.certified, self.multipliers = dual, dual.bound, dual.multipliers
        self.bound = max(self.bound, self.certified)
        self.note(None, self.bound)

    def _walk(self) -> None:
        """A plan led by the dual: every group at its arc of least loss, then cured at least loss."""
        if self._over() or self.dual is None:
            return
        allowed = next((most for level, most in self.task.within if level == 0), 0)
        most = 0 if self.task.legal else allowed
        with self._timed("core"):
            self._take(guided(self.problem, self.dual, most, self.task.level, self.deadline))

    def _improve(self, pool: ThreadPoolExecutor) -> None:
        """By turns neighbourhoods and, where the open arcs are few, the solver on all of them with ever more time."""
        whole_next = self.problem.n_arcs <= AT_ONCE_ARCS
        while not self._over() and not self.solved and not self.impossible:
            if self.ascent.converged and self.rounds and self.ascent.deepens:
                with self._timed("bound"):
                    self.ascent = self.ascent.deepened()
            if not self.ascent.converged:
                self._climb(FURTHER)
                self._walk()
            if self._over() or self.dual is None:
                return
            arcs = self._open_arcs(self.dual)
            if self.plan is None:
                self._find_one()
            elif self._whole_next(whole_next, len(arcs) - len(self.problem.groups)):
                self._decide(arcs, self.exact_work, all_open=True)
                self.exact_work *= 2
                whole_next = False
            else:
                before = self.value
                with self._timed("improve"):
                    self._round(self.dual, pool)
                if self.value == before:
                    self.part_work = min(MAX_PART_WORK, 2 * self.part_work)

    def _whole_next(self, first: bool, choices: int) -> bool:
        """Whether it is the whole's turn: at once where the problem is small, then the more time the fewer choices."""
        if choices > MOST_ARCS:
            return False
        return first or 3 * self.spent["core"] * choices < self.spent["improve"] * FEW_ARCS

    def _find_one(self) -> None:
        """Without a plan, look for one in growing cores, and among all arcs in the end."""
        if self.first_cores:
            core = self._core(self.first_cores.pop(0))
            self._decide(core, self._work_for(core), all_open=False)
        else:
            self._decide(np.arange(self.problem.n_arcs), self.exact_work, all_open=True)
            self.exact_work *= 2

    def _work_for(self, arcs: np.ndarray) -> float:
        return CORE_WORK * (1 + min(len(arcs), 4 * FEW_ARCS) / FEW_ARCS)

    def _core(self, share: float) -> np.ndarray:
        """The arcs of small loss, and each group's best two."""
        dual, group = self.dual, self.problem.arc_group
        assert dual is not None
        core = dual.loss <= share * self.ascent.usual
        order = np.lexsort((dual.loss, group))
        first = np.searchsorted(group[order], np.arange(len(self.problem.groups)))
        core[order[first]] = core[order[np.minimum(first + 1, len(order) - 1)]] = True
        return np.flatnonzero(core)

    def _open_arcs(self, dual: Dual) -> np.ndarray:
        """Arcs that a better plan could take, and those of the best plan."""
        if self.plan is None:
            return np.arange(self.problem.n_arcs)
        most = self.value - 1 - dual.bound
        open_ = dual.loss <= most + dual.doubt + 1
        open_[self.plan] = True
        return np.flatnonzero(open_)

    def _decide(self, arcs: np.ndarray, work: float, all_open: bool) -> None:
        """The solver on some arcs of every group. Where these are all that are open, what it proves holds for all."""
        every = np.arange(len(self.problem.groups))
        start = np.full(len(every), -1) if self.plan is None else self.plan
        with self._timed("core"):
            part = self.narrower.narrowed(every, arcs, start)
            answer = self._minimise(part, work, self.effort.workers)
        if answer.chosen is not None:
            self._take(part.widened(answer.chosen, start))
        if not all_open:
            return
        if answer.bound is not None and self.plan is not None:
            self.bound = max(self.bound, min(self.value, answer.bound + part.constant[self.task.level]))
            self.note(None, self.bound)
        self.solved = answer.status == "optimal"
        self.impossible = answer.status == "infeasible" and self.plan is None

    def _round(self, dual: Dual, pool: ThreadPoolExecutor) -> None:
        """Neighbourhoods side by side, of few books and of few groups by turns, until several have changed nothing."""
        assert self.plan is not None
        seed = self.effort.seed + int(self.work * 1000)
        neighbours = Neighbours(self.problem, dual, self.narrower, self.sizes, seed)
        self.rounds += 1
        idle = turn = 0
        while not self._over() and not self._bound_is_due() and idle < 3 + neighbours.count // 3:
            kind = Kind.GROUPS if turn % 2 else Kind.BOOKS
            picked = neighbours.pick(kind, self.plan, self.value - self.bound, max(1, self.effort.workers))
            parts = [self.narrower.narrowed(groups, arcs, self.plan) for groups, arcs in picked]
            answers = list(pool.map(lambda part: self._minimise(part, self.part_work, 1), parts))
            before = self.value
            self._adopt(parts, answers)
            self.sizes.learn(kind, all(answer.status == "optimal" for answer in answers))
            idle = 0 if self.value < before else idle + 1
            turn += 1
            self.work += 0.001

    def _bound_is_due(self) -> bool:
        """Half the time or work is gone, and a closer bound is still to be had."""
        work = self.effort.deterministic is not None and 2 * self.work > self.effort.deterministic
        return self.ascent.deepens and (work or time.monotonic() > self.halfway)

    def _adopt(self, parts: list[Narrowed], answers: list[Answer]) -> None:
        """Take all choices together where they go together, else those that do one after the other."""
        assert self.plan is not None
        joined = self.plan
        for part, answer in zip(parts, answers, strict=True):
            if answer.chosen is not None:
                joined = part.widened(answer.chosen, joined)
        if self._take(joined):
            return
        for part, answer in zip(parts, answers, strict=True):
            if answer.chosen is not None:
                self._take(part.widened(answer.chosen, self.plan))

    def _minimise(self, part: Narrowed, work: float, workers: int) -> Answer:
        """The solver on a part, hinted with what the plan does there."""
        seconds = max(0.05, self.deadline - time.monotonic())
        left = math.inf if self.effort.deterministic is None else max(0.01, self.effort.deterministic - self.work)
        effort = replace(self.effort, seconds=seconds, deterministic=min(work, left), workers=workers)
        if self.plan is not None and len(part.groups) < len(self.problem.groups):
            effort = replace(effort, gap=0.0)
        hint = None
        if self.plan is not None:
            hint = np.searchsorted(part.arcs, self.plan[part.groups])
        watch = partial(self._watch, part) if len(part.groups) == len(self.problem.groups) else None
        answer = minimise(part.problem, part.task(self.task), hint, effort, self.stop, watch)
        self.work += answer.work
        return answer

    def _watch(self, part: Narrowed, _value: int, _bound: int, plan: Callable[[], np.ndarray]) -> None:
        """Pass on what the running solver has, not too often; it is kept only from its answer."""
        now = time.monotonic()
        if now - self.noted > NOTE_SECONDS:
            self.noted = now
            chosen = plan()
            if (chosen >= 0).all():
                self.note(part.widened(chosen, np.zeros(len(self.problem.groups), dtype=np.int64)), None)
