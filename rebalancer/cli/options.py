"""Options that several commands share, each defined once."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

if TYPE_CHECKING:
    from rebalancer.book import Book

F = TypeVar("F", bound=Callable[..., Any])


SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}


class Duration(click.ParamType):
    """Seconds: `60`, `60s`, `2m`, `1h`."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds as a float."""
        if isinstance(value, (int, float)):
            return float(value)
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", str(value).strip())
        if not found or float(found[1]) <= 0:
            self.fail(f'"{value}" is not a duration such as 60s, 2m or 1h', param, ctx)
        return float(found[1]) * SECONDS[found[2]]


def book_argument(command: F) -> F:
    """The book directory."""
    return click.argument("book", type=click.Path(), metavar="BOOK")(command)


def run_argument(command: F) -> F:
    """The run directory."""
    return click.argument("run", type=click.Path(), metavar="RUN")(command)


def model_option(command: F) -> F:
    """--model."""
    text = "Name of a coverage model, or a TOML file. Default: that of book.toml, else coverage_units."
    return click.option("--model", "-m", default=None, metavar="MODEL", help=text)(command)


def date_option(command: F) -> F:
    """--effective-date."""
    text = "Day the plan is made for (YYYY-MM-DD). Default: that of book.toml, else today."
    return click.option("--effective-date", default=None, metavar="DATE", help=text)(command)


def json_option(command: F) -> F:
    """--json."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")(command)


def scheduler_option(command: F) -> F:
    """--scheduler."""
    text = "Address of a Dask scheduler whose workers solve, such as tcp://host:8786."
    return click.option("--scheduler", default=None, metavar="ADDRESS", help=text)(command)


def reading_options(command: F) -> F:
    """--map, --accept, --decimal, --dates and --allow-empty, handed on as one argument `reading` of `load_book`."""

    @wraps(command)
    def read(*args: Any, columns: tuple[str, ...], accept: tuple[str, ...], **rest: Any) -> Any:
        own = ("decimal", "dates", "allow_empty")
        reading = {"map": columns, "accept": accept, **{name: rest.pop(name) for name in own}}
        return command(*args, reading=reading, **rest)

    options = (
        click.option("--map", "columns", multiple=True, metavar="OURS=THEIRS",
                     help='Header of a column: owner="Account Owner" or accounts.name="Company". Repeatable.'),
        click.option("--accept", multiple=True, metavar="CODE",
                     help="Accept a kind of error as a warning, or silence one of warning. Repeatable."),
        click.option("--decimal", type=click.Choice([".", ","]), default=None,
                     help="What separates decimals in amounts such as 1,200."),
        click.option("--dates", type=click.Choice(["YMD", "DMY", "MDY"]), default=None,
                     help="What comes first in dates such as 03/04/2026."),
        click.option("--allow-empty", is_flag=True, help="Accept tables that have a header and no rows."),
    )  # fmt: skip
    for option in reversed(options):
        read = option(read)
    return cast(F, read)


def read_book(book: str, reading: dict[str, Any]) -> Book:
    """The book at a path; the mapping of its columns is told on stderr where a header is not ours."""
    from rebalancer.book import load_book
    from rebalancer.cli.output import note

    loaded = load_book(book, **{name: value for name, value in reading.items() if value})
    for entry in loaded.mapping:
        if entry.how != "exact":
            note(f"mapping: {entry}")
    return loaded
