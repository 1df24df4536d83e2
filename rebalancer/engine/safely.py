"""Safely: a search in a child process that cannot take its parent down, whatever it does.

The parent watches the clock and the child's memory, keeps the best plan the child has sent, and believes no answer
that it has not checked. Where none can be had, it hands out the best plan at hand with a warning that says why.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from rebalancer.engine.child import POOL, Child
from rebalancer.engine.guard import PlansAtHand, RefusedError, checked, without_answer
from rebalancer.engine.memory import allowance, resident
from rebalancer.engine.outcome import Options, Outcome, Progress, Report, Stop
from rebalancer.engine.wire import Frame, Kind, WireError, outcome_of, problem_frame, whole
from rebalancer.errors import Fault, Interrupted, InvalidInput, NoLegalPlan, NoPlanInTime, RebalancerError
from rebalancer.problem import Problem

GRACE_SECONDS = 7.0
"""After the time limit: building models is not part of it, and solvers overrun it."""

STOP_SECONDS = 5.0
"""After a stop: so long may the child take to hand out its best plan."""

START_SECONDS = 60.0
"""A worker loads the solver in half a second, on a busy machine with a cold disk in many."""

TICK = 0.05
"""Seconds between two looks at the clock, at the memory, and at a stop."""

GREEDY_ARCS = 50_000
"""Up to this size the parent works out the greedy plan while the child searches; beyond only where it must."""


class FailedError(Exception):
    """The child gave no answer to believe; the message says what it did."""


class IdleEndError(Exception):
    """A kept worker had ended by itself before it read the request: another one is asked."""


def solve_safely(problem: Problem, options: Options, stop: Stop | None = None, report: Report | None = None) -> Outcome:
    """As `solve`, in a child process. `Options.isolate` or REBALANCER_ISOLATE=0 keep the search in this one.

    Raises `NoLegalPlan` where hard rows contradict each other, `NoPlanInTime` where there is no complete plan at all,
    `Interrupted` where a stop came before one.
    """
    stop = stop or Stop()
    stop.searching = True
    if not _isolated(options):
        return _here(problem, options, stop, report)
    at_hand = PlansAtHand(problem)
    try:
        try:
            return _Call(at_hand, options, stop, report).outcome()
        except IdleEndError:
            return _Call(at_hand, options, stop, report).outcome()
    except OSError as error:  # no process can be started
        fault = f"the search could not have a process of its own ({error.strerror}) and ran in this one"
        outcome = _here(problem, options, stop, report)
        return replace(outcome, warnings=(*outcome.warnings, fault))


def warm_up(options: Options | None = None) -> None:
    """Start the child process ahead of a search, where it will have one: it then loads while the parent reads."""
    if _isolated(options or Options()):
        with suppress(OSError):
            POOL.warm_up()


def _isolated(options: Options) -> bool:
    return options.isolate and os.environ.get("REBALANCER_ISOLATE", "1") != "0"


def _here(problem: Problem, options: Options, stop: Stop, report: Report | None) -> Outcome:
    from rebalancer.engine.search import solve

    return solve(problem, options, stop, report)


@dataclass
class _Clock:
    """When the child's time is up: `limit` seconds after it was ready, sooner after a stop."""

    limit: float
    started: float
    ready: float | None = None
    stopped: float | None = None

    def over(self, now: float) -> str | None:
        """Which time is up, None where there is some left."""
        if self.stopped is not None and now > self.stopped + STOP_SECONDS:
            return f"did not end within {STOP_SECONDS:g} s of being stopped"
        if self.ready is None:
            return f"did not start within {START_SECONDS:g} s" if now > self.started + START_SECONDS else None
        if now > self.ready + self.limit + GRACE_SECONDS:
            return f"did not end within {GRACE_SECONDS:g} s of its limit of {self.limit:g} s"
        return None


class _Call:
    """One search: a child, what it has sent, and how it ended."""

    def __init__(self, at_hand: PlansAtHand, options: Options, stop: Stop, report: Report | None) -> None:
        self.problem, self.options, self.stop, self.report = at_hand.problem, options, stop, report
        self.at_hand = at_hand
        self.heard = False

    def outcome(self) -> Outcome:
        """The child's answer, or the best plan at hand."""
        child = POOL.take()
        kept = False
        try:
            answer = self._asked(child)
            kept = True
            return answer
        except IdleEndError:
            raise
        except FailedError as error:
            return self._fallback(str(error))
        except RebalancerError:  # the child is well, its input was not
            kept = True
            raise
        finally:
            if kept:
                POOL.give(child)
            else:
                child.end()

    def _asked(self, child: Child) -> Outcome:
        child.calls += 1
        each = 128 if self.options.of_arcs is None else 1_024  # every component with its own result
        child.most_bytes = 2**20 + each * (len(self.problem.groups) + len(self.problem.rows))
        child.send(problem_frame(self.problem, self.options, child.calls))
        if self.problem.n_arcs <= GREEDY_ARCS:
            self.at_hand.offer_greedy()
        frame = self._last_frame(child)
        try:
            if frame.kind == Kind.ERROR:
                return self._error(frame.meta)
            return checked(outcome_of(frame), self.at_hand)
        except WireError:
            raise FailedError("the search gave an answer that can't be read") from None
        except RefusedError as error:
            raise FailedError(f"the search gave an answer that can't be right ({error})") from None

    def _last_frame(self, child: Child) -> Frame:
        """Listen until the child has answered; pass on what it says on the way."""
        now = time.monotonic()
        clock = _Clock(self._limit(), now, now if child.ready else None)
        most = allowance(self.options.memory)
        while True:
            try:
                frame = self._heard(child, clock, most)
            except KeyboardInterrupt:
                if self.stop.requested:
                    raise
                self.stop.request()
                continue
            if frame is not None:
                return frame

    def _limit(self) -> float:
        """Seconds; a reproducible search has them for each of its parts, since its clock is not ours."""
        parts = len(self.problem.components()) if self.options.reproducible else 1
        return self.options.time_limit * max(1, parts)

    def _heard(self, child: Child, clock: _Clock, most: int | None) -> Frame | None:
        """The frame that ends the call, None where there is none yet."""
        self._pass_stop_on(child, clock)
        frame = child.next(TICK)
        now = time.monotonic()
        if isinstance(frame, str):
            raise self._ended(child, frame)
        if child.ready and clock.ready is None:
            clock.ready = now
        up = clock.over(now)
        if up is not None and (frame is None or frame.kind not in (Kind.ANSWER, Kind.ERROR)):
            raise FailedError(f"the search {up} and was ended")
        if most is not None and resident(child.process.pid) > most:
            raise FailedError(f"the search needed more than {most / 2**30:.1f} GB of memory and was ended")
        if frame is None or frame.call != child.calls:
            return None
        self.heard = True
        return self._noted(frame)

    def _pass_stop_on(self, child: Child, clock: _Clock) -> None:
        if not self.stop.requested or clock.stopped is not None:
            return
        clock.stopped = time.monotonic()
        child.send(Frame(Kind.STOP, child.calls))
        if not child.ready and self.at_hand.best is not None:
            raise FailedError("")  # it has nothing yet that could be waited for

    def _noted(self, frame: Frame) -> Frame | None:
        """Use what is said on the way; the frame itself where it ends the call."""
        if frame.kind == Kind.PLAN and len(frame.arrays) == 1:
            self.at_hand.offer(frame.arrays[0], frame.meta.get("searched") is True)
        elif frame.kind == Kind.PROGRESS and self.report is not None:
            self.report(_progress(frame.meta))
        elif frame.kind in (Kind.ANSWER, Kind.ERROR):
            return frame
        return None

    def _ended(self, child: Child, why: str) -> Exception:
        if why:
            return FailedError("the search gave an answer that can't be read")
        words = child.exit_words()
        if not self.heard and child.calls > 1 and words == "exit code 0":
            return IdleEndError(words)
        return FailedError(f"the search ended without an answer ({words})")

    def _error(self, meta: dict[str, Any]) -> Outcome:
        """What the child's exception means here. Only what concerns the input or the lack of a plan is believed."""
        kind, message = str(meta.get("type")), str(meta.get("message"))[:2_000]
        if kind == "InvalidInput":
            told = [[str(part) for part in fault] for fault in meta.get("faults", [])[:100]]
            raise InvalidInput([Fault(code, problem, cure) for code, problem, cure in told])
        if kind == "Interrupted" and self.stop.requested:
            raise FailedError("")
        if kind == "NoLegalPlan":
            self._refuse_contradictions(message)
        if kind == "NoPlanInTime":
            raise FailedError("the search found no plan")
        raise FailedError(f"the search failed ({kind}: {message})")

    def _refuse_contradictions(self, message: str) -> None:
        """Pass on that the hard rows contradict each other, unless a plan at hand keeps them."""
        self.at_hand.offer_greedy()
        if self.at_hand.best is None:
            raise NoLegalPlan(message)
        raise FailedError("the search called impossible what a plan at hand keeps")

    def _fallback(self, fault: str) -> Outcome:
        return best_at_hand(self.at_hand, self.options, self.stop, fault)


def best_at_hand(at_hand: PlansAtHand, options: Options, stop: Stop, fault: str) -> Outcome:
    """The best plan at hand, marked with the fault; a stop that was asked for is none.

    Raises `NoPlanInTime` where there is no plan, `Interrupted` where that is so because of a stop.
    """
    if at_hand.problem.n_arcs > GREEDY_ARCS and at_hand.best is None:
        at_hand.offer_greedy()
    sent = at_hand.best is not None and at_hand.best.searched
    kept = "the best plan that it had sent was kept" if sent else "the plan made without it was kept"
    warnings = (f"{fault}; {kept}",) if fault else ()
    outcome = without_answer(at_hand, "interrupt" if stop.requested else "time", warnings)
    if outcome is not None:
        return outcome
    if stop.requested:
        raise Interrupted("stopped before there was a plan.")
    raise NoPlanInTime(f"no plan was found in {options.time_limit:g} s: {fault}.")


def _progress(meta: dict[str, Any]) -> Progress:
    """A state as the child tells it; only its types are checked."""
    try:
        best, bound = whole(meta["best"]), whole(meta["bound"])
        moves, done, components = (whole(meta[name]) or 0 for name in ("moves", "done", "components"))
        return Progress(best, bound, moves, done, components, float(meta["seconds"]))
    except (KeyError, TypeError, ValueError, WireError):
        raise FailedError("the search gave an answer that can't be read") from None
