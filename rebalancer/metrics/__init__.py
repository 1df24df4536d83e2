"""Metrics: the one place where every figure of a book is computed; commands, frames and reports only show them."""

from rebalancer.metrics.attention import (
    ATTENTION_COLUMNS,
    attention_by_book,
    attention_frame,
    meaningful_touches,
    touch_counts,
)
from rebalancer.metrics.benchmarks import benchmark_frame, top_accounts
from rebalancer.metrics.books import Load, books_frame, csms_frame, heatmap_frame, load
from rebalancer.metrics.groups import GROUPS, Group, group_frame
from rebalancer.metrics.lacking import lacking
from rebalancer.metrics.retention import RETENTION_COLUMNS, retention_frame
from rebalancer.metrics.triggers import NOT_OF_LOAD, to_relieve, trigger_frame, triggered, unjudged

__all__ = [
    "ATTENTION_COLUMNS",
    "GROUPS",
    "NOT_OF_LOAD",
    "RETENTION_COLUMNS",
    "Group",
    "Load",
    "attention_by_book",
    "attention_frame",
    "benchmark_frame",
    "books_frame",
    "csms_frame",
    "group_frame",
    "heatmap_frame",
    "lacking",
    "load",
    "meaningful_touches",
    "retention_frame",
    "to_relieve",
    "top_accounts",
    "touch_counts",
    "trigger_frame",
    "triggered",
    "unjudged",
]
