"""Decisions as locks and fixed seats of a book."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

import pandas as pd

from rebalancer.book import Book

REASON = "review decision"
"""What `lock_reason` says of accounts that a reviewer decided on."""

Kind = Literal["approve", "keep", "override"]


@dataclass(frozen=True)
class Decision:
    """What a reviewer decided on one account. `am_id` is where it is to be, `csm_id` with whom ("": free).

    `row` is that of the file, 0 where the decision did not come from one.
    """

    account_id: str
    kind: Kind
    am_id: str
    csm_id: str = ""
    comment: str = ""
    row: int = 0

    def __str__(self) -> str:
        what = {
            "approve": f"to {self.am_id}",
            "keep": f"stays with {self.am_id}",
            "override": f"to {self.am_id} instead",
        }
        place = f"row {self.row:,}: " if self.row else ""
        return f"{place}{self.account_id} {what[self.kind]}"


def with_decisions(book: Book, decisions: Iterable[Decision]) -> Book:
    """The book with each decision in its accounts: what stays is locked, what goes somewhere has a fixed seat.

    A lock or seat that an earlier decision left is replaced; a lock of another reason stays as it is.
    """
    accounts = book.accounts.copy()
    for column in ("lock", "lock_reason", "assign_to", "assign_csm"):
        accounts[column] = accounts[column].astype(object)
    place = {account: index for index, account in enumerate(accounts["account_id"])}
    for decision in decisions:
        at = place[decision.account_id]
        stays = decision.kind == "keep"
        if stays and accounts.at[at, "lock"] is True and accounts.at[at, "lock_until"] is pd.NaT:
            continue
        accounts.at[at, "lock"] = True if stays else None
        accounts.at[at, "lock_until"] = pd.NaT
        accounts.at[at, "lock_reason"] = REASON
        accounts.at[at, "assign_to"] = "" if stays else decision.am_id
        accounts.at[at, "assign_csm"] = decision.csm_id
    typed = {name: accounts[name].astype(book.accounts[name].dtype) for name in accounts.columns}
    return replace(book, tables={**book.tables, "accounts": pd.DataFrame(typed)})
