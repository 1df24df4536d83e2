"""`import-results`: what comes back from the CRM."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rebalancer.cli.feeding import feeding_options
from rebalancer.cli.options import json_option, run_argument
from rebalancer.cli.output import console, counted, emit_json, note, records, say, table

if TYPE_CHECKING:
    from rebalancer.crm.ledger import Imported
    from rebalancer.store.ledger import Recorded

SHOWN_ERRORS = 20
SHOWN_ACCOUNTS = 10


@click.command(short_help="Record what the CRM did with the export of RUN.")
@run_argument
@click.argument("files", nargs=-1, required=True, type=click.Path(), metavar="FILE...")
@click.option("--export", "folder", type=click.Path(), default=None, metavar="DIR",
              help="Directory of the export. Default: RUN-crm, beside the run.")  # fmt: skip
@click.option("--skip-others", is_flag=True, help="Leave out rows of other accounts and other owners.")
@feeding_options
@json_option
def import_results(
    run: str,
    files: tuple[str, ...],
    folder: str | None,
    skip_others: bool,
    store: str | None,
    who: dict[str, Any],
    as_json: bool,
) -> None:
    """Record success and error files of Data Loader or the Bulk API in the ledger of an export.

    Files may come in any order and more than once. What failed or was not processed is written to retry.csv. With
    --store the ledger is kept there too, with the proposal that RUN became, once that is approved or applied.
    """
    from rebalancer.cli.proposals import opened
    from rebalancer.crm.folder import default_folder
    from rebalancer.crm.ledger import import_results as record_results
    from rebalancer.run_directory import run_id_of
    from rebalancer.store.ledger import record_results as record_in_store
    from rebalancer.store.ledger import refuse_unloaded

    run_id, place = run_id_of(run), Path(folder) if folder is not None else default_folder(run)
    kept = opened(store) if store else None
    if kept is not None:
        refuse_unloaded(kept, run_id, who["book"])
    found = record_results(run_id, place, files, skip_others=skip_others)
    told = record_in_store(kept, run_id, found.ledger, **who) if kept is not None else None
    if as_json:
        emit_json(
            {
                "run_id": found.run_id,
                "export": str(place),
                **found.counts,
                "changed": found.changed,
                "results": found.results,
                "skipped": found.skipped,
                "unprocessed": found.unprocessed,
                "conflicts": list(found.conflicts),
                "errors": records(found.errors),
                "retry": None if found.retry is None else str(found.retry),
                "ledger": records(found.ledger),
                "store": None if told is None else vars(told),
            }
        )
    else:
        if told is not None:
            _print_told(told)
        _print_results(found, run)


def _print_told(told: Recorded) -> None:
    """What the store made of it, before what is left to do."""
    if told.not_approved:
        named = ", ".join(told.not_approved[:SHOWN_ACCOUNTS])
        more = f" and {len(told.not_approved) - SHOWN_ACCOUNTS:,} more" if told.not_approved[SHOWN_ACCOUNTS:] else ""
        note(f"note: the export moves what proposal {told.proposal_id} has not approved: {named}{more}.")
    changed = f"{told.changed:,} changed" if told.changed else "nothing was changed"
    say(f"Recorded with proposal {told.proposal_id}, which is {told.state} ({changed}).")


def _print_results(found: Imported, run: str) -> None:
    for text in found.conflicts:
        note(f"note: {text}")
    if found.skipped:
        note(f"note: {counted(found.skipped, 'row')} of other accounts or owners left out.")
    if found.unprocessed:
        note(f"note: {counted(found.unprocessed, 'row')} without a result: not processed, or not a result file.")
    counts = found.counts
    say(
        f"{counts['done']:,} of {counted(len(found.ledger), 'account')} done, {counts['failed']:,} failed, "
        f"{counts['pending']:,} pending ({found.changed:,} changed by this import)."
    )
    if len(found.errors):
        rows = [(f"{row['accounts']:,}", row["error"], row["cure"]) for row in records(found.errors.head(SHOWN_ERRORS))]
        console().print(table("Why accounts failed", [">accounts", "error", "what to do"], rows))
    if found.retry is None:
        say("Every account has the owner of the plan.")
        return
    file = shlex.quote(str(found.retry))
    say(f"{found.retry}: what is left to load.")
    say(f"  sf data update bulk --sobject Account --file {file} --line-ending LF --wait 10")
    say(f"Next: rebalancer import-results {shlex.quote(run)} SUCCESS.csv ERROR.csv")
