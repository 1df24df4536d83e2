"""Refusals: the AMs, pools and CSMs that an account must not newly be given to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain

import numpy as np
import pandas as pd

from rebalancer.people import NONE, Ams


def refused_books(refused: pd.Series, ams: Ams) -> np.ndarray:
    """Rows (account, book), distinct and sorted, from the column `refused` (tuples of AM and pool ids).

    The member of a pool stands for the pool; who is nobody in the book stands for nothing.
    """
    return _pairs(refused, ams.numbers, len(ams))


def refused_csms(refused: pd.Series, ids: pd.Series) -> np.ndarray:
    """Rows (account, CSM), distinct and sorted, from the column `refused_csm`; `ids` are those of `csms`."""
    return _pairs(refused, lambda names: pd.Index(ids).get_indexer(pd.Index(list(names))).astype(np.int64), len(ids))


def _pairs(refused: pd.Series, numbers: Callable[[Iterable[str]], np.ndarray], count: int) -> np.ndarray:
    naming = np.flatnonzero(refused.to_numpy(dtype=object).astype(bool))
    names = refused.iloc[naming].tolist()
    account = np.repeat(naming, [len(tags) for tags in names]).astype(np.int64)
    who = numbers(chain.from_iterable(names))
    known = who != NONE
    pairs = np.unique(account[known] * count + who[known])
    return np.stack(np.divmod(pairs, max(1, count)), axis=1)
