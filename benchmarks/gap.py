"""The literature's generalized assignment instances: jobs to agents under knapsack limits at least cost.

gap1 to gap12: Cattrysse & Van Wassenhove (1992), as minimisation. Types C, D, E: Chu & Beasley (1997), Yagiura, Ibaraki
& Glover (2004, 2006). A folder holds the instances and `best_known.csv` with instance, jobs, agents, best_known and the
reported 120 s results of CPLEX and of a local search (columns cplex_120s, local_search_120s; empty: none reported).
"""

from __future__ import annotations

import csv
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.child import step
from benchmarks.machine import machine
from benchmarks.peers.answer import History
from benchmarks.suite import PATIENCE, SCHEMA_VERSION, Note
from rebalancer.problem import HARD, NO_LIMIT, Gates, Level, Problem, Rows

ROOT = Path(__file__).resolve().parents[1]
BEST_KNOWN = "best_known.csv"
SECONDS = 120.0
"""The limit of the reported peers."""


def folder_of() -> Path:
    """The folder `gap` of REBALANCER_SHARED, else of the folder `shared` beside the checkout."""
    return Path(os.environ.get("REBALANCER_SHARED", ROOT.parent / "shared")) / "gap"


def read_problem(file: Path) -> Problem:
    """An instance: `m n`, then m x n costs, m x n weights and m capacities, agent by agent."""
    numbers = np.array(file.read_text(encoding="utf-8").split(), dtype=np.int64)
    agents, jobs = (int(number) for number in numbers[:2])
    cost, weight = numbers[2 : 2 + 2 * agents * jobs].reshape(2, agents, jobs)
    capacity = numbers[2 + 2 * agents * jobs :]
    if len(capacity) != agents:
        raise ValueError(f"{file.name}: {agents} agents, but {len(capacity)} capacities")
    return _problem(cost, weight, capacity)


def _problem(cost: np.ndarray, weight: np.ndarray, capacity: np.ndarray) -> Problem:
    """A group per job, an arc per job and agent, a hard row per agent; nothing is anywhere today."""
    agents, jobs = cost.shape
    arc = np.arange(agents * jobs)
    agent = arc % agents
    rows = Rows(
        names=tuple(f"agent {number}" for number in range(agents)),
        rules=("capacity",) * agents,
        ptr=np.arange(agents + 1) * jobs,
        arc=np.argsort(agent, kind="stable"),
        weight=weight.reshape(-1),
        lo=np.full(agents, -NO_LIMIT),
        hi=capacity,
        level=np.full(agents, HARD),
        penalty=np.zeros(agents, dtype=np.int64),
    )
    none = np.zeros(0, dtype=np.int64)
    levels = (
        Level("overload", np.zeros(len(arc), dtype=np.int64), none),
        Level("disruption", cost.T.reshape(-1), none),
    )
    groups = tuple(f"job {number}" for number in range(jobs))
    return Problem(groups, rows.names, arc // agents, agent, agent, np.full(jobs, -1), rows, Gates(), levels)


def best_known(folder: Path) -> list[dict[str, Any]]:
    """The rows of `best_known.csv`; empty cells are None."""
    with (folder / BEST_KNOWN).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    numbers = ("jobs", "agents", "best_known", "cplex_120s", "local_search_120s")
    return [
        {"instance": row["instance"], **{name: int(row[name]) if row[name] else None for name in numbers}}
        for row in rows
    ]


def solved(file: Path, seconds: float, seed: int) -> dict[str, Any]:
    """The engine's answer to one instance, recomputed."""
    from rebalancer.engine.outcome import Options, Stop
    from rebalancer.engine.search import solve

    problem, history = read_problem(file), History()
    options = Options(time_limit=seconds, seed=seed, workers=os.cpu_count() or 1)
    started = time.perf_counter()
    outcome = solve(problem, options, Stop(), lambda state: history.note(state.best, state.bound, state.seconds))
    level = outcome.level("disruption")
    assert level is not None
    return {
        "seconds": round(time.perf_counter() - started, 2),
        "legal": problem.is_complete(outcome.chosen),
        "value": problem.values(outcome.chosen)[1],
        "bound": level.bound,
        "certificate_bound": level.certificate_bound,
        "proof": level.proof,
    }


def run(folder: Path, seconds: float | None, seed: int, note: Note, names: tuple[str, ...] = ()) -> dict[str, Any]:
    """The record of all instances of a folder (or of those named), each solved in a fresh process."""
    listed = [row for row in best_known(folder) if not names or row["instance"] in names]
    limit = seconds or SECONDS
    found = []
    with tempfile.TemporaryDirectory() as place:
        for row in listed:
            note(f"gap: {row['instance']}, at most {limit:g} s")
            answer = Path(place) / f"{row['instance']}.json"
            request = {"folder": folder, "name": row["instance"], "seconds": limit, "seed": seed}
            found.append({**row, **step("gap", answer, limit + PATIENCE, **request)})
    return {
        "schema_version": SCHEMA_VERSION,
        "case": "gap",
        "seed": seed,
        "limit": limit,
        "machine": machine(),
        "instances": found,
    }
