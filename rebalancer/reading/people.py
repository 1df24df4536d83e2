"""Who is meant: owners by name or e-mail instead of id, queues, ids that only look alike, and yes or no as status."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Mapping

import pandas as pd

from rebalancer.errors import printable
from rebalancer.reading.aliases import FLAG_OF_STATUS, normalised
from rebalancer.reading.convert import FLAGS
from rebalancer.reading.options import AcceptedFaults
from rebalancer.reading.raw import RawTable

REFERENCES = (
    ("accounts", "owner", "ams", "am_id"),
    ("accounts", "csm", "csms", "csm_id"),
    ("accounts", "assign_to", "ams", "am_id"),
    ("accounts", "assign_csm", "csms", "csm_id"),
    ("pods", "am_id", "ams", "am_id"),
    ("pools", "am_id", "ams", "am_id"),
    ("pods", "csm_id", "csms", "csm_id"),
)
"""Columns that hold an id of another table."""

REFUSED = (("accounts", "refused", "ams", "am_id"), ("accounts", "refused_csm", "csms", "csm_id"))
"""Columns that hold several, separated by `;`."""

QUEUE = re.compile(r"00G[0-9A-Za-z]{12}(?:[0-9A-Za-z]{3})?")
"""The id of a Salesforce group or queue."""


def resolve_people(raws: Mapping[str, RawTable], faults: AcceptedFaults) -> None:
    """Replace names, e-mails and other spellings by ids, in place, where exactly one person is meant."""
    if "ams" in raws:
        _read_status(raws["ams"])
        _note_lookalikes(raws["ams"], faults)
    if "accounts" in raws and "owner" in raws["accounts"].frame.columns:
        _empty_queues(raws["accounts"], faults)
    for table, column, other, key in (*REFERENCES, *REFUSED):
        there = table in raws and other in raws
        if there and column in raws[table].frame.columns and key in raws[other].frame.columns:
            _resolve(raws[table], column, raws[other], key, faults)


def _read_status(ams: RawTable) -> None:
    if normalised(ams.headers.get("status", "")) not in FLAG_OF_STATUS:
        return
    words = {True: "active", False: "inactive"}
    status = [words[FLAGS[value.lower()]] if value.lower() in FLAGS else value for value in ams.frame["status"]]
    ams.frame["status"] = pd.Series(status, dtype=str)


def _note_lookalikes(ams: RawTable, faults: AcceptedFaults) -> None:
    """Two ids that a reader can't tell apart are more likely one AM typed twice."""
    if "am_id" not in ams.frame.columns:
        return
    first: dict[str, str] = {}
    for index, value in enumerate(ams.frame["am_id"]):
        seen = first.setdefault(_as_seen(value), value)
        if seen != value:
            problem = f'it looks like the same AM as "{_spelled(seen)}".'
            cure = "Write both the same way, or keep them apart with --accept lookalike."
            faults.error("lookalike", problem, cure, value=_spelled(value), **ams.where(index, "am_id"))


def _as_seen(text: str) -> str:
    visible = "".join(ch for ch in unicodedata.normalize("NFC", text) if unicodedata.category(ch) != "Cf")
    words = " ".join(visible.split())
    return words.casefold() if "@" in words else words


def _spelled(text: str) -> str:
    """With everything escaped that can't be seen, or that differs in its parts only."""
    odd = any(unicodedata.category(ch) in ("Cf", "Zs", "Mn") and ch != " " for ch in text)
    return text.encode("ascii", "backslashreplace").decode() if odd else text


def _empty_queues(accounts: RawTable, faults: AcceptedFaults) -> None:
    owners = accounts.frame["owner"]
    queues = [name for name in owners.unique() if name in accounts.options.queues or QUEUE.fullmatch(name)]
    is_queue = owners.isin(queues)
    if is_queue.any():
        names = ", ".join(f'"{printable(name)}"' for name in sorted(set(owners[is_queue]))[:5])
        problem = f"{int(is_queue.sum()):,} accounts are owned by a queue ({names}) and will be placed."
        faults.warn("queue", problem, file=accounts.file, column=accounts.label("owner"))
        accounts.frame["owner"] = owners.mask(is_queue, "")


def _resolve(raw: RawTable, column: str, other: RawTable, key: str, faults: AcceptedFaults) -> None:
    values = raw.frame[column]
    known = set(other.frame[key])
    parts = dict.fromkeys(part for value in values.unique() for part in _parts(raw, column, str(value)))
    foreign = [part for part in parts if part not in known]
    if not foreign:
        return
    fields = [name for name in ("name", "email") if name in other.frame.columns]
    lookups = [_lookup(other, key, field, "owner_name", str) for field in fields]
    lookups.append(_lookup(other, key, key, "normal_form", lambda value: unicodedata.normalize("NFC", value)))
    found: dict[str, tuple[str, str]] = {}
    for value in foreign:
        people = next((people for lookup in lookups if (people := lookup(value))), [])
        if len({person for person, _ in people}) == 1:
            found[value] = people[0]
        elif people:
            _note_ambiguous(raw, column, value, sorted({person for person, _ in people}), faults)
            found[value] = ("", "ambiguous")
    _note_found(raw, column, found, other, key, faults)
    if not found:
        return

    def read(text: str) -> str:
        ids = [found[part][0] if part in found else part for part in _parts(raw, column, text)]
        return ";".join(name for name in ids if name)

    meant = {value: read(value) for value in values.unique()}
    raw.frame[column] = values.map(meant).astype(str)


def _parts(raw: RawTable, column: str, text: str) -> list[str]:
    """The ids or names that a cell holds: one, or in a column of tags several."""
    several = raw.table.column(column).kind == "tags"
    return [part for name in (text.split(";") if several else [text]) if (part := name.strip() if several else name)]


Lookup = Callable[[str], list[tuple[str, str]]]


def _lookup(other: RawTable, key: str, field: str, code: str, form: Callable[[str], str]) -> Lookup:
    """From a text to the ids of those whose `field` it is, each with the code of the warning."""
    people: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for person, text in zip(other.frame[key], other.frame[field], strict=True):
        if text:
            people[form(text)].append((person, code))
    return lambda value: people.get(form(value), [])


def _note_ambiguous(raw: RawTable, column: str, value: str, ids: list[str], faults: AcceptedFaults) -> None:
    who = " and ".join(f'"{printable(person)}"' for person in ids[:5])
    for index in [i for i, text in enumerate(raw.frame[column]) if value in _parts(raw, column, text)]:
        problem = f"{len(ids)} people have this name: {who}."
        faults.error("ambiguous_name", problem, "Use the id.", value=value, **raw.where(index, column))


def _note_found(
    raw: RawTable, column: str, found: Mapping[str, tuple[str, str]], other: RawTable, key: str, faults: AcceptedFaults
) -> None:
    for code, words in (
        ("owner_name", "names or e-mails instead of ids were read as the {key} of {other}"),
        ("normal_form", "ids in another Unicode form were read as the {key} of {other}"),
    ):
        these = {value: person for value, (person, how) in found.items() if how == code}
        if these:
            value, person = next(iter(these.items()))
            told = words.format(key=key, other=other.table.name)
            problem = f'{len(these):,} {told}, such as "{printable(value)}" as "{printable(person)}".'
            faults.warn(code, problem, file=raw.file, column=raw.label(column))
