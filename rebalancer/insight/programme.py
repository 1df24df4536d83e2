"""programme(): the global account programme as it stands: who is in it, who leads it, with whom, and what it lacks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from rebalancer.book import Book
from rebalancer.coverage import CoverageModel
from rebalancer.coverage.programme import Programme
from rebalancer.insight.selection import IN, PROPOSED, region_places, selected
from rebalancer.insight.splits import split_checks
from rebalancer.metrics import lacking
from rebalancer.metrics.programme import NO, REVENUE, REVIEW, families_frame, gams_frame, judged, pairs_frame
from rebalancer.plan import resolve_model
from rebalancer.proposal import Proposal
from rebalancer.snapshot import take_snapshot

Problem = tuple[str, str, str]
"""Kind, subject, message."""

USED = (
    *("accounts.parent_id", "accounts.region", "accounts.is_global", "accounts.gam", "accounts.sponsor"),
    *("accounts.wallet_share", "splits"),
)
"""The columns that a full report needs."""


@dataclass(frozen=True)
class ProgrammeReport:
    """The programme on `effective_date`.

    `families` has the columns of `insight.selection.selected`, `regions` home, families, share, most (the number
    allowed) and over; `gams` those of `metrics.programme.gams_frame` with limit and over, `pairs` those of
    `pairs_frame`, `splits` those of `insight.splits.split_checks`; `problems` kind, subject, message. `stage` is
    `none`, `too small`, `pilot` or `programme`. `missing` names the columns that the book does not have.
    """

    effective_date: date
    model: str
    stage: str
    families: pd.DataFrame
    regions: pd.DataFrame
    gams: pd.DataFrame
    pairs: pd.DataFrame
    splits: pd.DataFrame
    problems: pd.DataFrame
    missing: tuple[str, ...]


def programme(
    book: Book, model: str | Path | CoverageModel | None = None, effective_date: date | str | None = None
) -> ProgrammeReport:
    """The global account programme of a book, by the rules of the commercial account management playbook.

    Raises `InvalidInput` where the book can't be used, `UsageError` for an unknown model.
    """
    resolved = resolve_model(book, model)
    snapshot = take_snapshot(book.on(effective_date), resolved, "full", resolved.disruption.measure)
    terms, day = resolved.programme, snapshot.book.effective_date
    families = selected(judged(families_frame(snapshot), terms.selection), terms, day)
    regions = regions_frame(families, terms)
    limit = np.inf if terms.families_per_gam is None else terms.families_per_gam
    gams = gams_frame(snapshot).assign(limit=terms.families_per_gam, over=lambda gams: gams["families"] > limit)
    pairs, splits = pairs_frame(snapshot), split_checks(snapshot)
    problems = pd.DataFrame(
        [*_of_families(families, terms), *_of_regions(regions), *_of_gams(gams, families)],
        columns=["kind", "subject", "message"],
        dtype=object,
    )
    stage = _stage(int((families["state"] == IN).sum()), terms)
    names = set(book.tables["metrics"]["name"])
    missing = (*lacking(book, *USED), *(f"metrics.{name}" for name in (REVENUE, REVIEW) if name not in names))
    return ProgrammeReport(day, resolved.name, stage, families, regions, gams, pairs, splits, problems, missing)


def overlap_of(proposal: Proposal) -> tuple[int, int]:
    """How many pairs of a GAM and another AM with accounts of that GAM's families there are before and after."""
    record = proposal.record
    snapshot = take_snapshot(proposal.book, proposal.model, record["scope"], record["measure"])
    plan = proposal.assignments.set_index("account_id")["to_am"].loc[list(snapshot.accounts.ids)]
    return len(pairs_frame(snapshot)), len(pairs_frame(snapshot, snapshot.ams.numbers(plan)))


def regions_frame(families: pd.DataFrame, terms: Programme) -> pd.DataFrame:
    """The families of the programme by home region: home, families, share, most, over; those of no region as ""."""
    inside = families[families["state"] == IN]
    found = inside.groupby("home", sort=True).size().rename("families").reset_index()
    most = region_places(terms, len(inside))
    above = found["families"] > (np.inf if most is None else most)
    found["share"] = found["families"] / max(1, len(inside))
    return found.assign(most=most, over=(found["home"] != "") & above)


def _stage(families: int, terms: Programme) -> str:
    least, most = terms.pilot
    if not families:
        return "none"
    return "too small" if families < least else "pilot" if families <= most else "programme"


def _of_families(families: pd.DataFrame, terms: Programme) -> Iterator[Problem]:
    inside = families[families["state"] == IN]
    for row in inside.to_dict("records"):
        root = row["root"]
        name = f"{row['name']} ({root})" if row["name"] != root else root
        if not row["gam"]:
            yield "no_gam", root, f"{name} has no GAM."
        elif ";" in row["gam"]:
            yield "several_gams", root, f"{name} has several GAMs: {row['gam'].replace(';', ', ')}."
        if not row["sponsor"]:
            yield "no_sponsor", root, f"{name} has no executive sponsor."
        if row["review"] == "due":
            yield "review", root, f"{name} was last reviewed on {row['reviewed']:%Y-%m-%d}."
        failed = [word for word in ("large", "multinational", "complex", "promising") if row[word] == NO]
        if failed:
            yield "criteria", root, f"{name} is not {', not '.join(failed)}; review whether it belongs there."
    if terms.max_families is not None and len(inside) > terms.max_families:
        yield "size", "", f"The programme has {len(inside):,} families; {terms.max_families:,} is the most."
    fit = int(families["state"].isin([IN, PROPOSED]).sum())
    if fit and fit < terms.pilot[0]:
        yield "pilot", "", f"A pilot takes {terms.pilot[0]:,} to {terms.pilot[1]:,} families; {fit:,} would be there."


def _of_regions(regions: pd.DataFrame) -> Iterator[Problem]:
    for row in regions[regions["over"]].to_dict("records"):
        share = f"{row['families']:,} families of the programme, {100 * row['share']:.0f} %"
        yield "spread", row["home"], f"{row['home']} is home to {share}; {row['most']:,} is the most of one region."


def _of_gams(gams: pd.DataFrame, families: pd.DataFrame) -> Iterator[Problem]:
    named = families.assign(gam=families["gam"].str.split(";")).explode("gam")
    led_by = named.groupby("gam")["root"].agg(list).to_dict()
    for row in gams.to_dict("records"):
        gam = row["gam"]
        led = led_by.get(gam, [])
        need = f"{', '.join(led)} {'needs' if len(led) == 1 else 'need'} a new GAM"
        if not row["known"]:
            yield "unknown_gam", gam, f"GAM {gam} is no AM of the book."
        elif row["left"]:
            yield "gam_left", gam, f"GAM {gam} has left: {need}."
        elif not pd.isna(row["leaves_on"]):
            yield "gam_leaves", gam, f"GAM {gam} leaves on {row['leaves_on']:%Y-%m-%d}: {need} by then."
        if row["over"]:
            yield "gam_limit", gam, f"GAM {gam} leads {row['families']:,} families; {row['limit']:,} is the most."
