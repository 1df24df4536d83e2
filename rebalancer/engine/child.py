"""Child: a worker process and the pipes to it. One idle worker is kept, since starting one takes half a second.

A worker ends with its parent: by the end of its standard input, and on Linux by a signal as well.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

from rebalancer.engine.memory import resident
from rebalancer.engine.wire import Frame, Kind, WireError, read_frame, write_frame

BOOT = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from rebalancer.engine.worker import main; main()"
"""What a worker runs. It finds modules where its parent does; the parent's own script is not run again."""

ROOT = str(Path(__file__).resolve().parents[2])

FRAMES_WAITING = 64
"""Frames that are read ahead: a child that floods its parent waits."""

KEPT_BYTES = 2**29
"""A worker that still holds more than this after a call is not kept."""

KEPT_CALLS = 500
"""Calls after which a worker is replaced by a fresh one."""

ENDS_IN_SECONDS = 5.0


class Child:
    """A worker process: frames go in, frames come out, and at last the reason why no more will come."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            worker_command(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if os.environ.get("REBALANCER_DEBUG") else subprocess.DEVNULL,
            bufsize=0,  # a buffer has a lock, which a fork at the wrong moment would leave closed
            start_new_session=True,
        )
        self._closing = False
        self.calls, self.ready = 0, False
        self.most_bytes = 2**20
        self._frames: queue.Queue[Frame | str] = queue.Queue(FRAMES_WAITING)
        self._writing = threading.Lock()
        self._threads = [threading.Thread(target=self._read, args=(self.process.stdout,), daemon=True)]
        self._threads[0].start()

    def send(self, frame: Frame) -> None:
        """Send a frame in the background: a child that does not read must not hold its parent up."""
        thread = threading.Thread(target=self._write, args=(frame,), daemon=True)
        self._threads.append(thread)
        thread.start()

    def next(self, seconds: float) -> Frame | str | None:
        """The next frame, why there will be no more, or None where nothing came in the time."""
        try:
            frame = self._frames.get(timeout=seconds)
        except queue.Empty:
            return None
        if isinstance(frame, Frame) and frame.kind == Kind.READY:
            self.ready = True
        return frame

    @property
    def usable(self) -> bool:
        """It runs, owes nothing, and is neither worn nor bloated."""
        return (
            self.process.poll() is None
            and (self._frames.empty() or not self.ready)
            and self.calls < KEPT_CALLS
            and resident(self.process.pid) < KEPT_BYTES
        )

    def end(self) -> None:
        """Kill the process and let go of all that belongs to it."""
        self._closing = True
        self.process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(ENDS_IN_SECONDS)
        for thread in self._threads:
            thread.join(ENDS_IN_SECONDS)
        if not any(thread.is_alive() for thread in self._threads):
            self.forget()

    def forget(self) -> None:
        """Close this end of the pipes."""
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()

    def settle(self) -> None:
        """A call is over: forget the threads that wrote for it."""
        self._threads = [thread for thread in self._threads if thread.is_alive()]

    def exit_words(self) -> str:
        """How the process ended, in words."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(1)
        code = self.process.returncode
        if code is None:
            return "it closed its output"
        return f"exit code {code}" if code >= 0 else f"signal {-code}"

    def _read(self, wire: IO[bytes]) -> None:
        end = ""
        try:
            while (frame := read_frame(wire, self.most_bytes)) is not None:
                self._put(frame)
        except WireError as error:
            end = str(error)
        except (OSError, ValueError, MemoryError):
            pass
        self._put(end)

    def _put(self, item: Frame | str) -> None:
        """Wait for room, but not for ever: nobody reads the frames of a child that is being ended."""
        while not self._closing:
            with contextlib.suppress(queue.Full):
                self._frames.put(item, timeout=0.1)
                return

    def _write(self, frame: Frame) -> None:
        with contextlib.suppress(OSError, ValueError), self._writing:
            assert self.process.stdin is not None
            write_frame(self.process.stdin, frame)


def worker_command() -> list[str]:
    """The command of a worker, which looks for modules where this process does."""
    paths = [str(Path(path).absolute()) for path in sys.path if path]
    if ROOT not in paths:
        paths.append(ROOT)
    command = [sys.executable, "-P", "-c", BOOT, json.dumps(paths)]
    # The signal comes when the thread that started the worker ends, so only the main thread asks for it.
    return [*command, "--die-with-parent"] if threading.current_thread() is threading.main_thread() else command


class Pool:
    """The idle worker of this process. Threads that search at the same time get workers of their own."""

    def __init__(self) -> None:
        self._idle: list[Child] = []
        self._lock = threading.Lock()

    def warm_up(self) -> None:
        """Start a worker ahead of its first call, so that it loads the solver while the parent reads a book."""
        with self._lock:
            if not self._idle:
                self._idle.append(Child())

    def take(self) -> Child:
        """A worker for one call. Raises `OSError` where none can be started."""
        with self._lock:
            child = self._idle.pop() if self._idle else None
        if child is not None and not child.usable:
            child.end()
            child = None
        return child or Child()

    def give(self, child: Child) -> None:
        """Take a worker back; what is not needed ends."""
        child.settle()
        with self._lock:
            keeps = child.usable and not self._idle
            if keeps:
                self._idle.append(child)
        if not keeps:
            child.end()

    def close(self) -> None:
        """End the idle worker."""
        with self._lock:
            idle, self._idle = self._idle, []
        for child in idle:
            child.end()

    def disown(self) -> None:
        """In a forked process: the worker is the parent's, only the copies of its pipes are closed."""
        self._lock = threading.Lock()
        idle, self._idle = self._idle, []
        for child in idle:
            child.process.returncode = 0
            child.forget()


POOL = Pool()
atexit.register(POOL.close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=POOL.disown)
