"""What is worked out block by block, or once per distinct value, is what working it out in one go gives."""

import numpy as np
import pandas as pd
import pytest
from helpers import formulation_of, messages, snapshot_of
from random_books import random_case

import rebalancer as rb
from rebalancer import links
from rebalancer.rules import RULES, candidates, families
from rebalancer.rules.formulation import formulate
from rebalancer.snapshot import take_snapshot
from rebalancer.tables import cell_text, to_text


def built(seed):
    """All arrays of a random book's problem, None where it has none."""
    case = random_case(seed)
    try:
        formulation = formulate(take_snapshot(case.book, case.model, case.scope, case.measure), RULES)
    except rb.RebalancerError as error:
        return str(error)
    problem, arcs = formulation.problem, formulation.arcs
    columns = (arcs.account, arcs.am, arcs.csm, arcs.arc, arcs.group, problem.arc_seat, problem.arc_book)
    rows = (problem.rows.ptr, problem.rows.arc, problem.rows.weight)
    costs = [level.arc_cost for level in problem.levels]
    return [array.tolist() for array in (*columns, *rows, *costs)]


@pytest.mark.parametrize("seed", range(25))
def test_a_problem_is_the_same_built_account_by_account(seed, monkeypatch):
    whole = built(seed)
    monkeypatch.setattr(candidates, "BLOCK", 1)
    monkeypatch.setattr(families, "BATCH", 1)
    monkeypatch.setattr(links, "BLOCK", 2)
    assert built(seed) == whole


def test_text_of_a_table_is_that_of_each_of_its_cells():
    frame = pd.DataFrame(
        {
            "text": pd.Series([" a ", "", "\u2003b", "NA"], dtype=str),
            "whole": [1, -2, 0, 10**12],
            "number": [1.0, 0.25, np.nan, 1e-7],
            "truth": [True, False, True, True],
            "flag": pd.Series([True, 1, None, False], dtype=object),
            "day": pd.to_datetime(pd.Series(["2026-01-02", None, "1999-12-31", None])).astype("datetime64[s]"),
            "tags": pd.Series([("b", "a"), (), ("a",), ("b", "a")], dtype=object),
            "maybe": pd.array([1, None, 3, 3], dtype="Int64"),
        },
        index=[7, 8, 9, 3],
    )
    expected = pd.DataFrame({name: frame[name].map(cell_text) for name in frame}, dtype=str)
    pd.testing.assert_frame_equal(to_text(frame), expected)


def test_a_fault_in_a_repeated_value_is_told_for_each_row():
    accounts = pd.DataFrame(
        {"account_id": list("abc"), "name": "", "owner": "E-1", "arr": 1, "health": ["x", "5", "x"]}
    )
    ams = pd.DataFrame({"am_id": ["E-1"], "name": [""]})
    found = messages(lambda: rb.Book.from_frames(accounts=accounts, ams=ams))
    assert [fault.partition(", ")[0] for fault in found] == ["accounts row 2", "accounts row 4"]


def test_budgets_of_many_books_are_rows_of_one_table():
    case = random_case(0, accounts=(30, 30), ams=(4, 4))
    overrides = {"budgets": {"lost_per_am": 29, "gained_per_am": 29}}
    rows = formulation_of(case.book, "coverage_units", overrides=overrides).problem.rows
    snapshot = snapshot_of(case.book)
    owners = {snapshot.ams.ids[book] for book in snapshot.accounts.owner[snapshot.owner_present]}
    names = [name for name, rule in zip(rows.names, rows.rules, strict=True) if rule == "budgets"]
    assert names == [*(f"lost:{owner}" for owner in sorted(owners)), *(f"gained:{name}" for name in snapshot.ams.ids)]
