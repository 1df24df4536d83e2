"""Floor: a book ends with at least its floor; this is how a new hire gets a book."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rebalancer.rules.rule import Arcs, RowBlock, Rule, lower_rows, numbered
from rebalancer.snapshot import Snapshot


class Floor(Rule):
    """Sum of the units of a book's accounts >= floor * capacity, for AMs who receive accounts. Elastic.

    Least disruption alone would leave a new hire's book empty.
    """

    name = "floor"

    def rows(self, snapshot: Snapshot, arcs: Arcs) -> Iterator[RowBlock]:
        """One row per AM with a floor, in hundredths of units."""
        ams = snapshot.ams
        held_to = (ams.floor > 0) & snapshot.receives
        names = tuple(ams.ids[i] for i in np.flatnonzero(held_to))
        yield lower_rows(
            names, numbered(held_to)[arcs.am], arcs.of_accounts(snapshot.accounts.units), ams.floor[held_to]
        )
