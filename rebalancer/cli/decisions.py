"""`import-decisions`: what reviewers decided on a run, as a new run."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rebalancer.cli.feeding import feeding_options
from rebalancer.cli.options import Duration, json_option, run_argument
from rebalancer.cli.output import console, counted, emit_json, note, records, say, table
from rebalancer.cli.stores import say_submitted

if TYPE_CHECKING:
    from rebalancer.review import Review
    from rebalancer.review.reading import Decided
    from rebalancer.store import Decided as Rejected
    from rebalancer.store import Reviewed, Store, Submitted

SHOWN_DECISIONS = 20


@click.command(short_help="Propose RUN again with the decisions of its reviewers.")
@run_argument
@click.argument("file", type=click.Path(), metavar="FILE")
@click.option("--out", type=click.Path(), default=None, metavar="RUN",
              help="Run directory to write. Default: beside RUN, named by the new run's id.")  # fmt: skip
@click.option("--time-limit", type=Duration(), default=None, help="Time to search. Default: that of RUN.")
@click.option("--workers", type=click.IntRange(1), default=None, help="Processor cores to use. Default: all.")
@click.option("--price", is_flag=True, help="Also price each decision against the run by a search of its own.")
@feeding_options
@json_option
def import_decisions(
    run: str,
    file: str,
    out: str | None,
    time_limit: float | None,
    workers: int | None,
    price: bool,
    store: str | None,
    who: dict[str, Any],
    as_json: bool,
) -> int:
    """Read decisions from FILE, moves.xlsx of RUN as filled in or a CSV with the same columns, and propose again.

    Approve fixes a move, Reject and Hold keep the account where it is, Override names another AM; an empty row leaves
    the account to the search. The new run says what the decisions cost. Exits with 4 where they leave no legal plan.

    With --store, moves that are kept or overridden are rejected in the proposal that RUN became, and the new run is the
    next proposal. Approving it is up to somebody who may: `proposals approve`.
    """
    from rebalancer.cli.proposals import opened
    from rebalancer.cli.propose import Signals, exit_code
    from rebalancer.engine import Stop
    from rebalancer.errors import Fault, InvalidInput
    from rebalancer.review import read_decisions, review
    from rebalancer.run_directory import read_run, refuse_foreign
    from rebalancer.store import Reviewed
    from rebalancer.store.reviewed import refuse_undecidable

    if out is not None:
        _refuse_same(Path(run), Path(out))
        refuse_foreign(Path(out))
    kept = opened(store) if store else None
    with Signals(Stop()) as signals:
        proposal = read_run(run)
        decided = read_decisions(file, proposal)
        if not decided.decisions:
            cure = "Fill in Decision or Override in at least one row."
            raise InvalidInput([Fault("empty", "the file decides nothing.", cure, Path(file).name)])
        reviewed = Reviewed(proposal.run_id, decided.decisions, decided.comments)
        if kept is not None:
            refuse_undecidable(kept, reviewed, who["book"])
        found = review(
            proposal,
            decided.decisions,
            time_limit=time_limit,
            workers=workers,
            price=price,
            stop=signals.stop,
        )
        place = _write(found, decided, Path(run), out, keep=kept is not None)
        signals.stop.searching = False
    code = signals.code or exit_code(found.after, 0.0, strict=False, detailed=False)
    if not as_json:
        _print(found, place, run)
    told = _tell(kept, reviewed, place, who, quiet=as_json) if kept is not None and code == 0 else None
    if as_json:
        emit_json({**_record(found, place), "store": told})
    elif kept is not None and code:
        note("note: the store was told nothing, since this is no plan to approve.")
    return code


def _tell(store: Store, reviewed: Reviewed, place: Path, who: dict[str, Any], *, quiet: bool) -> dict[str, Any]:
    """Tell the store of the decisions, then of the run that follows from them; each is printed as it is done."""
    from rebalancer.store import read_plan, record_review, submit_review

    rejected = record_review(store, reviewed, **who)
    if not quiet:
        _print_rejected(rejected)
    done = submit_review(store, reviewed, read_plan(place), **who)
    if not quiet:
        _print_submitted(done, rejected.proposal_id, who["book"])
    return {"reviewed_proposal_id": rejected.proposal_id, "rejected": list(rejected.accounts), **vars(done)}


def _print_rejected(done: Rejected) -> None:
    if done.changed:
        say(f"Proposal {done.proposal_id}: {counted(len(done.accounts), 'move')} rejected by these decisions.")
    else:
        say(f"Proposal {done.proposal_id}: these decisions reject nothing more.")


def _print_submitted(done: Submitted, reviewed: str, book: str) -> None:
    for account in done.rejected_before:
        note(f"warning: {account} moves as it was rejected before, and that rejection still holds.")
    if done.proposal_id is None:
        say("No move is left, so there is no proposal to decide.")
        return
    if done.proposal_id == reviewed:
        say(f"Proposal {reviewed} stays as it is: the decisions change none of its moves.")
    else:
        say_submitted(done, book)
    if done.state == "open":
        say(f"Next, by somebody who may: rebalancer proposals approve {done.proposal_id}")


def _refuse_same(run: Path, place: Path) -> None:
    """The run that was decided on stays."""
    from rebalancer.errors import UsageError

    if place.resolve() == run.resolve():
        raise UsageError(f'"{place}" is the run that was decided on. Choose another place with --out.')


def _write(found: Review, decided: Decided, run: Path, out: str | None, *, keep: bool) -> Path:
    """Write the new run, its decisions in it. With `keep`, the same run stays as it was written: a store may know it,
    and a search by the clock need not end alike.
    """
    from rebalancer.review.carry import FILE, carried, earlier, file_of, written
    from rebalancer.run_directory import write_run
    from rebalancer.surfaces.workbook import moves_workbook

    place = Path(out) if out is not None else (run if run.name else run.resolve()).parent / found.after.run_id
    _refuse_same(run, place)
    if keep and _is_there(place, found.after.run_id):
        note(f"note: {place} is there already, and is the run that the store is told of.")
        return place
    frame = carried(earlier(run), found.decisions, decided.comments, found.before.run_id)
    extra, told = moves_workbook(found.after, *written(frame, found.after))
    for text in told:
        note(f"warning: {text}")
    return write_run(found.after, place, {**extra, FILE: file_of(frame)})


def _is_there(place: Path, run_id: str) -> bool:
    from rebalancer.errors import RebalancerError
    from rebalancer.run_directory import run_id_of

    try:
        return run_id_of(place) == run_id
    except RebalancerError:
        return False


def _record(found: Review, place: Path) -> dict[str, object]:
    return {
        **found.after.record,
        "run_directory": str(place),
        "reviewed_run_id": found.before.run_id,
        "decisions": records(found.decisions.astype(object).where(found.decisions.notna(), None)),
        "undecided": found.undecided,
        "cost": [level.record() for level in found.levels],
        "conflict": [vars(decision) for decision in found.conflict],
    }


def _print(found: Review, place: Path, run: str) -> None:
    for warning in found.after.warnings:
        note(f"warning: {warning}")
    say(found.text())
    _print_decisions(found)
    for line in found.after.headline():
        say(line)
    say(f"Written to {place}, checked without the solver.")
    say(f"Next: rebalancer compare {shlex.quote(run)} {shlex.quote(str(place))}")


def _print_decisions(found: Review) -> None:
    """The decisions that change the run, the most costly first, each with what it costs by itself."""
    frame = found.decisions[found.decisions["alone_drawback"] != ""]
    frame = frame.sort_values(["alone_overload", "alone_disruption"], ascending=False, kind="stable")
    plain = frame.head(SHOWN_DECISIONS).astype(object).where(frame.notna(), None)
    priced = "priced_disruption" in frame
    rows = [_cells(row, found.before.record["measure"], priced) for row in records(plain)]
    if not rows:
        return
    columns = [">row", "account", "decision", "AM", *([">costs"] * priced), "all else as planned", "comment"]
    more = "" if len(rows) == len(frame) else f", the first {len(rows)}"
    console().print(table(f"{counted(len(frame), 'decision')} against the run{more}", columns, rows))


def _cells(row: dict[str, Any], measure: str, priced: bool) -> tuple[str, ...]:
    """A decision as a row of the table."""
    from rebalancer.explain.words import amount

    cost, extra = row.get("priced_disruption"), row["alone_disruption"]
    said = "no legal plan" if row.get("priced_proven") else "not known"
    if cost is not None:
        said = f"{amount(measure, cost)}{'' if row['priced_proven'] else ', not proven'}"
    alone = row["alone_drawback"]
    if extra is not None and row["alone_overload"] == 0:
        alone = f"{amount(measure, extra)}, {alone}"
    verb = "stays with" if row["decision"] == "keep" else "goes to"
    number = f"{row['row']:,}"
    return (number, row["account_id"], verb, row["am_id"], *([said] if priced else []), alone, row["comment"])
