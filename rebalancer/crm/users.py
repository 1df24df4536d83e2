"""Which Salesforce user each AM, pool and CSM is: by id, or by a mapping file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from rebalancer.crm.ids import USER, NotAnIdError, is_id, whole_id
from rebalancer.errors import Faults
from rebalancer.reading.options import AcceptedFaults
from rebalancer.reading.raw import RawTable
from rebalancer.reading.side import read_side_table
from rebalancer.tables import Column, Table

USERS = Table("users", (Column("am_id", "id", required=True), Column("Id", "id", required=True)))
ALIASES = {"am_id": ("AM", "csm_id", "pool_id", "External ID"), "Id": ("User ID", "UserId", "User ID (18)", "OwnerId")}


def read_users(path: str | Path) -> dict[str, str]:
    """From ids of AMs, pools and CSMs to ids of users with 18 characters: a file with columns am_id and Id.

    Raises `InvalidInput` naming every row that is wrong, `UsageError` where there is no such file.
    """
    faults = AcceptedFaults()
    raw = read_side_table(Path(path), "mapping of users", USERS, ALIASES, faults)
    found = {} if raw is None else _users(raw, faults)
    faults.raise_errors()
    return found


def _users(raw: RawTable, faults: Faults) -> dict[str, str]:
    faults.errors.extend(raw.header_faults[0])
    found: dict[str, str] = {}
    if not set(USERS.names) <= set(raw.frame.columns):
        return found
    for index, (am_id, text) in enumerate(zip(raw.frame["am_id"], raw.frame["Id"], strict=True)):
        where = raw.where(index, "Id")
        try:
            user = whole_id(text, USER)
        except NotAnIdError as why:
            faults.error("user_id", f"it {why}.", "Give the id of the user in Salesforce.", value=text, **where)
            continue
        if found.setdefault(am_id, user) != user:
            faults.error("user_id", f"{am_id} has two users.", "Keep one row.", value=text, **where)
    return found


def users_of(people: Iterable[str], mapping: Mapping[str, str], pools: Iterable[str], faults: Faults) -> dict[str, str]:
    """The user of everybody named; a fault for each who is none."""
    of_pools, found = set(pools), {}
    for person in sorted(set(people)):
        text = mapping.get(person, person)
        try:
            found[person] = whole_id(text, USER)
        except NotAnIdError as why:
            what = f"the pool {person} is no user" if person in of_pools else f"the AM {person} {why}"
            cure = "Name the user in a file with columns am_id,Id and give it with --users."
            faults.error("user_id", f"{what}.", cure)
    return found


def known_users(people: Iterable[str], mapping: Mapping[str, str]) -> dict[str, str]:
    """The user of everybody who is one; others are left out."""
    named = {person: mapping.get(person, person) for person in people}
    return {person: whole_id(text, USER) for person, text in named.items() if is_id(text, USER)}
