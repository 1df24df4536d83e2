"""A book of 100,000 accounts with a million touches: its audit and scorecard take seconds."""

import time

import numpy as np
import pandas as pd
import pytest

import rebalancer as rb
from rebalancer.insight import audit, scorecard

ACCOUNTS, AMS, TOUCHES, ROWS = 100_000, 2_000, 1_000_000, 400_000
DAY = np.datetime64("2026-08-20")
NAMES = ["account_plan", "ebr", "executive_touch", "advocacy", "nps", "adoption", "value_realized", "open_issues"]
NAMES += ["days_to_resolve", "response_hours", "qbr"]


@pytest.fixture(scope="module")
def large():
    """The book, seeded."""
    draw = np.random.default_rng(0)
    ids = np.array([f"A-{number:06}" for number in range(ACCOUNTS)])
    ams = np.array([f"M-{number:04}" for number in range(AMS)])

    def days(count, back, ahead=0):
        return DAY - draw.integers(-ahead, back, count).astype("timedelta64[D]")

    return rb.Book.from_frames(
        accounts=pd.DataFrame(
            {
                "account_id": ids,
                "name": ids,
                "owner": draw.choice(ams, ACCOUNTS),
                "arr": draw.integers(1_000, 900_000, ACCOUNTS),
                "health": draw.integers(0, 100, ACCOUNTS),
                "sponsor": draw.choice(["Bo", ""], ACCOUNTS),
                "grr_forecast": draw.random(ACCOUNTS).round(2),
                "nrr_forecast": draw.random(ACCOUNTS).round(2),
            }
        ),
        ams=pd.DataFrame({"am_id": ams, "name": ams, "manager": [f"Boss {n % 100}" for n in range(AMS)]}),
        touches=pd.DataFrame(
            {
                "account_id": draw.choice(ids, TOUCHES),
                "date": days(TOUCHES, 800),
                "kind": draw.choice(["call", "email", "qbr", "executive"], TOUCHES),
            }
        ),
        opportunities=pd.DataFrame(
            {
                "account_id": draw.choice(ids, ROWS),
                "type": draw.choice(["renewal", "upsell", "cross_sell", "transformational"], ROWS),
                "amount": draw.integers(1_000, 90_000, ROWS),
                "close_date": days(ROWS, 600, 100),
                "stage": draw.choice(["won", "lost", "open"], ROWS),
                "discovered_by": draw.choice(["AM", "marketing", ""], ROWS),
                "forecast": draw.integers(1_000, 90_000, ROWS),
            }
        ),
        metrics=pd.DataFrame(
            {
                "subject": "account",
                "id": draw.choice(ids, ROWS),
                "name": draw.choice(NAMES, ROWS),
                "value": draw.random(ROWS).round(2),
                "target": draw.random(ROWS).round(2),
                "date": days(ROWS, 500),
            }
        ),
        effective_date="2026-08-20",
    )


@pytest.mark.long
@pytest.mark.parametrize("report", [audit, scorecard])
def test_a_report_on_a_hundred_thousand_accounts_takes_less_than_ten_seconds(large, report):
    started = time.process_time()
    found = report(large)
    assert time.process_time() - started < 10  # on one core, so that other work on the machine does not count
    assert found.missing == ()
