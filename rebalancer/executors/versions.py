"""Versions: workers with other releases than ours would give other results, so they are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rebalancer.errors import UsageError, printable

if TYPE_CHECKING:
    from distributed import Client

SAME = ("python", "rebalancer", "ortools", "numpy", "numba", "scipy", "pandas")
"""What plans are made with."""

SHOWN_WORKERS = 20


def refuse_other_versions(client: Client, address: str) -> None:
    """Raise `UsageError` with a table of who has which version where a worker's differ from ours."""
    found: Any = client.get_versions(packages=SAME[1:])
    ours = _packages(found["client"])
    theirs = {worker: _packages(told) for worker, told in sorted(found["workers"].items())}
    differ = [name for name in SAME if any(told[name] != ours[name] for told in theirs.values())]
    if not differ:
        return
    others = {worker: told for worker, told in theirs.items() if any(told[name] != ours[name] for name in differ)}
    lines = _table([("", *differ), ("here", *(ours[name] for name in differ)), *_rows(others, differ)])
    more = f"\n  and {len(others) - SHOWN_WORKERS:,} more workers" if len(others) > SHOWN_WORKERS else ""
    raise UsageError(
        f"{len(others):,} of the {len(theirs):,} workers of {address} have other versions than this machine, so their "
        f"plans would not be the same:\n{lines}{more}\nInstall the same versions on both sides."
    )


def _packages(told: Any) -> dict[str, str]:
    """Version by name; of Python the first two numbers, since later ones change no result."""
    packages = (told or {}).get("packages", {}) if isinstance(told, dict) else {}
    versions = {name: printable(str(packages.get(name) or "none"), 30) for name in SAME}
    return {**versions, "python": ".".join(versions["python"].split(".")[:2])}


def _rows(workers: dict[str, dict[str, str]], names: list[str]) -> list[tuple[str, ...]]:
    return [
        (printable(worker), *(told[name] for name in names)) for worker, told in list(workers.items())[:SHOWN_WORKERS]
    ]


def _table(rows: list[tuple[str, ...]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
