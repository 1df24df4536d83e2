"""Frames on their way out: as rows of JSON and as CSV files to take away."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rebalancer.errors import UsageError, printable

if TYPE_CHECKING:
    import pandas as pd


def json_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows for JSON: missing values are null, days are `YYYY-MM-DD`."""
    import pandas as pd

    plain = []
    for _, values in frame.items():
        if pd.api.types.is_datetime64_any_dtype(values):
            values = values.dt.strftime("%Y-%m-%d")
        plain.append(values.astype(object).where(values.notna(), None).tolist())
    names = [str(name) for name in frame.columns]
    return [dict(zip(names, row, strict=True)) for row in zip(*plain, strict=True)]


def write_csv(file: Path, frame: pd.DataFrame) -> None:
    """One CSV file; `UsageError` where it can't be written."""
    from rebalancer.inputs import csv_text
    from rebalancer.tables import to_text

    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(csv_text(to_text(frame)), encoding="utf-8", newline="")
    except OSError as error:
        raise UsageError(f'"{printable(str(file))}" can not be written: {error.strerror}.') from None


def write_csvs(folder: Path, frames: Mapping[str, pd.DataFrame]) -> None:
    """A CSV file per frame in a directory, which is made where it is missing; other files there are left alone."""
    for name, frame in frames.items():
        write_csv(folder / f"{name}.csv", frame)
