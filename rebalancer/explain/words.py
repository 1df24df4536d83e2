"""Words that several explanations share: amounts in a measure, short lists, and how sure a figure is."""

from __future__ import annotations

from collections.abc import Iterable

from rebalancer.units import HUNDREDTHS

SHOWN = 6
"""Ids named in a sentence before the rest is counted."""


def plain(number: float) -> str:
    """A number with separators and without empty decimals: `1,234.5`."""
    return f"{number:,.2f}".rstrip("0").rstrip(".")


def counted(number: int, noun: str) -> str:
    """A number with its noun: `1 account`, `2 accounts`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def percent(share: float) -> str:
    """A share with one decimal."""
    return f"{100 * share:.1f} %"


def dollars(amount: int) -> str:
    """Whole dollars with separators, the sign first."""
    return f"{'-' if amount < 0 else ''}${abs(amount):,}"


def amount(measure: str, value: int) -> str:
    """A disruption in the measure that was minimised."""
    if measure == "revenue_at_risk":
        return f"{dollars(value)} at risk"
    if measure == "units":
        return f"{plain(value / HUNDREDTHS)} units moved"
    return f"{value:,} {'change' if abs(value) == 1 else 'changes'} of owner"


def more(measure: str, extra: int) -> str:
    """A difference of disruption: `$300 more at risk`, `2 fewer changes of owner`."""
    size = abs(extra)
    if measure == "revenue_at_risk":
        return f"{dollars(size)} {'more' if extra > 0 else 'less'} at risk"
    word = "more" if extra > 0 else "fewer"
    if measure == "units":
        return f"{plain(size / HUNDREDTHS)} {word} units moved"
    return f"{size:,} {word} {'change' if size == 1 else 'changes'} of owner"


def listed(names: Iterable[str], shown: int = SHOWN) -> str:
    """The first names and how many more there are."""
    every = list(names)
    rest = len(every) - shown
    return ", ".join(every) if rest <= 0 else f"{', '.join(every[:shown])} and {rest:,} more"
