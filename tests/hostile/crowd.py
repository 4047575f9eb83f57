"""Real processes with names that somebody else has chosen."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator, Sequence

_FORK_AND_RENAME = """
import os, sys
for name in map(os.fsencode, sys.argv[1:]):
    if os.fork() == 0:
        os.close(1)
        with open("/proc/self/comm", "wb", buffering=0) as comm:
            comm.write(name)
        with open("/proc/self/comm", "rb") as comm:
            os.write(2, b"." if comm.read() == name + b"\\n" else b"?")
        os.read(0, 1)  # until the test closes the other end
        os._exit(0)
os.close(2)
os.read(0, 1)
while True:
    try:
        os.wait()
    except ChildProcessError:
        break
"""


@contextlib.contextmanager
def named_processes(names: Sequence[bytes]) -> Iterator[None]:
    """Run one process for each of ``names``: at most 15 bytes, anything but NUL and a newline at the end."""
    command = [sys.executable, "-c", _FORK_AND_RENAME]
    with subprocess.Popen(
        [*map(str.encode, command), *names], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as parent:
        assert parent.stdin
        assert parent.stderr
        renamed = parent.stderr.read(len(names))
        assert renamed == b"." * len(names), renamed + parent.stderr.read()
        try:
            yield
        finally:
            parent.stdin.close()
