"""Answers: what every book of a night is worked out with, and what became of it. Plain values that travel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from rebalancer.coverage import Measure
from rebalancer.coverage.triggers import Triggers
from rebalancer.errors import RebalancerError
from rebalancer.insight.trigger_clock import Event, State
from rebalancer.nightly.knowledge import Knowledge
from rebalancer.nightly.log import masked
from rebalancer.nightly.sources import Source
from rebalancer.nightly.statuses import Status
from rebalancer.store.plan import Observed, Plan


@dataclass(frozen=True)
class Wanted:
    """What every book of a night is worked out with. `now` has a time zone; `day` stands in its place where given."""

    now: datetime
    day: date | None = None
    model: str | None = None
    measure: Measure | None = None
    time_limit: float = 60.0
    gap: float = 0.0
    seed: int = 0
    out: str | None = None
    """Where run directories go, one folder per book; None writes none."""


@dataclass(frozen=True)
class Task:
    """A book to work on."""

    source: Source
    wanted: Wanted
    known: Knowledge


@dataclass(frozen=True)
class Clocked:
    """The triggers of a book tonight: the state before and after, what happened, names and managers by AM, and the
    settings of the clock.
    """

    before: State
    after: State
    events: tuple[Event, ...]
    people: Mapping[str, tuple[str, str]]
    settings: Triggers
    triggered: int
    overdue: int


@dataclass(frozen=True)
class Answer:
    """What became of a book. `inputs` is a hash of what the answer came of; `repeated` that it was given before.

    `plan` is what to submit, `observed` what the file shows, `tiers` the derived tiers; None where it was not read.
    """

    name: str
    day: str
    status: Status
    exit_code: int = 0
    message: str = ""
    inputs: str = ""
    repeated: bool = False
    accounts: int = 0
    moves: int = 0
    disruption: float | None = None
    run_id: str = ""
    run_directory: str = ""
    plan: Plan | None = None
    observed: Observed | None = None
    tiers: Mapping[str, str] = field(default_factory=dict)
    clocked: Clocked | None = None
    seconds: float = 0.0


STATUS_OF_CODE: dict[int, Status] = {3: "invalid", 4: "over_capacity", 5: "no_plan", 8: "stale", 75: "busy"}


def failure(task: Task, error: BaseException) -> Answer:
    """The answer that an error is."""
    code = int(getattr(error, "exit_code", 1))
    if code == 2:  # of a book, a wrong model or setting is input that is not valid
        code = 3
    day = (task.wanted.day or task.wanted.now.date()).isoformat()
    words = str(error).strip() if isinstance(error, RebalancerError) else f"{type(error).__name__}: {error}"
    return Answer(task.source.name, day, STATUS_OF_CODE.get(code, "failed"), code, masked(words))
