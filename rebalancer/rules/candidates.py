"""Candidates: every seat that an account could take by itself, before the rules have had their say."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rebalancer.links import ranges
from rebalancer.snapshot import NONE, Snapshot

BLOCK = 1_000_000
"""Pairs of account and book that are looked at in one go, so that what no rule admits never takes up memory."""

Placements = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Account, book and CSM of each placement."""


class Candidates:
    """The seats of accounts that stand alone: the books eligible for their profile, their own, and a fixed one."""

    def __init__(self, snapshot: Snapshot, eligible: np.ndarray) -> None:
        self.snapshot = snapshot
        self.counts = np.count_nonzero(eligible, axis=1)
        """Books eligible for each profile."""
        self.first = np.cumsum(self.counts) - self.counts
        self.books = np.nonzero(eligible)[1]

    def blocks(self, alone: np.ndarray) -> Iterator[np.ndarray]:
        """The accounts in `alone`, block by block."""
        accounts = np.flatnonzero(alone)
        pairs = np.cumsum(self.counts[self.snapshot.accounts.profile[accounts]] + 1)
        yield from np.split(accounts, np.flatnonzero(np.diff(pairs // BLOCK)) + 1)

    def of(self, accounts: np.ndarray) -> Placements:
        """Each account with its books: without a CSM, with those of the pod, with today's and with an assigned one."""
        account, am = self._pairs(accounts)
        parts = [(account, am, np.full(len(account), NONE))]
        if self.snapshot.pods_active:
            parts += self._with_csms(account, am)
        joined = [np.concatenate(columns) for columns in zip(*parts, strict=True)]
        return joined[0], joined[1], joined[2]

    def _pairs(self, accounts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        data = self.snapshot.accounts
        is_fixed = data.assign_to[accounts] != NONE
        free, fixed = accounts[~is_fixed & ~data.locked[accounts]], accounts[is_fixed]
        profile = data.profile[free]
        counts = self.counts[profile]
        own = accounts[~is_fixed & self.snapshot.owner_present[accounts]]
        return (
            np.concatenate([np.repeat(free, counts), own, fixed]),
            np.concatenate([self.books[ranges(self.first[profile], counts)], data.owner[own], data.assign_to[fixed]]),
        )

    def _with_csms(self, account: np.ndarray, am: np.ndarray) -> Iterator[Placements]:
        accounts, pairs = self.snapshot.accounts, self.snapshot.pod_pairs
        first = np.searchsorted(pairs[:, 0], am, side="left")
        count = np.searchsorted(pairs[:, 0], am, side="right") - first
        yield np.repeat(account, count), np.repeat(am, count), pairs[ranges(first, count), 1]
        assigned = accounts.assign_csm[account] != NONE
        yield account[assigned], am[assigned], accounts.assign_csm[account[assigned]]
        own = self.snapshot.may_stay[account] & (accounts.owner[account] == am)
        yield account[own], am[own], accounts.csm[account[own]]
