"""`demo`: the main job on the sample book."""

from __future__ import annotations

import click

from rebalancer.cli.output import say


@click.command(short_help="Rebalance the sample book, and show what came out.")
@click.option(
    "--out", type=click.Path(), default="runs/demo", show_default=True, metavar="RUN", help="Run directory to write."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
def demo(out: str, as_json: bool) -> int:
    """Rebalance the sample book that comes with rebalancer, and show what came out and where."""
    from rebalancer.book import load_book
    from rebalancer.cli.heatmap import print_books
    from rebalancer.cli.propose import Signals, run_proposal
    from rebalancer.engine import Stop
    from rebalancer.insight.heatmap import heatmap
    from rebalancer.shipped import shipped

    place = shipped("data/sample")
    book = load_book(place)
    if not as_json:
        say(f"The sample book: {place}")
        heat = heatmap(book)
        print_books(heat, f"As it stands: {len(book.accounts):,} accounts in {len(heat)} books")
    options = {"scope": "full", "time_limit": 30.0, "gap": 0.0}
    with Signals(Stop()) as signals:
        return run_proposal(book, None, out, as_json, strict=False, detailed=False, options=options, signals=signals)
