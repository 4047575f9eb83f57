"""Memory of other kinds than a toy's own: what reclaim takes before the killer looks, and what only looks so.

Imported by toys that need it, in their own interpreter: nothing but the standard library.
"""

from __future__ import annotations

import mmap
import os
import signal
import threading
import time

PAGE = mmap.PAGESIZE
FILES = "/files"
"""Where the disk of files is mounted; pages of its holes need no reading."""
LIBRARY = f"{FILES}/library"
"""A file that several toys map, as programs map the C library."""
_HUGE = 2 << 20
_MAP_HUGETLB = 0x40000  # include/uapi/asm-generic/mman-common.h
_FREE, _MERGEABLE, _HUGEPAGE = 8, 12, 14  # MADV_… there
_POPULATE = 0x8000  # MAP_POPULATE
_BURST_PAUSE = 0.002
_STORM_PAUSE = 0.03


def populated(pages: int) -> mmap.mmap:
    """Take pages at once, without a step of the interpreter for each."""
    return mmap.mmap(-1, pages * PAGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _POPULATE)


def mapped_file(pages: int, locked: bool) -> mmap.mmap:
    """Map a file of one's own that nobody else can open."""
    path = f"{FILES}/{os.getpid()}"
    area = _of_file(path, pages)
    os.unlink(path)
    if locked:
        _lock(area)
    return area


def library(pages: int) -> mmap.mmap:
    """Map the beginning of the common file."""
    return _of_file(LIBRARY, pages)


def on_tmpfs(pages: int) -> mmap.mmap:
    """Map a file of shared memory, written to."""
    with open(f"/tmp/{os.getpid()}", "w+b") as file:  # noqa: S108 - the guest's own
        os.unlink(file.name)
        file.truncate(pages * PAGE)
        area = mmap.mmap(file.fileno(), pages * PAGE)
    for offset in range(0, len(area), PAGE):
        area[offset] = 1
    return area


def _of_file(path: str, pages: int) -> mmap.mmap:
    with open(path, "a+b") as file:
        if os.fstat(file.fileno()).st_size < pages * PAGE:
            file.truncate(pages * PAGE)
        area = mmap.mmap(file.fileno(), pages * PAGE, mmap.MAP_SHARED, mmap.PROT_READ)
    read(area)
    return area


def read(area: mmap.mmap) -> None:
    """Have every page of ``area`` in RAM."""
    for offset in range(0, len(area), PAGE):
        area[offset]


def _lock(area: mmap.mmap) -> None:
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    libc.mlock.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
    # mlock of a read-only map: its address is in the list of maps, as Python gives none.
    with open("/proc/self/maps", encoding="utf-8") as maps:
        line = next(line for line in maps if line.rstrip().endswith((f"{FILES}/{os.getpid()} (deleted)",)))
    if libc.mlock(int(line.partition("-")[0], 16), len(area)):
        raise OSError(ctypes.get_errno(), "mlock")


def lazily_freed(area: mmap.mmap, pages: int) -> None:
    """Give the first pages of private memory to MADV_FREE: still there, but nobody's."""
    area.madvise(_FREE, 0, pages * PAGE)


def merged(pages: int) -> mmap.mmap:
    """Pages that are all the same, for KSM to merge."""
    area = populated(pages)
    area.write(b"same" * (PAGE // 4) * pages)
    area.madvise(_MERGEABLE)
    return area


def huge(count: int, all_used: bool) -> mmap.mmap:
    """Huge pages if there are any; otherwise the same as small pages. Not ``all_used``: nearly all of it is zeros."""
    area = mmap.mmap(-1, (count + 1) * _HUGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    area.madvise(_HUGEPAGE)
    for offset in range(0, count * _HUGE, PAGE if all_used else _HUGE):
        area[offset] = 1
    return area


def hugetlb(count: int) -> mmap.mmap:
    """Pages of the pool of huge ones, which are in no RSS."""
    area = mmap.mmap(-1, count * _HUGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_HUGETLB)
    for offset in range(0, len(area), _HUGE):
        area[offset] = 1
    return area


def keep_busy(pages: int) -> None:
    """Have a thread take pages and give them back all the time, while the leader sleeps."""
    area = mmap.mmap(-1, pages * PAGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)

    def work() -> None:
        while True:
            for offset in range(0, len(area), PAGE):
                area[offset] = 1
            area.madvise(mmap.MADV_DONTNEED)
            time.sleep(_BURST_PAUSE)

    threading.Thread(target=work, daemon=True).start()


def storm() -> None:
    """Have a thread fork processes that end at once."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)

    def work() -> None:
        while True:
            try:
                if os.fork() == 0:
                    os._exit(0)
            except OSError:
                pass
            time.sleep(_STORM_PAUSE)

    threading.Thread(target=work, daemon=True).start()


def left_pages() -> int:
    """What can be had without a kill: RAM, page cache in use or not, swap."""
    left = 0
    with open("/proc/meminfo", encoding="ascii") as file:
        for line in file:
            if line.startswith(("MemAvailable:", "SwapFree:")):
                left += int(line.split()[1]) * 1024 // PAGE
    return left


def read_through(path: str) -> None:
    """Read a file from its beginning to its end: page cache that nobody asked to keep."""
    with open(path, "rb", buffering=0) as file:
        while file.read(1 << 20):
            pass
