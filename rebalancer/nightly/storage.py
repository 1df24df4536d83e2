"""Storages elsewhere, by URL through fsspec. Credentials are found by each process for itself, in its environment."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from rebalancer.errors import Fault, InvalidInput, RebalancerError, UsageError, printable

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

LOCAL = re.compile(r"(?:file|local)://")
PASSWORD = re.compile(r"://[^/@]*:[^/@]*@")
OPTION = re.compile(r"([?&][\w-]*(?:pass|pwd|secret|token|key|credential|sig)[\w-]*=)[^&\s\"']+", re.IGNORECASE)
"""A secret among the options of a URL; a folder may be called `key=1`."""

SHOWN = 300


def local_path(place: str) -> Path | None:
    """The path of a place on this machine, also of a `file://` URL; None for a URL elsewhere."""
    if LOCAL.match(place):
        return Path(LOCAL.sub("", place, count=1))
    return None if "://" in place else Path(place)


def storage_of(url: str) -> tuple[AbstractFileSystem, str]:
    """The storage of a URL, and the path in it. Raises `UsageError` where there is none, or the URL holds a secret."""
    if PASSWORD.search(url) or OPTION.search(url):
        raise UsageError(
            f'the address "{shown(url)}" holds a password or key, which then stands in logs and process lists. Take it '
            "out, and give it in the environment as the storage's package says."
        )
    from fsspec.core import url_to_fs

    try:
        storage, path = url_to_fs(url)
    except ImportError as error:
        problem = f'"{shown(url)}" can\'t be reached: {first_line(error)}.'
        raise UsageError(f"{problem} Install that package, on every worker as well.") from None
    except Exception as error:  # each storage has its own
        raise UsageError(f'"{shown(url)}" can\'t be reached: {first_line(error)}.') from None
    return storage, str(path)


@contextmanager
def failing_as_input(url: str) -> Iterator[None]:
    """What a storage raises becomes `InvalidInput` about the place."""
    try:
        yield
    except RebalancerError:
        raise
    except Exception as error:
        refuse(url, f"it can't be read: {first_line(error)}.", "Check that it is there, and that you may read it.")


def refuse(url: str, problem: str, cure: str, code: str = "storage") -> NoReturn:
    """Raise `InvalidInput` about a place."""
    raise InvalidInput([Fault(code, problem, cure, file=shown(url))]) from None


def shown(url: str) -> str:
    """A URL for messages."""
    return printable(OPTION.sub(r"\1***", PASSWORD.sub("://***@", url)), SHOWN)


def first_line(error: Exception) -> str:
    """What an error says, without what may be a secret."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    said = "there is no such file" if isinstance(error, FileNotFoundError) else shown(lines[0])
    return said.rstrip(".")
