"""What a worker is asked to do in tests of executors, and a cluster on this machine."""

import os
import signal
import threading
import time
from pathlib import Path

from rebalancer.errors import Fault, InvalidInput


def double(number):
    return 2 * number


def pid(_):
    return os.getpid()


def slow_double(number):
    time.sleep(0.2)
    return 2 * number


def sleeps(marker):
    """Leave a file that says which process it is, and sleep."""
    Path(marker).write_text(str(os.getpid()))
    time.sleep(60)


def until_unwanted(folder):
    """Leave a file, wait until nobody wants the result any more, and leave another."""
    from rebalancer.executors import wanted

    Path(folder, "started").write_text(str(os.getpid()))
    still_wanted = wanted()
    while still_wanted():
        time.sleep(0.05)
    Path(folder, "unwanted").write_text(str(os.getpid()))


def dies(number):
    os.kill(os.getpid(), signal.SIGKILL)


def dies_at_three(number):
    if number == 3:
        dies(number)
    time.sleep(0.05)
    return 2 * number


def dies_once(task):
    """The first of those that are asked, as the marker says, dies after it has slept a little."""
    marker, number = task
    try:
        os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return 2 * number
    threading.Timer(0.2, dies, [number]).start()
    time.sleep(60)
    return None


class Stubborn(Exception):
    """It can't be made again from its words."""

    def __init__(self, first, second):
        super().__init__(f"{first} and {second}")


def fails(number):
    if number == 0:
        raise InvalidInput([Fault("late", "It is late.", "Come back.", "a.csv", 7)])
    if number == 1:
        raise Stubborn("this", "that")
    if number == 2:
        raise SystemExit(9)
    return lambda: number


def cluster_of(workers):
    """A cluster on this machine; its pages get a free port, since others may run here."""
    from distributed import LocalCluster

    return LocalCluster(n_workers=workers, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0")
