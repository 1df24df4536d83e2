"""Export to Salesforce: the owners that change, the way back, and the account teams that the change removes.

Data Loader and the Bulk API take `Id,OwnerId` as UTF-8 without a byte order mark, with LF line ends; families stand
together so that two batches seldom lock the same parent. Changing an owner this way removes the account's team, and
its shares, unless the call keeps them, which Data Loader cannot: the members are written to be inserted again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from rebalancer.crm.ids import ACCOUNT, NotAnIdError, whole_id
from rebalancer.crm.users import known_users, users_of
from rebalancer.errors import Faults, printable
from rebalancer.families import roots
from rebalancer.inputs import csv_text, digest
from rebalancer.proposal import Proposal
from rebalancer.tables import to_text

OWNERS, ROLLBACK, TEAM, RETRY, LEDGER = "owners.csv", "rollback.csv", "team_members.csv", "retry.csv", "ledger.csv"
TEAM_ROLE = "Customer Success Manager"
"""Ours: the roles of account teams are a list that every Salesforce keeps for itself."""

SHOWN = 10


@dataclass(frozen=True)
class Export:
    """What is to be loaded. `owners` has columns account_id, Id, OwnerId, old (empty without an owner), in file order;
    `team` AccountId, UserId, TeamMemberRole. `notes` are sentences the reader must know.
    """

    run_id: str
    plan_sha256: str
    owners: pd.DataFrame = field(repr=False)
    team: pd.DataFrame = field(repr=False)
    notes: tuple[str, ...] = ()

    def files(self) -> dict[str, str]:
        """The files to load, by name."""
        old = self.owners[self.owners["old"] != ""]
        back = pd.DataFrame({"Id": old["Id"], "OwnerId": old["old"]})
        files = {OWNERS: csv_text(self.owners[["Id", "OwnerId"]]), ROLLBACK: csv_text(back)}
        return {**files, **({TEAM: csv_text(self.team)} if len(self.team) else {})}


def salesforce_export(proposal: Proposal, users: Mapping[str, str] | None = None, role: str = TEAM_ROLE) -> Export:
    """The export of a proposal. `users` maps ids of AMs, pools and CSMs that are no user ids to those that are.

    Raises `InvalidInput` naming every account and AM concerned that has no Salesforce id, all at once.
    """
    plan, mapping = proposal.assignments, users or {}
    moved = plan[plan["moved"].to_numpy(dtype=bool)]
    faults = Faults()
    accounts = _account_ids(moved["account_id"], faults)
    people = [person for person in (*moved["from_am"], *moved["to_am"]) if person]
    user = users_of(people, mapping, set(proposal.book.tables["pools"]["pool_id"]), faults)
    faults.raise_errors()
    owners = pd.DataFrame(
        {
            "account_id": moved["account_id"].to_numpy(dtype=object),
            "Id": moved["account_id"].map(accounts).to_numpy(dtype=object),
            "OwnerId": moved["to_am"].map(user).to_numpy(dtype=object),
            "old": moved["from_am"].map(user).fillna("").to_numpy(dtype=object),
        },
        dtype=object,
    )
    same = owners["OwnerId"] == owners["old"]
    owners = _families_together(owners[~same], proposal)
    team, about_team = _team(proposal, owners, mapping, role)
    notes = [*_about_owners(proposal, owners, int(same.sum())), *about_team]
    return Export(proposal.run_id, digest(csv_text(to_text(plan))), owners, team, tuple(notes))


def _account_ids(accounts: Iterable[str], faults: Faults) -> dict[str, str]:
    found: dict[str, str] = {}
    first: dict[str, str] = {}
    for account in accounts:
        try:
            found[account] = whole_id(account, ACCOUNT)
        except NotAnIdError as why:
            cure = 'Read the book with the Salesforce id as its account_id, such as --map accounts.account_id="Id".'
            faults.error("account_id", f"the account {printable(account)} {why}.", cure)
            continue
        if first.setdefault(found[account], account) != account:
            problem = f"{account} and {first[found[account]]} are one account in Salesforce."
            faults.error("account_id", problem, "Keep one of them in the book.")
    return found


def _families_together(owners: pd.DataFrame, proposal: Proposal) -> pd.DataFrame:
    """Sorted by ultimate parent, then by id."""
    family = owners["account_id"].map(roots(proposal.book.accounts))
    order = pd.DataFrame({"family": family, "Id": owners["Id"]}).sort_values(["family", "Id"]).index
    return owners.loc[order].reset_index(drop=True)


def _about_owners(proposal: Proposal, owners: pd.DataFrame, same: int) -> list[str]:
    notes = []
    if same:
        notes.append(f"{same:,} moves stay with the same Salesforce user and are not in {OWNERS}.")
    unowned = int((owners["old"] == "").sum())
    if unowned:
        notes.append(f"{unowned:,} accounts have no owner today, so {ROLLBACK} leaves them where they are.")
    ams = proposal.book.ams
    day = pd.Timestamp(proposal.book.effective_date)
    gone = set(ams["am_id"][(ams["status"] == "inactive") | (ams["leaves_on"] <= day)])
    moved = proposal.assignments.set_index("account_id").loc[list(owners["account_id"]), "from_am"]
    left = int(moved.isin(gone).sum())
    if left:
        notes.append(
            f"{left:,} accounts of {ROLLBACK} go back to people who have left; Salesforce refuses inactive users."
        )
    return notes


def _team(
    proposal: Proposal, owners: pd.DataFrame, mapping: Mapping[str, str], role: str
) -> tuple[pd.DataFrame, list[str]]:
    """The CSMs to insert again, and those that are new to accounts whose owner stays."""
    plan = proposal.assignments
    changed = plan["account_id"].isin(set(owners["account_id"]))
    concerned = plan[(changed | plan["csm_changed"]) & (plan["to_csm"] != "")]
    user = known_users(set(concerned["to_csm"]), mapping)
    of_account = dict(zip(owners["account_id"], owners["OwnerId"], strict=True))
    rows, strange = [], set()
    for account, csm in zip(concerned["account_id"], concerned["to_csm"], strict=True):
        try:
            whole = whole_id(account, ACCOUNT)
        except NotAnIdError:
            continue
        if csm not in user:
            strange.add(csm)
        elif user[csm] != of_account.get(account):
            rows.append((whole, user[csm], role))
    team = pd.DataFrame(sorted(rows), columns=["AccountId", "UserId", "TeamMemberRole"], dtype=object)
    return team, _about_team(plan, changed, len(owners), len(team), sorted(strange))


def _about_team(plan: pd.DataFrame, changed: pd.Series, owners: int, members: int, strange: Sequence[str]) -> list[str]:
    notes = []
    if owners:
        again = f" {TEAM} holds {members:,} of their CSMs; insert it after the owners." if members else ""
        notes.append(
            "Salesforce removes the account team, and its shares, of every account whose owner changes this way: "
            f"export AccountTeamMember first if there is more in it than the book knows.{again}"
        )
    if strange:
        more = f" and {len(strange) - SHOWN:,} more" if len(strange) > SHOWN else ""
        named = ", ".join(printable(csm) for csm in strange[:SHOWN])
        notes.append(
            f"CSMs without a Salesforce id are not in {TEAM}: {named}{more}. Name them in the file of --users."
        )
    replaced = int((plan["csm_changed"] & ~changed).sum())
    if replaced:
        notes.append(f"{replaced:,} accounts keep their owner and change their CSM: take the old one off their teams.")
    return notes


def ledger_of(export: Export) -> pd.DataFrame:
    """The ledger before anything was loaded: columns account_id, Id, OwnerId, state, error, when."""
    frame = export.owners[["account_id", "Id", "OwnerId"]]
    return frame.assign(state="pending", error="", when="").astype(object)


def record_of(export: Export, forced: str | None, files: Mapping[str, str]) -> dict[str, Any]:
    """What `export.json` says: of which plan this is, and the hash of every file to load."""
    return {
        "schema_version": 1,
        "to": "salesforce",
        "run_id": export.run_id,
        "plan_sha256": export.plan_sha256,
        "forced": forced,
        "accounts": len(export.owners),
        "files": {name: digest(text) for name, text in sorted(files.items())},
    }
