"""Arcs: the assignments an account may take, before and after the rules have had their say."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from rebalancer.snapshot import NONE, Snapshot


@dataclass(frozen=True)
class Arcs:
    """Each arc assigns `account` to the seat (`am`, `csm`); csm -1 is no CSM. Sorted by account, AM, CSM."""

    snapshot: Snapshot
    account: np.ndarray
    am: np.ndarray
    csm: np.ndarray

    def __len__(self) -> int:
        return len(self.account)

    @cached_property
    def am_changed(self) -> np.ndarray:
        """An existing AM is replaced (a first AM is no change)."""
        owner = self.snapshot.accounts.owner[self.account]
        return (owner != NONE) & (owner != self.am)

    @cached_property
    def csm_changed(self) -> np.ndarray:
        """An existing CSM is replaced or lost."""
        csm = self.snapshot.accounts.csm[self.account]
        return (csm != NONE) & (csm != self.csm)

    @cached_property
    def as_today(self) -> np.ndarray:
        """The arc keeps both sides."""
        accounts = self.snapshot.accounts
        return (accounts.owner[self.account] == self.am) & (accounts.csm[self.account] == self.csm)

    def of_accounts(self, per_account: np.ndarray) -> np.ndarray:
        """A value per account, repeated for its arcs."""
        repeated: np.ndarray = per_account[self.account]
        return repeated

    def where(self, kept: np.ndarray) -> Arcs:
        """Only some of the arcs."""
        return Arcs(self.snapshot, self.account[kept], self.am[kept], self.csm[kept])


def candidates(snapshot: Snapshot, eligible: np.ndarray) -> Arcs:
    """Every seat an account could take: those of the AMs eligible for its profile, its own AM's, and a fixed one."""
    account, am = _pairs(snapshot, eligible)
    account, am, csm = _with_csms(snapshot, account, am)
    return _distinct(snapshot, account, am, csm)


def _pairs(snapshot: Snapshot, eligible: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    accounts = snapshot.accounts
    fixed = accounts.assign_to != NONE
    free = np.flatnonzero(~fixed & ~accounts.locked)
    ams_of = [np.flatnonzero(row) for row in eligible]
    counts = np.array([len(ams) for ams in ams_of], dtype=np.int64)[accounts.profile[free]]
    am = np.concatenate([ams_of[p] for p in accounts.profile[free]]) if len(free) else np.zeros(0, dtype=np.int64)
    own = np.flatnonzero((accounts.owner != NONE) & ~snapshot.owner_departed & ~fixed)
    return (
        np.concatenate([np.repeat(free, counts), own, np.flatnonzero(fixed)]),
        np.concatenate([am, accounts.owner[own], accounts.assign_to[fixed]]).astype(np.int64),
    )


def _with_csms(snapshot: Snapshot, account: np.ndarray, am: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each (account, AM) with no CSM, with every CSM of the AM's pod, with today's CSM and with an assigned one."""
    accounts = snapshot.accounts
    parts = [(account, am, np.full(len(account), NONE))]
    if snapshot.pods_active:
        pod_am, pod_csm = snapshot.pod_pairs[:, 0], snapshot.pod_pairs[:, 1]
        first = np.searchsorted(pod_am, am, side="left")
        count = np.searchsorted(pod_am, am, side="right") - first
        within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        parts.append((np.repeat(account, count), np.repeat(am, count), pod_csm[np.repeat(first, count) + within]))
        assigned = accounts.assign_csm[account] != NONE
        parts.append((account[assigned], am[assigned], accounts.assign_csm[account[assigned]]))
        own = snapshot.may_stay[account] & (accounts.owner[account] == am)
        parts.append((account[own], am[own], accounts.csm[account[own]]))
    joined = [np.concatenate(columns) for columns in zip(*parts, strict=True)]
    return joined[0], joined[1], joined[2]


def _distinct(snapshot: Snapshot, account: np.ndarray, am: np.ndarray, csm: np.ndarray) -> Arcs:
    n_csms = len(snapshot.csms) + 1
    key = np.unique((account * len(snapshot.ams) + am) * n_csms + csm + 1)
    pair, seat_csm = np.divmod(key, n_csms)
    account, am = np.divmod(pair, len(snapshot.ams))
    return Arcs(snapshot, account, am, seat_csm - 1)
