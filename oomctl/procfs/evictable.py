"""Which of a process's file pages belong to a memory cgroup, page by page: reclaim at its limit takes no others.

Libraries are charged to whoever read them first, often another cgroup. ``memory.stat`` bounds what reclaim can take
only to within what the CPUs have not added up yet; this is exact, for root, on kernels with /proc/kpagecgroup.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from oomctl.guard.files import read_bounded
from oomctl.model.kernel import Task
from oomctl.procfs.opening import READING
from oomctl.procfs.reader import Procfs

_MOST_PAGES = 1 << 17
"""Of address space that files are mapped to, 512 MiB by pages of 4 KiB."""
_LONGEST_MAPS = 1 << 22
_FILE = re.compile(rb"^([0-9a-f]{1,16})-([0-9a-f]{1,16}) \S+ \S+ \S+ [1-9]\d* ", re.MULTILINE)
_ENTRY = 8  # bytes, in all three files: Documentation/admin-guide/mm/pagemap.rst
_PRESENT_AND_FILE = 1 << 63 | 1 << 61
_PFN = (1 << 55) - 1


def evictable_pages(procfs: Procfs, task: Task, cgroups: frozenset[int]) -> int | None:
    """Return how many mapped pages of files, shared memory included, are charged to one of ``cgroups``.

    ``cgroups`` are inode numbers of their directories. None: it may not be known, or takes too long. Anonymous shared
    memory has an inode in ``maps``, too.
    """
    holder = memory_holder(task)
    try:
        with procfs.open_task(task.pid) as directory:
            ranges = _mapped_files(directory, holder, procfs.page_size)
            if not ranges:
                return None
            before = list(_present(directory, holder, ranges))
            owners = _owners(procfs.root, before)
            after = list(_present(directory, holder, ranges))
    except (OSError, ValueError, TypeError, OverflowError):  # not there, not allowed, or not as the kernel writes it
        return None
    if owners is None:
        return None
    # A page that has moved meanwhile may be anybody's.
    moved = len(set(after) - set(before))
    return sum(owner in cgroups for owner in owners) + moved


def memory_holder(task: Task) -> str:
    """Return where the files of a thread with the memory map are, below the process: an exited leader has none."""
    return f"task/{task.threads[0].tid}/" if task.zombie_leader else ""


def _mapped_files(directory: int, holder: str, page_size: int) -> list[tuple[int, int]] | None:
    """Return (first page, pages) of each mapping of a file; None where that is too much."""
    descriptor = os.open(holder + "maps", READING, dir_fd=directory)
    try:
        text = read_bounded(descriptor, _LONGEST_MAPS)
    finally:
        os.close(descriptor)
    found = [(int(start, 16) // page_size, int(end, 16) // page_size) for start, end in _FILE.findall(text)]
    ranges = [(start, end - start) for start, end in found if start < end]
    if len(text) == _LONGEST_MAPS or sum(pages for _, pages in ranges) > _MOST_PAGES:
        return None
    return ranges


def _present(directory: int, holder: str, ranges: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield (page, frame) of what is in RAM and not private. Raises OSError."""
    descriptor = os.open(holder + "pagemap", READING, dir_fd=directory)
    try:
        for first, pages in ranges:
            entries = memoryview(os.pread(descriptor, pages * _ENTRY, first * _ENTRY)).cast("Q")
            for number, entry in enumerate(entries):
                if entry & _PRESENT_AND_FILE == _PRESENT_AND_FILE:
                    yield first + number, entry & _PFN
    finally:
        os.close(descriptor)


def _owners(root: str, present: list[tuple[int, int]]) -> list[int] | None:
    """Return the inode of the cgroup that each page is charged to; None where not all are to be had. Raises OSError."""
    if any(not frame for _, frame in present):  # without CAP_SYS_ADMIN
        return None
    descriptor = os.open(f"{root}/kpagecgroup", READING)
    try:
        texts = [os.pread(descriptor, _ENTRY, frame * _ENTRY) for _, frame in present]
    finally:
        os.close(descriptor)
    if any(len(text) != _ENTRY for text in texts):  # a frame that the kernel has no page of memory for
        return None
    return [memoryview(text).cast("Q")[0] for text in texts]
