"""A seeded book of any size with everything the practice of coverage reads: touches, deals, figures, forecasts."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

import rebalancer as rb

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

from books import DAY, FAMILIES, frames  # noqa: E402

TODAY = np.datetime64(DAY)
KINDS = ["call", "email", "meeting", "visit", "qbr", "executive", "newsletter"]
TYPES = ["renewal", "upsell", "cross_sell", "transformational"]
METRICS = {
    **dict.fromkeys(("account_plan", "ebr", "qbr", "executive_touch", "advocacy"), (0, 2)),
    **dict.fromkeys(("adoption", "value_realized"), (0, 1.0)),
    **dict.fromkeys(("open_issues", "days_to_resolve", "response_hours"), (0, 30)),
}


def full_book(accounts, ams, touches, seed=0):
    """A book of so many accounts, AMs and touches, and as many rows of deals and figures as a company has."""
    rng = np.random.default_rng(seed)
    tables = frames(accounts, ams, seed, FAMILIES["regional-csm"])
    people, book = tables["ams"], tables["accounts"]
    people = people.assign(
        manager=np.char.add("Manager ", (np.arange(ams) % max(1, ams // 8)).astype(str)).astype(object),
        role=np.where(np.arange(ams) % 50 == 0, "ae", "regular"),
        cost=150_000,
    )
    book = _with_columns(rng, book, people["am_id"].to_numpy())
    ids = book["account_id"].to_numpy()
    owner = book["owner"].to_numpy()
    return rb.Book.from_frames(
        **{**tables, "accounts": book, "ams": people},
        touches=_touches(rng, ids, owner, touches),
        opportunities=_deals(rng, ids, owner, accounts),
        quotas=_quotas(rng, people["am_id"].to_numpy()),
        metrics=_metrics(rng, ids, accounts * 3),
        splits=_splits(book),
        effective_date=DAY,
        model="coverage_units",
    )


def _days(rng, first, last, count):
    return (TODAY + rng.integers(first, last + 1, count)).astype("datetime64[s]")


def _with_columns(rng, book, ams):
    n = len(book)
    is_global = rng.random(n) < 0.001
    return book.assign(
        grr_forecast=rng.uniform(0.8, 1, n).round(2),
        nrr_forecast=rng.uniform(0.9, 1.3, n).round(2),
        last_touch=_days(rng, -120, -1, n),
        opportunity=(book["arr"] * rng.uniform(0, 0.2, n)).astype(int),
        expansion_arr_12m=(book["arr"] * rng.uniform(0, 0.2, n)).astype(int),
        contracts=rng.integers(1, 5, n),
        coterminous=rng.random(n) < 0.5,
        wallet_share=rng.uniform(0.05, 1, n).round(2),
        is_global=is_global,
        gam=np.where(is_global, rng.choice(ams, n), ""),
        sponsor=np.where(is_global & (rng.random(n) < 0.7), "CEO", ""),
    )


def _touches(rng, ids, owner, count):
    place = rng.integers(0, len(ids), count)
    return pd.DataFrame(
        {
            "account_id": ids[place],
            "am_id": owner[place],
            "date": _days(rng, -450, -1, count),
            "kind": np.array(KINDS, dtype=object)[rng.integers(0, len(KINDS), count)],
        }
    )


def _deals(rng, ids, owner, count):
    place, amount = rng.integers(0, len(ids), count), rng.integers(1_000, 90_000, count)
    day = rng.integers(-450, 180, count)
    closed = np.array(["won", "lost"], dtype=object)[rng.integers(0, 2, count)]
    return pd.DataFrame(
        {
            "account_id": ids[place],
            "type": np.array(TYPES, dtype=object)[rng.integers(0, len(TYPES), count)],
            "amount": amount,
            "close_date": (TODAY + day).astype("datetime64[s]"),
            "stage": np.where(day >= 0, "open", closed),
            "discovered_by": np.where(rng.random(count) < 0.5, owner[place], "marketing"),
            "forecast": (amount * rng.uniform(0.5, 1.2, count)).astype(int),
        }
    )


def _quotas(rng, ams):
    periods = ["2025-Q4", "2026-Q1", "2026-Q2", "2026-Q3"]
    size = len(ams) * len(periods)
    return pd.DataFrame(
        {
            "am_id": np.repeat(ams, len(periods)),
            "period": np.tile(np.array(periods, dtype=object), len(ams)),
            "quota": rng.integers(50_000, 200_000, size),
            "actual": rng.integers(20_000, 220_000, size),
        }
    )


def _metrics(rng, ids, count):
    names = np.array(list(METRICS), dtype=object)
    low, high = (np.array([METRICS[name][side] for name in names]) for side in (0, 1))
    which = rng.integers(0, len(names), count)
    value = rng.uniform(low[which], high[which])
    return pd.DataFrame(
        {
            "subject": "account",
            "id": ids[rng.integers(0, len(ids), count)],
            "name": names[which],
            "value": np.where(high[which] == 2, np.floor(value), value.round(2)),
            "target": high[which] / 2,
            "date": _days(rng, -200, -1, count),
        }
    )


def _splits(book):
    members = book[book["is_global"]]
    both = [members.assign(am_id=members["gam"], role="gam"), members.assign(am_id=members["owner"], role="ram")]
    rows = pd.concat(both)[["account_id", "am_id", "role"]].drop_duplicates(["account_id", "am_id"])
    return rows.assign(credit=0.5, decided_by="Sales operations").reset_index(drop=True)
