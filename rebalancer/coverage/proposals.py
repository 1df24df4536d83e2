"""Proposals: how long an approval and a rejection hold."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from rebalancer.coverage.section import Section

Lasting = Annotated[int, Field(ge=1, le=3_650)]


class Proposals(Section):
    """Days after which an approval that was not applied ends, and for which a rejected move stays rejected."""

    approval_days: Lasting = 14
    rejected_days: Lasting = 90
