"""diagnose(): what is wrong with one book, in words and numbers.

[KM] KnowMBA, "Account Manager Coverage": a book is too much by its units, by its accounts against the benchmark of its
tier, or because accounts of it are left in silence. ARR says little: what [HS] holisticselling newsletter #15 gives an
AM, $5-10M, stands beside them to show what sizing by ARR alone would have made of the same book.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from rebalancer.book import Book
from rebalancer.coverage import CoverageModel
from rebalancer.errors import UsageError, did_you_mean
from rebalancer.insight.diagnosis_words import Finding, findings_of
from rebalancer.insight.heatmap import Heatmap, heatmap_of
from rebalancer.insight.trigger_words import reasons_in_words
from rebalancer.metrics import trigger_frame
from rebalancer.plan import resolve_model
from rebalancer.snapshot import Snapshot, take_snapshot

Verdict = Literal["overloaded", "losing", "stretched", "fine", "empty"]
ByArr = Literal["overloaded", "full", "room"]


@dataclass(frozen=True)
class Diagnosis:
    """What is wrong with one book.

    `verdict` is `overloaded` where units, a count, the benchmark or silence say so (`causes` names which); `losing`
    where only the forecast of gross retention fires; `stretched` where it is not green; else `fine`, or `empty`.
    `by_arr` is what its ARR alone would say: `overloaded` above the trigger of what an AM carries at most, `room` below
    what one carries at least, else `full`; `missed_by_arr` is whether that misses an overload.

    `book` is its row of the heatmap, `findings` has a row per topic: topic, verdict (`bad`, `watch`, `good`,
    `unknown`), text. `top` are its largest accounts, as in `metrics.top_accounts`, with last_touch and silent_days.
    `silent` are its silent accounts: account_id, name, tier, arr, last_touch, silent_days, at_least; longest first.
    `missing` are columns without a value.
    """

    am_id: str
    name: str
    day: date
    model: str
    verdict: Verdict
    causes: tuple[str, ...]
    by_arr: ByArr
    book: Mapping[Hashable, Any] = field(repr=False)
    findings: pd.DataFrame = field(repr=False)
    top: pd.DataFrame = field(repr=False)
    silent: pd.DataFrame = field(repr=False)
    missing: tuple[str, ...]

    @property
    def missed_by_arr(self) -> bool:
        """Whether the book is overloaded and its ARR alone would not say so."""
        return self.verdict == "overloaded" and self.by_arr != "overloaded"

    def headline(self) -> str:
        """The verdict in a sentence or two."""
        who = f"{self.am_id} ({self.name})"
        if self.verdict == "overloaded":
            missed = " Sizing by ARR alone would miss it." if self.missed_by_arr else ""
            return f"{who} is overloaded: {'; '.join(self.causes)}.{missed}"
        return f"{who} {VERDICTS[self.verdict]}"

    def text(self) -> str:
        """The headline and a line for each finding."""
        width = max((len(topic) for topic in self.findings["topic"]), default=0) + 1
        lines = [f"  {row['topic'] + ':':{width}} {row['text']}" for row in self.findings.to_dict("records")]
        return "\n".join([self.headline(), *lines])


VERDICTS = {
    "losing": "is not overloaded by its load, and its forecast of gross retention says it has to be rebalanced.",
    "stretched": "is stretched: not green, and not over any limit.",
    "fine": "is fine.",
    "empty": "holds no accounts.",
}


def diagnose(
    book: Book, am: str, model: str | Path | CoverageModel | None = None, effective_date: date | str | None = None
) -> Diagnosis:
    """What is wrong with the book of an AM or pool. Raises `UsageError` where there is nobody of that id."""
    resolved = resolve_model(book, model)
    return diagnosis_of(take_snapshot(book.on(effective_date), resolved, "full", resolved.disruption.measure), am)


def diagnosis_of(snapshot: Snapshot, am: str, heat: Heatmap | None = None) -> Diagnosis:
    """The same for a book that is a snapshot already; `heat` is its heatmap, made where it is not given."""
    known = snapshot.ams.of_person
    if am not in known:
        raise UsageError(f'there is no AM or pool "{am}". {did_you_mean(am, known)}'.strip())
    am_id = snapshot.ams.ids[known[am]]
    heat = heatmap_of(snapshot) if heat is None else heat
    row = heat.books[heat.books["am_id"] == am_id].to_dict("records")[0]
    fired = trigger_frame(snapshot, heat.attention)
    fired = fired[fired["am_id"] == am_id]
    why = dict(zip(fired["reason"], reasons_in_words(fired, snapshot, heat.attention), strict=True))
    by_arr = _by_arr(int(row["arr"]), snapshot.model)
    silent = _silent(snapshot, heat.attention, am_id)
    causes = _causes(row, why)
    top = heat.top[heat.top["am_id"] == am_id]
    found = findings_of(row, why, snapshot.model, by_arr, top["name"].tolist())
    return Diagnosis(
        am_id=am_id,
        name=str(row["name"]),
        day=heat.day,
        model=heat.model,
        verdict=_verdict(row, causes, why),
        causes=causes,
        by_arr=by_arr,
        book=row,
        findings=pd.DataFrame(found, columns=list(Finding._fields)),
        top=_with_silence(top, heat.attention),
        silent=silent,
        missing=heat.missing,
    )


def _by_arr(arr: int, model: CoverageModel) -> ByArr:
    least, most = model.heatmap.arr_per_am
    return "overloaded" if arr > most * model.limits.trigger else "room" if arr < least else "full"


def _causes(row: Mapping[Hashable, Any], why: Mapping[str, str]) -> tuple[str, ...]:
    """What makes the book an overloaded one, with its numbers."""
    causes = [text for reason, text in why.items() if reason != "grr"]
    if row["benchmark"] == "above":
        causes.insert(1 if "units" in why else 0, f"{row['accounts']:,} accounts, above the benchmark of its tiers")
    return tuple(causes)


def _verdict(row: Mapping[Hashable, Any], causes: tuple[str, ...], why: Mapping[str, str]) -> Verdict:
    if not row["accounts"]:
        return "empty"
    if causes:
        return "overloaded"
    return "losing" if "grr" in why else "fine" if row["band"] == "green" else "stretched"


def _with_silence(top: pd.DataFrame, attention: pd.DataFrame) -> pd.DataFrame:
    days = attention[["account_id", "last_touch", "silent_days"]]
    return top.merge(days, on="account_id", how="left").reset_index(drop=True)


def _silent(snapshot: Snapshot, attention: pd.DataFrame, am_id: str) -> pd.DataFrame:
    mine = attention[(attention["am_id"] == am_id) & attention["silent"]]
    named = mine.merge(snapshot.frame[["account_id", "name"]], on="account_id")
    columns = ["account_id", "name", "tier", "arr", "last_touch", "silent_days", "at_least"]
    return named.sort_values(["silent_days", "account_id"], ascending=[False, True], ignore_index=True)[columns]
