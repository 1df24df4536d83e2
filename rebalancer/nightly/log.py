"""Log: what a night does, one JSON object a line, or plain lines; passwords never.

    log = configure()                                   # to stderr
    event(log, "book_done", book="north", status="no_change", seconds=1.2)

Nothing is set up on import.
"""

from __future__ import annotations

import json
import logging
import math
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from rebalancer.errors import UsageError, printable

NAME = "rebalancer.nightly"
HIDDEN = "***"
LONGEST = 2_000
"""Characters of a value in a plain line."""

_SECRET_NAMES = r"pass(?:word|wd|phrase)?|pwd|secret|token|credentials?|api_?key|access_?key|account_?key|sas"
_IN_URL = re.compile(r"(\w[\w+.\-]*://[^\s:/@]*:)\S*@")
_AS_SETTING = re.compile(rf"(?i)(\b[\w\-]*(?:{_SECRET_NAMES})[\"']?\s*[=:]\s*)(\"[^\"]*\"|'[^']*'|[^\s&;,\"']+)")
_SECRET_FIELD = re.compile(rf"(?i)(?:^|_)(?:{_SECRET_NAMES})$")


def masked(text: str) -> str:
    """The text without passwords: those of URLs, and values of settings that are named like one."""
    return _AS_SETTING.sub(rf"\1{HIDDEN}", _IN_URL.sub(rf"\1{HIDDEN}@", text))


def event(log: logging.Logger, name: str, /, *, severity: int = logging.INFO, **fields: Any) -> None:
    """Log an event with its fields, of any name but `severity`; `ts`, `level` and `event` are the line's own."""
    log.log(severity, name, extra={"fields": fields})


class Masked(logging.Filter):
    """Takes passwords out of the event, its fields and an error that goes with it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Every record passes, without passwords."""
        fields = {str(name): _plain(value, str(name)) for name, value in getattr(record, "fields", {}).items()}
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            fields.setdefault("error", masked(f"{type(error).__name__}: {error}"))
        record.msg, record.args = masked(record.getMessage()), ()
        record.fields, record.exc_info, record.exc_text, record.stack_info = fields, None, None, None
        return True


def _plain(value: Any, name: str = "") -> Any:
    """A value as JSON has it, without passwords; what is no finite number is null."""
    if _SECRET_FIELD.search(name) and value is not None:
        return HIDDEN
    if isinstance(value, Mapping):
        return {str(key): _plain(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(inner) for inner in (sorted(value, key=str) if isinstance(value, set | frozenset) else value)]
    if hasattr(value, "item") and not isinstance(value, str):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int) else masked(str(value))


def _moment(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")[:-4] + "Z"


class JsonLines(logging.Formatter):
    """`{"ts": ..., "level": ..., "event": ..., FIELDS}` on one line, in ASCII, so that nothing steers a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        own = {"ts": _moment(record), "level": record.levelname.lower(), "event": record.getMessage()}
        return json.dumps({**own, **{name: value for name, value in _fields(record).items() if name not in own}})


class PlainLines(logging.Formatter):
    """`02:12:09 book_done book=north seconds=1.2`, times in UTC; warnings and errors say so."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        told = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
        parts = [f"{name}={_shown(value)}" for name, value in _fields(record).items()]
        return " ".join([_moment(record)[11:19], told + printable(record.getMessage(), LONGEST), *parts])


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    return dict(getattr(record, "fields", {}))


def _shown(value: Any) -> str:
    if not isinstance(value, str):
        return printable(json.dumps(value), LONGEST)
    shown = printable(value, LONGEST)
    return f'"{shown}"' if re.search(r"[\s\"=]|^$", shown) else shown


class _Quiet:
    """A log that can't be written says so once and stops nothing."""

    told = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802, ARG002
        if not self.told:
            self.told = True
            error = sys.exc_info()[1]
            try:
                sys.stderr.write(f"warning: the log can't be written: {type(error).__name__}; the night goes on.\n")
            except (OSError, ValueError):  # stderr itself is what can't be written
                return


class _Stream(_Quiet, logging.StreamHandler[TextIO]):
    pass


class _File(_Quiet, logging.FileHandler):
    pass


def configure(target: TextIO | str | Path | None = None, as_json: bool = True) -> logging.Logger:
    """The logger of the nights, which writes to a stream or to the end of a file; None: stderr.

    Again, it takes the place of what was set up before. Raises `UsageError` where the file can't be opened.
    """
    handler = _handler(target)
    handler.addFilter(Masked())
    handler.setFormatter(JsonLines() if as_json else PlainLines())
    log = release()
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    return log


def _handler(target: TextIO | str | Path | None) -> logging.Handler:
    if not isinstance(target, str | Path):
        return _Stream(target)
    try:
        return _File(target, encoding="utf-8")
    except OSError as error:
        raise UsageError(f'the log "{printable(str(target), 200)}" can\'t be written: {error.strerror}.') from None


def release() -> logging.Logger:
    """Take away what `configure` set up, and close its file."""
    log = logging.getLogger(NAME)
    for handler in list(log.handlers):
        log.removeHandler(handler)
        handler.close()
    return log
