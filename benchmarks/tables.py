"""Markdown tables from records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

UNKNOWN = "–"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table; a column named with a leading `>` is aligned right."""
    names = [name.lstrip(">") for name in head]
    rules = ["---:" if name.startswith(">") else "---" for name in head]
    return [_line(names), f"|{'|'.join(rules)}|", *(_line(row) for row in rows), ""]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def whole(number: float | None) -> str:
    """A whole number with separators."""
    return UNKNOWN if number is None else f"{number:,.0f}"


def dollars(number: float | None) -> str:
    """Whole dollars."""
    return UNKNOWN if number is None else f"${number:,.0f}"


def percent(share: float | None) -> str:
    """A share with as many digits as it needs to be told from 0."""
    if share is None:
        return UNKNOWN
    return "0" if share == 0 else f"{100 * share:.3f} %" if share < 0.001 else f"{100 * share:.2f} %"


def seconds(number: float | None) -> str:
    """Seconds with one digit."""
    return UNKNOWN if number is None else f"{number:,.1f}"


def exponent(number: float | None) -> str:
    """An exponent with two digits."""
    return UNKNOWN if number is None else f"{number:.2f}"


def machine_line(machine: Mapping[str, Any]) -> str:
    """The machine of a record in one sentence."""
    return (
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gb']} GB, {machine['system']}, Python "
        f"{machine['python']}, OR-tools {machine['ortools']}, rebalancer {machine['rebalancer']}, {machine['date']}"
    )


def title(record: Mapping[str, Any]) -> str:
    """The name of a case, with its seed where that is not 0."""
    return str(record["case"]) + (f" (seed {record['seed']})" if record["seed"] else "")
