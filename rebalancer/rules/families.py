"""Families: accounts under one ultimate parent stay with one AM."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rebalancer.rules.rule import Rule
from rebalancer.snapshot import NONE, Snapshot

Arc = list[tuple[int, int, int]]
"""(account, book, CSM) of every member."""


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
        self.owner = accounts.owner.tolist()
        self.csm = accounts.csm.tolist()
        self.assign_to = accounts.assign_to.tolist()
        self.may_go = eligible[accounts.profile] if (accounts.family >= 0).any() else np.zeros((0, 0), dtype=bool)
        pairs = snapshot.pod_pairs
        self.in_pod = {(int(am), int(csm)) for am, csm in pairs}
        self.pod = {int(am): [] for am in pairs[:, 0]}  # type: dict[int, list[int]]
        for am, csm in pairs.tolist():
            if snapshot.csms.receives[csm]:
                self.pod[am].append(csm)

    def build(self) -> list[Arc]:
        """All arcs; members who must go their own way are added to `alone`."""
        return [arc for family in self._families() for arc in self._arcs(family)]

    def _families(self) -> Iterator[_Family]:
        number = self.snapshot.accounts.family
        for code in np.unique(number[(number >= 0) & ~self.dissolved]).tolist():
            members = np.flatnonzero(number == code).tolist()
            present = [m for m in members if self.snapshot.owner_present[m]]
            yield _Family(members, present, [m for m in members if not self.snapshot.owner_present[m]])

    def _arcs(self, family: _Family) -> list[Arc]:
        books = range(len(self.snapshot.ams))
        arcs = [arc for book in books for arc in self._united(family.members, book)]
        today = [(m, self.owner[m], self._csm_as_today(m)) for m in family.present]
        if not family.homeless:
            return [*arcs, today]
        holding = sorted({self.owner[m] for m in family.present})
        joined = [book for book in holding if self._admits(book, family.homeless)]
        joined = joined or [book for book in books if self._admits(book, family.homeless)]
        if not joined:
            self.alone[family.homeless] = True
            return [today] if today else []
        if family.present:
            arcs += [[*today, *moved] for book in joined for moved in self._united(family.homeless, book)]
        return arcs

    def _admits(self, book: int, members: list[int]) -> bool:
        """The book may take all of the members that do not belong to it today."""
        named = self.assign_to
        return all(book in (self.owner[m], named[m]) or self.may_go[m, book] for m in members)

    def _united(self, members: list[int], book: int) -> Iterator[Arc]:
        """The members in one book, once for every CSM that those who can't keep theirs may take."""
        if not self._admits(book, members) or self.snapshot.ams.departed[book]:
            return
        if all(self.owner[m] == book for m in members):
            return
        kept = {m: self.csm[m] for m in members if self._keeps(m, book)}
        takers = [m for m in members if m not in kept]
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

    def _csm_as_today(self, member: int) -> int:
        csm = self.csm[member]
        if csm == NONE or not self.snapshot.csms.departed[csm]:
            return csm
        return next(iter(self.pod.get(self.owner[member], [])), NONE)


def to_dissolve(snapshot: Snapshot, with_arcs: np.ndarray) -> np.ndarray:
    """Members of families that no arc is left for, mostly because the planner assigned some of them elsewhere."""
    family = snapshot.accounts.family
    return np.isin(family, np.unique(family[(family >= 0) & ~with_arcs]))
