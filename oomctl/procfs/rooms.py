"""What is left under limits, as a forecast counts it: with what is doubtful of it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress

from oomctl.errors import ImpossibleHere
from oomctl.model.limits import Limit
from oomctl.procfs.cgroup import Memcgs
from oomctl.procfs.nodes import pages_on_lists
from oomctl.procfs.reach import limit_of_machine, limit_of_memcg
from oomctl.procfs.reader import Procfs

_ZRAM = re.compile(r"^/dev/zram\d+\s+\S+\s+(\d{1,15})\s+(\d{1,15})\s", re.MULTILINE | re.ASCII)


def room_of(procfs: Procfs, memcgs: Memcgs | None, scopes: Iterable[str | None]) -> dict[str | None, Limit]:
    """Return what is left under the limits of ``scopes`` now, without those that are gone or have no limit any more.

    Doubtful is what is free on zram, whose pages stay in RAM, compressed; mapped files, which reclaim leaves to the
    last, since those who run look at them all the time; and what CPUs keep at hand: the kernel takes that back only
    where reclaim got something (mm/page_alloc.c, __alloc_pages_direct_reclaim), so not without swap and cache.
    """
    found: dict[str | None, Limit] = {}
    for scope in scopes:
        if scope is None:
            found[None] = _of_machine(procfs)
        elif memcgs is not None:
            try:
                limit = limit_of_memcg(memcgs, scope, procfs)
            except ImpossibleHere:
                continue
            if limit is not None:
                found[scope] = _with_doubt(procfs, limit, memcgs.mapped_bytes(scope))
    return found


def _of_machine(procfs: Procfs) -> Limit:
    limit = limit_of_machine(procfs)
    on_lists = pages_on_lists(procfs) * procfs.page_size
    limit = limit._replace(left_bytes=limit.left_bytes + on_lists)
    mapped = min(procfs.meminfo.mapped, procfs.meminfo.file_lru)  # it has shared memory in it, too
    return _with_doubt(procfs, limit, mapped + on_lists)


def _with_doubt(procfs: Procfs, limit: Limit, doubtful: int) -> Limit:
    if limit.swap_bytes:
        doubtful += min(_free_on_zram(procfs), limit.swap_bytes)
    return limit._replace(doubtful_bytes=min(doubtful, limit.left_bytes))


def _free_on_zram(procfs: Procfs) -> int:
    """Return bytes; 0 where the list of swap is hidden."""
    with suppress(ImpossibleHere):
        return sum(int(size) - int(used) for size, used in _ZRAM.findall(procfs.machine_text("swaps"))) << 10
    return 0
