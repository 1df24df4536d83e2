"""Service levels: what every account was owed, what it got, and the shares of accounts that got all they were owed.

The quarter audited is the last full one. The running one is held against the part of it that has passed: of 6 touches
a quarter, 3 are due at half time, and a touch is due only once its whole share of the quarter has passed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pandas as pd

from rebalancer.coverage import Tier
from rebalancer.metrics.attention import attention_frame
from rebalancer.metrics.contacts import Contacts, first_day, months_of, passed, read_contacts
from rebalancer.metrics.readings import Readings, read_metrics
from rebalancer.metrics.tally import Tally, average, share
from rebalancer.quarters import MONTHS, Quarter
from rebalancer.snapshot import Snapshot
from rebalancer.tables import TIERS

DIMENSIONS = ("touches", "qbr", "sponsor", "response", "touched", "touches_running")


@dataclass(frozen=True)
class Service:
    """What each account was owed and got. `frame` has a row per account in the plan; see `service_frame`."""

    frame: pd.DataFrame
    tallies: dict[str, Tally]
    """By dimension (`DIMENSIONS`): the share of accounts that got what they were owed, of those owed something."""
    response_hours: Tally
    attention: pd.DataFrame
    contacts: Contacts
    last: Quarter
    running: Quarter


def service_levels(snapshot: Snapshot) -> Service:
    """Every account's service in the last full quarter and the running one, by the model's `service` section.

    `frame`, in the order of the accounts: account_id, am_id ("" where nobody owns it), tier, arr, then
    touches_owed and touches of the last full quarter; touches_due and touches_running of the running one so far;
    qbr_owed and qbr_held (flags; held within the tier's number of quarters up to the last full one); sponsor_owed,
    sponsor; response_owed and response_hours; last_touch, silent_days, at_least, touched (as in
    `attention.attention_frame`). What is not known is missing.
    """
    day, readings, contacts = snapshot.book.effective_date, read_metrics(snapshot), read_contacts(snapshot)
    running = Quarter.of(day)
    last = running.previous
    attention = attention_frame(snapshot)
    frame = pd.concat([attention[["account_id", "am_id", "tier", "arr"]], _touches(snapshot, contacts, last, running),
                       _qbrs(snapshot, contacts, readings, last), _sponsors(snapshot), _responses(snapshot, readings),
                       attention[["last_touch", "silent_days", "at_least", "touched"]]], axis=1)  # fmt: skip
    hours = average(frame["response_hours"].to_numpy())
    return Service(frame, _tallies(frame), hours, attention, contacts, last, running)


def _owed(snapshot: Snapshot, by_tier: Mapping[Tier, int | None] | Mapping[Tier, Decimal | None]) -> np.ndarray:
    """What the model says for the tier of each account; NaN where it says nothing."""
    said = {str(tier): float(value) for tier, value in by_tier.items() if value is not None}
    table = np.array([said.get(tier, np.nan) for tier in TIERS])
    return table[snapshot.accounts.tier]


def owed_touches(snapshot: Snapshot) -> np.ndarray:
    """Touches a quarter that each account is owed, 0 where its tier has none."""
    return np.nan_to_num(_owed(snapshot, snapshot.model.service.touches_per_quarter))


def _touches(snapshot: Snapshot, contacts: Contacts, last: Quarter, running: Quarter) -> pd.DataFrame:
    """A quarter before the first touch on record is not known."""
    owed = owed_touches(snapshot)
    done, days = passed(running, snapshot.book.effective_date)
    recorded = contacts.first is not None
    counts = {
        name: contacts.between(*months_of(quarter))
        if recorded and contacts.first <= months_of(quarter)[1]  # type: ignore[operator]
        else np.full(len(owed), np.nan)
        for name, quarter in (("touches", last), ("touches_running", running))
    }
    return pd.DataFrame(
        {
            "touches_owed": owed.astype(np.int64),
            "touches": pd.array(counts["touches"], dtype="Int64"),
            "touches_due": owed.astype(np.int64) * done // days,
            "touches_running": pd.array(counts["touches_running"], dtype="Int64"),
        }
    )


def _qbrs(snapshot: Snapshot, contacts: Contacts, readings: Readings, last: Quarter) -> pd.DataFrame:
    """Held: a touch of kind `qbr`, or a row of `metrics` of that name that is not 0."""
    every = _owed(snapshot, snapshot.model.service.qbr_every_quarters)
    held = np.zeros(len(every), dtype=bool)
    end = months_of(last)[1]
    for quarters in np.unique(every[~np.isnan(every)]):
        first = end - MONTHS * int(quarters) + 1
        times = contacts.between(first, end, "qbr") + readings.counts("qbr", first_day(first), last.end)
        held |= (every == quarters) & (times > 0)
    known = contacts.has("qbr", until=end) or readings.recorded("qbr", last.end)
    flags = pd.array(held, dtype="boolean")
    flags[:] = flags if known else pd.NA
    return pd.DataFrame({"qbr_owed": ~np.isnan(every), "qbr_held": flags})


def _sponsors(snapshot: Snapshot) -> pd.DataFrame:
    tiers = np.array([tier in snapshot.model.service.sponsor_tiers for tier in TIERS])
    return pd.DataFrame({"sponsor_owed": tiers[snapshot.accounts.tier], "sponsor": snapshot.frame["sponsor"]})


def _responses(snapshot: Snapshot, readings: Readings) -> pd.DataFrame:
    """The account's own target wins over the tier's."""
    day, within = snapshot.book.effective_date, snapshot.model.scorecard.valid_days
    found = readings.latest("response_hours", day, within)
    tier = _owed(snapshot, snapshot.model.service.response_hours)
    owed = np.where(np.isnan(found.target), tier, found.target)
    return pd.DataFrame({"response_owed": owed, "response_hours": found.value})


def _tallies(frame: pd.DataFrame) -> dict[str, Tally]:
    """Per dimension the accounts that got it, among those that were owed it and of which it is known."""
    flag, number = _flags, _numbers
    touches, running = number(frame["touches"]), number(frame["touches_running"])
    owed, due = number(frame["touches_owed"]), number(frame["touches_due"])
    hours, limit = number(frame["response_hours"]), number(frame["response_owed"])
    named = (frame["sponsor"] != "").to_numpy()
    sponsors = frame["sponsor_owed"].to_numpy() & bool(named.any())
    return {
        "touches": share(touches >= owed, (owed > 0) & ~np.isnan(touches)),
        "qbr": share(flag(frame["qbr_held"]), frame["qbr_owed"].to_numpy() & frame["qbr_held"].notna().to_numpy()),
        "sponsor": share(named, sponsors),
        "response": share(hours <= limit, ~np.isnan(hours) & ~np.isnan(limit)),
        "touched": share(flag(frame["touched"]), frame["touched"].notna().to_numpy()),
        "touches_running": share(running >= due, (due > 0) & ~np.isnan(running)),
    }


def _flags(values: pd.Series) -> np.ndarray:
    return values.fillna(value=False).to_numpy(dtype=bool)


def _numbers(values: pd.Series) -> np.ndarray:
    return values.to_numpy(dtype=np.float64, na_value=np.nan)
