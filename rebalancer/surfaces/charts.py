"""Charts: pictures of frames, PNG or SVG by the ending of the file; the same bytes for the same frames."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from rebalancer.errors import UsageError, printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ENDINGS = (".png", ".svg")
INCHES = (13.0, 6.2)
SHOWN_ROWS = 16
"""Tiers and regions that the bars show; the table has all."""

BARS = (
    ("today", "today and to come", "#7f8c8d"),
    ("units_needed", "by units", "#1f77b4"),
    ("accounts_needed", "by accounts", "#e69f00"),
    ("arr_needed", "by ARR", "#56b4a0"),
)


def check_ending(file: str | Path) -> None:
    """Raise `UsageError` for a file that is neither PNG nor SVG by its name, before anything is worked out."""
    if Path(file).suffix.lower() not in ENDINGS:
        raise UsageError(f'"{printable(str(file))}" is no picture we draw; end its name with .png or .svg.')


def sizing_chart(chart: pd.DataFrame, needed: pd.DataFrame, file: str | Path) -> None:
    """Draw AMs needed by Net Ratio and accounts per AM, beside today against needed by tier and region.

    `chart` and `needed` are the frames of a sizing (`rebalancer.insight.size`). Raises `UsageError` where the file
    can't be written or is neither PNG nor SVG.
    """
    check_ending(file)
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": "rebalancer", "font.family": "DejaVu Sans", "font.size": 9}):
        figure = Figure(figsize=INCHES, layout="constrained")
        FigureCanvasAgg(figure)
        left, right = figure.subplots(1, 2, width_ratios=(1.15, 1))
        _grid(left, chart[chart["by"] == "all"], needed.iloc[0])
        _bars(right, needed[needed["by"].isin(("tier", "region")) & (needed["accounts"] > 0)].head(SHOWN_ROWS))
        _save(figure, Path(file))


def _save(figure: Figure, file: Path) -> None:
    """Without the day and the version of the library, which would change the bytes."""
    dated: dict[str, Any] = {"Date": None, "Creator": None} if file.suffix.lower() == ".svg" else {"Software": None}
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(file, dpi=110, metadata=dated)
    except OSError as error:
        raise UsageError(f'"{printable(str(file))}" can not be written: {error.strerror}.') from None


def _grid(axes: Axes, chart: pd.DataFrame, total: pd.Series) -> None:
    """A cell for every Net Ratio and size of book: AMs needed, framed where the Net Ratio advises that size."""
    axes.set_title("AMs needed by Net Ratio and size of the book")
    if chart.empty:
        axes.text(0.5, 0.5, "no accounts, or no benchmarks in the model", ha="center")
        axes.set_axis_off()
        return
    table = chart.pivot(index="net_ratio", columns="accounts_per_am", values="ams")
    sizes, ratios = table.columns.to_numpy(), table.index.to_numpy()
    axes.imshow(table.to_numpy(), origin="lower", aspect="auto", cmap="Blues", alpha=0.75)
    for row in chart.to_dict("records"):
        place = (int(np.searchsorted(sizes, row["accounts_per_am"])), int(np.searchsorted(ratios, row["net_ratio"])))
        _cell(axes, place, row, table.to_numpy().max())
    book = chart.drop_duplicates("accounts_per_am").set_index("accounts_per_am")["arr_per_am"]
    names = [f"{size:g}\n${book[size] / 1e6:.1f}M" for size in sizes]
    axes.set_xticks(range(len(sizes)), names)
    axes.set_yticks(range(len(ratios)), [f"{100 * ratio:.0f} %" for ratio in ratios])
    axes.set_xlabel("accounts per AM, and the ARR of such a book")
    axes.set_ylabel("Net Ratio = (upsell + cross-sell - churn) / book under management")
    _today(axes, sizes, ratios, total)


def _cell(axes: Axes, place: tuple[int, int], row: dict[Any, Any], most: int) -> None:
    from matplotlib.patches import Rectangle

    pays = "" if np.isnan(row["pays"]) else f"\n{row['pays']:.1f}x"
    colour = "white" if row["ams"] > 0.8 * most else "black"
    axes.text(place[0], place[1] + 0.08, f"{row['ams']:,}{pays}", ha="center", va="center", color=colour)
    if row["advised"]:
        corner = (place[0] - 0.47, place[1] - 0.46)
        axes.add_patch(Rectangle(corner, 0.94, 0.92, fill=False, edgecolor="#d55e00", linewidth=2))


def _today(axes: Axes, sizes: np.ndarray, ratios: np.ndarray, total: pd.Series) -> None:
    """A star where the team stands today, at the edge where that is outside the chart."""
    words = "framed: the size that a Net Ratio advises. 1.0x: what the AM adds in a year is what an AM costs"
    axes.annotate(words, (0, -0.19), xycoords="axes fraction", fontsize=8)
    if not total["today"] > 0 or np.isnan(total["net_ratio"]):
        return
    size = total["accounts"] / total["today"]
    x = np.interp(np.log(size), np.log(sizes), np.arange(len(sizes)))
    y = np.interp(total["net_ratio"], ratios, np.arange(len(ratios)))
    axes.plot(x, y, marker="*", markersize=13, color="#d55e00", markeredgecolor="black")
    axes.annotate(
        f"star: today, {size:.0f} accounts per AM at a Net Ratio of {100 * total['net_ratio']:.1f} %",
        (0, -0.225), xycoords="axes fraction", fontsize=8,
    )  # fmt: skip


def _bars(axes: Axes, rows: pd.DataFrame) -> None:
    """Today against needed by each of the three views."""
    axes.set_title("full AMs today, and needed by each view")
    names = [str(row["tier"] or row["region"] or "no region") for row in rows.to_dict("records")]
    place, height = np.arange(len(rows)), 0.8 / len(BARS)
    for number, (column, label, colour) in enumerate(BARS):
        width = rows[column].to_numpy(np.float64)
        if column == "today":
            width = width + rows["coming"].to_numpy(np.float64)
        axes.barh(place + (number - 1.5) * height, width, height, label=label, color=colour)
    axes.set_yticks(place, [printable(name, 24) for name in names])
    axes.invert_yaxis()
    axes.set_xlabel("full AMs (one unit cap each)")
    axes.legend(loc="lower right", frameon=False)
