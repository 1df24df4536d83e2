"""What every test has: settings of property tests, which know no deadline on a busy machine, and the command line.

Where REBALANCER_CI is set, a test that is skipped fails, unless it needs what no installation brings.
"""

import json
import os
from typing import NamedTuple

import pytest
from hypothesis import settings

from rebalancer.cli import main

settings.register_profile("gate", derandomize=True, deadline=None, max_examples=100)
settings.load_profile("gate")


ELSEWHERE = (
    "the AdventureWorks books are not",
    "the generalized assignment instances are not",
    "REBALANCER_ADVENTUREWORKS names no folder",
    "this file system can't",
)
"""How the reasons begin of tests that need what no installation brings: data that is no part of the repository, and a
file system on which two names can change places.
"""


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport():
    """A skip is a failure where everything has to run."""
    report = (yield).get_result()
    if report.skipped and os.environ.get("REBALANCER_CI") and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2].removeprefix("Skipped: ")
        if not reason.startswith(ELSEWHERE):
            report.outcome, report.longrepr = "failed", f"skipped where nothing may be: {reason}"


class Result(NamedTuple):
    """What a command left: exit code and both streams."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        """The one document on stdout."""
        return json.loads(self.out, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))


@pytest.fixture
def run(capsys, tmp_path, monkeypatch):
    """Calls the command line in an empty directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("REBALANCER_DEBUG", raising=False)

    def call(*args):
        with pytest.raises(SystemExit) as ended:
            main([str(arg) for arg in args])
        return Result(ended.value.code, *capsys.readouterr())

    return call


@pytest.fixture(scope="session")
def postgresql():
    """A private PostgreSQL server; see `stores.server`."""
    from stores import server

    with server() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request, tmp_path):
    """A new store of either kind."""
    from stores import postgresql_store, sqlite_store

    if request.param == "sqlite":
        return sqlite_store(tmp_path)
    return postgresql_store(request.getfixturevalue("postgresql"))


@pytest.fixture
def memory():
    """An empty storage in memory."""
    import fsspec

    held = fsspec.filesystem("memory")
    held.store.clear()
    yield held
    held.store.clear()
