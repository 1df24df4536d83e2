"""The commented `book.toml` that `rebalancer init` writes: files, columns, how to read them, and what is missing."""

from __future__ import annotations

from pathlib import Path

import tomlkit

from rebalancer.errors import RebalancerError, UsageError, printable
from rebalancer.reading.guess import Guess
from rebalancer.reading.settings import BOOK_TOML
from rebalancer.swap import replace_file
from rebalancer.tables import TABLES


def starter_toml(guesses: list[Guess]) -> str:
    """The text of `book.toml` for these files."""
    found = {guess.table.name: guess for guess in guesses if guess.table}
    document = tomlkit.document()
    for line in (
        "How to read this book. Written by `rebalancer init`; change what is wrong.",
        "Check it with `rebalancer check` on this directory.",
    ):
        document.add(tomlkit.comment(line))
    document.add(tomlkit.nl())
    document.add(tomlkit.comment('model = "coverage_units"   # `rebalancer models list` shows all'))
    document.add(tomlkit.comment("effective_date = 2026-01-31   # default: today"))
    document.add("files", _files(found, guesses))
    for name, guess in found.items():
        document.setdefault("columns", tomlkit.table(is_super_table=True)).add(name, _columns(guess))
    document.add("reading", _reading(found))
    return tomlkit.dumps(document)


def _files(found: dict[str, Guess], guesses: list[Guess]) -> tomlkit.items.Table:
    table = tomlkit.table()
    table.add(tomlkit.comment("Which file of this directory is which table."))
    for name, guess in found.items():
        table.add(name, guess.place)
    for name in TABLES:
        if TABLES[name].required and name not in found:
            table.add(tomlkit.comment(f'{name} = "..."   # missing: a book can\'t do without it'))
    for guess in guesses:
        if guess.table is None:
            table.add(tomlkit.comment(f"not read, because its columns fit no table: {printable(guess.place, 200)}"))
    return table


def _columns(guess: Guess) -> tomlkit.items.Table:
    table = tomlkit.table()
    table.add(tomlkit.comment("ours = theirs; a column with our own name needs no line."))
    for entry in guess.mapping:
        if entry.how != "exact":
            table.add(entry.column, entry.header)
            table[entry.column].comment(entry.how)
    taken = {entry.header for entry in guess.mapping}
    for name in guess.missing:
        table.add(tomlkit.comment(f'{name} = "..."   # missing and required'))
    free = [printable(header) for header in guess.headers if header and header not in taken]
    if free:
        table.add(tomlkit.comment(f"not used: {', '.join(free[:40])}"))
    return table


def _reading(found: dict[str, Guess]) -> tomlkit.items.Table:
    table = tomlkit.table()
    seen = sorted({code for guess in found.values() for code in guess.accept})
    if seen:
        table.add(tomlkit.comment(f"Seen in the files: {', '.join(seen)}. Uncomment to read them without."))
    codes = ", ".join(f'"{code}"' for code in seen) or '"footer"'
    for line in (
        f"accept = [{codes}]",
        'decimal = ","       # what separates decimals in amounts such as 1,200',
        'dates = "DMY"       # or MDY, YMD: what comes first in dates such as 03/04/2026',
        'queues = ["Queue"]  # owners that are nobody; their accounts will be placed',
    ):
        table.add(tomlkit.comment(line))
    return table


def write_starter(guesses: list[Guess], folder: Path, force: bool) -> Path:
    """Write `book.toml` and copies of the files into the folder; nothing there is overwritten without `force`."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f'"{folder}" is no directory.')
    paths = {guess.path.name: guess.path for guess in guesses}
    if len(paths) != len({guess.path for guess in guesses}):
        raise UsageError("two of the files have the same name. Rename one.")
    copies = {name: path for name, path in paths.items() if path.resolve() != (folder / name).resolve()}
    there = [name for name in (BOOK_TOML, *copies) if (folder / name).exists()]
    if there and not force:
        raise UsageError(f'"{folder}" already holds {", ".join(there)}. --force overwrites.')
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, path in copies.items():
            replace_file(folder / name, path.read_bytes())
        replace_file(folder / BOOK_TOML, starter_toml(guesses).encode())
    except OSError as error:
        raise RebalancerError(f"can't write {folder}: {error.strerror}.") from None
    return folder
