"""Books by SQL: a TOML file that says which query is which table, for every book or for one.

Faults that concern every book are raised at once. Those of one book wait in its source: the others are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

from rebalancer.book import SETTINGS, Book
from rebalancer.coverage import read_toml
from rebalancer.errors import Fault, Faults, InvalidInput, UsageError, printable
from rebalancer.nightly.address import Address
from rebalancer.nightly.database import Query, frames_of
from rebalancer.nightly.query_file import OF_A_BOOK, TOP, QueryFile
from rebalancer.reading.options import AcceptedFaults
from rebalancer.reading.settings import Settings, settings_of
from rebalancer.tables import TABLES


@dataclass(frozen=True)
class QuerySource:
    """A book by queries. Its address is found where it is read."""

    name: str
    place: str
    address: Address
    queries: tuple[Query, ...]
    parameters: Mapping[str, Any]
    settings: Settings
    faults: tuple[Fault, ...] = field(default=(), repr=False)

    def read(self, effective_date: date | None = None) -> Book:
        """The book on a day; without one, that of its settings, else today.

        Raises `InvalidInput` with every fault: of its settings, else of the address, else of its queries, else of what
        they gave.
        """
        if self.faults:
            raise InvalidInput(self.faults)
        faults = AcceptedFaults(self.settings.options.accept)
        frames = frames_of(self.queries, self.parameters, self.address, faults)
        if faults.errors:
            raise InvalidInput([replace(fault, problem=f"{self.name}: {fault.problem}") for fault in faults.errors])
        options = self.settings.options
        given: dict[str, Any] = dict(frames)
        return Book.from_frames(
            **given,
            effective_date=effective_date or self.settings.effective_date,
            model=self.settings.model,
            overrides=self.settings.overrides,
            map=options.map,
            accept=options.accept,
            decimal=options.decimal,
            dates=options.dates,
            queues=options.queues,
        )


def query_sources(path: Path) -> list[QuerySource]:
    """The books of a TOML file. Raises `InvalidInput` with every fault that concerns all of them."""
    try:
        raw = read_toml(path)
    except OSError as error:
        raise UsageError(f'"{path}" can\'t be read: {error.strerror}.') from None
    file = QueryFile(path.name, Faults())
    raw = file.known(raw, TOP, "")
    address = file.address(raw.get("connection", {}), path.absolute().parent)
    shared = file.queries(raw.get("queries", {}), "queries")
    defaults = file.known(raw.get("defaults", {}), OF_A_BOOK, "defaults")
    file.settings(defaults, "defaults")
    file.parameters(defaults.get("parameters", {}), "defaults")
    books = file.books(raw.get("books"))
    sound = not file.faults.errors
    sources = [_source(name, book, path.name, address, shared, defaults, sound) for name, book in books.items()]
    if not sound:
        raise InvalidInput([*file.faults.errors, *(fault for source in sources for fault in source.faults)])
    return sources


def _source(
    name: str,
    raw: object,
    toml: str,
    address: Address,
    shared: Mapping[str, Query],
    defaults: Mapping[str, Any],
    sound: bool,
) -> QuerySource:
    """One book. What it lacks is only told where what all books share is `sound`: it may be missing for that reason."""
    file, place = QueryFile(toml, Faults()), f'books."{printable(name)}"'
    book = file.known(raw, (*TABLES, *OF_A_BOOK), place)
    own = {key: value for key, value in book.items() if key not in TABLES}
    queries = {**shared, **file.queries({key: value for key, value in book.items() if key in TABLES}, place)}
    queries = {key: queries[key] for key in TABLES if key in queries and queries[key].sql.strip()}
    file.settings(own, place)
    named = file.parameters(own.get("parameters", {}), place)
    laid = _laid_over(defaults, own | {"parameters": named})
    if sound:
        file.complete(queries, laid["parameters"], named, place)
    settings = settings_of({key: value for key, value in laid.items() if key in SETTINGS}, toml, Faults())
    errors = tuple(file.faults.errors)
    return QuerySource(name, f"{toml}, {place}", address, tuple(queries.values()), laid["parameters"], settings, errors)


def _laid_over(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` laid on `base`, table by table."""
    both = {key for key in over if isinstance(over[key], dict) and isinstance(base.get(key), dict)}
    return {**base, **over, **{key: _laid_over(base[key], over[key]) for key in both}}
