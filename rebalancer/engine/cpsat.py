"""CP-SAT: minimises one level of a problem while earlier levels stay within given values.

Values are never read from the solver's floats: the plan is taken and its value recomputed in integers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from ortools.sat.python import cp_model

from rebalancer.engine.outcome import Stop
from rebalancer.errors import Fault, InvalidInput
from rebalancer.problem import HARD, NO_LIMIT, Problem

MAX_OBJECTIVE = 2**53
"""Sums above this are not exact everywhere in the solver."""

Watch = Callable[[int, int, Callable[[], np.ndarray]], None]
"""Called with (best value, bound, what works out the plan) on every better plan."""

Status = Literal["optimal", "feasible", "infeasible", "unknown"]


@dataclass(frozen=True)
class Task:
    """Minimise `level`; keep each level of `within` at or below its value.

    `legal` makes the rows that level `overload` prices hard. Rows priced by other levels take part only where
    their level is minimised or kept. `closed` flags arcs that may not be taken.
    """

    level: int
    within: tuple[tuple[int, int], ...] = ()
    legal: bool = True
    closed: np.ndarray | None = None

    def admits(self, values: tuple[int, ...]) -> bool:
        """A plan with these values is one of those that the task chooses from."""
        return (not self.legal or values[0] == 0) and all(values[level] <= most for level, most in self.within)


@dataclass(frozen=True)
class Effort:
    """Limits of one call: seconds, deterministic time (None: unlimited), workers, relative gap, seed.

    Without `presolve` the solver takes another way, to test an answer of its own.
    """

    seconds: float
    deterministic: float | None
    workers: int
    gap: float
    seed: int
    presolve: bool = True


@dataclass(frozen=True)
class Answer:
    """`chosen` is the best plan found and `bound` a lower bound on the level, each None where there is none. `work` is
    the deterministic time it took.
    """

    status: Status
    chosen: np.ndarray | None
    bound: int | None
    work: float = field(default=0.0, compare=False)


class Watcher(cp_model.CpSolverSolutionCallback):
    """Passes every improvement on: (objective, bound) as integers, and its plan on demand."""

    def __init__(self, report: Watch, model: _Model) -> None:
        super().__init__()
        self._report, self._model = report, model

    def on_solution_callback(self) -> None:
        """Called by the solver on every better plan."""
        self._report(round(self.objective_value), round(self.best_objective_bound), self._plan)

    def _plan(self) -> np.ndarray:
        return self._model.chosen(self.response_proto)


def minimise(
    problem: Problem, task: Task, hint: np.ndarray | None, effort: Effort, stop: Stop, report: Watch | None = None
) -> Answer:
    """Solve one task. Raises `InvalidInput` where a row's or the objective's numbers are too large to be exact."""
    model = _Model(problem, task)
    if hint is not None:
        model.add_hint(hint)
    solver = cp_model.CpSolver()
    _set_parameters(solver, effort)
    watcher = Watcher(report, model) if report is not None else None
    stop.watch(id(solver), solver.stop_search)
    try:
        if stop.requested:  # a solver that does not run yet cannot be stopped
            return Answer("unknown", None, None)
        status = solver.solve(model.model, watcher)
    finally:
        stop.release(id(solver))
    response = solver.response_proto
    work = float(response.deterministic_time)
    if status == cp_model.INFEASIBLE:
        return Answer("infeasible", None, None, work)
    if status == cp_model.MODEL_INVALID:
        raise InvalidInput([Fault("model", "the solver refuses the model.", "Please report this with the book.")])
    if status == cp_model.UNKNOWN:
        return Answer("unknown", None, _bound(response, model.offset), work)
    chosen = model.chosen(response)
    if status == cp_model.OPTIMAL:
        return Answer("optimal", chosen, _bound(response, model.offset, finished=True), work)
    return Answer("feasible", chosen, _bound(response, model.offset), work)


def _bound(response: Any, offset: int, finished: bool = False) -> int | None:
    """The lower bound on the level. A solver stopped before its first bound reports 0 twice: then there is none."""
    inner, scaled = response.inner_objective_lower_bound, response.best_objective_bound
    if not finished and inner == 0 and scaled == 0:
        return None
    return min(offset + inner, math.ceil(scaled - 1e-6))


def _set_parameters(solver: cp_model.CpSolver, effort: Effort) -> None:
    parameters = solver.parameters
    parameters.max_time_in_seconds = max(0.01, effort.seconds)
    if effort.deterministic is not None:
        parameters.max_deterministic_time = effort.deterministic
    parameters.num_workers = effort.workers
    parameters.relative_gap_limit = effort.gap
    parameters.random_seed = effort.seed
    parameters.catch_sigint_signal = False
    parameters.cp_model_presolve = effort.presolve
    # OR-tools 9.15 answers OPTIMAL with a wrong optimum on rows whose coefficients add up past 2^31-1 (its issue
    # 5293) unless this presolve step is off; `rebalancer doctor` tests the cure.
    parameters.presolve_inclusion_work_limit = 0


class _Model:
    """The task as a CP-SAT model: variable a is arc a, then gates, then one slack per side of an elastic row."""

    def __init__(self, problem: Problem, task: Task) -> None:
        self.problem, self.task = problem, task
        self.model = cp_model.CpModel()
        self._proto = self.model.Proto()
        self._slacks: list[tuple[int, int, int]] = []
        self._priced: dict[int, tuple[list[int], list[int]]] = {}
        self._add_arcs()
        self._add_gates()
        self._add_rows()
        for level, most in task.within:
            variables, costs, offset = self._objective(level)
            self._linear(variables, costs, -NO_LIMIT, most - offset, f"level {problem.levels[level].name}")
        variables, costs, self.offset = self._objective(task.level)
        self._check_magnitude(costs, variables, f"level {problem.levels[task.level].name}")
        self._proto.objective.vars.extend(variables)
        self._proto.objective.coeffs.extend(costs)
        self._proto.objective.offset = self.offset  # so that the relative gap is that of the level

    def _add_variable(self, low: int, high: int) -> int:
        variable = self._proto.variables.add()
        variable.domain.extend([low, high])
        return len(self._proto.variables) - 1

    def _add_arcs(self) -> None:
        problem = self.problem
        counts = np.bincount(problem.arc_group, minlength=len(problem.groups))
        alone = counts[problem.arc_group] == 1
        closed = np.zeros(problem.n_arcs, dtype=bool) if self.task.closed is None else self.task.closed
        for only, shut in zip(alone.tolist(), closed.tolist(), strict=True):
            self._add_variable(1 if only else 0, 0 if shut else 1)
        ends = np.cumsum(counts).tolist()
        for first, last in zip([0, *ends], ends, strict=False):
            if last - first > 1:
                self._proto.constraints.add().exactly_one.literals.extend(range(first, last))

    def _add_gates(self) -> None:
        gates = self.problem.gates
        self._first_gate = len(self._proto.variables)
        for gate in range(len(gates)):
            opened = self._add_variable(0, 1)
            for arc in gates.arc[gates.ptr[gate] : gates.ptr[gate + 1]].tolist():
                self._proto.constraints.add().bool_or.literals.extend([-arc - 1, opened])

    def _add_rows(self) -> None:
        rows, overload = self.problem.rows, self.problem.level_index("overload")
        wanted = {self.task.level, *(level for level, _ in self.task.within)}
        for row in range(len(rows)):
            level = int(rows.level[row])
            hard = level == HARD or (level == overload and self.task.legal)
            if not hard and level not in wanted:
                continue
            arcs = rows.arc[rows.ptr[row] : rows.ptr[row + 1]].tolist()
            weights = rows.weight[rows.ptr[row] : rows.ptr[row + 1]].tolist()
            self._add_row(row, arcs, weights, hard)

    def _add_row(self, row: int, arcs: list[int], weights: list[int], hard: bool) -> None:
        """One row; where it is elastic, each side that can break gets a slack priced at the row's level."""
        rows = self.problem.rows
        lo, hi, most = int(rows.lo[row]), int(rows.hi[row]), sum(weights)
        for bound, breakable, sign in ((hi, most > hi, -1), (lo, lo > 0, 1)):
            if not breakable or abs(bound) >= NO_LIMIT:
                continue
            slack: list[int] = []
            if not hard:
                slack = [self._add_variable(0, max(0, most - hi if sign < 0 else lo))]
                self._slacks.append((slack[0], row, sign))
                variables, prices = self._priced.setdefault(int(rows.level[row]), ([], []))
                variables += slack
                prices.append(int(rows.penalty[row]))
            low, high = (-NO_LIMIT, hi) if sign < 0 else (lo, NO_LIMIT)
            self._linear([*arcs, *slack], [*weights, *([sign] * len(slack))], low, high, rows.names[row])

    def _linear(self, variables: list[int], weights: list[int], lo: int, hi: int, name: str) -> None:
        self._check_magnitude(weights, variables, name)
        linear = self._proto.constraints.add().linear
        linear.vars.extend(variables)
        linear.coeffs.extend(weights)
        linear.domain.extend([lo, hi])

    def _check_magnitude(self, weights: list[int], variables: list[int], name: str) -> None:
        total = sum(
            abs(weight) * max(1, self._proto.variables[variable].domain[1])
            for weight, variable in zip(weights, variables, strict=True)
        )
        if total > MAX_OBJECTIVE:
            problem = f"the numbers of {name} add up to {total:.2e}, beyond the {MAX_OBJECTIVE:.2e} that stay exact."
            cure = "Give amounts in thousands, or split the book."
            raise InvalidInput([Fault("magnitude", problem, cure)])

    def _objective(self, level: int) -> tuple[list[int], list[int], int]:
        """Variables, prices and constant of a level. Each group's usual cost becomes part of the constant, which
        keeps rows over a level small: most arcs of a group cost the same.
        """
        costs = self.problem.levels[level]
        usual = _usual_cost(self.problem, costs.arc_cost)
        rest = costs.arc_cost - usual[self.problem.arc_group]
        arcs = np.flatnonzero(rest)
        gates = np.flatnonzero(costs.gate_cost)
        variables, prices = self._priced.get(level, ([], []))
        return (
            [*arcs.tolist(), *(gates + self._first_gate).tolist(), *variables],
            [*rest[arcs].tolist(), *costs.gate_cost[gates].tolist(), *prices],
            int(usual.sum()),
        )

    def add_hint(self, chosen: np.ndarray) -> None:
        """Suggest a complete plan, with the slacks and gates it needs."""
        problem, hint = self.problem, self._proto.solution_hint
        taken = problem.taken(chosen)
        activity = problem.rows.activity(taken)
        hint.vars.extend(range(len(self._proto.variables)))
        slacks = []
        for variable, row, sign in self._slacks:
            broken = activity[row] - problem.rows.hi[row] if sign < 0 else problem.rows.lo[row] - activity[row]
            slacks.append(min(max(0, int(broken)), self._proto.variables[variable].domain[1]))
        opened = problem.gates.open(taken).astype(int).tolist()
        hint.values.extend([*taken.astype(int).tolist(), *opened, *slacks])

    def chosen(self, response: Any) -> np.ndarray:
        """The arc of each group from the solver's values; -1 where it took none, which the caller refuses."""
        solution = np.array(list(response.solution)[: self.problem.n_arcs], dtype=np.int64)
        chosen = np.full(len(self.problem.groups), -1)
        arcs = np.flatnonzero(solution)
        chosen[self.problem.arc_group[arcs]] = arcs
        return chosen


def _usual_cost(problem: Problem, cost: np.ndarray) -> np.ndarray:
    """The median cost of each group's arcs."""
    order = np.lexsort((cost, problem.arc_group))
    counts = np.bincount(problem.arc_group, minlength=len(problem.groups))
    middle = np.cumsum(counts) - counts + counts // 2
    usual: np.ndarray = cost[order][np.minimum(middle, max(0, len(cost) - 1))]
    return np.where(counts > 0, usual, 0) if len(cost) else np.zeros(len(problem.groups), dtype=np.int64)
