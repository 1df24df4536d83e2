"""Plots of the page: gap over time, what practice costs, and growth over sizes. Without matplotlib there are none."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from benchmarks.figures import OURS, best_bound, gap, gap_to_best
from benchmarks.peers import PEERS

COLOURS = {
    OURS: "#c1272d",
    "cpsat": "#1f77b4",
    "highs": "#2ca02c",
    "scip": "#9467bd",
    "redeal": "#7f7f7f",
    "waterfall": "#bcbd22",
    "weighted": "#17becf",
    "local_search": "#ff7f0e",
}
LEAST_GAP = 1e-4
"""Gaps below are drawn here: the axis is logarithmic."""

MOST_GAP = 10.0
COLUMNS = 3
DPI = 110


def draw(records: list[dict[str, Any]], folder: Path) -> list[tuple[str, str]]:
    """Write the plots that the records allow, and hand back their names and titles."""
    try:
        import matplotlib
    except ImportError:
        return []
    matplotlib.use("Agg")
    folder.mkdir(parents=True, exist_ok=True)
    compared = [record for record in records if len(record["methods"]) > 1 and best_bound(record) is not None]
    made = []
    if compared:
        made.append((_gaps(compared, folder / "gap_over_time.png"), "Gap to the best bound over time"))
        made.append((_practice(compared, folder / "methods.png"), "Cost above the best bound by method"))
    sized = [record for record in records if record["methods"][OURS].get("plan")]
    if len({record["accounts"] for record in sized}) > 1:
        made.append((_growth(sized, folder / "growth.png"), "Seconds and memory over accounts"))
    return [(path.name, title) for path, title in made]


def _title(name: str) -> str:
    return PEERS[name].title if name in PEERS else name


def _gaps(records: list[dict[str, Any]], path: Path) -> Path:
    """A panel per case: the gap of the best legal plan over the seconds of the search."""
    from matplotlib import pyplot

    columns = min(COLUMNS, len(records))
    rows = math.ceil(len(records) / columns)
    figure, axes = pyplot.subplots(rows, columns, figsize=(max(8, 5 * columns), 3.4 * rows + 0.6), squeeze=False)
    for axis, record in zip(axes.flat, records, strict=False):
        for name, method in record["methods"].items():
            _line(axis, name, method, best_bound(record))
        axis.set(title=record["case"], xscale="log", yscale="log", ylim=(LEAST_GAP / 2, MOST_GAP))
        axis.set(xlabel="seconds", ylabel="gap")
        axis.grid(alpha=0.3)
    for axis in axes.flat[len(records) :]:
        axis.set_visible(False)
    handles = {line.get_label(): line for axis in axes.flat for line in axis.get_lines() if line.get_label()[0] != "_"}
    figure.legend(handles.values(), handles.keys(), loc="lower center", ncols=4, fontsize="small")
    figure.tight_layout(rect=(0, 0.6 / (3.4 * rows + 0.6), 1, 1))
    return _saved(figure, path)


def _line(axis: Any, name: str, method: dict[str, Any], bound: int | None) -> None:
    """Steps down to the end of the run; one point where a method has a plan only at its end."""
    points = [(at, gap(value, bound)) for at, value, _ in method.get("history", []) if method.get("legal") and value]
    if not points:
        return
    at = [max(seconds, 0.01) for seconds, _ in points] + [max(method["seconds"], points[-1][0], 0.01)]
    height = [min(MOST_GAP, max(LEAST_GAP, distance or 0)) for _, distance in points]
    axis.step(at, [*height, height[-1]], where="post", color=COLOURS.get(name), label=_title(name))
    axis.plot(at[:1], height[:1], "o", color=COLOURS.get(name), markersize=4)


def _practice(records: list[dict[str, Any]], path: Path) -> Path:
    """Bars: how far above the best bound each method's legal plan is; a method without a legal plan has no bar."""
    from matplotlib import pyplot

    names = [name for name in COLOURS if any(name in record["methods"] for record in records)]
    figure, axis = pyplot.subplots(figsize=(max(8.0, 1.3 * len(records)), 4.5))
    width = 0.8 / len(names)
    for place, name in enumerate(names):
        gaps = [gap_to_best(record["methods"].get(name, {}), best_bound(record)) for record in records]
        at = [index + place * width for index, distance in enumerate(gaps) if distance is not None]
        height = [max(LEAST_GAP, distance) for distance in gaps if distance is not None]
        if at:
            axis.bar(at, height, width, color=COLOURS[name], label=_title(name))
    axis.set(yscale="log", ylabel="gap to the best bound")
    axis.set_xticks([index + 0.4 for index in range(len(records))], [record["case"] for record in records], rotation=30)
    axis.legend(fontsize="small", ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1))
    figure.tight_layout()
    return _saved(figure, path)


def _growth(records: list[dict[str, Any]], path: Path) -> Path:
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(10, 4))
    for family in dict.fromkeys(record["family"] for record in records):
        members = [record for record in records if record["family"] == family]
        sizes = [record["accounts"] for record in members]
        for axis, key in zip(axes, ("seconds", "peak_mb"), strict=True):
            axis.plot(sizes, [record["methods"][OURS][key] or math.nan for record in members], "o-", label=family)
    for axis, label in zip(axes, ("whole path, seconds", "peak memory, MB"), strict=True):
        axis.set(xscale="log", yscale="log", xlabel="accounts", ylabel=label)
        axis.grid(alpha=0.3)
    axes[0].legend(fontsize="small")
    figure.tight_layout()
    return _saved(figure, path)


def _saved(figure: Any, path: Path) -> Path:
    from matplotlib import pyplot

    figure.savefig(path, dpi=DPI, metadata={"Software": None})
    pyplot.close(figure)
    return path
