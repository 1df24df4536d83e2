"""Selection: which families belong in the global account programme, which are proposed, and which have to wait."""

from __future__ import annotations

from collections import Counter
from datetime import date

import numpy as np
import pandas as pd

from rebalancer.coverage.programme import Programme
from rebalancer.metrics.programme import CRITERIA, NO, YES

IN, PROPOSED, WAITS, OUT = "in", "proposed", "waits", "out"
"""In the programme (a GAM or `is_global`), proposed for it, fit for it but without a place, or not fit for it."""


def selected(families: pd.DataFrame, terms: Programme, day: date) -> pd.DataFrame:
    """The families that are in the programme or large enough to be thought of, what is in it first.

    Adds to `metrics.programme.judged`: state (in, proposed, waits, out), why (in words), pilot (one of those to begin
    with), review (`due`, `unknown`, or "" where it was reviewed in time or is not in the programme).
    """
    inside = families["is_global"] | (families["gam"] != "")
    known = families[inside | (families["large"] == YES)].copy()
    known["state"] = np.where(inside[known.index], IN, OUT)
    fit = (known[list(CRITERIA)] != NO).all(axis=1)
    known["rank"] = known["potential"].fillna(0)
    known = known.assign(fit=fit).sort_values(["state", "rank", "arr", "root"], ascending=[True, False, False, True])
    known["state"], known["why"] = _placed(known, terms)
    pairs = zip(known["state"], known["reviewed"], strict=True)
    known["review"] = [_review(state, last, terms, day) for state, last in pairs]
    order = known["state"].map({IN: 0, PROPOSED: 1, WAITS: 2, OUT: 3})
    known = known.assign(order=order).sort_values("order", kind="stable")
    known["pilot"] = _pilot(known, terms.pilot[1])
    return known.drop(columns=["rank", "fit", "order"]).reset_index(drop=True)


def region_places(terms: Programme, families: int) -> int | None:
    """How many families of one region a programme of that size may have; at least one."""
    return None if terms.max_region_share is None else max(1, int(terms.max_region_share * families // 1))


def _placed(known: pd.DataFrame, terms: Programme) -> tuple[list[str], list[str]]:
    """Who is in comes first; then places go by potential and ARR, as far as the limits of size and region allow."""
    inside, fit = known["state"] == IN, known["fit"]
    size = int(inside.sum() + (~inside & fit).sum())
    size = size if terms.max_families is None else max(int(inside.sum()), min(size, terms.max_families))
    places = region_places(terms, size)
    homes: Counter[str] = Counter(known.loc[inside, "home"])
    taken, states, reasons = int(inside.sum()), [], []
    for row in known.to_dict("records"):
        if row["state"] == IN:
            states.append(IN)
            reasons.append("named global" if row["is_global"] else "it has a GAM")
        elif not row["fit"]:
            states.append(OUT)
            reasons.append("not " + ", not ".join(name for name in CRITERIA if row[name] == NO))
        elif terms.max_families is not None and taken >= terms.max_families:
            states.append(WAITS)
            reasons.append(f"the programme is full at {terms.max_families:,} families")
        elif places is not None and row["home"] and homes[row["home"]] >= places:
            states.append(WAITS)
            reasons.append(f"{row['home']} has its {places:,} of {size:,} families")
        else:
            taken += 1
            homes[row["home"]] += 1
            states.append(PROPOSED)
            reasons.append(f"place {taken:,}" + ("" if terms.max_families is None else f" of {terms.max_families:,}"))
    return states, reasons


def _review(state: str, reviewed: pd.Timestamp, terms: Programme, day: date) -> str:
    if state != IN or terms.review_months is None:
        return ""
    if pd.isna(reviewed):
        return "unknown"
    last = reviewed + pd.DateOffset(months=terms.review_months)
    return "due" if last < pd.Timestamp(day) else ""


def _pilot(known: pd.DataFrame, most: int) -> np.ndarray:
    """The first of every region in turn, until there are as many as a pilot takes."""
    able = known[known["state"].isin([IN, PROPOSED])]
    turn = able.groupby("home").cumcount()
    first = able.index[np.argsort(turn.to_numpy(), kind="stable")][:most]
    return known.index.isin(first)
