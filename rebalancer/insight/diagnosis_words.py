"""The findings of a diagnosis: a sentence with its numbers for each topic of a book."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from rebalancer.coverage import CoverageModel
from rebalancer.insight.heatmap import tier_mix
from rebalancer.tables import TIERS

Row = Mapping[Hashable, Any]
"""A row of the heatmap."""


class Finding(NamedTuple):
    """One topic of a book: `verdict` is `bad`, `watch`, `good` or `unknown`."""

    topic: str
    verdict: str
    text: str


def findings_of(
    row: Row, why: Mapping[str, str], model: CoverageModel, by_arr: str, largest: Sequence[str]
) -> list[Finding]:
    """Every finding of a book. `why` are the reasons it is triggered by, `by_arr` what its ARR alone would say,
    `largest` the names of its largest accounts.
    """
    counts = [Finding("limit", "bad", f"{text}.") for reason, text in why.items() if reason.endswith("accounts")]
    overloaded = bool(set(why) - {"grr"}) or row["benchmark"] == "above"
    return [
        _units(row, model),
        _accounts(row),
        *counts,
        _arr(row, model, by_arr, overloaded=overloaded),
        _silence(row, why, model),
        _retention(row, why, model),
        _largest(row, largest),
    ]


def _units(row: Row, model: CoverageModel) -> Finding:
    verdict = {"green": "good", "yellow": "watch", "red": "bad"}[row["band"]]
    share: str = (
        "of no capacity" if pd.isna(row["utilization"]) else f"{100 * row['utilization']:.0f} % of its capacity"
    )
    trigger = f"{100 * float(model.limits.trigger):g} %"
    held = f"{row['units']:,.1f} units of {row['capacity']:,.1f}"
    return Finding("units", verdict, f"{held}, {share}: {row['band']}; the trigger is {trigger}.")


def _accounts(row: Row) -> Finding:
    if not row["accounts"]:
        return Finding("accounts", "good", "none.")
    mix = tier_mix((tier, row[tier]) for tier in TIERS)
    verdict = {"above": "bad", "within": "good", "below": "good"}[row["benchmark"]]
    least, most = f"{row['benchmark_least']:.1f}", f"{row['benchmark_most']:.1f}"
    if sum(row[tier] > 0 for tier in TIERS) > 1:
        span = "the benchmarks of its tiers together"
    elif pd.isna(row["benchmark_high"]):
        span = f"the benchmark of {row['main_tier']}, {row['benchmark_low']} and more"
    else:
        span = f"the benchmark of {row['main_tier']}, {row['benchmark_low']}-{row['benchmark_high']}"
    worth = f"{least} to {most}" if least != most else least
    return Finding(
        "accounts", verdict, f"{row['accounts']:,} ({mix}), {row['benchmark']} {span}: work for {worth} AMs."
    )


def _arr(row: Row, model: CoverageModel, by_arr: str, *, overloaded: bool) -> Finding:
    least, most = model.heatmap.arr_per_am
    average = f", ${row['arr'] / row['accounts']:,.0f} an account" if row["accounts"] else ""
    band = f"${least / 1e6:g}-{most / 1e6:g}M"
    said = {
        "overloaded": f"more than {100 * float(model.limits.trigger):g} % of the {band} that sizing by ARR gives an AM",
        "full": f"{100 * row['arr'] / most:.0f} % of the most that sizing by ARR gives an AM ({band}), so no trigger",
        "room": f"less than the {band} that sizing by ARR gives an AM, so room for more",
    }[by_arr]
    missed = overloaded and by_arr != "overloaded"
    rest = ". It misses the overload" if missed else ""
    return Finding("ARR", "watch" if missed else "good", f"${row['arr']:,}{average}: {said}{rest}.")


def _silence(row: Row, why: Mapping[str, str], model: CoverageModel) -> Finding:
    days = model.triggers.silent_days
    if pd.isna(row["silent_accounts"]):
        return Finding("silence", "unknown", "not known, since no touch is on record.")
    if not row["silent_accounts"]:
        return Finding("silence", "good", f"no account is silent for {days} days or more.")
    of_key = f"{row['silent_key_accounts']:,}" if row["silent_key_accounts"] else "none"
    key = f", {of_key} of them {' or '.join(model.triggers.silent_tiers)}"
    told = f"{row['silent_accounts']:,} of {row['accounts']:,} accounts silent for {days} days or more{key}"
    longest = f"the longest {row['unattended_account']}, {row['unattended_days']:,} days"
    return Finding("silence", "bad" if "silence" in why else "watch", f"{told}; {longest}.")


def _retention(row: Row, why: Mapping[str, str], model: CoverageModel) -> Finding:
    if pd.isna(row["grr_forecast"]):
        return Finding("retention", "unknown", "not known, since no account has a forecast.")
    known = "" if row["grr_known"] > 0.9995 else f" (known of {100 * row['grr_known']:.0f} % of its ARR)"
    net = "" if pd.isna(row["nrr_forecast"]) else f", net {100 * row['nrr_forecast']:.1f} %"
    limit = f"the trigger is below {100 * float(model.triggers.grr_below):g} %"
    text = f"gross {100 * row['grr_forecast']:.1f} % forecast{known}{net}; {limit}."
    return Finding("retention", "bad" if "grr" in why else "good", text)


def _largest(row: Row, names: Sequence[str]) -> Finding:
    if not names:
        return Finding("largest", "good", "none.")
    share: str = "" if pd.isna(row["top_share"]) else f", {100 * row['top_share']:.0f} % of its ARR"
    return Finding("largest", "good", f"{', '.join(names)}{share}. An AM who can't name them is overloaded.")
