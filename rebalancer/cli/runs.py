"""`verify`, `explain` and `compare`: what can be asked of run directories."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import click

from rebalancer.cli.options import Duration, json_option, run_argument
from rebalancer.cli.output import console, counted, dollars, emit_json, note, percent, records, say, table

if TYPE_CHECKING:
    from collections.abc import Hashable

    from rebalancer.explain.compare import Comparison
    from rebalancer.proposal import Proposal


@click.command(short_help="Check RUN with code that shares nothing with the solver.")
@run_argument
@click.option("--certificate", is_flag=True, help="Also recompute the bound on the disruption, without a solver.")
@json_option
def verify(run: str, certificate: bool, as_json: bool) -> int:
    """Check RUN from its own input tables with code that shares nothing with the solver.

    With --certificate, also rebuild the problem and recompute by plain knapsacks what no plan costs less than.
    Exits with 7 where a hash, a rule, a figure, the objective or the certificate does not hold.
    """
    from rebalancer.verify import verify_run

    violations, found = verify_run(run), None
    if certificate and not violations:
        from rebalancer.recheck import recheck

        found = recheck(run)
        violations = list(found.violations)
    if as_json:
        proof = None if found is None else {"value": found.value, "bound": found.bound, "gap": found.gap}
        listed = [vars(violation) for violation in violations]
        emit_json({"ok": not violations, "violations": listed, **({"certificate": proof} if certificate else {})})
    elif violations:
        for violation in violations:
            note(f"{violation.rule}: {violation.message}")
        say(f"REJECTED: {len(violations):,} violations in {run}.")
    else:
        say(f"Verified: {run} keeps every rule, and every figure was recounted from its inputs.")
        if found is not None:
            say(found.text())
    return 7 if violations else 0


@click.command(short_help="Say why an account or a whole book of RUN changes.")
@run_argument
@click.option("--account", default=None, metavar="ID", help="The account to explain.")
@click.option("--am", default=None, metavar="ID", help="The AM or pool whose book to explain.")
@click.option("--keep", is_flag=True, help="With --account: what keeping it where it is today would cost.")
@click.option("--time-limit", type=Duration(), default=None, help="With --keep: time to search. Default: 30s.")
@click.option("--workers", type=click.IntRange(1), default=None, help="With --keep: cores to use. Default: all.")
@json_option
def explain(
    run: str,
    account: str | None,
    am: str | None,
    keep: bool,
    time_limit: float | None,
    workers: int | None,
    as_json: bool,
) -> int:
    """Say why an account of RUN moves or stays and what its other seats would cost, or what happens to a whole book.

    With --keep, propose once more with the account kept where it is today, and say what that costs.
    """
    if (account is None) == (am is None):
        raise click.UsageError("Give either --account or --am.")
    if keep and account is None:
        raise click.UsageError("--keep goes with --account.")
    if not keep and (time_limit is not None or workers is not None):
        raise click.UsageError("--time-limit and --workers go with --keep.")
    from rebalancer.run_directory import read_run

    proposal = read_run(run)
    if am is not None:
        return _explain_book(proposal, am, as_json)
    if keep:
        return _explain_keeping(proposal, str(account), time_limit, workers, as_json)
    from rebalancer.explain.account import explain as explain_one

    explanation = explain_one(proposal, str(account))
    if as_json:
        row = {str(key): value for key, value in explanation.row.items()}
        emit_json({**row, "seats": records(explanation.seats), "refused": records(explanation.refused)})
    else:
        say(explanation.text())
    return 0


def _explain_book(proposal: Proposal, am: str, as_json: bool) -> int:
    from rebalancer.explain.book import explain_book

    found = explain_book(proposal, am)
    if as_json:
        frames = {f"{name}_accounts": records(getattr(found, name)) for name in ("lost", "gained", "stays")}
        frames["limits"] = records(found.limits)
        facts = {key: None if _endless(value) else value for key, value in found.facts.items()}
        emit_json({**facts, "asked": found.asked, "notes": found.notes, **frames})
    else:
        say(found.text())
    return 0


def _endless(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _explain_keeping(
    proposal: Proposal, account: str, time_limit: float | None, workers: int | None, as_json: bool
) -> int:
    from rebalancer.explain.keep import TIME_LIMIT
    from rebalancer.explain.keep import keep as cost_of_keeping

    found = cost_of_keeping(proposal, account, time_limit=time_limit or TIME_LIMIT, workers=workers)
    if as_json:
        emit_json(
            {
                **{name: getattr(found, name) for name in ("account_id", "am_id", "csm_id", "answer", "measure")},
                "proven": found.proven,
                "why": found.why,
                "levels": [level.record() for level in found.levels],
                "changes": records(found.changes),
                "shortages": list(found.shortages),
                "warnings": list(found.warnings),
                "interrupted": found.interrupted,
            }
        )
    else:
        say(found.text())
    return 130 if found.interrupted else 0


SHOWN_ACCOUNTS = 20


@click.command(short_help="Show two runs side by side.")
@click.argument("first", type=click.Path(), metavar="RUN")
@click.argument("second", type=click.Path(), metavar="RUN")
@json_option
def compare(first: str, second: str, as_json: bool) -> None:
    """Show two runs side by side: what went in differently, what each proves and moves, and where they part."""
    from rebalancer.explain.compare import compare as compare_runs
    from rebalancer.run_directory import read_run

    found = compare_runs(read_run(first), read_run(second))
    if as_json:
        frames = ("inputs", "model", "options", "figures", "levels", "accounts", "books")
        runs = [{"run": place, **run} for place, run in ((first, found.first), (second, found.second))]
        only = {what: dict(zip(("first", "second"), ids, strict=True)) for what, ids in found.only.items()}
        emit_json(
            {
                "runs": [{key: run[key] for key in RUN_KEYS} for run in runs],
                "same_plan": bool(found.same_plan),
                **{name: records(getattr(found, name)) for name in frames},
                "only": only,
            }
        )
        return
    say(f"First:  {first} (run {found.first['run_id']})")
    say(f"Second: {second} (run {found.second['run_id']})")
    for line in found.said_first():
        say(line)
    _print_comparison(found)


RUN_KEYS = ("run", "run_id", "status", "legal", "stopped", "scope", "measure", "effective_date", "model", "seed")


def _print_comparison(found: Comparison) -> None:
    from rebalancer.explain.compare import FIGURES

    shown = [
        (
            FIGURES[row["figure"]],
            *(_figure(row["figure"], row[side]) for side in ("first", "second")),
            _figure(row["figure"], row["difference"], unit="points"),
        )
        for row in found.figures.to_dict("records")
    ]
    console().print(table("What came out", ["figure", ">first", ">second", ">difference"], shown))
    levels = [
        (row["level"], *(_number(row[f"{name}_{side}"]) for side in ("first", "second") for name in LEVEL_CELLS))
        for row in found.levels.to_dict("records")
    ]
    columns = ["level", ">first", ">bound", "proof", ">second", ">bound", "proof"]
    console().print(table("Levels, each with its best bound", columns, levels))
    _print_differing(found)
    for line in found.outcome():
        say(line)


def _figure(name: str, value: Any, unit: str = "%") -> str:
    """A figure in its own unit: dollars, a share, or a number."""
    if isinstance(value, (int, float)) and name in ("moves.arr", "disruption.revenue_at_risk"):
        return f"{'-' if value < 0 else ''}{dollars(abs(value))}"
    if isinstance(value, (int, float)) and name.endswith(("share", "utilization_after")):
        return f"{100 * value:.1f} {unit}"
    return _number(value)


LEVEL_CELLS = ("value", "bound", "proof")


def _print_differing(found: Comparison) -> None:
    """Accounts and books of which the runs differ."""
    accounts = found.accounts[found.accounts["moves"] != "both"]
    rows = [
        (
            row["account_id"],
            row["moves"],
            row["from_am_first"] or "-",
            _seat(row, "first"),
            _seat(row, "second"),
            dollars(row["arr_first"]),
        )
        for row in accounts.head(SHOWN_ACCOUNTS).to_dict("records")
    ]
    if rows:
        columns = ["account", "moves in", "from", "first: ends with", "second: ends with", ">ARR"]
        title = f"{counted(len(accounts), 'account')} of which the runs differ"
        more = f", the first {len(rows)}; --json lists all" if len(accounts) > len(rows) else ""
        console().print(table(title + more, columns, rows))
    books = [
        (
            row["am_id"],
            *(
                cell
                for side in ("first", "second")
                for cell in (
                    f"{row[f'units_after_{side}']:,.1f}",
                    f"{percent(row[f'utilization_after_{side}'])} {row[f'band_after_{side}']}",
                    f"{row[f'accounts_after_{side}']:,}",
                )
            ),
        )
        for row in found.books.to_dict("records")
    ]
    if books:
        columns = ["AM", ">first: units", ">used", ">accounts", ">second: units", ">used", ">accounts"]
        title = f"{counted(len(books), 'book')} that end{'s' * (len(books) == 1)} differently"
        console().print(table(title, columns, books, bands={2: "", 5: ""}))


def _seat(row: dict[Hashable, Any], side: str) -> str:
    csm = row[f"to_csm_{side}"]
    return f"{row[f'to_am_{side}']}{f' + {csm}' if csm else ''}"


def _number(value: Any) -> str:
    """A number with separators, a word as it is, nothing where there is none."""
    if value is None:
        return ""
    return value if isinstance(value, str) else f"{value:,.2f}".removesuffix(".00")
