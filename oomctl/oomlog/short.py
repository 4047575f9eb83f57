"""A report -> what was short, although there may have been gigabytes free."""

from __future__ import annotations

import re

from oomctl.kernel.shortage import Request, judged
from oomctl.model.kernel import Constraint
from oomctl.model.oomreport import Counter, MemcgMemory, OomReport
from oomctl.model.shortage import Shortage, ZoneShort

_32_BIT = re.compile(r"(?:[.-](?:i[3-6]86|[3-6]86)(?:\b|[.-])|\bpae\b|PAE\b|\barmv[67]|armmp|-lpae)")


def shortage_of(report: OomReport, page_size: int) -> Shortage | None:
    """Return what the report tells of what was short; None where it tells nothing, or was asked for by hand."""
    if report.order == -1:
        return None
    if report.constraint is Constraint.MEMCG:
        return _of_cgroup(report, page_size)
    request = _request(report)
    zones: tuple[ZoneShort, ...] = ()
    needed = nodes = None
    if report.constraint in (Constraint.CPUSET, Constraint.MEMPOLICY):
        nodes = report.mems_allowed if report.constraint is Constraint.CPUSET else report.nodemask
    if request is not None and report.order is not None and not report.memory.conflicting:
        zones = judged(request, report.memory.zones, page_size, _has_highmem(report))
    if report.order:
        needed = page_size << report.order if report.order < 20 else None
    found = Shortage(
        machine_free_bytes=_free(report, page_size),
        order=report.order,
        needed_bytes=needed,
        nodes=nodes,
        by_policy=report.constraint is Constraint.MEMPOLICY,
        cpuset=_cpuset(report) if report.constraint is Constraint.CPUSET else None,
        elsewhere_bytes=_elsewhere(report, page_size),
        lowmem_only=request is not None and request.highest_zone in ("DMA", "Normal") and _is_32_bit(report),
        zones=zones,
        all_zones=_has_all_zones(report, page_size),
    )
    return found if found.zones or found.nodes or found.needed_bytes or found.lowmem_only else None


def _of_cgroup(report: OomReport, page_size: int) -> Shortage:
    return Shortage(True, _limit(report.memcg), _free(report, page_size), report.order)


def _limit(memcg: MemcgMemory) -> str | None:
    """Return the limit that leaves no page more; None where that is none, or both, or not known."""
    full = [name for name, counter in (("memory", memcg.memory), ("memory+swap", memcg.memsw)) if _is_full(counter)]
    return full[0] if len(full) == 1 else None


def _is_full(counter: Counter | None) -> bool:
    """Charges are made in batches of up to 64 pages for each CPU, so a full one may lack a little."""
    return counter is not None and counter.limit_bytes is not None and counter.usage_bytes >= counter.limit_bytes


def _request(report: OomReport) -> Request | None:
    """Return what was asked for; None without a header, or for a page fault that does not say (mask 0)."""
    mask = re.match(r"0x([0-9a-fA-F]+)", report.gfp_mask or "")
    if mask is None or not int(mask[1], 16):
        return None
    return Request(report.order or 0, int(mask[1], 16))


def _cpuset(report: OomReport) -> str | None:
    return None if report.cpuset in (None, "", "/") else report.cpuset


def _free(report: OomReport, page_size: int) -> int | None:
    free = report.memory.pages.get("free")
    return None if free is None or report.memory.conflicting else free * page_size


def _elsewhere(report: OomReport, page_size: int) -> int | None:
    """Return what was free outside of the zones of the report; None where that is not known, or next to nothing."""
    free, zones = _free(report, page_size), report.memory.zones
    if free is None or not zones or any("free" not in zone.sizes for zone in zones):
        return None
    left = free - sum(zone.sizes["free"] for zone in zones)
    return left if left * 100 > free and left > 1 << 24 else None


def _has_all_zones(report: OomReport, page_size: int) -> bool:
    """Whether the zones of the report are the whole RAM; older kernels count some holes in it, too."""
    ram = report.machine.ram_pages
    present = sum(zone.sizes["present"] for zone in report.memory.zones)
    return ram is not None and present * 20 >= ram * page_size * 19


def _is_32_bit(report: OomReport) -> bool:
    """Whether some of the machine's memory can be out of the kernel's reach (and a log that tells nothing is not)."""
    if _has_highmem(report):
        return True
    ram = report.machine.ram_pages
    if ram is not None and "highmem" in report.memory.pages:
        return False  # its own count says that there is none
    if report.memory.address_bits is not None:
        return report.memory.address_bits == 32 and ram is None
    return ram is None and _32_BIT.search(report.kernel or "") is not None


def _has_highmem(report: OomReport) -> bool:
    """Whether there is a zone HighMem, which 64-bit kernels do not have."""
    if any(zone.name == "HighMem" for zone in report.memory.zones):
        return True
    # Lists of 32-bit kernels go DMA, Normal, HighMem, Movable; what HighMem has is on top of what Normal has.
    if _32_BIT.search(report.kernel or "") is None:
        return False
    return any(
        zone.name == "DMA" and len(reserve) == 4 and reserve[2] > reserve[1] > 0
        for zone in report.memory.zones
        if (reserve := zone.reserve_pages) is not None
    )
