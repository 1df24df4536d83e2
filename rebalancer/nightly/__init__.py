"""Nightly: every book, every night: what has become necessary, proposed once, and kept in the store."""

from typing import Any

__all__ = ["NightReport", "Wanted", "find_books", "nightly"]

PLACES = {"NightReport": "night", "Wanted": "answers", "find_books": "sources", "nightly": "night"}


def __getattr__(name: str) -> Any:
    """Load a part where it is used: who only watches the nights needs no solver."""
    if name not in PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{PLACES[name]}"), name)
