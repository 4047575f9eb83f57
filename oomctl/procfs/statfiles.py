"""``stat``, ``status`` and ``oom_score_adj`` of a process, in the kernel's own text.

The functions that end in ``_at`` read the process behind an open directory of /proc. They raise OSError, Malformed
where the text is not the kernel's.
"""

from __future__ import annotations

import re

from oomctl.procfs.reading import Malformed, parses, read_at

# Fields of stat behind the name, called as in proc_pid_stat(5), by their number there minus 3.
STATE = 0
PPID = 1
FLAGS = 6
NUM_THREADS = 17
STARTTIME = 19
VSIZE = 20
RSS = 21
STARTSTACK = 25

PF_EXITING = 0x00000004  # include/linux/sched.h
PF_KTHREAD = 0x00200000
START_BITS = 41  # of clock ticks, in 64 bits of the kernel's nanoseconds
_SIGKILL_PENDING = 1 << 8
_CAP_SYS_ADMIN = 1 << 21  # include/uapi/linux/capability.h
Status = dict[bytes, bytes]
"""The first word of each field of a status file that matters here."""
_FIELD = re.compile(rb"\n(Uid|SigPnd|CapEff|Vm(?:RSS|Swap|PTE|PMD)|Rss(?:Anon|File|Shmem)):[ \t]*([^\s]*)(?=[^\n]*\n)")
_LONGEST_STATUS = 1 << 20  # 65,536 groups (NGROUPS_MAX) of up to eleven characters are 0.7 MiB


def split_stat(stat: bytes) -> tuple[bytes, list[bytes]]:
    """Return comm and the fields behind it, the last one with all that follows. Raises ValueError.

    comm may hold anything, so the last parenthesis counts.
    """
    start, end = stat.index(b"("), stat.rindex(b")")
    return stat[start + 1 : end], stat[end + 2 :].split(None, STARTSTACK + 1)


def stat_at(directory: int, name: str = "stat") -> tuple[bytes, list[bytes]]:
    """Return comm and the fields behind it. Raises OSError and ValueError."""
    return split_stat(read_at(directory, name))


@parses
def start_ticks_at(directory: int) -> int:
    """Return the start time in clock ticks since boot."""
    return int(stat_at(directory)[1][STARTTIME])


@parses
def state_at(directory: int) -> str:
    """Return the state's letter: R, S, D, Z, …"""
    return stat_at(directory)[1][STATE].decode()


@parses
def flags_at(directory: int) -> int:
    """Return the flags of the task: ``PF_EXITING``, …"""
    return int(stat_at(directory)[1][FLAGS])


@parses
def adj_at(directory: int) -> int:
    """Return ``oom_score_adj``."""
    return int(read_at(directory, "oom_score_adj", 16))


def status_text_at(directory: int, name: str = "status") -> bytes:
    """Return a status file whole; Malformed where it is longer than any."""
    status = read_at(directory, name, _LONGEST_STATUS)
    if len(status) == _LONGEST_STATUS:
        raise Malformed(name)
    return status


def status_at(directory: int, name: str = "status") -> Status:
    """Return the fields of a status file. Raises OSError, Malformed among others."""
    text = status_text_at(directory, name)
    if not text.endswith(b"\n"):
        raise Malformed(name)
    return status_in(text)


def status_in(text: bytes) -> Status:
    """Return the fields of a status file that matter here."""
    return dict(_FIELD.findall(text))


def has_memory_map(status: Status) -> bool:
    """Whether the thread has a memory map: kernel threads have none, and exited ones no more."""
    return b"VmRSS" in status


def uid_in(status: Status) -> int:
    """Return the real user. Raises ValueError without one."""
    return int(status.get(b"Uid", b""))


def kilobytes_in(status: Status, name: bytes) -> int:
    """Return the KiB of a field (``VmSwap``), 0 where it is not said. Raises ValueError."""
    return int(status.get(name, b"0"))


def is_admin(status: Status) -> bool:
    """Whether CAP_SYS_ADMIN is effective."""
    return bool(int(status.get(b"CapEff", b"0"), 16) & _CAP_SYS_ADMIN)


def is_sigkilled(status: Status) -> bool:
    """Whether SIGKILL is pending for the thread, as it is from group exit until it is gone."""
    return bool(int(status.get(b"SigPnd", b"0"), 16) & _SIGKILL_PENDING)
