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
    books: dict[str, set[int]] = {}
    for pod, person in zip(snapshot.book.pods["pod_id"], snapshot.book.pods["am_id"], strict=True):
        if person not in snapshot.ams.gone:
            books.setdefault(pod, set()).add(snapshot.ams.of_person[person])
    for pod, of_pod in books.items():
        number = int(held[sorted(of_pod)].sum())
        who = ", ".join(snapshot.ams.ids[book] for book in sorted(of_pod))
        if not least <= number <= most:
            yield f"pod {pod} ({who}) ends with {number} accounts; {least} to {most} is what a pod covers."
