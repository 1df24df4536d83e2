"""Task: one book of a night, worked out from its source and what the store knows; and the answer to it.

It runs in a process of its own, here or elsewhere: it reads no store and writes nothing but the run directory.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import PurePosixPath
from typing import Any

from rebalancer.book import Book
from rebalancer.coverage import CoverageModel
from rebalancer.coverage.triggers import Triggers
from rebalancer.errors import InvalidInput, RebalancerError
from rebalancer.inputs import digest, input_hashes
from rebalancer.insight.trigger_clock import Event, State
from rebalancer.insight.triggers import TriggerReport, day_of, trigger_report
from rebalancer.metrics.triggers import UNITS
from rebalancer.nightly.answers import Answer, Clocked, Task, failure
from rebalancer.nightly.baseline import baseline
from rebalancer.nightly.knowledge import Live
from rebalancer.nightly.places import write_run_at
from rebalancer.nightly.standing import can_wait, is_same, standing_of
from rebalancer.nightly.statuses import LASTING, Status
from rebalancer.plan import propose, resolve_model
from rebalancer.proposal import Proposal
from rebalancer.snapshot import Snapshot, take_snapshot
from rebalancer.steady import Standing
from rebalancer.store.plan import observe, plan_of
from rebalancer.surfaces.workbook import moves_workbook


def answer(task: Task) -> Answer:
    """Work on a book. Whatever is wrong with it is an answer, never an exception that stops the night."""
    started = time.perf_counter()
    try:
        found = _Night(task).answer()
    except RebalancerError as error:
        found = failure(task, error)
    return replace(found, seconds=round(time.perf_counter() - started, 3))


NO_SEAT = "no_seat"
"""The fault of an account that no rule admits anywhere: where all its seats were rejected they are asked for again."""


class _Night:
    """The steps of one book."""

    def __init__(self, task: Task) -> None:
        self.task, self.wanted, self.known = task, task.wanted, task.known
        read = task.source.read(self.wanted.day)
        self.model = resolve_model(read, self.wanted.model)
        zone = self.model.triggers.zone
        self.book = read if read.dated else read.on(day_of(self.wanted.now, zone))
        self.observed = observe(self.book, self.model)
        self.base, self.tiers = baseline(self.book, self.model, self.known)
        self.day = self.book.effective_date.isoformat()
        self.inputs = self._inputs()

    def _inputs(self) -> str:
        options = {name: getattr(self.wanted, name) for name in ("measure", "time_limit", "gap", "seed")}
        what = {**input_hashes(self.base, self.model), "options": options, "version": version("rebalancer")}
        return digest(json.dumps(what, sort_keys=True))

    def answer(self) -> Answer:
        """The answer of tonight, or the one that was given on the same day to the same question."""
        before = self.known.nights.get(self.day)
        live = "" if self.known.live is None else self.known.live.proposal_id
        same = before is not None and (before["inputs"], before["proposal_id"]) == (self.inputs, live)
        if before is not None and same and before["status"] in LASTING:
            return self._repeated(before)
        snapshot = take_snapshot(self.base, self.model, "repair", self.wanted.measure or self.model.disruption.measure)
        report = trigger_report(snapshot, self.known.clocks)
        return replace(
            self._planned(snapshot, report),
            inputs=self.inputs,
            accounts=len(self.book.accounts),
            observed=self.observed,
            tiers=self.tiers,
            clocked=_clocked(report, self.known.clocks, self.book, self.model.triggers),
        )

    def _repeated(self, before: Mapping[str, Any]) -> Answer:
        same = ("status", "exit_code", "message", "accounts", "moves", "run_id")
        told = {name: before[name] for name in same}
        return Answer(self.task.source.name, self.day, inputs=self.inputs, repeated=True, **told)

    def _planned(self, snapshot: Snapshot, report: TriggerReport) -> Answer:
        """The answer with every rejected seat refused; where that leaves accounts without any, they are asked again."""
        try:
            return self._planned_on(snapshot, report)
        except InvalidInput as error:
            seatless = {str(fault.value) for fault in error if fault.code == NO_SEAT}
            if not seatless & set(self.known.refusals):
                raise
        freed = baseline(self.book, self.model, self.known, free=seatless)[0]
        return self._planned_on(take_snapshot(freed, self.model, snapshot.scope, snapshot.measure), report)

    def _planned_on(self, snapshot: Snapshot, report: TriggerReport) -> Answer:
        """Keep an approved proposal that does no harm; else propose, and see whether that is anything new."""
        live = self.known.live
        if live is not None and can_wait(live, snapshot, self.observed, self.wanted.now):
            waits = "an approved proposal waits to be applied" if live.state == "approved" else "a full plan is open"
            return self._of("kept", waits, moves=len(live.moves))
        model, waiting = _with_waiting(self.model, report)
        return self._judged(self._proposed(snapshot.book, model, standing_of(live, snapshot)), live, waiting)

    def _proposed(self, book: Book, model: CoverageModel, standing: Standing | None) -> Proposal:
        return propose(
            book,
            model,
            scope="repair",
            measure=self.wanted.measure,
            time_limit=self.wanted.time_limit,
            gap=self.wanted.gap,
            seed=self.wanted.seed,
            workers=1,
            reproducible=True,
            standing=standing,
        )

    def _judged(self, proposal: Proposal, live: Live | None, waiting: tuple[str, ...]) -> Answer:
        plan = plan_of(proposal, self.observed)
        if not proposal.legal:
            short = " ".join(proposal.record["shortages"][:2])
            place = self._written(proposal)
            return self._of("over_capacity", f"no legal plan: {short}", exit_code=4, run_directory=place)
        if live is not None and is_same(plan, live, self.base, self.observed):
            return self._of("kept", "the open proposal is still good", moves=len(plan.moves))
        if plan.moves:
            changes = {"moves": len(plan.moves), "disruption": proposal.value, "run_id": proposal.run_id}
            text = "" if live is None else f"in place of {live.proposal_id}"
            return self._of("proposed", text, plan=plan, run_directory=self._written(proposal), **changes)
        if waiting:
            return self._of("waiting", f"above its trigger since less than {self.model.stability.nights} nights")
        if live is not None:
            return self._of("withdrawn", f"{live.proposal_id} is no longer needed")
        return self._of("no_change", "")

    def _of(self, status: Status, message: str, **what: Any) -> Answer:
        return Answer(self.task.source.name, self.day, status, message=message, **what)

    def _written(self, proposal: Proposal) -> str:
        if self.wanted.out is None:
            return ""
        extra, _ = moves_workbook(proposal)
        place = f"{self.wanted.out.rstrip('/')}/{PurePosixPath(self.task.source.name)}/{proposal.run_id}"
        return write_run_at(proposal, place, extra)


def _with_waiting(model: CoverageModel, report: TriggerReport) -> tuple[CoverageModel, tuple[str, ...]]:
    """The model that leaves alone the books that are above their units since less than `stability.nights` days."""
    fired = report.triggers
    units = fired[(fired["reason"] == UNITS) & fired["judged"]]
    young = [(report.day - since).days + 1 < model.stability.nights for since in units["since"]]
    waiting = tuple(sorted(units.loc[young, "am_id"]))
    if not waiting:
        return model, ()
    names = tuple(sorted({*model.triggers.wait_books, *waiting}))
    triggers = model.triggers.model_copy(update={"wait_books": names})
    return model.model_copy(update={"triggers": triggers}), waiting


def _clocked(report: TriggerReport, before: State, book: Book, settings: Triggers) -> Clocked:
    ams = book.ams
    people = {am: (name, manager) for am, name, manager in zip(ams["am_id"], ams["name"], ams["manager"], strict=True)}
    red = {clock.am_id for clock in report.state.clocks}
    told = {am: who for am, who in people.items() if am in red}
    events = tuple(Event(*row) for row in report.events.itertuples(index=False))
    triggered = int(report.triggers["am_id"].nunique())
    return Clocked(before, report.state, events, told, settings, triggered, len(report.overdue))
