"""One step of a benchmark in a process of its own: what it costs in time and memory is then its own as well.

The step is a JSON document on the command line, its answer a JSON file.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.memory import PeakMemory

BOOT = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from benchmarks.child import main; main(sys.argv[2])"
ROOT = str(Path(__file__).resolve().parents[1])
PLACE = re.compile(r"(?:[A-Za-z]:)?[\\/][\w.\\/~-]+")


def step(do: str, answer: Path, patience: float, **request: Any) -> dict[str, Any]:
    """Run a step and hand back its answer with `peak_mb`; `failed` says in words why there is none.

    A step that takes longer than `patience` seconds is killed.
    """
    paths = [ROOT, *(str(Path(path).absolute()) for path in sys.path if path)]
    content = json.dumps({"do": do, "answer": str(answer), **request}, default=str)
    errors = answer.with_suffix(".err")
    with errors.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", BOOT, json.dumps(paths), content], stdout=subprocess.DEVNULL, stderr=stderr
        )
        with PeakMemory(process.pid) as memory:
            ended = _ended(process, patience)
    found: dict[str, Any] = {"failed": _last_words(errors) if ended else f"killed after {patience:g} s"}
    if ended and process.returncode == 0 and answer.is_file():
        found = json.loads(answer.read_text(encoding="utf-8"))
    return found | {"peak_mb": None if memory.peak is None else round(memory.peak / 2**20)}


def _ended(process: subprocess.Popen[bytes], patience: float) -> bool:
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return False
    except BaseException:
        process.kill()
        raise
    return True


def _last_words(errors: Path) -> str:
    """The end of what a step said, without places on somebody's machine."""
    lines = errors.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return PLACE.sub("...", lines[-1].strip()) if lines else "it ended without a word"


def main(content: str) -> None:
    """Do the step that a request names."""
    request = json.loads(content)
    answer = Path(request.pop("answer"))
    made = STEPS[request.pop("do")](**request)
    answer.write_text(json.dumps(made), encoding="utf-8")


def _write(family: str, accounts: int, ams: int, seed: int, folder: str) -> dict[str, Any]:
    from benchmarks import books

    started = time.perf_counter()
    books.write(family, accounts, ams, seed, Path(folder))
    digest = hashlib.sha256()
    for file in sorted(Path(folder).iterdir()):
        digest.update(file.read_bytes())
    return {"seconds": round(time.perf_counter() - started, 2), "book_sha256": digest.hexdigest()}


def _ours(folder: str, out: str, seconds: float, seed: int) -> dict[str, Any]:
    from benchmarks import ours

    return ours.run(Path(folder), Path(out), seconds, seed)


def _prepare(folder: str, instance: str) -> dict[str, Any]:
    from benchmarks.instance import instance_of
    from rebalancer.book import load_book

    made = instance_of(load_book(folder))
    made.save(Path(instance))
    problem = made.problem
    sizes = {"arcs": problem.n_arcs, "groups": len(problem.groups), "limits": len(made.limits())}
    return sizes | {"components": len(problem.components())}


def _peer(name: str, instance: str, seconds: float, seed: int) -> dict[str, Any]:
    from benchmarks.instance import Instance
    from benchmarks.peers import PEERS

    loaded = Instance.load(Path(instance))
    started = time.perf_counter()
    answer = PEERS[name].run(loaded, seconds, seed, os.cpu_count() or 1)
    whole = round(time.perf_counter() - started, 2)
    judged = loaded.judged(answer.chosen)
    return {"seconds": whole, "status": answer.status, "bound": answer.bound, "history": answer.history, **judged}


def _gap(folder: str, name: str, seconds: float, seed: int) -> dict[str, Any]:
    from benchmarks.gap import solved

    return solved(Path(folder) / name, seconds, seed)


STEPS: dict[str, Callable[..., dict[str, Any]]] = {
    "write": _write,
    "ours": _ours,
    "prepare": _prepare,
    "peer": _peer,
    "gap": _gap,
}
