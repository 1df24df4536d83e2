"""CSM load: no CSM ends with more accounts than the ratios of their ARR bands allow."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rebalancer.rules.rule import NO_ROW, Arcs, RowBlock, Rule, numbered, upper_rows
from rebalancer.snapshot import NONE, Snapshot


class CsmLoad(Rule):
    """Sum of 10^6 // ratio(ARR) over a CSM's accounts <= floor(10^6 * capacity * fte * ramp * factors). Elastic.

    The ratios are Fullview's, "How Many Accounts Should a CSM Have?".
    """

    name = "csm_load"

    def rows(self, snapshot: Snapshot, arcs: Arcs) -> Iterator[RowBlock]:
        """One row per CSM who has not left, in millionths of a full CSM."""
        if not snapshot.pods_active:
            return
        present = ~snapshot.csms.departed
        row = np.where(arcs.csm != NONE, numbered(present)[arcs.csm], NO_ROW)
        names = tuple(snapshot.csms.ids[i] for i in np.flatnonzero(present))
        yield upper_rows(names, row, arcs.of_accounts(snapshot.accounts.load), snapshot.csms.limit[present])
