"""propose(): Book -> Problem -> engine -> verify -> Proposal."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import get_args

from rebalancer.book import Book
from rebalancer.coverage import CoverageModel, Measure, Scope, load_model
from rebalancer.engine import Options, Outcome, Progress, Stop, solve_scattered, warm_up
from rebalancer.engine.memory import allowance
from rebalancer.errors import CheckFailed, Fault, InvalidInput, NoLegalPlan, UsageError, did_you_mean
from rebalancer.problem import Problem
from rebalancer.proposal import Proposal
from rebalancer.record import make_proposal
from rebalancer.relief import with_relief
from rebalancer.rules import RULES
from rebalancer.rules.formulation import eligible_books, formulate
from rebalancer.rules.size import MOST_ARCS, Size, size_of
from rebalancer.shortage import shortages
from rebalancer.snapshot import take_snapshot
from rebalancer.steady import Standing, steadied
from rebalancer.verify import verify_tables

DEFAULT_MODEL = "coverage_units"


def propose(
    book: Book,
    model: str | Path | CoverageModel | None = None,
    *,
    scope: Scope = "full",
    measure: Measure | None = None,
    time_limit: float = 60.0,
    gap: float = 0.0,
    seed: int = 0,
    workers: int | None = None,
    reproducible: bool = False,
    effective_date: date | str | None = None,
    relieve: Collection[str] = (),
    standing: Standing | None = None,
    stop: Stop | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    executor: Executor | None = None,
) -> Proposal:
    """The least disruptive legal reassignment of a book, checked without the solver.

    `model` is a name, a TOML file or a model; None takes the book's own, else `coverage_units`. `time_limit` is in
    seconds, `gap` the relative gap of the disruption to stop at. `workers` defaults to the processor cores. The books
    of `relieve`, ids of AMs or pools, end at the model's `triggers.relief` of their capacity or below. A plan that is
    `standing` is kept, or as much of it as is still needed, where it is legal and not much worse than the best. The
    large components of a book are solved on the workers of an `executor`; with `reproducible` the plan is the same.

    Raises `InvalidInput` (the book or model is wrong, or an account fits nobody), `UsageError`, `NoPlanInTime`,
    `NoLegalPlan` where the model says to stop, `CheckFailed` where the independent check rejects the plan. Where no
    plan is legal the proposal has status `over_capacity` and `legal` False.
    """
    clock = _Clock()
    book = book.on(effective_date)
    resolved = resolve_model(book, model)
    measure = measure or resolved.disruption.measure
    _check_choice("scope", scope, get_args(Scope))
    _check_choice("measure", measure, get_args(Measure))
    if time_limit <= 0 or not 0 <= gap < 1:
        raise UsageError("time_limit must be above 0 and gap from 0 to below 1.")
    options = Options(time_limit, gap, seed, workers or os.cpu_count() or 1, reproducible)
    if executor is None:
        warm_up(options)
    snapshot = with_relief(take_snapshot(book, resolved, scope, measure), relieve)
    refuse_too_large(size_of(snapshot, eligible_books(snapshot, RULES)), allowance(None))
    formulation = formulate(snapshot, RULES)
    clock.lap("build")
    outcome = solve_scattered(formulation.problem, options, stop, on_progress, executor)
    if standing is not None:

        def search(problem: Problem, share: float) -> Outcome:
            less = replace(options, time_limit=options.time_limit * share)
            return solve_scattered(problem, less, stop, executor=executor)

        outcome = steadied(formulation, outcome, standing, search)
    clock.lap("solve")
    clock.laps.update(outcome.spent)
    short = [] if outcome.legal else shortages(formulation, outcome.chosen)
    if not outcome.legal and resolved.limits.when_over_capacity == "stop":
        raise NoLegalPlan("no legal plan exists. " + " ".join(short))
    proposal = make_proposal(formulation, outcome, options, short, standing)
    del formulation  # at a million accounts the check needs the room
    clock.lap("explain")
    _check(proposal)
    clock.lap("verify")
    return replace(proposal, timings=clock.laps)


def refuse_too_large(size: Size, free: int | None) -> None:
    """Raise `InvalidInput` for a book that the free memory can't hold, before any of it is built."""
    if size.arcs > MOST_ARCS:
        problem = f"the book is too large: {size}, and {MOST_ARCS:,} is the most there can be."
    elif free is not None and size.bytes > free:
        gigabytes = f"about {size.bytes / 2**30:,.1f} GB, and {free / 2**30:,.1f} GB may be used"
        problem = f"the book does not fit into memory: {size}. That takes {gigabytes}."
    else:
        return
    cure = (
        "Narrow who may take what: give accounts and AMs a region, a language or skills, and AMs tiers. Else plan "
        "parts of the book on their own, use a machine with more memory, or allow more with REBALANCER_MEMORY_MB."
    )
    raise InvalidInput([Fault("memory", problem, cure)])


def resolve_model(book: Book, model: str | Path | CoverageModel | None) -> CoverageModel:
    """The coverage model of a call: the one given, else the book's own, else the default, with the book's overrides."""
    if isinstance(model, CoverageModel):
        return model
    return load_model(model or book.model or DEFAULT_MODEL, book.overrides)


def _check_choice(what: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        near = did_you_mean(value, known)
        raise UsageError(f'unknown {what} "{value}"; it is one of {", ".join(known)}. {near}'.strip())


@dataclass
class _Clock:
    started: float = 0.0

    def __post_init__(self) -> None:
        self.started = time.perf_counter()
        self.laps: dict[str, float] = {}

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = round(now - self.started, 3)
        self.started = now


def _check(proposal: Proposal) -> None:
    """The independent check; a plan it rejects is never handed out."""
    book = proposal.book
    violations = verify_tables(
        book.text_tables(),
        proposal.model,
        effective_date=book.effective_date,
        scope=proposal.record["scope"],
        measure=proposal.record["measure"],
        assignments=proposal.assignments,
        proposal=dict(proposal.record),
        books=proposal.books,
        csms=proposal.csms,
        moves=proposal.moves,
    )
    if violations:
        listed = "\n".join(f"  {violation.rule}: {violation.message}" for violation in violations[:20])
        raise CheckFailed(f"the plan failed its independent check; nothing is written:\n{listed}")
