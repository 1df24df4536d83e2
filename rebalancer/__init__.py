"""Least-disruption territory rebalancing for account management teams."""
