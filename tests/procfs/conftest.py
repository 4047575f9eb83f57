"""A tree to be read by others than root."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.proc_tree import ProcTree


@pytest.fixture
def open_tree() -> Iterator[ProcTree]:
    """A tree in a place that everybody may enter."""
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        place.chmod(0o755)
        yield ProcTree(place)
