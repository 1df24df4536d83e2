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
REFUSING = 4
"""In every fourth book accounts refuse AMs, pools and CSMs; the others are as they were before there were refusals."""
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
    """The proposal of a case, None where an account has no seat or the budgets are proven to contradict each other."""
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
    except rb.NoLegalPlan:
        return None


def random_case(
    seed: int,
    accounts: tuple[int, int] = (3, 12),
    ams: tuple[int, int] = (2, 4),
    tight: bool = True,
    podded: bool = False,
) -> Case:
    """A case from a seed: 3-12 accounts and 2-4 AMs unless said otherwise.

    `podded` has pods of several CSMs with little room, some of whom have left, families that share an AM and a CSM, and
    many refusals.
    """
    rng = Random(seed)
    am_rows = [_am(rng, i) for i in range(rng.randint(*ams))]
    if all(row["status"] == "inactive" or row["leaves_on"] for row in am_rows):
        am_rows[0].update(status="active", leaves_on="")
    csm_rows, pod_rows = _full_pods(rng, am_rows) if podded else _pods(rng, am_rows)
    account_rows = [_account(rng, i, am_rows, csm_rows) for i in range(rng.randint(*accounts))]
    pool_rows = _pools(rng, am_rows, account_rows)
    (_close_families if podded else _families)(rng, account_rows)
    if seed % REFUSING == 0 or podded:
        _refusals(Random(f"refusals {seed}"), account_rows, [*am_rows, *pool_rows])
        _refusals_of_csms(Random(f"refusals of CSMs {seed}"), account_rows, [row["csm_id"] for row in csm_rows], podded)
    history = _history(rng, account_rows)
    overrides = _overrides(rng, tight, account_rows, am_rows)
    model = load_model(rng.choice(rb.model_names()), overrides)
    book = rb.Book.from_frames(
        accounts=pd.DataFrame(account_rows),
        ams=pd.DataFrame(am_rows),
        csms=pd.DataFrame(csm_rows) if csm_rows else None,
        pods=pd.DataFrame(pod_rows) if pod_rows else None,
        pools=pd.DataFrame(pool_rows) if pool_rows else None,
        history=pd.DataFrame(history) if history else None,
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
        "status": rng.choice(("active",) * 14 + ("leave", "inactive", "open")),
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
    return csms, _pairs(rng, ams, csms, 2)


def _full_pods(rng: Random, ams: list[dict[str, str]]) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    csms = [
        {
            "csm_id": f"C{i}",
            "name": f"CSM {i}",
            "capacity": rng.choice(("", "0.003", "0.01", "0.05", "0.1")),
            "region": rng.choice(("", "", "", "North", "South")),
            "leaves_on": rng.choice(("", "", "", PAST, PAST)),
            "starts_on": rng.choice(("",) * 6 + (FUTURE,)),
        }
        for i in range(rng.randint(2, 4))
    ]
    return csms, _pairs(rng, ams, csms, len(csms))


def _pairs(rng: Random, ams: list[dict[str, str]], csms: list[dict[str, str]], most: int) -> list[dict[str, str]]:
    return [
        {"pod_id": f"P{am['am_id']}", "am_id": am["am_id"], "csm_id": csm["csm_id"]}
        for am in ams
        for csm in rng.sample(csms, rng.randint(0, min(most, len(csms))))
    ]


def _account(rng: Random, i: int, ams: list[dict[str, str]], csms: list[dict[str, str]]) -> dict[str, str]:
    tier = rng.choice(TIERS)
    low, high = ARR[tier]
    owner = rng.choice([*[am["am_id"] for am in ams] * 4, ams[0]["am_id"], ams[0]["am_id"], ""])
    fixed = rng.random()
    present = [am["am_id"] for am in ams if am["status"] in ("active", "open") and am["leaves_on"] != PAST]
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
        "exclude": "true" if rng.random() < 0.04 else "",
        "opportunity": rng.choice(("", "", "", "50000")),
        "lock": "true" if 0.1 < fixed < 0.2 else "",
        "lock_until": rng.choice(("", DAY, PAST)),
        "ae_hold_until": FUTURE if fixed > 0.93 else "",
        "assign_csm": rng.choice(_present(csms)) if 0.2 < fixed < 0.25 and _present(csms) else "",
        "assign_to": rng.choice(present) if (fixed < 0.06 or 0.24 < fixed < 0.26) and present else "",
    }


def _pools(rng: Random, ams: list[dict[str, str]], accounts: list[dict[str, str]]) -> list[dict[str, str]]:
    """Now and then two of the AMs share a pool, which then owns some of the accounts by its own id."""
    if len(ams) < 3 or rng.random() < 0.75:
        return []
    members = rng.sample([am["am_id"] for am in ams], 2)
    for account in accounts:
        if account["owner"] in members and rng.random() < 0.3:
            account["owner"] = "POOL"
    return [{"pool_id": "POOL", "am_id": member} for member in members]


def _families(rng: Random, accounts: list[dict[str, str]]) -> None:
    """Some accounts get a parent: an account before them, or one that is not in the table."""
    often = rng.choice((0, 0, 0.3))
    for index, account in enumerate(accounts):
        account["parent_id"] = ""
        if rng.random() < often:
            earlier = [other["account_id"] for other in accounts[max(0, index - 3) : index]]
            account["parent_id"] = rng.choice([*earlier, "HOLDING"])


def _close_families(rng: Random, accounts: list[dict[str, str]]) -> None:
    """Families whose members mostly share their AM and their CSM."""
    often = rng.choice((0.2, 0.5))
    for index, account in enumerate(accounts):
        account["parent_id"] = ""
        if index and rng.random() < often:
            parent = rng.choice(accounts[max(0, index - 3) : index])
            account["parent_id"] = parent["account_id"]
            if rng.random() < 0.8:
                account.update(owner=parent["owner"], csm=parent["csm"])


def _refusals(rng: Random, accounts: list[dict[str, str]], people: list[dict[str, str]]) -> None:
    """Some accounts refuse somebody, now and then their owner; never the AM that the planner assigned them to."""
    ids = sorted({row.get("pool_id", row["am_id"]) for row in people} | {row["am_id"] for row in people})
    often = rng.choice((0.2, 0.5))
    for account in accounts:
        named = rng.sample([*ids, "GHOST"], rng.randint(1, 2)) if rng.random() < often else []
        if account["assign_to"]:
            named = [account["owner"]] if named and account["assign_to"] == account["owner"] else []
        account["refused"] = ";".join(named)


def _refusals_of_csms(rng: Random, accounts: list[dict[str, str]], ids: list[str], many: bool) -> None:
    """Some accounts refuse a CSM, now and then their own; none that the planner gave one."""
    often = rng.choice((0.3, 0.6))
    for account in accounts:
        most = len(ids) if many else 2
        named = rng.sample([*ids, "GHOST"], rng.randint(1, most)) if ids and rng.random() < often else []
        account["refused_csm"] = "" if account["assign_csm"] else ";".join(named)


def _history(rng: Random, accounts: list[dict[str, str]]) -> list[dict[str, str]]:
    return [
        {"account_id": account["account_id"], "role": rng.choice(("am", "csm", "")), "from": "", "to": "", "date": day}
        for account in accounts
        for day in rng.sample(("2026-04-01", "2026-04-02", "2026-08-15", "2027-01-01"), 1)
        if rng.random() < 0.15
    ]


def _present(csms: list[dict[str, str]]) -> list[str]:
    return [csm["csm_id"] for csm in csms if not csm["leaves_on"]]


def _overrides(rng: Random, tight: bool, accounts: list[dict[str, str]], ams: list[dict[str, str]]) -> dict[str, Any]:
    cap = (
        max(3, round(len(accounts) * rng.choice((6, 12, 25, 60)) * rng.uniform(0.8, 1.2) / len(ams))) if tight else 100
    )
    return {
        "units": {"cap": cap},
        "limits": {"overload_tolerance": 0, "floor": 0},
        "books": {"blended": {"max_accounts": rng.choice((3, 6, 20, 20)), "max_strategic": rng.choice((1, 3, "none"))}},
        "pods": {"continuity": rng.choice(("prefer", "prefer", "never_both", "hard"))},
        "families": {"mode": rng.choice(("together", "together", "free")), "free": rng.choice(([], ["HOLDING"]))},
        "pools": {"only": rng.choice(([], ["smb"]))},
        "fatigue": {"quarters": rng.choice(("none", 2))},
        "headcount": {"open": rng.random() < 0.5},
        "locks": rng.choice(({}, {}, {}, {"renewal_days": 90}, {"health_below": 50}, {"open_opportunity": True})),
        "budgets": _budgets(rng),
        "fairness": {"loss_share": rng.choice(("none", "none", 0.2))},
    }


def _budgets(rng: Random) -> dict[str, Any]:
    """Mostly none; else one budget, tight enough to bind."""
    if rng.random() < 0.7:
        return {}
    one = rng.choice(("accounts", "arr", "share", "lost_per_am", "gained_per_am", "per_tier"))
    limits = {
        "accounts": rng.randint(0, 3),
        "arr": rng.choice((0, 100_000, 700_000)),
        "share": rng.choice((0, 0.1, 0.5)),
        "lost_per_am": rng.randint(0, 2),
        "gained_per_am": rng.randint(0, 2),
        "per_tier": {rng.choice(TIERS): rng.randint(0, 1)},
    }
    return {one: limits[one]}
