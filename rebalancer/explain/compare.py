"""Compares two runs: what went in differently first, then what came out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from rebalancer.coverage import CoverageModel
from rebalancer.explain.words import counted, listed
from rebalancer.proposal import Proposal

MOVES = {
    "both": "Move in both runs, to the same AM",
    "different": "Move in both runs, to different AMs",
    "first": "Move only in the first run",
    "second": "Move only in the second run",
    "elsewhere": "Move in neither run, but have different owners in the two books",
    "csm": "End with the same AM, but another CSM",
}
"""How an account differs between two runs, or moves in both."""

SIDES = ("first", "second")
BOOK_COLUMNS = ("units_after", "utilization_after", "band_after", "accounts_after", "arr_after", "lost", "gained")


@dataclass(frozen=True)
class Comparison:
    """Two runs side by side. Every frame has columns ending in `_first` and `_second`, or called so.

    `inputs` lists files whose hash differs (empty: no such file), `model` the keys of the coverage model that differ,
    `options` those of the call and versions; `figures` and `levels` what came out (`difference` is second - first);
    `accounts` those in both runs that move in either or end elsewhere, with `moves` a key of `MOVES`; `books` those
    that end differently.
    """

    first: Mapping[str, Any] = field(repr=False)
    second: Mapping[str, Any] = field(repr=False)
    inputs: pd.DataFrame = field(repr=False)
    model: pd.DataFrame = field(repr=False)
    options: pd.DataFrame = field(repr=False)
    figures: pd.DataFrame = field(repr=False)
    levels: pd.DataFrame = field(repr=False)
    accounts: pd.DataFrame = field(repr=False)
    books: pd.DataFrame = field(repr=False)
    only: Mapping[str, tuple[list[str], list[str]]] = field(repr=False)
    """Ids of accounts and books that only the first and only the second run has."""

    @property
    def same_plan(self) -> bool:
        """Both runs have the same accounts and end every one in the same seat."""
        return not any(map(len, self.only["accounts"])) and bool(self.accounts["moves"].isin(["both"]).all())

    def text(self) -> str:
        """What differs, in sentences; the frames hold the rest."""
        return "\n".join([*self.said_first(), *self.outcome()])

    def said_first(self) -> Iterator[str]:
        """Sentences on inputs and options: what the reader must know before he compares outcomes."""
        if self.inputs.empty and self.options.empty:
            yield "Both runs have the same inputs, model and options."
            return
        if self.inputs.empty:
            yield "Both runs have the same inputs and model."
        for row in self.inputs.to_dict("records"):
            pair = [row[side][:12] or "none" for side in SIDES]
            yield f"Different input {row['file']}: {pair[0]} and {pair[1]} (sha256)."
        for row in self.model.to_dict("records"):
            yield f"Different model: {row['key']} is {row['first']} and {row['second']}."
        for row in self.options.to_dict("records"):
            yield f"Different {row['option'].replace('_', ' ')}: {row['first']} and {row['second']}."
        if self.first["measure"] != self.second["measure"]:
            yield "The level disruption has another unit in each run: compare the figures in all three measures."

    def outcome(self) -> Iterator[str]:
        """Sentences on accounts and books."""
        for what in ("accounts", "books"):
            for side, alone in zip(SIDES, self.only[what], strict=True):
                if alone:
                    yield f"{counted(len(alone), what[:-1])} only in the {side} run: {listed(alone)}."
        if self.same_plan:
            yield "Both plans end every account in the same seat."
            return
        for moves, words in MOVES.items():
            ids = self.accounts.loc[self.accounts["moves"] == moves, "account_id"]
            if len(ids):
                yield f"{words}: {counted(len(ids), 'account')} ({listed(ids)})."
        if len(self.books):
            yield f"{counted(len(self.books), 'book')} end{'s' * (len(self.books) == 1)} differently."


def compare(first: Proposal, second: Proposal) -> Comparison:
    """Two proposals side by side, of the same book or of different ones."""
    accounts, only = _accounts(first, second)
    books, only_books = _books(first, second)
    return Comparison(
        first=first.record,
        second=second.record,
        inputs=_differing("file", first.record["inputs"], second.record["inputs"]),
        model=_differing("key", _keys(first.model), _keys(second.model)),
        options=_differing("option", _options(first), _options(second)),
        figures=_figures(first, second),
        levels=_levels(first, second),
        accounts=accounts,
        books=books,
        only={"accounts": only, "books": only_books},
    )


def _differing(name: str, first: Mapping[str, Any], second: Mapping[str, Any]) -> pd.DataFrame:
    """Keys whose values differ; a missing one is empty text."""
    keys = dict.fromkeys([*first, *second])
    rows = [(key, first.get(key, ""), second.get(key, "")) for key in keys]
    return pd.DataFrame([row for row in rows if row[1] != row[2]], columns=[name, *SIDES], dtype=object)


def _keys(model: CoverageModel) -> dict[str, str]:
    return dict(_flat(model.model_dump(exclude={"title", "about"}), ""))


def _flat(value: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    for key, inner in value.items():
        if isinstance(inner, Mapping):
            yield from _flat(inner, f"{path}{key}.")
        else:
            yield f"{path}{key}", _plain(inner)


def _plain(value: Any) -> str:
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(_plain(part) for part in value)}]"
    return "none" if value is None else str(value)


def _options(run: Proposal) -> dict[str, Any]:
    record = run.record
    named = {key: record[key] for key in ("scope", "measure", "effective_date", "model", "seed")}
    return {**named, **record["options"], **{f"version of {name}": text for name, text in record["versions"].items()}}


FIGURES = {
    "status": "status",
    "stopped": "stopped",
    "accounts": "accounts",
    "moves.accounts": "accounts that move",
    "moves.share": "share of all accounts",
    "moves.arr": "ARR moved",
    "moves.forced": "forced moves",
    "moves.csm_changes": "CSM changes",
    "moves.pod_breaks": "pods broken",
    "disruption.revenue_at_risk": "revenue at risk",
    "disruption.accounts": "changes of owner",
    "disruption.units": "units moved",
    "continuity.share": "owners kept, of those staying",
    "continuity.arr_share": "ARR with its owner, of those staying",
    "red_books_before": "red books before",
    "red_books_after": "red books after",
    "highest_utilization_after": "highest utilization after",
}
"""What is compared, by its place in `proposal.json`, in words."""


def _figures(first: Proposal, second: Proposal) -> pd.DataFrame:
    rows = [(name, *(pair := [_figure(run, name) for run in (first, second)]), _difference(*pair)) for name in FIGURES]
    return pd.DataFrame(rows, columns=["figure", *SIDES, "difference"], dtype=object)


def _figure(run: Proposal, name: str) -> Any:
    books = run.books
    if name == "accounts":
        return len(run.assignments)
    if name == "highest_utilization_after":
        return _highest(books["utilization_after"])
    if name.startswith("red_books"):
        return int((books[name.replace("red_books", "band")] == "red").sum())
    part, _, key = name.partition(".")
    return run.record[part][key] if key else run.record[part]


def _highest(shares: pd.Series) -> float | None:
    known = shares[np.isfinite(shares)]
    return float(known.max()) if len(known) else None


def _difference(first: Any, second: Any) -> Any:
    """second - first for numbers, None for words and where one is not known."""
    if not all(isinstance(value, (int, float)) for value in (first, second)):
        return None
    return second - first if isinstance(second - first, int) else round(second - first, 12)


LEVEL_COLUMNS = ("value", "bound", "gap", "proof")


def _levels(first: Proposal, second: Proposal) -> pd.DataFrame:
    """A row per level that either run has; a level that a run has not is None throughout."""
    runs = sorted((first, second), key=lambda run: -len(run.record["levels"]))
    names = dict.fromkeys(level["name"] for run in runs for level in run.record["levels"])
    rows = []
    for name in names:
        pair = [run.level(name) or dict.fromkeys(LEVEL_COLUMNS) for run in (first, second)]
        row = {"level": name}
        for column in LEVEL_COLUMNS:
            row |= {f"{column}_{side}": level[column] for side, level in zip(SIDES, pair, strict=True)}
        rows.append(row)
    return pd.DataFrame(rows, dtype=object)


def _accounts(first: Proposal, second: Proposal) -> tuple[pd.DataFrame, tuple[list[str], list[str]]]:
    one, two = first.assignments, second.assignments
    ids = [set(plan["account_id"]) for plan in (one, two)]
    both = one.merge(two, on="account_id", suffixes=("_first", "_second"))
    same_am = both["to_am_first"] == both["to_am_second"]
    moves = np.select(
        [
            both["moved_first"] & both["moved_second"] & ~same_am,
            both["moved_first"] & both["moved_second"] & (both["to_csm_first"] == both["to_csm_second"]),
            both["moved_first"] & ~both["moved_second"],
            both["moved_second"] & ~both["moved_first"],
            ~same_am,
            both["to_csm_first"] != both["to_csm_second"],
        ],
        ["different", "both", "first", "second", "elsewhere", "csm"],
        default="",
    )
    columns = [
        f"{name}_{side}" for name in ("from_am", "to_am", "to_csm", "units", "arr", "disruption") for side in SIDES
    ]
    found = both.assign(moves=moves)[["account_id", "moves", *columns]]
    found = found[found["moves"] != ""].reset_index(drop=True)
    return found, (sorted(ids[0] - ids[1]), sorted(ids[1] - ids[0]))


def _books(first: Proposal, second: Proposal) -> tuple[pd.DataFrame, tuple[list[str], list[str]]]:
    """Books of both runs that end differently."""
    one, two = first.books, second.books
    ids = [set(frame["am_id"]) for frame in (one, two)]
    both = one.merge(two, on="am_id", suffixes=("_first", "_second"))
    ends = [_ends_with(run) for run in (first, second)]
    differ = [
        ends[0].get(name) != ends[1].get(name)
        or any(row[f"{column}_first"] != row[f"{column}_second"] for column in ("capacity", "units_after"))
        for name, row in zip(both["am_id"], both.to_dict("records"), strict=True)
    ]
    columns = [f"{name}_{side}" for name in ("capacity", *BOOK_COLUMNS) for side in SIDES]
    found = both.loc[np.array(differ, dtype=bool), ["am_id", *columns]].reset_index(drop=True)
    return found, (sorted(ids[0] - ids[1]), sorted(ids[1] - ids[0]))


def _ends_with(run: Proposal) -> dict[str, frozenset[str]]:
    """The accounts that each AM or pool ends with."""
    return {str(am): frozenset(ids) for am, ids in run.assignments.groupby("to_am")["account_id"]}
