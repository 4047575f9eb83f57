"""How much memory the kernel itself says that the machine has, where /proc/meminfo is somebody else's (lxcfs)."""

from __future__ import annotations

import os


def memory_beyond(mem_total: int) -> int | None:
    """Return the bytes of RAM and swap of the machine where its RAM is not ``mem_total`` bytes; None where it is.

    For the /proc that this process is in. The C library asks the kernel (``sysinfo``), while lxcfs covers the file
    only; an old one reads the file, and then nothing is found.
    """
    ram = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if ram <= 0 or ram >> 10 == mem_total >> 10:
        return None
    return _of_sysinfo() or ram


def _of_sysinfo() -> int | None:
    """Return RAM and swap as ``struct sysinfo`` of include/uapi/linux/sysinfo.h has them, in bytes."""
    try:
        import ctypes  # hardly ever needed, and not everywhere there
    except ImportError:
        return None
    words = (ctypes.c_ulong * 64)()
    try:
        if ctypes.CDLL(None, use_errno=True).sysinfo(words):
            return None
    except (OSError, AttributeError):
        return None
    # uptime, three loads, totalram, freeram, sharedram, bufferram, totalswap, freeswap; then two shorts for the number
    # of processes, two longs of high memory, and the unit as an int.
    ram, swap = words[4], words[8]
    unit = ctypes.c_uint.from_buffer(words, ctypes.sizeof(ctypes.c_ulong) * 13).value
    return (ram + swap) * (unit or 1)
