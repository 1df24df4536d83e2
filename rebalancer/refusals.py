"""Refusals: the AMs and pools that an account must not newly be given to."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pandas as pd

from rebalancer.people import NONE, Ams


def refused_books(refused: pd.Series, ams: Ams) -> np.ndarray:
    """Rows (account, book), distinct and sorted, from the column `refused` (tuples of AM and pool ids).

    The member of a pool stands for the pool; who is nobody in the book stands for nothing.
    """
    naming = np.flatnonzero(refused.to_numpy(dtype=object).astype(bool))
    names = refused.iloc[naming].tolist()
    account = np.repeat(naming, [len(tags) for tags in names]).astype(np.int64)
    book = ams.numbers(chain.from_iterable(names))
    known = book != NONE
    pairs = np.unique(account[known] * len(ams) + book[known])
    return np.stack(np.divmod(pairs, len(ams)), axis=1)
