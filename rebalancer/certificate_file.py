"""Certificate file: `certificate.npz`, the multipliers of a run as whole numbers."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable

import numpy as np

from rebalancer.certificate import Certificate
from rebalancer.errors import RebalancerError

NAME = "certificate.npz"
PARTS = ("group", "row", "kept", "copy", "copies")
"""Arrays of each level, named LEVEL_group and so on: int64, in millionths of a unit of cost."""


def to_bytes(certificates: Iterable[Certificate]) -> bytes:
    """The file's content; equal multipliers give equal bytes."""
    arrays = {f"{item.level}_{part}": getattr(item, part).astype("<i8") for item in certificates for part in PARTS}
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def from_bytes(content: bytes) -> tuple[Certificate, ...]:
    """The certificates of a file. Raises `RebalancerError` where it does not hold whole numbers under those names."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            held = {name: arrays[name] for name in arrays.files}
        levels = dict.fromkeys(name.rpartition("_")[0] for name in held)
        found = tuple(Certificate(level, *(held[f"{level}_{part}"] for part in PARTS)) for level in levels)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise RebalancerError(f"{NAME} can't be read: {error}. Propose again.") from None
    if any(array.dtype != np.dtype("<i8") or array.ndim != 1 for array in held.values()):
        raise RebalancerError(f"{NAME} does not hold lists of whole numbers. Propose again.")
    return found
