"""Small books from inline CSV, and what the rules make of them."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rebalancer.book import Book
from rebalancer.coverage import load_model
from rebalancer.errors import InvalidInput
from rebalancer.problem import HARD, Problem
from rebalancer.rules import RULES
from rebalancer.rules.formulation import Formulation, formulate
from rebalancer.snapshot import Snapshot, take_snapshot

DAY = "2026-01-01"
TWO_AMS = "am_id\nE-1\nE-2"
TWO_PODS = {"csms": "csm_id\nC-1\nC-2", "pods": "pod_id,am_id,csm_id\nP-1,E-1,C-1\nP-2,E-2,C-2"}
REQUIRED = {"accounts": {"name": "", "owner": "", "arr": "0"}, "ams": {"name": ""}, "csms": {"name": ""}}


def frame(text: str) -> pd.DataFrame:
    """Inline CSV as text, spaces around fields dropped."""
    return pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False, skipinitialspace=True)


def book_of(accounts: str, ams: str = TWO_AMS, *, day: str = DAY, **others: str) -> Book:
    """A book from inline CSV; required columns that do not matter to a test may be left out."""
    tables = {}
    for name, text in {"accounts": accounts, "ams": ams, **others}.items():
        table = frame(text)
        tables[name] = table.assign(
            **{column: value for column, value in REQUIRED.get(name, {}).items() if column not in table}
        )
    return Book.from_frames(**tables, effective_date=day)


def snapshot_of(
    book: Book,
    model: str = "coverage_units",
    scope: str = "full",
    measure: str = "revenue_at_risk",
    overrides: Mapping[str, Any] | None = None,
) -> Snapshot:
    return take_snapshot(book, load_model(model, overrides), scope, measure)


def formulation_of(book: Book, *args: Any, **options: Any) -> Formulation:
    """What all rules together make of a book; arguments as `snapshot_of`."""
    return formulate(snapshot_of(book, *args, **options), RULES)


def problem_of(book: Book, *args: Any, **options: Any) -> Problem:
    """The problem of a book; arguments as `snapshot_of`."""
    return formulation_of(book, *args, **options).problem


def seats(problem: Problem, account: str) -> list[str]:
    """The seats that an account may take, such as `E-1 + C-1`."""
    group = problem.groups.index(account)
    return [problem.seats[seat] for seat in problem.arc_seat[problem.arc_group == group]]


def cost(problem: Problem, account: str, seat: str, level: str = "disruption") -> int:
    """What one seat costs an account in one level."""
    arc = arc_of(problem, account, seat)
    return int(problem.levels[problem.level_index(level)].arc_cost[arc])


def arc_of(problem: Problem, account: str, seat: str) -> int:
    """The arc that brings an account to a seat."""
    group, place = problem.groups.index(account), problem.seats.index(seat)
    (arc,) = np.flatnonzero((problem.arc_group == group) & (problem.arc_seat == place))
    return int(arc)


def chosen(problem: Problem, plan: str) -> np.ndarray:
    """The arcs of a plan written `a E-1, b E-2 + C-1`."""
    wanted = dict(part.strip().split(" ", 1) for part in plan.split(","))
    return np.array([arc_of(problem, account, wanted[account]) for account in problem.groups])


@dataclass(frozen=True)
class ARow:
    """One row: its bounds, None where open, its level, None where hard, and the weight each account has in it."""

    lo: int | None
    hi: int | None
    level: str | None
    penalty: int
    weights: dict[str, int]


def row_of(problem: Problem, rule: str, name: str) -> ARow:
    """The one row that a rule has of that name."""
    rows = problem.rows
    (index,) = [i for i in range(len(rows)) if (rows.rules[i], rows.names[i]) == (rule, name)]
    entries = slice(rows.ptr[index], rows.ptr[index + 1])
    accounts = [problem.groups[group] for group in problem.arc_group[rows.arc[entries]]]
    level = rows.level[index]
    return ARow(
        lo=int(rows.lo[index]) if rows.lo[index] > -(2**61) else None,
        hi=int(rows.hi[index]) if rows.hi[index] < 2**61 else None,
        level=None if level == HARD else problem.levels[level].name,
        penalty=int(rows.penalty[index]),
        weights=dict(zip(accounts, rows.weight[entries].tolist(), strict=True)),
    )


def row_names(problem: Problem, rule: str) -> list[str]:
    """The names of a rule's rows."""
    return [name for name, of in zip(problem.rows.names, problem.rows.rules, strict=True) if of == rule]


def excess(problem: Problem, plan: str, rule: str) -> dict[str, int]:
    """The rows of a rule that a plan breaks, and by how much."""
    rows = problem.rows
    beyond = rows.excess(rows.activity(problem.taken(chosen(problem, plan))))
    return {rows.names[i]: int(beyond[i]) for i in np.flatnonzero(beyond) if rows.rules[i] == rule}


def messages(call: Callable[[], object]) -> list[str]:
    """The faults that a call raises, each as its whole message."""
    with pytest.raises(InvalidInput) as raised:
        call()
    return [str(fault) for fault in raised.value]


def write_book(folder: Path, **files: str | bytes | None) -> Path:
    """A book directory: `accounts=` becomes accounts.csv, `settings=` book.toml; None leaves a file out."""
    defaults = {"accounts": "account_id,name,owner,arr\nA-1,Acme,E-1,100\n", "ams": "am_id,name\nE-1,Eva\nE-2,Emil\n"}
    for name, content in {**defaults, **files}.items():
        file = folder / ("book.toml" if name == "settings" else f"{name}.csv")
        if content is not None:
            file.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


COVERED: dict[str, set[str]] = {}
"""What the tests of the rules show, by rule: `trivial`, `violated`, `allowed`, `exact`."""


def about(rule: str, *shows: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Note that a test shows these things of a rule."""

    def note(test: Callable[..., None]) -> Callable[..., None]:
        COVERED.setdefault(rule, set()).update(shows)
        return test

    return note
