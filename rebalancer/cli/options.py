"""Options that several commands share, each defined once."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

import click

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
