"""Reads a file of decisions: moves.xlsx as a reviewer filled it in, or any table with the same columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rebalancer.errors import did_you_mean, printable
from rebalancer.proposal import Proposal
from rebalancer.reading.options import AcceptedFaults
from rebalancer.reading.raw import RawTable
from rebalancer.reading.side import read_side_table
from rebalancer.review.apply import REASON, Decision
from rebalancer.review.words import People, meaning, plain
from rebalancer.snapshot import Snapshot, take_snapshot
from rebalancer.surfaces.workbook import visible
from rebalancer.tables import Column, Table

DECISIONS = Table(
    "moves",
    (
        Column("account_id", "id", required=True),
        Column("decision"),
        Column("override", "id"),
        Column("comment"),
        Column("from_am", "id"),
        Column("to_am", "id"),
    ),
)
"""The sheet of moves.xlsx has the name of the table."""

ALIASES = {
    "account_id": ("Account", "Account ID", "Id", "AccountId"),
    "decision": ("Decision (approve/reject/hold)", "Verdict"),
    "override": ("New owner", "New AM", "New owner override", "Override AM"),
    "comment": ("Comments", "Note", "Notes"),
}


@dataclass(frozen=True)
class Decided:
    """What a file says: decisions, and comments by account, those without a decision included."""

    decisions: tuple[Decision, ...]
    comments: dict[str, str]


def read_decisions(path: str | Path, proposal: Proposal) -> Decided:
    """The decisions of a file on a proposal. Rows with neither decision nor override leave their account free.

    Raises `InvalidInput` naming row and column of everything that is unclear, contradicts itself or the run, or can't
    be; `UsageError` where there is no such file.
    """
    faults = AcceptedFaults()
    raw = read_side_table(Path(path), "file of decisions", DECISIONS, ALIASES, faults)
    if raw is None or raw.header_faults[0]:
        faults.errors.extend(raw.header_faults[0] if raw is not None else ())
        faults.raise_errors()
    assert raw is not None
    if not {"decision", "override"} & set(raw.frame.columns):
        problem = "the file has neither a column Decision nor a column Override."
        faults.error("column", problem, "Fill in a copy of moves.xlsx.", file=raw.file)
    reader = _Reader(raw, proposal, faults)
    found = list(reader.decisions())
    faults.raise_errors()
    return Decided(tuple(found), reader.comments)


class _Reader:
    """The rows of one file against one run."""

    def __init__(self, raw: RawTable, proposal: Proposal, faults: AcceptedFaults) -> None:
        self.raw, self.faults, self.people = raw, faults, People(proposal.book)
        record = proposal.record
        self.snapshot: Snapshot = take_snapshot(proposal.book, proposal.model, record["scope"], record["measure"])
        self.plan = {str(row["account_id"]): row for row in proposal.assignments.to_dict("records")}
        self.shown = {plain(visible(account)): account for account in self.plan}
        self.place = {account: index for index, account in enumerate(self.snapshot.accounts.ids)}
        self.comments: dict[str, str] = {}
        self.first: dict[str, tuple[int, str, str]] = {}

    def decisions(self) -> Iterator[Decision]:
        """One decision per account that has one; faults for the rest."""
        for index in range(len(self.raw.frame)):
            account = self._account(index)
            if account is None or not self._of_this_run(index, account):
                continue
            comment = self._cell(index, "comment")
            if comment:
                self.comments[account] = comment
            found = self._decided(index, account)
            if found is None:
                continue
            kind, am = found
            before = self.first.setdefault(account, (int(self.raw.rows[index]), kind, am))
            if before[1:] != (kind, am):
                self._fault(
                    index, "decision", f"row {before[0]:,} decides otherwise on {account}.", "Keep one of them."
                )
            elif before[0] == int(self.raw.rows[index]):
                decision = self._decision(index, account, kind, am, comment)
                if decision is not None:
                    yield decision

    def _cell(self, index: int, column: str) -> str:
        return str(self.raw.frame[column].iat[index]).strip() if column in self.raw.frame.columns else ""

    def _fault(self, index: int, column: str, problem: str, cure: str, code: str = "decision") -> None:
        there = column in self.raw.frame.columns
        where: dict[str, Any] = self.raw.where(index, column if there else "account_id")
        self.faults.error(code, problem, cure, value=self._cell(index, column), **where)

    def _account(self, index: int) -> str | None:
        text = self._cell(index, "account_id")
        account = (
            text if text in self.plan else self.shown.get(plain(text)) or self.shown.get(plain(text.removeprefix("'")))
        )
        if account is None and (text or self._cell(index, "decision") or self._cell(index, "override")):
            near = did_you_mean(text, self.plan) or "Give the id of an account of the run."
            self._fault(index, "account_id", "there is no such account in this run.", near, "unknown_account")
        return account

    def _of_this_run(self, index: int, account: str) -> bool:
        """What the row says of the move is what the run says."""
        fits = True
        for column in ("from_am", "to_am"):
            said, real = self._cell(index, column), str(self.plan[account][column])
            if column in self.raw.frame.columns and said and plain(said) != plain(visible(real)):
                problem = f"in this run it is {printable(real) or 'nobody'}: the decision was made on another plan."
                cure = "Decide on moves.xlsx of this run, or leave the column out."
                self._fault(index, column, problem, cure, "other_plan")
                fits = False
        return fits

    def _decided(self, index: int, account: str) -> tuple[str, str] | None:
        """Kind and AM of a row; None where it decides nothing or is at fault."""
        said, named = self._cell(index, "decision"), self._cell(index, "override")
        word, owner = meaning(said), str(self.plan[account]["from_am"])
        if word == "?" and not named and self.people.called(said):
            return self._overridden(index, account, said, "decision", owner)
        if word == "?":
            cure = "Write Approve, Reject or Hold, and what else there is to say under Comment."
            self._fault(index, "decision", "it is not clear what is decided.", cure)
            return None
        if named:
            found = self._overridden(index, account, named, "override", owner)
            if word == "keep" and found is not None and found[0] != "keep" and _stays(said):
                problem = f"Decision says that the account stays, and Override that it goes to {found[1]}."
                self._fault(index, "override", problem, "Empty one of the two, or write Reject.")
                return None
            return found
        if not word:
            return None
        return ("keep", owner) if word == "keep" else ("approve", str(self.plan[account]["to_am"]))

    def _overridden(self, index: int, account: str, text: str, column: str, owner: str) -> tuple[str, str] | None:
        found = self.people.called(text)
        if len(found) != 1:
            who = ", ".join(printable(person) for person in found[:5])
            problem = f"{len(found)} people have this name: {who}." if found else "there is no such AM in this run."
            near = "Use the id." if found else did_you_mean(text, self.people.names()) or "Give the id of an AM."
            self._fault(index, column, problem, near, "unknown_am")
            return None
        if self._book(found[0]) == self._book(owner) and owner:
            return "keep", owner
        if self._book(found[0]) == self._book(str(self.plan[account]["to_am"])):
            return "approve", str(self.plan[account]["to_am"])
        return "override", found[0]

    def _book(self, person: str) -> int:
        """The number of the book of an AM or pool; members of a pool share one."""
        return self.snapshot.ams.of_person.get(person, -2)

    def _decision(self, index: int, account: str, kind: str, am: str, comment: str) -> Decision | None:
        snapshot, row = self.snapshot, int(self.raw.rows[index])
        if account not in self.place:
            self._fault(index, "decision", "the account is left out of the plan.", "Empty the decision.")
            return None
        at = self.place[account]
        if kind == "keep":
            if not snapshot.owner_present[at]:
                self._fault(
                    index, "decision", f"it can't stay: {self._gone(at)}.", "Approve it, or name an AM under Override."
                )
                return None
            return Decision(account, "keep", am, "", comment, row)
        reason = str(snapshot.frame["lock_reason"].iat[at])
        if snapshot.accounts.locked[at] and reason != REASON and self._book(am) != snapshot.accounts.owner[at]:
            because = f" ({printable(reason)})" if reason else ""
            problem = f"the account is locked to its owner{because}."
            self._fault(index, "override", problem, "Remove the lock from the book and propose again.")
            return None
        book = self._book(am)
        if book < 0 or not snapshot.ams.may_be_assigned[book]:
            self._fault(index, "override", f"{printable(am)} has left or is on leave.", "Name another AM.")
            return None
        if (snapshot.accounts.refused == (at, book)).all(axis=1).any() and book != snapshot.accounts.owner[at]:
            problem = f"the account names {printable(am)} in refused."
            self._fault(index, "override", problem, "Name another AM, or clear refused and propose again.")
            return None
        csm = str(self.plan[account]["to_csm"]) if kind == "approve" and snapshot.pods_active else ""
        return Decision(account, "approve" if kind == "approve" else "override", am, csm, comment, row)

    def _gone(self, at: int) -> str:
        accounts = self.snapshot.accounts
        if accounts.holds.due[at]:
            return "the hold of its AE is over"
        return "it has no owner" if not self.snapshot.frame["owner"].iat[at] else "its owner has left"


def _stays(said: str) -> bool:
    """The word speaks of staying, not only against the move."""
    return bool(np.isin(plain(said).split()[:1], ["keep", "stay", "stays", "hold", "kept"]).any())
