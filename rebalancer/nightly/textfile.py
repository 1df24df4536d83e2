"""Textfile: the figures of a store for Prometheus, in a file that its node exporter reads."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

from rebalancer.errors import UsageError, printable
from rebalancer.nightly.status import DEFAULTS, Limits, Status, ago, status_of
from rebalancer.store.lifecycle import LIVE
from rebalancer.store.store import Store, moment_of


def write_metrics(store: Store, path: str | Path, now: datetime | None = None, limits: Limits = DEFAULTS) -> None:
    """Write the figures of a store as a text file of Prometheus; the file is replaced as a whole or not at all.

    The textfile collector of the node exporter reads only names that end in `.prom`. Raises `UsageError` where the
    file can't be written.
    """
    held = metrics_of(status_of(store, now, limits))
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        write_to_textfile(str(path), held)
    except OSError as error:
        raise UsageError(
            f'"{printable(str(path), 200)}" can\'t be written: {error.strerror}. Name another place with --metrics.'
        ) from None


def metrics_of(status: Status) -> CollectorRegistry:
    """The figures of a status; what is not known yet is left out, never 0."""
    held = CollectorRegistry()
    _of_nights(status, held)
    _of_proposals(status, held)
    _of_clocks(status, held)
    return held


def _set(held: CollectorRegistry, name: str, text: str, value: float) -> None:
    Gauge(f"rebalancer_{name}", text, registry=held).set(value)


def _of_nights(status: Status, held: CollectorRegistry) -> None:
    night, ended = status.night, status.ended
    if night is not None:
        started = moment_of(night.started_at).timestamp()
        _set(held, "night_start_timestamp_seconds", "When the last night began.", started)
        _set(held, "night_unfinished", "1 where the last night runs or was killed.", night.state != "ended")
        _set(held, "night_books_expected", "Books that the last night set out to do.", night.books)
    if ended is not None:
        text = "When the last night that ended did so."
        _set(held, "night_end_timestamp_seconds", text, moment_of(ended.ended_at).timestamp())
        _set(held, "night_duration_seconds", "Wall time of the last night that ended.", ended.seconds)
        _set(held, "night_exit_code", "Exit code of the last night that ended.", ended.exit_code or 0)
    books = Gauge("rebalancer_night_books", "Books of the last night.", ["status"], registry=held)
    for name, count in status.outcomes.items():
        books.labels(status=name).set(count)
    _set(held, "night_books_failed", "Books that got no answer on the day of the last night.", len(status.failed))
    text = f"Books without an answer for {status.limits.behind_days} days."
    _set(held, "books_behind", text, len(status.behind))


def _of_proposals(status: Status, held: CollectorRegistry) -> None:
    counts = Counter(one.state for one in status.proposals)
    live = Gauge("rebalancer_proposals_live", "Proposals that wait for somebody.", ["state"], registry=held)
    for state in LIVE:
        live.labels(state=state).set(counts[state])
    oldest = max((ago(one.proposed_at, status.at) for one in status.proposals), default=0.0)
    _set(held, "proposals_oldest_age_seconds", "Age of the oldest proposal that waits; 0: none does.", oldest)
    ending = sum(one.ends_soon for one in status.proposals)
    _set(held, "proposals_approval_ending", "Proposals with an approval that ends soon, or has.", ending)


def _of_clocks(status: Status, held: CollectorRegistry) -> None:
    _set(held, "clocks_running", "AMs whose book is triggered.", len(status.deadlines))
    _set(held, "clocks_overdue", "AMs whose book should have been rebalanced.", len(status.overdue))
    text = f"AMs whose book is due within {status.limits.within_days} days."
    _set(held, "clocks_due_soon", text, len(status.due_soon))
