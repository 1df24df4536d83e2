"""Parts of a problem: what cutting each component out of the whole gives, in one pass."""

from collections.abc import Iterator

import numpy as np
import pytest

from rebalancer import links
from rebalancer.problem import Gates, Level, Problem, Rows


def table(rng: np.random.Generator, n_rows: int, n_arcs: int) -> tuple[np.ndarray, np.ndarray]:
    """Pointers and arcs of rows with up to four arcs each."""
    arcs = [np.sort(rng.choice(n_arcs, int(rng.integers(0, 5)), replace=False)) for _ in range(n_rows)]
    return np.cumsum([0, *map(len, arcs)]), np.concatenate(arcs).astype(np.int64)


def random_problem(seed: int) -> Problem:
    """Groups with one to three arcs each, tied by a few small rows and gates."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 4, 30)
    first, n = np.cumsum(sizes) - sizes, int(sizes.sum())
    (ptr, arc), (gate_ptr, gate_arc) = table(rng, 12, n), table(rng, 4, n)
    rows = Rows(
        tuple(f"r{i}" for i in range(12)),
        tuple("ab"[i % 2] for i in range(12)),
        ptr,
        arc,
        rng.integers(1, 9, len(arc)),
        *(rng.integers(0, 9, 12) for _ in range(4)),
    )
    return Problem(
        groups=tuple(f"g{i}" for i in range(30)),
        seats=("A", "B", "C"),
        arc_group=np.repeat(np.arange(30), sizes),
        arc_seat=rng.integers(0, 3, n),
        arc_book=rng.integers(0, 3, n),
        today=np.where(rng.random(30) < 0.2, -1, first),
        rows=rows,
        gates=Gates(tuple("wxyz"), gate_ptr, gate_arc),
        levels=tuple(Level(name, rng.integers(0, 9, n), rng.integers(0, 9, 4), 0.1) for name in ("one", "two")),
    )


def fields(problem: Problem) -> Iterator[object]:
    """Everything a problem holds, as plain values."""
    rows, gates = problem.rows, problem.gates
    yield from (problem.groups, problem.seats, rows.names, rows.rules, gates.names)
    for part in (problem, rows, gates, *problem.levels):
        yield from (value.tolist() for value in vars(part).values() if isinstance(value, np.ndarray))
    yield from ((level.name, level.tolerance) for level in problem.levels)


@pytest.mark.parametrize("seed", range(20))
def test_a_part_is_its_component_cut_out_of_the_whole(seed):
    problem = random_problem(seed)
    parts = problem.parts()
    components = problem.components()
    assert len(parts) == len(components) > 1
    for (part, arcs, groups), component in zip(parts, components, strict=True):
        expected, arcs_of = problem.restricted(component)
        assert groups.tolist() == component.tolist()
        assert arcs.tolist() == arcs_of.tolist()
        assert list(fields(part)) == list(fields(expected))


@pytest.mark.parametrize("seed", range(5))
def test_every_group_row_and_gate_with_an_arc_is_in_one_part(seed):
    problem = random_problem(seed)
    parts = problem.parts()
    assert sorted(group for _, _, groups in parts for group in groups) == list(range(30))
    filled = {f"r{row}" for row in np.flatnonzero(np.diff(problem.rows.ptr))}
    assert sorted(name for part, _, _ in parts for name in part.rows.names) == sorted(filled)
    assert [groups[0] for _, _, groups in parts] == sorted(groups[0] for _, _, groups in parts)


@pytest.mark.parametrize("block", [1, 3, 7])
def test_links_are_the_same_read_in_small_blocks(block, monkeypatch):
    whole = [part.tolist() for part in random_problem(1).components()]
    monkeypatch.setattr(links, "BLOCK", block)
    assert [part.tolist() for part in random_problem(1).components()] == whole


def test_parts_are_a_sequence():
    parts = random_problem(0).parts()
    assert parts[-1][0].groups == parts[len(parts) - 1][0].groups
    assert [part.groups for part, _, _ in parts[1:3]] == [parts[1][0].groups, parts[2][0].groups]
    with pytest.raises(IndexError):
        parts[len(parts)]


def test_lists_give_each_number_its_place():
    lists = links.Lists(np.array([1, 0, -1, 1, 1]), 3)
    assert [lists[index].tolist() for index in range(len(lists))] == [[1], [0, 3, 4], []]
    assert lists.offsets(np.array([2, 5, 9, 3, 1])).tolist() == [0, 0, 0, 2, 5]
    assert links.ranges(np.array([4, 0, 9]), np.array([2, 0, 3])).tolist() == [4, 5, 9, 10, 11]
