"""Who is killed because of which limit, and when: the kernel's own word, as it comes, without oomctl's help."""

from __future__ import annotations

import os
import re
import select
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

MACHINE = "machine"
"""The name of the machine's memory, beside the paths of memory cgroups; ``oomctl forecast`` calls it so, too."""
_SUMMARY = re.compile(
    r"oom-kill:constraint=.*,(?:global_oom|oom_memcg=(?P<memcg>.*)),task_memcg=.*,pid=(?P<pid>\d+),uid=\d+$"
)


class Kill(NamedTuple):
    """The first one of a limit."""

    moment: float
    """Of ``time.monotonic``."""
    pid: int


class Kills:
    """Reads /dev/kmsg from now on, in a thread of its own."""

    def __init__(self, react: Callable[[str], object] = lambda scope: None) -> None:
        """``react`` is called once for each limit, when its first kill was seen."""
        self._react = react
        self._fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        os.lseek(self._fd, 0, os.SEEK_END)
        self._ended = False
        self._seen: dict[str, Kill] = {}
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def first(self, scope: str) -> Kill | None:
        """Return the first kill because of that limit: of a memory cgroup, by its path, or MACHINE; None: not yet."""
        return self._seen.get(scope)

    def forget(self) -> None:
        """Let every limit have a first kill again."""
        self._seen.clear()

    def close(self) -> None:
        self._ended = True
        self._thread.join()
        os.close(self._fd)

    def _follow(self) -> None:
        new = select.poll()
        new.register(self._fd, select.POLLIN)
        while not self._ended:
            new.poll(100)
            try:
                record = os.read(self._fd, 8192).decode(errors="replace")
            except OSError:  # nothing new, or the ring buffer overtook us
                continue
            found = _SUMMARY.search(record.split("\n", 1)[0])
            scope = found and (found["memcg"] or MACHINE)
            if found and scope and scope not in self._seen:
                self._seen[scope] = Kill(time.monotonic(), int(found["pid"]))
                self._react(scope)
