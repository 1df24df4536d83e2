"""What AEs hold: every account with a hold, its last day, and why it is held or due."""

from __future__ import annotations

import numpy as np
import pandas as pd

from rebalancer.holds import DATE, FAMILY, LOCK, UNKNOWN
from rebalancer.snapshot import Snapshot
from rebalancer.tables import TIERS

HELD, DUE, KEPT, NOT_KNOWN, NO_RULE = "held", "due", "kept", "unknown", "no_rule"
"""States of an account: its AE holds it, must hand it over, keeps it for another reason; nothing is known, or said."""

NEEDED = {"duration": "accounts.owner_since", "expansion": "accounts.expansion_arr_12m"}
"""The column that a rule of holds can't do without."""

COLUMNS = ["account_id", "name", "am_id", "tier", "arr", "owner_since", "rule", "state", "until", "days_left", "why"]


def holds_frame(snapshot: Snapshot) -> pd.DataFrame:
    """One row per account that an AE owns or a date holds, what is due first, then by the day the hold ends.

    Columns: account_id, name, am_id (the owner), tier, arr (dollars), owner_since, rule, state (`held`, `due`, `kept`,
    `unknown`, `no_rule`), until (last day of the hold, NaT without one), days_left (below 0 once it is over), why.
    """
    holds, frame, accounts = snapshot.accounts.holds, snapshot.frame, snapshot.accounts
    shown = np.flatnonzero(holds.of_ae | holds.held)
    until = holds.until[shown]
    left = (until - np.datetime64(snapshot.book.effective_date, "D")).astype(float)
    found = pd.DataFrame(
        {
            "account_id": np.array(accounts.ids, dtype=object)[shown],
            "name": frame["name"].to_numpy(dtype=object)[shown],
            "am_id": frame["owner"].to_numpy(dtype=object)[shown],
            "tier": np.array(TIERS, dtype=object)[accounts.tier[shown]],
            "arr": accounts.arr[shown],
            "owner_since": frame["owner_since"].to_numpy()[shown],
            "rule": holds.why[shown],
            "state": _states(snapshot)[shown],
            "until": until.astype("datetime64[s]"),
            "days_left": pd.array(np.where(np.isnat(until), np.nan, left), dtype="Int64"),
        }
    )
    found["why"] = _words(snapshot, shown)
    rank = found["state"].map({DUE: 0, HELD: 1, KEPT: 2, NOT_KNOWN: 3, NO_RULE: 4})
    found = found.assign(rank=rank).sort_values(["rank", "until", "account_id"], na_position="last")
    return found[COLUMNS].reset_index(drop=True)


def _states(snapshot: Snapshot) -> np.ndarray:
    holds = snapshot.accounts.holds
    kept = np.isin(holds.why, [FAMILY, LOCK])
    conditions = [holds.held, holds.due, kept, holds.why == UNKNOWN]
    return np.select(conditions, [HELD, DUE, KEPT, NOT_KNOWN], NO_RULE).astype(object)


def _words(snapshot: Snapshot, shown: np.ndarray) -> list[str]:
    """Why each account is held or due, in words."""
    terms, frame = snapshot.model.holds, snapshot.frame
    which = "newest" if terms.keep == "newest" else "largest"
    fixed = {
        DATE: "ae_hold_until says so",
        "accounts": f"an AE keeps its {terms.accounts:,} {which} accounts",
        "total_arr": f"an AE keeps ${terms.total_arr:,} of ARR, its {which} accounts first",
        FAMILY: "an account of its family stays with the AE",
        LOCK: "locked, or fixed by the planner",
        "": "no rule for its tier",
    }
    tiers, since = snapshot.accounts.tier[shown], frame["owner_since"].to_numpy()[shown].astype("datetime64[D]")
    expansion = frame["expansion_arr_12m"].to_numpy()[shown].tolist()
    words = []
    for rule, tier, day, grown in zip(snapshot.accounts.holds.why[shown], tiers, since, expansion, strict=True):
        name = TIERS[tier]
        if rule == "duration":
            words.append(f"{terms.months[name]} months from {day}")  # type: ignore[index]
        elif rule == "expansion":
            above = "above" if grown > terms.expansion_above else "not above"
            words.append(f"expansion ${grown:,}, {above} ${terms.expansion_above:,}")
        elif rule == UNKNOWN:
            words.append(f"{NEEDED[terms.of(name)].partition('.')[2]} is missing")  # type: ignore[arg-type]
        else:
            words.append(fixed[rule])
    return words


def holds_by_ae(holds: pd.DataFrame, names: pd.Series) -> pd.DataFrame:
    """`holds_frame` by owner: am_id, name, accounts, held, due, arr_held, arr_due, next_until (the next hold to end).

    `names` gives the names of AMs by id. Who has most due comes first.
    """
    held, due = holds["state"] == HELD, holds["state"] == DUE
    each = holds.assign(
        held=held, due=due, arr_held=holds["arr"].where(held, 0), arr_due=holds["arr"].where(due, 0),
        next_until=holds["until"].where(held),
    ).groupby("am_id", sort=True)  # fmt: skip
    found = each.agg(
        accounts=("account_id", "size"), held=("held", "sum"), due=("due", "sum"),
        arr_held=("arr_held", "sum"), arr_due=("arr_due", "sum"), next_until=("next_until", "min"),
    ).reset_index()  # fmt: skip
    found.insert(1, "name", found["am_id"].map(names).fillna("").astype(object))
    return found.sort_values(["arr_due", "am_id"], ascending=[False, True], ignore_index=True)
