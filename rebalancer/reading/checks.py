"""What the tables of a book say of each other: ids that point to nobody, families in circles, currencies, signs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from rebalancer.errors import Faults, did_you_mean, printable
from rebalancer.reading.options import AcceptedFaults
from rebalancer.reading.people import REFERENCES, REFUSED
from rebalancer.reading.raw import RawTable

Frames = dict[str, pd.DataFrame]
SHOWN = 5
"""Rows that a warning about many names."""


def check_book(frames: Frames, raws: Mapping[str, RawTable], faults: AcceptedFaults) -> None:
    """Everything that needs more than one value; accepted unknown owners are emptied in place."""
    _check_references(frames, raws, faults)
    _check_refused(frames, raws, faults)
    if "accounts" in frames:
        accounts, raw = frames["accounts"], raws["accounts"]
        _check_families(accounts, raw, faults)
        _check_currency(accounts, raw, faults)
        negative = np.flatnonzero(accounts["arr"].to_numpy() < 0)
        _warn_of_rows("negative_arr", negative, "a negative ARR", "counts as it is in sums of ARR", raw, "arr", faults)
    if {"accounts", "ams"} <= set(frames):
        gone = frames["ams"].loc[frames["ams"]["status"] == "inactive", "am_id"]
        owned = np.flatnonzero(accounts["owner"].isin(gone).to_numpy())
        words = "an owner who is inactive", "has to move"
        _warn_of_rows("inactive_owner", owned, *words, raw, "owner", faults)


def _check_references(frames: Frames, raws: Mapping[str, RawTable], faults: AcceptedFaults) -> None:
    """Every id that points to another table must be there; CSMs are free text where there is no csms table."""
    if "pods" in frames and "csms" not in frames:
        faults.error("table", "the book has pods but no csms table.", "Add csms with csm_id and name.", file="csms")
    for table, column, other, key in REFERENCES:
        if table not in frames or other not in frames or not raws[other].complete:
            continue
        known = set(frames[other][key])
        if other == "ams" and table == "accounts" and "pools" in frames:
            known |= set(frames["pools"]["pool_id"])
        values = frames[table][column]
        unknown = ~values.isin(known | {""})
        for index in np.flatnonzero(unknown.to_numpy()):
            value = str(values.iat[int(index)])
            cure = did_you_mean(value, known) or f"Add it to {other}, or correct it."
            problem = f"there is no such {key} in {other}."
            where = raws[table].where(int(index), column)
            if table == "accounts":
                faults.error("unknown_id", problem, cure, value=value, **where)
            else:  # a pod without its AM can't be read in any way
                Faults.error(faults, "unknown_id", problem, cure, value=value, **where)
        if table == "accounts" and faults.accepts("unknown_id"):
            frames[table][column] = values.mask(unknown, "")


def _check_refused(frames: Frames, raws: Mapping[str, RawTable], faults: AcceptedFaults) -> None:
    """Who is refused may have left the files since: one warning for each of them, the rest counted."""
    for table, column, other, key in REFUSED:
        if table in frames and other in raws and raws[other].complete:
            known = set(frames[other][key])
            if other == "ams" and "pools" in frames:
                known |= set(frames["pools"]["pool_id"])
            _warn_of_unknown(frames[table][column], known, raws[table], (other, key), faults)


def _warn_of_unknown(
    refused: pd.Series, known: set[str], raw: RawTable, whose: tuple[str, str], faults: AcceptedFaults
) -> None:
    """`whose` is the table that should have them, and its key."""
    column, (other, key) = str(refused.name), whose
    naming = refused[refused.to_numpy(dtype=object).astype(bool)]
    places: dict[str, list[int]] = {}
    for index, names in zip(naming.index.tolist(), naming.tolist(), strict=True):
        for name in names:
            if name not in known:
                places.setdefault(name, []).append(index)
    for name in list(places)[:SHOWN]:
        cure = did_you_mean(name, known) or "Correct it, or leave it: it then has no effect."
        more = f" It stands in {len(places[name]):,} rows." if len(places[name]) > 1 else ""
        problem = f"there is no such {key} in {other} to refuse.{more}"
        faults.warn("unknown_refused", problem, cure, value=name, **raw.where(places[name][0], column))
    if len(places) > SHOWN:
        problem = f"{len(places) - SHOWN:,} more who are refused are not in {other}."
        faults.warn("unknown_refused", problem, file=raw.file, column=raw.label(column))


def _check_families(accounts: pd.DataFrame, raw: RawTable, faults: AcceptedFaults) -> None:
    """No account is above itself; a parent that is not in the book makes its account a root."""
    parents: list[str] = accounts["parent_id"].tolist()
    if not any(parents):
        return
    place = {account: index for index, account in enumerate(accounts["account_id"].tolist()) if account}
    orphans = [index for index, parent in enumerate(parents) if parent and parent not in place]
    words = "a parent that is not in the book", "is treated as a root"
    _warn_of_rows("orphan_parent", np.array(orphans, dtype=np.int64), *words, raw, "parent_id", faults)
    up = [place.get(parent, -1) if parent else -1 for parent in parents]
    for circle in circles(up):
        names = [printable(str(accounts["account_id"].iat[index])) for index in circle]
        if len(circle) == 1:
            problem = "the account is its own parent."
        else:
            shown = names if len(names) <= 2 * SHOWN else [*names[:SHOWN], "...", *names[-SHOWN:]]
            problem = f"the parents go round in a circle: {' -> '.join([*shown, names[0]])}."
        where = raw.where(circle[0], "parent_id")
        faults.error("family", problem, "Correct one of the parents.", value=parents[circle[0]], **where)


def circles(up: list[int]) -> list[list[int]]:
    """The circles of a table of parents (-1: none), each from its first member; without recursion."""
    state = [0] * len(up)
    found = []
    for start in range(len(up)):
        path, at = [], start
        while at >= 0 and state[at] == 0:
            state[at] = 1
            path.append(at)
            at = up[at]
        if at >= 0 and state[at] == 1:
            circle = path[path.index(at) :]
            first = circle.index(min(circle))
            found.append([*circle[first:], *circle[:first]])
        for index in path:
            state[index] = 2
    return found


def _check_currency(accounts: pd.DataFrame, raw: RawTable, faults: AcceptedFaults) -> None:
    names = sorted(set(accounts["currency"]) - {""})
    if len(names) > 1:
        shown = ", ".join(printable(name) for name in names[:SHOWN])
        cure = "Convert the amounts to one currency first."
        problem = f"the book has {len(names)} currencies: {shown}."
        faults.error("mixed_currency", problem, cure, file=raw.file, column=raw.label("currency"))


def _warn_of_rows(
    code: str, places: np.ndarray, what: str, then: str, raw: RawTable, column: str, faults: AcceptedFaults
) -> None:
    """One warning for all rows of a kind."""
    if not len(places):
        return
    rows = ", ".join(f"{int(raw.rows[index]):,}" for index in places[:SHOWN])
    more = f" and {len(places) - SHOWN:,} more" if len(places) > SHOWN else ""
    one = len(places) == 1
    problem = (
        f"{'row' if one else 'rows'} {rows}{more}: {'an account' if one else f'{len(places):,} accounts'} with {what}; "
        f"{'it' if one else 'each'} {then}."
    )
    faults.warn(code, problem, file=raw.file, column=raw.label(column))
