"""What the commands print: tables and sentences for people, JSON for machines, errors for both."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from rebalancer.errors import InvalidInput, RebalancerError, StalePlan, printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

SCHEMA_VERSION = 1
SHOWN_FAULTS = 20
LONGEST_ESCAPE = 10
"""Characters of the longest escape, `\\U0001f600`."""

WIDE = 130
"""Columns of a terminal on which names are not shortened."""

SHORT_NAME = 15

PLAIN_WIDTH = 180
"""Columns of a table that does not go to a terminal."""


def say(text: str = "") -> None:
    """Lines of results, on stdout."""
    click.echo(_safe(text))


def note(text: str) -> None:
    """Lines about the run, on stderr."""
    click.echo(_safe(text), err=True)


def _safe(text: str) -> str:
    """Ids and names come from files: whatever could steer a terminal is shown escaped."""
    return "\n".join(printable(line, len(line) * LONGEST_ESCAPE) for line in text.split("\n"))


def emit_json(content: dict[str, Any]) -> None:
    """One JSON document on stdout; missing numbers are null."""
    click.echo(json.dumps({"schema_version": SCHEMA_VERSION, **content}, indent=2, ensure_ascii=False, default=_plain))


def emit_json_line(content: dict[str, Any]) -> None:
    """One JSON document on one line of stdout, of commands that tell one thing after the other."""
    click.echo(json.dumps({"schema_version": SCHEMA_VERSION, **content}, ensure_ascii=False, default=_plain))


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else str(value)


def records(frame: Any) -> list[dict[str, Any]]:
    """A frame as JSON rows; what is no finite number is null."""
    return [
        {key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in row.items()}
        for row in frame.to_dict("records")
    ]


def fail(error: BaseException, as_json: bool, code: int) -> int:
    """Print an error once, in the form asked for, and hand back its exit code."""
    if as_json:
        emit_json({"error": _error_record(error, code)})
    elif isinstance(error, InvalidInput):
        for fault in error.faults[:SHOWN_FAULTS]:
            note(f"error: {fault}")
        hidden = len(error.faults) - SHOWN_FAULTS
        if hidden > 0:
            note(f"error: and {hidden:,} more; --json lists all.")
        note(f"{len(error.faults):,} {'error' if len(error.faults) == 1 else 'errors'}; nothing was written.")
    elif isinstance(error, (RebalancerError, KeyboardInterrupt)):
        note(f"error: {error}")
    elif not isinstance(error, click.ClickException):
        note(f"error: {type(error).__name__}: {error}")
        note("This is a fault of rebalancer, not of your data. REBALANCER_DEBUG=1 shows where.")
    return code


def _error_record(error: BaseException, code: int) -> dict[str, Any]:
    message = error.format_message() if isinstance(error, click.ClickException) else str(error)
    record: dict[str, Any] = {"kind": type(error).__name__, "exit_code": code, "message": message}
    if isinstance(error, InvalidInput):
        record["faults"] = [vars(fault) for fault in error.faults]
    if isinstance(error, StalePlan):
        record["changes"] = list(error.changes)
    return record


def console() -> Console:
    """stdout for tables: colour only on a terminal and without NO_COLOR, never cut where it is not one."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else PLAIN_WIDTH
    return Console(width=width, highlight=False, emoji=False)


def table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], bands: dict[int, str] | None = None
) -> Table:
    """A table of text; a column named with a leading `>` is aligned right, those numbered in `bands` are coloured."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    styles = {"green": "green", "yellow": "yellow", "red": "bold red"}
    built = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    for name in columns:
        right = name.startswith(">")
        built.add_column(
            name.lstrip(">"), justify="right" if right else "left", overflow="fold" if right else "ellipsis"
        )
    for row in rows:
        cells = [Text(printable(cell, 200)) for cell in row]
        for index in bands or {}:
            cells[index].stylize(styles.get(row[index].split()[-1], ""))
        built.add_row(*cells)
    return built


def shortened(name: str) -> str:
    """A name as long as a narrow terminal has room for."""
    return name if len(name) <= SHORT_NAME or console().width >= WIDE else f"{name[: SHORT_NAME - 3].rstrip()}..."


def counted(number: int, noun: str) -> str:
    """A number with its noun: `1 move`, `2 moves`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def percent(share: float | None) -> str:
    """A share as a planner reads it, empty where unknown or where nothing at all is allowed."""
    return "" if share is None or not math.isfinite(share) else f"{100 * share:.0f} %"


def dollars(amount: float) -> str:
    """Whole dollars with separators."""
    return f"${amount:,.0f}"
