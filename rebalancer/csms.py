"""CSMs of a book on its effective date, as arrays, and the pods that pair them with books."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pandas as pd

from rebalancer.book import Book
from rebalancer.coverage import CoverageModel
from rebalancer.people import Ams, amounts

CSM_FULL_LOAD = 10**6
"""The load of one full CSM; an account adds 10^6 // ratio."""


@dataclass(frozen=True)
class Csms:
    """CSMs as arrays. `limit` is the load each may carry, in millionths of a full CSM."""

    ids: tuple[str, ...]
    limit: np.ndarray
    departed: np.ndarray
    receives: np.ndarray
    region: tuple[tuple[str, ...], ...]

    def __len__(self) -> int:
        return len(self.ids)


def read_csms(book: Book, model: CoverageModel) -> Csms:
    """The CSMs of a team with the load each may carry."""
    frame, day = book.csms, pd.Timestamp(book.effective_date)
    departed = (frame["leaves_on"] <= day).to_numpy(dtype=bool)
    factors = [
        (model.csm.regulated_factor if regulated else 1) * (model.csm.extra_duties_factor if duties else 1)
        for regulated, duties in zip(frame["regulated"], frame["extra_duties"], strict=True)
    ]
    limits = [
        int(CSM_FULL_LOAD * amount * factor // 1)
        for amount, factor in zip(amounts(frame, Decimal(1)), factors, strict=True)
    ]
    return Csms(
        ids=tuple(frame["csm_id"]),
        limit=np.array(limits, dtype=np.int64),
        departed=departed,
        receives=~departed & ~(frame["starts_on"] > day).to_numpy(dtype=bool),
        region=tuple(frame["region"]),
    )


def pod_pairs(book: Book, ams: Ams, csms: Csms) -> np.ndarray:
    """Rows (book, CSM) of the pods table without departed people, distinct, sorted; a pool has its members' pods."""
    frame = book.pods
    am = ams.numbers(frame["am_id"])
    csm = pd.Index(csms.ids).get_indexer(pd.Index(frame["csm_id"]))
    here = np.array([name not in ams.gone or name in ams.members for name in frame["am_id"]], dtype=bool)
    here &= ~csms.departed[csm]
    return np.unique(np.column_stack([am[here], csm[here]]), axis=0)
