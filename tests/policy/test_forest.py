"""Who is in whose tree: the same as walking up would say, at a cost that grows with the news alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from oomctl.policy.forest import Forest

DEEP = 3000


def row(length: int, own: int) -> Forest:
    """PIDs 1 to ``length``, each the child of the one before; the first ``own`` of them match target 0."""
    forest = Forest()
    for pid in range(1, length + 1):
        forest.put(pid, pid - 1, [0] if pid <= own else [])
    for pid in range(1, length + 1):
        forest.nearest(pid)
    forest.steps = 0
    return forest


def test_the_nearest_above_counts_and_oneself_first() -> None:
    forest = Forest()
    forest.put(1, 0, [0, 1])
    forest.put(2, 1, [])
    forest.put(3, 2, [1])
    assert forest.nearest(2) == {0: 1, 1: 1}
    assert forest.nearest(3) == {0: 1, 1: 3}


def test_who_is_below_hears_of_a_change() -> None:
    forest = row(5, 0)
    assert sorted(forest.put(2, 1, [0])) == [3, 4, 5]
    assert forest.nearest(5) == {0: 2}


def test_no_news_cost_nothing() -> None:
    forest = row(DEEP, DEEP)
    for pid in range(1, DEEP + 1):
        assert forest.put(pid, pid - 1, [0]) == []
        forest.nearest(pid)
    assert forest.steps == 0


def test_a_whole_row_that_changes_at_once_is_walked_a_few_times_not_once_for_each() -> None:
    for order in (range(1, DEEP + 1), range(DEEP, 0, -1), [*range(1, DEEP + 1, 2), *range(DEEP, 0, -2)]):
        forest = row(DEEP, DEEP)
        for pid in order:
            forest.put(pid, pid - 1, [])
        for pid in order:
            assert forest.nearest(pid) == {}
        assert forest.steps < 4 * DEEP


def test_a_circle_of_old_news_is_no_endless_walk() -> None:
    forest = Forest()
    forest.put(1, 2, [])
    forest.put(2, 1, [0])
    assert forest.nearest(1) in ({0: 2}, {})
    assert forest.put(1, 2, [0]) in ([2], [2, 1])


Action = tuple[str, int, int, frozenset[int]]
ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["put", "put", "put", "drop", "ask"]),
        st.integers(1, 7),
        st.integers(0, 6),
        st.frozensets(st.integers(0, 2), max_size=2),
    ),
    max_size=40,
)


@given(ACTIONS)
def test_it_is_as_if_one_walked_up_each_time(actions: list[Action]) -> None:
    """A parent has a smaller number here. Whoever is in doubt is asked before that is relied on."""
    forest = Forest()
    parents: dict[int, int] = {}
    owns: dict[int, frozenset[int]] = {}
    for kind, pid, parent, own in actions:
        if kind == "put":
            parents[pid], owns[pid] = min(parent, pid - 1), own
            forest.put(pid, parents[pid], own)
        elif kind == "drop":
            for child in forest.drop(pid):
                parents[child] = 0
                forest.put(child, 0, owns[child])
            parents.pop(pid, None)
            owns.pop(pid, None)
        elif pid in parents:
            expected: dict[int, int] = {}
            above = pid
            while above in parents:
                expected = dict.fromkeys(owns[above], above) | expected
                above = parents[above]
            assert dict(forest.nearest(pid)) == expected


@given(ACTIONS)
def test_what_is_forgotten_takes_no_memory(actions: list[Action]) -> None:
    forest = Forest()
    for kind, pid, parent, own in actions:
        if kind == "put":
            forest.put(pid, parent, own)
    for pid in range(8):
        forest.drop(pid)
    assert (forest._nodes, forest._children) == ({}, {})
