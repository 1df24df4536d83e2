"""`python -m rebalancer`."""

from rebalancer.cli import main

main()
