"""The named cases: a family of books at a size, the time it gets, and the target it is measured against."""

from __future__ import annotations

from dataclasses import dataclass

EXACT = ("cpsat", "highs", "scip")
"""General solvers on the whole problem."""

PRACTICE = ("redeal", "waterfall", "weighted", "local_search")
"""What tools and teams do today."""

ALL = EXACT + PRACTICE
QUICK = ("redeal", "waterfall", "local_search")
"""Peers that need no solver's model of the whole problem, which at millions of arcs would not fit."""

SMALL = 2_000
"""Accounts of the cases that run where none are named."""


@dataclass(frozen=True)
class Case:
    """`accounts` x `ams` of a family. `seconds`: the time limit of the engine and of every peer. Reached is a target
    where the proven gap is at most `target_gap` (0: proven optimal) within `target_seconds` of the whole path, from
    reading the files to the written run.
    """

    name: str
    family: str
    accounts: int
    ams: int
    seconds: float
    target_gap: float
    target_seconds: float
    peers: tuple[str, ...] = ALL

    @property
    def target(self) -> str:
        """The target in words."""
        gap = "proven optimal" if not self.target_gap else f"within {100 * self.target_gap:g} % of optimal, proven,"
        return f"{gap} in {self.target_seconds:g} s"


SMOKE = Case("smoke", "regional-csm", 240, 12, 6, 0.05, 30)
"""A few seconds for everything: does the whole of it run?"""

_LISTED = (
    Case("regional-1k", "regional", 1_000, 40, 30, 0.0, 3),
    Case("regional-csm-1k", "regional-csm", 1_000, 40, 30, 0.0, 30),
    Case("wide-1k", "wide", 1_000, 40, 30, 0.0, 10),
    Case("tight-2k", "tight", 2_000, 60, 30, 0.0, 10),
    Case("lumpy-2k", "lumpy", 2_000, 60, 30, 0.0, 10),
    Case("families-2k", "families", 2_000, 60, 30, 0.005, 30),
    Case("blended-1.8k", "blended", 1_800, 100, 30, 0.005, 30),
    Case("wide-8k", "wide", 8_000, 48, 60, 0.001, 20),
    Case("wide-csm-8k", "wide-csm", 8_000, 48, 60, 0.001, 60),
    Case("regional-10k", "regional", 10_000, 200, 60, 0.0001, 60),
    Case("regional-csm-10k", "regional-csm", 10_000, 200, 60, 0.001, 60),
    Case("pods-10k", "pods", 10_000, 200, 55, 0.003, 60),
    Case("wide-10k", "wide", 10_000, 200, 170, 0.003, 180),
    Case("wide-csm-10k", "wide-csm", 10_000, 200, 170, 0.003, 180),
    Case("regional-100k", "regional", 100_000, 2_000, 130, 0.001, 150, QUICK),
    Case("regional-csm-100k", "regional-csm", 100_000, 2_000, 130, 0.005, 150, QUICK),
    Case("regional-1M", "regional", 1_000_000, 20_000, 1_500, 0.005, 1_800, ()),
)

CASES = {case.name: case for case in (*_LISTED, SMOKE)}


def named(names: tuple[str, ...]) -> list[Case]:
    """The cases of some names; `all` is all of them but the smoke case, no name the small ones. `KeyError`: unknown."""
    if not names:
        return [case for case in _LISTED if case.accounts <= SMALL]
    return list(_LISTED) if "all" in names else [CASES[name] for name in names]
