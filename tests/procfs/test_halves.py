"""Work on a long list is shared with a second process, and the answer is the same."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from oomctl.procfs.halves import by_halves

MANY = list(range(3000))


def who_and_what(items: Sequence[int]) -> tuple[int, list[int]]:
    return os.getpid(), [item * 2 for item in items]


def test_two_processes_share_a_long_list() -> None:
    (first, one), (second, other) = by_halves(who_and_what, MANY, cpus=2)
    assert one + other == [item * 2 for item in MANY]
    assert first == os.getpid() != second


def test_with_one_cpu_or_few_items_nothing_is_shared() -> None:
    assert [pid for pid, _ in by_halves(who_and_what, MANY, cpus=1)] == [os.getpid()]
    assert [pid for pid, _ in by_halves(who_and_what, MANY[:10], cpus=2)] == [os.getpid()]


def test_a_helper_that_is_killed_loses_nothing() -> None:
    here = os.getpid()

    def work(items: Sequence[int]) -> list[int]:
        if os.getpid() != here:
            os._exit(1)
        return list(items)

    assert by_halves(work, MANY, cpus=2) == [MANY[:1500], MANY[1500:]]


def test_no_helper_is_left_behind() -> None:
    before = children()
    by_halves(who_and_what, MANY, cpus=2)
    assert children() == before


def children() -> set[str]:
    """Children of this process; other tests may have some."""
    return {pid for path in Path("/proc/self/task").glob("*/children") for pid in path.read_text().split()}
