"""How many CSMs a book of accounts needs, by bands of ARR, against those it has.

Source: Fullview, "How Many Accounts Should a CSM Have?": accounts per CSM by the ARR of an account, and what lowers or
raises a CSM's capacity. A *full CSM* has capacity 1; what regulated industries, extra duties, complex products and
tools change is in the model's `csm` and `sizing` sections.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd

from rebalancer.metrics.books import csms_frame
from rebalancer.snapshot import CSM_FULL_LOAD, Snapshot

CSM_COLUMNS = ("csms", "accounts.csm")


def csm_people_frame(snapshot: Snapshot) -> pd.DataFrame:
    """One row per CSM who is there (started, not left): csm_id, accounts, load and capacity (full CSMs), and used, the
    one as a share of the other.
    """
    csms, sizing = snapshot.csms, snapshot.model.sizing
    factor = float(sizing.csm_complex_factor * sizing.csm_tools_factor)
    today = csms_frame(snapshot, _csm(snapshot))
    capacity = csms.limit / CSM_FULL_LOAD * factor
    frame = pd.DataFrame(
        {"csm_id": today["csm_id"], "accounts": today["accounts_before"], "load": today["load_before"]}
    ).assign(capacity=capacity)
    used = frame["load"] / frame["capacity"]
    return frame.assign(used=used.where(frame["capacity"] > 0))[csms.receives].reset_index(drop=True)


def csm_bands_frame(snapshot: Snapshot) -> pd.DataFrame:
    """One row per band of ARR, the last over all: band, arr_from, accounts, arr, without_csm (accounts nobody serves as
    CSM), fewest and most (accounts per CSM), needed_low, needed, needed_high (full CSMs at the band's most, at the
    model's `csm.ratios`, at its fewest), today (full CSMs, each counted by the load of its accounts; missing without a
    csms table) and hire (whole CSMs; missing likewise). CSMs without accounts are in the last row alone.
    """
    ranges = snapshot.model.sizing.csm_ranges
    arr = np.maximum(0, snapshot.accounts.arr)
    band = np.searchsorted([edge for edge, _, _ in ranges], arr, side="right") - 1
    csm = _csm(snapshot)

    def per_band(values: np.ndarray) -> np.ndarray:
        sums = np.bincount(band, weights=values, minlength=len(ranges))
        return np.append(sums, sums.sum())

    ends = np.array([(1 / low, 1 / high) for _, low, high in ranges])
    today = per_band(_served(snapshot, csm))
    today[-1] = csm_people_frame(snapshot)["capacity"].sum()
    frame = pd.DataFrame(
        {
            "band": [*_names([edge for edge, _, _ in ranges]), "all"],
            "arr_from": [*(edge for edge, _, _ in ranges), 0],
            "accounts": per_band(np.ones(len(arr))).astype(np.int64),
            "arr": per_band(arr).astype(np.int64),
            "without_csm": per_band(csm < 0).astype(np.int64),
            "fewest": [*(float(low) for _, low, _ in ranges), np.nan],
            "most": [*(float(high) for _, _, high in ranges), np.nan],
            "needed_low": per_band(ends[band, 1]),
            "needed": per_band(snapshot.accounts.load) / CSM_FULL_LOAD,
            "needed_high": per_band(ends[band, 0]),
        }
    )
    return _against(frame, today if len(snapshot.csms) else np.full(len(frame), np.nan), snapshot)


def _against(frame: pd.DataFrame, today: np.ndarray, snapshot: Snapshot) -> pd.DataFrame:
    sizing = snapshot.model.sizing
    one = float(sizing.csm_complex_factor * sizing.csm_tools_factor)
    hire = np.maximum(0, np.ceil(np.round((frame["needed"] - today) / one, 9)))
    return frame.assign(today=today, hire=pd.array(hire, dtype="Int64"))


def _csm(snapshot: Snapshot) -> np.ndarray:
    """The CSM of each account, -1 for none and for those who have left; also where no pods are active."""
    found = pd.Index(snapshot.csms.ids).get_indexer(pd.Index(snapshot.frame["csm"]))
    gone = snapshot.csms.departed[found] if len(snapshot.csms) else np.zeros(len(found), dtype=bool)
    return np.where(gone, -1, found)


def _served(snapshot: Snapshot, csm: np.ndarray) -> np.ndarray:
    """Full CSMs that work for each account: each CSM's capacity in proportion to the load of its accounts."""
    people = csm_people_frame(snapshot).set_index("csm_id")["capacity"]
    capacity = people.reindex(list(snapshot.csms.ids)).fillna(0).to_numpy()
    load = snapshot.per_csm(csm, snapshot.accounts.load)
    if not len(capacity):
        return np.zeros(len(csm))
    served = np.where(csm >= 0, csm, 0)
    return np.where(csm >= 0, capacity[served] * snapshot.accounts.load / np.maximum(1, load[served]), 0.0)


def _names(edges: list[int]) -> list[str]:
    """Bands in words: `below $25K`, `$25-100K`, `$500K and more`."""
    steps = [f"{edge / 1000:g}" for edge in edges]
    inner = [f"${low}-{high}K" for low, high in pairwise(steps[1:])]
    if len(edges) == 1:
        return ["any ARR"]
    return [f"below ${steps[1]}K", *inner, f"${steps[-1]}K and more"]
