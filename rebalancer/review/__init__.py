"""The round trip through reviewers: what they decided on a run's moves, what follows from it, and what it costs."""

from rebalancer.review.apply import Decision, with_decisions
from rebalancer.review.outcome import Review, review
from rebalancer.review.reading import read_decisions

__all__ = ["Decision", "Review", "read_decisions", "review", "with_decisions"]
