"""The directory of an export, beside its run: written all or nothing, never over results that were recorded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from rebalancer.crm.salesforce import LEDGER, OWNERS, RETRY, ROLLBACK, Export, ledger_of, record_of
from rebalancer.errors import Fault, InvalidInput, RebalancerError, UsageError, printable
from rebalancer.inputs import csv_text, digest
from rebalancer.run_directory import json_text
from rebalancer.swap import begin, discard, put_in_place, remove_leftovers, replace_file, write_through

RECORD = "export.json"
LEDGER_COLUMNS = ["account_id", "Id", "OwnerId", "state", "error", "when"]
STATES = ("pending", "failed", "done")


def default_folder(run: str | Path) -> Path:
    """`RUN-crm` beside the run: a run holds only what its manifest lists, and a new run may take its place."""
    place = Path(run)
    place = place if place.name not in ("", "..") else place.resolve()
    return place.with_name(f"{place.name}-crm")


def write_export(export: Export, folder: Path, forced: str | None = None) -> bool:
    """Write the directory of an export; False where it is there already, as it would be written.

    Raises `UsageError` where something else is there: another export, or this one with results recorded.
    """
    files = export.files()
    record = record_of(export, forced, files)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        if _is_there(record, folder):
            return False
        _refuse_other(record, folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(folder)
        building = begin(folder)
    except OSError as error:
        raise RebalancerError(f"can't write {folder}: {error.strerror}. Choose another place with --out.") from None
    try:
        for name, text in {**files, LEDGER: csv_text(ledger_of(export)), RECORD: json_text(record)}.items():
            write_through(building / name, text.encode("utf-8"))
        put_in_place(building, folder)
    except OSError as error:
        raise RebalancerError(f"can't write {folder}: {error.strerror}; what was there is as it was.") from None
    finally:
        discard(building)
    return True


def _is_there(record: Mapping[str, Any], folder: Path) -> bool:
    """The same export, whole, whatever was loaded of it since."""
    try:
        there = read_record(folder)
        read_ledger(folder)
    except RebalancerError:
        return False
    return dict(there) == dict(record)


def _refuse_other(record: Mapping[str, Any], folder: Path) -> None:
    place = printable(str(folder), 200)
    if not (folder / RECORD).is_file():
        raise UsageError(f'"{place}" holds files that are no export. Choose an empty or new place with --out.')
    there = read_record(folder)
    if there["run_id"] != record["run_id"]:
        raise UsageError(
            f'"{place}" holds the export of another run, {printable(str(there["run_id"]))}, and what was loaded of it. '
            "Move it away once it is settled, or choose another place with --out."
        )
    if (read_ledger(folder)["state"] != "pending").any():
        raise UsageError(
            f'"{place}" holds another export of this run, of which results are recorded. '
            "Choose another place with --out, or go on with that one."
        )


def read_record(folder: Path) -> dict[str, Any]:
    """`export.json` of an export, its files being as they were written. Raises `UsageError` or `InvalidInput`."""
    if not (folder / RECORD).is_file():
        raise UsageError(f'there is no export in "{folder}". `rebalancer export RUN --to salesforce` writes one.')
    try:
        record: dict[str, Any] = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        files = dict(record["files"])
        str(record["run_id"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(folder, RECORD, f"it can't be read: {error}") from None
    for name in (OWNERS, ROLLBACK):
        file = folder / name
        if not file.is_file() or digest(file.read_bytes().decode("utf-8", "replace")) != files.get(name):
            raise _damaged(folder, name, "it is not as it was written")
    return record


def read_owners(folder: Path) -> dict[str, str]:
    """From account to the owner before, of those that had one."""
    back = _csv(folder / ROLLBACK)
    return dict(zip(back["Id"], back["OwnerId"], strict=True))


def read_ledger(folder: Path) -> pd.DataFrame:
    """The ledger as text. Raises `InvalidInput` where it was damaged."""
    try:
        ledger = _csv(folder / LEDGER)
    except (OSError, ValueError) as error:
        raise _damaged(folder, LEDGER, f"it can't be read: {error}") from None
    if (
        list(ledger.columns) != LEDGER_COLUMNS
        or not ledger["state"].isin(STATES).all()
        or ledger["Id"].duplicated().any()
    ):
        raise _damaged(folder, LEDGER, "it is not as it was written")
    wanted = _csv(folder / OWNERS)
    if not ledger[["Id", "OwnerId"]].equals(wanted):
        raise _damaged(folder, LEDGER, f"its accounts are not those of {OWNERS}")
    return ledger


def _csv(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8").astype(object)


def save_ledger(folder: Path, ledger: pd.DataFrame) -> Path | None:
    """Replace the ledger and the retry file; the retry file, None where nothing is left to load."""
    left = ledger[ledger["state"] != "done"]
    retry = folder / RETRY
    try:
        replace_file(folder / LEDGER, csv_text(ledger).encode("utf-8"))
        if left.empty:
            retry.unlink(missing_ok=True)
        else:
            replace_file(retry, csv_text(left[["Id", "OwnerId"]]).encode("utf-8"))
    except OSError as error:
        raise RebalancerError(f"can't write {folder}: {error.strerror}. Import the results again.") from None
    return None if left.empty else retry


def _damaged(folder: Path, name: str, problem: str) -> InvalidInput:
    cure = "Restore it, or export again to another place with --out and import all results there."
    return InvalidInput([Fault("export", f"{problem}.", cure, str(folder / name))])
