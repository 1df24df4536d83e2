"""RESULTS.md: the page of results, made from all records."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from benchmarks.comparison import comparisons
from benchmarks.figures import OURS, growth, own_gap, reached, seconds_to_target, time_to
from benchmarks.gap_report import gap_section
from benchmarks.suite import records
from benchmarks.tables import dollars, exponent, machine_line, percent, seconds, table, title, whole

PAGE = "RESULTS.md"
NOTES = Path(__file__).with_name("notes.md")
GROWTH_GAP = 0.01
"""The proven gap whose time is compared over sizes."""

INTRO = """# Results

Made by `rebalancer bench`; [how it is measured](../docs/benchmarks.md) says what the words mean. One run per figure:
orders of magnitude, not a race to the second. The gap of a plan is `(value - bound) / value`, where the bound is the
best that any method has proven for the same problem.
"""


def write_page(out: Path) -> Path:
    """Write the page and its plots from the records in a folder."""
    from benchmarks.plots import draw

    found = records(out)
    lines = [*INTRO.splitlines(), "", *_machines(found), *_targets(found), *_notes(), *_phases(found), *_growth(found)]
    lines += [*_pictures(draw(found, out / "plots")), *comparisons(found), *gap_section(out)]
    page = out / PAGE
    page.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
    return page


def _notes() -> list[str]:
    """What was missed and why, as written by hand."""
    return [*NOTES.read_text(encoding="utf-8").splitlines(), ""]


def summary(found: list[dict[str, Any]]) -> list[str]:
    """A sentence for each record."""
    return [_sentence(record) if "methods" in record else _gap_sentence(record) for record in found]


def _sentence(record: dict[str, Any]) -> str:
    ours = record["methods"][OURS]
    if not ours.get("plan"):
        return f"{title(record)}: no plan ({ours.get('failed', '')})"
    word = "reached" if reached(record) else "MISSED"
    took = f"{seconds(ours['seconds'])} s, {whole(ours['peak_mb'])} MB"
    value = f"{dollars(ours['value'])} at risk, {whole(ours['moves'])} moves"
    told = f"{title(record)}: {value}, proven gap {percent(own_gap(ours))}, {took}"
    wrong = "".join(f" CONTRADICTION: {text}." for text in record["contradictions"])
    return f"{told}. Target {record['target']['words']}: {word}.{wrong}"


def _gap_sentence(record: dict[str, Any]) -> str:
    rows = record["instances"]
    best = sum(row.get("value") == row["best_known"] for row in rows)
    return f"gap: {best} of {len(rows)} at the best known value, {sum(bool(row.get('proof')) for row in rows)} proven."


def _machines(found: list[dict[str, Any]]) -> list[str]:
    lines = sorted({machine_line(record["machine"]) for record in found})
    return [*(f"* {line}" for line in lines), ""]


def _targets(found: list[dict[str, Any]]) -> list[str]:
    head = ("case", ">accounts", ">AMs", "target", "reached", ">proven after s", ">whole path s", ">proven gap",
            ">at risk", ">moves", ">peak memory MB")  # fmt: skip
    done = sum(reached(record) for record in found)
    told = (
        f"{done} of {len(found)} targets are reached. The seconds are those of the whole path, from the files read to"
    )
    return ["## Targets", "", f"{told} the run written.", "", *table(head, (_target(record) for record in found))]


def _target(record: dict[str, Any]) -> tuple[str, ...]:
    ours = record["methods"][OURS]
    size = (title(record), whole(record["accounts"]), whole(record["ams"]), record["target"]["words"])
    if not ours.get("plan"):
        return (*size, "**missed**: " + ours.get("failed", "no plan"), *[""] * 5, whole(ours.get("peak_mb")))
    word = "reached" if reached(record) else "**missed**"
    figures = (seconds(seconds_to_target(record)), seconds(ours["seconds"]), percent(own_gap(ours)))
    return (*size, word, *figures, dollars(ours["value"]), whole(ours["moves"]), whole(ours["peak_mb"]))


def _phases(found: list[dict[str, Any]]) -> list[str]:
    ran = [record for record in found if record["methods"][OURS].get("plan")]
    names = list(dict.fromkeys(name for record in ran for name in record["methods"][OURS]["phases"]))
    rows = []
    for record in ran:
        phases = record["methods"][OURS]["phases"]
        rows.append((title(record), *(seconds(phases.get(name)) for name in names)))
    return ["## Where the time goes", "", "Seconds; `verify` is the check of the written run, apart from the path.", "",
            *table(("case", *(f">{name}" for name in names)), rows)]  # fmt: skip


def _growth(found: list[dict[str, Any]]) -> list[str]:
    """Exponents over the sizes of each family that has several."""
    families = defaultdict(list)
    for record in found:
        if record["methods"][OURS].get("plan") and record["case"] != "smoke":
            families[record["family"]].append(record)
    rows = [
        _exponents(name, members) for name, members in families.items() if len({m["accounts"] for m in members}) > 1
    ]
    text = f"Time grows with the accounts to the power shown; `search` is the time to a proven gap of {GROWTH_GAP:.0%}."
    head = ("family", "accounts", ">search", ">all but the search", ">peak memory")
    return ["## Growth", "", text, "", *table(head, rows)] if rows else []


def _exponents(family: str, members: list[dict[str, Any]]) -> tuple[str, ...]:
    sizes = [record["accounts"] for record in members]
    ours = [record["methods"][OURS] for record in members]
    searched = [time_to(method["history"], GROWTH_GAP) if method["legal"] else None for method in ours]
    beside = [method["seconds"] - method["search_seconds"] for method in ours]
    peaks = [method["peak_mb"] for method in ours]
    fitted = [growth([(n, y) for n, y in zip(sizes, ys, strict=True) if y]) for ys in (searched, beside, peaks)]
    return (family, ", ".join(whole(size) for size in sizes), *(exponent(power) for power in fitted))


def _pictures(names: list[tuple[str, str]]) -> list[str]:
    return [line for name, title in names for line in (f"![{title}](plots/{name})", "")]
