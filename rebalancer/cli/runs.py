"""`verify` and `explain`: what can be asked of a run directory."""

from __future__ import annotations

import click

from rebalancer.cli.options import json_option, run_argument
from rebalancer.cli.output import emit_json, note, records, say


@click.command(short_help="Check RUN with code that shares nothing with the solver.")
@run_argument
@json_option
def verify(run: str, as_json: bool) -> int:
    """Check RUN from its own input tables with code that shares nothing with the solver.

    Exits with 7 where a hash, a rule, a figure or the objective does not hold.
    """
    from rebalancer.verify import verify_run

    violations = verify_run(run)
    if as_json:
        emit_json({"ok": not violations, "violations": [vars(violation) for violation in violations]})
    elif violations:
        for violation in violations:
            note(f"{violation.rule}: {violation.message}")
        say(f"REJECTED: {len(violations):,} violations in {run}.")
    else:
        say(f"Verified: {run} keeps every rule, and every figure was recounted from its inputs.")
    return 7 if violations else 0


@click.command(short_help="Say why an account of RUN moves or stays.")
@run_argument
@click.option("--account", required=True, metavar="ID", help="The account to explain.")
@json_option
def explain(run: str, account: str, as_json: bool) -> None:
    """Say why an account of RUN moves or stays, and what its other seats would cost."""
    from rebalancer.explain.account import explain as explain_one
    from rebalancer.run_directory import read_run

    explanation = explain_one(read_run(run), account)
    if as_json:
        emit_json({**{str(key): value for key, value in explanation.row.items()}, "seats": records(explanation.seats)})
    else:
        say(explanation.text())
