"""Reading options: how a book is to be read, and which faults the user has accepted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rebalancer.errors import Faults, UsageError, did_you_mean
from rebalancer.tables import TABLES

ACCEPTABLE = {
    "footer": "rows that look like the footer of a report are skipped",
    "preamble": "rows above the header are skipped",
    "currency": "one currency sign per column of amounts is dropped",
    "lookalike": "AMs whose ids look the same stay apart",
    "unknown_id": "accounts of an AM or CSM that is not in the book are read as without one",
    "empty": "a table without rows is read as it is (the same as --allow-empty)",
    "large": "the limits on size, rows, columns and compression are lifted",
}
"""Errors that `--accept CODE` turns into a warning, and what happens then."""

WARNINGS = (
    *("encoding", "delimiter", "active_content", "beyond_header", "unused_column", "unused_file", "annual_revenue"),
    *("owner_name", "salesforce_id", "normal_form", "repeated_row", "orphan_parent", "negative_arr", "time_zone"),
    *("inactive_owner", "queue", "unknown_refused"),
)
"""Codes of warnings, which `--accept CODE` silences."""

DECIMALS = (".", ",")
DATES = ("YMD", "DMY", "MDY")


@dataclass(frozen=True)
class Options:
    """How to read: `map` sends our names (`owner`, `accounts.owner`) to the user's headers.

    `decimal` and `dates` say what amounts such as `1,200` and dates such as `03/04/2026` mean; without them such
    values are errors. `queues` are owners that are nobody: their accounts wait to be placed.
    """

    map: Mapping[str, str] = field(default_factory=dict)
    accept: frozenset[str] = frozenset()
    decimal: str | None = None
    dates: str | None = None
    queues: frozenset[str] = frozenset()

    @property
    def allow_empty(self) -> bool:
        """Tables without rows are fine."""
        return "empty" in self.accept


def options_of(
    columns: Mapping[str, str] | Iterable[str] | None = None,
    accept: Iterable[str] | str = (),
    decimal: str | None = None,
    dates: str | None = None,
    queues: Iterable[str] = (),
    allow_empty: bool = False,
) -> Options:
    """Checked options; `columns` is a mapping or lines such as `owner=Account Owner`. Raises `UsageError`."""
    codes = {accept} if isinstance(accept, str) else set(accept)
    for code in sorted(codes):
        if code not in ACCEPTABLE and code not in WARNINGS:
            known = (*ACCEPTABLE, *WARNINGS)
            cure = did_you_mean(code, known) or f"Codes: {', '.join(known)}."
            raise UsageError(f'"{code}" can\'t be accepted. {cure}')
    for name, value, known in (("decimal", decimal, DECIMALS), ("dates", dates, DATES)):
        if value is not None and value not in known:
            raise UsageError(f'{name} "{value}" is none of {", ".join(known)}.')
    codes |= {"empty"} if allow_empty else set()
    return Options(column_map(columns or {}), frozenset(codes), decimal, dates, frozenset(queues))


def column_map(columns: Mapping[str, str] | Iterable[str]) -> dict[str, str]:
    """Our names to the user's headers, each of ours known: `owner`, or `accounts.owner` for one table."""
    if isinstance(columns, str):
        columns = [columns]
    pairs = dict(columns.items() if isinstance(columns, Mapping) else map(_pair, columns))
    for name in pairs:
        refuse_unknown_column(name)
    return pairs


def _pair(text: str) -> tuple[str, str]:
    ours, equals, theirs = text.partition("=")
    if not equals or not ours.strip() or not theirs.strip():
        raise UsageError(f'"{text}" is no mapping. Write it as owner="Account Owner".')
    return ours.strip(), theirs.strip().strip('"')


def refuse_unknown_column(name: str) -> None:
    """Raise `UsageError` where no table has a column of that name."""
    table, dot, column = name.rpartition(".")
    if dot and table not in TABLES:
        raise UsageError(f'there is no table "{table}" to map. {did_you_mean(table, TABLES)}'.strip())
    tables = [TABLES[table]] if dot else list(TABLES.values())
    known = [known for table_ in tables for known in table_.names]
    if column not in known:
        raise UsageError(f'there is no column "{name}" to map. {did_you_mean(column, known)}'.strip())


class AcceptedFaults(Faults):
    """A gathering that lets accepted errors pass as warnings, and accepted warnings in silence."""

    def __init__(self, accept: Iterable[str] = ()) -> None:
        super().__init__()
        self.accept = frozenset(accept)

    def accepts(self, code: str) -> bool:
        """The user has accepted this kind of error."""
        return code in self.accept and code in ACCEPTABLE

    def error(self, code: str, problem: str, cure: str = "", **where: Any) -> None:
        """Note a fault that stops the run, unless it was accepted."""
        if self.accepts(code):
            super().warn(code, problem, f"Accepted: {ACCEPTABLE[code]}.", **where)
        else:
            super().error(code, problem, cure, **where)

    def warn(self, code: str, problem: str, cure: str = "", **where: Any) -> None:
        """Note something the reader must know, unless it was accepted."""
        if code not in self.accept:
            super().warn(code, problem, cure, **where)
