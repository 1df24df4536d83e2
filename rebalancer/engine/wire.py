"""Wire: what a search in its own process and its parent say to each other.

A frame is a fixed head (mark, kind, number of the call, two lengths), a JSON text, and the bytes of flat arrays. The
parent trusts nothing of it: lengths are capped before they are read, types are listed, and nothing is unpickled.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import IO, Any

import numpy as np

from rebalancer.certificate import Certificate, Multipliers
from rebalancer.engine.outcome import ComponentResult, LevelResult, Options, Outcome
from rebalancer.problem import Gates, Level, Problem, Rows

MARK = b"rbl1"
HEAD = struct.Struct("<4sBIQQ")
TYPES = {"<i8": np.dtype("<i8"), "|b1": np.dtype("|b1")}
UNLIMITED = 2**62
READ_BYTES = 2**20


class Kind(IntEnum):
    """What a frame says. SOLVE and STOP go to the child, the others come from it."""

    READY = 1
    SOLVE = 2
    STOP = 3
    PROGRESS = 4
    PLAN = 5
    ANSWER = 6
    ERROR = 7


class WireError(Exception):
    """Bytes that are no frame, or half of one."""


@dataclass(frozen=True)
class Frame:
    """One message: `call` numbers the search it belongs to."""

    kind: Kind
    call: int = 0
    meta: dict[str, Any] = field(default_factory=dict)
    arrays: tuple[np.ndarray, ...] = ()


def write_frame(file: IO[bytes], frame: Frame) -> None:
    """Write a frame and flush it."""
    flat = [np.ascontiguousarray(array) for array in frame.arrays]
    meta = {**frame.meta, "arrays": [[array.dtype.str, len(array)] for array in flat]}
    text = json.dumps(meta, default=int).encode("ascii")
    head = HEAD.pack(MARK, frame.kind, frame.call, len(text), sum(array.nbytes for array in flat))
    _write_all(file, memoryview(head + text))
    for array in flat:
        _write_all(file, memoryview(array.view(np.uint8)))  # type: ignore[arg-type]
    file.flush()


def _write_all(file: IO[bytes], data: memoryview) -> None:
    """Pipes may take a part at a time."""
    while len(data):
        data = data[file.write(data) or 0 :]


def read_frame(file: IO[bytes], most: int = UNLIMITED) -> Frame | None:
    """The next frame of at most so many bytes, None at the end. Raises `WireError` for anything else."""
    first = file.read(1)
    if not first:
        return None
    try:
        mark, kind, call, text_size, data_size = HEAD.unpack(first + _exactly(file, HEAD.size - 1))
        if mark != MARK or text_size + data_size > most:
            raise WireError("no frame starts here")
        meta = json.loads(_exactly(file, text_size))
        return Frame(Kind(kind), call, meta, _arrays(meta.pop("arrays"), _exactly(file, data_size)))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, struct.error) as error:
        raise WireError(str(error)) from None


def _exactly(file: IO[bytes], size: int) -> bytes:
    parts, left = [], size
    while left:
        part = file.read(min(left, READ_BYTES))
        if not part:
            raise WireError("half a frame")
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _arrays(shapes: list[list[Any]], data: bytes) -> tuple[np.ndarray, ...]:
    arrays, place = [], 0
    for name, count in shapes:
        dtype = TYPES[name]
        arrays.append(np.frombuffer(data, dtype, count, place).copy())
        place += count * dtype.itemsize
    if place != len(data):
        raise WireError("the arrays do not fill the frame")
    return tuple(arrays)


def problem_frame(problem: Problem, options: Options, call: int) -> Frame:
    """The request to solve a problem. Seats stay here: the engine does not look at them."""
    rows, gates = problem.rows, problem.gates
    arrays = [problem.arc_group, problem.arc_seat, problem.arc_book, problem.today]
    arrays += [rows.ptr, rows.arc, rows.weight, rows.lo, rows.hi, rows.level, rows.penalty, gates.ptr, gates.arc]
    for level in problem.levels:
        arrays += [level.arc_cost, level.gate_cost]
    meta = {
        "groups": [str(group) for group in problem.groups],
        "rows": [str(name) for name in rows.names],
        "rules": [str(rule) for rule in rows.rules],
        "levels": [[level.name, level.tolerance] for level in problem.levels],
        "options": {
            "time_limit": float(options.time_limit),
            "gap": float(options.gap),
            "seed": options.seed,
            "workers": options.workers,
            "reproducible": options.reproducible,
            "of_arcs": options.of_arcs,
        },
    }
    return Frame(Kind.SOLVE, call, meta, tuple(np.asarray(array, dtype="<i8") for array in arrays))


def problem_of(frame: Frame) -> tuple[Problem, Options]:
    """The problem of a request, as far as the engine looks at it."""
    meta = frame.meta
    group, seat, book, today, *rest = frame.arrays
    levels = rest[9:]
    problem = Problem(
        groups=tuple(meta["groups"]),
        seats=(),
        arc_group=group,
        arc_seat=seat,
        arc_book=book,
        today=today,
        rows=Rows(tuple(meta["rows"]), tuple(meta["rules"]), *rest[:7]),
        gates=Gates(("",) * (len(rest[7]) - 1), rest[7], rest[8]),
        levels=tuple(
            Level(name, levels[2 * index], levels[2 * index + 1], tolerance)
            for index, (name, tolerance) in enumerate(meta["levels"])
        ),
    )
    return problem, Options(**meta["options"])


def answer_frame(outcome: Outcome, call: int) -> Frame:
    """What the child found."""
    meta = {
        "levels": [vars(level) for level in outcome.levels],
        "legal": outcome.legal,
        "stopped": outcome.stopped,
        "from_solver": outcome.from_solver,
        "warnings": list(outcome.warnings),
    }
    meta["spent"] = outcome.spent
    meta["certificates"] = [certificate.level for certificate in outcome.certificates]
    arrays = [outcome.chosen]
    for certificate in outcome.certificates:
        arrays += [certificate.group, certificate.row, certificate.kept, certificate.copy, certificate.copies]
    meta["components"] = [_told(component) for component in outcome.components]
    for component in outcome.components:
        arrays.append(component.chosen)
        for found in component.multipliers.values():
            arrays += [found.group, found.row, found.kept, found.copy]
    return Frame(Kind.ANSWER, call, meta, tuple(array.astype("<i8") for array in arrays))


def _told(component: ComponentResult) -> dict[str, Any]:
    """What a component found, but for its arrays."""
    return {
        "levels": [vars(level) for level in component.levels],
        "legal": component.legal,
        "from_solver": component.from_solver,
        "timed_out": component.timed_out,
        "multipliers": list(component.multipliers),
        "spent": component.spent,
        "warnings": component.warnings,
    }


def outcome_of(frame: Frame) -> Outcome:
    """The outcome that a frame claims, its types checked and nothing else. Raises `WireError`."""
    meta = frame.meta
    try:
        chosen, *multipliers = frame.arrays
        levels = tuple(_level(level) for level in meta["levels"])
        warnings = tuple(str(text)[:500] for text in meta["warnings"][:100])
        legal, searched = meta["legal"] is True, meta["from_solver"] is True
        certificates = tuple(
            Certificate(str(name), *multipliers[5 * place : 5 * place + 5])
            for place, name in enumerate(meta["certificates"])
        )
        spent = {str(phase): float(seconds) for phase, seconds in meta["spent"].items()}
        arrays = iter(multipliers[5 * len(certificates) :])
        components = tuple(_component(told, arrays) for told in meta["components"])
        if meta["stopped"] not in ("proven", "gap", "time", "interrupt"):
            raise WireError("an unknown end")
        if any(array.dtype != TYPES["<i8"] for array in frame.arrays):
            raise WireError("an unknown type")
    except (KeyError, TypeError, ValueError, AttributeError, StopIteration) as error:
        raise WireError(str(error)) from None
    return Outcome(chosen, levels, legal, meta["stopped"], searched, warnings, certificates, spent, components)


def _component(told: dict[str, Any], arrays: Iterator[np.ndarray]) -> ComponentResult:
    chosen = next(arrays)
    numbers = [level for level in told["multipliers"] if type(level) is int]
    return ComponentResult(
        chosen,
        [_level(level) for level in told["levels"]],
        told["legal"] is True,
        told["from_solver"] is True,
        told["timed_out"] is True,
        {level: Multipliers(next(arrays), next(arrays), next(arrays), next(arrays)) for level in numbers},
        {str(phase): float(seconds) for phase, seconds in told["spent"].items()},
        [str(text)[:500] for text in told["warnings"][:100]],
    )


def _level(claim: dict[str, Any]) -> LevelResult:
    if claim["proof"] not in (None, "solver", "certificate") or type(claim["value"]) is not int:
        raise WireError("an unknown proof or value")
    numbers = [whole(claim[name]) for name in ("bound", "certificate_bound", "least")]
    return LevelResult(str(claim["name"]), claim["value"], numbers[0], claim["proof"], numbers[1], numbers[2])


def whole(value: Any) -> int | None:
    """A whole number or None. Raises `WireError` for anything else."""
    if value is None or type(value) is int:
        return value
    raise WireError("a number that is not whole")
