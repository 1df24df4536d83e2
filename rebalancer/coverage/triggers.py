"""Triggers and heatmap: when a book has to be rebalanced, within how many days, and what the heatmap compares with."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field

from rebalancer.coverage.section import Section, Share, Tier

UTC = "UTC"


def known_zone(name: str) -> str:
    """The name of a time zone of the IANA list; `ValueError` for any other."""
    if name == UTC:  # there is no need of a time zone database for it
        return name
    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        raise ValueError(
            f'"{name}" is not a known time zone; use a name of the IANA list such as "Europe/Berlin" or "UTC"'
        ) from None
    return name


Zone = Annotated[str, AfterValidator(known_zone)]
Period = Annotated[int, Field(ge=1, le=10_000)]
"""A number of days, at least one."""


class Triggers(Section):
    """What fires besides `limits.trigger` and the counts, how long a fired book may take, and what relief it gets."""

    grr_below: Share = Decimal("0.90")
    silent_days: Period = 60
    silent_tiers: tuple[Tier, ...] = ("strategic", "enterprise")
    touched_days: Period = 90
    not_meaningful: tuple[str, ...] = ("automated", "bulk_email", "marketing", "newsletter")
    days: Period = 60
    refire_days: Annotated[int, Field(ge=0, le=10_000)] = 30
    zone: Zone = UTC
    relief: Annotated[Decimal, Field(gt=0, le=10)] = Decimal("0.85")
    relieve: bool = False
    relieve_books: tuple[str, ...] = ()
    wait_books: tuple[str, ...] = ()


class Heatmap(Section):
    """What the heatmap shows of a book, and what sizing by ARR alone would expect of one."""

    top_accounts: Annotated[int, Field(ge=1, le=100)] = 5
    arr_per_am: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=1)]] = (5_000_000, 10_000_000)
