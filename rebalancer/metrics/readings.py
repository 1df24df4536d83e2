"""The table `metrics` by account, AM and team: the last value up to a day, and what happened in a period."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import numpy as np
import pandas as pd

from rebalancer.metrics.tally import quotient
from rebalancer.people import NONE
from rebalancer.snapshot import Snapshot

SUBJECTS = ("account", "am", "team")
KEPT = ["place", "id", "value", "target", "date"]
NO_DAY = np.datetime64("NaT", "D")
NO_ROWS = pd.DataFrame(
    {"place": np.array([], dtype=np.int64), "id": [], "value": np.array([], dtype=np.float64),
     "target": np.array([], dtype=np.float64), "date": np.array([], dtype="datetime64[s]")}
)  # fmt: skip


class Known(NamedTuple):
    """Value, target and day of each account or book, in its order; NaN and NaT where not known."""

    value: np.ndarray
    target: np.ndarray
    day: np.ndarray


@dataclass(frozen=True)
class Readings:
    """Rows of `metrics` whose subject is in the plan, by subject and name, oldest first; `place` is its number.

    Undated rows come before all dated ones, so that a dated row wins over them. Names and subjects are read in any
    case, with blanks or hyphens for underscores.
    """

    rows: Mapping[tuple[str, str], pd.DataFrame]
    lengths: Mapping[str, int]
    """How many accounts, AMs and teams (managers, then everybody) there are."""

    def of(self, name: str, subject: str) -> pd.DataFrame:
        """The rows of a metric of accounts, AMs or teams: place, value, target and date."""
        return self.rows.get((subject, name), NO_ROWS)

    def latest(self, name: str, day: date, within: int, subject: str = "account", *, undated: bool = True) -> Known:
        """The last value of each, not older than `within` days on `day`; undated ones where `undated` says so.

        Several that stand for one, such as the members of a pool, count with their average.
        """
        rows, end, length = self.of(name, subject), pd.Timestamp(day), self.lengths[subject]
        if rows.empty:
            return Known(np.full(length, np.nan), np.full(length, np.nan), np.full(length, NO_DAY))
        dates = rows["date"]
        fits = (dates <= end) & (dates > end - pd.Timedelta(days=within))
        rows = rows[(fits | (dates.isna() & undated)) & rows["value"].notna()]
        rows = rows.drop_duplicates(["place", "id"], keep="last")
        place = rows["place"].to_numpy()
        last = np.full(length, NO_DAY)
        last[place] = rows["date"].to_numpy().astype("datetime64[D]")
        value, target = (_averages(place, rows[name].to_numpy(), length) for name in ("value", "target"))
        return Known(value, target, last)

    def recorded(self, name: str, end: date) -> bool:
        """Whether a metric of accounts has a row dated up to `end`."""
        return bool((self.of(name, "account")["date"] <= pd.Timestamp(end)).any())

    def counts(self, name: str, start: date, end: date) -> np.ndarray:
        """How often something happened to each account from `start` to `end`, both included.

        A row is one time, or as many as its value says.
        """
        rows = self.of(name, "account")
        if rows.empty:
            return np.zeros(self.lengths["account"])
        rows = rows[(rows["date"] >= pd.Timestamp(start)) & (rows["date"] <= pd.Timestamp(end))]
        times = rows["value"].fillna(1).clip(lower=0).to_numpy()
        return np.bincount(rows["place"].to_numpy(), weights=times, minlength=self.lengths["account"])


def _averages(place: np.ndarray, values: np.ndarray, length: int) -> np.ndarray:
    known = ~np.isnan(values)
    totals = np.bincount(place[known], weights=values[known], minlength=length).astype(np.float64)
    return quotient(totals, np.bincount(place[known], minlength=length))


def read_metrics(snapshot: Snapshot) -> Readings:
    """The rows of `metrics` that are about accounts, AMs (or pools) of the plan, or a team.

    A team is named by its manager, as in `ams.manager`; any other name, or none, means everybody.
    """
    rows = snapshot.book.tables["metrics"].copy()
    for column in ("subject", "name"):
        rows[column] = words(rows[column])
    place = np.full(len(rows), NONE)
    about = {subject: (rows["subject"] == subject).to_numpy() for subject in SUBJECTS}
    place[about["account"]] = places_of_accounts(snapshot, rows.loc[about["account"], "id"])
    place[about["am"]] = snapshot.ams.numbers(rows.loc[about["am"], "id"])
    teams = teams_of(snapshot)
    named = pd.Index(teams).get_indexer(pd.Index(rows.loc[about["team"], "id"]))
    place[about["team"]] = np.where(named == NONE, len(teams), named)
    rows = rows.assign(place=place)[place != NONE]
    rows = rows.sort_values(["date", "value", "target"], kind="stable", na_position="first", ignore_index=True)
    by_name = {(str(key[0]), str(key[1])): part[KEPT] for key, part in rows.groupby(["subject", "name"], sort=False)}
    lengths = (len(snapshot.accounts), len(snapshot.ams), len(teams) + 1)
    return Readings(by_name, dict(zip(SUBJECTS, lengths, strict=True)))


def teams_of(snapshot: Snapshot) -> list[str]:
    """The managers of the books, sorted."""
    return sorted({str(manager) for manager in snapshot.ams.manager if manager})


def places_of_accounts(snapshot: Snapshot, ids: pd.Series) -> np.ndarray:
    """The number of each account in the plan, -1 for any other id."""
    return pd.Index(snapshot.frame["account_id"]).get_indexer(pd.Index(ids))


def words(values: pd.Series) -> pd.Series:
    """Texts as they are compared: any case, blanks and hyphens as underscores; worked out once for each."""
    code, distinct = pd.factorize(values)
    plain = ["_".join(str(text).replace("-", " ").replace("_", " ").casefold().split()) for text in distinct]
    return pd.Series(pd.Series(plain, dtype=str).array.take(code), index=values.index)
