"""Search processes that misbehave, each its own way. `python doubles.py NAME` takes the place of the worker."""

import os
import signal
import sys
import time

import numpy as np

from rebalancer.engine import worker
from rebalancer.engine.outcome import LevelResult, Outcome
from rebalancer.engine.wire import Frame, Kind, answer_frame, write_frame
from rebalancer.errors import Interrupted

LATE_SECONDS = 60


def sleeps_for_ever(courier, stop):
    time.sleep(10**6)


def eats_memory(courier, stop):
    eaten = []
    while True:
        eaten.append(np.ones(2**21))
        time.sleep(0.002)


def crashes(courier, stop):
    os.kill(os.getpid(), signal.SIGSEGV)


def talks_garbage(courier, stop):
    courier.wire.write(os.urandom(100_000))
    courier.wire.flush()
    os._exit(0)


def gives_half_an_answer(courier, stop):
    frame = answer_frame(courier.solve(stop), courier.call)
    read, write = os.pipe()
    with os.fdopen(write, "wb") as file:
        write_frame(file, frame)
    whole = os.read(read, 2**16)
    courier.wire.write(whole[: len(whole) // 2])
    courier.wire.flush()
    os._exit(0)


def is_falsely_infeasible(courier, stop):
    return Frame(Kind.ERROR, courier.call, {"type": "NoPlanInTime", "message": "no plan", "faults": []})


def is_falsely_contradicted(courier, stop):
    return Frame(Kind.ERROR, courier.call, {"type": "NoLegalPlan", "message": "no limit can hold", "faults": []})


def is_falsely_optimal(courier, stop):
    """Everything moves, and that is said to be the least."""
    chosen = last_arcs(courier.problem)
    return answer_frame(claimed(courier.problem, chosen, "solver"), courier.call)


def is_late(courier, stop):
    frame = answer_frame(courier.solve(stop), courier.call)
    time.sleep(courier.options.time_limit + LATE_SECONDS)
    return frame


DOUBLES = (
    sleeps_for_ever,
    eats_memory,
    crashes,
    talks_garbage,
    gives_half_an_answer,
    is_falsely_infeasible,
    is_falsely_contradicted,
    is_falsely_optimal,
    is_late,
)

# Others, for single tests


def sleeps_after_a_plan(courier, stop):
    send_plan(courier, courier.solve(stop).chosen)
    sleeps_for_ever(courier, stop)


def crashes_after_a_plan(courier, stop):
    send_plan(courier, courier.solve(stop).chosen)
    crashes(courier, stop)


def crashes_after_half_a_plan(courier, stop):
    chosen = courier.solve(stop).chosen.copy()
    chosen[::2] = -1
    send_plan(courier, chosen)
    crashes(courier, stop)


def crashes_after_senseless_plans(courier, stop):
    groups, arcs = len(courier.problem.groups), courier.problem.n_arcs
    for chosen in (np.full(groups, arcs), np.full(groups, -7), np.zeros(groups + 1), np.zeros(groups), np.ones(0)):
        send_plan(courier, chosen.astype(np.int64))
    crashes(courier, stop)


def closes_its_output(courier, stop):
    courier.wire.close()
    time.sleep(10**6)


def floods(courier, stop):
    while True:
        write_frame(courier.wire, Frame(Kind.PROGRESS, courier.call, {"best": 1, "bound": 0, "moves": 0, "done": 0,
                                                                      "components": 1, "seconds": 0.1}))  # fmt: skip


def claims_a_large_frame(courier, stop):
    courier.wire.write(b"rbl1\x06" + (1).to_bytes(4, "little") + (8).to_bytes(8, "little") + b"\xff" * 8)
    courier.wire.flush()
    time.sleep(10**6)


def fails(courier, stop):
    raise MemoryError("no room")


def says_it_was_stopped(courier, stop):
    raise Interrupted("stopped before there was a plan.")


def claims_a_bound_that_a_plan_beats(courier, stop):
    outcome = courier.solve(stop)
    levels = [LevelResult(x.name, x.value, x.value + 1, None, 0, x.least) for x in outcome.levels]
    return answer_frame(Outcome(outcome.chosen, tuple(levels), outcome.legal, "gap", True), courier.call)


def claims_other_values(courier, stop):
    outcome = courier.solve(stop)
    levels = tuple(LevelResult(x.name, max(0, x.value - 1), 0, None, 0, None) for x in outcome.levels)
    return answer_frame(Outcome(outcome.chosen, levels, outcome.legal, "gap", True), courier.call)


def claims_a_certificate(courier, stop):
    outcome = courier.solve(stop)
    levels = tuple(LevelResult(x.name, x.value, x.value, "certificate", 0, x.least) for x in outcome.levels)
    return answer_frame(Outcome(outcome.chosen, levels, outcome.legal, "gap", True), courier.call)


def prints_on_standard_output(courier, stop):
    print("hello", flush=True)
    os.write(1, b"hello\n")
    return answer_frame(courier.solve(stop), courier.call)


def dies_at_the_start():
    os._exit(3)


def last_arcs(problem):
    return np.flatnonzero(np.diff(problem.arc_group, append=-1))


def claimed(problem, chosen, proof):
    """The outcome of a plan that is said to be the least."""
    values = problem.values(chosen)
    levels = tuple(
        LevelResult(level.name, value, value, proof, 0, value if index == 0 else None)
        for index, (level, value) in enumerate(zip(problem.levels, values, strict=True))
    )
    return Outcome(chosen, levels, values[0] == 0, "proven", True)


def send_plan(courier, chosen):
    """Send a plan at once, and give the parent the time to read it."""
    write_frame(courier.wire, Frame(Kind.PLAN, courier.call, {"searched": True}, (chosen,)))
    time.sleep(0.05)


if __name__ == "__main__":
    double = globals()[sys.argv[1]]
    if double is dies_at_the_start:
        double()
    if double in (fails, says_it_was_stopped):
        worker.Courier.solve = double
    else:
        worker.Courier.answer = double
    worker.main()
