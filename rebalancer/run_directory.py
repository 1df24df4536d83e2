"""Run directory: a proposal as files, written all or nothing, with a manifest of hashes last."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from rebalancer.book import load_book
from rebalancer.certificate_file import NAME as CERTIFICATE
from rebalancer.certificate_file import from_bytes, to_bytes
from rebalancer.coverage import load_model
from rebalancer.errors import Faults, RebalancerError, UsageError
from rebalancer.inputs import csv_text, input_files
from rebalancer.proposal import Proposal
from rebalancer.swap import MANIFEST, begin, discard, holds_run, put_in_place, remove_leftovers, write_through
from rebalancer.tables import to_text

FRAMES = ("assignments", "moves", "books", "csms")
TIMINGS = "timings.json"
"""Differs from run to run, so it stands outside every hash."""

EDITABLE = ("moves.xlsx",)
"""Files for people to write into. The manifest lists them apart; `verify` reads what else was changed in them."""


def write_run(proposal: Proposal, path: str | Path, extra: Mapping[str, bytes] | None = None) -> Path:
    """Write the run directory of a proposal at `path` and return it; `extra` are files by name beside its own.

    An earlier run at that place is replaced, unless somebody wrote into its moves.xlsx; that, and anything else that is
    there, is left alone with a `UsageError`. The directory appears whole or not at all, even where the process is
    killed.
    """
    target = Path(path)
    refuse_foreign(target)
    files = run_files(proposal, extra)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(target)
        building = begin(target)
    except OSError as error:
        raise RebalancerError(f"can't write {target}: {error.strerror}. Choose another place with --out.") from None
    try:
        for name, data in files.items():
            (building / name).parent.mkdir(exist_ok=True)
            write_through(building / name, data)
        put_in_place(building, target)
    except OSError as error:
        left = "the earlier run is as it was" if target.exists() else "nothing was left there"
        raise RebalancerError(f"can't write {target}: {error.strerror}; {left}.") from None
    finally:
        discard(building)
    return target


def read_run(path: str | Path, *, whole: bool = True) -> Proposal:
    """The proposal of a run directory, from its own `inputs/`; the caller's paths are not read.

    Raises `InvalidInput` where a file is not as the manifest says, but for files that people write into; not where
    `whole` is False.
    """
    folder = Path(path)
    if not (folder / MANIFEST).is_file():
        raise UsageError(f'"{folder}" is no run directory: it has no {MANIFEST}. `rebalancer propose` writes one.')
    if whole:
        _refuse_changed(folder)
    try:
        record = json.loads((folder / "proposal.json").read_text(encoding="utf-8"))
        book = load_book(folder / "inputs", accept=("lookalike", "large"), allow_empty=True)
        model = load_model(folder / "inputs" / "model.toml")
        assignments, moves, books, csms = (_read(folder / f"{name}.csv") for name in FRAMES)
        certificate = folder / CERTIFICATE
        certificates = from_bytes(certificate.read_bytes()) if certificate.is_file() else ()
    except (OSError, ValueError, KeyError) as error:
        raise RebalancerError(
            f'"{folder}" can\'t be read as a run: {error}. Check it with `rebalancer verify`.'
        ) from None
    return Proposal(book, model, record, assignments, moves, books, csms, {}, certificates)


def run_id_of(path: str | Path) -> str:
    """The id of the run in a directory, read from its `proposal.json` alone."""
    folder = Path(path)
    if not holds_run(folder):
        raise UsageError(f'"{folder}" is no run directory: it has no {MANIFEST}. `rebalancer propose` writes one.')
    try:
        return str(json.loads((folder / "proposal.json").read_text(encoding="utf-8"))["run_id"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RebalancerError(
            f'"{folder}" can\'t be read as a run: {error}. Check it with `rebalancer verify`.'
        ) from None


def _refuse_changed(folder: Path) -> None:
    """Raise `InvalidInput` naming every file that is not as the manifest says."""
    try:
        listed = dict(json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RebalancerError(f'"{folder / MANIFEST}" can\'t be read: {error}. Propose again.') from None
    faults = Faults()
    for name, sha256 in listed.items():
        file = folder / name
        if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != sha256:
            faults.error("changed", "is not as it was written.", "Propose again, or restore the file.", file=name)
    faults.raise_errors()


TEXT_COLUMNS = (
    "account_id",
    "from_am",
    "to_am",
    "from_csm",
    "to_csm",
    "tier",
    "reason",
    "next_best",
    "next_best_drawback",
)
FLAG_COLUMNS = ("moved", "forced", "csm_changed", "locked", "legacy")
FRACTIONS = ("units", "capacity", "units_before", "units_after", "utilization_before", "utilization_after")
FRACTIONS_OF_CSMS = ("load_before", "load_after")
TEXT_OF_BOOKS = ("am_id", "role", "band_before", "band_after", "binding", "csm_id")


def _read(path: Path) -> pd.DataFrame:
    """A CSV of the run with its own types: ids stay text."""
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    for column in frame.columns:
        if column in FLAG_COLUMNS:
            frame[column] = frame[column] == "true"
        elif column in FRACTIONS + FRACTIONS_OF_CSMS:
            frame[column] = pd.to_numeric(frame[column].where(frame[column] != "", None)).astype("float64")
        elif column not in TEXT_COLUMNS + TEXT_OF_BOOKS:
            numbers = pd.to_numeric(frame[column].where(frame[column] != "", None))
            frame[column] = numbers.astype("Int64" if column.startswith("next_best") else "int64")
    return frame


def run_files(proposal: Proposal, extra: Mapping[str, bytes] | None = None) -> dict[str, bytes]:
    """Every file of the run directory of a proposal, in the order to write them: `manifest.json` is the last."""
    certificate = {CERTIFICATE: to_bytes(proposal.certificates)} if proposal.certificates else {}
    files = {**(extra or {}), **certificate, **{name: text.encode("utf-8") for name, text in _files(proposal).items()}}
    hashes: dict[str, dict[str, str]] = {"files": {}}
    for name, data in sorted(files.items()):
        hashes.setdefault("editable" if name in EDITABLE else "files", {})[name] = hashlib.sha256(data).hexdigest()
    ends = {TIMINGS: dict(proposal.timings), MANIFEST: {"schema_version": 1, **hashes}}
    return {**dict(sorted(files.items())), **{name: json_text(value).encode("utf-8") for name, value in ends.items()}}


def _files(proposal: Proposal) -> dict[str, str]:
    """The files that every run has, but for the manifest and the times."""
    inputs = {f"inputs/{name}": text for name, text in input_files(proposal.book, proposal.model).items()}
    frames = {
        "assignments": proposal.assignments,
        "moves": proposal.moves,
        "books": proposal.books,
        "csms": proposal.csms,
    }
    return {
        **inputs,
        **{f"{name}.csv": csv_text(to_text(frame)) for name, frame in frames.items()},
        "proposal.json": json_text(dict(proposal.record)),
    }


def json_text(value: Any) -> str:
    """JSON as the files hold it: indented, unicode as is, one line end at the end."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def refuse_foreign(target: Path) -> None:
    """Raise `UsageError` where a run can't be written at a place because of what is there."""
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise UsageError(f'"{target}" is not a directory. Choose another place with --out.')
    if target.is_dir() and any(target.iterdir()) and not holds_run(target):
        raise UsageError(f'"{target}" holds files that are not a run. Choose an empty or new place with --out.')
    for name in _written_into(target):
        raise UsageError(
            f'somebody wrote into "{target / name}", which a new run would replace. Use it with '
            "`rebalancer import-decisions` or move it away, or choose another place with --out."
        )


def _written_into(folder: Path) -> list[str]:
    """The files for people that are no longer as they were written."""
    try:
        listed = dict(json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["editable"])
    except (OSError, ValueError, KeyError, TypeError):
        return []
    files = [name for name in listed if name in EDITABLE and (folder / name).is_file()]
    return [name for name in files if hashlib.sha256((folder / name).read_bytes()).hexdigest() != listed[name]]
