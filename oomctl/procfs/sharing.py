"""Which processes run on one memory map, by the ``kcmp`` system call.

No file under /proc says it. Only processes whose sizes agree to the page, and whose stacks begin at the same address,
are asked about.
"""

from __future__ import annotations

import functools
import os
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable

from oomctl.model.kernel import Task

_KCMP = {  # system call numbers, include/uapi/asm-generic/unistd.h and the arch tables
    ("x86_64", 64): 312,
    ("x86_64", 32): 349,  # a 32-bit Python on a 64-bit kernel calls by the table of its own word length
    ("i386", 32): 349,
    ("i686", 32): 349,
    ("i686", 64): 312,  # under setarch i686
    ("aarch64", 64): 272,
    ("aarch64", 32): 378,
    ("armv7l", 32): 378,
    ("riscv64", 64): 272,
    ("loongarch64", 64): 272,
    ("ppc64le", 64): 354,
    ("s390x", 64): 343,
}
_KCMP_VM = 1  # include/uapi/linux/kcmp.h


def with_shared_memory(tasks: Iterable[Task], of: Task | None = None) -> list[Task]:
    """Return ``tasks`` with ``mm`` set where several have the same memory map.

    With ``of``, only those that share with it are looked for. Who cannot be asked about although another is like it
    (without permission, on a kernel without CONFIG_KCMP, with a Python that has no ctypes) has no ``start_stack``.
    """
    tasks = list(tasks)
    alike: dict[tuple[int, ...], list[Task]] = defaultdict(list)
    for task in tasks:
        if task.vsize_bytes and not task.kthread:
            alike[_size(task)].append(task)
    if of is not None:
        alike = {_size(of): alike.get(_size(of), [])}
    found: dict[int, Task] = {}
    for group in alike.values():
        if len(group) > 1:
            names, unasked = _shared(group, of)
            found |= {task.pid: task._replace(mm=names[task.pid]) for task in group if task.pid in names}
            found |= {task.pid: task._replace(start_stack=0) for task in group if task.pid in unasked}
    return [found.get(task.pid, task) for task in tasks]


def _size(task: Task) -> tuple[int, ...]:
    return task.vsize_bytes, task.rss_pages, task.swap_pages, task.pgtables_pages, task.start_stack


def _shared(group: list[Task], of: Task | None) -> tuple[dict[int, str], set[int]]:
    """Name the memory map of every task of ``group`` that is not alone on it; return whom nothing was said of, too."""
    pids = [task.pid for task in group]
    if of is not None:
        said = {pid: 0 if pid == of.pid else compare_memory(of.pid, pid) for pid in pids}
        same = [pid for pid in pids if said[pid] == 0]
        names = dict.fromkeys(same, f"mm of {of.pid}") if len(same) > 1 else {}
        return names, {pid for pid in pids if said[pid] is None}
    # The others belong to somebody else, or ended meanwhile.
    asked = [pid for pid in pids if compare_memory(pid, pid) == 0]
    # The kernel orders memory maps, so equal ones end up side by side.
    asked.sort(key=functools.cmp_to_key(_order))
    names = {}
    for one, other in zip(asked, asked[1:]):
        if compare_memory(one, other) == 0:
            names.setdefault(one, f"mm of {one}")
            names[other] = names[one]
    return names, set(pids).difference(asked)


def _order(one: int, other: int) -> int:
    return compare_memory(one, other) or 0


def compare_memory(one: int, other: int) -> int | None:
    """Return 0 when both PIDs share their memory map, else -1 or 1, an order; None when it cannot be told."""
    number, syscall = _kcmp()
    return {0: 0, 1: -1, 2: 1}.get(syscall(number, one, other, _KCMP_VM, 0, 0)) if number else None


@functools.cache
def _kcmp() -> tuple[int | None, Callable[..., int]]:
    number = _KCMP.get((os.uname().machine, 64 if sys.maxsize >> 32 else 32))
    try:
        import ctypes  # rarely needed, not light, and missing where libffi is
    except ImportError:
        return None, _no_syscall
    return number, ctypes.CDLL(None).syscall


def _no_syscall(*_: int) -> int:
    return -1
