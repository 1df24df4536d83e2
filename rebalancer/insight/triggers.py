"""triggers(): which books have to be rebalanced, why, since when, and how many days are left.

[KM] KnowMBA, "Account Manager Coverage": from the day on which a trigger first fires, the book has to be rebalanced
within 60 days. The clock is kept between runs by whoever keeps the state; see `rebalancer.insight.trigger_state`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd

from rebalancer.book import Book
from rebalancer.coverage import CoverageModel
from rebalancer.errors import UsageError
from rebalancer.insight.trigger_clock import Clock, Periods, State, advance, days_left, due_on, since_when
from rebalancer.insight.trigger_words import reasons_in_words
from rebalancer.metrics import ATTENTION_COLUMNS, attention_frame, lacking, trigger_frame, unjudged
from rebalancer.plan import resolve_model
from rebalancer.snapshot import Snapshot, take_snapshot

CLOCK_COLUMNS = ["am_id", "name", "reason", "first_red", "cleared", "days_red"]
EVENT_COLUMNS = ["day", "am_id", "reason", "what"]


@dataclass(frozen=True)
class TriggerReport:
    """The triggers of a book on a day.

    `triggers` has a row per book and reason that fires, or that fired and can't be judged today: am_id, name, reason,
    value, limit, account_id and accounts as in `metrics.trigger_frame`, why (in words), since (the first red day of
    this reason), book_since (that of the book), due (the last day in time), days_left, overdue, judged; the books with
    the fewest days left first. `cleared` has the clocks that have ended: am_id, name, reason, first_red, cleared,
    days_red; last cleared first. `events` is what this run is the first to tell: day, am_id, reason, what (`fired`,
    `fired_again`, `cleared`, `overdue`). `state` is what to keep for the next run. `began` is whether there was no
    state before, `went_back` whether the day is before the last one that was taken in: then nothing is, and `state` is
    as it was. `missing` are columns without a value.
    """

    day: date
    model: str
    books: int
    triggers: pd.DataFrame = field(repr=False)
    cleared: pd.DataFrame = field(repr=False)
    events: pd.DataFrame = field(repr=False)
    state: State = field(repr=False)
    began: bool
    went_back: bool
    missing: tuple[str, ...]

    @property
    def overdue(self) -> tuple[str, ...]:
        """The ids of the books that are overdue."""
        return tuple(self.triggers.loc[self.triggers["overdue"], "am_id"].unique())


def triggers(
    book: Book,
    model: str | Path | CoverageModel | None = None,
    effective_date: date | str | None = None,
    *,
    now: datetime | None = None,
    state: State | None = None,
) -> TriggerReport:
    """Which books are triggered on the effective date, and what that makes of the state of an earlier run.

    `now`, a moment with a time zone, may stand in place of the date: its day in `triggers.zone` counts. Raises
    `UsageError` where both are given or `now` has no time zone.
    """
    resolved = resolve_model(book, model)
    if now is not None:
        if effective_date is not None:
            raise UsageError("give either effective_date or now.")
        effective_date = day_of(now, resolved.triggers.zone)
    snapshot = take_snapshot(book.on(effective_date), resolved, "repair", resolved.disruption.measure)
    return trigger_report(snapshot, state)


def day_of(moment: datetime, zone: str) -> date:
    """The calendar day of a moment in a time zone. Raises `UsageError` for a moment without one."""
    if moment.tzinfo is None:
        raise UsageError(f"{moment.isoformat()} has no time zone, so its day is not known. Give one, such as UTC.")
    return moment.astimezone(UTC if zone == "UTC" else ZoneInfo(zone)).date()


def trigger_report(snapshot: Snapshot, state: State | None = None) -> TriggerReport:
    """The report of a book as it stands, after the state of an earlier run; None where there is none."""
    day, settings = snapshot.book.effective_date, snapshot.model.triggers
    periods = Periods(settings.days, settings.refire_days)
    attention = attention_frame(snapshot)
    fired = trigger_frame(snapshot, attention).assign(why=lambda frame: reasons_in_words(frame, snapshot, attention))
    before = state or State()
    seen = set(zip(fired["am_id"], fired["reason"], strict=True))
    after, events = advance(before, seen, day, unjudged(snapshot, attention), periods)
    names = dict(zip(snapshot.ams.ids, snapshot.ams.names, strict=True))
    return TriggerReport(
        day=day,
        model=snapshot.model.name,
        books=len(snapshot.ams),
        triggers=_with_clocks(fired, after, day, periods, names),
        cleared=_cleared(after, names),
        events=pd.DataFrame([vars(event) for event in events], columns=EVENT_COLUMNS),
        state=after,
        began=state is None,
        went_back=after.day != day,
        missing=_missing(snapshot.book),
    )


def _missing(book: Book) -> tuple[str, ...]:
    silence = lacking(book, *ATTENTION_COLUMNS)
    return (*lacking(book, "accounts.grr_forecast"), *(silence if len(silence) == len(ATTENTION_COLUMNS) else ()))


def _with_clocks(
    fired: pd.DataFrame, state: State, day: date, periods: Periods, names: Mapping[str, str]
) -> pd.DataFrame:
    """The triggers and the clocks that run on unjudged, each with its days; what no state holds begins today."""
    running = {} if state.day != day else state.running()  # of a day before the last one the state says nothing
    seen = set(zip(fired["am_id"], fired["reason"], strict=True))
    blind = [{"am_id": key[0], "reason": key[1], "why": NOT_JUDGED} for key in sorted(set(running) - seen)]
    every = pd.concat([fired, pd.DataFrame(blind, columns=["am_id", "reason", "why"])]) if blind else fired
    keys = list(zip(every["am_id"], every["reason"], strict=True))
    since = [running[key].first_red if key in running else day for key in keys]
    of_book = since_when(state) if running else {}
    book_since = [of_book.get(am_id, day) for am_id, _ in keys]
    left = [days_left(first, day, periods) for first in book_since]
    frame = every.assign(
        name=[names.get(am_id, "") for am_id, _ in keys],
        since=since,
        book_since=book_since,
        due=[due_on(first, periods) for first in book_since],
        days_left=left,
        overdue=[days < 0 for days in left],
        judged=[key in seen for key in keys],
    )
    frame["account_id"] = frame["account_id"].fillna("")
    columns = [
        "am_id",
        "name",
        "reason",
        "value",
        "limit",
        "account_id",
        "accounts",
        "why",
        "since",
        "book_since",
        "due",
    ]
    ordered = frame.sort_values(["days_left", "am_id"], kind="stable", ignore_index=True)
    return ordered[[*columns, "days_left", "overdue", "judged"]].astype({"accounts": "Int64", "overdue": bool})


NOT_JUDGED = "fired before, and can't be judged today for lack of data"


def _cleared(state: State, names: Mapping[str, str]) -> pd.DataFrame:
    ended = [(clock, clock.cleared) for clock in state.clocks if clock.cleared is not None]
    ended.sort(key=lambda pair: pair[1], reverse=True)
    rows = [_ended(clock, cleared, names) for clock, cleared in ended]
    return pd.DataFrame(rows, columns=CLOCK_COLUMNS)


def _ended(clock: Clock, cleared: date, names: Mapping[str, str]) -> tuple[object, ...]:
    name, days = names.get(clock.am_id, ""), (cleared - clock.first_red).days
    return clock.am_id, name, clock.reason, clock.first_red, cleared, days
