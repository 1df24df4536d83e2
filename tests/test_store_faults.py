"""Whatever goes wrong in the middle of a change, the store is as before it or as after it, never between."""

import os
import random
import resource
import signal
import sqlite3
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial

import pandas as pd
import pytest
import sqlalchemy as sa
from stores import (
    OWNERS,
    START,
    as_approver,
    content,
    copies,
    plan_of,
    postgresql_store,
    server,
    sqlite_store,
    submitted,
)

from rebalancer.crm.folder import LEDGER_COLUMNS
from rebalancer.errors import Busy, RebalancerError
from rebalancer.review import Decision
from rebalancer.store import (
    Reviewed,
    Store,
    apply,
    approve,
    audit,
    record_results,
    record_review,
    reject,
    show,
    submit_plan,
    undo,
)
from rebalancer.store.connect import engine_of

PLAN = {"A-1": "M-2", "A-3": "M-1"}
NEXT = plan_of({"A-2": "M-3"}, {**OWNERS, "A-4": "M-3"}, "run-2", day="2026-01-16")
STEPS = {
    "submit": lambda store, _: submit_plan(store, NEXT, now=START),
    "approve": lambda store, name: approve(as_approver(store), name, now=START),
    "reject": lambda store, name: reject(store, name, now=START),
    "apply": lambda store, name: apply(store, name, now=START),
    "undo": lambda store, name: undo(store, name, now=START),
    "apply an undo": lambda store, name: apply(store, undo(store, name, now=START).proposal_id, now=START),
    "import results": lambda store, name: record_results(store, "run-1", all_done(store, name), now=START),
    "import decisions": lambda store, name: record_review(store, all_kept(store, name), now=START),
}
BEFORE = {
    "apply": ["approve"],
    "undo": ["approve", "apply"],
    "apply an undo": ["approve", "apply"],
    "import results": ["approve", "apply"],
}


def all_done(store, name):
    """The ledger of files that say of every move that the CRM took it; its rows are long, to meet limits soon."""
    moved = [move["account_id"] for move in show(store, name).moves]
    rows = [
        (account, f"id-{account}", "user-".ljust(400, "2"), "done", "", "2026-01-15T08:00:00Z") for account in moved
    ]
    return pd.DataFrame(rows, columns=LEDGER_COLUMNS, dtype=object)


def all_kept(store, name):
    """Decisions against every move."""
    return Reviewed(
        "run-1", tuple(Decision(m["account_id"], "keep", m["from_am"]) for m in show(store, name).moves), {}
    )


@pytest.fixture(params=["sqlite", "postgresql"])
def prepared(request, tmp_path):
    """Copies of a store in which a step can be taken: `prepared(step)` gives a store and its proposal."""
    running = request.getfixturevalue("postgresql") if request.param == "postgresql" else None
    store = postgresql_store(running) if running else sqlite_store(tmp_path)
    name = submitted(store, PLAN)
    done = []
    with copies(store, tmp_path, running) as copy:

        def ready(step):
            if not done:
                for earlier in BEFORE.get(step, []):
                    STEPS[earlier](store, name)
                if step == "apply an undo":
                    approve(as_approver(store), undo(store, name, now=START).proposal_id, now=START)
                done.append(step)
            return copy(), name

        yield ready


class Fault(Exception):
    """What a database may raise at any time."""


def fail_at(number, act):
    """Count statements, commits too, in every engine, and act before the one of that number; gives an end."""
    seen = [0]

    def count(*_):
        seen[0] += 1
        if seen[0] == number:
            act()

    sa.event.listen(sa.Engine, "before_cursor_execute", count)
    sa.event.listen(sa.Engine, "commit", count)

    def end():
        sa.event.remove(sa.Engine, "before_cursor_execute", count)
        sa.event.remove(sa.Engine, "commit", count)
        return seen[0]

    return end


def raising():
    raise Fault


@pytest.mark.parametrize("step", STEPS)
def test_an_error_before_any_statement_leaves_the_store_as_before(prepared, step):
    number, failed = 1, 0
    store, name = prepared(step)
    before = content(store)
    while True:
        end = fail_at(number, raising)
        try:
            STEPS[step](store, name)
        except Fault:
            failed += 1
            end()
            assert content(store) == before, f"statement {number}"
        else:
            assert end() == number - 1
            break
        number += 1
    assert failed >= 8
    assert content(store) != before
    assert audit(store).ok


@pytest.mark.parametrize("step", ["approve", "apply", "apply an undo", "import results", "import decisions"])
def test_an_end_of_the_process_before_any_statement_leaves_the_store_as_before_or_after(prepared, step):
    store, name = prepared(step)
    before = content(store)
    number, status = 0, 9
    while status == 9:
        assert content(store) == before, f"statement {number}"
        number += 1
        status = in_child(partial(STEPS[step], store, name), partial(fail_at, number, partial(os._exit, 9)))
    assert status == 0
    assert number > 8
    assert content(store) != before
    assert audit(store).ok


def forked():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def in_child(call, prepare):
    """Exit code of a process of its own that makes a call, 1 where it raises."""
    child = forked()
    if child == 0:
        code = 1
        try:
            prepare()
            call()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("step", STEPS)
def test_a_full_disk_leaves_the_store_as_before_or_after(tmp_path, step):
    accounts = {f"A-{i}": "M-1" for i in range(600)}
    more = plan_of({}, {f"A-{i}": "M-1" for i in range(1_500)}, "run-2", day="2026-01-16")
    steps = {**STEPS, "submit": lambda store, _: submit_plan(store, more, now=START)}
    store = sqlite_store(tmp_path)
    name = submitted(store, dict.fromkeys(accounts, "M-2"), accounts)
    for earlier in BEFORE.get(step, []):
        STEPS[earlier](store, name)
    if step == "apply an undo":
        approve(store, undo(store, name, now=START).proposal_id, now=START)
    with closing(sqlite3.connect(store.engine.url.database)) as connection:
        connection.execute("VACUUM")
    before, spare = content(store), 0
    while ran_out_of_room(store, spare, lambda limited: steps[step](limited, name)):
        assert content(store) == before
        spare += 1
    assert spare
    assert content(store) != before
    assert audit(store).ok


def ran_out_of_room(store, spare, call):
    """A call on a store that may only grow by so many pages fails for that."""
    with store.reading() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    limited = Store(engine_of(store.engine.url))
    most = f"PRAGMA max_page_count = {pages + spare}"
    sa.event.listen(limited.engine, "connect", lambda raw, _: raw.execute(most).close())
    try:
        call(limited)
    except RebalancerError as error:
        return "disk is full" in str(error)
    return False


@pytest.mark.parametrize("step", STEPS)
def test_a_file_that_may_not_grow_is_told_and_the_command_works_once_it_may(tmp_path, step):
    store = sqlite_store(tmp_path)
    name = submitted(store, dict.fromkeys(MANY, "M-2"), MANY)
    prepare(store, name, step)
    before, limits = content(store), (1_000, 20_000, 33_000, 50_000)
    for limit in limits:
        said = tmp_path / f"{limit}.txt"
        code = in_child(partial(telling, said, partial(LARGE.get(step, STEPS[step]), store, name)), growing(limit))
        assert (code, "has no room to write" in said.read_text()) == (0, True), limit
        assert content(store) == before, limit
    LARGE.get(step, STEPS[step])(store, name)
    assert content(store) != before
    assert audit(store).ok


MANY = {f"A-{i:05}": "M-1" for i in range(600)}
MORE = plan_of({}, {**MANY, **{f"B-{i}": "M-1" for i in range(1_200)}}, "run-2", day="2026-01-16")
LARGE = {"submit": lambda store, _: submit_plan(store, MORE, now=START)}


def prepare(store, name, step):
    """Take the steps that go before one."""
    for earlier in BEFORE.get(step, []):
        STEPS[earlier](store, name)
    if step == "apply an undo":
        approve(as_approver(store), undo(store, name, now=START).proposal_id, now=START)


def growing(limit):
    """No file of this process may grow beyond so many bytes."""

    def set_limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

    return set_limit


def telling(file, call):
    """Write down what the call raises."""
    try:
        call()
    except RebalancerError as error:
        file.write_text(str(error)[:900])


@pytest.fixture(scope="module")
def small_files():
    """A PostgreSQL server whose log is in files of 1 MB, so that its tables can meet a limit before the log does."""
    with server("--wal-segsize=1") as running:
        yield running


@pytest.mark.long
@pytest.mark.parametrize("step", STEPS)
def test_a_postgresql_without_room_leaves_the_store_as_before_and_works_once_there_is_some(small_files, step):
    owners = {f"A-{i:05}": "M-1" for i in range(4_000)}
    more = plan_of({}, {**owners, **{f"B-{i}": "M-1" for i in range(14_000)}}, "run-2", day="2026-01-16")
    call = {**STEPS, "submit": lambda store, _: submit_plan(store, more, now=START)}[step]
    store = postgresql_store(small_files)
    name = submitted(store, dict.fromkeys(owners, "M-2"), owners)
    prepare(store, name, step)
    before = content(store)
    try:
        for limit in (1_100_000, 1_300_000):
            small_files.limit(limit)
            with pytest.raises(RebalancerError, match=r"has no room to write, and nothing was changed: could not"):
                call(store, name)
            assert content(store) == before
    finally:
        small_files.limit(None)
    call(store, name)
    assert content(store) != before
    assert audit(store).ok


def test_a_writer_who_waits_in_vain_says_that_the_store_is_busy(store):
    impatient = Store(engine_of(store.engine.url, busy_seconds=0.2))
    with store.writing(), pytest.raises(Busy, match="another command is writing"):
        submitted(impatient)
    assert submitted(impatient)


def at_once(store, count):
    """The same run submitted by so many at the same time."""
    with ThreadPoolExecutor(count) as pool:
        calls = [
            pool.submit(submit_plan, Store(engine_of(store.engine.url)), plan_of(PLAN), now=START) for _ in range(count)
        ]
        return [call.result() for call in calls]


@pytest.mark.parametrize("count", [2, 5, 20])
def test_of_many_who_submit_the_same_run_at_once_one_makes_a_proposal(store, count):
    done = at_once(store, count)
    assert [one.new for one in done].count(True) == 1
    assert len({one.proposal_id for one in done}) == 1
    assert len([event for event in content(store)["events"] if "'submitted'" in event]) == 1
    assert audit(store).ok


@pytest.mark.parametrize("count", [5, 20])
def test_of_many_who_apply_at_once_one_does(store, count):
    name = submitted(store, PLAN)
    approve(as_approver(store), name, now=START)
    with ThreadPoolExecutor(count) as pool:
        calls = [pool.submit(apply, Store(engine_of(store.engine.url)), name, now=START) for _ in range(count)]
        assert [call.result().new for call in calls].count(True) == 1
    assert audit(store).ok


def test_who_is_killed_while_writing_holds_up_nobody(store):
    read, write = os.pipe()
    child = forked()
    if child == 0:
        try:
            with Store(engine_of(store.engine.url)).writing():
                os.write(write, b"x")
                time.sleep(60)
        finally:
            os._exit(1)
    os.read(read, 1)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    started = time.monotonic()
    assert submitted(store)
    assert time.monotonic() - started < 5


def lives(store, number):
    """Proposals submitted, approved, applied and undone without end."""
    owners, other = dict(OWNERS), as_approver(store)
    for run in range(10_000):
        to = "M-3" if run % 2 else "M-2"
        plan = plan_of({"A-5": to}, {**owners, "A-5": ""}, f"run-{number}-{run}")
        name = submit_plan(store, plan, observe=not number, now=START).proposal_id
        approve(other, name, now=START)
        apply(store, name, now=START)
        back = undo(store, name, now=START).proposal_id
        approve(other, back, now=START)
        apply(store, back, now=START)


@pytest.mark.long
def test_a_kill_at_200_random_points_leaves_a_store_as_its_events_say(store):
    submitted(store)
    as_approver(store)
    moments = random.Random(7)
    for _ in range(200):
        child = forked()
        if child == 0:
            try:
                lives(store, moments.getrandbits(60))
            finally:
                os._exit(1)
        time.sleep(moments.uniform(0.01, 0.4))
        os.kill(child, signal.SIGKILL)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL, "it came to an end by itself"
        assert audit(store).findings == ()
        give_back(store)
    assert len(content(store)["events"]) > 1_000


def give_back(store):
    """Leave A-5 to nobody, so that the next plan fits."""
    from rebalancer.store import list_proposals

    for one in list_proposals(store):
        if one["state"] == "applied" and not one["undoes"]:
            back = undo(store, one["proposal_id"], now=START).proposal_id
            approve(as_approver(store), back, now=START)
            apply(store, back, now=START)
