"""Units cap: no book ends with more coverage units than its AM can carry."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rebalancer.rules.rule import NO_ROW, Arcs, RowBlock, Rule, numbered, upper_rows
from rebalancer.snapshot import Snapshot


class UnitsCap(Rule):
    """Sum of the units of a book's accounts <= its limit, for every AM who has not left. Elastic.

    The limit is `target * capacity` in scope full. In scope repair it is that for a book above `trigger * capacity`,
    and else the larger of that and what the book holds today, so nobody is pushed over and nobody is forced to shed.
    A relieved book, one that the model names in `triggers.relieve_books`, ends at `relief * capacity` in either scope.
    """

    name = "units_cap"

    def rows(self, snapshot: Snapshot, arcs: Arcs) -> Iterator[RowBlock]:
        """One row per AM, in hundredths of units."""
        ams = snapshot.ams
        present = ~ams.departed
        names = tuple(ams.ids[i] for i in np.flatnonzero(present))
        weight = arcs.of_accounts(snapshot.accounts.units)
        row = np.where(weight > 0, numbered(present)[arcs.am], NO_ROW)
        yield upper_rows(names, row, weight, snapshot.unit_limits[present])
