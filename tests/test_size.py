"""The memory plan: what a book will come to is known before it is built, and one that can't fit is told so."""

import numpy as np
import pytest
from helpers import book_of, formulation_of, snapshot_of
from random_books import random_case

import rebalancer as rb
from rebalancer.plan import refuse_too_large
from rebalancer.rules import RULES
from rebalancer.rules.formulation import eligible_books, formulate
from rebalancer.rules.size import BYTES_PER_ACCOUNT, BYTES_PER_ARC, MOST_ARCS, Size, size_of
from rebalancer.snapshot import take_snapshot

ACCOUNTS = "account_id,owner,region\na,E-1,EMEA\nb,E-2,APAC\nc,E-2,"
AMS = "am_id,region\nE-1,EMEA\nE-2,EMEA;APAC\nE-3,APAC"
PODS = {
    "csms": "csm_id\nC-1\nC-2\nC-3",
    "pods": "pod_id,am_id,csm_id\nP-1,E-1,C-1\nP-1,E-1,C-2\nP-2,E-2,C-3",
}


def size(book, *args, **options):
    snapshot = snapshot_of(book, *args, **options)
    return size_of(snapshot, eligible_books(snapshot, RULES))


def test_every_account_counts_the_books_that_suit_it():
    assert size(book_of(ACCOUNTS, AMS)) == Size(accounts=3, books=3, arcs=2 + 2 + 3)
    assert formulation_of(book_of(ACCOUNTS, AMS)).problem.n_arcs == 7


def test_a_locked_account_and_one_with_a_fixed_seat_count_one_seat():
    locked = "account_id,owner,lock,assign_to\na,E-1,true,\nb,E-1,,E-2\nc,E-1,,"
    assert size(book_of(locked)).arcs == 1 + 1 + 2


def test_an_account_with_a_csm_counts_the_csms_of_every_pod():
    accounts = "account_id,owner,csm\na,E-1,C-1\nb,E-1,"
    assert size(book_of(accounts, "am_id\nE-1\nE-2", **PODS), "pods").arcs == (2 + 1) + 2


@pytest.mark.parametrize("seed", range(40))
def test_the_size_is_at_least_what_is_built(seed):
    case = random_case(seed)
    snapshot = take_snapshot(case.book, case.model, case.scope, case.measure)
    try:
        arcs = formulate(snapshot, RULES).problem.n_arcs
    except rb.RebalancerError:
        return
    # a few seats stand beside the eligible ones: today's, and those that a dissolved or split family keeps
    assert arcs <= size_of(snapshot, eligible_books(snapshot, RULES)).arcs + 2 * len(snapshot.accounts)


def test_a_book_that_fits_passes_and_one_that_does_not_says_what_it_takes():
    large = Size(accounts=1_000_000, books=20_000, arcs=20_000_000)
    assert large.bytes == 20_000_000 * BYTES_PER_ARC + 1_000_000 * BYTES_PER_ACCOUNT
    refuse_too_large(large, large.bytes)
    refuse_too_large(large, None)
    with pytest.raises(rb.InvalidInput) as raised:
        refuse_too_large(large, 2 * 2**30)
    (fault,) = raised.value
    assert fault.code == "memory"
    assert "1,000,000 accounts with 20 seats each, of 20,000 books, make 20,000,000 possible" in fault.problem
    assert f"about {large.bytes / 2**30:,.1f} GB, and 2.0 GB may be used" in fault.problem
    assert "region" in fault.cure
    assert "REBALANCER_MEMORY_MB" in fault.cure


def test_more_arcs_than_there_are_numbers_is_refused_on_any_machine():
    with pytest.raises(rb.InvalidInput, match="too large"):
        refuse_too_large(Size(1_000_000, 20_000, MOST_ARCS + 1), None)


def test_a_proposal_asks_before_it_builds(monkeypatch):
    def never(*_):
        raise AssertionError("built before it was asked")

    n = 4_000
    accounts = "account_id,owner\n" + "\n".join(f"a{i},E-{i % 40}" for i in range(n))
    book = book_of(accounts, "am_id\n" + "\n".join(f"E-{i}" for i in range(40)))
    monkeypatch.setenv("REBALANCER_MEMORY_MB", "50")
    monkeypatch.setattr("rebalancer.plan.formulate", never)
    with pytest.raises(rb.InvalidInput, match="does not fit into memory: 4,000 accounts with 40 seats each"):
        rb.propose(book)
    assert np.isclose(size(book).arcs, 40 * n)
