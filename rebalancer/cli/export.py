"""`export`: a run as files for a CRM or for people."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rebalancer.cli.options import json_option, run_argument
from rebalancer.cli.output import counted, emit_json, note, say

if TYPE_CHECKING:
    from rebalancer.crm.salesforce import Export
    from rebalancer.proposal import Proposal

SHOWN_WHY = 5


@click.command(short_help="Write RUN as files that a CRM takes.")
@run_argument
@click.option("--to", type=click.Choice(["salesforce", "excel"]), required=True,
              help="salesforce: owners to load, and the way back. excel: the moves for people.")  # fmt: skip
@click.option("--users", type=click.Path(), default=None, metavar="FILE",
              help="Columns am_id and Id: the Salesforce user of each AM, pool and CSM.")  # fmt: skip
@click.option("--team-role", default=None, metavar="ROLE",
              help="Role of CSMs in account teams. Default: Customer Success Manager.")  # fmt: skip
@click.option("--out", type=click.Path(), default=None, metavar="DIR",
              help="Directory to write. Default: RUN-crm, beside the run.")  # fmt: skip
@click.option("--force", default=None, metavar="WHY",
              help="Export a run that is not legal or that verify rejects, and record why.")  # fmt: skip
@json_option
def export(
    run: str, to: str, users: str | None, team_role: str | None, out: str | None, force: str | None, as_json: bool
) -> int:
    """Write the owner changes of RUN as files to load, with the way back and a ledger for the results.

    The run is verified first. A run that is not legal, or that verify rejects, is exported only with --force WHY.
    """
    if force is not None and not force.strip():
        raise click.UsageError("--force needs a reason.")
    if to == "excel":
        return _excel(run, out, as_json, {"--users": users, "--team-role": team_role, "--force": force})
    from rebalancer.crm.folder import default_folder, write_export
    from rebalancer.crm.salesforce import TEAM_ROLE, salesforce_export
    from rebalancer.crm.users import read_users

    proposal = exportable(run, force)
    mapping = read_users(users) if users is not None else {}
    made = salesforce_export(proposal, mapping, team_role or TEAM_ROLE)
    folder = Path(out) if out is not None else default_folder(run)
    new = write_export(made, folder, force)
    if as_json:
        files = {name: str(folder / name) for name in made.files()}
        emit_json({"run_id": made.run_id, "out": str(folder), "new": new, "accounts": len(made.owners),
                   "files": files, "notes": list(made.notes), "forced": force})  # fmt: skip
    else:
        _print(made, folder, new, run)
    return 0


def exportable(run: str, force: str | None) -> Proposal:
    """The proposal of a run that is whole and legal, or of any with a reason to `force` it."""
    from rebalancer.errors import CheckFailed, NoLegalPlan, printable
    from rebalancer.run_directory import read_run
    from rebalancer.verify import verify_run

    violations = verify_run(run)
    if violations and force is None:
        listed = "\n".join(f"  {found.rule}: {found.message}" for found in violations[:SHOWN_WHY])
        more = f"\n  and {len(violations) - SHOWN_WHY:,} more" if len(violations) > SHOWN_WHY else ""
        raise CheckFailed(
            f"{printable(run, 200)} is rejected by verify; nothing was exported:\n{listed}{more}\n"
            "Propose again, or export it all the same with --force WHY."
        )
    for found in violations[:SHOWN_WHY]:
        note(f"warning: verify rejects the run: {found.rule}: {found.message}")
    proposal = read_run(run, whole=not violations)
    if not proposal.legal and force is None:
        first = (proposal.record["shortages"] or ["Some limit is broken."])[0]
        raise NoLegalPlan(
            f"the plan of {printable(run, 200)} is not legal; nothing was exported. {first} "
            "Cure it and propose again, or export it all the same with --force WHY."
        )
    if not proposal.legal:
        note("warning: the plan is not legal.")
    return proposal


def _print(made: Export, folder: Path, new: bool, run: str) -> None:
    from rebalancer.crm.salesforce import OWNERS, ROLLBACK, TEAM

    for text in made.notes:
        note(f"note: {text}")
    if not new:
        say(f"{folder} holds this export already; nothing was written.")
    say(f"{folder / OWNERS}: {counted(len(made.owners), 'account')} with another owner, columns Id,OwnerId.")
    say(f"{folder / ROLLBACK}: {int((made.owners['old'] != '').sum()):,} of them with the owner they have today.")
    if len(made.team):
        say(f"{folder / TEAM}: {counted(len(made.team), 'member')} of account teams, to insert after the owners.")
    if made.owners.empty:
        say("No owner changes: there is nothing to load.")
        return
    file = shlex.quote(str(folder / OWNERS))
    say("Load it with Data Loader (Update, Account), or")
    say(f"  sf data update bulk --sobject Account --file {file} --line-ending LF --wait 10")
    say(f"Next: rebalancer import-results {shlex.quote(run)} SUCCESS.csv ERROR.csv")


def _excel(run: str, out: str | None, as_json: bool, others: dict[str, str | None]) -> int:
    """Where moves.xlsx is, or a copy of it."""
    from rebalancer.errors import UsageError
    from rebalancer.run_directory import read_run
    from rebalancer.surfaces.workbook import FILE

    given = [name for name, value in others.items() if value is not None]
    if given:
        raise click.UsageError(f"{given[0]} goes with --to salesforce.")
    read_run(run)
    place = Path(run) / FILE
    if not place.is_file():
        raise UsageError(f"{run} has no {FILE}; moves.csv has the moves.")
    if out is not None:
        place = _copy(place, Path(out))
    if as_json:
        emit_json({"file": str(place)})
    else:
        say(f"{place}: fill in Decision, Override and Comment.")
        say(f"Next: rebalancer import-decisions {shlex.quote(run)} {shlex.quote(str(place))}")
    return 0


def _copy(file: Path, folder: Path) -> Path:
    from rebalancer.errors import RebalancerError, UsageError

    target, content = folder / file.name, file.read_bytes()
    if target.exists() and (not target.is_file() or target.read_bytes() != content):
        raise UsageError(f'"{target}" is there and differs: move it away, it may hold decisions.')
    try:
        folder.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    except OSError as error:
        raise RebalancerError(f"can't write {target}: {error.strerror}.") from None
    return target
