"""The declared tables of a book: their columns, and how values become the text of a file.

Everything is read as text first and converted column by column (`rebalancer.reading`), so that a region `NA`, a
leading zero and an id such as `0015E000012` survive.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

import numpy as np
import pandas as pd

Kind = Literal["id", "text", "money", "number", "flag", "date", "tags"]


@dataclass(frozen=True)
class Column:
    """One column: `kind` says how its text is read, `low` and `high` bound a number, `choices` a text."""

    name: str
    kind: Kind = "text"
    required: bool = False
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Table:
    """One table of a book. No two rows have the same `key`."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    required: bool = False

    def column(self, name: str) -> Column:
        """The declared column of that name."""
        return next(column for column in self.columns if column.name == name)

    @property
    def names(self) -> list[str]:
        """The names of its columns."""
        return [column.name for column in self.columns]


def _columns(required: str, **kinds: str) -> tuple[Column, ...]:
    """Columns of plain kinds from names: `_columns("a b", date="c d")` makes a and b required text."""
    plain = [Column(name, "text", required=True) for name in required.split()]
    return (*plain, *(Column(name, kind) for kind, names in kinds.items() for name in names.split()))  # type: ignore[arg-type]


TIERS = ("strategic", "enterprise", "mid_market", "smb")
BOOK_KINDS = ("segmented", "blended", "pooled", "open")
STATUSES = ("active", "open", "leave", "inactive")

ACCOUNTS = Table(
    "accounts",
    (
        Column("account_id", "id", required=True),
        Column("name", required=True),
        Column("owner", "id", required=True),
        Column("arr", "money", required=True),
        Column("csm", "id"),
        Column("tier", choices=TIERS),
        Column("region"),
        Column("products", "number", low=0, high=10_000),
        Column("stakeholders", "number", low=0, high=1_000_000),
        Column("complexity", "number", low=0.01, high=100),
        Column("industry"),
        Column("parent_id", "id"),
        Column("lock", "flag"),
        Column("lock_reason"),
        Column("lock_until", "date"),
        Column("renewal_date", "date"),
        Column("owner_since", "date"),
        Column("csm_since", "date"),
        Column("opportunity", "money"),
        Column("health", "number", low=0, high=100),
        Column("language"),
        Column("skills", "tags"),
        Column("grr_forecast", "number", low=0, high=1),
        Column("nrr_forecast", "number", low=0, high=100),
        Column("last_touch", "date"),
        Column("ae_hold_until", "date"),
        Column("assign_to", "id"),
        Column("assign_csm", "id"),
        Column("refused", "tags"),
        Column("refused_csm", "tags"),
        Column("exclude", "flag"),
        Column("exclude_reason"),
        Column("is_global", "flag"),
        Column("gam", "id"),
        Column("sponsor"),
        Column("expansion_arr_12m", "money"),
        Column("contracts", "number", low=0),
        Column("coterminous", "flag"),
        Column("wallet_share", "number", low=0, high=1),
        Column("currency"),
    ),
    key=("account_id",),
    required=True,
)

AMS = Table(
    "ams",
    (
        Column("am_id", "id", required=True),
        Column("name", required=True),
        Column("role"),
        Column("book", choices=BOOK_KINDS),
        Column("tiers", "tags", choices=TIERS),
        Column("region", "tags"),
        Column("language", "tags"),
        Column("skills", "tags"),
        Column("capacity", "number", low=0, high=1_000_000),
        Column("fte", "number", low=0, high=10),
        Column("ramp", "number", low=0, high=1),
        Column("receives", "flag"),
        Column("status", choices=STATUSES),
        Column("starts_on", "date"),
        Column("leaves_on", "date"),
        Column("manager"),
        Column("max_accounts", "number", low=0, high=1_000_000),
        Column("floor", "number", low=0, high=1),
        Column("email"),
        Column("cost", "money"),
    ),
    key=("am_id",),
    required=True,
)

CSMS = Table(
    "csms",
    (
        Column("csm_id", "id", required=True),
        Column("name", required=True),
        Column("capacity", "number", low=0, high=1_000),
        Column("fte", "number", low=0, high=10),
        Column("ramp", "number", low=0, high=1),
        Column("region", "tags"),
        Column("starts_on", "date"),
        Column("leaves_on", "date"),
        Column("regulated", "flag"),
        Column("extra_duties", "flag"),
    ),
    key=("csm_id",),
)

PODS = Table(
    "pods",
    tuple(Column(name, "id", required=True) for name in ("pod_id", "am_id", "csm_id")),
    key=("pod_id", "am_id", "csm_id"),
)

POOLS = Table("pools", tuple(Column(name, "id", required=True) for name in ("pool_id", "am_id")), key=("am_id",))

TOUCHES = Table("touches", _columns("account_id", id="am_id", date="date", text="kind"))
OPPORTUNITIES = Table(
    "opportunities",
    _columns("account_id", text="type stage discovered_by", money="amount forecast", date="close_date"),
)
HISTORY = Table("history", _columns("account_id role", id="from to", date="date"))
QUOTAS = Table("quotas", _columns("am_id period", money="quota actual"))
SPLITS = Table("splits", _columns("account_id am_id", text="role decided_by", number="credit"))
METRICS = Table("metrics", _columns("subject id name", number="value target", date="date"))

TABLES = {
    table.name: table
    for table in (ACCOUNTS, AMS, CSMS, PODS, POOLS, TOUCHES, OPPORTUNITIES, HISTORY, QUOTAS, SPLITS, METRICS)
}


def cell_text(value: object) -> str:
    """One value as the text a CSV would hold: missing is empty, 5.0 is `5`, a list is joined by `;`."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, (list, tuple, set, frozenset, np.ndarray)):
        parts = sorted(value, key=str) if isinstance(value, (set, frozenset)) else list(value)
        return ";".join(cell_text(part) for part in parts)
    if pd.isna(value):  # type: ignore[call-overload]
        return ""
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (datetime, np.datetime64, pd.Timestamp)):
        return pd.Timestamp(value).strftime("%Y-%m-%d")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return number_text(value) if value.is_finite() else str(value)
    if isinstance(value, (float, np.floating)):
        return number_text(Decimal(repr(float(value)))) if np.isfinite(value) else str(value)
    return str(value)


def number_text(value: Decimal) -> str:
    """A decimal without exponent or trailing zeros: `0.20` is `0.2`, `1E+3` is `1000`."""
    text = format(value, "f")
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text


class _Known(dict[tuple[type, object], str]):
    """Texts by type and value, since True equals 1 and is written otherwise."""

    def __missing__(self, key: tuple[type, object]) -> str:
        text = self[key] = cell_text(key[1])
        return text


def to_text(frame: pd.DataFrame) -> pd.DataFrame:
    """A checked table as canonical text: what `rebalancer.reading.convert` reads back to the same values."""
    return pd.DataFrame({name: _texts(frame[name]) for name in frame.columns}, dtype=str)


def _texts(values: pd.Series) -> pd.Series:
    """`cell_text` of every value of a column, worked out once for each distinct one."""
    if isinstance(values.dtype, pd.StringDtype):
        return values.fillna("").str.strip()
    if values.dtype == bool:
        return pd.Series(np.where(values, "true", "false"), index=values.index, dtype=str)
    if isinstance(values.dtype, np.dtype) and values.dtype.kind == "i":
        return values.astype(str)
    if values.dtype == object:
        known = _Known()
        return pd.Series([known[type(value), value] for value in values], index=values.index, dtype=str)
    code, distinct = pd.factorize(values, use_na_sentinel=False)
    return pd.Series([cell_text(value) for value in distinct], dtype=str).take(code).set_axis(values.index)
