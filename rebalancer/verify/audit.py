"""verify_tables: the whole check of one plan against the tables it was made from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import pandas as pd

from rebalancer.coverage import MEASURES, SCOPES, CoverageModel
from rebalancer.errors import printable
from rebalancer.verify import recount
from rebalancer.verify.checks import CHECKS
from rebalancer.verify.ledger import Ledger
from rebalancer.verify.plan import Plan, read_plan
from rebalancer.verify.rows import ELASTIC
from rebalancer.verify.text import UnreadableError
from rebalancer.verify.totals import totals
from rebalancer.verify.violation import Violation


def verify_tables(
    tables: Mapping[str, pd.DataFrame],
    model: CoverageModel,
    *,
    effective_date: date | str,
    scope: str,
    measure: str,
    assignments: pd.DataFrame,
    proposal: Mapping[str, Any],
    books: pd.DataFrame | None = None,
    csms: pd.DataFrame | None = None,
    moves: pd.DataFrame | None = None,
) -> list[Violation]:
    """Every violation of a plan, from the input tables as canonical text; an empty list confirms the plan.

    `assignments`, `books`, `csms` and `moves` are frames of the files of those names, `proposal` is `proposal.json`;
    what is None is not recounted. Where the plan does not claim to be legal, the elastic limits are judged by the
    claimed overload alone.
    """
    try:
        _check_known("scope", scope, SCOPES)
        _check_known("measure", measure, MEASURES)
        if not isinstance(proposal, Mapping):
            raise UnreadableError("proposal.json is not an object")
        ledger = Ledger.build(tables, model, effective_date, scope)
        plan = read_plan(ledger, assignments, proposal.get("warnings"))
    except UnreadableError as error:
        return [Violation("recount", str(error))]
    found = [*_rules(plan, legal=proposal.get("legal") is True), *recount.assignments(plan)]
    for frame, figures in ((books, recount.books), (csms, recount.csms), (moves, recount.moves)):
        found += [] if frame is None else figures(plan, frame)
    return [*found, *totals(plan, proposal, scope, measure)]


def _rules(plan: Plan, *, legal: bool) -> Iterator[Violation]:
    for rule, check in CHECKS.items():
        if legal or rule not in ELASTIC:
            yield from check(plan.ledger, plan)


def _check_known(what: str, value: object, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UnreadableError(f'the {what} "{printable(str(value))}" is not one of {", ".join(known)}')
