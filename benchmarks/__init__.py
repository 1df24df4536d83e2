"""Benchmarks: seeded books, peers on the same problems, the literature's instances, and the page of results."""
