"""Workers: local processes and a Dask cluster behind one interface, and what is left when one of them dies."""

import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import chores
import psutil
import pytest
from chores import cluster_of

from rebalancer.errors import InvalidInput, RebalancerError, UsageError, WorkerLostError
from rebalancer.executors import cluster, executor, run_all
from rebalancer.executors.cluster import shown
from rebalancer.executors.versions import refuse_other_versions


def mine():
    """Processes that this one has started, but for those that multiprocessing keeps for itself."""
    return {
        child.pid
        for child in psutil.Process().children(recursive=True)
        if "resource_tracker" not in " ".join(child.cmdline())
    }


def gone(pids, seconds=10):
    deadline = time.monotonic() + seconds
    while any(psutil.pid_exists(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not any(psutil.pid_exists(pid) for pid in pids)


def wait_for(file, seconds=20):
    deadline = time.monotonic() + seconds
    while not (file.exists() and file.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return int(file.read_text())


@pytest.fixture(scope="module")
def local_cluster():
    with cluster_of(2) as started:
        yield started.scheduler_address


@pytest.fixture(scope="module")
def two_processes():
    with executor(jobs=2) as workers:
        yield workers


@pytest.fixture(scope="module")
def on_the_cluster(local_cluster):
    with executor(scheduler=local_cluster) as workers:
        yield workers


@pytest.fixture(params=["two_processes", "on_the_cluster"])
def workers(request):
    """The same for both kinds."""
    return request.getfixturevalue(request.param)


# Both kinds alike


def test_every_task_has_its_outcome_under_its_number(workers):
    outcomes = dict(run_all(workers, chores.double, range(40)))
    assert outcomes == {number: 2 * number for number in range(40)}


def test_tasks_run_in_other_processes(workers):
    pids = {pid for _, pid in run_all(workers, chores.pid, range(20))}
    assert os.getpid() not in pids
    assert workers.slots == 2


def test_an_executor_is_an_executor(workers):
    assert workers.submit(chores.double, 4).result() == 8
    assert list(workers.map(chores.double, [1, 2])) == [2, 4]


def test_exceptions_arrive_as_they_are_or_as_their_words(workers):
    outcomes = dict(run_all(workers, chores.fails, range(4)))
    assert isinstance(outcomes[0], InvalidInput)
    assert str(outcomes[0]) == "a.csv row 7: It is late. Come back."
    assert outcomes[0].faults[0].row == 7
    assert (type(outcomes[1]), str(outcomes[1])) == (RebalancerError, "Stubborn: this and that")
    assert (type(outcomes[2]), str(outcomes[2])) == (RebalancerError, "SystemExit: 9")


def test_a_task_that_cannot_travel_is_an_outcome(workers):
    outcomes = dict(run_all(workers, chores.double, [1, (part for part in ()), 3]))
    assert (outcomes[0], outcomes[2]) == (2, 6)
    assert isinstance(outcomes[1], Exception)


def test_tasks_are_read_as_there_is_room_for_them(workers):
    read = []

    def tasks():
        for number in range(100):
            read.append(number)
            yield number

    outcomes = run_all(workers, chores.double, tasks(), in_flight=3)
    next(outcomes)
    assert len(read) <= 3
    outcomes.close()
    assert len(read) <= 3


def test_no_tasks_are_no_outcomes(workers):
    assert list(run_all(workers, chores.double, [])) == []


def test_a_worker_that_dies_midway_costs_no_outcome(workers, tmp_path):
    tasks = [(str(tmp_path / "once"), number) for number in range(8)]
    outcomes = dict(run_all(workers, chores.dies_once, tasks))
    assert outcomes == {number: 2 * number for number in range(8)}


def test_an_executor_of_somebody_else_will_do():
    with ThreadPoolExecutor(2) as threads:
        assert dict(run_all(threads, chores.double, range(5))) == {number: 2 * number for number in range(5)}


# Processes


def test_the_task_that_kills_its_worker_is_told_and_the_others_are_done(two_processes):
    outcomes = dict(run_all(two_processes, chores.dies_at_three, range(12)))
    lost = outcomes.pop(3)
    assert isinstance(lost, WorkerLostError)
    assert str(lost).startswith("the worker of this task ended before the task did, and so did the next one")
    assert outcomes == {number: 2 * number for number in range(12) if number != 3}


def test_nothing_runs_after_the_block():
    before = mine()
    with executor(jobs=2) as workers:
        dict(run_all(workers, chores.double, range(4)))
        assert mine() > before
    assert gone(mine() - before)


def test_an_exception_ends_what_runs_at_once(tmp_path):
    before, started = mine(), time.monotonic()
    futures, pids = [], set()

    def interrupted():
        with executor(jobs=2) as workers:
            futures.extend(workers.submit(chores.sleeps, str(tmp_path / str(number))) for number in range(6))
            pids.add(wait_for(tmp_path / "0"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert time.monotonic() - started < 20
    assert gone(pids | (mine() - before))
    assert all(future.done() for future in futures)


PARENT = """
import sys
sys.path[:0] = {paths!r}
if __name__ == "__main__":
    import chores
    from rebalancer.executors import executor, run_all
    with executor(jobs=2) as workers:
        for outcome in run_all(workers, chores.sleeps, {tasks!r}):
            print(outcome)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_the_workers_end_with_their_parent(number, tmp_path):
    script, markers = tmp_path / "parent.py", [tmp_path / "a", tmp_path / "b"]
    paths = [path for path in sys.path if path]
    script.write_text(PARENT.format(paths=paths, tasks=[str(marker) for marker in markers]))
    with subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as parent:
        pids = {wait_for(marker) for marker in markers}
        os.killpg(parent.pid, number) if number == signal.SIGINT else parent.kill()
        _, err = parent.communicate(timeout=20)
    assert gone(pids)
    assert err.count("Traceback") <= 1
    assert "SpawnProcess" not in err


def test_a_script_without_a_main_guard_is_told_so(tmp_path):
    script = tmp_path / "script.py"
    guarded = PARENT.format(paths=[path for path in sys.path if path], tasks=[])
    script.write_text(guarded.replace('if __name__ == "__main__":', "if True:"))
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=False)
    assert 'must do its work under `if __name__ == "__main__":`' in done.stderr
    assert done.returncode == 1


@pytest.mark.parametrize(
    "arguments", [{"jobs": 0}, {"jobs": 2, "scheduler": "tcp://127.0.0.1:1"}, {"scheduler": ""}, {"scheduler": " "}]
)
def test_a_call_that_means_nothing_is_refused(arguments):
    with pytest.raises(UsageError), executor(**arguments):
        pass


# A cluster


def free_port():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def refused(address):
    started = time.monotonic()
    with pytest.raises(UsageError) as raised, executor(scheduler=address):
        pass
    assert time.monotonic() - started < 15
    return str(raised.value)


def test_a_scheduler_that_is_not_there_is_told_within_seconds(monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 1)
    address = f"tcp://127.0.0.1:{free_port()}"
    assert refused(address).startswith(f"no Dask scheduler answers at {address} within 1 s (")


@pytest.mark.parametrize("address", ["nonsense://host", "tcp://ann:secret@127.0.0.1:1", "ann:secret@127.0.0.1:1"])
def test_an_address_that_cannot_be_used_is_told_without_its_password(address, capfd):
    message = refused(address)
    assert "no Dask scheduler answers at" in message
    assert "secret" not in message + "".join(capfd.readouterr())


@pytest.mark.parametrize(
    ("address", "told"),
    [("tcp://ann:secret@host:1", "tcp://host:1"), ("ann:p@ss@host:1", "host:1"), ("tls://host:1", "tls://host:1")],
)
def test_an_address_is_shown_without_credentials(address, told):
    assert shown(address) == told


def test_without_the_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert refused("tcp://127.0.0.1:1").endswith("pip install 'rebalancer[cluster]'.")


class Answers:
    """A client whose workers say these versions of themselves."""

    def __init__(self, **workers):
        self.workers = workers

    def get_versions(self, packages):
        assert {"rebalancer", "ortools", "numpy"} <= set(packages)
        told = {name: versions and {"packages": {**HERE, **versions}} for name, versions in self.workers.items()}
        return {"client": {"packages": HERE}, "workers": told}


HERE = {"python": "3.11.7.final.0", "rebalancer": "1.0", "ortools": "9.15", "numpy": "2.0"}


def test_workers_with_other_versions_are_refused_with_a_table():
    client = Answers(a={"python": "3.11.9.final.0", "ortools": "9.14"}, b={"python": "3.11.9.final.0"}, c=None)
    with pytest.raises(UsageError) as raised:
        refuse_other_versions(client, "tcp://s:8786")
    first, *table, last = str(raised.value).splitlines()
    assert first.startswith("2 of the 3 workers of tcp://s:8786 have other versions than this machine")
    assert [line.split() for line in table] == [
        ["python", "rebalancer", "ortools", "numpy"],
        ["here", "3.11", "1.0", "9.15", "2.0"],
        ["a", "3.11", "1.0", "9.14", "2.0"],
        ["c", "none", "none", "none", "none"],
    ]
    assert last == "Install the same versions on both sides."


def test_workers_with_our_versions_are_taken():
    refuse_other_versions(Answers(a={"python": "3.11.9.final.0"}, b={"tornado": "1"}), "tcp://s:8786")


def test_a_cluster_without_workers_is_refused_with_what_to_start(monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 1)
    with cluster_of(0) as empty:
        message = refused(empty.scheduler_address)
    assert f"has no workers. Start some with `dask worker {empty.scheduler_address} --nthreads 1`" in message


@pytest.mark.long
def test_a_scheduler_that_goes_away_fails_what_is_left_instead_of_hanging():
    started = cluster_of(1)
    outcomes = []
    with executor(scheduler=started.scheduler_address) as workers:
        for outcome in run_all(workers, chores.slow_double, range(30)):
            if not outcomes:
                started.close()
            outcomes.append(outcome)
    assert sorted(number for number, _ in outcomes) == list(range(30))
    lost = [str(outcome) for _, outcome in outcomes if isinstance(outcome, Exception)]
    assert len(lost) > 20
    assert all("can't be reached any more" in words for words in lost)


@pytest.mark.long
def test_a_cluster_whose_workers_never_come_back_is_given_up(monkeypatch):
    monkeypatch.setattr(cluster, "NO_WORKER_SECONDS", 1.0)
    monkeypatch.setattr(cluster, "LOOK_SECONDS", 0.2)
    with cluster_of(1) as started, executor(scheduler=started.scheduler_address) as workers:
        outcomes = run_all(workers, chores.slow_double, range(20))
        first = next(outcomes)
        started.scale(0)
        rest = list(outcomes)
    assert sorted(number for number, _ in [first, *rest]) == list(range(20))
    assert "has had no worker for 1 s" in str(rest[-1][1])


def test_a_task_can_ask_whether_it_is_still_wanted(on_the_cluster, tmp_path):
    future = on_the_cluster.submit(chores.until_unwanted, str(tmp_path))
    wait_for(tmp_path / "started")
    future.cancel()
    assert wait_for(tmp_path / "unwanted") > 0


@pytest.mark.long
def test_on_a_cluster_too_the_task_that_kills_its_worker_is_told_and_the_others_are_done(local_cluster):
    with executor(scheduler=local_cluster) as workers:
        outcomes = dict(run_all(workers, chores.dies_at_three, range(12)))
    assert isinstance(outcomes.pop(3), WorkerLostError)
    assert outcomes == {number: 2 * number for number in range(12) if number != 3}


@pytest.mark.long
def test_many_tasks_are_done_with_few_in_flight(workers):
    outcomes = dict(run_all(workers, chores.double, range(2_000)))
    assert outcomes == {number: 2 * number for number in range(2_000)}
