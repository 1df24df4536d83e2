"""The file of queries: its tables and keys, checked one by one."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import Any

from rebalancer.book import SETTINGS
from rebalancer.errors import Faults, did_you_mean, printable
from rebalancer.nightly.address import Address
from rebalancer.nightly.database import Query, names_of
from rebalancer.reading.settings import settings_of
from rebalancer.tables import TABLES

TOP = ("connection", "queries", "defaults", "books")
PLACES = ("url_env", "url_file")
OF_A_BOOK = (*(name for name in SETTINGS if name != "files"), "parameters")
VALUES = (str, int, Decimal, date, time)
"""What a parameter may be, and what a list of one may hold; a datetime is a date, true and false are integers."""


@dataclass(frozen=True)
class QueryFile:
    """Reads the tables of a file by name; what is wrong is noted, and left out."""

    file: str
    faults: Faults

    def fault(self, problem: str, cure: str, key: str) -> None:
        """Note what is wrong with a key."""
        self.faults.error("queries", problem, cure, file=self.file, column=key)

    def known(self, raw: object, keys: tuple[str, ...], above: str) -> dict[str, Any]:
        """The keys of a table that exist."""
        if not isinstance(raw, dict):
            self.fault("must be a table.", "Correct it.", above)
            return {}
        for key in raw:
            if key not in keys:
                cure = did_you_mean(key, keys) or f"Known keys: {', '.join(keys)}."
                self.fault("unknown key.", cure, f"{above}.{_shown(key)}".lstrip("."))
        return {key: value for key, value in raw.items() if key in keys}

    def address(self, raw: object, folder: Path) -> Address:
        """Where the address of the database is to be found."""
        if isinstance(raw, dict) and "url" in raw:
            cure = 'Write it into a variable and name that, url_env = "WAREHOUSE_URL". '
            cure += "If it holds a password, change that: others may have read it."
            self.fault("an address never stands in this file.", cure, "connection.url")
            return Address(self.file)
        raw = self.known(raw, PLACES, "connection")
        if len(raw) != 1:
            cure = 'url_env = "WAREHOUSE_URL" names a variable, url_file = "warehouse.url" a file with the address.'
            self.fault("say once where the address of the database is.", cure, "connection")
            return Address(self.file)
        (key, value), *_ = raw.items()
        if (
            not isinstance(value, str)
            or "://" in value
            or not re.fullmatch(r"\w+" if key == PLACES[0] else ".+", value)
        ):
            what = "the name of a variable" if key == PLACES[0] else "the name of a file"
            self.fault(f"must be {what}, not the address itself.", "Correct it.", f"connection.{key}")
            return Address(self.file)
        return Address(self.file, value) if key == PLACES[0] else Address(self.file, file=str(folder / value))

    def queries(self, raw: object, above: str) -> dict[str, Query]:
        """The queries of a table of queries."""
        found = {}
        for key, sql in self.known(raw, tuple(TABLES), above).items():
            if isinstance(sql, str):
                found[key] = Query(key, sql, f"{above}.{key}")
            else:
                self.fault("must be a text.", "Write the query.", f"{above}.{key}")
        return found

    def parameters(self, raw: object, above: str) -> dict[str, Any]:
        """Parameters, each of a kind that a query can take."""
        if not isinstance(raw, dict):
            self.fault("must be a table.", 'Write it as { region = "EMEA" }.', f"{above}.parameters")
            return {}
        for key, value in raw.items():
            parts = value if isinstance(value, list) else [value]
            if not parts or not all(isinstance(part, VALUES) for part in parts):
                cure = "Write a text, number, date, true or false, or a list of these for IN."
                self.fault("can't be a parameter.", cure, f"{above}.parameters.{_shown(key)}")
        return raw

    def complete(
        self, queries: Mapping[str, Query], parameters: Mapping[str, Any], own: Mapping[str, Any], place: str
    ) -> None:
        """Note the tables and parameters that a book lacks, and the parameters of its `own` that no query names."""
        for table in TABLES.values():
            if table.required and table.name not in queries:
                self.fault(f"there is no query for {table.name}.", "Write it here, or below [queries].", place)
        named = {name: query for query in queries.values() for name in names_of(query.sql)}
        for name in sorted(set(named) - set(parameters)):
            problem = f"{named[name].key} names :{_shown(name)}, which is not among the parameters."
            self.fault(problem, did_you_mean(name, parameters) or "Add it.", f"{place}.parameters")
        for name in sorted(set(own) - set(named)):
            cure = did_you_mean(name, named) or "Remove it, or name it in a query."
            self.fault("no query of the book names it.", cure, f"{place}.parameters.{_shown(name)}")

    def settings(self, raw: Mapping[str, Any], above: str) -> None:
        """Note what is wrong with settings of a book."""
        noted = Faults()
        settings_of({key: value for key, value in raw.items() if key in SETTINGS}, self.file, noted)
        self.faults.errors += [replace(fault, column=f"{above}.{fault.column}") for fault in noted.errors]

    def books(self, raw: object) -> dict[str, Any]:
        """The tables of the books by name."""
        if not isinstance(raw, dict) or not raw:
            self.fault("there are no books.", 'Write one: [books."emea/enterprise"].', "books")
            return {}
        found: dict[str, Any] = {}
        for name, book in raw.items():
            normal = unicodedata.normalize("NFC", name)
            if not is_name(normal):
                cure = 'Write names with "/" between them, such as "emea/enterprise".'
                self.fault("this can't be the name of a book.", cure, f'books."{printable(name)}"')
            elif normal in found:
                self.fault("two books have this name.", "Rename one.", f'books."{printable(name)}"')
            else:
                found[normal] = book
        return found


def is_name(name: str) -> bool:
    """Names with "/" between them that can be folders below another, and nowhere else."""
    parts = name.split("/")
    return name.isprintable() and "\\" not in name and not any(part.strip() in ("", ".", "..") for part in parts)


def _shown(key: str) -> str:
    return printable(re.sub(r"://.*", "://...", key))
