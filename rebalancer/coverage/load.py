"""Reads a coverage model: a TOML file, what it extends, and the overrides of a book, checked key by key."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from rebalancer.coverage.schema import CoverageModel, Role
from rebalancer.coverage.section import Section
from rebalancer.errors import Fault, InvalidInput, UsageError, did_you_mean
from rebalancer.shipped import shipped
from rebalancer.tables import TIERS


def model_names() -> list[str]:
    """Names of the coverage models that come with the library."""
    return sorted(path.stem for path in shipped("models").glob("*.toml"))


def load_model(name: str | Path, overrides: Mapping[str, Any] | None = None) -> CoverageModel:
    """The coverage model of that name, or in that file, with `overrides` laid over it.

    Raises `UsageError` for an unknown name, `InvalidInput` naming file, key, value and cure for a bad one.
    """
    raw, file = _resolved(_model_path(name))
    if overrides:
        raw, file = _merged(raw, overrides), f"{file} with the overrides of book.toml"
    try:
        return CoverageModel.model_validate(raw)
    except ValidationError as error:
        raise InvalidInput(_faults(error, file)) from None


def _model_path(name: str | Path) -> Path:
    text = str(name)
    if text.endswith(".toml"):
        if Path(text).is_file():
            return Path(text)
        raise UsageError(f'there is no coverage model file "{text}".')
    if text in _shipped_models():
        return _shipped_models()[text]
    near = did_you_mean(text, _shipped_models())
    raise UsageError(
        f'there is no coverage model "{text}". {near} Models: {", ".join(model_names())}.'.replace("  ", " ")
    )


@cache
def _shipped_models() -> dict[str, Path]:
    return {path.stem: path for path in shipped("models").glob("*.toml")}


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file with exact decimals; `InvalidInput` names file and line where it is not TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"), parse_float=Decimal)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(
            [Fault("toml", f"not readable as TOML: {error}.", "Correct that line.", path.name)]
        ) from None


def _resolved(path: Path, seen: tuple[Path, ...] = ()) -> tuple[dict[str, Any], str]:
    raw = read_toml(path)
    raw.setdefault("name", path.stem)
    base = raw.pop("extends", None)
    if base is None:
        return raw, path.name
    if path.resolve() in seen:
        chain = " -> ".join(part.name for part in (*seen, path))
        raise InvalidInput([Fault("model", f"the models extend each other: {chain}.", "Break the circle.", path.name)])
    beside = path.parent / f"{base}.toml"
    parent = beside if beside.is_file() and beside != path else _model_path(str(base))
    inherited, _ = _resolved(parent, (*seen, path.resolve()))
    return _merged(inherited, raw), path.name


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` laid on `base`, table by table; lists and single values are replaced whole."""
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merged(merged[key], value) if both else value
    return merged


def _faults(error: ValidationError, file: str) -> list[Fault]:
    faults = []
    for detail in error.errors(include_url=False):
        key = ".".join(str(part) for part in detail["loc"] if not str(part).startswith("function-"))
        if detail["loc"][-1:] == ("[key]",):
            key = key.removesuffix(".[key]")
            cure = did_you_mean(key.rpartition(".")[2], TIERS) or f"Known keys: {', '.join(TIERS)}."
            faults.append(Fault("model", "unknown key.", cure, file, column=key))
        elif detail["type"] == "extra_forbidden":
            cure = did_you_mean(key.rpartition(".")[2], _known_keys(detail["loc"][:-1]))
            faults.append(Fault("model", "unknown key.", cure or "Remove it.", file, column=key))
        elif detail["type"] == "missing":
            cure = f'Set it, or start with extends = "{"coverage_units"}".'
            faults.append(Fault("model", "the key is missing.", cure, file, column=key))
        else:
            message = detail["msg"].removeprefix("Value error, ")
            value = None if isinstance(detail["input"], (dict, Section)) else str(detail["input"])
            known = str(detail.get("ctx", {}).get("expected", "")).split("'")[1::2]
            cure = did_you_mean(value or "", known) or "Correct it."
            faults.append(Fault("model", f"{message[:1].lower()}{message[1:]}.", cure, file, column=key, value=value))
    return faults


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    section: Any = CoverageModel
    for part in location:
        known = getattr(section, "model_fields", {}).get(part)
        section = Role if known is None else known.annotation
    return list(getattr(section, "model_fields", {}))
