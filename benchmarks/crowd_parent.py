"""The parent of a crowd: starts it, writes its PIDs to stdout, and ends it by PID when stdin closes.

    python -I -S benchmarks/crowd_parent.py KIND COUNT

``benchmarks.crowds`` runs it. It imports next to nothing, because some of its children are forks of itself, which
share its memory. If it is killed, the kernel kills its children (PR_SET_PDEATHSIG).
"""

from __future__ import annotations

import ctypes
import mmap
import os
import signal
import sys
import time
from collections.abc import Callable

ROOM_TO_LEAVE_MIB = 4096
MIB = 1 << 20
PR_SET_PDEATHSIG = 1  # include/uapi/linux/prctl.h
MADV_PAGEOUT = 21  # include/uapi/asm-generic/mman-common.h, v5.4
PROT_NONE = 0
ADJS = (0, 0, 0, 0, 100, 200, 300, 500)


def shell(size: int) -> None:
    """Become a shell that holds a string of ``size`` bytes."""
    os.execvp("sh", ["sh", "-c", f"x=$(printf %{size}s); read y"])


def block(size: int) -> None:
    """Become a ``dd`` that holds a block of ``size`` bytes, which nobody takes."""
    os.execvp("dd", ["dd", "if=/dev/zero", f"bs={size}", "count=1", "status=none"])


def tiny(number: int, _count: int) -> None:
    set_adj(ADJS[scattered(number, len(ADJS))])
    shell(scattered(number, 500_000))


def same_adj(number: int, _count: int) -> None:
    shell(scattered(number, 500_000))


def alike(_number: int, _count: int) -> None:
    os.execvp("sleep", ["sleep", "infinity"])


def spread(number: int, count: int) -> None:
    """As on a server: the k-th largest of them holds 256 MiB / k, none less than 256 KiB beside its libraries."""
    if number % 50 == 0:
        set_adj(200)
    block(256 * MIB // (1 + scattered(number, count)) + MIB // 4)


def huge(number: int, count: int) -> None:
    """Every second has an address space of 1 TiB and nothing in it."""
    if number % 2:
        tiny(number, count)
    held = mmap.mmap(-1, 1 << 40, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=PROT_NONE)
    os.read(0, 1)
    held.close()


def swapped(number: int, count: int) -> None:
    """Every second has 1 MiB of its memory in swap."""
    if number % 2:
        tiny(number, count)
    held = mmap.mmap(-1, MIB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    held.write(os.urandom(MIB))
    held.madvise(MADV_PAGEOUT)
    os.read(0, 1)
    held.close()


KINDS: dict[str, Callable[[int, int], None]] = {
    "tiny": tiny,
    "same-adj": same_adj,
    "alike": alike,
    "spread": spread,
    "huge": huge,
    "swapped": swapped,
}


def scattered(number: int, below: int) -> int:
    """Return a number below ``below`` that jumps about as ``number`` grows; each once if ``below`` numbers ask."""
    return number * 7919 % below  # a prime, so that only its multiples come round sooner


def set_adj(adj: int) -> None:
    with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write(str(adj))


def start(become: Callable[[int], None], number: int, stdin: int, stdout: int) -> int:
    """Start one process and return its PID. Its stdin never answers, its stdout takes nothing."""
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    try:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() == parent:
            os.dup2(stdin, 0)
            os.dup2(stdout, 1)
            become(number)
    finally:
        os._exit(1)


def start_all(become: Callable[[int], None], count: int, pids: list[int]) -> str:
    """Start them one by one into ``pids``; return why not all of them could be started, else nothing."""
    never_answers, _ = os.pipe()
    _, nobody_reads = os.pipe()
    os.set_blocking(nobody_reads, False)
    os.write(nobody_reads, bytes(1 << 20))  # as much as it takes
    os.set_blocking(nobody_reads, True)
    for number in range(count):
        if number % 100 == 0 and available_mib() < ROOM_TO_LEAVE_MIB:
            return f"{number} processes leave less than {ROOM_TO_LEAVE_MIB} MiB of memory"
        try:
            pids.append(start(become, number, never_answers, nobody_reads))
        except BlockingIOError:
            return f"no more than {number} processes are allowed"
    return settle(pids)


def settle(pids: list[int]) -> str:
    """Wait until none of them has done anything for a second; return that one has ended, if so."""
    before, now = -1, 0
    while before != now:
        time.sleep(1)
        before, now = now, 0
        for pid in pids:
            with open(f"/proc/{pid}/stat", "rb") as file:
                fields = file.read().rpartition(b") ")[2].split()
            if fields[0] == b"Z":
                return f"PID {pid} has ended"
            now += sum(map(int, fields[11:15]))
    return ""


def available_mib() -> int:
    with open("/proc/meminfo", encoding="ascii") as file:
        return next(int(line.split()[1]) // 1024 for line in file if line.startswith("MemAvailable:"))


def main() -> None:
    kind, count = KINDS[sys.argv[1]], int(sys.argv[2])
    pids: list[int] = []
    try:
        problem = start_all(lambda number: kind(number, count), count, pids)
        print(problem or " ".join(map(str, pids)), flush=True)
        sys.stdin.read()
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        for pid in pids:
            os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
