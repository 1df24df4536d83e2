"""Where run directories go: a local folder, or a folder of a storage elsewhere."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rebalancer.errors import RebalancerError, UsageError
from rebalancer.nightly.storage import first_line, local_path, shown, storage_of
from rebalancer.proposal import Proposal
from rebalancer.run_directory import EDITABLE, TIMINGS, run_files, write_run
from rebalancer.swap import MANIFEST, MARKER

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem


def write_run_at(proposal: Proposal, place: str, extra: Mapping[str, bytes] | None = None) -> str:
    """Write the run directory of a proposal at a path or URL, and return that; `extra` are files beside its own.

    Where the same run is there already, nothing is written: what people noted in its moves.xlsx stays. Another run is
    replaced, unless somebody wrote into its moves.xlsx; that, and anything that is no run, is left alone with a
    `UsageError`. A local run appears whole or not at all. Elsewhere its files come one by one and `manifest.json` last,
    so that whoever asks for a manifest never sees a part of a run; one cut short is completed by the next call.
    """
    files = run_files(proposal, extra)
    local = local_path(place)
    if local is not None:
        return str(local) if _is_there_locally(files, local) else str(write_run(proposal, local, extra))
    storage, base = storage_of(place)
    try:
        _write(storage, base.rstrip("/"), place, files)
    except RebalancerError:
        raise
    except Exception as error:  # each storage has its own
        raise RebalancerError(f"can't write {shown(place)}: {first_line(error)}.") from None
    return place


def _is_there_locally(files: Mapping[str, bytes], folder: Path) -> bool:
    try:
        there = (folder / MANIFEST).read_bytes()
        same = _hashes(there) == _hashes(files[MANIFEST])
        return same and all(_is_same(name, data, (folder / name).read_bytes()) for name, data in files.items())
    except OSError:
        return False


def _is_same(name: str, wanted: bytes, there: bytes) -> bool:
    """The file is as it would be written; those for people, and the seconds it took, may differ."""
    return name in (*EDITABLE, TIMINGS, MANIFEST) or wanted == there


def _hashes(manifest: bytes) -> Mapping[str, str] | None:
    """The hashes of a manifest, but for files for people; None where it is no manifest."""
    try:
        return dict(json.loads(manifest)["files"])
    except (ValueError, KeyError, TypeError):
        return None


def _write(storage: AbstractFileSystem, base: str, place: str, files: Mapping[str, bytes]) -> None:
    storage.invalidate_cache()
    there = {path.removeprefix(f"{base}/") for path in storage.find(base)}
    manifest = storage.cat_file(f"{base}/{MANIFEST}") if MANIFEST in there else None
    if manifest is not None and set(files) <= there and _hashes(manifest) == _hashes(files[MANIFEST]):
        _remove(storage, base, there & {MARKER})
        return
    _refuse_foreign(storage, base, place, there, manifest)
    storage.pipe_file(f"{base}/{MARKER}", b"")
    _remove(storage, base, there & {MANIFEST})
    _remove(storage, base, there - set(files) - {MANIFEST, MARKER})
    for name, data in files.items():  # the manifest is the last
        storage.pipe_file(f"{base}/{name}", data)
    _remove(storage, base, {MARKER})


def _refuse_foreign(
    storage: AbstractFileSystem, base: str, place: str, there: set[str], manifest: bytes | None
) -> None:
    """Raise `UsageError` where what is there is neither a run nor a part of one."""
    if there and MARKER not in there and not {MANIFEST, "proposal.json"} <= there:
        raise UsageError(f'"{shown(place)}" holds files that are not a run. Choose an empty or new place.')
    listed: dict[str, Any] = json.loads(manifest).get("editable", {}) if manifest and _hashes(manifest) else {}
    for name in there & set(listed) & set(EDITABLE):
        if hashlib.sha256(storage.cat_file(f"{base}/{name}")).hexdigest() != listed[name]:
            raise UsageError(
                f'somebody wrote into "{shown(place)}/{name}", which a new run would replace. Use it with '
                "`rebalancer import-decisions` or move it away, or choose another place."
            )


def _remove(storage: AbstractFileSystem, base: str, names: set[str]) -> None:
    for name in sorted(names):
        with contextlib.suppress(FileNotFoundError, KeyError):  # another writer of the same run was faster
            storage.rm_file(f"{base}/{name}")
