"""Mixed-integer models for OR-tools' MathOpt, written in bulk from arrays, and solved with a log that is read along."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from ortools.math_opt import model_pb2
from ortools.math_opt.python import mathopt
from scipy.sparse import csr_matrix, vstack

from benchmarks.instance import Instance, bounds
from benchmarks.peers.answer import Answer, History

LEAST_SECONDS = 0.1

NUMBER = r"([-+]?(?:\d[\d.]*(?:e[-+]?\d+)?|inf|Inf|-))"
HIGHS = re.compile(rf"^\s*\w?\s*\d+\s+\d+\s+\d+\s+[\d.]+%\s+{NUMBER}\s+{NUMBER}\s+\S+")
"""Columns of a line of HiGHS: source, processed, in queue, leaves, explored, best bound, best solution, gap."""

SCIP = re.compile(rf"^\s*\S*\s*[\d.]+s\|.*\|\s*{NUMBER}\s*\|\s*{NUMBER}\s*\|[^|]*\|[^|]*$")
"""The last four columns of a line of SCIP: dual bound, primal bound, gap, completed."""


@dataclass(frozen=True)
class Model:
    """Columns with costs and upper bounds, the first `integers` of them whole; rows `lo <= matrix x <= hi`."""

    cost: np.ndarray
    upper: np.ndarray
    integers: int
    matrix: csr_matrix
    lo: np.ndarray
    hi: np.ndarray

    def proto(self) -> model_pb2.ModelProto:
        """The model as MathOpt takes it."""
        made = model_pb2.ModelProto()
        columns, rows, entries = made.variables, made.linear_constraints, made.linear_constraint_matrix
        columns.ids.extend(range(len(self.cost)))
        columns.lower_bounds.extend([0.0] * len(self.cost))
        columns.upper_bounds.extend(self.upper.tolist())
        columns.integers.extend((np.arange(len(self.cost)) < self.integers).tolist())
        rows.ids.extend(range(len(self.lo)))
        rows.lower_bounds.extend(self.lo.tolist())
        rows.upper_bounds.extend(self.hi.tolist())
        self.matrix.sort_indices()
        entries.row_ids.extend(np.repeat(np.arange(len(self.lo)), np.diff(self.matrix.indptr)).tolist())
        entries.column_ids.extend(self.matrix.indices.tolist())
        entries.coefficients.extend(self.matrix.data.tolist())
        priced = np.flatnonzero(self.cost)
        made.objective.linear_coefficients.ids.extend(priced.tolist())
        made.objective.linear_coefficients.values.extend(self.cost[priced].tolist())
        return made


def hard_model(instance: Instance) -> Model:
    """Least disruption with every limit hard: a binary per arc."""
    problem, rows, kept = instance.problem, instance.problem.rows, instance.limits()
    lo, hi = (np.concatenate([np.ones(len(problem.groups)), bounds(side[kept])]) for side in (rows.lo, rows.hi))
    matrix = csr_matrix(vstack([one_each(instance), weights(instance)[kept]]))
    return Model(instance.cost.astype(float), np.ones(problem.n_arcs), problem.n_arcs, matrix, lo, hi)


def one_each(instance: Instance) -> csr_matrix:
    """Groups by arcs: which arcs a group has."""
    problem = instance.problem
    at = (problem.arc_group, np.arange(problem.n_arcs))
    return csr_matrix((np.ones(problem.n_arcs), at), shape=(len(problem.groups), problem.n_arcs))


def weights(instance: Instance) -> csr_matrix:
    """Rows by arcs."""
    rows = instance.problem.rows
    shape = (len(rows), instance.problem.n_arcs)
    return csr_matrix((rows.weight.astype(float), rows.arc, rows.ptr), shape=shape)


def solved(
    instance: Instance, model: Model, solver: str, seconds: float, gap: float, history: History, exact: bool
) -> Answer:
    """The solver's plan. `exact`: the objective is the disruption, so that values and bounds on the way are noted."""
    made = mathopt.Model.from_model_proto(model.proto())
    limit = timedelta(seconds=max(LEAST_SECONDS, seconds - history.seconds))
    parameters = mathopt.SolveParameters(time_limit=limit, relative_gap_tolerance=gap)
    read = _reader(HIGHS if solver == "HIGHS" else SCIP, history) if exact else None
    result = mathopt.solve(made, mathopt.SolverType[solver], params=parameters, msg_cb=read)
    reason = result.termination.reason.name.lower()
    bound = result.termination.objective_bounds.dual_bound
    known = math.ceil(bound - 1e-6) if exact and math.isfinite(bound) else None
    if not result.has_primal_feasible_solution():
        history.note(None, known)
        return Answer(None, reason, known, history.points)
    values = result.variable_values()
    taken = np.fromiter((values[column] for column in made.variables()), dtype=float, count=len(model.cost))
    chosen = _chosen(instance, taken[: instance.problem.n_arcs])
    history.note(instance.judged(chosen).get("value") if exact else None, known)
    return Answer(chosen, reason, known, history.points)


def _chosen(instance: Instance, taken: np.ndarray) -> np.ndarray:
    """The arc of each group with the largest value: what a solver calls 1 may be a hair less."""
    order = np.lexsort((taken, instance.problem.arc_group))
    last = np.cumsum(np.bincount(instance.problem.arc_group, minlength=len(instance.problem.groups))) - 1
    return order[last]


def _reader(pattern: re.Pattern[str], history: History) -> mathopt.SolveMessageCallback:
    def read(lines: Sequence[str]) -> None:
        for line in lines:
            note_line(line, pattern, history)

    return read


def note_line(line: str, pattern: re.Pattern[str], history: History) -> None:
    """Bound and value of a line of the solver's log, where it is one."""
    found = pattern.match(line)
    if found:
        bound, value = (_finite(text) for text in found.groups())
        history.note(None if value is None else round(value), None if bound is None else math.ceil(bound - 1e-6))


def _finite(text: str) -> float | None:
    number = float(text) if text != "-" else math.inf
    return number if math.isfinite(number) else None
