"""Region, language and skill: an account's tags are within those of the people who serve it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from rebalancer.rules.rule import Arcs, Rule
from rebalancer.snapshot import NONE, Snapshot


class TagRule(Rule):
    """tags(account) is a subset of tags(AM) for every account that comes to an AM; missing on either side means any."""

    def __init__(self, name: str, account_column: str, am_column: str) -> None:
        self.name = name
        self.account_column = account_column
        self.am_column = am_column

    def eligible(self, snapshot: Snapshot) -> np.ndarray:
        """By the tags of the profile."""
        fits, asked, offered = self._within(snapshot, snapshot.ams.tags[self.am_column])
        return fits[asked][:, offered]

    def _within(
        self, snapshot: Snapshot, offered: Sequence[tuple[str, ...]]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Which distinct tags are within which, and the place there of every profile and of everything offered."""
        place, texts = pd.factorize(snapshot.profiles[self.account_column])
        asked = [{part.strip() for part in text.split(";") if part.strip()} for text in texts]
        distinct = {tags: index for index, tags in enumerate(dict.fromkeys(offered))}
        return _subsets(asked, list(distinct)), place, np.array([distinct[tags] for tags in offered], dtype=np.int64)


def _subsets(asked: Sequence[set[str]], offered: Sequence[tuple[str, ...]]) -> np.ndarray:
    """asked x offered: nothing is asked or offered, or every tag that is asked is offered."""
    holders: dict[str, list[int]] = {}
    for index, tags in enumerate(offered):
        for tag in tags:
            holders.setdefault(tag, []).append(index)
    anything = np.array([not tags for tags in offered], dtype=bool)
    fits = np.ones((len(asked), len(offered)), dtype=bool)
    for row, wanted in zip(fits, asked, strict=True):
        for tag in wanted:
            has = anything.copy()
            has[holders.get(tag, [])] = True
            row &= has
    return fits


class Region(TagRule):
    """Region as `TagRule`, and the region of a CSM that comes to an account."""

    def __init__(self) -> None:
        super().__init__("region", "region", "region")

    def allowed(self, snapshot: Snapshot, arcs: Arcs) -> np.ndarray | None:
        """A new CSM serves the account's region; a CSM that stays is not tested, nor one the planner named."""
        if not snapshot.pods_active:
            return None
        accounts = snapshot.accounts
        fits, asked, offered = self._within(snapshot, snapshot.csms.region)
        kept = (arcs.csm == NONE) | (arcs.csm == arcs.of_accounts(accounts.csm))
        suits = fits[asked[arcs.of_accounts(accounts.profile)], offered[arcs.csm]]
        return suits | kept | (arcs.csm == arcs.of_accounts(accounts.assign_csm))


REGION = Region()
LANGUAGE = TagRule("language", "language", "language")
SKILL = TagRule("skill", "skills", "skills")
