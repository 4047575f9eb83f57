"""A fake machine on which memory is used up while somebody watches."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.proc_tree import ProcTree

_EVERY_S = 0.004


@contextmanager
def growing(proc_tree: ProcTree, grow: Callable[[ProcTree, float], None]) -> Iterator[None]:
    """Call ``grow`` again and again with a tree of its own, and the seconds since the block began.

    What it writes there takes the place of what was there as a whole: no kernel shows a file that is half written.
    """
    ended = threading.Event()
    drawn = ProcTree(proc_tree.root.parent / "drawn")
    shutil.rmtree(drawn.root)  # what is in the other tree already stays as it is
    drawn.cgroup_mount.mkdir(parents=True)
    begun = time.monotonic()

    def replay() -> None:
        while not ended.wait(_EVERY_S):
            grow(drawn, time.monotonic() - begun)
            _put(drawn.root, proc_tree.root)
            _put(drawn.cgroup_mount, proc_tree.cgroup_mount)

    grow(drawn, 0)
    thread = threading.Thread(target=replay)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _put(source: Path, target: Path) -> None:
    for path in source.rglob("*"):
        place = target / path.relative_to(source)
        if path.is_file() and not path.is_symlink() and place.parent.is_dir():
            os.replace(path, place)
