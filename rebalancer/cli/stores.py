"""Stores: the option, the clock and the opening that all commands of a store share."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

from rebalancer.cli.output import counted, say

if TYPE_CHECKING:
    from rebalancer.store import Store, Submitted

F = TypeVar("F", bound=Callable[..., Any])


def store_option(command: F) -> F:
    """--store."""
    text = "An SQLite file, or postgresql://host/name. Default: REBALANCER_STORE, else rebalancer.db."
    return click.option("--store", metavar="URL", envvar="REBALANCER_STORE", default="rebalancer.db", help=text)(
        command
    )


def moment() -> datetime | None:
    """The time in REBALANCER_NOW, for tests and for working off what was missed; None: now."""
    given = os.environ.get("REBALANCER_NOW")
    if not given:
        return None
    from rebalancer.store.store import moment_of

    try:
        return moment_of(given)
    except ValueError:
        raise click.UsageError("REBALANCER_NOW is not a time such as 2026-01-15T09:00:00Z.") from None


def opened(address: str, *, create: bool = False) -> Store:
    """The store at an address. A password on the command line is refused: other users can read it there."""
    from rebalancer.store import open_store
    from rebalancer.store.connect import url_of

    source = click.get_current_context().get_parameter_source("store")
    if source is click.core.ParameterSource.COMMANDLINE and url_of(address).password is not None:
        raise click.UsageError(
            "a password in --store is visible to every user of the machine. Put the address into REBALANCER_STORE, "
            "or the password into ~/.pgpass or PGPASSWORD."
        )
    return open_store(address, create=create)


def say_submitted(done: Submitted, book: str) -> None:
    """The proposal that a run became, or that there was already."""
    if not done.new:
        say(f"Proposal {done.proposal_id} is there already, {done.state}; nothing was changed.")
        return
    say(f"Proposal {done.proposal_id}: {counted(done.moves, 'move')} to decide in book {book}.")
    for old in done.superseded:
        say(f"It takes the place of {old}.")
