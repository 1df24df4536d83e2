"""`init`: a book directory from files as they come."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rebalancer.cli.options import json_option
from rebalancer.cli.output import emit_json, note, say

if TYPE_CHECKING:
    from rebalancer.reading.guess import Guess


@click.command(short_help="Make a book directory from files as exported.")
@click.option("--from", "files", multiple=True, type=click.Path(), metavar="FILE", help="A file to read. Repeatable.")
@click.argument("more", nargs=-1, type=click.Path(), metavar="[FILE]...")
@click.option("--out", type=click.Path(), default="book", show_default=True, metavar="DIR", help="Directory to write.")
@click.option("--force", is_flag=True, help="Overwrite files that are already there.")
@json_option
def init(files: tuple[str, ...], more: tuple[str, ...], out: str, force: bool, as_json: bool) -> None:
    """Make a book directory from files as a CRM exports them.

    It copies the files and writes a commented book.toml: which file is which table, which header is which column, and
    what is missing. Correct it, then run `rebalancer check`.
    """
    from rebalancer.errors import Faults, UsageError
    from rebalancer.reading.files import refuse_url
    from rebalancer.reading.guess import guess_files
    from rebalancer.reading.starter import write_starter

    names = (*files, *more)
    if not names:
        raise UsageError("name at least one file: rebalancer init --from accounts.csv --from users.csv")
    for name in names:
        refuse_url(name)
    faults = Faults()
    guesses = guess_files([Path(name) for name in names], faults)
    faults.raise_errors()
    folder = write_starter(guesses, Path(out), force)
    missing = [name for name in ("accounts", "ams") if name not in {g.table.name for g in guesses if g.table}]
    if as_json:
        emit_json({"book": str(folder), "files": [_record(guess) for guess in guesses], "missing": missing})
        return
    _print(guesses, missing, folder)


def _print(guesses: list[Guess], missing: list[str], folder: Path) -> None:
    for guess in guesses:
        if guess.table is None:
            say(f"{guess.place}: its columns fit no table; not read.")
            continue
        say(f"{guess.place} is the table {guess.table.name}, {guess.rows:,} rows.")
        for entry in guess.mapping:
            if entry.how != "exact":
                note(f"mapping: {entry}")
        for column in guess.missing:
            say(f'  missing: the required column "{column}". Map it in book.toml under [columns.{guess.table.name}].')
        for code in guess.accept:
            say(f'  seen: {code}. `accept = ["{code}"]` in book.toml reads the file without it.')
    for name in missing:
        say(f"missing: no file is the table {name}, and a book can't do without it.")
    say(f"Written to {folder}. Next: correct {folder / 'book.toml'}, then rebalancer check {folder}")


def _record(guess: Guess) -> dict[str, object]:
    return {
        "file": guess.place,
        "table": guess.table.name if guess.table else None,
        "rows": guess.rows,
        "mapping": [vars(entry) for entry in guess.mapping],
        "missing": list(guess.missing),
        "seen": list(guess.accept),
    }
