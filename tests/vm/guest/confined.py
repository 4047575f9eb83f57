"""oomctl asked where something is taken away: rights, sight, or the machine itself by namespaces."""

from __future__ import annotations

import ctypes
import json
import os
import traceback
from collections.abc import Callable

from tests.vm.guest import boot
from tests.vm.guest.judge import Answer, ask

_UNSHARE, _SETNS = 272, 308  # arch/x86/entry/syscalls/syscall_64.tbl
NEW_MOUNTS, NEW_CGROUP, NEW_USER, NEW_PIDS = 0x20000, 0x2000000, 0x10000000, 0x20000000
BIND = 4096
_REC, _PRIVATE = 16384, 1 << 18
_PLAIN_USER = 1000
_LIBC = ctypes.CDLL(None, use_errno=True)


def ask_in(confine: Callable[[], None], *arguments: str) -> Answer:
    """Run a command in a child that ``confine`` has taken something away from."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            confine()
            answer = ask(*arguments)
        except BaseException:
            answer = Answer(-1, {}, traceback.format_exc())
        with os.fdopen(writing, "w") as pipe:
            json.dump(answer, pipe)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return Answer(*json.loads(text))


def become_plain_user() -> None:
    os.setgroups([])
    os.setresgid(_PLAIN_USER, _PLAIN_USER, _PLAIN_USER)
    os.setresuid(_PLAIN_USER, _PLAIN_USER, _PLAIN_USER)


def hide_processes() -> None:
    """See no process of anybody else's, once one is a plain user."""
    own_mounts()
    boot.mount("proc", "/proc", "hidepid=2")


def own_mounts() -> None:
    unshare(NEW_MOUNTS)
    checked(_LIBC.mount(None, b"/", None, ctypes.c_ulong(_REC | _PRIVATE), None), "mount")


def enter_user_namespace() -> None:
    """Be root of a namespace in which root of the machine is the only user."""
    unshare(NEW_USER)
    boot.write("/proc/self/setgroups", "deny")
    boot.write("/proc/self/uid_map", "0 0 1")
    boot.write("/proc/self/gid_map", "0 0 1")


def checked(result: int, call: str) -> None:
    if result:
        raise OSError(ctypes.get_errno(), f"{call}: {os.strerror(ctypes.get_errno())}")


def unshare(flags: int) -> None:
    checked(_LIBC.syscall(_UNSHARE, flags), "unshare")


def join(pid: int, *kinds: str) -> None:
    """Enter namespaces of a process; with ``pid`` among them the caller is a new child from here on."""
    files = [os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY) for kind in kinds]
    for file, kind in zip(files, kinds):
        checked(_LIBC.syscall(_SETNS, file, 0), f"setns {kind}")
    if "pid" in kinds:
        go_on_in_a_child()


def go_on_in_a_child() -> None:
    """Return in a forked child only, whose parent ends when it does."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        os._exit(0)
