"""A fake machine on which memory is used up while somebody watches."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

from tests.proc_tree import ProcTree

_TICK_S = 0.0001
"""What passes between two looks at the clock."""


@contextmanager
def growing(
    proc_tree: ProcTree, grow: Callable[[ProcTree, float], None], ctrl_c_after_s: float = float("inf")
) -> Iterator[None]:
    """Call ``grow`` whenever the watching command in this process waits, with a tree of its own and the seconds so far.

    The seconds are those of a clock that the command has instead of the machine's: it goes on only while the command
    waits, whatever the machine has to do. What ``grow`` writes takes the place of what was there as a whole: no kernel
    shows a file that is half written.
    """
    drawn = ProcTree(proc_tree.root.parent / "drawn")
    shutil.rmtree(drawn.root)  # what is in the other tree already stays as it is
    drawn.cgroup_mount.mkdir(parents=True)
    clock = _Clock()

    def sleep(seconds: float) -> None:
        clock.now += seconds
        if clock.now >= ctrl_c_after_s:
            raise KeyboardInterrupt
        show()

    def show() -> None:
        grow(drawn, clock.now)
        _put(drawn.root, proc_tree.root)
        _put(drawn.cgroup_mount, proc_tree.cgroup_mount)

    show()
    with patch("oomctl.commands.watching.time", SimpleNamespace(monotonic=clock.monotonic, sleep=sleep)):
        yield


class _Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        self.now += _TICK_S
        return self.now


def _put(source: Path, target: Path) -> None:
    for path in source.rglob("*"):
        place = target / path.relative_to(source)
        if path.is_file() and not path.is_symlink() and place.parent.is_dir():
            os.replace(path, place)
