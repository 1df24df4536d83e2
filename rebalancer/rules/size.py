"""Size: how many arcs a book makes and what memory they take, worked out before any of them is there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rebalancer.snapshot import NONE, Snapshot

BYTES_PER_ARC = 400
"""All processes together, from the first arc to the written run: some 350 are measured on 2 and on 20 million arcs."""

BYTES_PER_ACCOUNT = 2_000
"""Tables, texts and the independent check."""

MOST_ARCS = 2**31 - 1
"""What arcs are numbered with."""


@dataclass(frozen=True)
class Size:
    """What a book comes to: `arcs` is an upper bound, since rules may forbid some of them."""

    accounts: int
    books: int
    arcs: int

    @property
    def bytes(self) -> int:
        """Memory of the whole run."""
        return self.arcs * BYTES_PER_ARC + self.accounts * BYTES_PER_ACCOUNT

    def __str__(self) -> str:
        each = self.arcs / max(1, self.accounts)
        return (
            f"{self.accounts:,} accounts with {each:,.0f} seats each, of {self.books:,} books, "
            f"make {self.arcs:,} possible assignments"
        )


def size_of(snapshot: Snapshot, eligible: np.ndarray) -> Size:
    """The size of a book whose profiles may go to the `eligible` books (profile x book)."""
    accounts = snapshot.accounts
    csms = np.ones(len(snapshot.ams), dtype=np.int64)
    if snapshot.pods_active:
        csms = np.maximum(1, np.bincount(snapshot.pod_pairs[:, 0], minlength=len(csms)))
    books = np.count_nonzero(eligible, axis=1)
    seats = np.array([int(csms[row].sum()) for row in eligible], dtype=np.int64)
    of_account = np.where(accounts.csm != NONE, seats[accounts.profile], books[accounts.profile])
    of_account[accounts.locked | (accounts.assign_to != NONE)] = 1
    return Size(len(accounts), len(snapshot.ams), int(np.maximum(1, of_account).sum()))
