"""What every section of a coverage model is made of: its base, and the types its values share."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Tier = Literal["strategic", "enterprise", "mid_market", "smb"]

NO_LIMIT = "none"


def lifted(value: object) -> object:
    """None for the word that lifts a limit, anything else unchanged."""
    return None if value == NO_LIMIT else value


Limit = Annotated[Annotated[int, Field(ge=0)] | None, BeforeValidator(lifted)]
"""A count, or `"none"` for no limit."""

Positive = Annotated[Decimal, Field(gt=0)]
Share = Annotated[Decimal, Field(ge=0, le=1)]
Steps = tuple[tuple[Decimal, Decimal], ...]
"""A step table `[[from, value], ...]`: the last row with `from <= x` applies; below the first row the value is 1."""


Days = Annotated[Annotated[int, Field(ge=0, le=10_000)] | None, BeforeValidator(lifted)]
"""A number of days, or `"none"`."""


class Section(BaseModel):
    """A part of a model; a key that is not declared is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)
