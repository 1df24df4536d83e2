"""Every exception of the library, and the one shape of its messages.

A message says what is wrong, where (file, row, column, value), and what to do. Faults of an input are
gathered and raised once, so that one run shows all of them. The exit code belongs to the exception: the command
line prints and exits, and adds nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches

SHOWN_VALUE = 60
"""Characters of an offending value that a message shows."""


@dataclass(frozen=True)
class Fault:
    """One thing wrong with an input: `problem` and `cure` are sentences; the rest says where.

    `row` counts as a spreadsheet does: the header is row 1. `code` names the kind of fault for scripts.
    """

    code: str
    problem: str
    cure: str = ""
    file: str = ""
    row: int | None = None
    column: str = ""
    value: str | None = None

    def place(self) -> str:
        """Where the fault is, as words: `accounts.csv row 7, column arr, value "12k"`."""
        parts = [f"{self.file} row {self.row:,}" if self.row is not None else self.file]
        if self.column:
            parts.append(f"{'key' if '.toml' in self.file else 'column'} {self.column}")
        if self.value is not None:
            parts.append(f'value "{printable(self.value)}"')
        return ", ".join(part for part in parts if part)

    def __str__(self) -> str:
        place = self.place()
        return " ".join(part for part in (f"{place}:" if place else "", self.problem, self.cure) if part)


class Faults:
    """A gathering of errors and warnings, raised once at the end by `raise_errors`."""

    def __init__(self) -> None:
        self.errors: list[Fault] = []
        self.warnings: list[Fault] = []

    def error(self, code: str, problem: str, cure: str = "", **where: object) -> None:
        """Note a fault that stops the run; `where` are fields of `Fault`."""
        self.errors.append(Fault(code, problem, cure, **where))  # type: ignore[arg-type]

    def warn(self, code: str, problem: str, cure: str = "", **where: object) -> None:
        """Note something the reader must know but that does not stop the run."""
        self.warnings.append(Fault(code, problem, cure, **where))  # type: ignore[arg-type]

    def raise_errors(self) -> None:
        """Raise `InvalidInput` with every error gathered so far, if there is one."""
        if self.errors:
            raise InvalidInput(self.errors)


class RebalancerError(Exception):
    """Root of all exceptions that this library raises on purpose."""

    exit_code = 1


class UsageError(RebalancerError):
    """A call or command that cannot mean anything: an unknown scope, a negative limit."""

    exit_code = 2


class InvalidInput(RebalancerError):
    """The book or the coverage model is wrong. `faults` lists everything found, not just the first."""

    exit_code = 3

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))

    def __reduce__(self) -> tuple[type[InvalidInput], tuple[tuple[Fault, ...]]]:
        return InvalidInput, (self.faults,)  # its message is made of them, also where it comes from another process

    def __iter__(self) -> Iterator[Fault]:
        return iter(self.faults)


class NoLegalPlan(RebalancerError):
    """Hard limits contradict each other, or no plan keeps every limit and the model says to stop there
    (`when_over_capacity = "stop"`).
    """

    exit_code = 4


class NoPlanInTime(RebalancerError):
    """The time ran out before any plan was found, the plan that changes nothing included."""

    exit_code = 5


class CheckFailed(RebalancerError):
    """The independent check rejected a plan: nothing is written. This is a fault of the product."""

    exit_code = 7


class StalePlan(RebalancerError):
    """The book is no longer the one that a proposal was made for. `changes` names everything that differs."""

    exit_code = 8

    def __init__(self, message: str, changes: Iterable[str] = ()) -> None:
        self.changes = tuple(changes)
        super().__init__(message)


class Busy(RebalancerError):
    """Somebody else is writing, and did not finish in the time this command waits."""

    exit_code = 75


class WorkerLostError(RebalancerError):
    """The worker of a task ended before the task did: killed, out of memory, or out of reach."""


class Interrupted(RebalancerError):
    """The user or the system asked to stop before there was a plan to keep."""

    exit_code = 130


def printable(value: str, limit: int = SHOWN_VALUE) -> str:
    """The text with control and bidirectional characters escaped and cut to `limit`, safe for a terminal."""
    shown = "".join(ch if ch.isprintable() else ch.encode("unicode_escape").decode("ascii") for ch in value)
    return shown if len(shown) <= limit else shown[: limit - 3] + "..."


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`Did you mean "x"?` for the nearest known word, ignoring case, else an empty string."""
    by_lower = {name.casefold(): name for name in known}
    near = get_close_matches(word.casefold(), by_lower, n=1, cutoff=0.7)
    return f'Did you mean "{printable(by_lower[near[0]])}"?' if near else ""
