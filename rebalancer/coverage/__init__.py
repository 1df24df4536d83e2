"""Coverage: the models that say what an account weighs, what a book may hold and what a move costs."""

from rebalancer.coverage.load import load_model, model_names, read_toml
from rebalancer.coverage.schema import (
    MEASURES,
    SCOPES,
    BookKind,
    BookLimits,
    CoverageModel,
    Measure,
    Role,
    Scope,
)
from rebalancer.coverage.section import Section, Steps, Tier

__all__ = [
    "MEASURES",
    "SCOPES",
    "BookKind",
    "BookLimits",
    "CoverageModel",
    "Measure",
    "Role",
    "Scope",
    "Section",
    "Steps",
    "Tier",
    "load_model",
    "model_names",
    "read_toml",
]
