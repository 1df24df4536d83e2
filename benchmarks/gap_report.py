"""The part of the page on the literature's generalized assignment instances."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

from benchmarks.figures import gap
from benchmarks.tables import machine_line, percent, seconds, table, whole

CLASSIC = re.compile(r"gap\d+")
"""gap1 to gap12: five small instances each."""

TEXT = """Costs, not dollars; every instance's least cost is known. The certified gap is to the bound that needs no
solver to be checked. The reported results of CPLEX and of a local search come from
[generalizedassignmentsolver](https://github.com/fontanf/generalizedassignmentsolver), with 120 s each and on another
machine."""


def gap_section(out: Path) -> list[str]:
    """Lines of the section, none without a record."""
    file = out / "results" / "gap.json"
    if not file.is_file():
        return []
    record = json.loads(file.read_text(encoding="utf-8"))
    found = record["instances"]
    small = defaultdict(list)
    for row in found:
        name = CLASSIC.match(row["instance"])
        if name:
            small[name[0]].append(row)
    large = [row for row in found if not CLASSIC.match(row["instance"])]
    about = f"{TEXT} At most {record['limit']:g} s each; {machine_line(record['machine'])}."
    head = ["## Generalized assignment", "", *about.splitlines(), ""]
    return [*head, *_large(large), *_small(small)]


def _large(rows: list[dict[str, Any]]) -> list[str]:
    if not rows:
        return []
    head = ("instance", ">jobs", ">agents", ">best known", ">value", ">gap", ">bound", ">proven gap", ">certified gap",
            "proof", ">s", ">CPLEX 120 s", ">local search 120 s")  # fmt: skip
    best = sum(row.get("value") == row["best_known"] for row in rows)
    proven = sum(bool(row.get("proof")) for row in rows)
    told = f"Types C, D, E: {best} of {len(rows)} at the best known value, {proven} proven."
    return [told, "", *table(head, (_row(row) for row in rows))]


def _row(row: dict[str, Any]) -> tuple[str, ...]:
    known, value = row["best_known"], row.get("value") if row.get("legal") else None
    peers = (_reported(row["cplex_120s"], known), _reported(row["local_search_120s"], known))
    return (
        row["instance"],
        whole(row["jobs"]),
        whole(row["agents"]),
        whole(known),
        whole(value),
        percent(gap(value, known)),
        whole(row.get("bound")),
        percent(gap(value, row.get("bound"))),
        percent(gap(value, row.get("certificate_bound"))),
        row.get("proof") or row.get("failed", ""),
        seconds(row.get("seconds")),
        *peers,
    )


def _reported(value: int | None, known: int) -> str:
    return "" if value is None else f"{whole(value)} ({percent(gap(value, known))})"


def _small(groups: dict[str, list[dict[str, Any]]]) -> list[str]:
    if not groups:
        return []
    head = ("set", ">jobs", ">agents", ">at best known", ">proven", ">mean gap", ">mean certified gap", ">mean s")
    rows = []
    for name, members in groups.items():
        gaps = [gap(row.get("value"), row["best_known"]) for row in members]
        certified = [gap(row.get("value"), row.get("certificate_bound")) for row in members]
        rows.append(
            (
                name,
                whole(members[0]["jobs"]),
                whole(members[0]["agents"]),
                f"{sum(row.get('value') == row['best_known'] for row in members)} of {len(members)}",
                f"{sum(bool(row.get('proof')) for row in members)} of {len(members)}",
                percent(_mean(gaps)),
                percent(_mean(certified)),
                seconds(_mean([row.get("seconds") for row in members])),
            )
        )
    return ["gap1 to gap12:", "", *table(head, rows)]


def _mean(numbers: list[float | None]) -> float | None:
    known = [number for number in numbers if number is not None]
    return sum(known) / len(known) if len(known) == len(numbers) and known else None
