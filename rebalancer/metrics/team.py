"""The team as full AMs, and which part of it works for which accounts.

A *full AM* is one unit cap of the model (`units.cap`): an AM of half the time or half ramped counts 0.5. The team are
the books that take accounts today; managers, leavers and people on leave are not of it. Each book counts for its
accounts in proportion to their units, so that the AMs of all tiers and regions add up to the team; a book without
accounts counts where its only region and its only tier are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rebalancer.people import NONE
from rebalancer.snapshot import Snapshot
from rebalancer.tables import TIERS
from rebalancer.units import HUNDREDTHS


@dataclass(frozen=True)
class Team:
    """Full AMs per book: `today`, and `coming` (open positions, start dates). `cost` is what today's books cost a year
    in dollars and `fte` the full-time people that rests on, both 0 where a member of the book has no cost.
    """

    today: np.ndarray
    coming: np.ndarray
    cost: np.ndarray
    fte: np.ndarray


def read_team(snapshot: Snapshot) -> Team:
    """The team of a snapshot."""
    ams, cap = snapshot.ams, float(snapshot.model.units.cap) * HUNDREDTHS
    full = ams.capacity / cap if cap else np.zeros(len(ams))
    started = ams.receiving & (ams.started | snapshot.model.headcount.open)
    today = np.where(started, full, 0.0)
    cost, fte = (np.where(today > 0, values, 0.0) for values in _cost(snapshot))
    return Team(today, np.where(ams.receiving & ~started, full, 0.0), cost, fte)


def _cost(snapshot: Snapshot) -> tuple[np.ndarray, np.ndarray]:
    """Yearly cost and full-time people of each book, leavers apart; a blank cost is read as 0, so 0 is unknown."""
    frame, ams = snapshot.book.ams, snapshot.ams
    here = ~frame["am_id"].isin(ams.gone).to_numpy(dtype=bool)
    place, cost = ams.numbers(frame["am_id"])[here], frame["cost"].to_numpy(np.float64)[here]
    fte = frame["fte"].fillna(1.0).to_numpy(np.float64)[here]
    total, people = (np.bincount(place, weights=values, minlength=len(ams)) for values in (cost, fte))
    known = np.bincount(place, weights=cost <= 0, minlength=len(ams)) == 0
    return np.where(known, total, 0.0), np.where(known, people, 0.0)


def by_account(snapshot: Snapshot, per_book: np.ndarray) -> np.ndarray:
    """A figure of books, spread over the accounts of each in proportion to their units (evenly where those are 0)."""
    owner = snapshot.accounts.owner
    held = snapshot.per_am(owner, snapshot.accounts.units)
    count = snapshot.per_am(owner, np.ones(len(owner), dtype=np.int64))
    owned = owner != NONE
    book = np.where(owned, owner, 0)
    if not len(per_book):
        return np.zeros(len(owner))
    by_units, evenly = snapshot.accounts.units / np.maximum(1, held[book]), 1 / np.maximum(1, count[book])
    share = np.where(held[book] > 0, by_units, evenly)
    return np.where(owned, share * per_book[book], 0.0)


def idle_places(snapshot: Snapshot) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Books without accounts: which, their tier and their region by name, empty where they serve several."""
    ams = snapshot.ams
    count = snapshot.per_am(snapshot.accounts.owner, np.ones(len(snapshot.accounts), dtype=np.int64))
    regions = np.array([tags[0] if len(tags) == 1 else "" for tags in ams.tags["region"]], dtype=object)
    one_tier = ams.tiers.sum(axis=1) == 1
    tiers = np.where(one_tier, np.array(TIERS, dtype=object)[ams.tiers.argmax(axis=1)], "")
    return count == 0, tiers, regions
