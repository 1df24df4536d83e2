"""The ledger: per account what was wanted and what became of it, whichever files say so, in whichever order.

An account is done once a file says so, whatever failed before or after: the owner wanted is in place. Of failures the
latest counts. So importing a file twice, or files in another order, gives the same ledger.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from rebalancer.crm.folder import read_ledger, read_owners, read_record, save_ledger
from rebalancer.crm.results import Result, read_results
from rebalancer.errors import Faults, UsageError, printable
from rebalancer.reading.options import AcceptedFaults

SHOWN = 10

HINTS = {
    "UNABLE_TO_LOCK_ROW": "Something else held the account or its parent: load the retry file, in smaller batches.",
    "INACTIVE_OWNER_OR_USER": "The new owner is not active: activate the user, or override the move and propose again.",
    "OP_WITH_INVALID_USER_TYPE_EXCEPTION": "The new owner's license can not own accounts.",
    "TRANSFER_REQUIRES_READ": "The new owner's profile does not let them read accounts.",
    "INSUFFICIENT_ACCESS": "Whoever loads the file may not transfer these accounts: have an administrator load it.",
    "ENTITY_IS_DELETED": "The account is gone from Salesforce: take it out of the book.",
    "INVALID_CROSS_REFERENCE_KEY": "The account or the user is not there, or not visible to whoever loads the file.",
    "FIELD_CUSTOM_VALIDATION_EXCEPTION": "A validation rule of your Salesforce refuses it: correct the account there.",
}
"""What to do about errors of Salesforce, by how they begin."""


@dataclass(frozen=True)
class Imported:
    """What importing came to. `changed` counts accounts whose state or error is new; `errors` has columns error,
    accounts, cure; `conflicts` are accounts that one file calls done and another failed, in sentences.
    """

    run_id: str
    ledger: pd.DataFrame = field(repr=False)
    changed: int
    results: int
    skipped: int
    unprocessed: int
    conflicts: tuple[str, ...]
    errors: pd.DataFrame = field(repr=False)
    retry: Path | None

    @property
    def counts(self) -> dict[str, int]:
        """Accounts by state."""
        there = self.ledger["state"].value_counts()
        return {state: int(there.get(state, 0)) for state in ("done", "failed", "pending")}


def import_results(run_id: str, folder: Path, files: Iterable[str | Path], *, skip_others: bool = False) -> Imported:
    """Record result files in the ledger of an export and write what is left to load.

    Raises `UsageError` where the export is missing or of another run, `InvalidInput` naming every row that is none of
    this export (unless `skip_others`) or can't be read; nothing is recorded then.
    """
    record = read_record(folder)
    if record["run_id"] != run_id:
        raise UsageError(f'"{folder}" is the export of another run, {record["run_id"]}; this run is {run_id}.')
    ledger, faults = read_ledger(folder), AcceptedFaults()
    found = [read_results(file, faults) for file in files]
    mine = [_mine(rows, ledger, read_owners(folder), faults, skip_others) for rows in found]
    faults.raise_errors()
    results = [result for rows in mine for result in rows]
    after = merged(ledger, results)
    retry = save_ledger(folder, after)
    changed = int((after[["state", "error"]] != ledger[["state", "error"]]).any(axis=1).sum())
    skipped = sum(map(len, found)) - len(results)
    unprocessed = sum(result.state == "pending" for result in results)
    conflicts = tuple(_conflicts(ledger, results))
    return Imported(run_id, after, changed, len(results), skipped, unprocessed, conflicts, _errors(after), retry)


def _mine(
    rows: Sequence[Result], ledger: pd.DataFrame, old: Mapping[str, str], faults: Faults, skip: bool
) -> list[Result]:
    """The rows of this export; a fault for every other one, or one for a file that has none of it."""
    wanted = dict(zip(ledger["Id"], ledger["OwnerId"], strict=True))
    mine = [row for row in rows if wanted.get(row.id) == row.owner]
    others = [row for row in rows if wanted.get(row.id) != row.owner]
    if skip or not others:
        return mine
    if not mine and len(others) > 1:
        back = all(old.get(row.id) == row.owner for row in others)
        what = "it is the result of the rollback" if back else "it is another run's"
        problem = f"none of its {len(others):,} rows is of this export; {what}."
        faults.error("other_run", problem, _cure(back), file=rows[0].file)
        return mine
    for row in others:
        if row.id not in wanted:
            problem, cure = "the account is not in this export.", _cure(False)
        elif old.get(row.id) == row.owner:
            problem, cure = "the row gives the account back to its old owner: it is of the rollback.", _cure(True)
        else:
            problem, cure = f"the owner wanted is {wanted[row.id]}, not {row.owner}: it is another run's.", _cure(False)
        faults.error("other_run", problem, cure, file=row.file, row=row.row, value=row.id)
    return mine


def _cure(rollback: bool) -> str:
    if rollback:
        return "The ledger is of the way there. To go there again, export to another place with --out."
    return "Import it with the run it is of, or leave other accounts out with --skip-others."


def merged(ledger: pd.DataFrame, results: Iterable[Result]) -> pd.DataFrame:
    """The ledger with results, whatever their order."""
    rows: dict[str, dict[str, Any]] = {
        row["Id"]: {str(k): v for k, v in row.items()} for row in ledger.to_dict("records")
    }
    for result in results:
        row = rows[result.id]
        new = {"state": result.state, "error": result.error, "when": result.when}
        rows[result.id] = {**row, **_later({name: row[name] for name in new}, new)}
    return pd.DataFrame(list(rows.values()), columns=ledger.columns, dtype=object)


def _later(one: dict[str, str], other: dict[str, str]) -> dict[str, str]:
    """Which of two says more: done before failed before pending; the first success, the last failure."""
    rank = {"pending": 0, "failed": 1, "done": 2}
    if one["state"] != other["state"]:
        return max(one, other, key=lambda row: rank[row["state"]])
    if one["state"] == "done":
        return min(one, other, key=lambda row: row["when"])
    return max(one, other, key=lambda row: (row["when"], row["error"]))


def _conflicts(ledger: pd.DataFrame, results: Sequence[Result]) -> Iterator[str]:
    before = ledger[ledger["state"] != "pending"]
    said: dict[str, dict[str, str]] = {
        row["Id"]: {row["state"]: "an earlier import"} for row in before.to_dict("records")
    }
    for result in results:
        if result.state != "pending":
            said.setdefault(result.id, {}).setdefault(result.state, result.file)
    both = [(account, files) for account, files in sorted(said.items()) if len(files) > 1]
    for account, files in both[:SHOWN]:
        yield (
            f"{account} succeeded in {printable(files['done'])} and failed in {printable(files['failed'])}: "
            "it has the owner wanted."
        )
    if len(both) > SHOWN:
        yield f"And {len(both) - SHOWN:,} more accounts failed in one file and succeeded in another."


def _errors(ledger: pd.DataFrame) -> pd.DataFrame:
    """Errors of failed accounts, most frequent first."""
    failed = ledger[ledger["state"] == "failed"]
    counts = failed.groupby("error", sort=True).size().sort_values(ascending=False, kind="stable")
    rows = [(str(error), int(number), _hint(str(error))) for error, number in counts.items()]
    return pd.DataFrame(rows, columns=["error", "accounts", "cure"])


def _hint(error: str) -> str:
    return next((hint for code, hint in HINTS.items() if code in error.upper()), "")
