"""Seeded books of any size for benchmarks: tight, with skewed owners and lumpy accounts.

A family is a `Shape`; `FAMILIES` lists them, and `book` makes one of any size. In all of them 95-98 % of the capacity
is needed, 30-50 % of the books start above theirs, and ARR is lognormal. Everything is drawn in arrays, so that a
million accounts take seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tomlkit

from rebalancer.book import Book
from rebalancer.coverage import load_model
from rebalancer.snapshot import CSM_FULL_LOAD
from rebalancer.units import HUNDREDTHS, coverage_units, step_index, tier_codes

DAY = "2026-10-01"
MODEL = "pods"
"""The coverage model of all families: units with all factors, and pods where there are CSMs."""

REGION = 20
"""AMs of a region."""

OVER = 0.45
"""Share of AMs who own more than their part."""

OUTSIDE_POD = {"disruption": {"pod_break": 0.1}}
"""With `csm_share` 0.5, losing AM and CSM costs 1 + 0.5 + 0.1 = 1.6 times what losing the AM alone does."""

KIN = (2, 7)
"""Accounts of a family: from, to below."""


@dataclass(frozen=True)
class Shape:
    """What makes a family. `used`: share of all capacity that the accounts need together. `csms_per_am` (0: there are
    no CSMs) and `csms_per_region` (of `REGION` AMs): the pods. `csm_used`: share of the CSMs' capacity that is needed.
    `spread`: of complexity, so that the largest account weighs so many times the smallest of its tier. `blended`: all
    books are, and hold at most 20 accounts. `kin`: share of accounts in families of 2 to 6. `overrides`: of the model.
    """

    used: float = 0.96
    regions: int | None = None
    csms_per_am: int = 0
    csms_per_region: int = 5
    csm_used: float = 0.5
    spread: float = 1.5
    blended: bool = False
    kin: float = 0.0
    overrides: dict[str, Any] = field(default_factory=dict)


FAMILIES: dict[str, Shape] = {
    "regional": Shape(),
    "wide": Shape(regions=1),
    "regional-csm": Shape(csms_per_am=1, overrides=OUTSIDE_POD),
    "wide-csm": Shape(regions=1, csms_per_am=1, overrides=OUTSIDE_POD),
    "pods": Shape(csms_per_am=2, csms_per_region=15, csm_used=0.9),
    "blended": Shape(blended=True),
    "tight": Shape(used=0.98),
    "families": Shape(kin=0.3),
    "lumpy": Shape(used=0.97, spread=6.0),
}


def book(family: str, accounts: int, ams: int, seed: int = 0) -> Book:
    """A book of a family."""
    return _book(accounts, ams, seed, FAMILIES[family])


def regional(accounts: int, ams: int, seed: int = 0, regions: int | None = None) -> Book:
    """Regions of 20 AMs (or `regions` of them); each account can go to any AM of its region."""
    return _book(accounts, ams, seed, Shape(regions=regions))


def wide(accounts: int, ams: int, seed: int = 0) -> Book:
    """Everybody is eligible for everything: one component."""
    return regional(accounts, ams, seed, regions=1)


def _book(accounts: int, ams: int, seed: int, shape: Shape) -> Book:
    tables = frames(accounts, ams, seed, shape)
    return Book.from_frames(**tables, effective_date=DAY, model=MODEL, overrides=shape.overrides)  # type: ignore[arg-type]


def write(family: str, accounts: int, ams: int, seed: int, folder: Path) -> None:
    """The same book as a book directory: a CSV per table and `book.toml`."""
    shape = FAMILIES[family]
    for name, frame in frames(accounts, ams, seed, shape).items():
        frame.to_csv(folder / f"{name}.csv", index=False)
    settings = {"model": MODEL, "effective_date": np.datetime64(DAY).item(), "overrides": shape.overrides}
    (folder / "book.toml").write_text(tomlkit.dumps(settings), encoding="utf-8")


def frames(accounts: int, ams: int, seed: int, shape: Shape) -> dict[str, pd.DataFrame]:
    """The tables of a book. Regions have `REGION` AMs, or the whole book is one."""
    rng = np.random.default_rng(seed)
    regions = shape.regions or max(1, ams // REGION)
    am_region, region = np.arange(ams) % regions, np.arange(accounts) % regions
    frame = _accounts(rng, accounts, shape.spread)
    people = pd.DataFrame({"am_id": _ids("M", ams, 5), "name": _ids("Manager ", ams, 5)})
    frame["region"], people["region"] = _ids("R", regions, 4)[region], _ids("R", regions, 4)[am_region]
    tier = tier_codes(pd.Series("", index=frame.index), frame["arr"], load_model(MODEL))
    units = coverage_units(frame, tier, load_model(MODEL))
    people["capacity"] = _shared_out(units / HUNDREDTHS, region, am_region, shape.used, 2)
    owner = _owners(rng, region, am_region)
    frame["owner"] = people["am_id"].to_numpy()[owner]
    if shape.blended:
        people["book"] = "blended"
    if shape.kin:
        frame["parent_id"] = _parents(rng, region, owner, shape.kin)
    tables = {"accounts": frame, "ams": people}
    return tables if not shape.csms_per_am else tables | _team(rng, frame, people, owner, region, am_region, shape)


def _ids(prefix: str, count: int, digits: int) -> np.ndarray:
    return np.char.add(prefix, np.char.zfill(np.arange(count).astype(str), digits)).astype(object)


def _days(days: np.ndarray) -> np.ndarray:
    """ISO dates, so many days after `DAY`."""
    known, place = np.unique(days, return_inverse=True)
    return np.datetime_as_string(np.datetime64(DAY) + known).astype(object)[place]


def _accounts(rng: np.random.Generator, n: int, spread: float) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "account_id": _ids("A", n, 7),
            "name": _ids("Account ", n, 7),
            "arr": np.exp(rng.normal(10.8, 1.0, n)).round().astype(np.int64),
            "products": rng.integers(1, 10, n),
            "stakeholders": rng.integers(1, 12, n),
            "complexity": np.exp(rng.uniform(-0.5, 0.5, n) * np.log(spread)).round(2),
            "health": rng.integers(30, 100, n),
            "owner_since": _days(-rng.integers(30, 2_500, n)),
            "renewal_date": _days(rng.integers(1, 365, n)),
        }
    )


def _shared_out(need: np.ndarray, region: np.ndarray, seat_region: np.ndarray, used: float, digits: int) -> np.ndarray:
    """Capacities equal within a region, so that the share `used` of it is needed."""
    each = np.bincount(region, weights=need) / np.bincount(seat_region) / used
    return each.round(digits)[seat_region]


def _owners(rng: np.random.Generator, region: np.ndarray, am_region: np.ndarray) -> np.ndarray:
    """Owners drawn with uneven weights: some AMs own 10-40 % more than their part, the others less."""
    over = rng.random(len(am_region)) < OVER
    weight = np.where(over, rng.uniform(1.1, 1.4, len(over)), rng.uniform(0.6, 1.0, len(over)))
    order = np.argsort(am_region, kind="stable")
    share = weight[order] / np.bincount(am_region, weights=weight)[am_region[order]]
    upper = np.cumsum(share)
    last = np.cumsum(np.bincount(am_region))
    upper[last - 1] = np.arange(1, len(last) + 1)  # a region ends at a whole number, whatever was rounded
    return order[np.searchsorted(upper, region + rng.random(len(region)), side="right")]


def _parents(rng: np.random.Generator, region: np.ndarray, owner: np.ndarray, share: float) -> np.ndarray:
    """Families of 2 to 6 accounts of one region, half of them in one book today."""
    kin = rng.permutation(len(region))[: int(share * len(region))]
    half = len(kin) // 2
    parts = [_batches(rng, kin[:half], owner), _batches(rng, kin[half:], region)]
    number = np.concatenate([parts[0], parts[0].max(initial=0) + 1 + parts[1]])
    size = np.bincount(number)
    parent = np.full(len(region), "", dtype=object)
    parent[kin] = np.where(size[number] > 1, _ids("P", len(size), 6)[number], "")
    return parent


def _batches(rng: np.random.Generator, accounts: np.ndarray, same: np.ndarray) -> np.ndarray:
    """The family of each account: batches of random size within what is the same for all of them."""
    order = np.argsort(same[accounts], kind="stable")
    ends = np.cumsum(rng.integers(*KIN, size=len(accounts)))
    batch = np.searchsorted(ends, np.arange(len(accounts)), side="right")
    key = batch * (same.max() + 1) + same[accounts[order]]
    number = np.empty(len(accounts), dtype=np.int64)
    number[order] = np.unique(key, return_inverse=True)[1].reshape(-1)
    return number


def _team(
    rng: np.random.Generator,
    frame: pd.DataFrame,
    people: pd.DataFrame,
    owner: np.ndarray,
    region: np.ndarray,
    am_region: np.ndarray,
    shape: Shape,
) -> dict[str, pd.DataFrame]:
    """CSMs and pods: every AM with `csms_per_am` CSMs of its region; each account has a CSM of its owner's pod."""
    regions, ams_here = am_region.max() + 1, int(np.bincount(am_region).max())
    count = max(shape.csms_per_am, shape.csms_per_region * ams_here // REGION)
    place = np.arange(len(am_region)) // regions
    within = (place[:, None] + np.arange(shape.csms_per_am) * (count // 2 + 1)) % count
    csm_of_am = am_region[:, None] * count + within
    ids = np.array([f"C{number // count:04}-{number % count:04}" for number in range(regions * count)], dtype=object)
    pick = rng.integers(shape.csms_per_am, size=len(owner))
    model = load_model(MODEL)
    ratio = np.array([int(accounts) for _, accounts in model.csm.ratios])[step_index(frame["arr"], model.csm.ratios)]
    csms = pd.DataFrame({"csm_id": ids, "name": "Success " + ids})
    load = (CSM_FULL_LOAD // ratio) / CSM_FULL_LOAD
    csms["capacity"] = _shared_out(load, region, np.repeat(np.arange(regions), count), shape.csm_used, 4)
    frame["csm"] = ids[csm_of_am[owner, pick]]
    am = np.repeat(np.arange(len(am_region)), shape.csms_per_am)
    pods = {"pod_id": _ids("P", len(am_region), 5)[am], "am_id": people["am_id"].to_numpy()[am]}
    return {"csms": csms, "pods": pd.DataFrame({**pods, "csm_id": ids[csm_of_am.reshape(-1)]})}
