"""holds(): which customers the AEs who won them hold, until when and why, and which are due for handover."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd

from rebalancer.book import Book
from rebalancer.coverage import CoverageModel
from rebalancer.holds import AE_ROLE
from rebalancer.metrics import lacking
from rebalancer.metrics.holds import DUE, HELD, NEEDED, holds_by_ae, holds_frame
from rebalancer.plan import resolve_model
from rebalancer.snapshot import Snapshot, take_snapshot


@dataclass(frozen=True)
class HoldsReport:
    """Who is held and who is due on `effective_date`.

    `accounts` has the columns of `rebalancer.metrics.holds.holds_frame`, `aes` those of `holds_by_ae`. `rules` is the
    rule of each tier in words. `missing` names the columns that a rule needed and the book does not have, `notes` says
    what else a planner has to know.
    """

    effective_date: date
    model: str
    rules: dict[str, str]
    accounts: pd.DataFrame
    aes: pd.DataFrame
    missing: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def held(self) -> pd.DataFrame:
        """The accounts that are held: they are locked in `propose`."""
        return self.accounts[self.accounts["state"] == HELD].reset_index(drop=True)

    @property
    def due(self) -> pd.DataFrame:
        """The handover list: `propose` places these with AMs."""
        return self.accounts[self.accounts["state"] == DUE].reset_index(drop=True)


def holds(
    book: Book, model: str | Path | CoverageModel | None = None, effective_date: date | str | None = None
) -> HoldsReport:
    """What AEs hold under the model's rules, those of the commercial account management playbook.

    Raises `InvalidInput` where the book can't be used, `UsageError` for an unknown model.
    """
    resolved = resolve_model(book, model)
    snapshot = take_snapshot(book.on(effective_date), resolved, "full", resolved.disruption.measure)
    accounts = holds_frame(snapshot)
    names = book.ams.set_index("am_id")["name"]
    rules = {str(tier): _rule_words(resolved, tier) for tier in resolved.units.tier}
    needed = [NEEDED[rule] for rule in ("duration", "expansion") if rule in resolved.holds.rule.values()]
    return HoldsReport(
        snapshot.book.effective_date,
        resolved.name,
        rules,
        accounts,
        holds_by_ae(accounts, names),
        lacking(book, *dict.fromkeys(needed)),
        tuple(_notes(snapshot)),
    )


def _rule_words(model: CoverageModel, tier: str) -> str:
    terms = model.holds
    rule = terms.rule.get(tier, "none")  # type: ignore[call-overload]
    words = {
        "none": "until ae_hold_until",
        "accounts": f"{terms.accounts:,} accounts per AE, the {terms.keep} first",
        "expansion": f"while expansion in 12 months is above ${terms.expansion_above:,}",
        "total_arr": f"up to ${terms.total_arr:,} of ARR per AE, the {terms.keep} first",
    }
    return f"{terms.months[tier]} months" if rule == "duration" else words[rule]  # type: ignore[index]


def _notes(snapshot: Snapshot) -> Iterator[str]:
    model, ams = snapshot.model, snapshot.book.ams
    if not model.locks.ae_hold:
        yield "The model ignores holds (locks.ae_hold is false): nobody is held, and nothing is due."
    if not (ams["role"] == AE_ROLE).any():
        yield "No AM of the book has the role ae: the rules hold nobody, and a date alone locks an account."
    yield from (str(warning) for warning in snapshot.warnings if warning.code.startswith("ae_"))
