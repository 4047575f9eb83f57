"""Where memory is: counters of the kernel, from a log or live -> parts that add up to the whole.

Which counters share pages (mm/show_mem.c, fs/proc/meminfo.c, mm/memcontrol.c; the same since 2.6.32):

- The LRU lists (active, inactive, isolated, unevictable) hold every page that is private, shared or of a file, once.
- ``total pagecache pages`` (NR_FILE_PAGES) are those of files, shmem and the swap cache; shmem (NR_SHMEM) is the part
  without a file. Private pages are on the lists and in none of these, or in the swap cache only.
- ``free`` leaves out what each CPU keeps for itself (``free_pcp``); free CMA is a part of it.
- Page tables, stacks, slab, huge pages of hugetlb, reserved and poisoned pages are on no list.

Counters are gathered from each CPU with a delay, so a sum may miss the whole by some megabytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from oomctl.model.memory import UNHELD, Accounting, Part, Share, Whole

LISTS = ("active_anon", "inactive_anon", "active_file", "inactive_file", "unevictable")
"""The LRU lists."""
_UNLISTED_WORTH_TELLING = 100
"""One part in so many of the whole: below it counters that lag behind explain the difference."""


def of_cgroup(
    stat: Mapping[str, int],
    usage: int | None,
    limit: int | None,
    kernel_usage: int | None = None,
    listed_bytes: int | None = None,
) -> Accounting | None:
    """Return where a cgroup's memory is by its memory.stat, v1 or v2 by its names; None: not enough is known.

    All in bytes, with all cgroups below. ``kernel_usage``: v1's ``kmem``; ``listed_bytes``: as for ``of_machine``.
    """
    if usage is None or not ({"anon", "rss"} & stat.keys()):
        return None
    parts = _v2_lists(stat) if "anon" in stat else _v1_lists(stat)
    parts += _kernel(stat, kernel_usage)
    parts.append((Part.SOCKETS, stat.get("sock", 0)))
    whole, total = Whole.USAGE, usage
    if limit is not None and limit >= usage:
        whole, total = Whole.LIMIT, limit
        parts.append((Part.LEFT, limit - usage))
    missing = [name for name in (("file", "shmem") if "anon" in stat else ("cache",)) if name not in stat]
    found = added_up(whole, total, parts, stat.get("file_mapped", stat.get("mapped_file")), missing)
    return found._replace(unlisted_bytes=unlisted(found.size_of(Part.ANONYMOUS), listed_bytes, total))


def _v2_lists(stat: Mapping[str, int]) -> list[tuple[Part, int]]:
    """``file`` has the swap cache in it, of which some pages are mapped and in ``anon`` as well."""
    anon, file, swapped = stat["anon"], stat.get("file", 0), stat.get("swapcached", 0)
    shmem = min(stat.get("shmem", 0), file)
    files = max(file - shmem - swapped, 0)
    return [
        (Part.ANONYMOUS, anon),
        (Part.SHMEM, shmem),
        (Part.FILES, files),
        (Part.SWAP_CACHE, _unmapped(stat, swapped, anon + shmem + files)),
    ]


def _v1_lists(stat: Mapping[str, int]) -> list[tuple[Part, int]]:
    """``cache`` has shared memory in it, which kernels before 4.12 do not count: it is on the lists of ``anon``."""
    rss, cache = stat["rss"], stat.get("cache", 0)
    swapped = stat.get("swapcached", 0)
    shmem = stat.get("shmem")
    if shmem is None and {"active_anon", "inactive_anon"} <= stat.keys():
        shmem = max(stat["active_anon"] + stat["inactive_anon"] - rss, 0)
    shmem = min(shmem or 0, cache)
    files = max(cache - shmem - swapped, 0)
    return [
        (Part.ANONYMOUS, rss),
        (Part.SHMEM, shmem),
        (Part.FILES, files),
        (Part.SWAP_CACHE, _unmapped(stat, swapped, rss + shmem + files)),
    ]


def _unmapped(stat: Mapping[str, int], swapped: int, others: int) -> int:
    """Return what of the swap cache nobody has mapped: on the lists and in none of the ``others``."""
    if not swapped or any(name not in stat for name in LISTS):
        return 0
    return min(max(sum(stat[name] for name in LISTS) - others, 0), swapped)


def _kernel(stat: Mapping[str, int], kernel_usage: int | None) -> list[tuple[Part, int]]:
    """Divide the kernel's memory; ``kernel`` (5.18) and v1's ``kmem`` count all of it but sockets."""
    slabs = [
        (Part.SLAB_RECLAIMABLE, stat.get("slab_reclaimable", 0)),
        (Part.SLAB_UNRECLAIMABLE, stat.get("slab_unreclaimable", 0)),
    ]
    known = sum(number for _, number in slabs)
    if not known:
        slabs = [(Part.SLAB, stat.get("slab", 0))]
    parts = [
        *slabs,
        (Part.KERNEL_STACKS, stat.get("kernel_stack", 0)),
        (Part.PAGE_TABLES, stat.get("pagetables", 0) + stat.get("sec_pagetables", 0)),
        (Part.PER_CPU, stat.get("percpu", 0)),
        (Part.VMALLOC, stat.get("vmalloc", 0)),
        (Part.ZSWAP, stat.get("zswap", 0)),
    ]
    whole = stat.get("kernel", kernel_usage)
    named = sum(number for _, number in parts)
    return parts if whole is None else [*parts, (Part.KERNEL_OTHER, max(whole - named, 0))]


def of_meminfo(info: Mapping[str, int]) -> Accounting | None:
    """Return where the machine's memory is now, by the lines of /proc/meminfo in bytes; None: they do not tell."""
    if "MemTotal" not in info or "AnonPages" not in info:
        return None
    shmem = info.get("Shmem", 0)
    files = max(info.get("Cached", 0) - shmem, 0) + info.get("Buffers", 0)
    lists = ("Active(anon)", "Inactive(anon)", "Active(file)", "Inactive(file)", "Unevictable")
    on_lists = sum(info.get(name, 0) for name in lists)
    unmapped = max(on_lists - info["AnonPages"] - shmem - files, 0)
    stacks, slab = info.get("KernelStack", 0), info.get("SReclaimable", 0)
    # Real pages since 5.3, those of stacks among them; 0 in the years before, addresses in those before 4.4.
    vmalloc = max(info.get("VmallocUsed", 0) - stacks, 0) if "Percpu" in info else 0
    huge = info.get("Hugetlb", info.get("HugePages_Total", 0) * info.get("Hugepagesize", 0))
    parts = [
        (Part.ANONYMOUS, info["AnonPages"]),
        (Part.SHMEM, shmem),
        (Part.FILES, files),
        (Part.SWAP_CACHE, min(unmapped, info.get("SwapCached", 0))),
        (Part.SLAB_RECLAIMABLE, slab),
        (Part.SLAB_UNRECLAIMABLE, info.get("SUnreclaim", 0)),
        (Part.PAGE_TABLES, info.get("PageTables", 0) + info.get("SecPageTables", 0)),
        (Part.KERNEL_STACKS, stacks),
        (Part.PER_CPU, info.get("Percpu", 0)),
        (Part.VMALLOC, vmalloc),
        (Part.ZSWAP, info.get("Zswap", 0)),
        (Part.KERNEL_OTHER, max(info.get("KReclaimable", slab) - slab, 0)),
        (Part.KERNEL_OTHER, info.get("Bounce", 0) + info.get("WritebackTmp", 0)),
        (Part.HUGE_PAGES, huge),
        (Part.GRAPHICS, info.get("GPUActive", 0) + info.get("GPUReclaim", 0)),
        (Part.BALLOON, info.get("Balloon", 0)),
        (Part.POISONED, info.get("HardwareCorrupted", 0)),
        (Part.FREE, info.get("MemFree", 0)),
    ]
    return added_up(Whole.RAM, info["MemTotal"], parts, info.get("Mapped"))


def added_up(
    whole: Whole, total: int, parts: Iterable[tuple[Part, int]], mapped: int | None, missing: Iterable[str] = ()
) -> Accounting:
    """Add up: what the parts fall short of the whole is unexplained, what they exceed it by is counted twice."""
    sizes: dict[Part, int] = {}
    for part, size in parts:
        sizes[part] = sizes.get(part, 0) + size
    shares = tuple(Share(part, size) for part, size in sizes.items() if size)
    difference = total - sum(share.size_bytes for share in shares)
    found = Accounting(whole, total, shares, max(difference, 0), max(-difference, 0), mapped, missing=tuple(missing))
    # Mapped pages are files' or shared; all of them may be shared ones.
    held = found.size_of(Part.SHMEM) if mapped is None else min(found.size_of(Part.SHMEM), mapped)
    unheld = sum(share.size_bytes for share in shares if share.part in UNHELD) - held
    # What was not printed is in some counter, so nothing is said of it.
    return found._replace(unheld_bytes=unheld + (0 if found.missing else found.unexplained_bytes))


def unlisted(private: int, listed_bytes: int | None, total: int) -> int:
    """Return how much private memory no listed process can have: they have at most their RSS."""
    if listed_bytes is None:
        return 0
    left = private - listed_bytes
    return left if left * _UNLISTED_WORTH_TELLING > total else 0
