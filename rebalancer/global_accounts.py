"""Global accounts: which global account manager leads an account."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from rebalancer.families import roots


def gam_of(accounts: pd.DataFrame, everybody: pd.DataFrame, parents: Mapping[str, str] | None = None) -> np.ndarray:
    """Per account its `gam`; where it names none, the one GAM that the others of its family name, else "".

    `everybody` has all accounts of the book, those that are left out of the plan too, and `parents` the ultimate parent
    of each (worked out where not given). A family that names several GAMs lends none of them to its other accounts.
    """
    own = accounts["gam"].to_numpy(dtype=object)
    if not (everybody["gam"] != "").any():
        return own
    root = everybody["account_id"].map(roots(everybody) if parents is None else parents)
    named = everybody["gam"] != ""
    of_family = everybody["gam"][named].groupby(root[named]).agg(["first", "nunique"])
    lent = root.map(of_family["first"].where(of_family["nunique"] == 1, "")).fillna("")
    lent = lent.set_axis(everybody["account_id"])
    return np.where(own != "", own, lent.loc[accounts["account_id"]].to_numpy(dtype=object))


def led_families(everybody: pd.DataFrame, parents: Mapping[str, str] | None = None) -> pd.DataFrame:
    """One row per family and GAM who leads accounts of it, sorted by both; columns root, gam.

    `root` is the ultimate parent. A global family (`is_global`, or a GAM) without a GAM has one row with gam "".
    """
    gam = gam_of(everybody, everybody, parents)
    marked = (gam != "") | everybody["is_global"].eq(True).to_numpy(dtype=bool)
    if not marked.any():
        return pd.DataFrame({"root": [], "gam": []}, dtype=str)
    root = everybody["account_id"].map(roots(everybody) if parents is None else parents).to_numpy(dtype=object)
    found = pd.DataFrame({"root": root[marked], "gam": gam[marked]}).drop_duplicates()
    led = found["root"].isin(found.loc[found["gam"] != "", "root"])
    return found[(found["gam"] != "") | ~led].sort_values(["root", "gam"], ignore_index=True)
