"""Which column of a file is which of ours: as given, by exact name, by alias, then without case and spaces.

Nothing is guessed in silence: what was found is kept and printed, and where two columns fit equally well, both are
named and neither is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from rebalancer.errors import Faults, did_you_mean, printable
from rebalancer.reading.aliases import ALIASES, ANNUAL_REVENUE, WEAK, normalised
from rebalancer.reading.options import Options
from rebalancer.reading.raw import Mapped
from rebalancer.tables import Table

Match = dict[str, tuple[int, str]]
"""The position of the header of each column that was found, and how it was found."""


def match(headers: Sequence[str], table: Table, options: Options, faults: Faults, file: str) -> Match:
    """The header of each column; faults for ties, missing required columns and near misses."""
    found = _given(headers, table, options, faults, file)
    for how in ("exact", "alias", "normalised", "weak"):
        for column in table.names:
            if column not in found:
                _find(column, how, headers, table, found, faults, file)
    for column in table.names:
        if found.get(column, (0, ""))[0] < 0:
            del found[column]
        elif column not in found:
            _note_missing(column, headers, table, found, faults, file)
    _note_unused(headers, table, found, faults, file)
    return found


def mapped(headers: Sequence[str], table: Table, found: Match) -> tuple[Mapped, ...]:
    """What was found, in the order of our columns."""
    names = [column for column in table.names if column in found]
    return tuple(
        Mapped(table.name, name, headers[found[name][0]], found[name][1].replace("weak", "alias")) for name in names
    )


def _given(headers: Sequence[str], table: Table, options: Options, faults: Faults, file: str) -> Match:
    found: Match = {}
    for column in table.names:
        own = f"{table.name}.{column}"
        wanted = options.map.get(own, options.map.get(column))
        if wanted is None:
            continue
        places = [i for i, header in enumerate(headers) if header == wanted]
        places = places or [i for i, header in enumerate(headers) if normalised(header) == normalised(wanted)]
        if len(places) == 1:
            found[column] = (places[0], "given")
        elif places:
            _note_tie(column, [headers[i] for i in places], faults, file)
            found[column] = (-1, "given")
        elif own in options.map:
            problem = f'the column "{printable(wanted)}", mapped to {column}, is not there.'
            faults.error(
                "map", problem, did_you_mean(wanted, headers) or f"Columns found: {_listed(headers)}.", file=file
            )
            found[column] = (-1, "given")
    return found


def _find(column: str, how: str, headers: Sequence[str], table: Table, found: Match, faults: Faults, file: str) -> None:
    taken = {place for place, _ in found.values()}
    fits = _fitting(table.name, column, how)
    places = [
        i
        for i, header in enumerate(headers)
        if i not in taken and (normalised(header) if how == "normalised" else header) in fits
    ]
    if not places:
        return
    twins = {normalised(headers[i]) for i in places}
    places = [i for i, header in enumerate(headers) if i in places or (i not in taken and normalised(header) in twins)]
    if len(places) > 1:
        _note_tie(column, [headers[i] for i in places], faults, file)
        found[column] = (-1, how)
        return
    found[column] = (places[0], how)
    if normalised(headers[places[0]]) == ANNUAL_REVENUE:
        problem = f'"{headers[places[0]]}" is read as arr.'
        cure = "In most CRMs it is what the customer earns. Map the column of what it pays with --map arr=..."
        faults.warn("annual_revenue", problem, cure, file=file)


@cache
def _fitting(table: str, column: str, how: str) -> frozenset[str]:
    aliases = ALIASES.get(table, {}).get(column, ())
    if how == "exact":
        return frozenset({column})
    if how == "alias":
        return frozenset(aliases)
    weak = WEAK.get(table, {}).get(column, ())
    if how == "weak":
        return frozenset(weak)
    return frozenset(normalised(name) for name in (column, *aliases, *(weak if how == "any" else ())))


def _note_tie(column: str, headers: list[str], faults: Faults, file: str) -> None:
    names = list(dict.fromkeys(headers))
    if len(names) == 1:
        faults.error("column", f'the column "{printable(names[0])}" is there twice.', "Keep one.", file=file)
        return
    both = " and ".join(f'"{printable(name)}"' for name in names)
    cure = f'Say which with --map {column}="{printable(names[0])}".'
    faults.error("tie", f"{both} could each be the column {column}.", cure, file=file)


def _note_missing(column: str, headers: Sequence[str], table: Table, found: Match, faults: Faults, file: str) -> None:
    if not table.column(column).required:
        return
    taken = {place for place, _ in found.values()}
    near = did_you_mean(column, [header for i, header in enumerate(headers) if i not in taken])
    hint = near.replace("Did you mean", "Rename").replace("?", f' to "{column}".') if near else ""
    faults.error(
        "column",
        f'the required column "{column}" is missing.',
        hint or f"Columns found: {_listed(headers)}.",
        file=file,
    )


def _note_unused(headers: Sequence[str], table: Table, found: Match, faults: Faults, file: str) -> None:
    taken = {place for place, _ in found.values()}
    free = [name for name in table.names if name not in found]
    for i, header in enumerate(headers):
        near = did_you_mean(header, free) if header and i not in taken and header not in table.names else ""
        if near:
            faults.warn("unused_column", f'the column "{printable(header)}" is not used.', near, file=file)


def _listed(headers: Sequence[str], shown: int = 30) -> str:
    names = ", ".join(printable(header) for header in headers[:shown])
    return names if len(headers) <= shown else f"{names} and {len(headers) - shown:,} more"


def recognised(headers: Sequence[str], table: Table, options: Options = Options()) -> set[str]:  # noqa: B008
    """The columns of a table that a line of headers names, however it names them."""
    names = {normalised(header) for header in headers if header}
    given = {normalised(theirs): ours.rpartition(".")[2] for ours, theirs in options.map.items()}
    known = {column for header, column in given.items() if header in names and column in table.names}
    for column in table.names:
        if names & _fitting(table.name, column, "any"):
            known.add(column)
    return known
