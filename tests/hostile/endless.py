"""A process, needing no privilege, whose command line is as long as it likes: ``python endless.py MIB [NAME]``.

It moves the bounds of its arguments (PR_SET_MM_MAP, as CRIU does) to a mapping that was never touched: however
long it is, it costs nothing. Prints a line when it is ready, and waits to be killed.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path

_PR_SET_NAME = 15  # include/uapi/linux/prctl.h
_PR_SET_MM = 35
_PR_SET_MM_MAP = 14
_PROT_READ = 1
_PRIVATE_ANONYMOUS_NORESERVE = 0x02 | 0x20 | 0x4000


class MmMap(ctypes.Structure):
    """``struct prctl_mm_map``."""

    _fields_ = (
        *((name, ctypes.c_uint64) for name in ("start_code", "end_code", "start_data", "end_data", "start_brk", "brk")),
        *((name, ctypes.c_uint64) for name in ("start_stack", "arg_start", "arg_end", "env_start", "env_end", "auxv")),
        ("auxv_size", ctypes.c_uint32),
        ("exe_fd", ctypes.c_uint32),
    )


def claim(size_bytes: int) -> None:
    """Make ``/proc/self/cmdline`` so long."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = libc.sbrk.restype = ctypes.c_void_p
    libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *(ctypes.c_int,) * 3, ctypes.c_long)
    start = libc.mmap(None, size_bytes, _PROT_READ, _PRIVATE_ANONYMOUS_NORESERVE, -1, 0)
    # As man 5 proc numbers them, from the third on.
    stat = dict(enumerate(Path("/proc/self/stat").read_text().rpartition(")")[2].split(), start=3))
    bounds = MmMap(
        start_code=int(stat[26]),
        end_code=int(stat[27]),
        start_data=int(stat[45]),
        end_data=int(stat[46]),
        start_brk=int(stat[47]),
        brk=libc.sbrk(0),
        start_stack=int(stat[28]),
        arg_start=start,
        arg_end=start + size_bytes - 1,
        env_start=int(stat[50]),
        env_end=int(stat[51]),
        exe_fd=(1 << 32) - 1,
    )
    if libc.prctl(_PR_SET_MM, _PR_SET_MM_MAP, ctypes.byref(bounds), ctypes.sizeof(bounds), 0):
        raise OSError(ctypes.get_errno(), "PR_SET_MM_MAP")
    libc.prctl(_PR_SET_NAME, b"endless", 0, 0, 0)


if __name__ == "__main__":
    claim(int(sys.argv[1]) << 20)
    Path("/proc/self/oom_score_adj").write_text(sys.argv[2])
    os.write(1, b"ready\n")
    signal.pause()
