"""Escalations: a file for whoever is told which books have to be rebalanced by when, the overdue ones first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pandas as pd

from rebalancer.errors import UsageError, printable
from rebalancer.inputs import csv_text
from rebalancer.store.store import Store
from rebalancer.store.waiting import Deadline, deadlines
from rebalancer.surfaces.cells import as_text
from rebalancer.swap import replace_file

COLUMNS = tuple(Deadline.__dataclass_fields__)


def write_escalations(
    store: Store, path: str | Path, now: datetime | None = None, *, days: int | None = None, zone: str | None = None
) -> int:
    """Write every AM with a running clock as CSV, and return how many.

    Columns: book, am_id, name, manager, reasons (`;` between them), first_red, due, days_left, overdue (`true` or
    `false`), proposal_id, proposal_state; overdue ones first, then by the days left. Text that a spreadsheet would run
    gets a `'` in front; `rebalancer.surfaces.cells.plain` takes it away. The file is replaced as a whole or not at
    all. Raises `UsageError` where it can't be written. `days` and `zone` as in `deadlines`.
    """
    found = deadlines(store, now=now, days=days, zone=zone)
    _replace(Path(path), escalation_text(found))
    return len(found)


def escalation_text(found: Sequence[Deadline]) -> str:
    """The content of the file."""
    rows = [[_cell(getattr(line, name)) for name in COLUMNS] for line in found]
    return csv_text(pd.DataFrame(rows, columns=list(COLUMNS), dtype=str))


def _cell(value: object) -> str:
    if isinstance(value, str | tuple):
        return as_text(";".join(value) if isinstance(value, tuple) else value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _replace(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, text.encode("utf-8"))
    except OSError as error:
        raise UsageError(
            f'"{printable(str(path), 200)}" can\'t be written: {error.strerror}; what was there is as it was. '
            "Name another place with --escalations."
        ) from None
