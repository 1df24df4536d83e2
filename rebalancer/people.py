"""People: AMs and pools of a book on its effective date, as arrays.

A *book* here is what an account can be assigned to: an AM who is in no pool, or a pool. The members of a pool have no
book of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pandas as pd

from rebalancer.book import Book
from rebalancer.coverage import CoverageModel, Role
from rebalancer.errors import Faults
from rebalancer.tables import TIERS
from rebalancer.units import floored

NONE = -1

DEFAULT_ROLE = "regular"
POOL_ROLE = "pool"
TAGS = ("region", "language", "skills")


@dataclass(frozen=True)
class Ams:
    """Books as arrays, sorted by id. `capacity` and `floor` are hundredths of units."""

    ids: tuple[str, ...]
    names: tuple[str, ...]
    role: tuple[str, ...]
    kind: np.ndarray
    capacity: np.ndarray
    floor: np.ndarray
    departed: np.ndarray
    receiving: np.ndarray
    """Role, `receives` and status allow new accounts."""
    started: np.ndarray
    """Not an open position, and the start date has come."""
    may_be_assigned: np.ndarray
    max_accounts: tuple[int | None, ...]
    tiers: np.ndarray
    """Book x tier: the tiers the book may receive."""
    tags: dict[str, tuple[tuple[str, ...], ...]]
    manager: np.ndarray
    ramp: np.ndarray
    is_pool: np.ndarray
    of_person: dict[str, int]
    """The book of every AM and pool id."""
    members: frozenset[str]
    """AM ids that are in a pool."""
    gone: frozenset[str]
    """AM ids of people who have left."""

    def __len__(self) -> int:
        return len(self.ids)

    def numbers(self, ids: Iterable[str]) -> np.ndarray:
        """The book of each AM or pool id, -1 for an empty one."""
        names = ids.tolist() if isinstance(ids, pd.Series) else ids
        return np.array([self.of_person.get(name, NONE) for name in names], dtype=np.int64)


def read_ams(book: Book, model: CoverageModel, accounts: pd.DataFrame, tiers: np.ndarray, faults: Faults) -> Ams:
    """The books of a team. `accounts` are those in the plan, `tiers` their tiers: what a book holds today says which
    tiers a segmented AM without tiers serves.
    """
    people = _people(book, model, faults)
    pools = _pool_members(book, faults)
    alone = [index for index, name in enumerate(people.ids) if name not in pools.of_member]
    parts: list[Part] = [(people.ids[index], (index,), False) for index in alone]
    parts += [(pool, tuple(people.place[name] for name in members), True) for pool, members in pools.members.items()]
    parts.sort()
    of_person = {name: number for number, (name, _, _) in enumerate(parts)}
    of_person |= {name: of_person[pool] for name, pool in pools.of_member.items()}
    owner = np.array([of_person.get(name, NONE) for name in accounts["owner"].tolist()], dtype=np.int64)
    return _joined(people, parts, of_person, frozenset(pools.of_member), (owner, tiers), faults)


@dataclass(frozen=True)
class _People:
    """One entry per AM, pools aside."""

    ids: tuple[str, ...]
    place: dict[str, int]
    frame: pd.DataFrame
    role: list[str]
    roles: list[Role]
    kind: list[str]
    capacity: np.ndarray
    floor: np.ndarray
    departed: np.ndarray
    receiving: np.ndarray
    started: np.ndarray
    away: np.ndarray


def _people(book: Book, model: CoverageModel, faults: Faults) -> _People:
    frame, day = book.ams, pd.Timestamp(book.effective_date)
    role = frame["role"].where(frame["role"] != "", DEFAULT_ROLE)
    for name in sorted(set(role) - set(model.roles)):
        problem = f'the model "{model.name}" lists no role "{name}"; its AMs hold any tier without a count limit.'
        faults.warn("unlisted_role", problem, "Add the role to the model.", file="ams")
    roles = [model.roles.get(name, Role()) for name in role]
    away = (frame["status"] == "leave").to_numpy(dtype=bool)
    departed = ((frame["status"] == "inactive") | (frame["leaves_on"] <= day)).to_numpy(dtype=bool)
    not_yet = ((frame["status"] == "open") | (frame["starts_on"] > day)).to_numpy(dtype=bool)
    willing = [r.receives if flag is None else flag for r, flag in zip(roles, frame["receives"], strict=True)]
    capacity = np.array([floored(amount) for amount in amounts(frame, model.units.cap)], dtype=np.int64)
    floors = [_or(value, model.limits.floor) for value in frame["floor"]]
    return _People(
        ids=tuple(frame["am_id"]),
        place={name: index for index, name in enumerate(frame["am_id"])},
        frame=frame,
        role=list(role),
        roles=roles,
        kind=list(frame["book"].where(frame["book"] != "", model.books.default)),
        capacity=capacity,
        floor=np.array([share_of(c, f) for c, f in zip(capacity, floors, strict=True)], dtype=np.int64),
        departed=departed,
        receiving=~departed & ~away & np.array(willing, dtype=bool),
        started=~not_yet,
        away=away,
    )


@dataclass(frozen=True)
class _PoolMembers:
    members: dict[str, list[str]]
    of_member: dict[str, str]


def _pool_members(book: Book, faults: Faults) -> _PoolMembers:
    frame = book.tables["pools"]
    members: dict[str, list[str]] = {}
    known = set(book.ams["am_id"])
    for pool, name in zip(frame["pool_id"], frame["am_id"], strict=True):
        if pool in known:
            cure = "Give the pool an id of its own."
            faults.error("pool", "the pool has the id of an AM.", cure, file="pools", column="pool_id", value=pool)
        elif name in known:
            members.setdefault(pool, []).append(name)
    return _PoolMembers(members, {name: pool for pool, names in members.items() for name in names})


Part = tuple[str, tuple[int, ...], bool]
"""A book: its id, the AMs it is made of, and whether it is a pool."""


def _joined(
    people: _People,
    parts: Sequence[Part],
    of_person: dict[str, int],
    members: frozenset[str],
    today: tuple[np.ndarray, np.ndarray],
    faults: Faults,
) -> Ams:
    present = [[i for i in who if not people.departed[i]] for _, who, _ in parts]

    def any_of(flags: np.ndarray) -> np.ndarray:
        return np.array([bool(flags[here].any()) if here else False for here in present], dtype=bool)

    first = [who[0] for _, who, _ in parts]
    is_pool = np.array([pool for _, _, pool in parts], dtype=bool)
    departed = np.array([not here for here in present], dtype=bool)
    capacity = [
        int(people.capacity[here].sum()) if pool else int(people.capacity[one])
        for here, one, pool in zip(present, first, is_pool, strict=True)
    ]
    frame = people.frame
    most = frame["max_accounts"].to_numpy()
    names, managers = frame["name"].tolist(), frame["manager"].tolist()
    return Ams(
        ids=tuple(name for name, _, _ in parts),
        names=tuple(", ".join(names[index] for index in who) for _, who, _ in parts),
        role=tuple(POOL_ROLE if pool else people.role[one] for one, pool in zip(first, is_pool, strict=True)),
        kind=np.array(
            ["pooled" if pool else people.kind[one] for one, pool in zip(first, is_pool, strict=True)], object
        ),
        capacity=np.array(capacity, dtype=np.int64),
        floor=np.where(is_pool, 0, people.floor[first]),
        departed=departed,
        receiving=any_of(people.receiving),
        started=np.where(any_of(people.receiving), any_of(people.receiving & people.started), any_of(people.started)),
        may_be_assigned=any_of(~people.departed & ~people.away),
        max_accounts=tuple(
            _max_accounts(people, most, one, bool(pool)) for one, pool in zip(first, is_pool, strict=True)
        ),
        tiers=_tiers(people, parts, present, today, faults),
        tags={
            tag: tuple(
                _union([tags[index] for index in here or who]) for here, (_, who, _) in zip(present, parts, strict=True)
            )
            for tag, tags in ((tag, frame[tag].tolist()) for tag in TAGS)
        },
        manager=np.array(
            ["" if pool else managers[one] for one, pool in zip(first, is_pool, strict=True)], dtype=object
        ),
        ramp=np.where(is_pool, np.nan, frame["ramp"].to_numpy()[first]),
        is_pool=is_pool,
        of_person=of_person,
        members=members,
        gone=frozenset(np.array(people.ids, dtype=object)[people.departed]),
    )


def _max_accounts(people: _People, most: np.ndarray, index: int, pool: bool) -> int | None:
    if pool:
        return None
    own = most[index]
    counted = people.kind[index] in ("segmented", "blended")
    return least(None if np.isnan(own) else int(own), people.roles[index].max_accounts if counted else None)


def _union(tags: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """The tags of several people together; one without tags serves any."""
    return () if not all(tags) else tuple(dict.fromkeys(tag for one in tags for tag in one))


def _tiers(
    people: _People,
    parts: Sequence[Part],
    present: list[list[int]],
    today: tuple[np.ndarray, np.ndarray],
    faults: Faults,
) -> np.ndarray:
    """Book x tier. A segmented AM without tiers serves those of its role, else those it holds today, else any."""
    owner, tiers = today
    held = np.zeros((len(parts) + 1, len(TIERS)), dtype=bool)  # the last row is of accounts without an owner
    held[owner, tiers] = True
    named = people.frame["tiers"].tolist()
    allowed = np.ones((len(parts), len(TIERS)), dtype=bool)
    by_today: list[str] = []
    for number, (name, who, pool) in enumerate(parts):
        serves = _union([named[index] for index in present[number] or who])
        kind = "pooled" if pool else people.kind[who[0]]
        if not serves and kind == "pooled":
            serves = ("smb",)
        elif not serves and kind == "segmented":
            serves = people.roles[who[0]].tiers
            if not serves:
                serves = tuple(TIERS[code] for code in np.flatnonzero(held[number]))
                by_today.append(name)
        if serves:
            allowed[number] = [tier in serves for tier in TIERS]
    if by_today:
        problem = (
            f"{len(by_today)} segmented AMs name no tiers ({', '.join(by_today[:5])}{', ...' * (len(by_today) > 5)})"
        )
        faults.warn(
            "tiers_of_today", f"{problem}; each keeps to the tiers it holds today.", "Fill ams.tiers.", file="ams"
        )
    return allowed


def least(*limits: int | None) -> int | None:
    """The tightest of several limits, None where there is none."""
    known = [limit for limit in limits if limit is not None]
    return min(known) if known else None


def share_of(hundredths: int, share: Decimal) -> int:
    """A share of a capacity, rounded down to the hundredth."""
    return int(int(hundredths) * share // 1)


def amounts(frame: pd.DataFrame, default: Decimal) -> list[Decimal]:
    """`capacity * fte * ramp` per row, exactly; missing capacity is `default`, missing fte and ramp are 1."""
    columns = zip(frame["capacity"], frame["fte"], frame["ramp"], strict=True)
    return [_or(capacity, default) * _or(fte, Decimal(1)) * _or(ramp, Decimal(1)) for capacity, fte, ramp in columns]


def _or(value: float, default: Decimal) -> Decimal:
    return default if np.isnan(value) else Decimal(repr(float(value)))
