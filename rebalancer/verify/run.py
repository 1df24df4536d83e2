"""verify_run: the check of a run directory, its manifest first, then its inputs against its plan."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from rebalancer.coverage import load_model, read_toml
from rebalancer.errors import RebalancerError, UsageError, printable
from rebalancer.tables import TABLES
from rebalancer.verify.audit import verify_tables
from rebalancer.verify.text import UnreadableError, read_csv
from rebalancer.verify.violation import Violation
from rebalancer.verify.workbook import WORKBOOK, check_workbook

MANIFEST = "manifest.json"
UNLISTED = (MANIFEST, "timings.json", f"~${WORKBOOK}", f".~lock.{WORKBOOK}#")
"""Files of a run directory that no manifest lists: the last two lie there while the workbook is open."""


def verify_run(path: str | Path) -> list[Violation]:
    """Every violation of a run directory; an empty list confirms that the run is whole and its plan is right.

    Reads nothing but that directory. Raises `UsageError` where it is no run directory.
    """
    folder = Path(path)
    if not (folder / MANIFEST).is_file():
        raise UsageError(f'"{folder}" is no run directory: it has no {MANIFEST}.')
    found = list(check_manifest(folder))
    try:
        proposal = _json(folder / "proposal.json")
        if not isinstance(proposal, dict):
            raise UnreadableError("proposal.json is not an object")
        return found + _verify(folder, proposal)
    except (UnreadableError, RebalancerError) as error:
        return [*found, Violation("manifest", str(error))]


def check_manifest(folder: Path) -> Iterator[Violation]:
    """A violation for every file that is changed, missing or not listed, and for what else than its decisions was
    changed in the workbook that people write into.
    """
    try:
        manifest = _json(folder / MANIFEST)
        listed = _listed(manifest)
        editable = _editable(manifest)
    except UnreadableError as error:
        yield Violation("manifest", str(error))
        return
    present = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if not file.is_dir()}
    for name, sha256 in listed.items():
        if name not in present:
            yield Violation("manifest", f"{printable(name)} is listed and is not there")
        elif _sha256(folder / name) != sha256:
            yield Violation("manifest", f"{printable(name)} is not as it was written: its sha256 differs")
    for name, sha256 in editable.items():
        if name not in present:
            yield Violation("manifest", f"{name} is listed and is not there")
        elif _sha256(folder / name) != sha256:
            yield from check_workbook(folder / name, folder)
    for name in sorted(present.difference(listed, editable, UNLISTED)):
        yield Violation("manifest", f"{printable(name)} is there and is not listed")


def _listed(manifest: object) -> dict[str, object]:
    """The hashes by file: under the key `files`, or the manifest itself where it has no such key."""
    files = manifest.get("files", manifest) if isinstance(manifest, dict) else None
    if not isinstance(files, dict):
        raise UnreadableError(f"{MANIFEST} lists no files")
    return files


def _editable(manifest: object) -> dict[str, object]:
    """The workbook, where the manifest lists it under `editable`; nothing else may be changed, whatever it says."""
    named = manifest.get("editable", {}) if isinstance(manifest, dict) else {}
    return {WORKBOOK: named[WORKBOOK]} if isinstance(named, dict) and WORKBOOK in named else {}


def _sha256(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        return f"unreadable: {error}"


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UnreadableError(f"{file.name} cannot be read: {error}") from None


def _verify(folder: Path, proposal: dict[str, Any]) -> list[Violation]:
    inputs = folder / "inputs"
    tables = {
        name: read_csv(inputs / f"{name}.csv", f"inputs/{name}.csv")
        for name, table in TABLES.items()
        if table.required or (inputs / f"{name}.csv").exists()
    }
    return verify_tables(
        tables,
        load_model(inputs / "model.toml"),
        effective_date=_effective_date(inputs / "book.toml"),
        scope=str(proposal.get("scope")),
        measure=str(proposal.get("measure")),
        assignments=read_csv(folder / "assignments.csv", "assignments.csv"),
        proposal=proposal,
        books=read_csv(folder / "books.csv", "books.csv"),
        csms=_csms(folder, "csms" in tables),
        moves=read_csv(folder / "moves.csv", "moves.csv"),
    )


def _effective_date(file: Path) -> str:
    try:
        return str(read_toml(file).get("effective_date", ""))[:10]
    except OSError as error:
        raise UnreadableError(f"inputs/{file.name} cannot be read: {error}") from None


def _csms(folder: Path, needed: bool) -> pd.DataFrame | None:
    file = folder / "csms.csv"
    return read_csv(file, file.name) if needed or file.exists() else None
