"""Region, language and skill: an account's tags are within those of the people who serve it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

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
        return self._within(snapshot, snapshot.ams.tags[self.am_column])

    def _within(self, snapshot: Snapshot, offered: Sequence[tuple[str, ...]]) -> np.ndarray:
        asked = [
            {part.strip() for part in text.split(";") if part.strip()}
            for text in snapshot.profiles[self.account_column]
        ]
        distinct = {tags: index for index, tags in enumerate(dict.fromkeys(offered))}
        fits = np.array(
            [[not want or not tags or want <= set(tags) for tags in distinct] for want in asked], dtype=bool
        )
        place = np.array([distinct[tags] for tags in offered], dtype=np.int64)
        return fits.reshape(len(asked), len(distinct))[:, place]


class Region(TagRule):
    """Region as `TagRule`, and the region of a CSM that comes to an account."""

    def __init__(self) -> None:
        super().__init__("region", "region", "region")

    def allowed(self, snapshot: Snapshot, arcs: Arcs) -> np.ndarray | None:
        """A new CSM serves the account's region; a CSM that stays is not tested, nor one the planner named."""
        if not snapshot.pods_active:
            return None
        accounts = snapshot.accounts
        fits = self._within(snapshot, snapshot.csms.region)[accounts.profile[arcs.account], arcs.csm]
        kept = (arcs.csm == NONE) | (arcs.csm == arcs.of_accounts(accounts.csm))
        return fits | kept | (arcs.csm == arcs.of_accounts(accounts.assign_csm))


REGION = Region()
LANGUAGE = TagRule("language", "language", "language")
SKILL = TagRule("skill", "skills", "skills")
