"""Crowds of real processes to measure among. They end with the block that asked for them, even if it crashes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PARENT = Path(__file__).with_name("crowd_parent.py")
KINDS = {
    "tiny": "all tiny",
    "same-adj": "all tiny, with one adj",
    "alike": "all alike",
    "spread": "sizes as on a server",
    "huge": "half with 1 TiB of addresses",
    "swapped": "half swapped",
}
JOIN = 'echo $$ > "$0" && exec "$@"'


class NoCrowd(Exception):
    """It cannot be had on this machine; says why."""


@contextmanager
def crowd(kind: str, count: int, join: Path | None = None) -> Iterator[list[int]]:
    """Keep ``count`` processes of a kind of ``KINDS`` while the block runs; their PIDs, in the order of their start.

    ``join``: the file ``cgroup.procs`` of the cgroup that they are in. Raises NoCrowd.
    """
    if kind == "swapped" and free_swap_mib() < count:
        raise NoCrowd(f"less than {count} MiB of swap are free")
    command = [sys.executable, "-I", "-S", str(PARENT), kind, str(count)]
    if join is not None:
        command = ["sh", "-c", JOIN, str(join), *command]
    # In a session of its own it outlives Ctrl-C until its stdin closes, and ends the others.
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        try:
            words = parent.stdout.readline().split()
            if not all(map(str.isdigit, words)) or len(words) != count:
                raise NoCrowd(" ".join(words))
            yield [int(word) for word in words]
        finally:
            parent.stdin.close()
            parent.wait()


def free_swap_mib() -> int:
    with open("/proc/meminfo", encoding="ascii") as file:
        return next(int(line.split()[1]) // 1024 for line in file if line.startswith("SwapFree:"))
