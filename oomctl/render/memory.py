"""Where memory is: lines for people, objects for scripts."""

from __future__ import annotations

from typing import Any

from oomctl.model.memory import UNHELD, Accounting, Part, Share, Whole
from oomctl.render.text import aligned, size

_WORDS = {
    Part.ANONYMOUS: "private memory of processes",
    Part.SHMEM: "tmpfs and shared memory",
    Part.FILES: "page cache of files",
    Part.UNEVICTABLE: "locked memory, private or of files",
    Part.SWAP_CACHE: "copies of pages in swap",
    Part.SLAB: "slab",
    Part.SLAB_RECLAIMABLE: "slab, reclaimable",
    Part.SLAB_UNRECLAIMABLE: "slab, not reclaimable",
    Part.PAGE_TABLES: "page tables",
    Part.KERNEL_STACKS: "kernel stacks",
    Part.PER_CPU: "per-CPU memory of the kernel",
    Part.VMALLOC: "vmalloc",
    Part.SOCKETS: "socket buffers",
    Part.ZSWAP: "zswap, compressed",
    Part.KERNEL_OTHER: "other kernel memory",
    Part.HUGE_PAGES: "huge pages of hugetlb",
    Part.GRAPHICS: "graphics driver",
    Part.BALLOON: "balloon, at the hypervisor",
    Part.POISONED: "damaged, out of use",
    Part.FREE: "free",
    Part.RESERVED: "reserved at boot",
    Part.LEFT: "left below the limit",
}
_SHORT_WORDS = {
    Part.ANONYMOUS: "private",
    Part.SHMEM: "tmpfs and shared",
    Part.FILES: "files",
    Part.LEFT: "to the limit",
    Part.HUGE_PAGES: "huge pages",
    Part.SLAB_RECLAIMABLE: "reclaimable slab",
    Part.SLAB_UNRECLAIMABLE: "slab",
}
_WHOLES = {Whole.RAM: "of RAM", Whole.LIMIT: "limit", Whole.USAGE: "in use"}
_MOST_SHARES = 5
_WORTH_TELLING = 100
"""One part in so many of the whole."""


def accounting_document(found: Accounting | None) -> dict[str, Any] | None:
    """Return the JSON object of a sum."""
    if found is None:
        return None
    return {
        "of": found.whole.value,
        "total_bytes": found.total_bytes,
        "parts": {share.part.value: share.size_bytes for share in found.shares},
        "unexplained_bytes": found.unexplained_bytes,
        "overlap_bytes": found.overlap_bytes,
        "mapped_bytes": found.mapped_bytes,
        "held_by_no_process_bytes": found.unheld_bytes,
        "unlisted_bytes": found.unlisted_bytes,
        "missing": list(found.missing),
    }


def accounting_lines(found: Accounting) -> list[str]:
    """Return the sum: a line for its total, and one for each part, the largest first."""
    head = f"{size(found.total_bytes)} {_WHOLES[found.whole]}"
    if found.unheld_bytes * _WORTH_TELLING > found.total_bytes:
        least = "at least " if found.size_of(Part.SHMEM) and found.mapped_bytes != 0 else ""
        head += f"; held by no process: {least}{size(found.unheld_bytes)} (*)"
    rows = [(share.size_bytes, _words(share, found), share.part in UNHELD) for share in found.shares]
    if found.unexplained_bytes:
        word = f"not in the log: {', '.join(found.missing)}, …" if found.missing else "in no counter of the kernel"
        rows.append((found.unexplained_bytes, word, not found.missing))
    rows.sort(key=lambda row: -row[0])
    if found.overlap_bytes:
        rows.append((-found.overlap_bytes, "counted twice: the counters do not agree", False))
    cells = [
        (size(number), f"{number * 100 / max(found.total_bytes, 1):.1f} %", "*" if unheld else "", word)
        for number, word, unheld in rows
    ]
    return [head, *aligned(cells, (True, True, False, False)).split("\n")]


def _words(share: Share, found: Accounting) -> str:
    words = _WORDS[share.part]
    if share.part is Part.SHMEM and found.mapped_bytes != 0:
        if found.mapped_bytes is None:
            return f"{words}, mapped or not"
        mapped = min(found.mapped_bytes, share.size_bytes)
        return f"{words}, at most {size(mapped)} of it mapped"
    if share.part is Part.ANONYMOUS and found.unlisted_bytes:
        return f"{words}, at least {size(found.unlisted_bytes)} of none in the table"
    return words


def now_lines(found: Accounting, of_more: bool = False) -> list[str]:
    """Return where memory is now in one line or two: the largest parts, and what no process holds.

    ``of_more``: it is the whole machine's, although less than that is in question.
    """
    shares = [(share.size_bytes, _SHORT_WORDS.get(share.part, _WORDS[share.part])) for share in found.shares]
    if found.unexplained_bytes:
        shares.append((found.unexplained_bytes, "in no counter"))
    worth = sorted((one for one in shares if one[0] * _WORTH_TELLING >= found.total_bytes), reverse=True)
    shown = worth[:_MOST_SHARES]
    rest = sum(number for number, _ in shares) - sum(number for number, _ in shown)
    if rest > 0:
        shown.append((rest, "other"))
    where = "in the whole machine now" if of_more else "now"
    lines = [f"{where}: " + ", ".join(f"{size(number)} {word}" for number, word in shown)]
    if found.unheld_bytes * 10 > found.total_bytes:
        lines.append(f"held by no process: at least {size(found.unheld_bytes)}")
    return lines
