"""Random small books that use every rule, from a seed."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

import pandas as pd

import rebalancer as rb
from rebalancer.coverage import CoverageModel, load_model

DAY = "2026-10-01"
PAST, FUTURE = "2026-09-01", "2027-03-01"
REGIONS = ("North", "South")
TIERS = ("strategic", "enterprise", "mid_market", "smb")
ARR = {
    "strategic": (500_000, 900_000),
    "enterprise": (100_000, 300_000),
    "mid_market": (25_000, 90_000),
    "smb": (0, 20_000),
}


@dataclass
class Case:
    """A book, a model and the options of a run."""

    book: rb.Book
    model: CoverageModel
    scope: str
    measure: str
    overrides: dict[str, Any] = field(default_factory=dict)


def proposal_of(
    case: Case, book: rb.Book | None = None, model: CoverageModel | None = None, **options: Any
) -> rb.Proposal | None:
    """The proposal of a case, None where some account has no seat; any other error is raised."""
    try:
        return rb.propose(
            case.book if book is None else book,
            model or case.model,
            scope=case.scope,
            measure=case.measure,
            workers=1,
            **options,
        )
    except rb.InvalidInput as error:
        if {fault.code for fault in error} != {"no_seat"}:
            raise
        return None


def random_case(
    seed: int, accounts: tuple[int, int] = (3, 12), ams: tuple[int, int] = (2, 4), tight: bool = True
) -> Case:
    """A case from a seed: 3-12 accounts and 2-4 AMs unless said otherwise."""
    rng = Random(seed)
    am_rows = [_am(rng, i) for i in range(rng.randint(*ams))]
    if all(row["status"] == "inactive" or row["leaves_on"] for row in am_rows):
        am_rows[0].update(status="active", leaves_on="")
    csm_rows, pod_rows = _pods(rng, am_rows)
    account_rows = [_account(rng, i, am_rows, csm_rows) for i in range(rng.randint(*accounts))]
    overrides = _overrides(rng, tight, account_rows, am_rows)
    model = load_model(rng.choice(rb.model_names()), overrides)
    book = rb.Book.from_frames(
        accounts=pd.DataFrame(account_rows),
        ams=pd.DataFrame(am_rows),
        csms=pd.DataFrame(csm_rows) if csm_rows else None,
        pods=pd.DataFrame(pod_rows) if pod_rows else None,
        effective_date=DAY,
    )
    scope = rng.choice(("full", "full", "repair"))
    measure = rng.choice(("revenue_at_risk", "revenue_at_risk", "accounts", "units"))
    return Case(book, model, scope, measure, overrides)


def _am(rng: Random, i: int) -> dict[str, str]:
    tiers = rng.sample(TIERS, rng.randint(1, 3)) if rng.random() < 0.25 else []
    return {
        "am_id": f"M{i}",
        "name": f"Manager {i}",
        "role": rng.choice(("", "regular", "regular", "strategic", "junior", "manager", "hunter")),
        "book": rng.choice(("", "", "", "blended", "segmented", "open")),
        "tiers": ";".join(tiers),
        "region": rng.choice(("", "", "", "North", "North;South")),
        "language": rng.choice(("",) * 6 + ("de",)),
        "capacity": rng.choice(("",) * 12 + ("12.5", "40", "60", "0")),
        "fte": rng.choice(("", "", "", "0.5")),
        "ramp": rng.choice(("",) * 4 + ("0.5", "0.33")),
        "receives": rng.choice(("", "", "", "true", "true", "false")),
        "status": rng.choice(("active",) * 12 + ("leave", "inactive")),
        "leaves_on": rng.choice(("",) * 10 + (PAST, FUTURE)),
        "starts_on": rng.choice(("",) * 8 + (PAST, FUTURE)),
        "max_accounts": rng.choice(("",) * 10 + ("1", "3", "6")),
        "floor": rng.choice(("",) * 12 + ("0.1", "0.3")),
        "manager": rng.choice(("", "X", "Y")),
    }


def _pods(rng: Random, ams: list[dict[str, str]]) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    if rng.random() < 0.5:
        return [], []
    csms = [
        {
            "csm_id": f"C{i}",
            "name": f"CSM {i}",
            "capacity": rng.choice(("", "", "0.05", "0.1")),
            "region": rng.choice(("", "", "North", "South")),
            "leaves_on": rng.choice(("",) * 6 + (PAST,)),
            "starts_on": rng.choice(("",) * 6 + (FUTURE,)),
        }
        for i in range(rng.randint(1, 3))
    ]
    pods = [
        {"pod_id": f"P{am['am_id']}", "am_id": am["am_id"], "csm_id": csm["csm_id"]}
        for am in ams
        for csm in rng.sample(csms, rng.randint(0, min(2, len(csms))))
    ]
    return csms, pods


def _account(rng: Random, i: int, ams: list[dict[str, str]], csms: list[dict[str, str]]) -> dict[str, str]:
    tier = rng.choice(TIERS)
    low, high = ARR[tier]
    owner = rng.choice([*[am["am_id"] for am in ams] * 4, ams[0]["am_id"], ams[0]["am_id"], ""])
    fixed = rng.random()
    present = [am["am_id"] for am in ams if am["status"] not in ("inactive", "leave") and am["leaves_on"] != PAST]
    return {
        "account_id": f"A{i:02d}",
        "name": f"Account {i}",
        "owner": owner,
        "csm": rng.choice([*(csm["csm_id"] for csm in csms), ""]) if csms else "",
        "arr": str(rng.randint(low, high)),
        "tier": rng.choice(("", tier)),
        "region": rng.choice(("", "", "North", "North", "South")),
        "language": rng.choice(("",) * 9 + ("de",)),
        "products": rng.choice(("", "1", "3", "8")),
        "stakeholders": rng.choice(("", "2", "6", "10")),
        "complexity": rng.choice(("", "", "1.5", "0.75")),
        "industry": rng.choice(("", "Retail", "Steel")),
        "renewal_date": rng.choice(("", PAST, "2026-11-01", FUTURE)),
        "health": rng.choice(("", "40", "60", "90")),
        "owner_since": rng.choice(("", "2020-02-29", "2025-10-01", "2026-05-01")),
        "lock": "true" if 0.1 < fixed < 0.2 else "",
        "lock_until": rng.choice(("", DAY, PAST)),
        "ae_hold_until": FUTURE if fixed > 0.93 else "",
        "assign_csm": rng.choice(_present(csms)) if 0.2 < fixed < 0.25 and _present(csms) else "",
        "assign_to": rng.choice(present) if (fixed < 0.06 or 0.24 < fixed < 0.26) and present else "",
    }


def _present(csms: list[dict[str, str]]) -> list[str]:
    return [csm["csm_id"] for csm in csms if not csm["leaves_on"]]


def _overrides(rng: Random, tight: bool, accounts: list[dict[str, str]], ams: list[dict[str, str]]) -> dict[str, Any]:
    cap = max(3, round(len(accounts) * rng.choice((6, 12, 25, 60)) * rng.uniform(0.8, 1.2) / len(ams))) if tight else 100
    return {
        "units": {"cap": cap},
        "limits": {"overload_tolerance": 0, "floor": 0},
        "books": {"blended": {"max_accounts": rng.choice((3, 6, 20, 20)), "max_strategic": rng.choice((1, 3, "none"))}},
        "pods": {"continuity": rng.choice(("prefer", "prefer", "never_both", "hard"))},
    }
