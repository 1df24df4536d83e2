"""The search in a process of its own: the same answers, and a parent that survives whatever that process does."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from doubles import DOUBLES
from small_books import ACCOUNTS, TIGHT_AMS, book_of, write_book
from test_engine import CURE, Limit, hard_to_prove, least_values, problem_of, two_books

import rebalancer as rb
from rebalancer.cli import main
from rebalancer.engine import Options, Stop, child, memory, safely, solve, solve_safely
from rebalancer.engine.child import POOL
from rebalancer.engine.memory import resident
from rebalancer.errors import Interrupted, InvalidInput, NoLegalPlan, NoPlanInTime
from rebalancer.problem import HARD
from rebalancer.verify import verify_run

DOUBLE = str(Path(__file__).with_name("doubles.py"))
NAMES = [double.__name__ for double in DOUBLES]
GREEDY_MISSES = two_books([6, 5, 5, 4, 8], [20, 20], [31, 20, 20, 12, 29])
"""The greedy plan costs more than the least."""

LIMIT = 1.0
MEMORY_MB = 400
FLAT_BYTES = 40 * 2**20
SAYS = {
    "sleeps_for_ever": "did not end within",
    "eats_memory": "needed more than 0.4 GB of memory",
    "crashes": "ended without an answer (signal 11)",
    "talks_garbage": "gave an answer that can't be read",
    "gives_half_an_answer": "gave an answer that can't be read",
    "is_falsely_infeasible": "found no plan",
    "is_falsely_contradicted": "called impossible what a plan at hand keeps",
    "is_falsely_optimal": "its plan is worse than one at hand",
    "is_late": "did not end within",
}
"""What the warning says of each double."""


@pytest.fixture(autouse=True)
def isolated(monkeypatch):
    monkeypatch.delenv("REBALANCER_ISOLATE", raising=False)


@pytest.fixture(scope="module", autouse=True)
def loaded():
    """What a first proposal loads into this process is there before any test measures its memory."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("REBALANCER_ISOLATE", raising=False)
        rb.propose(book_of(), time_limit=10, workers=1)
    POOL.close()


@pytest.fixture
def no_worker():
    """No worker is there yet, and none of the test's is left."""
    POOL.close()
    yield
    POOL.close()


@pytest.fixture
def double(monkeypatch, no_worker):
    """Puts a double in the worker's place."""

    def put(name):
        monkeypatch.setattr(child, "worker_command", lambda: [sys.executable, DOUBLE, name])

    return put


def idle():
    """The process of the idle worker."""
    (worker,) = POOL._idle
    return worker.process


def runs(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"


def gone(pid, seconds=10):
    """A process ends within so many seconds."""
    deadline = time.monotonic() + seconds
    while runs(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not runs(pid)


# The same answers


def test_a_search_in_a_child_answers_as_one_in_this_process():
    for case in (CURE, two_books([6, 5, 5, 4], [9, 8], [30, 20, 20, 25]), two_books([4, 4], [8, 8], [3, 5])):
        problem, options = problem_of(**case, tolerance=0.04), Options(time_limit=20, workers=1)
        here, there = solve(problem, options), solve_safely(problem, options)
        assert here.chosen.tolist() == there.chosen.tolist()
        assert (here.levels, here.legal, here.stopped, here.from_solver, here.warnings) == (
            there.levels, there.legal, there.stopped, there.from_solver, there.warnings,
        )  # fmt: skip


def test_a_worker_is_used_again():
    problem = problem_of(**CURE)
    solve_safely(problem, Options(workers=1))
    first = idle().pid
    solve_safely(problem, Options(workers=1))
    assert idle().pid == first


def test_a_worker_that_has_ended_while_idle_is_replaced():
    problem = problem_of(**CURE)
    solve_safely(problem, Options(workers=1))
    idle().kill()
    idle().wait()
    assert solve_safely(problem, Options(workers=1)).warnings == ()


def test_a_worn_worker_is_replaced(monkeypatch):
    monkeypatch.setattr(child, "KEPT_CALLS", 1)
    solve_safely(problem_of(**CURE), Options(workers=1))
    assert POOL._idle == []


def test_searches_at_the_same_time_have_workers_of_their_own():
    problem, outcomes = problem_of(**CURE), []
    threads = [
        threading.Thread(target=lambda: outcomes.append(solve_safely(problem, Options(workers=1)))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [outcome.level("disruption").value for outcome in outcomes] == [least_values(**CURE)[1]] * 3
    assert len(POOL._idle) == 1


@pytest.mark.parametrize("how", ["option", "environment"])
def test_a_search_stays_in_this_process_where_that_is_asked_for(monkeypatch, how):
    monkeypatch.setattr(child, "Child", None)
    if how == "environment":
        monkeypatch.setenv("REBALANCER_ISOLATE", "0")
    outcome = solve_safely(problem_of(**CURE), Options(workers=1, isolate=how != "option"))
    assert outcome.stopped == "proven"


def test_where_no_process_can_be_started_the_search_stays_here_and_says_so(monkeypatch, no_worker):
    def refuses():
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(child, "Child", refuses)
    outcome = solve_safely(problem_of(**CURE), Options(workers=1))
    assert outcome.stopped == "proven"
    assert outcome.warnings == (
        "the search could not have a process of its own (Resource temporarily unavailable) and ran in this one",
    )


def test_what_the_input_is_to_blame_for_is_raised_here():
    problem = problem_of(**two_books([2**53, 1], [2**53, 2**53], level=HARD))
    with pytest.raises(InvalidInput, match=r"^the numbers of r0 add up to 9\.01e\+15, beyond"):
        solve_safely(problem, Options(workers=1))
    assert idle().poll() is None


IMPOSSIBLE = problem_of([2], [0, 1], [Limit({0: 1}, hi=0, level=HARD), Limit({1: 1}, hi=0, level=HARD)])


def test_no_plan_at_all_is_an_error_of_its_own(double):
    double("is_falsely_infeasible")
    with pytest.raises(NoPlanInTime, match=r"^no plan was found in 20 s: the search found no plan\.$"):
        solve_safely(IMPOSSIBLE, Options(time_limit=20, workers=1))


def test_limits_that_contradict_each_other_are_told_in_the_words_of_the_child():
    told = []
    for search in (solve, solve_safely):
        with pytest.raises(NoLegalPlan) as refused:
            search(IMPOSSIBLE, Options(time_limit=20, workers=1))
        told.append(str(refused.value))
    assert told[0] == told[1]
    assert told[0].startswith("the limits rule (r0) and rule (r1) can't hold together: ")
    assert idle().poll() is None


def test_progress_arrives_from_the_child():
    states = []
    solve_safely(hard_to_prove(), Options(time_limit=1.5, workers=1), report=states.append)
    assert len(states) >= 3
    assert all(state.bound is None or state.bound <= state.best for state in states)


SCRIPT = """
import sys
sys.path[:0] = {paths!r}
from small_books import book_of
import rebalancer as rb
print(rb.propose(book_of(), workers=1, time_limit=10).status)
"""


def test_a_script_needs_no_main_guard_and_leaves_no_process(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(paths=[path for path in sys.path if path]), encoding="utf-8")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "optimal\n", "")
    assert [path.name for path in tmp_path.iterdir()] == ["script.py"]


# Doubles


def survived(name, monkeypatch):
    """A proposal in spite of a double: how long it took, and that it is marked and right."""
    monkeypatch.setenv("REBALANCER_MEMORY_MB", str(MEMORY_MB))
    before, started = resident(os.getpid()), time.monotonic()
    proposal = rb.propose(book_of(), time_limit=LIMIT, workers=1)
    seconds = time.monotonic() - started
    (warning,) = proposal.warnings
    assert SAYS[name] in warning
    assert (proposal.status, proposal.legal) == ("baseline", True)
    assert all(level["proof"] != "solver" for level in proposal.record["levels"])
    assert resident(os.getpid()) - before < FLAT_BYTES
    assert POOL._idle == [] or name in ("is_falsely_infeasible", "is_falsely_contradicted")
    return seconds


@pytest.mark.parametrize("name", NAMES)
def test_no_misbehaving_search_takes_the_parent_down(name, double, monkeypatch):
    monkeypatch.setattr(safely, "GRACE_SECONDS", 0.7)
    double(name)
    for _ in range(2):
        assert survived(name, monkeypatch) < LIMIT + 10


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_no_misbehaving_search_takes_longer_than_the_limit_and_ten_seconds(name, double, monkeypatch):
    double(name)
    slowest = max(survived(name, monkeypatch) for _ in range(10))
    print(f"{name}: {slowest:.1f} s")
    assert slowest < LIMIT + 10


@pytest.mark.parametrize("name", ["crashes", "is_falsely_optimal", "dies_at_the_start"])
def test_the_command_line_writes_a_marked_plan_without_a_traceback(name, double, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    write_book(tmp_path / "book")
    double(name)
    with pytest.raises(SystemExit) as ended:
        main(["propose", "book", "--out", "run", "--workers", "1"])
    out, err = capfd.readouterr()
    assert ended.value.code == 0
    assert "The search found no better plan than the one made step by step without it." in out
    assert err.startswith("warning: the search ")
    assert err.endswith("; the plan made without it was kept\n")
    assert "Traceback" not in out + err
    assert verify_run(tmp_path / "run") == []


def test_a_book_over_capacity_is_marked_as_such_by_the_baseline(double):
    double("crashes")
    proposal = rb.propose(book_of(ACCOUNTS, TIGHT_AMS), time_limit=LIMIT, workers=1)
    assert (proposal.status, proposal.legal) == ("over_capacity", False)
    assert "ended without an answer" in proposal.warnings[0]


@pytest.mark.parametrize(
    ("name", "says"),
    {
        "closes_its_output": "ended without an answer",
        "floods": "did not end within",
        "claims_a_large_frame": "can't be read",
        "fails": "failed (MemoryError: no room)",
        "says_it_was_stopped": "failed (Interrupted: ",
        "claims_a_bound_that_a_plan_beats": "its bound on overload is above its value",
        "claims_other_values": "its values are not those of its plan",
        "claims_a_certificate": "its certificate of disruption does not reach its value",
        "crashes_after_senseless_plans": "(signal 11)",
        "dies_at_the_start": "(exit code 3)",
    }.items(),
)
def test_other_misbehaviour_is_named(name, says, double, monkeypatch):
    monkeypatch.setattr(safely, "GRACE_SECONDS", 0.5)
    double(name)
    problem, before = problem_of(**CURE), resident(os.getpid())
    outcome = solve_safely(problem, Options(time_limit=0.5, workers=1))
    (warning,) = outcome.warnings
    assert says in warning
    assert problem.is_complete(outcome.chosen)
    assert outcome.legal
    assert outcome.level("disruption").proof is None
    assert resident(os.getpid()) - before < FLAT_BYTES


@pytest.mark.parametrize(
    ("name", "least"),
    [("crashes_after_a_plan", True), ("sleeps_after_a_plan", True), ("crashes_after_half_a_plan", False)],
)
def test_the_best_plan_that_was_sent_is_kept(name, least, double, monkeypatch):
    monkeypatch.setattr(safely, "GRACE_SECONDS", 1.0)
    double(name)
    problem = problem_of(**GREEDY_MISSES)
    outcome = solve_safely(problem, Options(time_limit=1, workers=1))
    assert tuple(level.value for level in outcome.levels) == problem.values(outcome.chosen)
    assert outcome.legal
    if least:
        assert problem.values(outcome.chosen)[:2] == least_values(**GREEDY_MISSES)[:2]
        assert outcome.from_solver
        assert outcome.warnings[0].endswith("; the best plan that it had sent was kept")
    assert outcome.level("disruption").proof is None


def test_a_real_search_that_is_killed_leaves_the_plan_it_had():
    problem = hard_to_prove()
    solve_safely(problem_of(**CURE), Options(workers=1))
    worker = idle()
    threading.Timer(2.0, worker.kill).start()
    outcome = solve_safely(problem, Options(time_limit=30, workers=1))
    assert outcome.warnings == (
        "the search ended without an answer (signal 9); the best plan that it had sent was kept",
    )
    assert outcome.legal
    assert outcome.from_solver
    assert problem.values(outcome.chosen) < problem.values(problem.today)


def test_what_a_library_prints_is_no_answer(double):
    double("prints_on_standard_output")
    assert solve_safely(problem_of(**CURE), Options(workers=1)).warnings == ()


# Stopping


def test_a_stop_reaches_the_child():
    problem, stop = hard_to_prove(), Stop()
    solve_safely(problem_of(**CURE), Options(workers=1))
    threading.Timer(1.0, stop.request).start()
    started = time.monotonic()
    outcome = solve_safely(problem, Options(time_limit=60, workers=1), stop)
    assert time.monotonic() - started < 5
    assert (outcome.stopped, outcome.warnings) == ("interrupt", ())
    assert idle().poll() is None


def test_a_stop_before_the_search_needs_no_child(no_worker):
    started = time.monotonic()
    outcome = solve_safely(problem_of(**CURE), Options(), Stop(requested=True))
    assert time.monotonic() - started < 2
    assert (outcome.stopped, outcome.warnings, outcome.legal) == ("interrupt", (), True)


def test_a_child_that_does_not_stop_is_ended(double, monkeypatch):
    monkeypatch.setattr(safely, "STOP_SECONDS", 0.5)
    double("sleeps_for_ever")
    stop = Stop()
    threading.Timer(2.0, stop.request).start()
    started = time.monotonic()
    outcome = solve_safely(problem_of(**CURE), Options(time_limit=60), stop)
    assert time.monotonic() - started < 8
    assert outcome.stopped == "interrupt"


def test_a_stop_where_there_is_no_plan_is_an_interruption():
    rows = [Limit({0: 1}, hi=0, level=HARD), Limit({1: 1}, hi=0, level=HARD)]
    with pytest.raises(Interrupted, match=r"^stopped before there was a plan\.$"):
        solve_safely(problem_of([2], [0, 1], rows), Options(workers=1), Stop(requested=True))


def test_an_error_of_who_listens_ends_the_child():
    def breaks(state):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        solve_safely(hard_to_prove(), Options(time_limit=20, workers=1), report=breaks)
    assert POOL._idle == []


# No process is left


PARENT = """
import os, sys, threading, time
sys.path[:0] = {paths!r}
from rebalancer.engine import Options, child, solve_safely
from test_engine import hard_to_prove

def tell():
    while not child_ids:
        time.sleep(0.01)
    time.sleep(1.5)
    print(child_ids[0], flush=True)

child_ids, start = [], child.Child.__init__
def noted(self):
    start(self)
    child_ids.append(self.process.pid)
child.Child.__init__ = noted
threading.Thread(target=tell, daemon=True).start()
search = lambda: solve_safely(hard_to_prove(), Options(time_limit=60, workers=1))
{search}
"""


@pytest.mark.parametrize("search", ["search()", "t = threading.Thread(target=search); t.start(); t.join()"])
def test_the_child_ends_with_a_parent_that_is_killed(search):
    script = PARENT.format(paths=[path for path in sys.path if path], search=search)
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        pid = int(parent.stdout.readline())
        assert runs(pid)
        parent.kill()
    assert gone(pid)


def test_a_forked_process_leaves_the_worker_alone():
    problem = problem_of(**CURE)
    solve_safely(problem, Options(workers=1))
    code = (
        "import os, sys; sys.path[:0] = {!r}\n"
        "from rebalancer.engine import Options, solve_safely; from rebalancer.engine.child import POOL\n"
        "from test_engine import CURE, problem_of\n"
        "find = lambda: solve_safely(problem_of(**CURE), Options(workers=1)).stopped\n"
        "find(); first = POOL._idle[0].process.pid\n"
        "pid = os.fork()\n"
        "if pid == 0:\n    os._exit(0 if find() == 'proven' and POOL._idle[0].process.pid != first else 1)\n"
        "assert os.waitpid(pid, 0)[1] == 0\n"
        "assert find() == 'proven' and POOL._idle[0].process.pid == first\n"
    )
    script = code.format([path for path in sys.path if path])
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_worker_ignores_the_signals_that_are_its_parents():
    problem = problem_of(**CURE)
    solve_safely(problem, Options(workers=1))
    worker = idle()
    for number in (signal.SIGINT, signal.SIGTERM):
        worker.send_signal(number)
    assert solve_safely(problem, Options(workers=1)).warnings == ()
    assert idle().pid == worker.pid


# Memory


@pytest.mark.parametrize(("asked", "named", "expected"), [(5, "7", 5), (None, "7", 7 * 2**20)])
def test_memory_is_what_was_asked_for_or_named(asked, named, expected, monkeypatch):
    monkeypatch.setenv("REBALANCER_MEMORY_MB", named)
    assert memory.allowance(asked) == expected


@pytest.mark.parametrize("named", ["", "0", "much", "-1"])
def test_memory_is_otherwise_a_share_of_what_is_free(named, monkeypatch):
    monkeypatch.setenv("REBALANCER_MEMORY_MB", named)
    free = memory._free()
    assert 0.5 * memory.SHARE * free < memory.allowance(None) < 2 * memory.SHARE * free


def test_memory_of_a_container_counts(monkeypatch, tmp_path):
    (tmp_path / "max").write_text("1000000")
    (tmp_path / "used").write_text("400000")
    monkeypatch.setattr(memory, "GROUP_FILES", ((tmp_path / "max", tmp_path / "used"),))
    assert memory._free() == 600_000
    (tmp_path / "max").write_text("max")
    assert memory._free() > 600_000


def test_memory_of_a_process_that_is_gone_is_none():
    assert resident(2**22 + 1) == 0
    assert resident(os.getpid()) > 10**6


def test_a_plan_keeps_its_type_on_the_wire():
    chosen = solve_safely(problem_of(**CURE), Options(workers=1)).chosen
    assert chosen.dtype == np.int64
