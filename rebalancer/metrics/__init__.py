"""Metrics: the one place where every figure of a book is computed; commands, frames and reports only show them."""

from rebalancer.metrics.books import Load, books_frame, csms_frame, heatmap_frame, load, triggered
from rebalancer.metrics.lacking import lacking

__all__ = ["Load", "books_frame", "csms_frame", "heatmap_frame", "lacking", "load", "triggered"]
