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
    points = _new_industry(arcs, accounts["industry"]).astype(np.int64)
    for flags in (_other_manager(arcs, ams.manager), _ramping(arcs), _shedding(arcs)):
        points += flags
    points[arcs.of_accounts(snapshot.accounts.owner) == arcs.am] = 0
    return points


def _new_industry(arcs: Arcs, industry: pd.Series) -> np.ndarray:
    code, names = pd.factorize(industry)
    owner, n = arcs.snapshot.accounts.owner, max(1, len(names))
    named = arcs.of_accounts(np.asarray(names, dtype=object)[code] != "")
    seen = np.unique(owner[owner != NONE] * n + code[owner != NONE])
    named[named] = ~np.isin(arcs.am[named].astype(np.int64) * n + code[arcs.account[named]], seen)
    return named


def _other_manager(arcs: Arcs, manager: np.ndarray) -> np.ndarray:
    code, names = pd.factorize(manager)
    code = np.where(np.asarray(names, dtype=object)[code] == "", NONE, code)
    owner = arcs.snapshot.accounts.owner
    before = np.where(owner != NONE, code[owner], NONE)[arcs.account]
    after = code[arcs.am]
    return (before != NONE) & (after != NONE) & (before != after)


def _ramping(arcs: Arcs) -> np.ndarray:
    flags: np.ndarray = (arcs.snapshot.ams.ramp < 1)[arcs.am]
    return flags


def _shedding(arcs: Arcs) -> np.ndarray:
    flags: np.ndarray = (arcs.snapshot.held > arcs.snapshot.unit_limits)[arcs.am]
    return flags
