"""One night at a time on a store: who comes second is told who is first, and a killed holder stands in nobody's way."""

import os
import signal
import subprocess
import sys
import time

import pytest
from stores import address_of

from rebalancer.errors import Busy
from rebalancer.nightly.lock import night_lock

HOLDS = """
import sys, time
from rebalancer.nightly.lock import night_lock
from rebalancer.store import open_store
with night_lock(open_store(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def holder_of(store):
    """A process that holds the lock."""
    process = subprocess.Popen([sys.executable, "-c", HOLDS, address_of(store)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline().strip() == "held"
    return process


def test_the_second_is_told_who_the_first_is(store):
    with (
        night_lock(store),
        pytest.raises(Busy, match=rf"process {os.getpid()} on .* since 20") as told,
        night_lock(store),
    ):
        pytest.fail("both hold the lock")
    assert told.value.exit_code == 75


def test_who_is_done_lets_the_next_one_in(store):
    for _ in range(3):
        with night_lock(store):
            pass


def test_a_failure_gives_the_lock_back(store):
    with pytest.raises(ZeroDivisionError), night_lock(store):
        raise ZeroDivisionError
    with night_lock(store):
        pass


def test_the_second_may_wait_for_the_first(store):
    first = holder_of(store)
    started = time.monotonic()
    try:
        with pytest.raises(Busy), night_lock(store, wait=0.5):
            pytest.fail("both hold the lock")
        assert time.monotonic() - started >= 0.5
    finally:
        first.kill()
        first.wait()
        first.stdout.close()


def test_a_killed_holder_lets_the_next_one_in_within_a_second(store):
    for how in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
        first = holder_of(store)
        first.send_signal(how)
        started = time.monotonic()
        with night_lock(store, wait=10):
            taken = time.monotonic() - started
        first.wait()
        first.stdout.close()
        assert taken < 1


def test_decisions_are_not_kept_waiting_by_a_night(store):
    from stores import submitted

    with night_lock(store):
        assert submitted(store)
