"""Salesforce ids: 15 characters become 18 by their checksum, never by folding case.

Only where every id of the table they belong to is one, by its prefix: 001 for accounts, 005 for people.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import pandas as pd

from rebalancer.reading.options import AcceptedFaults
from rebalancer.reading.raw import RawTable

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
DOMAINS = (
    ("001", ("accounts", "account_id"), (("accounts", "parent_id"), *((table, "account_id") for table in (
        "touches", "opportunities", "history", "splits")))),
    ("005", ("ams", "am_id"), (
        *(("accounts", column) for column in ("owner", "assign_to", "refused", "gam")),
        *((table, "am_id") for table in ("pods", "pools", "touches", "quotas", "splits")),
        ("history", "from"), ("history", "to"),
    )),
    ("005", ("csms", "csm_id"), (
        *(("accounts", column) for column in ("csm", "assign_csm", "refused_csm")), ("pods", "csm_id"),
    )),
)  # fmt: skip
"""Prefix, the column that the ids belong to, and the columns that point to it."""


def id18(id15: str) -> str:
    """A 15-character id with its checksum: three characters that say which of the others are capitals."""
    marks = ""
    for start in (0, 5, 10):
        marks += ALPHABET[sum(1 << bit for bit in range(5) if "A" <= id15[start + bit] <= "Z")]
    return id15 + marks


def unify_ids(raws: Mapping[str, RawTable], faults: AcceptedFaults) -> None:
    """Write every Salesforce id with its 18 characters, in place; wrong checksums are errors."""
    for prefix, (table, column), others in DOMAINS:
        shape = re.compile(prefix + r"[0-9A-Za-z]{12}(?:[0-9A-Za-z]{3})?")
        if table not in raws or column not in raws[table].frame.columns:
            continue
        ids = [value for value in raws[table].frame[column] if value]
        if not ids or not all(shape.fullmatch(value) for value in ids):
            continue
        for name, other in ((table, column), *others):
            if name in raws and other in raws[name].frame.columns:
                _unify(raws[name], other, shape, faults)


def _unify(raw: RawTable, column: str, shape: re.Pattern[str], faults: AcceptedFaults) -> None:
    values = raw.frame[column].tolist()
    several = raw.table.column(column).kind == "tags"
    short = 0
    for index, text in enumerate(values):
        if not text:
            continue
        parts = [part.strip() for part in text.split(";")] if several else [text]
        for place, value in enumerate(parts):
            if not shape.fullmatch(value):
                continue
            parts[place] = whole = id18(value[:15])
            short += len(value) == 15
            if len(value) == 18 and value != whole:
                problem = f"the last three characters of this Salesforce id should be {whole[15:]}."
                cure = "A letter or its case is wrong, perhaps from a spreadsheet: export the id again."
                faults.error("checksum", problem, cure, value=value, **raw.where(index, column))
        values[index] = ";".join(parts)
    raw.frame[column] = pd.Series(values, dtype=str)
    if short:
        problem = (
            f"{short:,} Salesforce {'id' if short == 1 else 'ids'} of 15 characters, written with 18 from here on."
        )
        faults.warn("salesforce_id", problem, file=raw.file, column=raw.label(column))
