"""Fit: among equal plans, the one whose moves suit the new AM best."""

from __future__ import annotations

import numpy as np
import pandas as pd

from rebalancer.rules.rule import Arcs
from rebalancer.snapshot import NONE


def fit_costs(arcs: Arcs) -> np.ndarray:
    """Points per placement that brings an account to an AM: one for each of an industry new to its book, another
    manager than the old owner's, an AM still ramping up, and a book over its limit today that has to shed others.
    """
    snapshot = arcs.snapshot
    accounts, ams = snapshot.frame, snapshot.ams
    comes = snapshot.accounts.owner[arcs.account] != arcs.am
    return comes * (
        _new_industry(arcs, accounts["industry"]) + _other_manager(arcs, ams.manager) + _ramping(arcs) + _shedding(arcs)
    )


def _new_industry(arcs: Arcs, industry: pd.Series) -> np.ndarray:
    code = pd.Categorical(industry).codes.astype(np.int64)
    owner = arcs.snapshot.accounts.owner
    n = int(code.max()) + 1
    seen = np.unique(owner[owner != NONE] * n + code[owner != NONE])
    named = np.asarray(industry, dtype=object)[arcs.account] != ""
    return (named & ~np.isin(arcs.am * n + code[arcs.account], seen)).astype(np.int64)


def _other_manager(arcs: Arcs, manager: np.ndarray) -> np.ndarray:
    names = np.asarray(manager, dtype=object)
    owner = arcs.snapshot.accounts.owner[arcs.account]
    known = (owner != NONE) & (names[owner] != "") & (names[arcs.am] != "")
    return (known & (names[owner] != names[arcs.am])).astype(np.int64)


def _ramping(arcs: Arcs) -> np.ndarray:
    ramp = arcs.snapshot.ams.ramp
    return (ramp[arcs.am] < 1).astype(np.int64)


def _shedding(arcs: Arcs) -> np.ndarray:
    over = arcs.snapshot.held > arcs.snapshot.unit_limits
    return over[arcs.am].astype(np.int64)
