"""Store: books, runs, proposals and who owned what, in an SQLite file or a PostgreSQL database.

`open_store` opens one. What can be done with it is a function each: `submit`, `approve`, `reject`, `apply`, `undo`;
`record_review` and `submit_review`, `record_results`; `list_proposals`, `show`, `ownership`, `owners`; `audit`. Every
one that writes is one transaction: all of it or nothing.
"""

from rebalancer.store.applying import Applied, Undoing, apply, undo
from rebalancer.store.auditing import Audited, Finding, audit
from rebalancer.store.decisions import Decided, approve, reject
from rebalancer.store.history import Shown, list_proposals, owners, ownership, show
from rebalancer.store.ledger import Recorded, record_results
from rebalancer.store.plan import Observed, Person, Plan, Seat, read_plan
from rebalancer.store.proposals import DEFAULT_BOOK, Submitted, submit, submit_plan
from rebalancer.store.reviewed import Reviewed, record_review, submit_review
from rebalancer.store.store import Store, Work, open_store

__all__ = [
    "DEFAULT_BOOK",
    "Applied",
    "Audited",
    "Decided",
    "Finding",
    "Observed",
    "Person",
    "Plan",
    "Recorded",
    "Reviewed",
    "Seat",
    "Shown",
    "Store",
    "Submitted",
    "Undoing",
    "Work",
    "apply",
    "approve",
    "audit",
    "list_proposals",
    "open_store",
    "owners",
    "ownership",
    "read_plan",
    "record_results",
    "record_review",
    "reject",
    "show",
    "submit",
    "submit_plan",
    "submit_review",
    "undo",
]
