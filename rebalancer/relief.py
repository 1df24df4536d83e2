"""Relief: which books end at `triggers.relief` of their capacity, and what a proposal says of triggers beside load.

Less load is what a proposal can give to a book that loses revenue or leaves accounts unattended; whether it should is
the planner's choice, so nothing of this happens unless the model or the call asks for it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from rebalancer.errors import Faults, UsageError, did_you_mean
from rebalancer.metrics import NOT_OF_LOAD, to_relieve, trigger_frame
from rebalancer.snapshot import Snapshot, units_text

SHOWN = 10
"""Books that a warning names before the rest is counted."""


def with_relief(snapshot: Snapshot, asked: Collection[str] = ()) -> Snapshot:
    """The snapshot under a model that names every book to relieve: its own, those asked for, and where it says
    `relieve`, those that retention or silence fires.

    Raises `UsageError` for an id asked for that is no AM or pool, `InvalidInput` where a book's floor is above its
    relief.
    """
    _check_known(snapshot, asked)
    triggers = snapshot.model.triggers
    snapshot = _naming(snapshot, {*triggers.relieve_books, *asked})
    if triggers.relieve:
        snapshot = _naming(snapshot, {*snapshot.model.triggers.relieve_books, *to_relieve(snapshot)})
    _check_floors(snapshot)
    return snapshot


def _naming(snapshot: Snapshot, books: Collection[str]) -> Snapshot:
    triggers = snapshot.model.triggers
    if set(books) == set(triggers.relieve_books):
        return snapshot
    named = triggers.model_copy(update={"relieve_books": tuple(sorted(books))})
    return replace(snapshot, model=snapshot.model.model_copy(update={"triggers": named}))


def _check_known(snapshot: Snapshot, asked: Collection[str]) -> None:
    known = snapshot.ams.of_person
    for name in asked:
        if name not in known:
            raise UsageError(f'there is no AM or pool "{name}" to relieve. {did_you_mean(name, known)}'.strip())


def _check_floors(snapshot: Snapshot) -> None:
    faults, ams = Faults(), snapshot.ams
    for am in np.flatnonzero(snapshot.relieved & snapshot.receives & (ams.floor > snapshot.unit_limits)).tolist():
        floor, limit = units_text(int(ams.floor[am])), units_text(int(snapshot.unit_limits[am]))
        problem = f"the book must end at {floor} units or more, and its relief is {limit} or less."
        cure = "Lower its floor, or do not relieve it."
        faults.error("relief", problem, cure, file=f"ams, AM {ams.ids[am]}", column="floor")
    faults.raise_errors()


def relief_warnings(snapshot: Snapshot) -> Iterator[str]:
    """A sentence for each reason beside load by which books are triggered, and one for the books that are relieved."""
    fired, relieved = trigger_frame(snapshot), set(np.array(snapshot.ams.ids, dtype=object)[snapshot.relieved])
    for reason in NOT_OF_LOAD:
        rows = fired[fired["reason"] == reason].to_dict("records")
        if not rows:
            continue
        told = [f"{row['am_id']} ({_figure(row)})" for row in rows]
        books = "book is" if len(rows) == 1 else "books are"
        what = "a low forecast of gross retention" if reason == "grr" else "silent accounts"
        rest = _unrelieved(len(rows), sum(row["am_id"] not in relieved for row in rows))
        yield f"{len(rows):,} {books} triggered by {what}: {_listed(told)}.{rest}"
    if relieved:
        share, today = f"{100 * float(snapshot.model.triggers.relief):g} %", snapshot.held > snapshot.unit_limits
        yield f"Relieved, to end at {share} of capacity or below: {_listed(sorted(relieved))}."
        idle = [snapshot.ams.ids[am] for am in np.flatnonzero(snapshot.relieved & ~today).tolist()]
        if idle:
            yield f"Below that today, so that nothing has to leave: {_listed(idle)}."


def _figure(row: Mapping[Any, Any]) -> str:
    return f"{100 * row['value']:.1f} %" if row["reason"] == "grr" else f"{row['value']:.0f} days"


def _unrelieved(books: int, unrelieved: int) -> str:
    if not unrelieved:
        return ""
    who = "It is not" if books == 1 else "None of them is" if books == unrelieved else f"Of them {unrelieved:,} are not"
    return f" {who} relieved (--relieve)."


def _listed(names: list[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more:,} more" if more > 0 else "")
