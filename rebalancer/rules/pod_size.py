"""Pod size: a pod covers 25 to 50 accounts; others are pointed out, not forbidden."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rebalancer.rules.rule import Rule
from rebalancer.snapshot import Snapshot


class PodSize(Rule):
    """Warns of every pod whose AM ends with fewer or more accounts than the model's `pods.size`.

    The range is that of KnowMBA, "Account Manager Coverage".
    """

    name = "pod_size"


def pod_size_warnings(snapshot: Snapshot, to_am: np.ndarray) -> Iterator[str]:
    """A sentence per pod outside the range, for the books that the plan leaves."""
    if not snapshot.pods_active:
        return
    least, most = snapshot.model.pods.size
    held = snapshot.per_am(to_am, np.ones(len(to_am), dtype=np.int64))
    pods = snapshot.book.pods.drop_duplicates(["pod_id", "am_id"])
    for pod, person in zip(pods["pod_id"], pods["am_id"], strict=True):
        number = int(held[snapshot.ams.of_person[person]])
        if person not in snapshot.ams.gone and not least <= number <= most:
            yield f"pod {pod} ({person}) ends with {number} accounts; {least} to {most} is what a pod covers."
