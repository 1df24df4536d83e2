"""What it costs to keep an account where it is today: one more proposal with the account fixed, and the difference."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import version

import numpy as np
import pandas as pd

from rebalancer.book import Book
from rebalancer.errors import InvalidInput, NoLegalPlan, NoPlanInTime
from rebalancer.explain.account import row_of
from rebalancer.explain.keeping import CHANGE_COLUMNS, Keeping, LevelChange
from rebalancer.plan import propose
from rebalancer.proposal import Proposal
from rebalancer.snapshot import NONE, Snapshot, take_snapshot

DECIDING = ("overload", "disruption", "continuity")
"""Levels that decide a plan; later ones only break ties."""

TIME_LIMIT = 30.0


def keep(proposal: Proposal, account_id: str, *, time_limit: float = TIME_LIMIT, workers: int | None = None) -> Keeping:
    """What it costs to keep an account with its owner, and its CSM where pods are active.

    Proposes again with the account fixed and the run's own book, model, scope, measure, gap and seed, and takes the
    difference of every level that decides. Raises `UsageError` for an unknown account, `NoPlanInTime`.
    """
    row = row_of(proposal, account_id)
    record = proposal.record
    snapshot = take_snapshot(proposal.book, proposal.model, record["scope"], record["measure"])
    base = Keeping(account_id, str(row["from_am"]), "", "stays", record["measure"], warnings=_warnings(proposal))
    if account_id not in snapshot.accounts.ids:
        return replace(base, answer="left_out", why="it is left out of the plan.")
    place = snapshot.accounts.ids.index(account_id)
    csm = int(snapshot.accounts.csm[place])
    csm_stays = csm != NONE and not snapshot.csm_departed[place]
    base = replace(base, csm_id=snapshot.csms.ids[csm] if csm_stays else "")
    if not snapshot.owner_present[place]:
        why = "it has no owner." if not row["from_am"] else f"its owner {row['from_am']} has left."
        if snapshot.accounts.holds.due[place]:
            why = f"the hold of its AE {row['from_am']} is over."
        return replace(base, answer="nothing_to_keep", why=why, csm_id="")
    if not row["moved"] and (not row["csm_changed"] or not csm_stays):
        also = f" Its CSM {row['from_csm']} has left and cannot be kept." if row["csm_changed"] else ""
        return replace(base, why=f"it stays anyway.{also}")
    named = str(snapshot.frame["assign_to"].iat[place])
    if named not in ("", base.am_id):
        base = replace(base, why=f"The planner assigned it to {named}; keeping it sets that aside.")
    book = _with_fixed_seat(snapshot, place, base)
    return _priced(proposal, base, book, time_limit, workers)


def _warnings(proposal: Proposal) -> tuple[str, ...]:
    made, now = proposal.record["versions"]["rebalancer"], version("rebalancer")
    if made == now:
        return ()
    return (f"the run was made by version {made}, this plan by {now}; propose again for a clean difference.",)


def _with_fixed_seat(snapshot: Snapshot, place: int, base: Keeping) -> Book:
    """The book with the account fixed to its owner and CSM; locked where the owner may not be assigned accounts."""
    accounts = snapshot.book.accounts.copy()
    mine = accounts["account_id"] == base.account_id
    assigned = bool(snapshot.ams.may_be_assigned[snapshot.accounts.owner[place]])
    fixed = {"assign_to": base.am_id if assigned else "", "assign_csm": base.csm_id}
    if not assigned:
        fixed |= {"lock": True, "lock_until": pd.NaT}  # type: ignore[dict-item]
    for column, value in fixed.items():
        accounts[column] = accounts[column].where(~mine, value)
    return replace(snapshot.book, tables={**snapshot.book.tables, "accounts": accounts})


def _priced(proposal: Proposal, base: Keeping, book: Book, time_limit: float, workers: int | None) -> Keeping:
    record = proposal.record
    options = record["options"]
    try:
        kept = propose(
            book,
            proposal.model,
            scope=record["scope"],
            measure=record["measure"],
            time_limit=time_limit,
            gap=options["gap"],
            seed=record["seed"],
            workers=workers,
            reproducible=options["reproducible"],
        )
    except InvalidInput as error:
        return replace(base, answer="impossible", why=" ".join(str(fault) for fault in error))
    except NoLegalPlan as error:
        return replace(base, answer="not_legal", shortages=(str(error),))
    except NoPlanInTime as error:
        raise NoPlanInTime(
            f"no plan that keeps {base.account_id} with {base.am_id} was found: {error} "
            "Give it longer with --time-limit; where a budget leaves no room, none exists."
        ) from None
    return replace(
        base,
        answer="not_legal" if proposal.legal and not kept.legal else "priced",
        levels=tuple(_levels(proposal, kept)),
        changes=_changes(proposal, kept, base.account_id),
        shortages=tuple(kept.record["shortages"]),
        interrupted=kept.record["stopped"] == "interrupt",
    )


def _levels(run: Proposal, kept: Proposal) -> Iterator[LevelChange]:
    """The levels of both; below one that is not proven, bounds hold for other plans and say nothing."""
    known = True
    for name in DECIDING:
        before, after = run.level(name), kept.level(name)
        if before is not None and after is not None:
            run_bound, kept_bound = (before["bound"], after["bound"]) if known else (None, None)
            known = known and before["proof"] is not None and after["proof"] is not None
            yield LevelChange(name, before["value"], after["value"], run_bound, kept_bound, known)


def _changes(run: Proposal, kept: Proposal, account_id: str) -> pd.DataFrame:
    """Accounts of which the two plans differ, but for the one asked for; largest ARR first."""
    both = run.assignments.merge(kept.assignments, on="account_id", suffixes=("_run", "_kept"))
    both = both[both["account_id"] != account_id]
    change = np.select(
        [
            both["moved_kept"] & ~both["moved_run"],
            both["moved_run"] & ~both["moved_kept"],
            both["to_am_run"] != both["to_am_kept"],
            both["to_csm_run"] != both["to_csm_kept"],
        ],
        ["appears", "disappears", "elsewhere", "csm"],
        default="",
    )
    names = {
        "from_am_run": "from_am",
        "to_am_run": "run_to",
        "to_am_kept": "kept_to",
        "to_csm_run": "run_csm",
        "to_csm_kept": "kept_csm",
        "units_run": "units",
        "arr_run": "arr",
    }
    found = both.assign(change=change).rename(columns=names)[CHANGE_COLUMNS]
    found = found[found["change"] != ""]
    return found.sort_values(["arr", "account_id"], ascending=[False, True], ignore_index=True)
