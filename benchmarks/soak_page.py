"""The page of the nights: what a long simulation and large single nights showed, in tables and three plots."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.figures import growth
from benchmarks.machine import machine

MB = 2**20
FLAT = 0.05
EARLY, LAST = (10, 20), 10
"""Nights whose mean memory and open files are compared: from, to below; and the last ones."""

LISTED = 40
"""Violations and moves given up that a record keeps one by one, of each kind or reason."""

Figures = Sequence[Mapping[str, Any]]


def summary(
    figures: Figures,
    violations: list[dict[str, Any]],
    given_up: list[dict[str, Any]],
    size: Mapping[str, Any],
    rows: Mapping[str, int],
    events: int,
) -> dict[str, Any]:
    """The record of a simulation. The size of the store is fitted from the 11th night on, when all has begun."""
    return {
        "schema_version": 1,
        "nights": len(figures),
        **{name: size[name] for name in ("books", "accounts", "seed", "busy", "jobs")},
        "store": "postgresql" if size["store"] else "sqlite",
        "machine": machine(),
        "violations_by_kind": dict(sorted(Counter(one["kind"] for one in violations).items())),
        "given_up_by_reason": dict(sorted(Counter(one["reason"] for one in given_up).items())),
        "flat": {name: flatness([one[name] for one in figures]) for name in ("rss", "open_files")},
        "growth": line([one["store_bytes"] for one in figures][EARLY[0] if len(figures) > EARLY[1] else 1 :]),
        "rows": dict(rows),
        "events": events,
        "outcomes": _added(one["outcomes"] for one in figures),
        "planners": _added(one["planners"] for one in figures),
        "quiet": {name: sum(one[name] for one in figures) for name in ("quiet", "quiet_open")},
        "seconds": round(sum(one["seconds"] for one in figures), 1),
        "figures": list(figures),
        "violations": _first(violations, "kind"),
        "given_up": _first(given_up, "reason"),
    }


def flatness(values: Sequence[float]) -> dict[str, float] | None:
    """Means of early nights and of the last ones, and by which share they differ; None for fewer than 30 nights."""
    if len(values) < EARLY[1] + LAST:
        return None
    early, last = float(np.mean(values[EARLY[0] : EARLY[1]])), float(np.mean(values[-LAST:]))
    return {"early": round(early, 1), "last": round(last, 1), "change": round(last / early - 1, 4)}


def line(values: Sequence[float]) -> dict[str, float] | None:
    """A line through a series: its slope a night, R2, the largest residual as a share of the whole growth, and the
    growth of the second half against that of the first; None for fewer than 4 values.
    """
    if len(values) < 4:
        return None
    nights, sizes = np.arange(len(values), dtype=float), np.array(values, dtype=float)
    slope, start = np.polyfit(nights, sizes, 1)
    rest, spread = sizes - (slope * nights + start), sizes - sizes.mean()
    half = len(values) // 2
    first, second = (sizes[half] - sizes[0]) / half, (sizes[-1] - sizes[half]) / (len(values) - 1 - half)
    return {
        "bytes_a_night": round(float(slope)),
        "r2": round(1 - float(rest @ rest) / max(1.0, float(spread @ spread)), 5),
        "residual": round(float(abs(rest).max()) / max(1.0, float(sizes[-1] - sizes[0])), 4),
        "halves": round(float(second / first), 4) if first else 0.0,
    }


def _added(counts: Any) -> dict[str, int]:
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return dict(sorted(total.items()))


def _first(rows: list[dict[str, Any]], by: str) -> list[dict[str, Any]]:
    seen: Counter[str] = Counter()
    kept = []
    for row in rows:
        seen[row[by]] += 1
        if seen[row[by]] <= LISTED:
            kept.append(row)
    return kept


def write_record(out: Path, name: str, record: Mapping[str, Any]) -> None:
    """Write a record and the page of all there are."""
    place = out / "results"
    place.mkdir(parents=True, exist_ok=True)
    (place / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    found = {one: _read(place / f"{one}.json") for one in ("soak", "nights")}
    (out / "SOAK.md").write_text(page(found["soak"], found["nights"], draw(found, out / "plots")), encoding="utf-8")


def _read(file: Path) -> dict[str, Any] | None:
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None


def page(soak: Mapping[str, Any] | None, nights: Mapping[str, Any] | None, plots: Sequence[tuple[str, str]]) -> str:
    """The page as Markdown."""
    parts = ["# Nights", INTRODUCTION]
    if soak is not None:
        parts += ["## Many nights", _words(soak), _table(SOAK_HEAD, _soak_rows(soak)), _exceptions(soak)]
    if nights is not None:
        parts += ["## One night on many books", _night_words(nights), _table(NIGHT_HEAD, _night_rows(nights))]
    parts += [f"![{title}](plots/{name})" for name, title in plots]
    return "\n\n".join(part for part in parts if part) + "\n"


INTRODUCTION = """Written by `python -m benchmarks.soak` and `python -m benchmarks.nights`; the figures are in
`results/`.

The simulated books have noise of 2 % on every ARR every night, books that grow above their trigger, spikes that fall
by themselves and come back, owners changed by others, customers who come and go, AMs who leave, files that are broken
or missing for some nights, and planners who approve, reject, apply and forget. What truly happened is worked out apart
from the package, in plain integers, and every night is compared with it."""

SOAK_HEAD = ("what", "wanted", "found")
KINDS = {
    "events": "triggers raised not exactly once, or not continued within 30 days",
    "clock": "clocks that differ from their replay",
    "triggered": "nights that count other triggered books than there are",
    "flapping": "moves given up without a reason while their AM was triggered",
    "noise": "nights with a new proposal where only noise happened",
    "rejected": "rejected moves proposed again within 90 days",
    "not_proposed": "nights without a proposal where there was something to cure",
    "illegal": "proposals that break a limit",
    "price": "proposals whose price is not that of their moves",
    "table": "owners and tiers in the store that are not the true ones",
    "status": "books with an unexpected status",
    "exit_code": "nights with another exit code than that of their worst book",
    "audit": "findings of the audit at the end",
}


def _words(soak: Mapping[str, Any]) -> str:
    on, minutes = soak["machine"], soak["seconds"] / 60
    return (
        f"{soak['nights']} nights on {soak['books']} books of {soak['accounts']} accounts, {soak['jobs']} jobs, "
        f"{soak['store']}, seed {soak['seed']}; {minutes:,.0f} minutes of nights on {on['cores']} cores "
        f"({on['processor']}), {on['date']}. Books by night: {_told(soak['outcomes'])}. "
        f"Planners: {_told(soak['planners'])}. Nothing but noise happened in {soak['quiet']['quiet']:,} nights "
        f"of a book, in {soak['quiet']['quiet_open']:,} of them with an open proposal."
    )


def _told(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {name.replace('_', ' ')}" for name, number in counts.items())


def _soak_rows(soak: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    rows = [(words, "0", f"{soak['violations_by_kind'].get(kind, 0):,}") for kind, words in KINDS.items()]
    nights = f"nights {EARLY[0]}-{EARLY[1]} against the last {LAST}"
    for name, words, scale in (("rss", "memory of the parent, MB", MB), ("open_files", "open files", 1)):
        found = soak["flat"][name]
        if found is not None:
            told = f"{found['early'] / scale:,.1f}, {found['last'] / scale:,.1f}: {100 * found['change']:+.1f} %"
            rows.append((f"{words}, {nights}", "within 5 %", told))
    grown = soak["growth"]
    if grown is not None:
        rows.append(("growth of the store, kB a night", "linear", f"{grown['bytes_a_night'] / 1024:,.0f}"))
        rows.append(
            (
                "R2 of a line through its size; largest residual",
                "",
                f"{grown['r2']:.4f}; {100 * grown['residual']:.1f} %",
            )
        )
        rows.append(("growth in the second half against the first", "about 1", f"{grown['halves']:.2f}"))
    return rows


def _exceptions(soak: Mapping[str, Any]) -> str:
    if not soak["given_up_by_reason"]:
        return ""
    rows = [(reason, f"{number:,}") for reason, number in soak["given_up_by_reason"].items()]
    return "Moves given up while their AM was triggered, for a reason:\n\n" + _table(("reason", "moves"), rows)


NIGHT_HEAD = ("books", "seconds", "CPU seconds", "peak MB", "store MB", "proposed", "triggered AMs", "seconds a book")


def _night_words(nights: Mapping[str, Any]) -> str:
    sizes = nights["sizes"]
    exponent = growth([(one["books"], one["seconds"]) for one in sizes])
    grown = "" if exponent is None else f" Time grows with the number of books to the power of {exponent:.2f}."
    return (
        f"Books of {nights['accounts']:,} accounts and {nights['ams']} AMs, {nights['jobs']} jobs on "
        f"{nights['machine']['cores']} cores, a fresh store each, every book seen for the first time. Wanted: 200 "
        f"books in under 20 minutes.{grown}"
    )


def _night_rows(nights: Mapping[str, Any]) -> list[tuple[str, ...]]:
    return [
        (
            f"{one['books']:,}",
            f"{one['seconds']:,.0f}",
            f"{one['cpu_seconds']:,.0f}",
            f"{one['peak_bytes'] / MB:,.0f}",
            f"{one['store_bytes'] / MB:,.1f}",
            f"{one['outcomes'].get('proposed', 0):,}",
            f"{one['triggered']:,}",
            f"{one['seconds'] / one['books']:.2f}",
        )
        for one in nights["sizes"]
    ]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def draw(found: Mapping[str, Mapping[str, Any] | None], folder: Path) -> list[tuple[str, str]]:
    """Three plots of a simulation; none without matplotlib."""
    soak = found["soak"]
    try:
        import matplotlib
    except ImportError:
        return []
    if soak is None:
        return []
    matplotlib.use("Agg")
    from matplotlib import pyplot

    folder.mkdir(parents=True, exist_ok=True)
    nights = [one["night"] for one in soak["figures"]]
    made = []
    for name, title, scale in PLOTS:
        figure, axis = pyplot.subplots(figsize=(8, 3))
        axis.plot(nights, [one[name] / scale for one in soak["figures"]], color="#1f77b4")
        axis.set(xlabel="night", ylabel=title, ylim=(0, None))
        axis.grid(alpha=0.3)
        figure.tight_layout()
        figure.savefig(folder / f"soak_{name}.png", dpi=110, metadata={"Software": None})
        pyplot.close(figure)
        made.append((f"soak_{name}.png", title))
    return made


PLOTS = (("store_bytes", "store, MB", MB), ("rss", "memory of the parent, MB", MB), ("seconds", "seconds a night", 1))
