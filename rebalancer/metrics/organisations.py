"""Organisations that several AMs see: accounts under one ultimate parent in more than one book.

KnowMBA, "Account Manager Coverage": several AMs on one buyer's organisation create friction.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from rebalancer.families import roots
from rebalancer.snapshot import NONE, Snapshot


def organisations_frame(snapshot: Snapshot) -> pd.DataFrame:
    """One row per ultimate parent whose owned accounts are in more than one book, those of most books first.

    Columns: parent_id (its account may be missing from the book); name, empty where it is; ams, how many books;
    am_ids, a tuple in order; accounts and arr (dollars) that are owned; may_part, whether the model lets it part.
    """
    everybody, owner = snapshot.book.accounts, snapshot.accounts.owner
    root = snapshot.frame["account_id"].map(roots(everybody)).to_numpy(dtype=object)
    members = pd.DataFrame(
        {
            "parent_id": root,
            "am_id": np.array([*snapshot.ams.ids, ""], dtype=object)[owner],
            "arr": snapshot.accounts.arr,
            "kept": snapshot.accounts.family != NONE,
        }
    )[owner != NONE]
    if not (everybody["parent_id"] != "").any():
        members = members.iloc[:0]
    by_root = members.groupby("parent_id")
    found = pd.DataFrame(
        {
            "ams": by_root["am_id"].nunique(),
            "accounts": by_root.size(),
            "arr": by_root["arr"].sum(),
            "may_part": ~by_root["kept"].any(),
        }
    ).query("ams > 1")
    within = members[members["parent_id"].isin(found.index)].groupby("parent_id")["am_id"]
    names = dict(zip(everybody["account_id"], everybody["name"], strict=True))
    found = found.reset_index().astype({"ams": np.int64, "accounts": np.int64, "arr": np.int64, "may_part": bool})
    found.insert(1, "name", [names.get(parent, "") for parent in found["parent_id"]])
    ids = {parent: tuple(sorted(set(ams))) for parent, ams in within}
    found.insert(3, "am_ids", [ids[parent] for parent in found["parent_id"]])
    return found.sort_values(["ams", "arr", "parent_id"], ascending=[False, False, True], ignore_index=True)
