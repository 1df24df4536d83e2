"""Worker: the child process. It solves what it is sent, one call after the other, until its parent is gone.

Ctrl-C and SIGTERM are the parent's to handle: it says when to stop. Standard output is the wire, so that what a library
prints goes elsewhere.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import IO

import numpy as np

from rebalancer.engine.outcome import Outcome, Progress, Stop
from rebalancer.engine.wire import Frame, Kind, WireError, answer_frame, problem_of, read_frame, write_frame
from rebalancer.errors import InvalidInput

IDLE_SECONDS = 600
"""A worker that nobody asked for so long ends by itself."""

SEND_SECONDS = 0.15
"""Between two plans, or two states, that are sent."""

BEAT_SECONDS = 0.5
"""Where nothing is new for so long, the last state is told again, with its time."""

SEND_SECONDS_PER_GROUP = 1e-5
"""Between two plans of a large problem: the parent weighs each, and that takes it as long as it is large."""

PARENT_DEATH_SIGNAL = 1
"""PR_SET_PDEATHSIG of Linux."""


def main() -> None:
    """Serve the parent: requests on standard input, frames on what was standard output."""
    _settle("--die-with-parent" in sys.argv)
    wire = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    requests: queue.Queue[tuple[Frame, Stop]] = queue.Queue()
    threading.Thread(target=_read, args=(sys.stdin.buffer, requests), daemon=True).start()
    import rebalancer.engine.search  # noqa: F401  the solver is loaded before the parent's clock starts
    from rebalancer.engine.compiled import warm_up

    warm_up()

    write_frame(wire, Frame(Kind.READY))
    serve(wire, requests)


def serve(wire: IO[bytes], requests: queue.Queue[tuple[Frame, Stop]]) -> None:
    """Answer requests until there is none for a long time."""
    while True:
        try:
            frame, stop = requests.get(timeout=IDLE_SECONDS)
        except queue.Empty:
            return
        courier = Courier(wire, frame)
        write_frame(wire, courier.answer(stop))


def _settle(die_with_parent: bool) -> None:
    """Leave signals to the parent, dump no core, be the first to go where memory runs out."""
    for name in ("SIGINT", "SIGTERM"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")
        if die_with_parent:
            _die_with_parent()


def _die_with_parent() -> None:
    """Even where the solver holds Python's lock and nobody reads standard input."""
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)


def _read(wire: IO[bytes], requests: queue.Queue[tuple[Frame, Stop]]) -> None:
    """Pass requests on and stops at once; the end of the parent is the end of this process."""
    call, stop = 0, Stop()
    with contextlib.suppress(WireError, OSError):
        while (frame := read_frame(wire)) is not None:
            if frame.kind == Kind.SOLVE:
                call, stop = frame.call, Stop()
                requests.put((frame, stop))
            elif frame.kind == Kind.STOP and frame.call == call:
                stop.request()
    os._exit(0)


class Courier:
    """Solves one request and sends its state and its best plan on the way, not too often."""

    def __init__(self, wire: IO[bytes], frame: Frame) -> None:
        self.wire, self.call = wire, frame.call
        self.problem, self.options = problem_of(frame)
        self._plan = np.full(len(self.problem.groups), -1, dtype="<i8")
        self._searched = False
        self._state: Progress | None = None
        self._last: Progress | None = None
        self._told = time.monotonic()
        self._new_plan = False
        self._sent = self._plan_sent = 0.0
        self._pace = SEND_SECONDS_PER_GROUP * len(self.problem.groups)
        self._lock = threading.Lock()
        self._ended = threading.Event()

    def answer(self, stop: Stop) -> Frame:
        """The frame that ends the call."""
        ticker = threading.Thread(target=self._tick, daemon=True)
        ticker.start()
        try:
            frame = answer_frame(self.solve(stop), self.call)
        except InvalidInput as error:
            faults = [[fault.code, fault.problem, fault.cure] for fault in error.faults]
            frame = self._error(error, faults)
        except Exception as error:
            frame = self._error(error)
        finally:
            self._ended.set()
            ticker.join()
        return frame

    def solve(self, stop: Stop) -> Outcome:
        """The search itself."""
        from rebalancer.engine.search import solve

        return solve(self.problem, self.options, stop, self._report, self._keep)

    def _error(self, error: Exception, faults: list[list[str]] | None = None) -> Frame:
        if os.environ.get("REBALANCER_DEBUG"):
            import traceback

            traceback.print_exception(error)
        meta = {"type": type(error).__name__, "message": str(error)[:2_000], "faults": faults or []}
        return Frame(Kind.ERROR, self.call, meta)

    def _report(self, state: Progress) -> None:
        self._state = state
        self._send(SEND_SECONDS)

    def _keep(self, groups: np.ndarray, arcs: np.ndarray, from_solver: bool) -> None:
        with self._lock:
            self._plan[groups] = arcs
            self._searched |= from_solver
            self._new_plan = True
        self._send(SEND_SECONDS)

    def _tick(self) -> None:
        while not self._ended.wait(SEND_SECONDS):
            now = time.monotonic()
            if self._last is not None and self._state is None and now - self._told > BEAT_SECONDS:
                self._state = replace(self._last, seconds=self._last.seconds + now - self._told)
            self._send(0.0)

    def _send(self, after: float) -> None:
        """Send what is new where the last time is so long ago. A parent that is gone ends this process."""
        with self._lock:
            if self._ended.is_set() or time.monotonic() - self._sent < after:
                return
            self._sent = time.monotonic()
            try:
                self._send_news()
            except OSError:
                os._exit(0)

    def _send_news(self) -> None:
        state, self._state = self._state, None
        if state is not None:
            self._last, self._told = state, time.monotonic()
            write_frame(self.wire, Frame(Kind.PROGRESS, self.call, vars(state)))
        if self._new_plan and time.monotonic() - self._plan_sent >= self._pace:
            self._new_plan, self._plan_sent = False, time.monotonic()
            write_frame(self.wire, Frame(Kind.PLAN, self.call, {"searched": self._searched}, (self._plan,)))


if __name__ == "__main__":
    main()
