"""Relief: the books that may end at `triggers.relief` of their capacity at most, recounted from the input tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from fractions import Fraction

import pandas as pd

from rebalancer.coverage import CoverageModel
from rebalancer.verify.accounts import Account
from rebalancer.verify.text import Record, columns_of, records

Tables = Mapping[str, pd.DataFrame]


def relieved_books(
    tables: Tables, model: CoverageModel, day: date, accounts: Mapping[str, Account], pool_of: Mapping[str, str]
) -> frozenset[str]:
    """The books that the model names, and those that retention or silence fires where it relieves them.

    `accounts` are those that are planned. Books that nobody has, or that have left, do no harm here.
    """
    named = {pool_of.get(name, name) for name in model.triggers.relieve_books}
    if not model.triggers.relieve:
        return frozenset(named)
    rows = [row for row in records(tables, "accounts", "account_id") if row.key in accounts]
    owners = {row.key: pool_of.get(accounts[row.key].owner, accounts[row.key].owner) for row in rows}
    silent = {owners[name] for name in _silent(tables, model, day, rows, accounts)}
    return frozenset(named | silent | _losing(model, rows, accounts, owners))


def _losing(
    model: CoverageModel, rows: list[Record], accounts: Mapping[str, Account], owners: Mapping[str, str]
) -> set[str]:
    """Books whose forecast of gross retention, weighted by ARR in whole millionths, is below the limit."""
    kept: dict[str, int] = {}
    known: dict[str, int] = {}
    for row in rows:
        forecast, arr, owner = row.number("grr_forecast"), max(0, accounts[row.key].arr), owners[row.key]
        if forecast is not None:
            kept[owner] = kept.get(owner, 0) + arr * int(forecast * 10**6 + Fraction(1, 2))
            known[owner] = known.get(owner, 0) + arr
    limit = Fraction(model.triggers.grr_below) * 10**6
    return {owner for owner, arr in known.items() if arr > 0 and kept[owner] < arr * limit}


def _silent(
    tables: Tables, model: CoverageModel, day: date, rows: list[Record], accounts: Mapping[str, Account]
) -> Iterator[str]:
    """Accounts of the tiers that count whose last meaningful touch is `silent_days` or more ago.

    An account without one counts from the first touch of anybody, or from when its owner got it if that is later.
    """
    touched, first = _touches(tables, model, day)
    for row in rows:
        if accounts[row.key].tier not in model.triggers.silent_tiers:
            continue
        said = row.day("last_touch")
        last = [seen for seen in (touched.get(row.key), said if said and said <= day else None) if seen is not None]
        if not last and first is not None:
            last = [max(first, min(day, row.day("owner_since") or first))]
        if last and (day - max(last)).days >= model.triggers.silent_days:
            yield row.key


def _touches(tables: Tables, model: CoverageModel, day: date) -> tuple[dict[str, date], date | None]:
    """The last meaningful touch of each account, and the first touch of any kind, up to the day."""
    last: dict[str, date] = {}
    first: date | None = None
    if "touches" not in tables:
        return last, first
    ignored = {kind.casefold() for kind in model.triggers.not_meaningful}
    columns = columns_of(tables["touches"], "inputs: touches", ("account_id", "date"))
    kinds = columns.get("kind", [""] * len(columns["date"]))
    for account_id, text, kind in zip(columns["account_id"], columns["date"], kinds, strict=True):
        when = Record("touches", account_id, {"date": text}).day("date")
        if when is None or when > day:
            continue
        first = when if first is None or when < first else first
        if kind.strip().casefold() not in ignored and when > last.get(account_id, date.min):
            last[account_id] = when
    return last, first
