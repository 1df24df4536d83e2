"""CP-SAT on the whole problem: what a careful modeller writes, without a decomposition."""

from __future__ import annotations

import math

import numpy as np
from ortools.sat.python import cp_model

from benchmarks.instance import Instance
from benchmarks.peers.answer import Answer, History

LEAST_SECONDS = 0.1


def run(instance: Instance, seconds: float, seed: int, workers: int) -> Answer:
    """The best plan and bound within the time, building the model included."""
    history = History()
    model = _model(instance)
    solver = cp_model.CpSolver()
    parameters = solver.parameters
    parameters.max_time_in_seconds = max(LEAST_SECONDS, seconds - history.seconds)
    parameters.num_workers = workers
    parameters.random_seed = seed
    parameters.presolve_inclusion_work_limit = 0  # without it 9.15 may answer with a wrong optimum (its issue 5293)
    solver.best_bound_callback = lambda bound: history.note(None, math.ceil(bound - 1e-6))
    status = solver.solve(model, _Watcher(history))
    words = solver.status_name(status).lower()
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return Answer(None, words, history.points[-1][2] if history.points else None, history.points)
    history.note(round(solver.objective_value), math.ceil(solver.best_objective_bound - 1e-6))
    taken = np.array(list(solver.response_proto.solution), dtype=bool)
    return Answer(_chosen(instance, taken), words, history.points[-1][2], history.points)


class _Watcher(cp_model.CpSolverSolutionCallback):
    def __init__(self, history: History) -> None:
        super().__init__()
        self.history = history

    def on_solution_callback(self) -> None:
        self.history.note(round(self.objective_value), None)


def _model(instance: Instance) -> cp_model.CpModel:
    """A boolean per arc, exactly one arc per group, every limit as a linear constraint; written in bulk."""
    problem, rows = instance.problem, instance.problem.rows
    model = cp_model.CpModel()
    proto = model.Proto()
    for _ in range(problem.n_arcs):
        proto.variables.add().domain.extend([0, 1])
    ends = np.cumsum(np.bincount(problem.arc_group, minlength=len(problem.groups))).tolist()
    for first, last in zip([0, *ends], ends, strict=False):
        proto.constraints.add().exactly_one.literals.extend(range(first, last))
    for row in instance.limits():
        entries = slice(rows.ptr[row], rows.ptr[row + 1])
        linear = proto.constraints.add().linear
        linear.vars.extend(rows.arc[entries].tolist())
        linear.coeffs.extend(rows.weight[entries].tolist())
        linear.domain.extend([int(rows.lo[row]), int(rows.hi[row])])
    priced = np.flatnonzero(instance.cost)
    proto.objective.vars.extend(priced.tolist())
    proto.objective.coeffs.extend(instance.cost[priced].tolist())
    proto.solution_hint.vars.extend(range(problem.n_arcs))
    proto.solution_hint.values.extend(problem.taken(problem.today).astype(int).tolist())
    return model


def _chosen(instance: Instance, taken: np.ndarray) -> np.ndarray:
    chosen = np.full(len(instance.problem.groups), -1)
    arcs = np.flatnonzero(taken)
    chosen[instance.problem.arc_group[arcs]] = arcs
    return chosen
