"""Runs cases: the book as files, our whole path, then every peer on the same problem, each in a fresh process."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.cases import Case
from benchmarks.child import step
from benchmarks.figures import OURS, contradictions
from benchmarks.machine import machine

SCHEMA_VERSION = 1
POINTS = 60
"""Points of a history that a record keeps."""

PATIENCE = 1_800.0
"""Seconds beyond the limit after which a step is killed: reading and building a large book take their time."""

Note = Callable[[str], None]


def run_case(case: Case, seconds: float | None, seed: int, peers: bool, note: Note) -> dict[str, Any]:
    """The record of a case. `seconds` replaces the limit of the case, for the search and for every peer."""
    limit = seconds or case.seconds
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "book").mkdir()
        note(f"{case.name}: writing {case.accounts:,} accounts")
        size = {"family": case.family, "accounts": case.accounts, "ams": case.ams, "seed": seed}
        made = _step("write", folder, 0, **size, folder=folder / "book")
        if "failed" in made:
            raise RuntimeError(f"the book of {case.name} could not be made: {made['failed']}")
        note(f"{case.name}: {OURS}, {limit:g} s")
        ours = _step("ours", folder, limit, folder=folder / "book", out=folder / "run", seconds=limit, seed=seed)
        sizes, others = _peers(case, folder, limit, seed, note) if peers else ({}, {})
    day = machine()
    methods = {name: _thinned(found) | {"limit": limit, "date": day["date"]} for name, found in others.items()}
    methods = {OURS: _thinned(ours) | {"limit": limit, "date": day["date"]}, **methods}
    return {
        "schema_version": SCHEMA_VERSION,
        "case": case.name,
        **size,
        "problem": sizes,
        "book_sha256": made["book_sha256"],
        "book_seconds": made["seconds"],
        "target": {"gap": case.target_gap, "seconds": case.target_seconds, "words": case.target},
        "machine": day,
        "methods": methods,
        "contradictions": contradictions({"methods": methods}),
    }


def _peers(
    case: Case, folder: Path, limit: float, seed: int, note: Note
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Size of the problem, and the answer of every peer of a case."""
    if not case.peers:
        return {}, {}
    instance = folder / "instance.pickle"
    sizes = _step("prepare", folder, 0, folder=folder / "book", instance=instance)
    if "failed" in sizes:
        raise RuntimeError(f"the problem of {case.name} could not be built: {sizes['failed']}")
    sizes.pop("peak_mb")
    found = {}
    for name in case.peers:
        note(f"{case.name}: {name}, {limit:g} s")
        found[name] = _step("peer", folder, limit, name=name, instance=instance, seconds=limit, seed=seed)
    return sizes, found


def _step(do: str, place: Path, limit: float, **request: Any) -> dict[str, Any]:
    answer = place / f"{do}.json"
    answer.unlink(missing_ok=True)
    return step(do, answer, limit + PATIENCE, **request)


def _thinned(method: dict[str, Any]) -> dict[str, Any]:
    """A method's answer with at most `POINTS` points of its history, first and last among them."""
    points = method.get("history", [])
    kept = sorted({round(index * (len(points) - 1) / (POINTS - 1)) for index in range(POINTS)} if points else [])
    return {**method, "history": [points[index] for index in kept]} if "history" in method else method


def file_of(out: Path, case: str, seed: int) -> Path:
    """Where the record of a case lies; other seeds than 0 have files of their own."""
    return out / "results" / (f"{case}.json" if not seed else f"{case}.seed{seed}.json")


def keep(record: dict[str, Any], out: Path) -> Path:
    """Write a record. Peers that were left out this time stay as they were where they had the same book."""
    file = file_of(out, record["case"], record["seed"])
    earlier = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    if "methods" in record and earlier.get("book_sha256") == record["book_sha256"]:
        methods = {**record["methods"], **{n: m for n, m in earlier["methods"].items() if n not in record["methods"]}}
        both = {"methods": methods, "problem": record["problem"] or earlier["problem"]}
        record = {**record, **both, "contradictions": contradictions(both)}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(as_text(record), encoding="utf-8")
    return file


def as_text(record: dict[str, Any]) -> str:
    """JSON for people: a point of a history on one line."""
    text = json.dumps(record, indent=1, ensure_ascii=False)
    return re.sub(r"\[\s+([^\[\]{}\"]*?)\s+\]", lambda found: f"[{' '.join(found[1].split())}]", text) + "\n"


def records(out: Path) -> list[dict[str, Any]]:
    """All records of cases, smallest first."""
    found = [json.loads(file.read_text(encoding="utf-8")) for file in sorted((out / "results").glob("*.json"))]
    return sorted(
        (record for record in found if "methods" in record), key=lambda r: (r["accounts"], r["case"], r["seed"])
    )
