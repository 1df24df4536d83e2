"""Least-disruption territory rebalancing for account management teams, with proof.

`load_book`, `propose` and `heatmap` are the three calls to start with; see README.md.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rebalancer.api import *  # noqa: F403

_NAMES = (
    "Book",
    "CheckFailed",
    "CoverageModel",
    "Fault",
    "InvalidInput",
    "NoLegalPlan",
    "NoPlanInTime",
    "Proposal",
    "RebalancerError",
    "UsageError",
    "Violation",
    "heatmap",
    "load_book",
    "load_model",
    "model_names",
    "propose",
    "read_run",
    "verify_run",
)


def __getattr__(name: str) -> Any:
    """Load the library on first use, so that `rebalancer --help` needs neither pandas nor the solver."""
    if name in _NAMES:
        return getattr(import_module("rebalancer.api"), name)
    raise AttributeError(f"module 'rebalancer' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *_NAMES]
