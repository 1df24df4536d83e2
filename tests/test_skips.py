"""Where everything has to run, a test that is skipped fails."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SKIPPED = """
import pytest

@pytest.mark.skipif(True, reason="{reason}")
def test_marked():
    pass

def test_called():
    pytest.skip("{reason}")

@pytest.mark.xfail
def test_expected():
    assert False
"""


def outcome(tmp_path, reason, ci):
    """What pytest says in the end of two tests that are skipped and one that fails as expected."""
    (tmp_path / "test_some.py").write_text(SKIPPED.format(reason=reason), encoding="utf-8")
    place = str(Path(__file__).parent)
    environment = {**os.environ, "PYTHONPATH": place, "REBALANCER_CI": ci, "PYTEST_ADDOPTS": ""}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "conftest", "-p", "no:cacheprovider", "test_some.py"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("reason", "ci", "said"),
    [
        ("PostgreSQL is not installed", "1", "1 failed, 1 xfailed, 1 error"),
        ("PostgreSQL is not installed", "", "2 skipped, 1 xfailed"),
        ("the AdventureWorks books are not here", "1", "2 skipped, 1 xfailed"),
    ],
)
def test_a_skip_fails_where_everything_has_to_run(tmp_path, reason, ci, said):
    assert outcome(tmp_path, reason, ci).startswith(said)
