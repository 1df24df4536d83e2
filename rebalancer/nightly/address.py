"""The address of a database: found by each worker for itself, kept by nobody, and shown in no message."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote, quote_plus

import sqlalchemy as sa

from rebalancer.errors import Fault, InvalidInput

SECRET = re.compile(r"pass|pwd|secret|token|key|credential|sig", re.IGNORECASE)
"""Options of an address whose values are not for showing."""


@dataclass(frozen=True)
class Address:
    """Where the address is to be found: in a variable of the environment, or in a file. `toml` is for messages."""

    toml: str
    variable: str = ""
    file: str = ""

    def url(self) -> sa.URL:
        """The address as the process that calls it finds it. Raises `InvalidInput`, which shows nothing of it."""
        text = self._from_environment() if self.variable else self._from_file()
        try:
            return sa.make_url(text.strip())
        except Exception:  # a ValueError of a port that is none shows a part of the password
            problem = "what stands there is no address of a database."
            self.refuse(problem, "Write it as postgresql://user:password@host/name; % / : @ in a password as %25 ...")

    def refuse(self, problem: str, cure: str) -> NoReturn:
        """Raise `InvalidInput` about the address."""
        key = "connection.url_env" if self.variable else "connection.url_file"
        where = self.variable or self.file
        raise InvalidInput([Fault("connection", problem, cure, file=self.toml, column=key, value=where)]) from None

    def _from_environment(self) -> str:
        text = os.environ.get(self.variable, "")
        if not text.strip():
            self.refuse("the environment has no such variable.", "Set it where books are read: on every worker.")
        return text

    def _from_file(self) -> str:
        try:
            with Path(self.file).open(encoding="utf-8-sig") as file:
                if os.name == "posix" and stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                    problem = "others than its owner may read the file."
                    self.refuse(problem, "Allow it to its owner alone (chmod 600), and change the password.")
                return file.read(10_000)
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is no text"
            self.refuse(f"the file can't be read: {reason}.", "Put it where books are read: on every worker.")


def without_secrets(text: str, url: sa.URL) -> str:
    """A message of a driver without the password and other secrets of the address."""
    values = [value for name, part in url.query.items() if SECRET.search(name) for value in _several(part)]
    for secret in filter(None, [url.password, *values]):
        for form in (secret, quote(secret, safe=""), quote_plus(secret)):
            text = text.replace(form, "***")
    return re.sub(r"://[^\s/@]*@", "://***@", text)


def _several(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value
