"""Families: accounts under one ultimate parent stay with one AM."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rebalancer.links import Lists
from rebalancer.rules.rule import Rule
from rebalancer.snapshot import NONE, Snapshot

Arc = list[tuple[int, int, int]]
"""(account, book, CSM) of every member."""

BATCH = 2_000
"""Families whose arcs are made in one go."""


class Families(Rule):
    """All members of a family end in one book, or the family stays as it is today where it is split.

    The highest tier of the family decides where it may go. A member keeps its CSM where that CSM is in a pod with the
    book's AM; the others take one CSM of that pod. Members of a departed owner join a book that holds another member
    where one is eligible, else any book that may take all of them, else each goes its own way. The engine holds this
    by the arcs it is given: one per family and book, and one for "as today".
    """

    name = "families"


@dataclass(frozen=True)
class _Family:
    members: list[int]
    present: list[int]
    homeless: list[int]


class FamilyArcs:
    """The arcs of every family that stays together; `dissolved` are accounts whose family can't be held together."""

    def __init__(self, snapshot: Snapshot, eligible: np.ndarray, dissolved: np.ndarray) -> None:
        self.snapshot, self.dissolved = snapshot, dissolved
        accounts = snapshot.accounts
        self.alone = (accounts.family < 0) | dissolved
        self.owner = np.where(accounts.holds.due, NONE, accounts.owner).tolist()
        self.csm = accounts.csm.tolist()
        self.assign_to = accounts.assign_to.tolist()
        self.profile = accounts.profile.tolist()
        self.eligible = eligible
        refused = accounts.refused
        self.refused = set(map(tuple, refused[accounts.family[refused[:, 0]] >= 0].tolist()))
        self.refused_csm = set(map(tuple, accounts.refused_csm.tolist()))
        pairs = snapshot.pod_pairs
        self.in_pod = {(int(am), int(csm)) for am, csm in pairs}
        self.pod = {int(am): [] for am in pairs[:, 0]}  # type: dict[int, list[int]]
        for am, csm in pairs.tolist():
            if snapshot.csms.receives[csm]:
                self.pod[am].append(csm)

    def batches(self) -> Iterator[list[Arc]]:
        """All arcs, some families at a time; members who must go their own way are added to `alone`."""
        batch: list[Arc] = []
        for number, family in enumerate(self._families(), start=1):
            batch += self._arcs(family)
            if number % BATCH == 0:
                yield batch
                batch = []
        yield batch

    def _families(self) -> Iterator[_Family]:
        number = np.where(self.dissolved, -1, self.snapshot.accounts.family)
        present = self.snapshot.owner_present.tolist()
        families = Lists(number, int(number.max(initial=-1)) + 1)
        for code in range(len(families)):
            members = families[code].tolist()
            if members:
                yield _Family(members, [m for m in members if present[m]], [m for m in members if not present[m]])

    def _arcs(self, family: _Family) -> list[Arc]:
        arcs = [arc for book in self._books(family.members) for arc in self._united(family.members, book)]
        today = [(m, self.owner[m], self.csm_as_today(m)) for m in family.present]
        if not family.homeless:
            return [*arcs, today]
        holding = sorted({self.owner[m] for m in family.present})
        joined = [book for book in holding if self._admits(book, family.homeless)]
        joined = joined or [book for book in self._books(family.homeless) if self._admits(book, family.homeless)]
        if not joined:
            self.alone[family.homeless] = True
            return [today] if today else []
        if family.present:
            arcs += [[*today, *moved] for book in joined for moved in self._united(family.homeless, book)]
        return arcs

    def _books(self, members: list[int]) -> list[int]:
        """The only books that may admit all of the members: eligible for every profile, or a member's own or named."""
        shared = np.logical_and.reduce([self.eligible[profile] for profile in {self.profile[m] for m in members}])
        theirs = {book for m in members for book in (self.owner[m], self.assign_to[m]) if book != NONE}
        return sorted({*np.flatnonzero(shared).tolist(), *theirs})

    def _admits(self, book: int, members: list[int]) -> bool:
        """The book may take all of the members that do not belong to it today."""
        named = self.assign_to
        if self.refused and any((m, book) in self.refused and book != self.owner[m] for m in members):
            return False
        return all(book in (self.owner[m], named[m]) or self.eligible[self.profile[m], book] for m in members)

    def _united(self, members: list[int], book: int) -> Iterator[Arc]:
        """The members in one book, once for every CSM that those who can't keep theirs may take."""
        if not self._admits(book, members) or self.snapshot.ams.departed[book]:
            return
        kept = {m: self.csm[m] for m in members if self._keeps(m, book)}
        takers = [m for m in members if m not in kept]
        if not takers and all(self.owner[m] == book for m in members):
            return
        choices = self.pod.get(book) or [NONE]
        for csm in choices if takers else [NONE]:
            yield [(m, book, kept.get(m, csm)) for m in members]

    def _keeps(self, member: int, book: int) -> bool:
        """A member without a CSM stays without; one with a CSM keeps it in its own book or where the pod has it."""
        csm = self.csm[member]
        if csm == NONE:
            return True
        present = not self.snapshot.csms.departed[csm]
        return present and (self.owner[member] == book or (book, csm) in self.in_pod)

    def csm_as_today(self, member: int) -> int:
        """Its CSM; where that one left, the first of its AM's pod whom it does not refuse."""
        csm = self.csm[member]
        if csm == NONE or not self.snapshot.csms.departed[csm]:
            return csm
        return next((c for c in self.pod.get(self.owner[member], []) if (member, c) not in self.refused_csm), NONE)


def to_dissolve(snapshot: Snapshot, with_arcs: np.ndarray) -> np.ndarray:
    """Members of families that no arc is left for, mostly because the planner assigned some of them elsewhere."""
    family = snapshot.accounts.family
    return np.isin(family, np.unique(family[(family >= 0) & ~with_arcs]))
