"""`proposals`: the way of a proposal through a store: submit, approve, apply, undo, and who owned what."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from rebalancer.cli.options import json_option, run_argument
from rebalancer.cli.output import console, counted, dollars, emit_json, note, say, table
from rebalancer.cli.stores import moment, opened, say_submitted, store_option

if TYPE_CHECKING:
    from rebalancer.store import Decided, Shown

F = TypeVar("F", bound=Callable[..., Any])

SHOWN = 20
"""Moves and changes on the screen; --json has all."""


@click.group(short_help="Carry proposals through approval, apply and undo.")
def proposals() -> None:
    """Carry proposals through approval, apply and undo, in a store: an SQLite file, or PostgreSQL by URL.

    PROPOSAL is the id that `submit` prints, or its beginning.
    """


def writing_options(command: F) -> F:
    """--store, --by, --comment and --json, of commands that write; the first three are handed on as one `who`."""

    @wraps(command)
    def write(*args: Any, by: str | None, comment: str, **rest: Any) -> Any:
        return command(*args, who={"by": by, "comment": comment, "now": moment()}, **rest)

    options = (
        store_option,
        click.option("--by", metavar="NAME", default=None,
                     help="Who does this, where the store does not know it. Default: the user of the system."),
        click.option("--comment", metavar="TEXT", default="", help="A word on it, kept with the event."),
        json_option,
    )  # fmt: skip
    for option in reversed(options):
        write = option(write)
    return cast(F, write)


def proposal_argument(command: F) -> F:
    """The proposal."""
    return click.argument("proposal", metavar="PROPOSAL")(command)


@proposals.command(short_help="Make or upgrade the tables of a store.")
@store_option
@json_option
def init(store: str, as_json: bool) -> None:
    """Make the tables of a new store, or upgrade those of an older version; an SQLite file is copied first.

    `submit` does it by itself for a file; in PostgreSQL the owner of the database does it once.
    """
    from rebalancer.store.tables import REVISION

    found = opened(store, create=True)
    if as_json:
        emit_json({"revision": REVISION, "identity_enforced": found.enforced})
    else:
        say(f"The store has tables of revision {REVISION}.")


@proposals.command(short_help="Print the roles and grants of PostgreSQL.")
@json_option
def grants(as_json: bool) -> None:
    """Print an SQL script with the roles reader, planner, approver, applier and owner, for the owner of the database.

    Run it after `init`, and again after every upgrade: psql NAME -f FILE.
    """
    from rebalancer.store.schema import GRANTS

    script = GRANTS.read_text(encoding="utf-8").rstrip()
    if as_json:
        emit_json({"grants": script})
    else:
        say(script)


@proposals.command(short_help="Make a proposal of RUN.")
@run_argument
@click.option("--book", metavar="NAME", default="main", help="The book that the run is of. Default: main.")
@writing_options
def submit(run: str, book: str, store: str, who: dict[str, Any], as_json: bool) -> None:
    """Make a proposal of RUN, and take in its book as the newest file of that book.

    The run is checked as `verify` does. The same run again changes nothing. A proposal of the book that still waits
    is superseded. Exits with 8 where the run was made for owners that are not those of the store.
    """
    from rebalancer.store import read_plan, submit_plan
    from rebalancer.store.connect import file_of, url_of

    plan = read_plan(run)
    done = submit_plan(opened(store, create=file_of(url_of(store)) is not None), plan, book=book, **who)
    for account in done.rejected_before:
        note(f"warning: {account} moves as it was rejected before, and that rejection still holds.")
    if as_json:
        emit_json({**vars(done), "book": book, "run_id": plan.run_id})
    elif done.proposal_id is None:
        say(f"No change is needed: there is nothing to decide{'' if done.new else ' (submitted before)'}.")
    else:
        say_submitted(done, book)


@proposals.command("list", short_help="Show the proposals of a store, newest first.")
@click.option("--book", metavar="NAME", default=None, help="Only those of one book.")
@click.option("--live", is_flag=True, help="Only those that wait for a decision, or to be applied.")
@store_option
@json_option
def list_(store: str, book: str | None, live: bool, as_json: bool) -> None:
    """Show the proposals of a store, newest first."""
    from rebalancer.store import list_proposals

    found = list_proposals(opened(store), book=book, live=live)
    if as_json:
        emit_json({"proposals": found})
        return
    columns = ["proposal", "book", "state", ">moves", ">approved", ">rejected", ">ARR", "by", "since", "undoes"]
    rows = [
        (p["proposal_id"], p["book"], p["state"], f"{p['moves']:,}", f"{p['approved']:,}", f"{p['rejected']:,}",
         dollars(p["arr"]), p["proposed_by"], p["proposed_at"][:10], p["undoes"])
        for p in found
    ]  # fmt: skip
    if rows:
        console().print(table(counted(len(rows), "proposal"), columns, rows))
    else:
        say("No proposals.")


@proposals.command(short_help="Show a proposal, its moves and what was decided.")
@proposal_argument
@click.option("--all", "every", is_flag=True, help="Show every move, not the first 20.")
@store_option
@json_option
def show(proposal: str, every: bool, store: str, as_json: bool) -> None:
    """Show a proposal, its moves with the decision on each, its approvals, and what happened to it."""
    from rebalancer.store import show as shown_of

    found = shown_of(opened(store), proposal, now=moment())
    if as_json:
        emit_json({**found.facts, "moves": found.moves, "approvals": found.approvals, "events": found.events,
                   "crm": found.crm})  # fmt: skip
        return
    _print_proposal(found, None if every else SHOWN)


def _print_proposal(found: Shown, shown: int | None) -> None:
    facts = found.facts
    kind = f", undoes {facts['undoes']}" if facts["undoes"] else f", run {facts['run_id']}"
    say(f"Proposal {facts['proposal_id']} of book {facts['book']}: {facts['state']}{kind}.")
    say(f"Plan {facts['plan_hash'][:16]}, proposed by {facts['proposed_by']} on {facts['proposed_at']}.")
    columns = ["account", "from", "to", "CSM", "tier", ">ARR", ">at risk", "decision"]
    ordered = sorted(found.moves, key=lambda move: (-move["disruption"], move["account_id"]))
    rows = [
        (m["account_id"], m["from_am"] or "-", m["to_am"] or "-", _csm(m), m["tier"], dollars(m["arr"]),
         dollars(m["disruption"]), _decision(m))
        for m in ordered[:shown]
    ]  # fmt: skip
    console().print(table(counted(len(ordered), "move"), columns, rows))
    if shown and len(ordered) > shown:
        say(f"and {len(ordered) - shown:,} more; --all shows them.")
    for event in found.events:
        comment = f": {event['comment']}" if event["comment"] else ""
        say(f"{event['at']} {event['what']} by {event['actor']}{comment}")
    _print_crm(found)
    if found.approvals and facts["state"] == "approved":
        say(f"The approval ends at {max(a['expires_at'] for a in found.approvals)}.")


def _print_crm(found: Shown) -> None:
    """What became of the approved moves in the CRM, once somebody imported it."""
    if found.crm is not None:
        counts = found.crm
        say(f"In the CRM: {counts['done']:,} done, {counts['failed']:,} failed, {counts['pending']:,} pending.")
    elif found.facts["state"] == "applied" and not found.facts["undoes"]:
        say("In the CRM: no results were imported yet.")


def _csm(move: dict[str, Any]) -> str:
    if move["from_csm"] == move["to_csm"]:
        return ""
    return f"{move['from_csm'] or '-'} to {move['to_csm'] or '-'}"


def _decision(move: dict[str, Any]) -> str:
    return "applied" if move["applied"] else "approval ended" if move["expired"] else move["decision"]


def account_option(command: F) -> F:
    """--account, repeatable."""
    text = "Only the move of this account; repeatable. Default: every move."
    return click.option("--account", "accounts", multiple=True, metavar="ID", help=text)(command)


@proposals.command(short_help="Approve a proposal, or some of its moves.")
@proposal_argument
@account_option
@click.option("--plan", metavar="HASH", default=None, help="Approve only if the plan still has this hash (`show`).")
@writing_options
def approve(
    proposal: str, accounts: tuple[str, ...], plan: str | None, store: str, who: dict[str, Any], as_json: bool
) -> None:
    """Approve a proposal, or the moves of some accounts. The approval is bound to this very plan, and ends in time.

    In PostgreSQL the login of the database approves, and it can't be the one that proposed. Exits with 8 where the
    book changed since the proposal was made.
    """
    from rebalancer.store import approve as approve_it

    _told(approve_it(opened(store), proposal, accounts=accounts, plan=plan, **who), "approved", as_json)


@proposals.command(short_help="Reject a proposal, or some of its moves.")
@proposal_argument
@account_option
@writing_options
def reject(proposal: str, accounts: tuple[str, ...], store: str, who: dict[str, Any], as_json: bool) -> None:
    """Reject a proposal, or the moves of some accounts; also approved ones, as long as nothing is applied."""
    from rebalancer.store import reject as reject_it

    _told(reject_it(opened(store), proposal, accounts=accounts, **who), "rejected", as_json)


def _told(done: Decided, what: str, as_json: bool) -> None:
    if as_json:
        emit_json({**vars(done), "changed": done.changed})
        return
    counts = f"{done.approved:,} approved, {done.rejected:,} rejected, {done.undecided:,} undecided"
    if not done.changed:
        say(f"Proposal {done.proposal_id}: this was {what} before; nothing was changed ({counts}).")
        return
    until = f", until {done.expires_at}" if done.expires_at else ""
    say(f"Proposal {done.proposal_id}: {counted(len(done.accounts), 'move')} {what}{until} ({counts}).")
    if done.approved and done.approved < done.approved + done.undecided + done.rejected:
        note("note: the plan was checked as a whole; a part of it may leave a book above its limit.")


@proposals.command(short_help="Make the approved moves of a proposal so.")
@proposal_argument
@writing_options
def apply(proposal: str, store: str, who: dict[str, Any], as_json: bool) -> None:
    """Make the approved moves of a proposal so in the store, all of them or none. Once applied, again changes nothing.

    Exits with 8, naming what changed, where the book is no longer the one that the proposal was made for.
    """
    from rebalancer.store import apply as apply_it

    done = apply_it(opened(store), proposal, **who)
    if as_json:
        emit_json(vars(done))
    elif done.new:
        left = f"; {counted(done.left_out, 'move')} not approved" if done.left_out else ""
        say(f"Proposal {done.proposal_id}: {counted(done.accounts, 'account')} changed hands{left}.")
    else:
        say(f"Proposal {done.proposal_id} was applied before; nothing was changed.")


@proposals.command(short_help="Propose to take back what was applied.")
@proposal_argument
@writing_options
def undo(proposal: str, store: str, who: dict[str, Any], as_json: bool) -> None:
    """Propose to give back what PROPOSAL moved. The undo is a proposal of its own, to be approved and applied.

    Accounts that changed hands since stay as they are, and are listed.
    """
    from rebalancer.store import undo as undo_it

    done = undo_it(opened(store), proposal, **who)
    if as_json:
        emit_json(vars(done))
        return
    if done.new:
        say(f"Proposal {done.proposal_id} gives back {counted(done.moves, 'account')} of {done.undoes}. Approve it.")
    else:
        say(f"Proposal {done.proposal_id} undoes {done.undoes} already, {done.state}; nothing was changed.")
    for text in done.left_out:
        say(f"Left out: {text}.")
    if done.not_in_crm:
        named = ", ".join(done.not_in_crm[:SHOWN])
        more = f" and {len(done.not_in_crm) - SHOWN:,} more; --json has all" if len(done.not_in_crm) > SHOWN else ""
        say(f"Failed or pending in the CRM, so nothing is to be loaded back there: {named}{more}.")


@proposals.command(short_help="Show who owned what, when, and why.")
@click.option("--account", metavar="ID", default=None, help="Only the changes of one account.")
@click.option("--book", metavar="NAME", default=None, help="Only the changes of one book.")
@click.option("--proposal", metavar="ID", default=None, help="Only what one proposal changed.")
@click.option("--csv", "csv_file", type=click.Path(dir_okay=False), default=None, metavar="FILE",
              help="Also write every change to this file.")  # fmt: skip
@store_option
@json_option
def history(
    account: str | None, book: str | None, proposal: str | None, csv_file: str | None, store: str, as_json: bool
) -> None:
    """Show who owned what, when and why: every change of an owner or a CSM, by whom it was proposed and approved."""
    from rebalancer.store import ownership

    found = ownership(opened(store), book=book, account=account, proposal=proposal)
    if csv_file is not None:
        _write(Path(csv_file), found)
    if as_json:
        emit_json({"changes": found})
        return
    shown = found if account is not None else found[-SHOWN:]
    columns = ["when", "account", "from", "to", "CSM", "how", "proposal", "approved by", "why"]
    rows = [
        (c["at"], c["account_id"], c["from_am"] or "-", c["to_am"] or "-", _csm(c), c["kind"], c["proposal_id"],
         c["approved_by"], c["reason"])
        for c in shown
    ]  # fmt: skip
    last = f", the last {len(shown)}; --json and --csv have all" if len(shown) < len(found) else ""
    console().print(table(counted(len(found), "change") + last, columns, rows))


def _write(file: Path, rows: list[dict[str, Any]]) -> None:
    import pandas as pd

    from rebalancer.cli.frames import write_csv
    from rebalancer.store.history import OWNED

    write_csv(file, pd.DataFrame(rows, columns=list(OWNED), dtype=str))


@proposals.command(short_help="Check that nothing was changed behind the store's back.")
@click.option(
    "--anchor", metavar="HASH", default=None, help="The anchor of an earlier audit, which must still be there."
)
@store_option
@json_option
def audit(anchor: str | None, store: str, as_json: bool) -> int:
    """Check the chain of events, and that replaying them gives the tables as they are.

    Exits with 7 where an event was changed, deleted, reordered or dated back, or a table is not as its events say.
    Keep the anchor elsewhere: with it the next audit also notices that the newest events were cut off.
    """
    from rebalancer.store import audit as audited

    found = audited(opened(store), anchor=anchor)
    if as_json:
        findings = [vars(finding) for finding in found.findings]
        counts = {"events": found.events, "changes": found.changes, "proposals": found.proposals}
        emit_json({"ok": found.ok, **counts, "anchor": found.anchor, "findings": findings})
    else:
        for finding in found.findings:
            note(f"{finding.kind}: {finding.message}")
        read = f"{counted(found.events, 'event')}, {counted(found.proposals, 'proposal')}"
        outcome = (
            "is as its events say"
            if found.ok
            else f"is NOT as its events say: {counted(len(found.findings), 'finding')}"
        )
        say(f"The store {outcome} ({read}, {counted(found.changes, 'change')} of owners).")
        say(f"Anchor: {found.anchor}")
    return 0 if found.ok else 7
