"""Finds the files that come with the library: the coverage models and the sample book."""

from __future__ import annotations

from pathlib import Path


def shipped(name: str) -> Path:
    """The folder `models` or `data/sample`, in an installed wheel or in a checkout.

    Raises `FileNotFoundError` where the installation lost it.
    """
    package = Path(__file__).resolve().parent
    for place in (package / "shipped" / name, package.parent / name):
        if place.is_dir():
            return place
    raise FileNotFoundError(f"rebalancer was installed without its {name} folder; install it again")
