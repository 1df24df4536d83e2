"""The independent check of a plan: from the input tables as text, without solver, rules or any figure of the run.

`verify_tables` checks a plan in memory, `verify_run` a run directory; both return violations, an empty list where
the plan holds. `Ledger` answers what a reference solver needs: legal seats, elastic limits and costs.
"""

from rebalancer.verify.audit import verify_tables
from rebalancer.verify.checks import CHECKS
from rebalancer.verify.ledger import Ledger
from rebalancer.verify.rows import ELASTIC, Row
from rebalancer.verify.run import verify_run
from rebalancer.verify.violation import Violation

__all__ = ["CHECKS", "ELASTIC", "Ledger", "Row", "Violation", "verify_run", "verify_tables"]
