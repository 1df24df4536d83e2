"""The front door: everything a notebook or script needs, under one name."""

from __future__ import annotations

from rebalancer.book import Book, load_book
from rebalancer.coverage import CoverageModel, load_model, model_names
from rebalancer.errors import CheckFailed, Fault, InvalidInput, NoLegalPlan, NoPlanInTime, RebalancerError, UsageError
from rebalancer.insight.heatmap import heatmap
from rebalancer.plan import propose
from rebalancer.proposal import Proposal
from rebalancer.run_directory import read_run
from rebalancer.verify import Violation, verify_run

__all__ = [
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
]
