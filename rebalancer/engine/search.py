"""Search: splits a problem into components, solves them in parallel, and adds up what is known."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace

import numpy as np

from rebalancer.engine.board import Board
from rebalancer.engine.component import PassOn, solve_component
from rebalancer.engine.contradiction import refuse_contradictions
from rebalancer.engine.outcome import ComponentResult, Options, Outcome, Report, Stop
from rebalancer.engine.together import Part, parts_of, together
from rebalancer.errors import Interrupted, NoPlanInTime
from rebalancer.problem import Problem

SMALL = 1_000
"""Components with fewer arcs get one solver worker each: that is reproducible, and quick enough."""

LEAST_SHARE = 0.05
"""Share of the remaining time that even the smallest component may use."""

TICK = 0.1


Keep = Callable[[np.ndarray, np.ndarray, bool], None]
"""Called with some groups, the arcs of a better plan for them, and whether the solver found it."""


def solve(
    problem: Problem,
    options: Options,
    stop: Stop | None = None,
    report: Report | None = None,
    keep: Keep | None = None,
) -> Outcome:
    """The best plan found for every component, and bounds that hold for the whole. `keep` gets plans on the way.

    Raises `NoLegalPlan` where hard rows are proven to contradict each other, `NoPlanInTime` where some component has no
    complete plan for another reason, `Interrupted` where a stop came before one.
    """
    stop, started = stop or Stop(), time.monotonic()
    parts = parts_of(problem)
    board = Board(len(parts), report)
    results = _solve_all(parts, options, stop, board, keep)
    missing = [part for part, result in zip(parts, results, strict=True) if result is None]
    if missing:
        accounts = ", ".join(missing[0].problem.groups[:5])
        if not stop.requested:
            left = options.time_limit - (time.monotonic() - started)
            refuse_contradictions([part.problem for part in missing], left, stop)
        if stop.requested:
            raise Interrupted("stopped before there was a plan.")
        raise NoPlanInTime(f"no plan was found in {options.time_limit:g} s for the accounts {accounts}, ...")
    found = [result for result in results if result is not None]
    outcome = together(problem, parts, found, stop)
    return outcome if options.of_arcs is None else replace(outcome, components=tuple(found))


def _solve_all(
    parts: list[Part], options: Options, stop: Stop, board: Board, keep: Keep | None
) -> list[ComponentResult | None]:
    """Largest first, on as many threads as there are workers; the solver runs outside Python's lock."""
    queue = sorted(range(len(parts)), key=lambda index: -parts[index].problem.n_arcs)
    total = sum(part.problem.n_arcs for part in parts) or 1
    of_arcs = options.of_arcs or total
    large = sum(part.problem.n_arcs * 2 * options.workers >= total for part in parts)
    threads = max(1, min(options.workers, large))
    deadline = time.monotonic() + options.time_limit
    results: list[ComponentResult | None] = [None] * len(parts)
    left = total
    lock = threading.Lock()

    def run(index: int) -> None:
        nonlocal left
        part = parts[index]
        with lock:
            waiting = left
            left -= part.problem.n_arcs
        remaining = max(0.0, deadline - time.monotonic())
        share = min(1.0, max(LEAST_SHARE, threads * part.problem.n_arcs / max(1, waiting)))
        seconds = remaining * share if not options.reproducible else options.time_limit
        work = options.time_limit * max(part.problem.n_arcs / of_arcs, 0.05)
        single = options.reproducible or part.problem.n_arcs < SMALL
        workers = 1 if single else max(1, options.workers // threads)
        results[index] = solve_component(
            part.problem, options, seconds, work, workers, stop, board.of(index), _passed_on(part, keep)
        )
        board.ended(index)

    with ThreadPoolExecutor(threads) as pool:
        _wait([pool.submit(run, index) for index in queue], stop)
    return results


def _passed_on(part: Part, keep: Keep | None) -> PassOn | None:
    """What a component calls with its better plans, in the arcs of the whole problem."""
    if keep is None:
        return None
    return lambda chosen, from_solver: keep(part.groups, part.arcs[chosen], from_solver)


def _wait(futures: Sequence[Future[None]], stop: Stop) -> None:
    """Wait in short ticks so that Ctrl-C arrives; it stops the solvers, which then return their best.

    A solver that was just about to start misses a request, so it is repeated. An error stops the others as well.
    """
    pending = set(futures)
    while pending:
        try:
            done, pending = wait(pending, timeout=TICK, return_when=FIRST_COMPLETED)
            for future in done:
                future.result()
            if stop.requested:
                stop.request()
        except KeyboardInterrupt:
            if stop.requested:
                raise
            stop.request()
        except BaseException:
            stop.request()
            raise
