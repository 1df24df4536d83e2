"""`size`: how many AMs and CSMs a book needs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rebalancer.cli.options import (
    Duration,
    book_argument,
    date_option,
    json_option,
    model_option,
    read_book,
    reading_options,
    scheduler_option,
)
from rebalancer.cli.output import emit_json, note, say

if TYPE_CHECKING:
    from rebalancer.insight.marginal import Marginal
    from rebalancer.insight.sizing import Sizing

FRAMES = ("needed", "chart", "factors")


@click.command(short_help="Say how many AMs and CSMs BOOK needs.")
@book_argument
@click.option("--growth", type=float, default=None, metavar="SHARE",
              help="Growth of the load per year, such as 0.2. Default: the model's.")  # fmt: skip
@click.option("--chart", type=click.Path(), default=None, metavar="FILE",
              help="Draw the sizing chart into this file: .png or .svg.")  # fmt: skip
@click.option("--marginal", "with_marginal", is_flag=True,
              help="Also say what one more AM, one fewer and one more unit are worth, by solving again.")  # fmt: skip
@click.option("--time-limit", type=Duration(), default="10s", show_default=True,
              help="With --marginal: time for each of its solves.")  # fmt: skip
@click.option("--workers", type=click.IntRange(1), default=None, help="With --marginal: cores to use. Default: all.")
@click.option("--jobs", type=click.IntRange(1), default=None,
              help="With --marginal: so many of its solves at a time, in processes of one core each.")  # fmt: skip
@scheduler_option
@model_option
@date_option
@reading_options
@click.option("--csv", "folder", type=click.Path(), default=None, metavar="DIR",
              help="Write every table of the sizing as a CSV file into this directory.")  # fmt: skip
@json_option
def size(
    book: str,
    growth: float | None,
    chart: str | None,
    with_marginal: bool,
    time_limit: float,
    workers: int | None,
    jobs: int | None,
    scheduler: str | None,
    model: str | None,
    effective_date: str | None,
    folder: str | None,
    as_json: bool,
    reading: dict[str, Any],
) -> None:
    """Hold today's team against the AMs needed by coverage units, by accounts and by ARR, per tier and region, with the
    Net Ratio and the months the team still lasts; and today's CSMs against those needed by band of ARR.
    """
    from rebalancer.cli.frames import write_csvs
    from rebalancer.executors import executor_if
    from rebalancer.insight.marginal import marginal
    from rebalancer.insight.sizing import size as sized
    from rebalancer.surfaces.charts import check_ending, sizing_chart

    if chart is not None:
        check_ending(chart)
    loaded = read_book(book, reading)
    found = sized(loaded, model, effective_date, growth)
    worth = None
    if with_marginal:
        with executor_if(jobs, scheduler) as executor:
            how: dict[str, Any] = {"time_limit": time_limit, "workers": workers, "executor": executor}
            worth = marginal(loaded, model, effective_date, **how, told=note)
    if chart is not None:
        sizing_chart(found.chart, found.needed, chart)
    frames = _frames(found, worth)
    if folder is not None:
        write_csvs(Path(folder), frames)
    if as_json:
        _emit(found, worth, frames, chart)
        return
    from rebalancer.cli.size_tables import print_marginal, print_sizing

    print_sizing(found)
    if worth is not None:
        print_marginal(worth)
    if chart is not None:
        say(f"Chart: {chart}.")
    if folder is not None:
        say(f"Written to {folder}: {', '.join(f'{name}.csv' for name in frames)}.")


def _frames(found: Sizing, worth: Marginal | None) -> dict[str, Any]:
    frames = {name: getattr(found, name) for name in FRAMES}
    frames |= {"csm_bands": found.csms.bands, "csm_people": found.csms.people}
    return frames if worth is None else {**frames, "marginal_regions": worth.regions, "marginal_curve": worth.curve}


def _emit(found: Sizing, worth: Marginal | None, frames: dict[str, Any], chart: str | None) -> None:
    from rebalancer.cli.frames import json_rows

    notes = [*found.notes, *found.csms.notes, *(() if worth is None else worth.notes)]
    content = {
        "growth": found.growth,
        "check": asdict(found.check),
        **{name: json_rows(frame) for name, frame in frames.items()},
        "csm_factors": found.csms.factors,
        "missing": [*found.missing, *found.csms.missing],
        "notes": notes,
        "chart_file": chart,
    }
    if worth is not None:
        content["concave"] = worth.concave
    emit_json(content)
