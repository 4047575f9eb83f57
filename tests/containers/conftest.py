"""The image, built once, and toys to ask about."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers.engine import Engine, why_impossible
from tests.kernel_live import memcgs
from tests.kernel_live.memcgs import ToyCgroup, toy_cgroup
from tests.kernel_live.toys import Nursery


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """Skips where the image cannot be built."""
    reason = why_impossible() or memcgs.why_impossible()
    if reason is not None:
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="oomctl-containers.") as name:
        engine = Engine(Path(name))
        try:
            engine.build()
            yield engine
        finally:
            engine.end()


@pytest.fixture
def cgroup(engine: Engine) -> Iterator[ToyCgroup]:
    with toy_cgroup() as cgroup:
        yield cgroup


@pytest.fixture(scope="session")
def nursery(engine: Engine) -> Iterator[Nursery]:
    with Nursery() as nursery:
        yield nursery
