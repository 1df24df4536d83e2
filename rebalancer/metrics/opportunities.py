"""Opportunities: what was won of what was decided, how good forecasts were, and who found the expansion."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pandas as pd

from rebalancer.metrics.readings import places_of_accounts, words
from rebalancer.metrics.tally import Sums, Tally, book_codes, group_sum
from rebalancer.people import NONE
from rebalancer.quarters import Quarter
from rebalancer.snapshot import Snapshot

TYPES = ("renewal", "upsell", "cross_sell", "transformational")
EXPANSION = TYPES[1:]
FORECAST_COLUMNS = [
    *("am_id", "quarter", "pipeline", "low", "high", "won_of_it", "in_range"),
    *("forecast", "actual", "actual_from", "accuracy", "quota", "quota_actual"),
]


@dataclass(frozen=True)
class Deals:
    """Opportunities of accounts in the plan, each with the number of its account and of its quarter.

    `rows` has place, quarter (of the close date; -1 undated), type, amount, forecast, won, lost (flags) and found:
    1 by an AM, 0 by somebody else, NaN not said. An opportunity belongs to whoever owns its account today.
    """

    rows: pd.DataFrame
    accounts: int

    def of(self, quarter: Quarter) -> pd.DataFrame:
        """Those that close in a quarter."""
        return self.rows[self.rows["quarter"] == _number(quarter)]

    def conversion(self, quarter: Quarter, kind: str | None = None) -> Tally:
        """Won of won and lost in a quarter, by number, over all types or one."""
        rows = self.of(quarter)
        rows = rows if kind is None else rows[rows["type"] == kind]
        return Tally(self._sum(rows, rows["won"]), self._sum(rows, rows["won"] | rows["lost"]))

    def am_discovered(self, quarter: Quarter) -> Tally:
        """Dollars won with expansion that an AM found, of those won with expansion of which it is said who did."""
        rows = self.of(quarter)
        rows = rows[rows["type"].isin(EXPANSION) & rows["won"] & rows["found"].notna()]
        return Tally(self._sum(rows, rows["amount"] * rows["found"]), self._sum(rows, rows["amount"]))

    def dollars(self, quarter: Quarter) -> dict[str, np.ndarray]:
        """By account, of what closes in the quarter: forecast and won; and of new business, which is all but renewals,
        pipeline (amounts, whatever the stage) and won_of_it.
        """
        rows = self.of(quarter)
        won, new = rows["amount"].where(rows["won"], 0), rows["type"] != TYPES[0]
        weights = {"forecast": rows["forecast"], "won": won, "pipeline": rows["amount"] * new, "won_of_it": won * new}
        return {name: self._sum(rows, weight) for name, weight in weights.items()}

    def _sum(self, rows: pd.DataFrame, weight: pd.Series) -> np.ndarray:
        return np.bincount(rows["place"].to_numpy(), weights=weight.to_numpy(np.float64), minlength=self.accounts)


def read_deals(snapshot: Snapshot) -> Deals:
    """The opportunities of accounts in the plan, with the model's words for won, lost and AMs."""
    table, settings = snapshot.book.tables["opportunities"], snapshot.model.scorecard
    stage = words(table["stage"])
    closes = table["close_date"]
    rows = pd.DataFrame(
        {
            "place": places_of_accounts(snapshot, table["account_id"]),
            "quarter": (closes.dt.year * 4 + closes.dt.quarter - 1).fillna(-1).astype(np.int64),
            "type": words(table["type"]),
            "amount": table["amount"].astype(np.float64),
            "forecast": table["forecast"].astype(np.float64),
            "won": stage.isin(words(pd.Series(settings.won_stages, dtype=str))),
            "lost": stage.isin(words(pd.Series(settings.lost_stages, dtype=str))),
            "found": _found_by_an_am(snapshot, table["discovered_by"]),
        }
    )
    return Deals(rows[rows["place"] != NONE].reset_index(drop=True), len(snapshot.accounts))


def _found_by_an_am(snapshot: Snapshot, who: pd.Series) -> np.ndarray:
    """1 for the model's words for an AM and for ids and names of AMs, 0 for others, NaN where nobody is named."""
    ams = snapshot.book.ams
    names = pd.Series([*snapshot.model.scorecard.am_words, *ams["am_id"], *ams["name"]], dtype=str)
    said = words(who)
    return np.where(said == "", np.nan, said.isin(set(words(names)) - {""}).astype(np.float64))


def conversion_frame(snapshot: Snapshot, deals: Deals, quarter: Quarter) -> pd.DataFrame:
    """One row per book and type: am_id ("" for accounts nobody owns), type, won, lost, conversion (by number),
    amount_won, amount_lost, conversion_by_amount. Books and types without a decided deal have no row.
    """
    rows = deals.of(quarter)
    rows = rows[rows["won"] | rows["lost"]]
    owner = snapshot.accounts.owner[rows["place"].to_numpy()]
    ids = np.array([*snapshot.ams.ids, ""], dtype=object)
    cells = pd.DataFrame(
        {
            "am_id": ids[owner],
            "type": rows["type"].to_numpy(),
            "won": rows["won"].to_numpy().astype(np.int64),
            "lost": rows["lost"].to_numpy().astype(np.int64),
            "amount_won": rows["amount"].where(rows["won"], 0).to_numpy(),
            "amount_lost": rows["amount"].where(rows["lost"], 0).to_numpy(),
        }
    )
    frame = cells.groupby(["am_id", "type"], as_index=False).sum()
    frame.insert(4, "conversion", frame["won"] / (frame["won"] + frame["lost"]))
    dollars = frame["amount_won"] + frame["amount_lost"]
    return frame.assign(conversion_by_amount=(frame["amount_won"] / dollars).where(dollars > 0))


def forecast_frame(snapshot: Snapshot, deals: Deals, quarter: Quarter) -> pd.DataFrame:
    """One row per book, then one for accounts nobody owns (am_id ""): am_id, quarter, pipeline, low, high, won_of_it,
    in_range, forecast, actual, actual_from, accuracy, quota, quota_actual; dollars. See `forecast_columns`.

    The actual is what was won of the opportunities that were forecast; where none of the quarter's opportunities is
    won or lost, it is that of `quotas`.
    """
    count = len(snapshot.ams)
    code = book_codes(snapshot.accounts.owner, count)
    sums = {name: group_sum(code, by_account, count + 1) for name, by_account in deals.dollars(quarter).items()}
    quotas = quotas_of(snapshot, quarter)
    decided = bool((deals.of(quarter)["won"] | deals.of(quarter)["lost"]).any())
    frame = pd.DataFrame({"am_id": [*snapshot.ams.ids, ""], "quarter": str(quarter), **sums}).assign(
        actual=sums["won"] if decided else quotas["quota_actual"],
        actual_from="opportunities" if decided else "quotas",
        **quotas,
    )
    return forecast_columns(frame, snapshot.model.scorecard.forecast_range)


def forecast_columns(frame: pd.DataFrame, spans: tuple[Decimal, Decimal]) -> pd.DataFrame:
    """Rows of dollars with what follows from them, in order.

    pipeline is what new business (all but renewals) closes in the quarter; low and high are the shares `spans` of it,
    and in_range whether won_of_it lies between them. accuracy holds forecast against actual, over all types.
    """
    low, high = (float(share) * frame["pipeline"] for share in spans)
    inside = (frame["won_of_it"] >= low) & (frame["won_of_it"] <= high)
    full = frame.assign(
        low=low,
        high=high,
        in_range=inside.astype(object).where(frame["pipeline"] > 0, None),
        accuracy=forecast_accuracy(frame["forecast"].to_numpy(), frame["actual"].to_numpy()).figure,
    )
    return full[FORECAST_COLUMNS]


def forecast_accuracy(forecast: np.ndarray, actual: np.ndarray) -> Sums:
    """The smaller of forecast and actual over the larger: 1 is a hit, and too high is as wrong as too low.

    Of several books it is the sum of the smaller ones over that of the larger ones, so that one AM's optimism does not
    cancel another's caution. Not known without a forecast.
    """
    known = (forecast > 0) & ~np.isnan(actual)
    smaller, larger = np.minimum(forecast, actual), np.maximum(forecast, actual)
    return Sums(np.where(known, np.maximum(0.0, smaller), 0.0), np.where(known, larger, 0.0))


def quotas_of(snapshot: Snapshot, quarter: Quarter) -> dict[str, np.ndarray]:
    """`quota` and `quota_actual` of each book in a quarter, and of nobody; NaN where `quotas` has no row.

    A blank amount is read as 0, so a quarter in which every actual is 0 has none yet.
    """
    table, count = snapshot.book.tables["quotas"], len(snapshot.ams)
    periods = {text: Quarter.parse(text) == quarter for text in table["period"].unique()}
    rows = table[table["period"].map(periods).astype(bool)] if len(table) else table
    place = snapshot.ams.numbers(rows["am_id"])
    rows, place = rows[place != NONE], place[place != NONE]
    there = np.append(np.bincount(place, minlength=count) > 0, False)
    found = {}
    for name, column in (("quota", "quota"), ("quota_actual", "actual")):
        sums = np.append(group_sum(place, rows[column].to_numpy(np.float64), count), 0.0)
        found[name] = np.where(there & bool((sums != 0).any()), sums, np.nan)
    return found


def _number(quarter: Quarter) -> int:
    return quarter.year * 4 + quarter.number - 1
