"""The whole path on a book in files: read, propose, write, verify, each timed."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import rebalancer as rb
from benchmarks.peers.answer import History
from rebalancer.engine import Progress


def run(book: Path, out: Path, seconds: float, seed: int, gap: float = 0.0) -> dict[str, Any]:
    """One run as a record: `phases` in seconds, `history` over the search, and what the proposal says of itself."""
    laps: dict[str, float] = {}
    history = History()
    started = time.perf_counter()
    loaded = rb.load_book(book)
    laps["read"] = time.perf_counter() - started
    proposal = rb.propose(
        loaded, time_limit=seconds, gap=gap, seed=seed, on_progress=lambda state: _note(state, history)
    )
    laps |= {("check" if name == "verify" else name): lap for name, lap in proposal.timings.items()}
    before = time.perf_counter()
    proposal.write(str(out))
    laps["write"] = time.perf_counter() - before
    whole = time.perf_counter() - started
    before = time.perf_counter()
    violations = rb.verify_run(str(out))
    laps["verify"] = time.perf_counter() - before
    points = [(at, value, bound) for at, value, bound in history.points if value is None or value >= proposal.value]
    searched = proposal.timings.get("solve") or (points[-1][0] if points else whole)
    history.points = points
    history.note(proposal.value, proposal.bound, round(searched, 3))
    return {
        "phases": {name: round(lap, 2) for name, lap in laps.items()},
        "seconds": round(whole, 2),
        "search_seconds": round(searched, 2),
        "violations": len(violations),
        "history": history.points,
        **_judged(proposal),
    }


def _note(state: Progress, history: History) -> None:
    history.note(state.best, state.bound, round(state.seconds, 3))


def _judged(proposal: rb.Proposal) -> dict[str, Any]:
    record, level = proposal.record, proposal.level("disruption")
    assert level is not None
    return {
        "plan": True,
        "legal": proposal.legal,
        "status": proposal.status,
        "stopped": record["stopped"],
        "value": level["value"],
        "bound": level["bound"],
        "certificate_bound": level.get("certificate_bound"),
        "proof": level["proof"],
        "moves": record["moves"]["accounts"],
        "arr_moved": record["moves"]["arr"],
        "csm_changes": record["moves"]["csm_changes"],
    }
