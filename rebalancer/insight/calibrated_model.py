"""A calibration as a model file of its own: it extends its base and sets the weights of tiers, nothing else."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import tomlkit

from rebalancer.book import Book
from rebalancer.coverage import load_model
from rebalancer.errors import RebalancerError, UsageError
from rebalancer.insight.calibration import Calibration
from rebalancer.plan import DEFAULT_MODEL
from rebalancer.tables import TIERS

FROM = {"benchmarks": "benchmark ratios", "hours": "tracked hours", "touches": "the time that touches took"}


def base_of(book: Book, model: str | Path | None) -> str:
    """The name or file of the model that `calibrate` starts from when it is given the same."""
    return str(model or book.model or DEFAULT_MODEL)


def model_text(calibration: Calibration, extends: str) -> str:
    """The TOML of the calibrated model. `extends` is a shipped model's name or a path without `.toml`."""
    told, day = FROM[calibration.source], calibration.effective_date
    title = f"{calibration.base.title or calibration.base.name}, calibrated"
    before, after = calibration.base.units.tier, calibration.model.units.tier
    weights = [f"{tier} = {after[tier]} # {_change(before[tier], after[tier])}" for tier in TIERS]  # type: ignore[index]
    lines = [
        f"# Weights from {told}; book of {day}. Written by `rebalancer models calibrate`.",
        f"extends = {tomlkit.string(extends).as_string()}",
        "",
        f"title = {tomlkit.string(title).as_string()}",
        f"about = {tomlkit.string(f'Units per tier from {told}.').as_string()}",
        "",
        "[units.tier]",
        *weights,
    ]
    return "\n".join(lines) + "\n"


def _change(before: object, after: object) -> str:
    return "as before" if before == after else f"{before} before"


def write_calibrated(calibration: Calibration, base: str, out: str | Path, *, force: bool = False) -> Path:
    """Write the model to a TOML file, whole or not at all, and read it back. `base` is as `base_of` says.

    Raises `UsageError` where the file is there already (without `force`), is the base itself or is no `.toml`.
    """
    file = Path(out)
    if file.suffix != ".toml":
        raise UsageError(f'a coverage model is a .toml file; "{file}" is none.')
    if base.endswith(".toml") and file.resolve() == Path(base).resolve():
        raise UsageError(f'"{file}" is the model that is calibrated, which can\'t extend itself. Name another file.')
    if file.exists() and not force:
        raise UsageError(f'"{file}" is there already. --force overwrites it.')
    text = model_text(calibration, _extends(base, file))
    try:
        _replace(file, text)
    except OSError as error:
        raise RebalancerError(f"can't write {file}: {error.strerror}.") from None
    return file


def _extends(base: str, file: Path) -> str:
    """A shipped model by its name, a file by its path as seen from the new one, without its ending."""
    if not base.endswith(".toml"):
        return base
    return Path(os.path.relpath(Path(base).resolve().with_suffix(""), file.resolve().parent)).as_posix()


def _replace(file: Path, text: str) -> None:
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=".calibrate-", suffix=".toml")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as out:
            out.write(text)
        load_model(name)
        Path(name).chmod(0o644)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
