"""The rules and the check, which share nothing, admit the very same seats: neither more nor fewer."""

from itertools import product

import pytest
from random_books import Case, random_case

from rebalancer.errors import InvalidInput, NoLegalPlan
from rebalancer.rules import RULES
from rebalancer.rules.formulation import Formulation, formulate
from rebalancer.snapshot import take_snapshot
from rebalancer.verify import Ledger

FIRST, GATE, LONG, BATCH = 150, 250, 450, 50


def differences(case: Case) -> list[str]:
    """Every group whose joint seats differ, with some of those that only one side admits."""
    ledger = Ledger.build(case.book.text_tables(), case.model, case.book.effective_date, case.scope)
    try:
        formulation = formulate(take_snapshot(case.book, case.model, case.scope, case.measure), RULES)
    except NoLegalPlan:  # budgets that contradict fixed seats; seats are not at fault
        return []
    except InvalidInput as error:
        nowhere = {name for group in ledger.groups() if not ledger.options(group) for name in group}
        return [] if all(fault.code == "no_seat" and fault.value in nowhere for fault in error) else [str(error)]
    ours = seats_of(formulation, ledger)
    found = []
    for group in ledger.groups():
        theirs = {tuple(sorted(option.items())) for option in ledger.options(group)}
        parts = [seats for members, seats in ours.items() if set(members) <= set(group)]
        joint = {tuple(sorted(part for one in chosen for part in one)) for chosen in product(*parts)}
        if joint != theirs:
            found.append(f"{group}: rules only {sorted(joint - theirs)[:3]}, check only {sorted(theirs - joint)[:3]}")
    return found


def seats_of(formulation: Formulation, ledger: Ledger) -> dict[tuple[str, ...], set[tuple[tuple[str, object], ...]]]:
    """The joint seats of every group of the rules, by its members. Without pods everybody keeps the CSM it has."""
    snapshot, arcs = formulation.snapshot, formulation.arcs
    csms = [*snapshot.csms.ids, ""]
    joint: dict[int, list[tuple[str, object]]] = {}
    for arc, account, book, csm in zip(arcs.arc, arcs.account, arcs.am, arcs.csm, strict=True):
        known = ledger.accounts[snapshot.accounts.ids[account]]
        csm_id = csms[csm] if snapshot.pods_active else known.csm
        seat = ledger.seat_in(known, snapshot.ams.ids[book]), csm_id
        joint.setdefault(int(arc), []).append((known.account_id, seat))
    found: dict[tuple[str, ...], set[tuple[tuple[str, object], ...]]] = {}
    for placed in joint.values():
        members = tuple(sorted(name for name, _ in placed))
        found.setdefault(members, set()).add(tuple(sorted(placed)))
    return found


@pytest.mark.parametrize("podded", [False, True])
@pytest.mark.parametrize("first", range(FIRST, GATE, BATCH))
def test_what_the_rules_admit_is_what_the_check_admits(first, podded):
    seeds = range(first, first + BATCH)
    assert {seed: found for seed in seeds if (found := differences(random_case(seed, podded=podded)))} == {}


@pytest.mark.long
@pytest.mark.parametrize("podded", [False, True])
@pytest.mark.parametrize("first", range(GATE, LONG, BATCH))
def test_what_the_rules_admit_is_what_the_check_admits_in_many_more_books(first, podded):
    test_what_the_rules_admit_is_what_the_check_admits(first, podded)
