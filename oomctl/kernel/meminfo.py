"""Where the machine's memory was, by the counters of ``Mem-Info`` in a log.

``accounting`` says which of them share pages.
"""

from __future__ import annotations

from collections.abc import Mapping

from oomctl.kernel.accounting import LISTS, added_up, unlisted
from oomctl.model.memory import Accounting, Part, Whole
from oomctl.model.shortage import MemorySeen

_ANON_LISTS = ("active_anon", "inactive_anon", "isolated_anon")
_FILE_LISTS = ("active_file", "inactive_file", "isolated_file")
_NEEDED = (*LISTS, "shmem", "free", "slab_reclaimable", "slab_unreclaimable")


def of_machine(
    seen: MemorySeen, ram_pages: int | None, reserved_pages: int | None, page: int, listed_pages: int | None = None
) -> Accounting | None:
    """Return where the machine's memory was when a report was printed; None: the report does not tell.

    ``page``: bytes; ``listed_pages``: RSS of all processes of the report, where all of them are listed.
    """
    if ram_pages is None or "active_anon" not in seen.pages or seen.conflicting:
        return None
    pages = seen.pages
    parts = _lists(pages)
    parts += [
        (Part.SLAB_RECLAIMABLE, pages.get("slab_reclaimable", 0)),
        (Part.SLAB_UNRECLAIMABLE, pages.get("slab_unreclaimable", 0)),
        (Part.PAGE_TABLES, pages.get("pagetables", 0) + pages.get("sec_pagetables", 0)),
        (Part.KERNEL_OTHER, pages.get("bounce", 0) + pages.get("kernel_misc_reclaimable", 0)),
        (Part.POISONED, pages.get("poisoned", 0)),
        (Part.FREE, pages.get("free", 0) + pages.get("free_pcp", 0)),
        (Part.RESERVED, reserved_pages or 0),
    ]
    missing = [name for name in _NEEDED if name not in pages]
    if reserved_pages is None:
        missing.append("reserved")
    in_bytes = [(part, number * page) for part, number in parts] + _of_nodes(seen)
    mapped = pages.get("mapped")
    found = added_up(Whole.RAM, ram_pages * page, in_bytes, None if mapped is None else mapped * page, missing)
    private = found.size_of(Part.ANONYMOUS) - pages.get("swap_cache", 0) * page
    listed = None if listed_pages is None or "shmem" in missing else listed_pages * page
    return found._replace(unlisted_bytes=unlisted(private, listed, found.total_bytes))


def _lists(pages: Mapping[str, int]) -> list[tuple[Part, int]]:
    """Divide what is on the LRU lists, in pages."""
    anon, files = (sum(pages.get(name, 0) for name in lists) for lists in (_ANON_LISTS, _FILE_LISTS))
    locked, shmem = pages.get("unevictable", 0), pages.get("shmem", 0)
    cache, swapped = pages.get("pagecache"), pages.get("swap_cache")
    if cache is None or swapped is None or cache < shmem + swapped:
        # Of the locked pages it is not known what they are, but shared ones that the lists have no place for are.
        locked_shmem = min(max(shmem - anon, 0), locked)
        private = max(anon - shmem, 0)
        rest = [(Part.FILES, files), (Part.UNEVICTABLE, locked - locked_shmem)]
    else:
        of_files = min(cache - shmem - swapped, files + locked)
        private = max(anon + files + locked - shmem - of_files, 0)
        rest = [(Part.FILES, of_files)]
    return [(Part.ANONYMOUS, private), (Part.SHMEM, shmem), *rest]


def _of_nodes(seen: MemorySeen) -> list[tuple[Part, int]]:
    """Return what only the lines of nodes or zones tell, in bytes; nodes that were not printed are not in it."""
    lines = list(seen.nodes.values())
    stacks = [sizes["kernel_stack"] for sizes in lines if "kernel_stack" in sizes]
    if not stacks:  # before 5.9
        stacks = [zone.sizes.get("kernel_stack", 0) for zone in seen.zones]
    temporary = [sizes.get("writeback_tmp", 0) for sizes in (lines or [zone.sizes for zone in seen.zones])]
    return [
        (Part.KERNEL_STACKS, sum(stacks)),
        (Part.KERNEL_OTHER, sum(temporary)),
        (Part.BALLOON, sum(sizes.get("Balloon", 0) for sizes in lines)),
        (Part.GRAPHICS, sum(sizes.get("gpu_active", 0) + sizes.get("gpu_reclaim", 0) for sizes in lines)),
        (Part.HUGE_PAGES, sum(pool.total * pool.size_bytes for pool in seen.huge)),
    ]
