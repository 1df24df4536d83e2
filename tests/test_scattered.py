"""The components of a book on the workers of an executor: the same plan, whatever happens to a worker."""

import os
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
from chores import cluster_of
from small_books import bytes_of
from test_engine import hard_to_prove
from test_engine import problem_of as problem_of_arcs

import rebalancer as rb
from rebalancer.engine import Options, Stop, scattered, solve_safely, solve_scattered
from rebalancer.engine.child import POOL
from rebalancer.engine.scattered import solve_bundle
from rebalancer.errors import Interrupted, InvalidInput, NoLegalPlan, WorkerLostError
from rebalancer.executors import Workers, executor
from rebalancer.inputs import input_files
from rebalancer.insight import marginal
from rebalancer.problem import Level, Problem, Rows
from rebalancer.rules import RULES
from rebalancer.rules.formulation import formulate
from rebalancer.run_directory import write_run
from rebalancer.snapshot import take_snapshot
from rebalancer.verify import verify_run

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

from books import regional

SECONDS = 10


@pytest.fixture(autouse=True)
def small_bundles(monkeypatch):
    """Even the components of a small book travel alone."""
    monkeypatch.setattr(scattered, "LEAST_ARCS", 1)
    monkeypatch.delenv("REBALANCER_ISOLATE", raising=False)


@pytest.fixture(scope="module")
def book():
    return regional(150, 15, seed=3, regions=5)


@pytest.fixture(scope="module")
def alone(book, tmp_path_factory):
    """The run directory of the book, planned in one place."""
    return run_of(book, tmp_path_factory.mktemp("alone"))


@pytest.fixture(scope="module")
def processes():
    with executor(jobs=2) as workers:
        yield workers


@pytest.fixture(scope="module")
def cluster():
    with cluster_of(2) as started, executor(scheduler=started.scheduler_address) as workers:
        yield workers


@pytest.fixture(params=["processes", "cluster"])
def workers(request):
    return request.getfixturevalue(request.param)


def run_of(book, folder, **options):
    """The bytes of a reproducible run directory, but for what differs from run to run."""
    proposal = rb.propose(book, time_limit=SECONDS, reproducible=True, workers=1, **options)
    files = bytes_of(write_run(proposal, folder / "run"))
    assert verify_run(folder / "run") == []
    del files["timings.json"]
    return files


def problem_of(book):
    return formulate(take_snapshot(book, rb.load_model("pods"), "full", "revenue_at_risk"), RULES).problem


class Here(Workers):
    """An executor that solves in this process, one task after the other, and keeps what it was asked."""

    slots = 2

    def __init__(self, answer=solve_bundle):
        self.answer, self.tasks = answer, []

    def submit(self, _, /, *args):
        future = Future()
        assert args[0] is solve_bundle
        self.tasks.append(args[1])
        try:
            future.set_result(self.answer(args[1]))
        except Exception as error:
            future.set_exception(error)
        return future

    def renew(self):
        pass

    def trouble(self):
        return None

    def end(self):
        pass


# The same plan


def test_the_run_directory_is_the_same_byte_for_byte(book, alone, workers, tmp_path):
    assert run_of(book, tmp_path, executor=workers) == alone


def test_components_do_travel(book):
    asked = Here()
    outcome = solve_scattered(problem_of(book), Options(SECONDS, reproducible=True), executor=asked)
    assert len(asked.tasks) == 5
    assert outcome.stopped == "proven"
    assert all(task.seats == () for task, _ in asked.tasks)


@pytest.mark.parametrize("least", [200, 300])
def test_bundles_of_any_size_give_the_same_outcome(book, least, monkeypatch):
    monkeypatch.setattr(scattered, "LEAST_ARCS", least)
    monkeypatch.setattr(scattered, "BUNDLES_PER_SLOT", 1)
    problem, options, asked = problem_of(book), Options(SECONDS, reproducible=True, workers=1), Here()
    same(solve_scattered(problem, options, executor=asked), solve_safely(problem, options))
    assert 1 < len(asked.tasks) < 5


def side_by_side(one, two):
    """Two problems as one, with a component for each of theirs."""
    arcs, groups, entries = one.n_arcs, len(one.groups), len(one.rows.arc)
    rows = Rows(
        tuple(f"{number}{name}" for number, part in enumerate((one, two)) for name in part.rows.names),
        one.rows.rules + two.rows.rules,
        np.concatenate([one.rows.ptr, two.rows.ptr[1:] + entries]),
        np.concatenate([one.rows.arc, two.rows.arc + arcs]),
        *(np.concatenate([getattr(part.rows, name) for part in (one, two)])
          for name in ("weight", "lo", "hi", "level", "penalty")),
    )  # fmt: skip
    levels = [
        Level(first.name, np.concatenate([first.arc_cost, second.arc_cost]), first.gate_cost, first.tolerance)
        for first, second in zip(one.levels, two.levels, strict=True)
    ]
    return Problem(
        groups=tuple(f"g{number}" for number in range(groups + len(two.groups))),
        seats=one.seats,
        arc_group=np.concatenate([one.arc_group, two.arc_group + groups]),
        arc_seat=np.concatenate([one.arc_seat, two.arc_seat]),
        arc_book=np.concatenate([one.arc_book, two.arc_book + 1 + one.arc_book.max()]),
        today=np.concatenate([one.today, two.today + arcs]),
        rows=rows,
        gates=one.gates,
        levels=tuple(levels),
    )


@pytest.mark.long
def test_a_search_that_its_work_ends_before_a_proof_is_the_same_too(workers):
    many_small = problem_of_arcs([100] * 300, [0, *[1] * 99] * 300)  # the hard one has the least share of the work
    problem = side_by_side(hard_to_prove(), many_small)
    options = Options(60, reproducible=True, workers=1)
    alone = solve_safely(problem, options)
    assert alone.level("disruption").proof is None
    assert alone.warnings == ()
    same(solve_scattered(problem, options, executor=workers), alone)


def same(one, other):
    assert one.chosen.tolist() == other.chosen.tolist()
    assert one == replace(other, chosen=one.chosen, certificates=one.certificates)
    for first, second in zip(one.certificates, other.certificates, strict=True):
        assert first.level == second.level
        for name in ("group", "row", "kept", "copy", "copies"):
            assert getattr(first, name).tolist() == getattr(second, name).tolist()


def test_a_book_over_capacity_has_the_same_plan_and_the_same_proof():
    crowded = regional(60, 6, seed=1, regions=3)
    in_one_region = np.arange(6) % 3 == 1
    ams = crowded.ams.assign(capacity=crowded.ams["capacity"].mask(in_one_region, 1.0))
    book = replace(crowded, tables={**crowded.tables, "ams": ams})
    problem, options = problem_of(book), Options(SECONDS, reproducible=True, workers=1)
    outcome = solve_scattered(problem, options, executor=Here())
    assert not outcome.legal
    assert [certificate.level for certificate in outcome.certificates] == ["disruption", "overload"]
    same(outcome, solve_safely(problem, options))


def test_one_component_stays_here(book):
    wide = problem_of(regional(40, 4, seed=1, regions=1))
    asked = Here()
    solve_scattered(wide, Options(SECONDS, workers=1), executor=asked)
    assert asked.tasks == []


def test_progress_tells_the_parts_that_are_done(book):
    states = []
    solve_scattered(problem_of(book), Options(SECONDS), report=states.append, executor=Here())
    assert [state.done for state in states if state.best is None] == sorted(
        state.done for state in states if state.best is None
    )
    assert (states[-1].done, states[-1].components) == (5, 5)
    assert states[-1].best >= states[-1].bound


# Workers that die, lie, or fall silent


def killed_while(started, kill):
    """Kill a worker as soon as its search has a child process of its own."""

    def wait():
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            busy = [pid for pid in started() if any("worker import main" in part for child in children(pid)
                                                    for part in child)]  # fmt: skip
            if busy:
                kill(busy[0])
                return
            time.sleep(0.02)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def children(pid):
    try:
        return [child.cmdline() for child in psutil.Process(pid).children()]
    except psutil.Error:
        return []


def python_workers():
    """The worker processes below this one, those of a cluster below their nannies."""
    return [
        child.pid
        for child in psutil.Process().children(recursive=True)
        if "spawn_main" in " ".join(child.cmdline() or [])
    ]


@pytest.mark.parametrize("kind", ["processes", "cluster"])
def test_a_worker_killed_midway_changes_nothing(kind, book, alone, tmp_path, request):
    workers, killed = request.getfixturevalue(kind), []

    def kill(pid):
        os.kill(pid, 9)
        killed.append(pid)

    thread = killed_while(python_workers, kill)
    assert run_of(book, tmp_path, executor=workers) == alone
    thread.join()
    assert len(killed) == 1


def damaged(change):
    """A worker whose second answer is changed."""
    count = iter(range(100))

    def answer(task):
        found = solve_bundle(task)
        return change(found) if next(count) == 1 else found

    return answer


def no_components(found):
    return replace(found, components=())


def another_plan(found):
    wrong = replace(found.components[0], chosen=np.zeros_like(found.components[0].chosen))
    return replace(found, components=(wrong,))


def cut_multipliers(found):
    (one,) = found.components
    cut = {level: replace(each, row=each.row[:-1]) for level, each in one.multipliers.items()}
    return replace(found, components=(replace(one, multipliers=cut),))


def dies(_):
    raise OSError("gone")


def nonsense(_):
    return "an answer"


@pytest.mark.parametrize("change", [another_plan, cut_multipliers, dies, nonsense])
def test_what_does_not_fit_is_solved_here(book, change):
    problem, options = problem_of(book), Options(SECONDS, reproducible=True, workers=1)
    same(solve_scattered(problem, options, executor=Here(damaged(change))), solve_safely(problem, options))


def test_a_search_that_failed_on_its_worker_leaves_the_plan_that_was_at_hand_there(book):
    problem = problem_of(book)

    def failed(found):
        return replace(found, components=(), warnings=("the search ended without an answer (signal 9)",))

    outcome = solve_scattered(problem, Options(SECONDS), executor=Here(damaged(failed)))
    assert outcome.legal
    assert outcome.warnings == ("the search ended without an answer (signal 9)",)
    assert outcome.level("disruption").proof is None
    assert outcome.level("disruption").value == problem.values(outcome.chosen)[1]


def test_a_bound_that_cannot_be_right_is_refused_here_too(book):
    def lies(found):
        (one,) = found.components
        levels = [replace(level, bound=level.value + 10**9, proof="solver") for level in one.levels]
        return replace(found, components=(replace(one, levels=levels),))

    problem = problem_of(book)
    outcome = solve_scattered(problem, Options(SECONDS), executor=Here(damaged(lies)))
    assert "an answer that can't be right" in outcome.warnings[0]
    assert outcome.level("disruption").proof != "solver"
    assert problem.is_complete(outcome.chosen)


@pytest.mark.parametrize("error", [NoLegalPlan("no limit can hold"), InvalidInput([])])
def test_what_the_input_is_to_blame_for_is_raised_here(book, error):
    def blames(_):
        raise error

    with pytest.raises(type(error)):
        solve_scattered(problem_of(book), Options(SECONDS), executor=Here(blames))


class Silent(Here):
    """It answers the first task and no other."""

    def submit(self, function, /, *args):
        return Future() if self.tasks else super().submit(function, *args)


def test_a_worker_that_falls_silent_costs_no_more_than_the_time(book, monkeypatch):
    monkeypatch.setattr(scattered, "GRACE_SECONDS", 0.5)
    started = time.monotonic()
    outcome = solve_scattered(problem_of(book), Options(2.0), executor=Silent())
    assert time.monotonic() - started < 8
    assert outcome.legal
    assert "4 of the 5 parts of the book were not solved in time" in outcome.warnings[-1]


# Stopping


def test_a_stop_ends_soon_with_the_best_plan_at_hand(book):
    stop = Stop()
    threading.Timer(1.0, stop.request).start()
    started = time.monotonic()
    outcome = solve_scattered(problem_of(book), Options(60), stop, executor=Silent())
    assert time.monotonic() - started < 8
    assert (outcome.stopped, outcome.legal, outcome.warnings) == ("interrupt", True, ())
    assert outcome.from_solver


class Interrupting(Silent):
    """Ctrl-C arrives while it is waited for."""

    def trouble(self):
        raise KeyboardInterrupt


def test_ctrl_c_does_the_same(book):
    outcome = solve_scattered(problem_of(book), Options(60), executor=Interrupting())
    assert (outcome.stopped, outcome.legal) == ("interrupt", True)


def test_a_stop_before_there_is_a_plan_is_an_interruption(book):
    problem = problem_of(book)
    nowhere = replace(problem, today=np.full(len(problem.groups), -1))
    impossible = replace(nowhere, rows=replace(nowhere.rows, hi=np.full(len(nowhere.rows), -1),
                                               level=np.full(len(nowhere.rows), -1)))  # fmt: skip
    with pytest.raises(Interrupted, match="stopped before there was a plan"):
        solve_scattered(impossible, Options(60), Stop(requested=True), executor=Silent())


def test_a_worker_stops_what_nobody_waits_for(cluster):
    hard = replace(hard_to_prove(), seats=())
    busy = [cluster.submit(solve_bundle, (hard, Options(60, workers=1, of_arcs=hard.n_arcs))) for _ in range(2)]
    time.sleep(2)
    started = time.monotonic()
    for future in busy:
        future.cancel()
    assert cluster.submit(os.getpid).result(timeout=50) > 0
    assert time.monotonic() - started < 20


@pytest.mark.long
def test_threads_of_somebody_elses_executor_will_do(book):
    problem, options = problem_of(book), Options(SECONDS, reproducible=True, workers=1)
    with ThreadPoolExecutor(2) as threads:
        same(solve_scattered(problem, options, executor=threads), solve_safely(problem, options))
    assert len(POOL._idle) <= 1


# Sweeps and the command line


@pytest.mark.long
def test_a_sweep_is_the_same_on_workers(workers):
    small = regional(20, 4, seed=2, regions=2)
    told = []
    here = marginal(small, time_limit=5, workers=1)
    there = marginal(small, time_limit=5, executor=workers, told=told.append)
    pd.testing.assert_frame_equal(here.regions, there.regions)
    pd.testing.assert_frame_equal(here.curve, there.curve)
    assert (here.base, here.concave, here.notes) == (there.base, there.concave, there.notes)
    assert len(told) >= 1 + len(here.regions)


def test_a_solve_that_kills_its_worker_ends_a_sweep_with_its_reason():
    class Lost(Here):
        def submit(self, *_):
            future = Future()
            future.set_exception(WorkerLostError("gone"))
            return future

    with pytest.raises(WorkerLostError, match="gone"):
        marginal(regional(20, 4, seed=2, regions=2), time_limit=5, executor=Lost())


def save_book(book, folder):
    folder.mkdir()
    for name, text in input_files(book, rb.load_model("pods")).items():
        (folder / name).write_text(text, encoding="utf-8", newline="")


@pytest.fixture
def address(cluster):
    return cluster.address


def test_the_command_line_plans_on_a_cluster(address, book, run, tmp_path):
    save_book(book, tmp_path / "book")
    plan = ["propose", "book", "--model", "pods", "--reproducible", "--time-limit", SECONDS]
    one = run(*plan, "--out", "here")
    other = run(*plan, "--scheduler", address, "--out", "there")
    assert (one.code, other.code) == (0, 0)
    here, there = bytes_of(tmp_path / "here"), bytes_of(tmp_path / "there")
    assert {name for name in here if here[name] != there[name]} <= {"timings.json"}
    assert here.keys() == there.keys()
    assert other.err == one.err


def test_the_command_line_says_which_scheduler_is_not_there(book, run, tmp_path, monkeypatch):
    monkeypatch.setattr("rebalancer.executors.cluster.CONNECT_SECONDS", 1)
    save_book(book, tmp_path / "book")
    result = run("propose", "book", "--scheduler", "tcp://ann:secret@127.0.0.1:9", "--out", "run")
    assert result.code == 2
    assert "no Dask scheduler answers at tcp://127.0.0.1:9 within 1 s" in result.err
    assert "Traceback" not in result.err
    assert "secret" not in result.out + result.err
    assert not (tmp_path / "run").exists()
