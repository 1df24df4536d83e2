"""Links: which numbered things hang together, and lists of numbers held flat. Numpy and no word of what they mean."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

BLOCK = 2_000_000
"""Entries of a table whose links are followed at once: the graph library takes some 40 bytes for each."""


class Lists:
    """Numbers 0..n-1 sorted into `count` lists by the list each belongs to (-1: none); each list ascending."""

    def __init__(self, belongs: np.ndarray, count: int) -> None:
        inside = np.flatnonzero(belongs >= 0)
        self.order = inside[np.argsort(belongs[inside], kind="stable")]
        self.ptr = np.concatenate([[0], np.cumsum(np.bincount(belongs[inside], minlength=count))]).astype(np.int64)

    def __len__(self) -> int:
        return len(self.ptr) - 1

    def __getitem__(self, index: int) -> np.ndarray:
        found: np.ndarray = self.order[self.ptr[index] : self.ptr[index + 1]]
        return found

    def offsets(self, sizes: np.ndarray) -> np.ndarray:
        """Where each number starts in its list, when it takes up `sizes` places there."""
        before = np.concatenate([[0], np.cumsum(sizes[self.order])])
        start = np.zeros(len(sizes), dtype=np.int64)
        start[self.order] = before[:-1] - np.repeat(before[self.ptr[:-1]], np.diff(self.ptr))
        return start


def ranges(first: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """`first[i]`, `first[i] + 1`, ... of so many numbers each, one range after the other."""
    start = np.cumsum(sizes) - sizes
    return np.arange(int(sizes.sum())) + np.repeat(first - start, sizes)


def connected(left: np.ndarray, right: np.ndarray, n_left: int, n_right: int) -> np.ndarray:
    """Component labels of a bipartite graph given its edges: first the left nodes, then the right ones.

    Labels are numbered by the first node that has them. Edges are read in blocks.
    """
    label = np.arange(n_left + n_right)
    for start in range(0, len(left), BLOCK):
        ends = label[left[start : start + BLOCK]], label[n_left:][right[start : start + BLOCK]]
        size = int(label.max()) + 1
        graph = coo_array((np.ones(len(ends[0]), dtype=bool), ends), shape=(size, size))
        label = connected_components(graph, directed=False)[1][label]
    return _by_first(label)


def tied(n: int, tables: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> np.ndarray:
    """Labels of 0..n-1 where those in one row of a table belong together, numbered by the first of each label.

    A table is (ptr, entry, member): row r ties `member[entry[ptr[r]:ptr[r+1]]]`. It is read in blocks.
    """
    label = np.arange(n)
    for ptr, entry, member in tables:
        for start, stop in _blocks(ptr):
            label = _joined(label, ptr[start : stop + 1] - ptr[start], label[member[entry[ptr[start] : ptr[stop]]]])
    return _by_first(label)


def _by_first(label: np.ndarray) -> np.ndarray:
    """The labels, numbered by where each is first."""
    first, inverse = np.unique(label, return_index=True, return_inverse=True)[1:]
    number = np.empty(len(first), dtype=np.int64)
    number[np.argsort(first)] = np.arange(len(first))
    labels: np.ndarray = number[inverse.reshape(-1)]
    return labels


def _blocks(ptr: np.ndarray) -> Iterator[tuple[int, int]]:
    """Ranges of rows with at most `BLOCK` entries each, where one row has no more."""
    start, last = 0, len(ptr) - 1
    while start < last:
        stop = max(start + 1, int(np.searchsorted(ptr, ptr[start] + BLOCK, side="right")) - 1)
        yield start, min(stop, last)
        start = stop


def _joined(label: np.ndarray, ptr: np.ndarray, entries: np.ndarray) -> np.ndarray:
    """The labels when those in one row become one: a graph of the rows and the labels."""
    if not len(entries):
        return label
    n_rows, n_labels = len(ptr) - 1, int(label.max()) + 1
    whole = np.concatenate([ptr, np.full(n_labels, ptr[-1])])
    graph = csr_array((np.ones(len(entries)), n_rows + entries, whole), shape=(n_rows + n_labels,) * 2)
    found: np.ndarray = connected_components(graph, directed=False)[1]
    return found[n_rows + label]
