"""The practice of coverage as a whole: what the page names is there, figures reconcile, and each is computed once."""

import ast
import re
import time
from pathlib import Path

import click
import numpy as np
import pandas as pd
import pytest
from large_books import full_book
from random_books import proposal_of, random_case

import rebalancer as rb
from rebalancer import insight
from rebalancer.cli import COMMANDS, cli
from rebalancer.tables import TIERS

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "practice.md"
SAMPLE = ROOT / "data" / "sample"
PRACTICES = 11
"""Parts of the practice, each of which has a row on the page."""


@pytest.fixture(scope="module")
def book():
    return rb.load_book(SAMPLE)


# The page


def rows():
    """Number, practice, commands, library calls and tests of every row of the page's table."""
    found = [re.split(r"(?<!\\)\|", line)[1:-1] for line in PAGE.read_text("utf-8").splitlines()]
    cells = [[cell.strip() for cell in row] for row in found if len(row) == 5]
    return [row for row in cells if re.match(r"\d+ ", row[0])]


def quoted(cell):
    return re.findall(r"`([^`]+)`", cell)


def test_every_part_of_the_practice_has_its_rows():
    assert sorted({int(row[0].split()[0]) for row in rows()}) == list(range(1, PRACTICES + 1))


@pytest.mark.parametrize("call", sorted({call for row in rows() for call in quoted(row[2])}))
def test_every_command_on_the_page_is_one_with_these_options(call):
    program, name, *rest = call.split()
    assert program == "rebalancer"
    command = cli.get_command(click.Context(cli), name)
    assert name in COMMANDS
    if isinstance(command, click.Group):
        command = command.commands[rest.pop(0)]
    declared = {name for option in command.params if isinstance(option, click.Option) for name in option.opts}
    assert {word for word in rest if word.startswith("-")} <= declared


@pytest.mark.parametrize("call", sorted({call for row in rows() for call in quoted(row[3])}))
def test_every_library_call_on_the_page_is_there(call):
    place = {"rb": rb, "insight": insight}
    first, *parts = call.split(".")
    found = place[first]
    for part in parts:
        found = getattr(found, part)
    assert callable(found)
    assert found.__doc__


def defined_in(file):
    tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("name", sorted({name for row in rows() for name in quoted(row[4])}))
def test_every_test_on_the_page_is_there(name):
    file, test = name.split("::")
    assert test in defined_in(file)


def test_every_row_names_a_call_and_a_test():
    assert [row[1] for row in rows() if not (quoted(row[3]) and quoted(row[4]))] == []


# Figures reconcile


SHARED = {"utilization": "utilization", "band": "band", "units": "units", "accounts": "accounts", "arr": "arr"}


def assert_same_books(heat, books, when):
    """The heatmap of a book, and the side of `books.csv` that shows it."""
    heat, books = heat.set_index("am_id"), books.set_index("am_id")
    assert set(heat.index) == set(books.index)
    assert (heat["capacity"][books.index] == books["capacity"]).all()
    for ours, theirs in SHARED.items():
        both = heat[ours][books.index], books[f"{theirs}_{when}"]
        assert both[0].equals(both[1].astype(both[0].dtype)), ours


def assert_totals(assignments, books, when, column):
    """Units, accounts and ARR of every book are the sums over its accounts."""
    sums = assignments.groupby(column).agg(units=("units", "sum"), accounts=("units", "size"), arr=("arr", "sum"))
    sums = sums.reindex(books["am_id"]).fillna(0)
    for name in ("units", "accounts", "arr"):
        np.testing.assert_allclose(sums[name].to_numpy(), books[f"{name}_{when}"].to_numpy(), atol=1e-6, err_msg=name)
    used = books[f"units_{when}"] / books["capacity"].where(books["capacity"] > 0)
    np.testing.assert_allclose(used.round(4), books[f"utilization_{when}"].to_numpy(), atol=1e-9)


def in_the_plan(book, assignments):
    """Assignments without excluded accounts, each owner by the book it shares: its pool's, else its own."""
    out = set(book.accounts.loc[book.accounts["exclude"].eq(True), "account_id"])
    pools = dict(zip(*(book.tables["pools"][name] for name in ("am_id", "pool_id")), strict=True))
    seats = {side: assignments[side].map(lambda am: pools.get(am, am)) for side in ("from_am", "to_am")}
    return assignments.assign(**seats)[~assignments["account_id"].isin(out)]


@pytest.mark.parametrize("seed", range(12))
def test_the_heatmap_reconciles_with_books_csv_before_and_after(seed, tmp_path):
    case = random_case(seed, accounts=(6, 20))
    if (proposal := proposal_of(case)) is None:
        return
    proposal.write(str(tmp_path / "run"))
    planned = in_the_plan(case.book, proposal.assignments)
    books = proposal.books
    assert_same_books(rb.heatmap(case.book, case.model), books, "before")
    assert_totals(planned, books, "before", "from_am")
    assert_totals(planned, books, "after", "to_am")
    written = pd.read_csv(tmp_path / "run" / "books.csv", dtype=str, keep_default_na=False)
    assert written["am_id"].tolist() == books["am_id"].tolist()
    for name in ("units_before", "units_after", "utilization_before", "utilization_after", "arr_after"):
        np.testing.assert_allclose(pd.to_numeric(written[name]), books[name])


def test_the_heatmap_of_the_book_after_a_plan_is_what_the_plan_said(book):
    proposal = rb.propose(book, time_limit=30, workers=1)
    assert_same_books(rb.heatmap(book), proposal.books, "before")
    assert_same_books(rb.heatmap(proposal.book_after()), proposal.books, "after")


def test_the_groups_of_the_heatmap_add_up_to_its_books(book):
    heat = insight.heatmap_report(book)
    for by in ("manager", "region", "tier"):
        groups = heat.by(by)
        assert groups["units"].sum() == pytest.approx(heat.books["units"].sum())
        assert groups["accounts"].sum() == heat.books["accounts"].sum()
        assert groups["arr"].sum() == heat.books["arr"].sum()


def test_the_tiers_of_every_book_partition_its_accounts(book):
    heat = rb.heatmap(book)
    assert (heat[list(TIERS)].sum(axis=1) == heat["accounts"]).all()


def test_touch_classes_partition_the_accounts_and_shares_sum_to_one(book):
    found = insight.touch_model(book)
    assert sorted(found.accounts["account_id"]) == sorted(
        book.accounts.loc[book.accounts["exclude"].ne(True), "account_id"]
    )
    by_book = found.shares.groupby("am_id")
    counted = found.accounts.groupby("am_id").size()
    assert by_book["accounts"].sum().to_dict() == counted.to_dict()
    for share in ("account_share", "time_share"):
        np.testing.assert_allclose(by_book[share].sum(), 1)


def test_audit_heatmap_and_triggers_tell_the_same_silence(book):
    heat = rb.heatmap(book).set_index("am_id")
    audit = insight.audit(book).ams.set_index("am_id")
    common = heat.index.intersection(audit.index)
    assert len(common) == len(heat)
    assert (
        heat["unattended_days"][common].astype("Int64").fillna(-1) == audit["unattended_days"][common].fillna(-1)
    ).all()
    silent = insight.triggers(book).triggers.query("reason == 'silence'")
    assert set(silent["am_id"]) == set(heat.index[heat["silent_key_accounts"].fillna(0) > 0])


def test_red_books_are_those_that_fire_on_units(book):
    heat = rb.heatmap(book)
    fired = insight.triggers(book).triggers.query("reason == 'units'")
    assert set(fired["am_id"]) == set(heat.loc[heat["band"] == "red", "am_id"])


# Computed once


ELSEWHERE = {
    "metrics",  # the place
    "verify",  # counts again on purpose, with nothing of metrics
    "coverage",  # declares the settings
    "engine",  # knows no books
}
RAW = {"touches", "opportunities", "quotas", "metrics"}
"""Tables that only figures are made of."""

SIGNALS = {"last_touch", "grr_forecast", "nrr_forecast"}
"""Columns of accounts that only figures are made of."""


def sources():
    for file in sorted((ROOT / "rebalancer").rglob("*.py")):
        layer = file.relative_to(ROOT / "rebalancer").parts[0].removesuffix(".py")
        if layer not in ELSEWHERE:
            yield layer, file, ast.parse(file.read_text(encoding="utf-8"))


def lines(found):
    return [f"{file.relative_to(ROOT).as_posix()}:{node.lineno}: {ast.unparse(node)}" for file, node in found]


def test_bands_are_decided_in_metrics_alone():
    assert not lines(
        (file, node)
        for _, file, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        if node.attr in ("green_below", "red_above") or ast.unparse(node).endswith("model.bands")
    )


def test_nobody_else_divides_by_a_capacity():
    """The rule `balance` weighs whole cohorts, which is no figure of a book."""
    assert not lines(
        (file, node)
        for _, file, tree in sources()
        if file.name != "balance.py"
        for node in ast.walk(tree)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div | ast.FloorDiv)
        if "capacity" in ast.unparse(node.right)
    )


def test_retention_and_silence_are_read_from_accounts_in_metrics_alone():
    """What is read elsewhere are columns of the frames that metrics made."""
    assert not lines(
        (file, node)
        for _, file, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant)
        if node.slice.value in SIGNALS and ast.unparse(node.value).endswith(("snapshot.frame", "book.accounts"))
    )


def values_read(tree):
    """Tables of a book from which a value is taken, not merely asked when it begins."""
    for node in ast.walk(tree):
        of_table = isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith(".tables")
        if of_table and isinstance(node.slice, ast.Constant) and node.slice.value in RAW:
            yield node


LOOKED_AT = {
    "service.py",  # since when touches are on record
    "programme.py",  # which figures the book has at all
    "splits.py",  # the quota of a person, beside what a proposal does to his credit
}


def test_touches_deals_quotas_and_figures_are_read_in_metrics_alone():
    found = [(file, node) for _, file, tree in sources() for node in values_read(tree)]
    assert not lines((file, node) for file, node in found if file.name not in LOOKED_AT)


def test_thresholds_of_triggers_are_compared_in_metrics_alone():
    """Elsewhere they are only told."""
    names = {"silent_days", "touched_days", "grr_below", "trigger"}
    assert not lines(
        (file, node)
        for _, file, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare)
        for part in (node.left, *node.comparators)
        if isinstance(part, ast.Attribute) and part.attr in names and "model" in ast.unparse(part)
    )


# Size


SECONDS = 10
REPORTS = {
    "heatmap": lambda book: insight.heatmap_report(book),
    "groups": lambda book: [insight.heatmap_report(book).by(by) for by in ("manager", "region", "tier")],
    "triggers": lambda book: insight.triggers(book),
    "audit": lambda book: insight.audit(book),
    "scorecard": lambda book: insight.scorecard(book),
    "touch_model": lambda book: insight.touch_model(book),
    "size": lambda book: insight.size(book),
    "holds": lambda book: insight.holds(book),
    "programme": lambda book: insight.programme(book),
    "diagnose": lambda book: insight.diagnose(book, book.ams["am_id"].iloc[1]),
    "calibrate": lambda book: insight.calibrate(book, source="touches"),
}


@pytest.fixture(scope="module")
def large():
    """100,000 accounts, 2,000 AMs, a million touches."""
    return full_book(100_000, 2_000, 1_000_000)


@pytest.mark.long
@pytest.mark.parametrize("name", REPORTS)
def test_a_report_on_100000_accounts_takes_less_than_ten_seconds(name, large):
    started = time.perf_counter()
    REPORTS[name](large)
    assert time.perf_counter() - started < SECONDS


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_on_a_small_book_of_the_same_kind_is_made(name):
    assert REPORTS[name](full_book(300, 40, 2_000)) is not None
