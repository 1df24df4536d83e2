"""Families: accounts under one ultimate parent, and which of them stay together."""

from __future__ import annotations

import numpy as np
import pandas as pd

from rebalancer.coverage import CoverageModel


def roots(everybody: pd.DataFrame) -> dict[str, str]:
    """The ultimate parent of every account, itself where it has none; a parent not in the table ends the chain."""
    parent = dict(zip(everybody["account_id"].tolist(), everybody["parent_id"].tolist(), strict=True))
    found: dict[str, str] = {}
    for account in parent:
        chain = []
        at = account
        while at not in found and parent.get(at):
            chain.append(at)
            at = parent[at]
        root = found.get(at, at)
        found.update(dict.fromkeys([*chain, account], root))
    return found


def together(accounts: pd.DataFrame, everybody: pd.DataFrame, model: CoverageModel) -> np.ndarray:
    """Per account in the plan the number of its family, -1 where it stands alone or its family may part."""
    if not (everybody["parent_id"] != "").any():
        return np.full(len(accounts), -1)
    root = accounts["account_id"].map(roots(everybody))
    terms = model.families
    kept = root.isin(terms.together) | ((terms.mode == "together") & ~root.isin(terms.free))
    size = root.groupby(root).transform("size")
    code = pd.Series(pd.factorize(root, sort=True)[0], index=root.index)
    return code.where(kept & (size > 1), -1).to_numpy(dtype=np.int64)
