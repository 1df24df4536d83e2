"""Recording: what became of a book, written to the store in one transaction: all of it or nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa

from rebalancer.errors import Busy, RebalancerError, StalePlan
from rebalancer.nightly.answers import Answer, Task, failure
from rebalancer.nightly.clocks import save_clocks
from rebalancer.nightly.knowledge import newest_event
from rebalancer.store.books import is_past, observe_book
from rebalancer.store.proposals import submit_in, supersede
from rebalancer.store.store import Store, Work
from rebalancer.store.tables import accounts, night_books


@dataclass(frozen=True)
class Told:
    """An answer with what the store made of it. `new` is False where the store had all of it before."""

    answer: Answer
    proposal_id: str
    new: bool


class ChangedError(Exception):
    """Somebody wrote to the book since the store was read for it; it has to be worked out anew."""


def record(store: Store, task: Task, answer: Answer, *, by: str | None = None, now: datetime | None = None) -> Told:
    """Write an answer. Raises `ChangedError` where it came of a state of the book that is no longer the newest."""
    if answer.repeated:
        return Told(answer, str(task.known.nights[answer.day]["proposal_id"]), new=False)
    with store.writing(by, now) as work:
        if newest_event(work.connection, answer.name) != task.known.seq:
            raise ChangedError(answer.name)
        return _written(work, task, answer)


def recorded_failure(
    store: Store, task: Task, answer: Answer, error: RebalancerError, by: str | None, now: datetime | None
) -> Told:
    """Note that the store would not take an answer, where it takes at least that."""
    told = failure(task, error)
    failed = replace(_bare(answer), status=told.status, exit_code=told.exit_code, message=told.message)
    if not isinstance(error, Busy):
        with store.writing(by, now) as work:
            return _written(work, task, failed)
    return Told(failed, "", new=False)


def _written(work: Work, task: Task, answer: Answer) -> Told:
    proposal = _live_id(task)
    if answer.observed is not None and is_past(work, answer.name, answer.observed):
        what = f"the store knows a later day of it than {answer.day}; nothing was written"
        answer = replace(_bare(answer), status="stale", exit_code=StalePlan.exit_code, message=f"{what}.")
    if answer.observed is not None:
        book = observe_book(work, answer.name, answer.observed, newest=True)
        proposal = _moved_on(work, task, answer, book)
        _save_tiers(work, book, answer, task)
        if answer.clocked is not None:
            seen = answer.clocked
            save_clocks(work, book, answer.name, (seen.before, seen.after), seen.events, seen.people, seen.settings)
    _save_night(work, answer, proposal)
    return Told(answer, proposal, new=True)


def _bare(answer: Answer) -> Answer:
    """Which book it is of, and nothing that would be written to the store."""
    return Answer(answer.name, answer.day, answer.status, accounts=answer.accounts, seconds=answer.seconds)


def _live_id(task: Task) -> str:
    return "" if task.known.live is None else task.known.live.proposal_id


def _moved_on(work: Work, task: Task, answer: Answer, book: int) -> str:
    """Submit what is new, withdraw what is not needed or no longer legal; the id of the proposal that stands."""
    if answer.plan is not None:
        done = submit_in(work, answer.plan, book=answer.name, observe=False, comment=answer.message, again=True)
        return done.proposal_id or ""
    if task.known.live is not None and answer.status in ("withdrawn", "over_capacity", "waiting"):
        supersede(work, book, answer.name, answer.message)
        return ""
    return _live_id(task) if answer.status == "kept" else ""


def _save_tiers(work: Work, book: int, answer: Answer, task: Task) -> None:
    """The derived tiers that are new; where a file names one now, the derived one is forgotten."""
    gone = {account: "" for account in task.known.tiers if account not in answer.tiers}
    new = {account: tier for account, tier in answer.tiers.items() if task.known.tiers.get(account) != tier}
    rows = [{"of_account": account, "new_tier": tier} for account, tier in {**gone, **new}.items()]
    if rows:
        place = (accounts.c.book_id == book, accounts.c.account_id == sa.bindparam("of_account"))
        work.connection.execute(accounts.update().where(*place).values(tier=sa.bindparam("new_tier")), rows)


def _save_night(work: Work, answer: Answer, proposal: str) -> None:
    clocked = answer.clocked
    row = {
        "book": answer.name,
        "day": answer.day,
        "at": work.at,
        "status": answer.status,
        "inputs": answer.inputs,
        "run_id": answer.run_id,
        "proposal_id": proposal,
        "message": answer.message,
        "exit_code": answer.exit_code,
        "accounts": answer.accounts,
        "moves": answer.moves,
        "triggered": 0 if clocked is None else clocked.triggered,
        "overdue": 0 if clocked is None else clocked.overdue,
        "seconds": answer.seconds,
    }
    place = (night_books.c.book == answer.name, night_books.c.day == answer.day)
    if work.connection.execute(night_books.update().where(*place).values(row)).rowcount == 0:
        work.connection.execute(night_books.insert().values(row))


def without_results(answer: Answer) -> Answer:
    """An answer without what only the store needs, to keep in memory."""
    return replace(answer, plan=None, observed=None, tiers={})
