"""Arcs: the assignments an account or family may take, before and after the rules have had their say.

An arc is made of placements, one per account it places: a single account's arc has one, a family's has one per member.
Rules look at placements; an arc is admitted where all its placements are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from rebalancer.snapshot import NONE, Snapshot


@dataclass(frozen=True)
class Arcs:
    """Placements: `account` goes to the seat (`am`, `csm`) if arc `arc` is taken; csm -1 is no CSM.

    `am` numbers books. Arcs are numbered from 0 and sorted by group, then by their seats; the placements of an arc
    stand together, sorted by account. `group` has one entry per arc; a group is named after its first account.
    """

    snapshot: Snapshot
    account: np.ndarray
    am: np.ndarray
    csm: np.ndarray
    arc: np.ndarray
    group: np.ndarray

    def __len__(self) -> int:
        """Number of placements."""
        return len(self.account)

    @property
    def n_arcs(self) -> int:
        """Number of arcs."""
        return len(self.group)

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
        """The placement keeps both sides."""
        accounts = self.snapshot.accounts
        return (accounts.owner[self.account] == self.am) & (accounts.csm[self.account] == self.csm)

    def of_accounts(self, per_account: np.ndarray) -> np.ndarray:
        """A value per account, repeated for its placements."""
        repeated: np.ndarray = per_account[self.account]
        return repeated

    def per_arc(self, per_placement: np.ndarray) -> np.ndarray:
        """The sum of a value over the placements of each arc (int64)."""
        total = np.zeros(self.n_arcs, dtype=np.int64)
        np.add.at(total, self.arc, per_placement)
        return total

    def all_of_arc(self, flags: np.ndarray) -> np.ndarray:
        """Per arc: every placement has the flag."""
        return self.per_arc(~flags) == 0

    def where(self, kept: np.ndarray) -> Arcs:
        """Only the arcs whose placements are all kept, numbered anew."""
        whole = self.all_of_arc(kept)
        placements = whole[self.arc]
        number = np.cumsum(whole) - 1
        return Arcs(
            self.snapshot,
            self.account[placements],
            self.am[placements],
            self.csm[placements],
            number[self.arc[placements]],
            self.group[whole],
        )


Placements = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Account, book and CSM of each placement."""


def candidates(snapshot: Snapshot, eligible: np.ndarray, alone: np.ndarray) -> Placements:
    """Every seat that an account in `alone` could take by itself: those of the books eligible for its profile, its own
    book's, and a fixed one.
    """
    account, am = _pairs(snapshot, eligible, alone)
    return _with_csms(snapshot, account, am)


def _pairs(snapshot: Snapshot, eligible: np.ndarray, alone: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    accounts = snapshot.accounts
    fixed = alone & (accounts.assign_to != NONE)
    free = np.flatnonzero(alone & ~fixed & ~accounts.locked)
    ams_of = [np.flatnonzero(row) for row in eligible]
    counts = np.array([len(ams) for ams in ams_of], dtype=np.int64)[accounts.profile[free]]
    am = np.concatenate([ams_of[p] for p in accounts.profile[free]]) if len(free) else np.zeros(0, dtype=np.int64)
    own = np.flatnonzero(alone & snapshot.owner_present & ~fixed)
    return (
        np.concatenate([np.repeat(free, counts), own, np.flatnonzero(fixed)]),
        np.concatenate([am, accounts.owner[own], accounts.assign_to[fixed]]).astype(np.int64),
    )


def _with_csms(snapshot: Snapshot, account: np.ndarray, am: np.ndarray) -> Placements:
    """Each (account, book) with no CSM, with every CSM of the book's pod, with today's CSM and with an assigned one."""
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


def assembled(snapshot: Snapshot, singles: Placements, family_arcs: list[list[tuple[int, int, int]]]) -> Arcs:
    """Single accounts' placements and families' arcs (lists of (account, book, CSM)) as distinct, sorted arcs."""
    n_csms = len(snapshot.csms) + 1
    n_seats = len(snapshot.ams) * n_csms
    account, am, csm = singles
    key = np.unique(account * n_seats + am * n_csms + csm + 1)
    account, seat = np.divmod(key, n_seats)
    arcs = sorted({tuple(sorted((a, i * n_csms + c + 1) for a, i, c in arc)) for arc in family_arcs})
    place = np.array([part for arc in arcs for part in arc], dtype=np.int64).reshape(-1, 2)
    number = np.repeat(np.arange(len(arcs)), [len(arc) for arc in arcs])
    first = np.array([arc[0][0] for arc in arcs], dtype=np.int64)
    return _sorted(
        snapshot,
        np.concatenate([account, place[:, 0]]),
        np.concatenate([seat, place[:, 1]]),
        np.concatenate([np.arange(len(account)), len(account) + number]).astype(np.int64),
        np.concatenate([account, first]),
        n_csms,
    )


def _sorted(
    snapshot: Snapshot, account: np.ndarray, seat: np.ndarray, arc: np.ndarray, leader: np.ndarray, n_csms: int
) -> Arcs:
    """Arcs in the order of their groups; within a group they keep theirs. `leader` is the first account of each arc."""
    order = np.argsort(leader, kind="stable")
    number = np.empty(len(order), dtype=np.int64)
    number[order] = np.arange(len(order))
    placements = np.argsort(number[arc], kind="stable")
    am, csm = np.divmod(seat[placements], n_csms)
    group = np.unique(leader[order], return_inverse=True)[1].reshape(-1)
    return Arcs(snapshot, account[placements], am, csm - 1, number[arc][placements], group)
