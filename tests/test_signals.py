"""Signals, kills and full disks at any moment: the run directory is whole or absent, and nothing is left behind."""

import json
import os
import signal
import subprocess
import sys
import time
from random import Random

import pytest
from small_books import book_of, bytes_of, write_book
from test_child import gone

from rebalancer import swap
from rebalancer.plan import propose
from rebalancer.run_directory import write_run
from rebalancer.verify import verify_run

DRIVER = """
import os, signal, sys, threading, time
numbers, delay, between, *args = sys.argv[1:]

def send():
    time.sleep(float(delay))
    for number in numbers.split(","):
        os.kill(os.getpid(), int(number))
        time.sleep(float(between))

import rebalancer.cli
try:
    from rebalancer.engine import child
    start = child.Child.__init__
    def noted(self):
        start(self)
        with open("pids", "a") as file:
            file.write(f"{self.process.pid}\\n")
    child.Child.__init__ = noted
    threading.Thread(target=send, daemon=True).start()
    rebalancer.cli.main(args)
except KeyboardInterrupt:
    os._exit(130)
"""
"""The command line with signals after a while; it notes the processes that it starts."""

SECONDS = 3.0
"""About how long the command takes on the book below, from start to end."""


def big_book(folder):
    """A book that keeps a search busy for as long as it may."""
    rng = Random(5)
    tiers = ["strategic", "enterprise", "mid_market", "smb"]
    rows = [f"A-{i:03},N {i},M-{i % 6},{rng.randint(50_000, 900_000)},{rng.choice(tiers)}" for i in range(300)]
    ams = [f"M-{i},AM {i},blended,94" for i in range(12)]
    accounts, people = "\n".join(rows), "\n".join(ams)
    return write_book(folder, f"account_id,name,owner,arr,tier\n{accounts}", f"am_id,name,book,capacity\n{people}")


def signalled(folder, numbers, delay, between=0.0, limit="2s"):
    """A proposal that gets signals: exit code, stderr, seconds, and the processes it started."""
    command = [sys.executable, "-c", DRIVER, ",".join(str(int(n)) for n in numbers), str(delay), str(between)]
    started = time.monotonic()
    done = subprocess.run(
        [*command, "propose", "book", "--out", "run", "--workers", "1", "--time-limit", limit],
        cwd=folder, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    pids = [int(line) for line in (folder / "pids").read_text().split()] if (folder / "pids").exists() else []
    return done.returncode, done.stderr, time.monotonic() - started, pids


def left_behind(folder):
    """What a command left that is neither its book nor its run."""
    return sorted(path.name for path in folder.iterdir() if path.name not in ("book", "run", "pids"))


def interrupted_at(tmp_path, number, code, delay):
    big_book(tmp_path / "book")
    ended, err, _, pids = signalled(tmp_path, [number], delay)
    assert ended in (code, 0), err
    assert ended == code or delay > 1, f"the command took less than {delay:.2f} s"
    assert "Traceback" not in err
    assert left_behind(tmp_path) == []
    assert all(gone(pid) for pid in pids)
    if (tmp_path / "run").exists():
        assert verify_run(tmp_path / "run") == []
    return ended


MOMENTS = [Random(11).uniform(0, SECONDS) for _ in range(10)]


@pytest.mark.parametrize("delay", [0.3, 1.0, 2.0])
def test_ctrl_c_at_some_moments_leaves_a_whole_run_or_none(tmp_path, delay):
    interrupted_at(tmp_path, signal.SIGINT, 130, delay)


@pytest.mark.long
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_at_ten_random_moments_leave_a_whole_run_or_none(tmp_path, number, code):
    ends = []
    for index, delay in enumerate(MOMENTS):
        (tmp_path / str(index)).mkdir()
        ends.append(interrupted_at(tmp_path / str(index), number, code, delay))
    assert ends.count(code) >= 7


def test_sigterm_during_the_search_writes_the_best_plan(tmp_path):
    big_book(tmp_path / "book")
    code, err, seconds, pids = signalled(tmp_path, [signal.SIGTERM], 4, limit="60s")
    assert (code, err) == (143, "")
    assert seconds < 30
    assert json.loads((tmp_path / "run" / "proposal.json").read_text())["stopped"] == "interrupt"
    assert verify_run(tmp_path / "run") == []
    assert pids
    assert all(gone(pid) for pid in pids)


def test_a_second_ctrl_c_quits_at_once(tmp_path):
    big_book(tmp_path / "book")
    code, err, seconds, pids = signalled(tmp_path, [signal.SIGINT, signal.SIGINT], 4, between=0.03, limit="60s")
    assert code == 130
    assert err.strip() == "error: interrupted."
    assert seconds < 15
    assert left_behind(tmp_path) == []
    assert not (tmp_path / "run").exists()
    assert all(gone(pid) for pid in pids)


# Kills while writing


@pytest.fixture(scope="module")
def proposals(tmp_path_factory):
    """Two proposals for one place, as run directories to read them from."""
    made = [propose(book_of(), workers=1, time_limit=10, seed=seed) for seed in (1, 2)]
    return [write_run(proposal, tmp_path_factory.mktemp("made") / "run") for proposal in made]


WRITER = """
import os, signal, sys
from rebalancer import swap
from rebalancer.run_directory import read_run, write_run
left, plain = int(sys.argv[2]), sys.argv[3] == "plain"

def counted(call):
    def calls(*args, **how):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*args, **how)
    return calls

proposal = read_run(sys.argv[1])
if plain:
    swap.exchange = lambda *_: False
for name in ("fsync", "rename", "mkdir", "unlink", "chmod", "rmdir"):
    setattr(os, name, counted(getattr(os, name)))
swap.exchange = counted(swap.exchange)
write_run(proposal, "run", {"moves.xlsx": b"x" * 10_000})
print("written")
"""


def killed_at(tmp_path, proposals, point, how):
    """Kill a writer at its n-th step; the run is the old or the new one. True where it got through."""
    target = tmp_path / "run"
    ids = [json.loads((run / "proposal.json").read_text())["run_id"] for run in proposals]
    if not target.exists():
        subprocess.run(["cp", "-r", proposals[0], target], check=True)
    done = subprocess.run(
        [sys.executable, "-c", WRITER, proposals[1], str(point), how], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    if how == "exchange" or target.exists():
        assert verify_run(target) == []
        assert json.loads((target / "proposal.json").read_text())["run_id"] in ids
    return done.returncode == 0


def aged(folder):
    """Everything beside a run looks as if written two days ago."""
    for path in folder.iterdir():
        os.utime(path, (time.time() - 2 * 86_400,) * 2)


@pytest.mark.parametrize("points", [[12, 14, 16], pytest.param(range(1, 51), marks=pytest.mark.long)], ids=["3", "50"])
def test_a_writer_that_is_killed_leaves_the_old_or_the_new_run(tmp_path, proposals, points):
    if sys.platform != "linux":
        pytest.skip("names change places in one step on Linux only")
    for point in points:
        killed_at(tmp_path, proposals, point, "exchange")
    aged(tmp_path)
    swap.remove_leftovers(tmp_path / "run")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.long
def test_without_the_exchange_a_killed_writer_leaves_a_whole_run_under_one_name_or_the_other(tmp_path, proposals):
    for point in range(1, 31):
        killed_at(tmp_path, proposals, point, "plain")
        whole = [path for path in tmp_path.iterdir() if swap.holds_run(path) and verify_run(path) == []]
        assert whole


def test_leftovers_of_others_and_of_writers_at_work_stay(tmp_path, proposals):
    run = tmp_path / "run"
    subprocess.run(["cp", "-r", proposals[0], run], check=True)
    for name in (".run.abcd1234", ".run.notours", ".run.abcd1235", ".other.abcd1234", ".git.abcdefgh"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
    for name in (".run.abcd1234", ".other.abcd1234"):
        (tmp_path / name / swap.MARKER).touch()
    aged(tmp_path)
    fresh = swap.begin(run)
    swap.remove_leftovers(run)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["run", ".run.notours", ".run.abcd1235", ".git.abcdefgh", fresh.name]
    )


def test_names_change_places_in_one_step_where_the_system_can(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    (one / "a").mkdir(parents=True)
    (other / "b").mkdir(parents=True)
    if not swap.exchange(one, other):
        pytest.skip("this file system can't")
    assert [path.name for path in (*one.iterdir(), *other.iterdir())] == ["b", "a"]
    assert not swap.exchange(one, tmp_path / "none")


LIMITED = """
import resource, sys
from rebalancer.errors import RebalancerError
from rebalancer.run_directory import read_run, write_run
proposal = read_run(sys.argv[1])
size = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
try:
    write_run(proposal, "run", {"moves.xlsx": b"x" * 10_000})
except RebalancerError as error:
    sys.exit(str(error))
"""
SIZES = [0, 1, 40, 300, 900, 2_000, 9_999, 10_000]


@pytest.mark.parametrize("size", [0, 900, 10_000, *(pytest.param(s, marks=pytest.mark.long) for s in SIZES)])
@pytest.mark.parametrize("earlier", [True, False])
def test_a_limit_on_the_size_of_files_leaves_the_old_run_or_the_new_one(tmp_path, proposals, size, earlier):
    if earlier:
        subprocess.run(["cp", "-r", proposals[0], tmp_path / "run"], check=True)
        before = bytes_of(tmp_path / "run")
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, proposals[1], str(size)], cwd=tmp_path, capture_output=True, text=True
    )
    if size >= 10_000:
        assert (done.returncode, done.stderr) == (0, "")
        assert verify_run(tmp_path / "run") == []
        assert [path.name for path in tmp_path.iterdir()] == ["run"]
        return
    left = "the earlier run is as it was" if earlier else "nothing was left there"
    assert (done.returncode, done.stderr) == (1, f"can't write run: File too large; {left}.\n")
    assert [path.name for path in tmp_path.iterdir()] == (["run"] if earlier else [])
    assert not earlier or bytes_of(tmp_path / "run") == before
