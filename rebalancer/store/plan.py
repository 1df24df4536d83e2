"""Plan: what the store takes from a run directory: its moves, and the book it was made for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rebalancer.book import Book
from rebalancer.coverage import CoverageModel
from rebalancer.csms import read_csms
from rebalancer.errors import CheckFailed, NoLegalPlan
from rebalancer.proposal import Proposal
from rebalancer.run_directory import read_run
from rebalancer.snapshot import take_snapshot
from rebalancer.store.events import canonical, digest
from rebalancer.tables import to_text
from rebalancer.verify import verify_run

ACCOUNT_TRAITS = (
    *("region", "language", "skills", "tier", "parent_id", "lock", "lock_until", "assign_to", "assign_csm"),
    *("exclude", "ae_hold_until", "refused", "refused_csm"),
)
AM_TRAITS = ("role", "book", "tiers", "region", "language", "skills", "receives")
CSM_TRAITS = ("region",)
"""Columns that decide who may own what: a move whose account or new people differ in one of them is stale."""

HUNDREDTHS = 100


@dataclass(frozen=True)
class Seat:
    """An account as a file shows it: its owner, its CSM, and what decides who may own it."""

    am_id: str
    csm_id: str
    traits: str


@dataclass(frozen=True)
class Person:
    """An AM, pool or CSM as a file shows it: whether it may be given accounts, until when, and of which kind."""

    receives: bool
    leaves_on: str
    traits: str


@dataclass(frozen=True)
class Observed:
    """A book as a file shows it on a day."""

    day: str
    accounts_sha256: str
    seats: Mapping[str, Seat]
    people: Mapping[tuple[str, str], Person]
    """By role (`am` or `csm`) and id."""


@dataclass(frozen=True)
class Plan:
    """A run as the store takes it. `moves` are rows of the table `moves` without what the store adds."""

    run_id: str
    record: str
    observed: Observed
    moves: tuple[dict[str, Any], ...]
    approval_days: int
    rejected_days: int


HASHED = ("account_id", "from_am", "to_am", "from_csm", "to_csm")


def plan_hash(moves: Iterable[Mapping[str, Any]]) -> str:
    """The hash that an approval is bound to: every move, whatever their order."""
    return digest(sorted([move[name] for name in HASHED] for move in moves))


def read_plan(run: str | Path) -> Plan:
    """The plan of a run directory, once the independent check has passed it.

    Raises `CheckFailed` where that check finds a fault, and `NoLegalPlan` where the plan is not one to apply.
    """
    proposal = read_run(run)
    violations = verify_run(run)
    if violations:
        raise CheckFailed(f"{run} was rejected by the independent check: {violations[0].message} See `verify`.")
    if not proposal.legal:
        raise NoLegalPlan(f"{run} keeps not every limit ({proposal.status}); it is not a plan to apply.")
    return plan_of(proposal, observe(proposal.book, proposal.model))


def plan_of(proposal: Proposal, observed: Observed) -> Plan:
    """The plan of a checked proposal. `observed` is its book as the file shows it, which may lag behind its owners."""
    model = proposal.model
    return Plan(
        proposal.run_id,
        json.dumps(dict(proposal.record), ensure_ascii=False, sort_keys=True),
        observed,
        tuple(_moves(proposal)),
        model.proposals.approval_days,
        model.proposals.rejected_days,
    )


def _moves(proposal: Proposal) -> list[dict[str, Any]]:
    """Accounts of which the AM or the CSM changes, by id."""
    frame = proposal.assignments
    changed = (frame["from_am"] != frame["to_am"]) | (frame["from_csm"] != frame["to_csm"])
    rows = frame[changed].sort_values("account_id")
    names = (*HASHED, "tier", "arr", "disruption", "reason")
    found = rows[list(names)].to_dict("records")
    units = (rows["units"].fillna(0) * HUNDREDTHS).round().astype("int64")
    return [
        {**{str(name): _plain(value) for name, value in row.items()}, "units": int(weight)}
        for row, weight in zip(found, units, strict=True)
    ]


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def observe(book: Book, model: CoverageModel) -> Observed:
    """What a book shows of its owners and people."""
    texts = book.text_tables()
    accounts = texts["accounts"]
    traits = _traits(accounts, ACCOUNT_TRAITS)
    rows = zip(accounts["account_id"], accounts["owner"], accounts["csm"], traits, strict=True)
    seats = {account: Seat(owner, csm, trait) for account, owner, csm, trait in rows}
    sha256 = digest(sorted([account, seat.am_id, seat.csm_id] for account, seat in seats.items()))
    people = {**_ams(book, model, texts["ams"]), **_csms(book, model)}
    return Observed(book.effective_date.isoformat(), sha256, seats, people)


def _traits(frame: pd.DataFrame, columns: Iterable[str]) -> list[str]:
    """The columns of every row that are filled, as canonical JSON."""
    kept = [name for name in columns if name in frame and (frame[name] != "").any()]
    rows = zip(*(frame[name] for name in kept), strict=True) if kept else ([] for _ in range(len(frame)))
    return [canonical({name: value for name, value in zip(kept, row, strict=True) if value}) for row in rows]


def _ams(book: Book, model: CoverageModel, frame: pd.DataFrame) -> dict[tuple[str, str], Person]:
    """AMs who are in no pool, and pools."""
    ams = take_snapshot(book, model, "full", "accounts").ams
    traits = dict(zip(frame["am_id"], zip(_traits(frame, AM_TRAITS), frame["leaves_on"], strict=True), strict=True))
    return {
        ("am", name): Person(bool(ams.may_be_assigned[i]), *reversed(traits.get(name, ("{}", ""))))
        for i, name in enumerate(ams.ids)
    }


def _csms(book: Book, model: CoverageModel) -> dict[tuple[str, str], Person]:
    csms, frame = read_csms(book, model), to_text(book.csms)
    traits = _traits(frame, CSM_TRAITS)
    return {
        ("csm", name): Person(bool(csms.receives[i]), str(frame["leaves_on"].iat[i]), traits[i])
        for i, name in enumerate(csms.ids)
    }
