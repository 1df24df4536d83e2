"""Arcs: the assignments an account or family may take, before and after the rules have had their say.

An arc is made of placements, one per account it places: a single account's arc has one, a family's has one per member.
Rules look at placements; an arc is admitted where all its placements are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from rebalancer.snapshot import NONE, Snapshot

COMPACT = np.dtype(np.int32)
"""How the arcs of a whole book are numbered: half the memory, enough for two thousand million."""


@dataclass(frozen=True)
class Arcs:
    """Placements: `account` goes to the seat (`am`, `csm`) if arc `arc` is taken; csm -1 is no CSM.

    `am` numbers books. Arcs are numbered from 0 and sorted by group, then by their seats; the placements of an arc
    stand together, sorted by account. `group` has one entry per arc; a group is named after its first account. The
    numbers may be 32 bits wide: widen them before multiplying.
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

    @property
    def are_single(self) -> bool:
        """Every arc has one placement: no family stays together."""
        return len(self.account) == len(self.group)

    @cached_property
    def am_changed(self) -> np.ndarray:
        """An existing AM is replaced (a first AM is no change)."""
        owner = self.of_accounts(self.snapshot.accounts.owner)
        return (owner != NONE) & (owner != self.am)

    @cached_property
    def csm_changed(self) -> np.ndarray:
        """An existing CSM is replaced or lost."""
        csm = self.of_accounts(self.snapshot.accounts.csm)
        return (csm != NONE) & (csm != self.csm)

    @cached_property
    def as_today(self) -> np.ndarray:
        """The placement keeps both sides."""
        accounts = self.snapshot.accounts
        return (self.of_accounts(accounts.owner) == self.am) & (self.of_accounts(accounts.csm) == self.csm)

    @cached_property
    def seats(self) -> tuple[np.ndarray, np.ndarray]:
        """Every seat there is, as sorted keys `book * (number of CSMs + 1) + CSM + 1`, and that of each placement."""
        key = self.am.astype(np.int64) * (len(self.snapshot.csms) + 1)
        key += self.csm
        key += 1
        code, distinct = pd.factorize(key)
        order = np.argsort(distinct)
        rank = np.empty(len(order), dtype=COMPACT)
        rank[order] = np.arange(len(order))
        return distinct[order], rank[code]

    def of_accounts(self, per_account: np.ndarray) -> np.ndarray:
        """A value per account, repeated for its placements."""
        repeated: np.ndarray = per_account[self.account]
        return repeated

    def first_of_arc(self, per_placement: np.ndarray) -> np.ndarray:
        """The value of the first placement of each arc."""
        if self.are_single:
            return per_placement
        first: np.ndarray = per_placement[starts(self.arc)]
        return first

    def per_arc(self, per_placement: np.ndarray) -> np.ndarray:
        """The sum of a value over the placements of each arc (int64)."""
        if self.are_single:
            return per_placement.astype(np.int64, copy=False)
        total = np.zeros(self.n_arcs, dtype=np.int64)
        np.add.at(total, self.arc, per_placement)
        return total

    def all_of_arc(self, flags: np.ndarray) -> np.ndarray:
        """Per arc: every placement has the flag."""
        return flags if self.are_single else self.per_arc(~flags) == 0

    def where(self, kept: np.ndarray) -> Arcs:
        """Only the arcs whose placements are all kept, numbered anew."""
        if kept.all():
            return self
        whole = self.all_of_arc(kept)
        placements = whole if self.are_single else whole[self.arc]
        number = np.cumsum(whole) - 1
        return Arcs(
            self.snapshot,
            self.account[placements],
            self.am[placements],
            self.csm[placements],
            number[self.arc[placements]],
            self.group[whole],
        )

    def compact(self) -> Arcs:
        """The same in numbers of 32 bits."""
        columns = (self.account, self.am, self.csm, self.arc, self.group)
        return Arcs(self.snapshot, *(column.astype(COMPACT, copy=False) for column in columns))


def starts(sorted_numbers: np.ndarray) -> np.ndarray:
    """Where each run of equal numbers begins."""
    return np.flatnonzero(np.concatenate([[True], sorted_numbers[1:] != sorted_numbers[:-1]]))[: len(sorted_numbers)]


def singles(snapshot: Snapshot, account: np.ndarray, am: np.ndarray, csm: np.ndarray) -> Arcs:
    """The distinct seats of accounts that stand alone, sorted: one placement an arc."""
    n_csms = len(snapshot.csms) + 1
    n_seats = len(snapshot.ams) * n_csms
    account, seat = np.divmod(np.unique(account * n_seats + am * n_csms + csm + 1), n_seats)
    am, csm = np.divmod(seat, n_csms)
    return Arcs(snapshot, account, am, csm - 1, np.arange(len(account)), account)


def of_families(snapshot: Snapshot, found: Sequence[Sequence[tuple[int, int, int]]]) -> Arcs:
    """The distinct arcs of families, each a list of (account, book, CSM), sorted."""
    arcs = sorted({tuple(sorted(arc)) for arc in found})
    place = np.array([part for arc in arcs for part in arc], dtype=np.int64).reshape(-1, 3)
    number = np.repeat(np.arange(len(arcs)), [len(arc) for arc in arcs]).astype(np.int64)
    leader = np.array([arc[0][0] for arc in arcs], dtype=np.int64)
    return Arcs(snapshot, place[:, 0], place[:, 1], place[:, 2], number, leader)


def joined(snapshot: Snapshot, parts: Sequence[Arcs]) -> Arcs:
    """Compact arcs as one, in the order of their groups; in `parts`, `group` is the first account of each arc."""
    offset = np.cumsum([0, *(part.n_arcs for part in parts)], dtype=COMPACT)
    account, am, csm, leader = (
        np.concatenate([np.zeros(0, dtype=COMPACT), *(getattr(part, name) for part in parts)])
        for name in ("account", "am", "csm", "group")
    )
    arc = np.concatenate([np.zeros(0, COMPACT), *(part.arc + at for part, at in zip(parts, offset, strict=False))])
    if (leader[1:] < leader[:-1]).any():
        order = np.argsort(leader, kind="stable")
        number = np.empty(len(order), dtype=COMPACT)
        number[order] = np.arange(len(order))
        leader, arc = leader[order], number[arc]
        placements = np.argsort(arc, kind="stable")
        account, am, csm, arc = (column[placements] for column in (account, am, csm, arc))
    group = np.zeros(len(leader), dtype=COMPACT)
    np.cumsum(leader[1:] != leader[:-1], out=group[1:])
    return Arcs(snapshot, account, am, csm, arc, group)
