"""Weighted sum: disruption and balance in one objective with soft limits, stopped at a gap of 2 %."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix, hstack, vstack

from benchmarks.instance import Instance, bounds
from benchmarks.peers.answer import Answer, History
from benchmarks.peers.mathopt_model import Model, one_each, solved, weights

GAP = 0.02
SCALE = 1e5
"""Keeps the prices of single accounts well above the tolerances of the solver."""

WEIGHTS = {"disruption": 0.5, "balance": 0.5, "overload": 10.0}
"""Of parts that are 1 each: every account moved; as unbalanced as today; as overloaded as today."""


def run(instance: Instance, seconds: float, _seed: int, _workers: int) -> Answer:
    """The plan of the sum; whether it is legal, the judge says."""
    history = History()
    model = _model(instance)
    answer = solved(instance, model, "HIGHS", seconds, GAP, history, exact=False)
    judged = instance.judged(answer.chosen)
    if judged["legal"]:
        history.note(judged["value"], None)
    return Answer(answer.chosen, answer.status, None, history.points)


def _model(instance: Instance) -> Model:
    """Arcs, then for every limit that is not hard and every balance row a slack below and one above."""
    problem, rows = instance.problem, instance.problem.rows
    levels = {name: problem.level_index(name) for name in ("overload", "balance")}
    kept = np.flatnonzero((rows.level < 0) | np.isin(rows.level, [at for at in levels.values() if at is not None]))
    soft = np.flatnonzero(rows.level[kept] >= 0)
    slack = csr_matrix((np.ones(len(soft)), (soft, np.arange(len(soft)))), shape=(len(kept), len(soft)))
    nothing = csr_matrix((len(problem.groups), 2 * len(soft)))
    limited = hstack([weights(instance)[kept], slack, -slack])
    matrix = csr_matrix(vstack([hstack([one_each(instance), nothing]), limited]))
    price = _prices(instance, kept[soft], levels)
    cost = SCALE * np.concatenate([WEIGHTS["disruption"] * instance.cost / _of_moving_all(instance), price, price])
    upper = np.concatenate([np.ones(problem.n_arcs), np.full(2 * len(soft), np.inf)])
    lo, hi = (np.concatenate([np.ones(len(problem.groups)), bounds(side[kept])]) for side in (rows.lo, rows.hi))
    return Model(cost, upper, problem.n_arcs, matrix, lo, hi)


def _prices(instance: Instance, soft: np.ndarray, levels: dict[str, int | None]) -> np.ndarray:
    """What a unit beyond each soft row costs in the sum."""
    rows = instance.problem.rows
    today = instance.problem.values(instance.problem.today)
    price = np.zeros(len(soft))
    for name, level in levels.items():
        if level is not None:
            here = rows.level[soft] == level
            price[here] = WEIGHTS[name] * rows.penalty[soft[here]] / max(1, today[level])
    return price


def _of_moving_all(instance: Instance) -> float:
    first = np.searchsorted(instance.problem.arc_group, np.arange(len(instance.problem.groups)))
    return float(max(1, np.maximum.reduceat(instance.cost, first).sum()))
