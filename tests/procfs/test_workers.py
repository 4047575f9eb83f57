"""Work on a long list is shared with other processes, and the answer is the same."""

from __future__ import annotations

import os
import resource
from collections.abc import Sequence
from pathlib import Path

import pytest

from oomctl.procfs import workers
from oomctl.procfs.workers import MOST_WORKERS, shared_numbers, shared_out

MANY = list(range(6000))


@pytest.fixture(autouse=True)
def many_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_cpus_allowed", lambda: 64)


def who_and_what(items: Sequence[int]) -> tuple[int, list[int]]:
    return os.getpid(), [item * 2 for item in items]


@pytest.mark.parametrize("cpus", [2, 3, 8])
def test_as_many_processes_as_cpus_share_a_long_list(cpus: int) -> None:
    found = shared_out(who_and_what, MANY, cpus)
    assert sorted(double for _, part in found for double in part) == [item * 2 for item in MANY]
    assert len({pid for pid, _ in found}) == cpus
    assert found[0][0] == os.getpid()


def test_more_than_eight_are_never_started() -> None:
    assert len(shared_out(who_and_what, MANY, cpus=64)) == MOST_WORKERS


def test_with_one_cpu_or_few_items_nothing_is_shared() -> None:
    assert [pid for pid, _ in shared_out(who_and_what, MANY, cpus=1)] == [os.getpid()]
    assert [pid for pid, _ in shared_out(who_and_what, MANY[:10], cpus=2)] == [os.getpid()]
    assert shared_out(list, [], cpus=2) == [[]]


def test_cpus_that_may_not_be_used_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_cpus_allowed", lambda: 1)
    assert len(shared_out(who_and_what, MANY, cpus=8)) == 1


def test_a_worker_that_is_killed_loses_nothing() -> None:
    here = os.getpid()

    def work(items: Sequence[int]) -> list[int]:
        if os.getpid() != here:
            os._exit(1)
        return list(items)

    assert shared_out(work, MANY, cpus=3) == [MANY[0::3], MANY[1::3], MANY[2::3]]


@pytest.mark.unprivileged
def test_a_limit_on_processes_loses_nothing() -> None:
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setresuid(65534, 65534, 65534)  # root has no such limit
            resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
            found = shared_out(who_and_what, MANY, cpus=2)
            doubled = sorted(double for _, part in found for double in part)
            status = int((len({pid for pid, _ in found}), doubled) != (1, [item * 2 for item in MANY]))
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_no_worker_is_left_behind_and_no_descriptor() -> None:
    before = children(), len(os.listdir("/proc/self/fd"))
    shared_out(who_and_what, MANY, cpus=4)
    assert (children(), len(os.listdir("/proc/self/fd"))) == before


def test_numbers_are_shared_with_workers() -> None:
    numbers = shared_numbers(2)

    def work(items: Sequence[int]) -> None:
        numbers[items[0] % 2] = len(items)

    shared_out(work, MANY, cpus=2)
    assert sum(numbers) == len(MANY)
    assert 0 not in list(numbers)


def test_where_nothing_can_be_shared_each_has_numbers_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.maxsize", (1 << 31) - 1)
    assert shared_numbers(2) == [0, 0]


def children() -> set[str]:
    """Children of this process; other tests may have some."""
    return {pid for path in Path("/proc/self/task").glob("*/children") for pid in path.read_text().split()}
