"""Figures: what was recounted, how a cell must say it, and the violations where it does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from rebalancer.verify.text import exact, is_short
from rebalancer.verify.violation import Violation

SHOWN = 20
"""Differences of one column that are shown; the rest is counted."""


@dataclass(frozen=True)
class Rounded:
    """A figure that is written with four decimals, either way at a half."""

    value: Fraction


Figure = str | bool | int | Fraction | Rounded | None


def agrees(claimed: str, figure: Figure) -> bool:
    """Whether a cell says what was recounted."""
    if figure is None or isinstance(figure, str):
        return claimed == (figure or "")
    if isinstance(figure, bool):
        return claimed.lower() == ("true" if figure else "false")
    if isinstance(figure, int) and is_short(claimed):
        return int(claimed) == figure
    number = exact(claimed)
    if number is None or not isinstance(figure, Rounded):
        return number == figure
    return abs(number - figure.value) <= Fraction(1, 20_000) and (10_000 * number).denominator == 1


def shown(figure: Figure) -> str:
    """A recounted figure in a message."""
    if isinstance(figure, Rounded):
        return f"{float(figure.value):.4f}"
    if isinstance(figure, bool):
        return "true" if figure else "false"
    if isinstance(figure, Fraction):
        return str(int(figure)) if figure.denominator == 1 else repr(float(figure))
    return "nothing" if figure in (None, "") else str(figure)


def compare(
    file: str, key: str, ids: Sequence[str], claimed: Mapping[str, list[str]], recounted: Mapping[str, Sequence[Figure]]
) -> Iterator[Violation]:
    """A violation for every cell that differs, at most `SHOWN` a column; a missing column is one violation."""
    for column, figures in recounted.items():
        if column not in claimed:
            yield Violation("recount", f"{file} has no column {column}")
            continue
        wrong = [at for at, figure in enumerate(figures) if not agrees(claimed[column][at], figure)]
        for at in wrong[:SHOWN]:
            said = f"{claimed[column][at] or 'nothing'}, recounted {shown(figures[at])}"
            yield Violation("recount", f"{file}, column {column}, {key} {ids[at]}: claimed {said}")
        if len(wrong) > SHOWN:
            yield Violation("recount", f"{file}, column {column}: {len(wrong) - SHOWN:,} more differ")
