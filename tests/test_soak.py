"""Simulated nights: the checks find what they are there for, and the nights give them nothing to find."""

import json
import random
import shutil
import sys
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))

from benchmarks import books, nights, soak_page  # noqa: E402
from benchmarks.soak import Size, Soak, finish  # noqa: E402
from benchmarks.soak_checks import BookTruth, Checks, Live, triggers_told  # noqa: E402
from benchmarks.soak_truth import TIERS, Clocks, View, cost_of, tier_of, units_of  # noqa: E402
from benchmarks.soak_world import BookWorld, new_book  # noqa: E402
from rebalancer import tables  # noqa: E402
from rebalancer.book import Book  # noqa: E402
from rebalancer.coverage import load_model  # noqa: E402
from rebalancer.insight.trigger_clock import State, advance  # noqa: E402
from rebalancer.nightly.answers import Answer  # noqa: E402
from rebalancer.nightly.baseline import derived_tiers  # noqa: E402
from rebalancer.nightly.recording import Told  # noqa: E402
from rebalancer.plan import resolve_model  # noqa: E402
from rebalancer.snapshot import take_snapshot  # noqa: E402
from rebalancer.store import audit, open_store  # noqa: E402

# The truth: its own arithmetic gives what the package gives


def test_units_and_costs_are_those_of_the_package():
    frames = books.frames(400, 16, 3, books.Shape())
    frames["accounts"] = frames["accounts"].drop(columns=["health", "owner_since", "renewal_date"])
    book = Book.from_frames(**frames, model=books.MODEL, effective_date=books.DAY)
    snapshot = take_snapshot(book, resolve_model(book, None), "repair", "revenue_at_risk")
    rows = list(frames["accounts"].itertuples(index=False))
    tiers = [tier_of(row.arr, None) for row in rows]
    place = [snapshot.accounts.ids.index(row.account_id) for row in rows]
    ours = [
        units_of(tier, row.products, row.stakeholders, round(100 * row.complexity))
        for tier, row in zip(tiers, rows, strict=True)
    ]
    assert ours == snapshot.accounts.units[place].tolist()
    costs = [cost_of(tier, row.arr) for tier, row in zip(tiers, rows, strict=True)]
    assert costs == snapshot.costs.am[place].tolist()


def test_tiers_that_are_held_are_those_of_the_package():
    rng = np.random.default_rng(1)
    arr = np.concatenate([edge * rng.uniform(0.9, 1.1, 200) for edge in (25_000, 100_000, 500_000)]).round().astype(int)
    names = [f"A-{number}" for number in range(len(arr))]
    accounts = pd.DataFrame({"account_id": names, "arr": arr, "tier": ""})
    model = load_model(books.MODEL)
    for before in ({}, *(dict.fromkeys(names, tier) for tier in tables.TIERS)):
        theirs = derived_tiers(accounts, model, before)
        for name, dollars in zip(names, arr.tolist(), strict=True):
            held = TIERS.index(before[name]) if before else None
            assert theirs[name] == TIERS[tier_of(dollars, held)]


def test_the_replay_of_clocks_is_that_of_the_package():
    for seed in range(50):
        rng = random.Random(seed)
        state, ours, day, red = State(), Clocks(), date(2026, 1, 5), set()
        for _ in range(120):
            day += timedelta(days=rng.choice([1, 1, 1, 2, 20]))
            red ^= {am for am in "abc" if rng.random() < 0.08}
            state, events = advance(state, {(am, "units") for am in red}, day)
            assert ours.night(red, day.isoformat()) == sorted((event.am_id, event.what) for event in events)
        theirs: dict[str, list[list[str]]] = {}
        for clock in state.clocks:
            cleared = clock.cleared.isoformat() if clock.cleared else ""
            theirs.setdefault(clock.am_id, []).append(
                [clock.first_red.isoformat(), clock.last_red.isoformat(), cleared]
            )
        assert ours.stretches == theirs


# The checks: each finds what it is there for


def view(**changes):
    """`M-1` is above its trigger by 4 units; each account weighs 3 or more."""
    found = View(
        owner={"A-1": "M-1", "A-2": "M-1", "A-3": "M-1", "A-4": "M-2"},
        units={"A-1": 400, "A-2": 400, "A-3": 600, "A-4": 300},
        cost={"A-1": 1_000, "A-2": 1_020, "A-3": 5_000, "A-4": 900},
        capacity={"M-1": 1_000, "M-2": 1_000, "M-3": 1_000},
        region={"M-1": 0, "M-2": 0, "M-3": 0},
        left=frozenset(),
    )
    return replace(found, **changes)


def live(name="P-1", **moves):
    named = {account.replace("_", "-"): move for account, move in moves.items()}
    return Live(name, "open", {account: (*move.split(" "), "undecided") for account, move in named.items()})


def checked(old, new, now, before=None, decided=(), status="proposed", rejected=None):
    """Kinds of violations and reasons for moves given up, where one proposal follows another."""
    checks = Checks(5, [], [])
    truth = BookTruth(view=before or view(), decided=list(decided), rejected=rejected or {})
    told = Told(Answer("b", "2026-01-10", status), new.proposal_id if new else "", new=True)
    checks._noise("b", truth, now, told, (old, new))
    checks._need("b", now, told)
    if old is not None:
        checks._flapping("b", truth, now, old, new)
    if new is not None:
        checks._proposed("b", truth, now, new)
    return {one["kind"] for one in checks.violations}, {one["reason"] for one in checks.given_up}


OLD, NEW = live(A_1="M-1 M-2"), live("P-2", A_2="M-1 M-3")


def test_a_move_replaced_by_noise_alone_is_flapping():
    noisy = view(cost={**view().cost, "A-1": 1_030, "A-2": 1_000})
    assert checked(OLD, NEW, noisy) == ({"noise", "flapping"}, set())


@pytest.mark.parametrize(
    ("now", "decided", "reason"),
    [
        (view(owner={"A-2": "M-1", "A-3": "M-1", "A-4": "M-1"}), (), "the account is gone"),
        (view(owner={**view().owner, "A-1": "M-3", "A-4": "M-1"}), (), "its owner changed"),
        (view(left=frozenset({"M-2"}), owner={**view().owner, "A-4": "M-3"}), (), "the new AM left"),
        (view(capacity={**view().capacity, "M-2": 500}), (), "a capacity changed"),
        (view(), ("M-1",), "a planner decided"),
        (view(cost={**view().cost, "A-2": 900}, units={**view().units, "A-3": 590}), (), "clearly worse"),
        (view(units={**view().units, "A-4": 700}), (), "the whole was no longer legal"),
    ],
)
def test_a_move_given_up_for_a_reason_is_listed_with_it(now, decided, reason):
    kinds, reasons = checked(OLD, NEW, now, decided=decided)
    assert "flapping" not in kinds
    assert reasons == {reason}


def test_clearly_worse_is_against_the_least_and_not_against_a_plan_that_kept_some():
    dearer = view(cost={**view().cost, "A-1": 1_060, "A-2": 1_020}, capacity={**view().capacity, "M-4": 1_000})
    assert checked(OLD, replace(NEW, least=1_020), dearer, decided=["x"])[0] == {"flapping"}
    assert checked(OLD, replace(NEW, least=1_000), dearer, decided=["x"]) == (set(), {"clearly worse"})


def test_keeping_one_move_for_another_is_no_flapping_where_there_is_room_for_one():
    """`M-2` has room for A-1 or A-5 but not for both, `M-3` for either."""
    more = view(
        owner={**view().owner, "A-5": "M-1"},
        units={"A-1": 400, "A-2": 400, "A-3": 600, "A-4": 300, "A-5": 400},
        cost={**view().cost, "A-5": 1_000},
        capacity={"M-1": 1_000, "M-2": 1_000, "M-3": 1_000},
    )
    old, new = live(A_1="M-1 M-2", A_5="M-1 M-2"), live("P-2", A_1="M-1 M-2", A_5="M-1 M-3")
    assert checked(old, new, more, decided=["x"]) == (set(), {"the whole was no longer legal"})
    neither = live("P-2", A_1="M-1 M-3", A_5="M-1 M-3")
    assert checked(old, neither, more, decided=["x"])[0] == {"flapping"}


def test_a_move_that_could_have_been_kept_only_instead_of_another_is_no_flapping():
    """One move cures `M-1` now; `M-2` has no room for two, and two cost far more than the least."""
    calm = view(
        owner={**view().owner, "A-5": "M-1"},
        units={"A-1": 400, "A-2": 400, "A-3": 200, "A-4": 300, "A-5": 400},
        cost={**view().cost, "A-5": 1_000},
    )
    old, new = live(A_1="M-1 M-2", A_2="M-1 M-3", A_5="M-1 M-2"), live("P-2", A_1="M-1 M-2")
    assert checked(old, new, calm, decided=["x"]) == (set(), {"the whole was no longer legal"})


def test_a_move_that_could_have_been_kept_beside_a_new_one_is_flapping():
    more = view(owner={**view().owner, "A-5": ""}, units={**view().units, "A-5": 100}, cost={**view().cost, "A-5": 700})
    new = live("P-2", A_2="M-1 M-3", A_5=" M-3")
    assert checked(OLD, new, more)[0] == {"flapping"}


def test_a_move_whose_new_am_has_room_is_not_given_up_for_another_who_has_none():
    left = {"A-1": "M-1", "A-2": "M-1", "A-4": "M-2", "A-5": "M-3"}
    leaver = view(owner=left, units={**view().units, "A-4": 700, "A-5": 300}, cost={**view().cost, "A-5": 1},
                  left=frozenset({"M-1"}))  # fmt: skip
    capacity = {"M-1": 1_000, "M-2": 1_000, "M-3": 1_200, "M-4": 700}
    leaver = replace(leaver, capacity=capacity, region=dict.fromkeys(capacity, 0))
    old = live(A_1="M-1 M-2", A_2="M-1 M-3")
    kept, shuffled = live("P-2", A_1="M-1 M-4", A_2="M-1 M-3"), live("P-2", A_1="M-1 M-3", A_2="M-1 M-4")
    assert checked(old, kept, leaver, before=leaver)[1] == {"the whole was no longer legal"}
    assert checked(old, shuffled, leaver, before=leaver, decided=["x"])[0] == {"flapping"}


def test_a_move_given_up_because_its_am_is_below_the_trigger_is_no_flapping():
    cured = view(units={**view().units, "A-3": 200})
    assert checked(OLD, None, cured, status="withdrawn") == (set(), set())


def test_a_proposal_withdrawn_while_its_am_is_triggered_is_flapping():
    assert checked(OLD, None, view(), status="withdrawn")[0] == {"flapping", "not_proposed"}


def test_a_rejected_move_and_an_illegal_plan_are_found():
    rejected = {"A-2 M-3": 1}
    assert checked(None, NEW, view(), decided=("x",), rejected=rejected)[0] == {"rejected"}
    assert checked(None, NEW, view(), decided=("x",), rejected={"A-2 M-3": -90})[0] == set()
    assert checked(None, live("P-2", A_3="M-1 M-2"), view(units={**view().units, "A-4": 500}), decided=("x",))[0] == {
        "illegal"
    }


def test_a_proposal_that_tells_another_price_than_that_of_its_moves_is_found():
    assert checked(None, replace(NEW, price=1_020), view(), decided=("x",))[0] == set()
    assert checked(None, replace(NEW, price=1_021), view(), decided=("x",))[0] == {"price"}
    left = view(left=frozenset({"M-1"}), owner={"A-2": "M-1", "A-3": "M-3", "A-4": "M-2"})
    assert checked(None, replace(NEW, price=1_020), left, decided=("x",))[0] == set()


def test_the_store_is_flat_and_straight_only_where_it_is():
    assert soak_page.flatness([100.0] * 40)["change"] == 0
    assert soak_page.flatness([100.0 + night for night in range(40)])["change"] > soak_page.FLAT
    assert soak_page.line([1000.0 * night for night in range(40)])["halves"] == 1
    assert soak_page.line([float(night**2) for night in range(40)])["halves"] > 2


# The nights


def clean(soak):
    """The record of a simulation, which no check has anything against."""
    record = finish(soak)
    assert soak.violations == []
    return record


def told(soak):
    """What a simulation left behind, but for the id of its store."""
    events, _ = triggers_told(open_store(soak.address), 0)
    truths = [truth.text() for truth in soak.truths]
    left_out = ("seconds", "rss", "workers_rss", "open_files", "store_bytes", "run_bytes")
    figures = [{name: value for name, value in one.items() if name not in left_out} for one in soak.figures]
    return json.dumps([events, truths, figures], sort_keys=True)


def test_a_few_nights_are_as_they_truly_were_and_go_on_where_they_were_killed(tmp_path):
    size = Size(nights=3, books=2, accounts=75, jobs=0, seed=2, busy=4)
    whole = Soak(tmp_path / "whole", size).begin()
    whole.one_night()
    whole.one_night()
    shutil.copytree(whole.folder, tmp_path / "killed")
    whole.one_night()
    assert clean(whole)["outcomes"]
    shutil.copy(whole.folder / "store.db", tmp_path / "killed" / "store.db")  # killed before the state was written
    killed = Soak(tmp_path / "killed", size).begin()
    assert killed.night == 2
    killed.one_night()
    clean(killed)
    assert told(killed) == told(whole)


def test_what_is_kept_of_a_simulation_is_all_of_it(tmp_path):
    world = new_book(1, 1, 60, 8)
    assert BookWorld.of(json.loads(json.dumps(world.text()))) == world
    truth = BookTruth(rejected={"a": 1}, decided=["M"], view=view())
    truth.clocks.night({"M"}, "2026-01-05")
    assert BookTruth.of(json.loads(json.dumps(truth.text()))) == truth


@pytest.mark.long
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_two_weeks_of_nights_are_as_they_truly_were(tmp_path, kind, request):
    size = Size(nights=14, books=4, accounts=120, seed=1, busy=2)
    if kind == "postgresql":
        running = request.getfixturevalue("postgresql")
        database = running.new_database()
        running.run("CREATE ROLE planner LOGIN SUPERUSER")
        size = replace(size, store=running.url(database), approver=running.url(database, "planner"))
    soak = Soak(tmp_path / "soak", size).begin()
    for _ in range(14):
        soak.one_night()
    record = clean(soak)
    assert audit(open_store(soak.address)).ok
    assert record["outcomes"]["proposed"] > 0
    assert record["planners"]["apply"] > 0
    assert record["quiet"]["quiet_open"] > 0
    first, last = soak.figures[4], soak.figures[-1]
    assert last["open_files"] <= first["open_files"]
    assert last["rss"] <= 1.05 * first["rss"]
    assert last["store_bytes"] - first["store_bytes"] <= 8_000 * (last["events"] - first["events"])
    soak_page.write_record(tmp_path / "out", "soak", record)
    assert "| 0 | 0 |" in (tmp_path / "out" / "SOAK.md").read_text(encoding="utf-8")


def test_a_night_on_a_few_books_answers_every_one(tmp_path):
    nights.make_books(tmp_path / "books", 2, accounts=80, ams=4)
    found = nights.one_night(tmp_path / "books", tmp_path / "night", 2, 0)
    assert found["books"] == 2
    assert sum(found["outcomes"].values()) == 2
