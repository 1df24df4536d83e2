"""A night on processes and on a Dask cluster: the same bytes as in one place, also where a worker is killed midway."""

import os
import signal
from pathlib import PurePosixPath

import psutil
import pytest
import sqlalchemy as sa
from chores import cluster_of
from nightly_books import ACCOUNTS, AMS, QUIET, Nights, with_arr
from small_books import bytes_of
from stores import sqlite_store

from rebalancer.executors import executor
from rebalancer.nightly.answers import Wanted
from rebalancer.nightly.night import nightly
from rebalancer.nightly.sources import find_books
from rebalancer.store import audit
from rebalancer.store.tables import metadata
from rebalancer.swap import MADE_HERE, begin, discard

BOOKS = 8
TIMES = {"at", "seconds", "hash", "previous", "started_at", "ended_at", "holder", "jobs", "head_hash", "head_at",
         "store_id", "seq", "event_seq", "head_seq", "book_id", "approval"}  # fmt: skip
"""Columns that say when and in which order, which is not the same twice."""


def with_books(folder):
    made = Nights(sqlite_store(folder), folder)
    for number in range(BOOKS):
        table = QUIET if number % 4 == 3 else ACCOUNTS
        made.write(f"b{number}", with_arr(table, lambda _, arr, number=number: arr + 100 * number), AMS)
    made.write("broken", "account_id\n1\n")
    return made


def worked_off(made, **how):
    wanted = Wanted(now=made.now, out=str(made.out), time_limit=5.0)
    return nightly(made.store, find_books(str(made.root)), wanted, now=made.now, **how)


def bytes_of_runs(out, *, killed=False):
    """The bytes of every file; where a writer was killed, without the directory in the making that it may leave."""
    found = {name: data for name, data in bytes_of(out).items() if not name.endswith("timings.json")}
    made = {folder for name in found for folder in PurePosixPath(name).parents if MADE_HERE.fullmatch(folder.name)}
    assert len(made) <= killed, "one writer is killed, and no other leaves anything"
    return {name: data for name, data in found.items() if not made & set(PurePosixPath(name).parents)}


def rows_of(made):
    """Every row without times and numbers of events, and the table of events without what they hash."""
    with made.store.reading() as connection:
        return {
            table.name: sorted(
                repr({name: value for name, value in row._asdict().items() if name not in TIMES})
                for row in connection.execute(sa.select(table))
            )
            for table in metadata.sorted_tables
        }


@pytest.fixture(scope="module")
def in_one_place(tmp_path_factory):
    made = with_books(tmp_path_factory.mktemp("one"))
    worked_off(made, workers=made.executor)
    return bytes_of_runs(made.out), rows_of(made)


def same_as(made, reference, *, killed=False):
    runs, rows = reference
    assert len({name.split("/")[0] for name in runs}) == BOOKS - 2
    assert bytes_of_runs(made.out, killed=killed) == runs
    assert rows_of(made) == rows
    assert audit(made.store).ok


def test_processes_give_the_same_bytes(tmp_path, in_one_place):
    made = with_books(tmp_path)
    worked_off(made, jobs=2)
    same_as(made, in_one_place)


def test_what_a_killed_writer_leaves_is_no_part_of_the_runs_and_nothing_else_is_left_out(tmp_path):
    (tmp_path / "b1" / "run").mkdir(parents=True)
    (tmp_path / "b1" / "run" / "proposal.json").write_bytes(b"{}")
    whole = bytes_of_runs(tmp_path)
    left = begin(tmp_path / "b1" / "run")
    (left / "proposal.json").write_bytes(b"{")
    assert bytes_of_runs(tmp_path, killed=True) == whole == {"b1/run/proposal.json": b"{}"}
    with pytest.raises(AssertionError, match="no other leaves anything"):
        bytes_of_runs(tmp_path)
    discard(left)
    assert bytes_of_runs(tmp_path) == whole
    (tmp_path / "b1" / ".run.new").write_bytes(b"")
    assert bytes_of_runs(tmp_path, killed=True) != whole


class Killer:
    """Kills a worker when the first book is done."""

    def __init__(self, pids):
        self.pids, self.killed = pids, None

    def __call__(self, _told):
        if self.killed is None:
            self.killed = self.pids()[0]
            os.kill(self.killed, signal.SIGKILL)


def spawned():
    """Worker processes of this one."""
    return [child.pid for child in psutil.Process().children() if "spawn_main" in " ".join(child.cmdline())]


def test_a_process_that_is_killed_midway_changes_nothing(tmp_path, in_one_place):
    made, killer = with_books(tmp_path), Killer(spawned)
    worked_off(made, jobs=2, on_book=killer)
    assert killer.killed is not None
    same_as(made, in_one_place, killed=True)


@pytest.fixture(scope="module")
def local_cluster():
    with cluster_of(2) as started:
        yield started.scheduler_address


@pytest.mark.long
def test_a_cluster_gives_the_same_bytes(tmp_path, in_one_place, local_cluster):
    made = with_books(tmp_path)
    worked_off(made, scheduler=local_cluster)
    same_as(made, in_one_place)


@pytest.mark.long
def test_a_worker_of_a_cluster_that_is_killed_midway_changes_nothing(tmp_path, in_one_place, local_cluster):
    made = with_books(tmp_path)
    with executor(scheduler=local_cluster) as workers:
        killer = Killer(lambda: list(workers._client.run(os.getpid).values()))
        worked_off(made, workers=workers, on_book=killer)
    assert killer.killed is not None
    same_as(made, in_one_place, killed=True)


@pytest.mark.long
def test_books_and_runs_of_a_storage_are_reached_from_the_workers(tmp_path, in_one_place, local_cluster):
    """`file://` stands for a storage that all workers see; nothing but addresses travels to them."""
    made = with_books(tmp_path)
    wanted = Wanted(now=made.now, out=made.out.as_uri(), time_limit=5.0)
    sources = find_books(made.root.as_uri())
    assert [source.name for source in sources] == sorted(["broken", *(f"b{number}" for number in range(BOOKS))])
    nightly(made.store, sources, wanted, now=made.now, scheduler=local_cluster)
    same_as(made, in_one_place)
