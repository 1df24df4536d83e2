"""The certificate: bounds that hold whatever the multipliers, and the knapsacks behind them."""

from __future__ import annotations

import io
import itertools
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_books import book_of

import rebalancer as rb
from rebalancer.certificate import SCALE, Multipliers, bound, proven, relaxation
from rebalancer.certificate_file import from_bytes, to_bytes
from rebalancer.engine import compiled
from rebalancer.engine.bound import Ascent
from rebalancer.engine.outcome import Options, Stop
from rebalancer.engine.search import solve
from rebalancer.knapsack import knapsack
from rebalancer.problem import HARD, NO_LIMIT, Gates, Level, Problem, Rows
from rebalancer.recheck import recheck

BOOKS = 2_000
BATCH = 250


def random_problem(seed):
    """Few groups, seats in three books or in none, knapsacks, shared rows, floors and budgets, hard and elastic."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 5, rng.integers(1, 6))
    n = int(counts.sum())
    group = np.repeat(np.arange(len(counts)), counts)
    book = rng.integers(-1, 3, n)
    overload, disruption = 0, 1
    lines = []
    for number in range(3):
        inside = np.flatnonzero((book == number) | ((book == -1) & (rng.random(n) < 0.4)))
        if (book[inside] == number).any():
            weight = rng.integers(0, 12, len(inside))
            lines.append((inside, weight, -NO_LIMIT, int(rng.integers(0, 20)), overload, int(rng.integers(1, 9))))
    for _ in range(rng.integers(0, 3)):
        inside = np.flatnonzero(rng.random(n) < 0.6)
        weight = rng.integers(-2 if rng.random() < 0.2 else 0, 9, len(inside))
        level = int(rng.choice([HARD, overload, disruption]))
        lo = int(rng.integers(0, 6)) if rng.random() < 0.3 else -NO_LIMIT
        hi = int(rng.integers(6, 25)) if lo == -NO_LIMIT or rng.random() < 0.5 else NO_LIMIT
        lines.append((inside, weight, lo, hi, level, int(rng.integers(1, 9))))
    lines = [line for line in lines if len(line[0])]
    gates = Gates(("gate",), np.array([0, 1]), np.array([int(rng.integers(0, n))])) if rng.random() < 0.2 else Gates()
    cost = rng.integers(0, 40, n)
    gate_cost = rng.integers(0, 5, len(gates))
    first = np.cumsum(counts) - counts
    return Problem(
        groups=tuple(f"g{number}" for number in range(len(counts))),
        seats=("seat",),
        arc_group=group,
        arc_seat=np.zeros(n, dtype=np.int64),
        arc_book=book,
        today=first + rng.integers(0, counts),
        rows=Rows(
            tuple(f"r{number}" for number in range(len(lines))),
            ("rule",) * len(lines),
            np.concatenate([[0], np.cumsum([len(line[0]) for line in lines])]).astype(np.int64),
            np.concatenate([np.zeros(0, np.int64), *(line[0] for line in lines)]).astype(np.int64),
            np.concatenate([np.zeros(0, np.int64), *(line[1] for line in lines)]).astype(np.int64),
            *(np.array([line[place] for line in lines], dtype=np.int64) for place in (2, 3, 4, 5)),
        ),
        gates=gates,
        levels=(
            Level("overload", np.zeros(n, np.int64), np.zeros(len(gates), np.int64)),
            Level("disruption", cost, gate_cost),
        ),
    )


def every_plan(problem):
    """The values of all complete plans."""
    first = np.searchsorted(problem.arc_group, np.arange(len(problem.groups) + 1))
    arcs = [range(start, end) for start, end in itertools.pairwise(first)]
    plans = (np.array(choice) for choice in itertools.product(*arcs))
    return [(plan, problem.values(plan)) for plan in plans if problem.is_complete(plan)]


def random_multipliers(problem, rng, kept, copies):
    sizes = (len(problem.groups), len(problem.rows), kept, copies)
    return Multipliers(*(np.rint(rng.normal(0, 15, size) * SCALE).astype(np.int64) for size in sizes))


def tasks(plans):
    """Level, what is kept, and whether only legal plans count, for each question that a search asks."""
    least = min(values[0] for _, values in plans)
    yield 0, (), False
    yield 1, ((0, least + 3),), False
    if least == 0:
        yield 1, (), True


@pytest.mark.parametrize("first", range(0, BOOKS, BATCH))
def test_no_plan_is_below_the_bound_of_any_multipliers(first):
    """Brute force over all plans of each problem: multipliers drawn at random, and those that an ascent finds."""
    reached = asked = deeper = 0
    for seed in range(first, first + BATCH):
        problem, rng = random_problem(seed), np.random.default_rng(seed)
        plans = every_plan(problem)
        for level, within, legal in tasks(plans) if plans else ():
            allowed = [
                values[level]
                for _, values in plans
                if (not legal or values[0] == 0) and all(values[k] <= most for k, most in within)
            ]
            ascent = Ascent(problem, level, within, legal)
            ascent.climb(60, Stop(), float("inf"))
            climbed = ascent.dual().bound
            if ascent.deepens:
                deep = ascent.deepened()
                deep.climb(60, Stop(), float("inf"))
                deeper += deep.dual().bound > climbed
                climbed = max(climbed, deep.dual().bound)
            relaxed = relaxation(problem, level, within, legal)
            drawn = bound(relaxed, random_multipliers(problem, rng, len(within), len(relaxed.copy_row)))
            assert max(climbed, drawn) <= min(allowed), (seed, level)
            reached += climbed == min(allowed)
            asked += 1
    assert reached > asked / 3
    assert deeper > 0


def test_a_dearer_arc_is_ruled_out_only_where_every_plan_with_it_is_dearer():
    """Loss plus doubt: a plan that takes the arc costs at least the bound and the loss less the doubt."""
    for seed in range(300):
        problem = random_problem(seed)
        plans = [(plan, values) for plan, values in every_plan(problem) if values[0] == 0]
        if not plans:
            continue
        ascent = Ascent(problem, 1, (), True)
        ascent.climb(60, Stop(), float("inf"))
        for climbed in (ascent, ascent.deepened()) if ascent.deepens else (ascent,):
            climbed.climb(60, Stop(), float("inf"))
            dual = climbed.dual()
            for plan, values in plans:
                assert (climbed.best_value + dual.loss[plan] - dual.doubt[plan] <= values[1]).all(), seed


def fast_knapsack(profit, weight, capacity, price):
    """The value that the ascent's own knapsack finds, which its choice has to have."""
    taken = np.zeros(len(profit), dtype=bool)
    value, _, _ = compiled._knapsack(profit.astype(float), weight, capacity, float(price), 0.0, taken)
    used = int(weight[taken].sum())
    assert price >= 0 or used <= max(0, capacity)
    paid = max(0, price) * max(0, used - capacity)
    assert value == pytest.approx(int(profit[taken].sum()) - paid)
    return round(value)


@given(
    st.lists(st.tuples(st.integers(-5, 60), st.integers(0, 20)), max_size=9)
    | st.lists(st.tuples(st.integers(-5, 60), st.sampled_from([3, 5, 8])), max_size=9),
    st.integers(-3, 60),
    st.sampled_from([-1, 0, 1, 3, 8]),
)
@settings(max_examples=400, deadline=None)
def test_a_knapsack_is_the_best_of_all_choices(items, capacity, price):
    best = None
    for choice in itertools.product((0, 1), repeat=len(items)):
        profit = sum(gain for (gain, _), taken in zip(items, choice, strict=True) if taken)
        weight = sum(need for (_, need), taken in zip(items, choice, strict=True) if taken)
        if price < 0 and weight > max(0, capacity):
            continue
        value = profit - max(0, price) * max(0, weight - capacity)
        best = value if best is None else max(best, value)
    profit, weight = (np.array([item[place] for item in items], dtype=np.int64) for place in (0, 1))
    assert knapsack(profit, weight, capacity, price) == best
    assert fast_knapsack(profit, weight, capacity, price) == best


def test_a_knapsack_too_large_to_be_exact_is_never_too_low():
    """The linear relaxation stands in for a dynamic programme of more cells than memory should hold."""
    weight = np.arange(1, 400, dtype=np.int64) * 1_000_003
    profit = weight * 3 + np.arange(399) % 7
    capacity = int(weight.sum()) // 2
    value = knapsack(profit, weight, capacity, -1)
    assert 3 * (capacity - int(weight.max())) < value <= 3 * capacity + 7 * 399 + 10


def test_costs_beyond_exact_numbers_prove_nothing():
    problem = random_problem(3)
    huge = Multipliers(np.full(len(problem.groups), 2**62), *(np.zeros(n, np.int64) for n in (len(problem.rows), 0)))
    assert bound(relaxation(problem, 1, (), True), huge) is None


def test_the_engine_claims_what_its_certificate_proves():
    compared = 0
    for seed in range(60):
        problem = random_problem(seed)
        if not every_plan(problem):
            continue
        outcome = solve(problem, Options(time_limit=5, workers=1))
        for certificate in outcome.certificates:
            level = outcome.level(certificate.level)
            assert level.certificate_bound == proven(problem, outcome.chosen, certificate)
            compared += 1
    assert compared > 50


# Files


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A run directory, and the bound its record claims."""
    place = tmp_path_factory.mktemp("certified") / "run"
    proposal = rb.propose(book_of(), time_limit=5)
    proposal.write(str(place))
    return place, proposal.level("disruption")


def test_the_bound_of_a_run_is_recomputed_from_its_inputs(written):
    place, claimed = written
    again = recheck(place)
    assert again.violations == ()
    assert (again.value, again.bound) == (claimed["value"], claimed["certificate_bound"])
    assert again.text().startswith(f"No legal plan costs less than ${again.bound:,} at risk")


def test_a_certificate_file_is_the_same_whenever_it_is_written(written):
    place, _ = written
    content = (place / "certificate.npz").read_bytes()
    assert to_bytes(from_bytes(content)) == content


def test_a_file_that_is_no_certificate_is_refused():
    with pytest.raises(rb.RebalancerError, match="can't be read"):
        from_bytes(b"not a file of numpy")
    objects = io.BytesIO()
    np.savez(objects, disruption_group=np.array([{}], dtype=object))
    with pytest.raises(rb.RebalancerError, match="can't be read"):
        from_bytes(objects.getvalue())


def tampered(written, tmp_path, change, claim=None):
    """The run with other multipliers, hashes made to fit, and perhaps a claim of its own."""
    import hashlib

    place = tmp_path / "run"
    shutil.copytree(written[0], place)
    (place / "certificate.npz").write_bytes(to_bytes(map(change, from_bytes((place / "certificate.npz").read_bytes()))))
    if claim is not None:
        record = json.loads((place / "proposal.json").read_text())
        record["levels"][1].update(claim)
        (place / "proposal.json").write_text(json.dumps(record, indent=2) + "\n")
    manifest = json.loads((place / "manifest.json").read_text())
    manifest["files"] = {name: hashlib.sha256((place / name).read_bytes()).hexdigest() for name in manifest["files"]}
    (place / "manifest.json").write_text(json.dumps(manifest))
    return place


@pytest.mark.parametrize("seed", range(10))
def test_changed_multipliers_only_prove_less_and_the_claim_is_caught(written, tmp_path, seed):
    rng = np.random.default_rng(seed)

    def change(item):
        return replace(item, group=item.group + rng.integers(-(10**12), 10**12, len(item.group)))

    again = recheck(tampered(written, tmp_path, change))
    assert again.bound < written[1]["certificate_bound"] <= again.value
    assert "the multipliers prove" in again.violations[0].message


def test_a_bound_claimed_beyond_the_multipliers_is_caught(written, tmp_path):
    claim = {"certificate_bound": written[1]["certificate_bound"] + 1}
    again = recheck(tampered(written, tmp_path, lambda item: item, claim))
    assert [violation.rule for violation in again.violations] == ["certificate"]


def test_a_run_without_a_certificate_says_so(written, tmp_path):
    place = tampered(written, tmp_path, lambda item: item)
    (place / "certificate.npz").unlink()
    manifest = json.loads((place / "manifest.json").read_text())
    del manifest["files"]["certificate.npz"]
    (place / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(rb.UsageError, match="holds no certificate"):
        recheck(place)


def test_a_closer_relaxation_starts_where_the_other_ended():
    """Also where families that may stay spread have copies in both."""
    compared = 0
    for seed in range(200):
        problem = random_problem(seed)
        ascent = Ascent(problem, 1, (), True)
        ascent.climb(40, Stop(), float("inf"))
        if ascent.deepens:
            deep = ascent.deepened()
            assert deep.best_value >= ascent.best_value - 1e-6 * (1 + abs(ascent.best_value)), seed
            assert ascent.dual().bound >= ascent.best_value - 1e-3, seed
            compared += len(ascent.relaxed.copy_row) > 0
    assert compared > 10
