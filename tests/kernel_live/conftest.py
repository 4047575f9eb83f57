"""Toys for the kernel to kill, where there may be any."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kernel_live.memcgs import ToyCgroup, toy_cgroup, why_impossible
from tests.kernel_live.toys import Nursery


@pytest.fixture(scope="session")
def _possible() -> None:
    reason = why_impossible()
    if reason is not None:
        pytest.skip(reason)


@pytest.fixture(scope="session")
def nursery(_possible: None) -> Iterator[Nursery]:
    with Nursery() as nursery:
        yield nursery


@pytest.fixture
def cgroup(_possible: None) -> Iterator[ToyCgroup]:
    with toy_cgroup() as cgroup:
        yield cgroup
