"""What the machine was told about running out of memory: sysctls, swap, and how often it came to a kill."""

from __future__ import annotations

import re

from oomctl.errors import ImpossibleHere
from oomctl.model.audit import Settings, Swap
from oomctl.procfs.facts import Facts

_KILLS = re.compile(r"^oom_kill (\d{1,19})$", re.MULTILINE | re.ASCII)
_SWAP = re.compile(r"^(\S+)\s+\S+\s+(\d{1,16})\s", re.MULTILINE | re.ASCII)


def settings(procfs: Facts) -> Settings:
    """Return the sysctls that decide how an OOM ends."""
    return Settings(
        procfs.setting("vm/panic_on_oom"),
        procfs.setting("vm/oom_kill_allocating_task"),
        procfs.setting("vm/overcommit_memory"),
        procfs.setting("vm/oom_dump_tasks") if _has(procfs, "vm/oom_dump_tasks") else 1,
        procfs.setting("kernel/sysrq") if _has(procfs, "kernel/sysrq") else None,
    )


def swaps(procfs: Facts) -> tuple[Swap, ...]:
    """Return the devices and files that are swap now."""
    return tuple(Swap(name, int(size) << 10) for name, size in _SWAP.findall(_text(procfs, "swaps")))


def kills(procfs: Facts) -> int | None:
    """Return how many processes the OOM killer has killed since the start; None before v4.13 (commit 8e675f7af507)."""
    match = _KILLS.search(_text(procfs, "vmstat"))
    return int(match[1]) if match else None


def _has(procfs: Facts, name: str) -> bool:
    return bool(_text(procfs, f"sys/{name}"))


def _text(procfs: Facts, name: str) -> str:
    try:
        return procfs.machine_text(name)
    except ImpossibleHere:
        return ""
