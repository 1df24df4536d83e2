"""Search: splits a problem into components, solves them in parallel, and adds up what is known."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

import numpy as np

from rebalancer.certificate import Certificate, Multipliers, outside, proven
from rebalancer.engine.component import CERTIFIED, ComponentResult, OneReport, PassOn, solve_component
from rebalancer.engine.contradiction import refuse_contradictions
from rebalancer.engine.outcome import LevelResult, Options, Outcome, Progress, Proof, Report, Stop, Stopped
from rebalancer.errors import Interrupted, NoPlanInTime
from rebalancer.parts import Parts
from rebalancer.problem import Problem

SMALL = 1_000
"""Components with fewer arcs get one solver worker each: that is reproducible, and quick enough."""

LEAST_SHARE = 0.05
"""Share of the remaining time that even the smallest component may use."""

TICK = 0.1


@dataclass(frozen=True)
class _Part:
    problem: Problem
    arcs: np.ndarray
    groups: np.ndarray
    rows: np.ndarray


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
    every = Parts(problem)
    parts = [_Part(*every[index], every.rows[index]) for index in range(len(every))]
    board = _Board(len(parts), report)
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
    return _together(problem, parts, [result for result in results if result is not None], stop)


def _solve_all(
    parts: list[_Part], options: Options, stop: Stop, board: _Board, keep: Keep | None
) -> list[ComponentResult | None]:
    """Largest first, on as many threads as there are workers; the solver runs outside Python's lock."""
    queue = sorted(range(len(parts)), key=lambda index: -parts[index].problem.n_arcs)
    total = sum(part.problem.n_arcs for part in parts) or 1
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
        work = options.time_limit * max(part.problem.n_arcs / total, 0.05)
        single = options.reproducible or part.problem.n_arcs < SMALL
        workers = 1 if single else max(1, options.workers // threads)
        results[index] = solve_component(
            part.problem, options, seconds, work, workers, stop, board.of(index), _passed_on(part, keep)
        )
        board.ended(index)

    with ThreadPoolExecutor(threads) as pool:
        _wait([pool.submit(run, index) for index in queue], stop)
    return results


def _passed_on(part: _Part, keep: Keep | None) -> PassOn | None:
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


class _Board:
    """Adds up what the components report and passes it on."""

    def __init__(self, components: int, report: Report | None) -> None:
        self._best: list[int | None] = [None] * components
        self._bound: list[int | None] = [None] * components
        self._moves = [0] * components
        self._done: set[int] = set()
        self._report, self._started, self._lock = report, time.monotonic(), threading.Lock()

    def of(self, index: int) -> OneReport:
        """The reporter of one component."""

        def note(best: int | None, bound: int | None, moves: int) -> None:
            with self._lock:
                self._best[index] = best if best is not None else self._best[index]
                self._bound[index] = bound if bound is not None else self._bound[index]
                self._moves[index] = moves if moves >= 0 else self._moves[index]
            self._tell()

        return note

    def ended(self, index: int) -> None:
        """A component is done."""
        self._done.add(index)
        self._tell()

    def _tell(self) -> None:
        if self._report is None:
            return
        best = [value for value in self._best if value is not None]
        bound = [value for value in self._bound if value is not None]
        self._report(
            Progress(
                best=sum(best) if len(best) == len(self._best) else None,
                bound=sum(bound) if bound else None,
                moves=sum(self._moves),
                done=len(self._done),
                components=len(self._best),
                seconds=time.monotonic() - self._started,
            )
        )


def _together(problem: Problem, parts: list[_Part], results: list[ComponentResult], stop: Stop) -> Outcome:
    chosen = np.full(len(problem.groups), -1)
    for part, result in zip(parts, results, strict=True):
        chosen[part.groups] = part.arcs[result.chosen]
    values = problem.values(chosen)
    constant = outside(problem)
    certificates = tuple(_joined(problem, parts, results, level) for level in CERTIFIED[: 1 + (values[0] > 0)])
    certified = {certificate.level: proven(problem, chosen, certificate) for certificate in certificates}
    levels = tuple(
        _added(name, values[index], constant[index], [result.levels[index] for result in results], certified.get(name))
        for index, name in enumerate(level.name for level in problem.levels)
    )
    return Outcome(
        chosen=chosen,
        levels=levels,
        legal=values[0] == 0,
        stopped=_stopped(levels, results, stop),
        from_solver=any(result.from_solver for result in results),
        warnings=tuple(dict.fromkeys(warning for result in results for warning in result.warnings)),
        certificates=certificates,
        spent=_spent(results),
    )


def _spent(results: list[ComponentResult]) -> dict[str, float]:
    """Seconds by phase, added up over components (which run side by side)."""
    phases = dict.fromkeys(phase for result in results for phase in result.spent)
    return {phase: round(sum(result.spent.get(phase, 0.0) for result in results), 3) for phase in phases}


def _joined(problem: Problem, parts: list[_Part], results: list[ComponentResult], level: int) -> Certificate:
    """The multipliers of all components for one level; where a component needed none, its cheapest arcs prove it."""
    group, row = np.zeros(len(problem.groups), dtype=np.int64), np.zeros(len(problem.rows), dtype=np.int64)
    kept, copies = np.zeros(len(parts), dtype=np.int64), np.zeros(len(parts), dtype=np.int64)
    copy = [np.zeros(0, dtype=np.int64)]
    for place, (part, result) in enumerate(zip(parts, results, strict=True)):
        found = result.multipliers.get(level) or Multipliers.least(part.problem, level)
        group[part.groups], row[part.rows] = found.group, found.row
        kept[place] = found.kept[0] if len(found.kept) else 0
        copies[place] = len(found.copy)
        copy.append(found.copy)
    return Certificate(problem.levels[level].name, group, row, kept, np.concatenate(copy), copies)


def _added(name: str, value: int, constant: int, parts: list[LevelResult], certified: int | None) -> LevelResult:
    """One level of the whole: values, bounds and least values add up; a proof is as strong as its weakest part.

    `certified` is what the multipliers prove of the whole, worked out anew.
    """
    floor = _total(constant, [part.certificate_bound for part in parts])
    least = _total(constant, [part.least for part in parts])
    bound = _total(constant, [part.bound for part in parts])
    floor = certified if certified is not None else floor
    if floor is not None and certified is not None:
        bound = floor if bound is None else max(bound, min(floor, value if least is None else least))
    proof: Proof | None = None
    if all(part.proof is not None for part in parts):
        proof = "certificate" if floor == (value if least is None else min(value, least)) else "solver"
    return LevelResult(name, value, bound, proof, floor, least)


def _total(constant: int, values: list[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return constant + sum(known) if len(known) == len(values) else None


def _stopped(levels: tuple[LevelResult, ...], results: list[ComponentResult], stop: Stop) -> Stopped:
    deciding = [level for level in levels if level.name in ("overload", "disruption", "continuity")]
    if stop.requested:
        return "interrupt"
    if all(level.proof is not None for level in deciding):
        return "proven"
    return "time" if any(result.timed_out for result in results) or deciding[0].proof is None else "gap"
