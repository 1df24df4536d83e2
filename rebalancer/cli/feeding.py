"""Options of commands that work on a run directory and can tell a store as well."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

import click

from rebalancer.cli.proposals import moment

F = TypeVar("F", bound=Callable[..., Any])


def feeding_options(command: F) -> F:
    """--store, --book, --by and --comment; `who` holds the last three, and the time. Without --store, no store."""

    @wraps(command)
    def feed(*args: Any, store: str | None, book: str, by: str | None, comment: str, **rest: Any) -> Any:
        who = {"book": book, "by": by, "comment": comment, "now": moment()}
        return command(*args, store=store or None, who=who, **rest)

    options = (
        click.option("--store", metavar="URL", envvar="REBALANCER_STORE", default=None,
                     help="Also record it in this store: an SQLite file, or postgresql://host/name. Default: "
                     "REBALANCER_STORE, else none."),
        click.option("--book", metavar="NAME", default="main", help="The book of the store. Default: main."),
        click.option("--by", metavar="NAME", default=None,
                     help="Who does this, where the store does not know it. Default: the user of the system."),
        click.option("--comment", metavar="TEXT", default="", help="A word on it, kept with the event."),
    )  # fmt: skip
    for option in reversed(options):
        feed = option(feed)
    return cast(F, feed)
