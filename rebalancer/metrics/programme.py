"""The global account programme: what every family comes to, who leads it, and with whom.

The criteria and limits are those of the commercial account management playbook; the figures are the model's.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from rebalancer.coverage.programme import Selection
from rebalancer.people import NONE
from rebalancer.snapshot import Snapshot

REVENUE, REVIEW = "customer_revenue", "global_review"
"""Names in the table `metrics`: a customer's own revenue a year in dollars, and the day a family was last reviewed."""

YES, NO, UNKNOWN, NOT_ASKED = "yes", "no", "unknown", ""
CRITERIA = ("large", "multinational", "complex", "promising")


def family_of(snapshot: Snapshot) -> pd.Series:
    """The ultimate parent of every account in the plan."""
    return snapshot.frame["account_id"].map(snapshot.roots)


def families_frame(snapshot: Snapshot) -> pd.DataFrame:
    """One row per family, by its root: root, name, accounts, ams (who hold them), arr, regions, home (the region with
    most ARR), revenue (of the customer, NaN where no metric says it), potential (dollars a year that it buys
    elsewhere, NaN without a wallet share), is_global, gam (several joined by `;`), sponsor, reviewed (last day).
    """
    frame, root = snapshot.frame, family_of(snapshot)
    arr = snapshot.accounts.arr
    by_root = frame.assign(root=root, arr=arr, book=snapshot.accounts.owner, potential=_potential(frame, arr))
    each = by_root.groupby("root", sort=True)
    found = each.agg(accounts=("account_id", "size"), arr=("arr", "sum"), sponsor=("sponsor", "max"))
    owned = by_root[by_root["book"] != NONE]
    found["ams"] = owned.groupby("root")["book"].nunique().reindex(found.index, fill_value=0)
    found["potential"] = each["potential"].sum(min_count=1)
    found["is_global"] = by_root["is_global"].eq(True).groupby(root).any()
    found = found.join(_regions(by_root)).join(_metrics(snapshot, root))
    led = snapshot.led_families
    gams = led[led["gam"] != ""].groupby("root")["gam"].agg(";".join)
    found["gam"] = gams.reindex(found.index).fillna("").astype(object)
    found["name"] = _names(snapshot, found.index)
    order = ["name", "accounts", "ams", "arr", "regions", "home", "revenue", "potential"]
    return found[[*order, "is_global", "gam", "sponsor", "reviewed"]].rename_axis("root").reset_index()


def _potential(frame: pd.DataFrame, arr: np.ndarray) -> np.ndarray:
    """What each customer buys elsewhere: its spend, ARR / wallet share, without its ARR."""
    share = frame["wallet_share"].to_numpy(dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(share > 0, np.maximum(0, arr) / share - np.maximum(0, arr), np.nan)


def _regions(accounts: pd.DataFrame) -> pd.DataFrame:
    """Per family the number of its regions and the one with most ARR; the first by name where several have it."""
    tags = accounts[["root", "region", "arr"]].assign(region=accounts["region"].str.split(";")).explode("region")
    tags["region"] = tags["region"].str.strip()
    sums = tags[tags["region"] != ""].groupby(["root", "region"])["arr"].sum().reset_index()
    most = sums.sort_values(["arr", "region"], ascending=[False, True]).drop_duplicates("root").set_index("root")
    index = pd.Index(sorted(set(accounts["root"])), name="root")
    number = sums.groupby("root")["region"].size().reindex(index, fill_value=0)
    return pd.DataFrame({"regions": number, "home": most["region"].reindex(index).fillna("").astype(object)})


def _metrics(snapshot: Snapshot, root: pd.Series) -> pd.DataFrame:
    """Per family the largest revenue that the latest reading of an account gives, and the last review."""
    table = snapshot.book.tables["metrics"]
    table = table[(table["subject"].str.lower() == "account") & table["name"].isin([REVENUE, REVIEW])]
    of_account = dict(zip(snapshot.frame["account_id"], root, strict=True))
    table = table.assign(root=table["id"].map(of_account)).dropna(subset=["root"])
    today = pd.Timestamp(snapshot.book.effective_date)
    table = table[table["date"].isna() | (table["date"] <= today)]
    revenue = table[(table["name"] == REVENUE) & table["value"].notna()].sort_values("date", na_position="first")
    latest = revenue.drop_duplicates("id", keep="last").groupby("root")["value"].max()
    reviewed = table[table["name"] == REVIEW].groupby("root")["date"].max()
    index = pd.Index(sorted(set(root)), name="root")
    return pd.DataFrame({"revenue": latest.reindex(index).astype(float), "reviewed": reviewed.reindex(index)})


def _names(snapshot: Snapshot, families: pd.Index) -> list[str]:
    """The name of the account at the top, else the root's id (a parent that is no account of the book)."""
    accounts = snapshot.book.accounts
    known = dict(zip(accounts["account_id"].tolist(), accounts["name"].tolist(), strict=True))
    return [known.get(root) or root for root in families]


def judged(families: pd.DataFrame, terms: Selection) -> pd.DataFrame:
    """`families_frame` with a verdict per criterion: yes, no, unknown (its column is empty), or "" where not asked.

    large: revenue, or where that is unknown ARR. multinational: regions. complex: accounts under one parent.
    promising: potential.
    """
    revenue = _verdict(families["revenue"], terms.min_revenue)
    arr = _verdict(families["arr"].astype(float), terms.min_arr)
    known = families["revenue"].notna() & (terms.min_revenue is not None)
    regions = families["regions"].astype(float).where(families["regions"] > 0)
    return families.assign(
        large=np.where(known, revenue, np.where(arr == NOT_ASKED, revenue, arr)),
        multinational=_verdict(regions, terms.min_regions),
        complex=_verdict(families["accounts"].astype(float), terms.min_accounts),
        promising=_verdict(families["potential"], terms.min_potential),
    )


def _verdict(values: pd.Series, least: int | None) -> np.ndarray:
    if least is None:
        return np.full(len(values), NOT_ASKED, dtype=object)
    return np.select([values.isna(), values >= least], [UNKNOWN, YES], NO).astype(object)


def pairs_frame(snapshot: Snapshot, to_am: np.ndarray | None = None) -> pd.DataFrame:
    """One row per GAM and AM (or pool) who holds accounts of the GAM's families, the GAM's own book aside.

    Columns: gam, am_id, accounts, arr, of_gam (share of the GAM's accounts), of_am (share of the AM's accounts), line
    (`into the GAM` where all who serve the same families hold nothing else, else `dotted`). `to_am` is the book of each
    account; today's if not given.
    """
    owner = snapshot.accounts.owner if to_am is None else to_am
    ids = np.array([*snapshot.ams.ids, ""], dtype=object)
    led = pd.DataFrame({"gam": snapshot.gam, "book": owner, "arr": snapshot.accounts.arr, "root": family_of(snapshot)})
    led = led[(led["gam"] != "") & (led["book"] != NONE)]
    total, held = led.groupby("gam").size(), np.bincount(owner[owner != NONE], minlength=len(ids))
    led = led[snapshot.ams.numbers(led["gam"]) != led["book"].to_numpy()].copy()
    pair = led.groupby(["gam", "book"], sort=True)
    led["alone"] = pair["arr"].transform("size").to_numpy() == held[led["book"].to_numpy(dtype=np.int64)]
    led["alone"] = led.groupby("root")["alone"].transform("all")
    each = led.groupby(["gam", "book"], sort=True)
    found = each.agg(accounts=("arr", "size"), arr=("arr", "sum"), alone=("alone", "all")).reset_index()
    found.insert(1, "am_id", ids[found["book"].to_numpy(dtype=np.int64)])
    found["of_gam"] = found["accounts"] / found["gam"].map(total).astype(float)
    found["of_am"] = found["accounts"] / held[found["book"].to_numpy(dtype=np.int64)]
    found["line"] = np.where(found["alone"].astype(bool), "into the GAM", "dotted")
    return found.drop(columns=["book", "alone"])


def gams_frame(snapshot: Snapshot) -> pd.DataFrame:
    """One row per GAM: gam, name, known (an AM of the book), left, leaves_on, families, accounts, arr, own (accounts in
    the GAM's own book), rams (other AMs who hold the rest), accounts_per_ram (NaN without one: the overlap, the higher
    the better).
    """
    led = snapshot.led_families
    families = led[led["gam"] != ""].groupby("gam")["root"].nunique()
    ams = snapshot.book.ams.set_index("am_id")
    pairs = pairs_frame(snapshot).groupby("gam").agg(rams=("am_id", "size"), shared=("accounts", "sum"))
    of_gam = pd.DataFrame({"gam": snapshot.gam, "arr": snapshot.accounts.arr, "book": snapshot.accounts.owner})
    of_gam["own"] = (of_gam["book"] != NONE) & (snapshot.ams.numbers(of_gam["gam"]) == of_gam["book"].to_numpy())
    sums = of_gam.groupby("gam").agg(accounts=("arr", "size"), arr=("arr", "sum"), own=("own", "sum"))
    found = pd.DataFrame({"gam": families.index.astype(object), "families": families.to_numpy()})
    known = found["gam"].isin(ams.index)
    return found.assign(
        name=found["gam"].map(ams["name"]).fillna("").astype(object),
        known=known,
        left=found["gam"].isin(snapshot.ams.gone),
        leaves_on=found["gam"].map(ams["leaves_on"]),
        accounts=found["gam"].map(sums["accounts"]).fillna(0).astype(int),
        arr=found["gam"].map(sums["arr"]).fillna(0).astype("int64"),
        own=found["gam"].map(sums["own"]).fillna(0).astype(int),
        rams=found["gam"].map(pairs["rams"]).fillna(0).astype(int),
        accounts_per_ram=found["gam"].map(pairs["shared"] / pairs["rams"]),
    )[["gam", "name", "known", "left", "leaves_on", "families", "accounts", "arr", "own", "rams", "accounts_per_ram"]]
