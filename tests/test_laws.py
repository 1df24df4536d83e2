"""Laws that hold for every book, on random ones: what must not change when nothing that matters changes."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from random import Random

import pandas as pd
import pytest
from random_books import Case, proposal_of, random_case

import rebalancer as rb
from rebalancer.coverage import CoverageModel
from rebalancer.verify import Ledger

SEEDS = [*range(25), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(25, 125))]
DECIDING = ("overload", "disruption", "continuity")
ID_COLUMNS = (
    "account_id",
    "owner",
    "csm",
    "parent_id",
    "assign_to",
    "assign_csm",
    "am_id",
    "csm_id",
    "pod_id",
    "pool_id",
)
TAGS_OF_IDS = ("refused", "refused_csm")
KEPT_IDS = ("", "HOLDING")
"""Ids that a renaming leaves alone: none, and the one that models name."""


def solved_again(case: Case, book: rb.Book, model: CoverageModel | None = None) -> rb.Proposal:
    proposal = proposal_of(case, book, model)
    assert proposal is not None
    return proposal


@cache
def solved(seed: int) -> tuple[Case, rb.Proposal] | None:
    """A random case and its proposal, None where some account has no seat."""
    case = random_case(seed, accounts=(4, 14), tight=seed % 2 == 0)
    if (proposal := proposal_of(case)) is None:
        return None
    assert all(level["proof"] is not None for level in proposal.record["levels"] if level["name"] in DECIDING)
    return case, proposal


def values(proposal: rb.Proposal, names: tuple[str, ...] = DECIDING) -> dict[str, int]:
    return {level["name"]: level["value"] for level in proposal.record["levels"] if level["name"] in names}


def rebuilt(case: Case, change: object) -> rb.Book:
    """The case's book with every table passed through `change(name, frame of text)`."""
    tables = {name: change(name, frame.copy()) for name, frame in case.book.text_tables().items()}  # type: ignore[operator]
    return rb.Book.from_frames(**tables, effective_date=case.book.effective_date)


def owners(proposal: rb.Proposal) -> dict[str, tuple[str, str]]:
    plan = proposal.assignments
    return {a: (am, csm) for a, am, csm in zip(plan["account_id"], plan["to_am"], plan["to_csm"], strict=True)}


def test_enough_of_the_random_books_have_a_plan():
    found = [solved(seed) for seed in range(25)]
    assert sum(case is not None for case in found) > 15
    assert sum(case is not None and case[1].legal for case in found) > 6


@pytest.mark.parametrize("seed", SEEDS)
def test_the_order_of_rows_and_columns_changes_nothing(seed):
    if (found := solved(seed)) is None:
        return
    case, proposal = found
    rng = Random(seed)

    def shuffled(_name: str, frame: pd.DataFrame) -> pd.DataFrame:
        columns = rng.sample(list(frame.columns), len(frame.columns))
        return frame.sample(frac=1, random_state=seed)[columns]

    again = solved_again(case, rebuilt(case, shuffled))
    assert owners(again) == owners(proposal)
    assert again.run_id == proposal.run_id


@pytest.mark.parametrize("seed", SEEDS)
def test_renaming_ids_in_the_same_order_keeps_the_plan(seed):
    if (found := solved(seed)) is None:
        return
    case, proposal = found

    def new_name(name: str) -> str:
        return name if name in KEPT_IDS else f"x-{name}"

    def renamed(_name: str, frame: pd.DataFrame) -> pd.DataFrame:
        for column in set(ID_COLUMNS) & set(frame.columns):
            frame[column] = frame[column].map(new_name)
        for column in set(TAGS_OF_IDS) & set(frame.columns):
            frame[column] = frame[column].map(lambda ids: ";".join(map(new_name, ids.split(";"))))
        return frame

    again = solved_again(case, rebuilt(case, renamed))
    expected = {
        f"x-{a}": (f"x-{am}" if am else "", f"x-{csm}" if csm else "") for a, (am, csm) in owners(proposal).items()
    }
    assert owners(again) == expected


@pytest.mark.parametrize("seed", SEEDS)
def test_any_renaming_of_ids_keeps_the_values(seed):
    if (found := solved(seed)) is None:
        return
    case, proposal = found

    def new_name(name: str) -> str:
        return f"{999 - int(name[1:]):03}{name[0]}" if name[1:].isdigit() else name

    def reversed_order(_name: str, frame: pd.DataFrame) -> pd.DataFrame:
        for column in set(ID_COLUMNS) & set(frame.columns):
            frame[column] = frame[column].map(new_name)
        for column in set(TAGS_OF_IDS) & set(frame.columns):
            frame[column] = frame[column].map(lambda ids: ";".join(map(new_name, ids.split(";"))))
        return frame

    assert values(solved_again(case, rebuilt(case, reversed_order))) == values(proposal)


@pytest.mark.parametrize("seed", SEEDS)
def test_more_capacity_never_makes_overload_or_disruption_worse(seed):
    case = random_case(seed, accounts=(4, 14), tight=seed % 2 == 0)
    no_floors = rebuilt(case, lambda _name, frame: frame.assign(floor="") if "floor" in frame else frame)
    if (before := proposal_of(case, no_floors)) is None:
        return

    def roomier(_name: str, frame: pd.DataFrame) -> pd.DataFrame:
        if "fte" in frame:
            frame["fte"] = frame["fte"].map(lambda text: str(1.3 * float(text or 1)))
        return frame

    after = solved_again(case, rebuilt(replace(case, book=no_floors), roomier))
    first, then = values(before), values(after)
    assert (then["overload"], then["disruption"]) <= (first["overload"], first["disruption"])


@pytest.mark.parametrize("seed", SEEDS)
def test_assigning_an_account_to_where_the_plan_put_it_changes_no_value(seed):
    if (found := solved(seed)) is None:
        return
    case, proposal = found
    planned = case.book.accounts["exclude"].ne(True).to_numpy()
    chosen = Random(seed).choice([name for name, kept in zip(owners(proposal), planned, strict=True) if kept])
    to_am = owners(proposal)[chosen][0]

    def assigned(name: str, frame: pd.DataFrame) -> pd.DataFrame:
        if name == "accounts":
            frame.loc[frame["account_id"] == chosen, "assign_to"] = to_am
        return frame

    ams = case.book.ams
    if "leave" in ams[ams["am_id"] == to_am]["status"].tolist():
        return  # it keeps what it holds, and nobody may be assigned to it
    assert values(solved_again(case, rebuilt(case, assigned))) == values(proposal)


@pytest.mark.parametrize("seed", SEEDS)
def test_running_again_on_the_book_as_the_plan_leaves_it_moves_nobody(seed):
    if (found := solved(seed)) is None or not found[1].legal:
        return
    case, proposal = found
    again = solved_again(case, proposal.book_after())
    assert again.status == "no_change"
    assert again.moves.empty
    assert not again.assignments["csm_changed"].any()


@pytest.mark.parametrize("seed", SEEDS)
def test_all_money_times_a_thousand_gives_a_thousand_times_the_value_up_to_rounding(seed):
    case = replace(random_case(seed, accounts=(4, 14), tight=seed % 2 == 0), measure="revenue_at_risk")
    k = 1000
    if (proposal := proposal_of(case)) is None:
        return
    terms = case.model.disruption
    scaled_terms = terms.model_copy(update={"handover": {tier: k * cost for tier, cost in terms.handover.items()}})
    ratios = tuple((k * start, ratio) for start, ratio in case.model.csm.ratios)
    scaled = case.model.model_copy(
        update={
            "tiers": {tier: k * edge for tier, edge in case.model.tiers.items()},
            "disruption": scaled_terms,
            "csm": case.model.csm.model_copy(update={"ratios": ratios}),
        }
    )

    def richer(name: str, frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(arr=frame["arr"].map(lambda text: str(k * int(text)))) if name == "accounts" else frame

    again = solved_again(case, rebuilt(case, richer), scaled)
    first, then = values(proposal), values(again)
    assert then["overload"] == first["overload"]
    assert abs(then["disruption"] - k * first["disruption"]) <= k * len(case.book.accounts)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_plan_is_never_worse_than_doing_nothing(seed):
    if (found := solved(seed)) is None:
        return
    case, proposal = found
    ledger = Ledger.build(case.book.text_tables(), case.model, case.book.effective_date, case.scope)
    today = ledger.today()
    if any(seat not in ledger.legal_seats(account_id) for account_id, seat in today.items()):
        return  # somebody left or has no owner: doing nothing is no plan
    result = values(proposal)
    assert (result["overload"], result["disruption"]) <= (ledger.overload(today), 0) or ledger.overload(today) == 0
    if ledger.overload(today) == 0:
        assert proposal.status == "no_change"


@pytest.mark.parametrize("seed", SEEDS)
def test_locking_an_account_where_the_plan_left_it_changes_no_value(seed):
    if (found := solved(seed)) is None:
        return
    case, proposal = found
    plan = proposal.assignments
    named = case.book.accounts["assign_csm"] != ""
    kept = plan[~plan["moved"] & ~plan["csm_changed"] & ~named]["account_id"].tolist()
    if not kept:
        return
    chosen = Random(seed).choice(kept)

    def locked(name: str, frame: pd.DataFrame) -> pd.DataFrame:
        if name == "accounts":
            frame.loc[frame["account_id"] == chosen, ["lock", "lock_until"]] = ["true", ""]
        return frame

    assert values(solved_again(case, rebuilt(case, locked))) == values(proposal)


@pytest.mark.parametrize("seed", SEEDS)
def test_refusing_others_changes_no_value_and_refusing_where_an_account_goes_is_heeded(seed):
    if (found := solved(seed)) is None:
        return
    case, proposal = found
    ledger = Ledger.build(case.book.text_tables(), case.model, case.book.effective_date, case.scope)
    families = {member for members in ledger.families.values() for member in members}
    free = [name for name, account in ledger.accounts.items() if name not in families and not account.assign_to]
    if not free:
        return
    account, to_am = (chosen := Random(seed).choice(free)), owners(proposal)[chosen][0]
    others = [book_id for book_id in ledger.books if book_id != ledger.book_of(to_am)]

    def refusing(names: list[str]) -> rb.Book:
        def changed(name: str, frame: pd.DataFrame) -> pd.DataFrame:
            if name == "accounts":
                frame["refused"] = frame.get("refused", pd.Series("", index=frame.index))
                frame.loc[frame["account_id"] == account, "refused"] = ";".join(names)
            return frame

        return rebuilt(case, changed)

    already = sorted(ledger.accounts[account].refused)
    assert values(solved_again(case, refusing([*others, *already]))) == values(proposal)
    again = proposal_of(case, refusing([to_am, *already]))
    if again is None or ledger.stays(ledger.accounts[account], to_am):
        return
    assert ledger.book_of(owners(again)[account][0]) != ledger.book_of(to_am)
    assert list(values(again).values())[:2] >= list(values(proposal).values())[:2]
