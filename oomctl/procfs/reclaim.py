"""What can still be had of a memory before it runs out, and which pages of processes reclaim may take until then.

Bounds, never estimates: a page that may be reclaimed counts. Of what is counted on each CPU the files show the common
part only.
"""

from __future__ import annotations

import re

from oomctl.errors import ImpossibleHere
from oomctl.guard.files import read_regular
from oomctl.model.kernel import Context, MemcgLimits
from oomctl.procfs.cgroup import Memcgs
from oomctl.procfs.facts import Facts

_PENDING_PER_CPU = 128
"""Pages: a CPU holds back up to 125 of a counter of the machine (``calculate_normal_threshold``), of a memory cgroup 64
(MEMCG_CHARGE_BATCH), and as many charged in advance."""
_HUGE_PAGES = "/sys/kernel/mm/transparent_hugepage"
_SWAPPED = re.compile(r"\n(?:pswpin|pswpout|zswpin|zswpout) 0*[1-9]")
_LAZYFREE = re.compile(r"\n(pglazyfreed?) (\d{1,19})", re.ASCII)


def with_machine(context: Context, procfs: Facts) -> Context:
    """Return ``context`` with what the machine's memory says."""
    info, page = procfs.meminfo, procfs.page_size
    events = _vmstat(procfs)
    pending = _PENDING_PER_CPU * procfs.cpus
    given = dict(_LAZYFREE.findall(events))
    outstanding = int(given.get("pglazyfree", 0)) - int(given.get("pglazyfreed", 0))
    lazyfree = outstanding + pending if outstanding > 0 else 0
    huge = info.anon_huge // page if takes_huge_pages_apart(page) else 0
    # MemFree leaves out what CPUs keep for themselves, so it is not what the bound is made of.
    left = info.mem_total - info.in_use + info.swap_cached + info.swap_free
    if procfs.doubts:  # meminfo is not this machine's
        return context._replace(swap_used=True, droppable_pages=lazyfree + huge)
    return context._replace(
        swap_used=bool(info.swap_total) or _SWAPPED.search(events) is not None,
        file_lru_pages=info.file_lru // page + pending,
        swappable_shmem_pages=info.shmem // page + pending if info.swap_total else 0,
        droppable_pages=lazyfree + huge,
        left_pages=max(left // page, 0) + lazyfree + huge + pending,
    )


def with_memcg(context: Context, procfs: Facts, memcgs: Memcgs, path: str) -> Context:
    """Return ``context``, which has the machine's numbers, with those of the memory cgroup ``path``.

    A page is charged to one cgroup. Reclaim at the limit of a cgroup takes none that is charged elsewhere.
    """
    page, pending = procfs.page_size, _PENDING_PER_CPU * procfs.cpus
    stat = memcgs.stat(path)
    file_lru = stat.get("active_file", 0) + stat.get("inactive_file", 0)
    cache = stat["cache"] if memcgs.version == 1 and "cache" in stat else stat.get("file", 0)
    shmem = stat.get("shmem", cache)  # v1 does not tell it apart before v4.12
    swappable = context.swappable_shmem_pages != 0
    droppable = context.droppable_pages
    if "pglazyfree" in stat and not takes_huge_pages_apart(page):  # v2
        droppable = min(droppable, max(stat["pglazyfree"] - stat.get("pglazyfreed", 0), 0) + pending)
    limits = memcgs.limits(path)
    reclaimable = cache + stat.get("slab_reclaimable", 0) + droppable * page
    return context._replace(
        file_lru_pages=_pages(file_lru, page) + pending if stat else context.file_lru_pages,
        swappable_shmem_pages=(_pages(shmem, page) + pending if stat else None) if swappable else 0,
        droppable_pages=droppable,
        left_pages=_left_in(limits, procfs, memcgs, path, reclaimable) if stat else None,
    )


def takes_huge_pages_apart(page_size: int) -> bool:
    """Whether reclaim splits huge pages of which parts hold nothing but zeros, and drops those (``thp_underused``).

    v6.12 and later, once ``max_ptes_none`` is below its default; never with that.
    """
    entries = page_size // 8
    return _setting("shrink_underused", 0) == 1 and _setting("khugepaged/max_ptes_none", entries) < entries - 1


def _setting(name: str, default: int) -> int:
    try:
        text = read_regular(f"{_HUGE_PAGES}/{name}", 64).strip()
    except OSError:
        return default
    return int(text) if text.isdigit() else default


def _left_in(limits: MemcgLimits, procfs: Facts, memcgs: Memcgs, path: str, reclaimable: int) -> int | None:
    """Return the pages that members of a cgroup can still have at most; None without a limit."""
    if limits.memory_pages is None:
        return None
    page, usage = procfs.page_size, memcgs.usage(path)
    swap = procfs.meminfo.swap_free + procfs.meminfo.swap_cached
    if limits.swap_pages is not None:
        swap = min(swap, max(limits.swap_pages * page - usage.swap, 0))
    memory = max(limits.memory_pages * page - usage.memory, 0) + reclaimable + usage.kernel
    return (memory + swap) // page + 2 * _PENDING_PER_CPU * procfs.cpus


def _pages(size: int, page: int) -> int:
    return -(-size // page)


def _vmstat(procfs: Facts) -> str:
    try:
        return "\n" + procfs.machine_text("vmstat")
    except ImpossibleHere:
        return ""
