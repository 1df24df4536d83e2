"""Recounts of the frames a plan comes with: every figure that follows from the seats, compared exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction

import pandas as pd

from rebalancer.verify.accounts import Account
from rebalancer.verify.figures import SHOWN, Figure, Rounded, compare
from rebalancer.verify.people import Am
from rebalancer.verify.plan import FILE, Plan
from rebalancer.verify.rows import Load
from rebalancer.verify.scales import WHOLE_CSM
from rebalancer.verify.text import UnreadableError, columns_of, exact
from rebalancer.verify.violation import Violation


def assignments(plan: Plan) -> Iterator[Violation]:
    """Every figure of `assignments.csv`."""
    ids, ledger = list(plan.index), plan.ledger
    accounts = [ledger.accounts.get(name) or ledger.excluded[name] for name in ids]
    claimed = _picked({name: plan.columns[name] for name in plan.columns if name in COLUMNS}, plan.index.values())
    for column, figure in COLUMNS.items():  # one by one, since each may be as long as the book
        recounted = {column: [figure(plan, account) for account in accounts]}
        yield from compare(FILE, "account", ids, claimed, recounted)


COLUMNS: dict[str, Callable[[Plan, Account], Figure]] = {
    "tier": lambda _, account: account.tier,
    "units": lambda _, account: Fraction(account.units, 100),
    "arr": lambda _, account: account.arr,
    "moved": lambda plan, account: plan.moved(account.account_id),
    "forced": lambda plan, account: plan.forced(account.account_id),
    "csm_changed": lambda plan, account: plan.changes(account.account_id)[1],
    "locked": lambda _, account: account.locked,
    "legacy": lambda plan, account: _is_legacy(plan, account),
    "disruption": lambda plan, account: plan.revenue_at_risk.get(account.account_id, 0),
}
"""What is recounted of every account; nothing happens to one that is excluded from the plan."""


def _is_legacy(plan: Plan, account: Account) -> bool:
    return not account.excluded and not plan.moved(account.account_id) and plan.ledger.is_legacy(account)


def books(plan: Plan, frame: pd.DataFrame) -> Iterator[Violation]:
    """Every figure of `books.csv`, one row per book; an AM's role and the binding limit are not recounted."""
    ledger = plan.ledger
    columns, ids, problems = _aligned("books.csv", "am_id", frame, list(ledger.books))
    yield from problems
    before, after = plan.held_today[0], plan.held[0]
    lost, gained = _flows(plan)
    recounted: dict[str, list[Figure]] = {"capacity": [Fraction(ledger.books[am_id].capacity, 100) for am_id in ids]}
    if ledger.pools:
        said = columns.get("role", [""] * len(ids))
        recounted["role"] = ["pool" if am_id in ledger.pools else said[at] for at, am_id in enumerate(ids)]
    for when, held in (("before", before), ("after", after)):
        recounted |= {
            f"units_{when}": [Fraction(held[am_id].units, 100) for am_id in ids],
            f"utilization_{when}": [_utilization(held[am_id], ledger.books[am_id]) for am_id in ids],
            f"band_{when}": [_band(plan, held[am_id], ledger.books[am_id]) for am_id in ids],
            f"accounts_{when}": [held[am_id].accounts for am_id in ids],
            f"arr_{when}": [held[am_id].arr for am_id in ids],
        }
    recounted |= {"lost": [lost.get(am_id, 0) for am_id in ids], "gained": [gained.get(am_id, 0) for am_id in ids]}
    yield from compare("books.csv", "book", ids, columns, recounted)


def csms(plan: Plan, frame: pd.DataFrame) -> Iterator[Violation]:
    """Every figure of `csms.csv`, one row per CSM of the csms table; nothing where there is no such table."""
    if not plan.ledger.csms:
        return
    columns, ids, problems = _aligned("csms.csv", "csm_id", frame, list(plan.ledger.csms))
    yield from problems
    recounted: dict[str, list[Figure]] = {}
    for when, held in (("before", plan.held_today[1]), ("after", plan.held[1])):
        recounted[f"load_{when}"] = [Fraction(held[csm_id].weight, WHOLE_CSM) for csm_id in ids]
        recounted[f"accounts_{when}"] = [held[csm_id].accounts for csm_id in ids]
    yield from compare("csms.csv", "CSM", ids, columns, recounted)


NUMBERS = ("units", "arr", "disruption")
FLAGS = ("moved", "forced", "csm_changed", "locked", "legacy")


def moves(plan: Plan, frame: pd.DataFrame) -> Iterator[Violation]:
    """`moves.csv` holds exactly the accounts that move, and says of them what `assignments.csv` says."""
    changed = [account_id for account_id in plan.elsewhere if plan.moved(account_id)]
    columns, ids, problems = _aligned("moves.csv", "account_id", frame, changed)
    yield from problems
    said = _picked(plan.columns, [plan.index[account_id] for account_id in ids])
    recounted = {name: [_read(name, text) for text in said[name]] for name in said if name in columns}
    yield from compare("moves.csv", "account", ids, columns, recounted)


def _read(column: str, text: str) -> Figure:
    number = exact(text) if column in NUMBERS else None
    truth = {"true": True, "false": False}.get(text.lower()) if column in FLAGS else None
    return number if number is not None else truth if truth is not None else text


def _picked(columns: Mapping[str, list[str]], rows: Iterable[int]) -> dict[str, list[str]]:
    at = list(rows)
    return {name: [texts[row] for row in at] for name, texts in columns.items()}


def _aligned(
    file: str, key: str, frame: pd.DataFrame, expected: list[str]
) -> tuple[dict[str, list[str]], list[str], list[Violation]]:
    """The columns for the expected ids that are there, those ids, and a violation for every other or missing row."""
    try:
        columns = columns_of(frame, file, (key,))
    except UnreadableError as error:
        return {}, [], [Violation("recount", str(error))]
    first: dict[str, int] = {}
    known, problems = set(expected), []
    for at, found in enumerate(columns[key]):
        if found not in known or found in first:
            problem = "is there twice" if found in first else "does not belong there"
            problems.append(Violation("recount", f"{file}, {key} {found or 'blank'}: the row {problem}"))
        else:
            first[found] = at
    problems += [
        Violation("recount", f"{file}, {key} {name}: the row is missing") for name in expected if name not in first
    ]
    more = len(problems) - SHOWN
    if more > 0:
        problems = [*problems[:SHOWN], Violation("recount", f"{file}, {key}: {more:,} more rows are wrong")]
    return _picked(columns, first.values()), list(first), problems


def _flows(plan: Plan) -> tuple[dict[str, int], dict[str, int]]:
    """How many accounts each book loses and gains."""
    lost: dict[str, int] = {}
    gained: dict[str, int] = {}
    for account_id in plan.elsewhere:
        if plan.moved(account_id):
            am_id = plan.seats[account_id][0]
            left, entered = plan.ledger.book_of(plan.ledger.accounts[account_id].owner), plan.ledger.book_of(am_id)
            lost[left] = lost.get(left, 0) + 1
            gained[entered] = gained.get(entered, 0) + 1
    return lost, gained


def _utilization(load: Load, am: Am) -> Figure:
    return Rounded(Fraction(load.units, am.capacity)) if am.capacity else None


def _band(plan: Plan, load: Load, am: Am) -> str:
    if not am.capacity:
        return "red" if load.units else "green"
    bands, share = plan.ledger.model.bands, Fraction(load.units, am.capacity)
    if share < Fraction(bands.green_below):
        return "green"
    return "red" if share > Fraction(bands.red_above) else "yellow"
