"""Trigger state: the clocks of the triggers, kept in a file between runs.

`TriggerFile` loads and saves them as plain records; whatever else can do that, such as a database, may stand in its
place.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from rebalancer.errors import Fault, InvalidInput, UsageError
from rebalancer.insight.trigger_clock import Clock, State
from rebalancer.swap import replace_file

SCHEMA_VERSION = 1


class TriggerFile:
    """The state in a JSON file of its own, which people can read; written whole or not at all."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def load(self) -> State | None:
        """The state, None where there is no file. Raises `InvalidInput` where it can't be what was written."""
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise self._refusal(f"it can't be read: {error}") from None
        try:
            content = json.loads(text)
            version = content["schema_version"]
            if version != SCHEMA_VERSION:
                raise self._refusal(f"it has schema_version {version}, and {SCHEMA_VERSION} is what this version reads")
            return state_of(content)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise self._refusal(f"it is not as it was written ({type(error).__name__}: {error})") from None

    def save(self, state: State) -> None:
        """Replace the file. Raises `UsageError` where the place can't be written."""
        content = json.dumps({"schema_version": SCHEMA_VERSION, **records_of(state)}, indent=2, ensure_ascii=False)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(self.path, (content + "\n").encode("utf-8"))
        except OSError as error:
            raise UsageError(
                f"can't write {self.path}: {error.strerror}. Name another place with --state, or use --dry-run."
            ) from None

    def _refusal(self, problem: str) -> InvalidInput:
        cure = "Restore it from a backup. Without one move it away, and every clock starts anew."
        return InvalidInput([Fault("state", f"the state of the triggers is damaged: {problem}.", cure, str(self.path))])


def records_of(state: State) -> dict[str, Any]:
    """The state as plain values: `day`, and under `clocks` a record for each clock; days as text."""
    day = None if state.day is None else state.day.isoformat()
    clocks = [
        {name: value.isoformat() if isinstance(value, date) else value for name, value in asdict(clock).items()}
        for clock in state.clocks
    ]
    return {"day": day, "clocks": clocks}


def state_of(records: dict[str, Any]) -> State:
    """The state of such records. Raises `ValueError`, `KeyError` or `TypeError` where they contradict themselves."""
    clocks = tuple(_clock(record) for record in records["clocks"])
    day = None if records["day"] is None else date.fromisoformat(records["day"])
    state = State(day, clocks)
    if len(state.running()) != sum(clock.cleared is None for clock in clocks):
        raise ValueError("a book has two clocks running for the same reason")
    if len({(clock.key, clock.first_red) for clock in clocks}) != len(clocks):
        raise ValueError("a book has two clocks for the same reason from the same day")
    if any(day is None or max(clock.last_red, clock.cleared or clock.last_red) > day for clock in clocks):
        raise ValueError("a clock runs on after the last day")
    return state


def _clock(record: dict[str, Any]) -> Clock:
    days = {name: record[name] for name in ("first_red", "last_red", "cleared")}
    read = {name: None if text is None else date.fromisoformat(text) for name, text in days.items()}
    clock = Clock(am_id=record["am_id"], reason=record["reason"], **read)  # type: ignore[arg-type]
    if not (isinstance(clock.am_id, str) and isinstance(clock.reason, str)):
        raise TypeError("am_id and reason are text")
    if not clock.first_red <= clock.last_red <= (clock.cleared or clock.last_red):
        raise ValueError(f"the days of {clock.am_id}, {clock.reason} are not in order")
    return clock
