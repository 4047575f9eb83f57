"""A process whose memory grows in one of many ways until the kernel kills it; a program of its own.

    python -I -S leak.py KIND MIB_PER_S PROCS_FILE [SIZE_MIB] [ADJ]

It joins the cgroup of PROCS_FILE, takes SIZE_MIB, prints a line, and grows from the next line on its stdin:

- ``linear``: every 50 ms;
- ``steps``: once a second;
- ``bursts``: as much on the average, at random times and in random pieces;
- ``teeth``: as a heap with a garbage collector: four times as fast, three quarters of it given back each half second;
- ``forks``: no growth of its own: every 200 ms a child that stays, with what is due;
- ``cache``: not at all: it reads a file again and again, of which the pages are charged to it;
- ``rest``: not at all.
"""

from __future__ import annotations

import mmap
import os
import signal
import sys
import time

MIB = 1 << 20
MADV_NOHUGEPAGE = 15
PAGE = mmap.PAGESIZE
STEP_S = {"linear": 0.05, "steps": 1.0, "teeth": 0.05, "forks": 0.2}
BURST_S = 0.3
TOOTH_S = 0.5


def main() -> None:
    kind, rate, procs = sys.argv[1], float(sys.argv[2]) * MIB, sys.argv[3]
    size, adj = (int(word) for word in (*sys.argv[4:], "0", "0")[:2])
    with open(procs, "w") as file:
        file.write("0")
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write(str(adj))
    kept = [memory(size * MIB)]
    os.write(1, b"ready\n")
    sys.stdin.readline()
    if kind == "cache":
        read_for_ever()
    if kind == "rest":
        signal.pause()
    begun, grown = time.monotonic(), 0.0
    loose: list[mmap.mmap] = []
    collected = begun
    while True:
        if kind == "bursts":
            import random  # nobody else has to be as large as that makes it

            time.sleep(random.expovariate(1 / BURST_S))
            kept.append(memory(int(rate * random.expovariate(1 / BURST_S))))
            continue
        time.sleep(STEP_S[kind])
        passed = time.monotonic() - begun
        due = int(rate * passed - grown)
        grown += due
        if kind == "forks":
            beget(due)
        else:
            kept.append(memory(due))
        if kind == "teeth":
            loose.append(memory(3 * due))
            if begun + passed >= collected + TOOTH_S:
                collected = begun + passed
                loose.clear()


def memory(size: int) -> mmap.mmap:
    """Return so many bytes, touched."""
    found = mmap.mmap(-1, max(size, PAGE), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    found.madvise(MADV_NOHUGEPAGE)  # or the size would come in steps of 2 MiB
    found[::PAGE] = b"x" * len(found[::PAGE])
    return found


def beget(size: int) -> None:
    """Fork a child of that size that stays; nobody waits for it."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    if os.fork() == 0:
        kept = memory(size)
        signal.pause()
        del kept


def read_for_ever() -> None:
    """Let the page cache come and go: 32 MiB, dropped now and then."""
    import tempfile

    with tempfile.TemporaryFile() as file:
        file.write(bytes(32 * MIB))
        file.flush()
        os.fsync(file.fileno())
        while True:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            for start in range(0, 32 * MIB, MIB):
                os.pread(file.fileno(), MIB, start)
                time.sleep(0.02)


if __name__ == "__main__":
    main()
