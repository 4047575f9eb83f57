"""PID 1 of the guest: mounts, modules, one script, and an end in any case."""

from __future__ import annotations

import ctypes
import importlib
import os
import sys
import time
import traceback

from tests.vm.guest import report

_LIBC = ctypes.CDLL(None, use_errno=True)
_INIT_MODULE = {"x86_64": 175, "aarch64": 105}.get(os.uname().machine, 128)  # i386, powerpc: 128
_POWER_OFF = 0x4321FEDC  # include/uapi/linux/reboot.h

MOUNTS = (
    ("devtmpfs", "/dev", ""),
    ("proc", "/proc", ""),
    ("sysfs", "/sys", ""),
    ("tmpfs", "/tmp", ""),  # noqa: S108 - the guest's own, empty
    ("cgroup2", "/sys/fs/cgroup", ""),
)


def main() -> None:
    try:
        for kind, where, options in MOUNTS:
            mount(kind, where, options)
        _load_modules()
        _quieten()
        _run_script()
    except BaseException:
        report.send("error", text=traceback.format_exc())
    finally:
        report.drain()
        os.sync()
        _LIBC.reboot(ctypes.c_int(_POWER_OFF))


def mount(kind: str, where: str, options: str = "", flags: int = 0, source: str | None = None) -> None:
    """Mount a file system of ``kind`` (``source``: its device); with MS_BIND in ``flags``, ``source`` itself."""
    device = (source or kind).encode()
    if _LIBC.mount(device, where.encode(), kind.encode(), ctypes.c_ulong(flags), options.encode() or None):
        number = ctypes.get_errno()
        raise OSError(number, f"mount {kind} on {where}: {os.strerror(number)}")


def parameter(name: str, default: str = "") -> str:
    """Return a word of the kernel's command line."""
    with open("/proc/cmdline", encoding="ascii") as file:
        words = dict(word.partition("=")[::2] for word in file.read().split())
    return words.get(f"oomctl.{name}", default)


def wanted(kind: str) -> bool:
    """Whether this kind of kills is to be tried; ``oomctl.only`` has a part of the name, with hyphens for blanks."""
    return parameter("only") in kind.replace(", ", "-").replace(" ", "-")


def _load_modules() -> None:
    with open("/modules", encoding="ascii") as file:
        paths = file.read().split()
    for path in paths:
        with open(path, "rb") as module:
            image = module.read()
        if _LIBC.syscall(_INIT_MODULE, image, ctypes.c_ulong(len(image)), b""):
            report.send("warning", text=f"{path}: {os.strerror(ctypes.get_errno())}")


def _quieten() -> None:
    """Settings that a test of the choice wants: no huge pages by surprise, little kept back, a bare console."""
    write("/sys/kernel/mm/transparent_hugepage/enabled", "madvise")
    write("/proc/sys/vm/overcommit_memory", "1")
    write("/proc/sys/vm/min_free_kbytes", "4096")
    write("/proc/sys/kernel/printk", "1 4 1 1")


def write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def sysrq_f() -> None:
    """Make the kernel choose a victim now."""
    write("/proc/sysrq-trigger", "f")


def _run_script() -> None:
    script = parameter("script")
    deadline = time.monotonic() + float(parameter("deadline", "300"))
    child = os.fork()
    if child == 0:
        _child(script)
    while True:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == child:
            if status:
                report.send("error", text=f"{script} ended with wait status {status}")
            return
        if pid == 0:
            if time.monotonic() > deadline:
                report.send("error", text=f"{script}: the guest's watchdog ended it")
                return
            time.sleep(0.1)


def _child(script: str) -> None:
    try:
        # Nothing in this guest may take the judge.
        write("/proc/self/oom_score_adj", "-1000")
        with open("/proc/uptime", encoding="ascii") as file:
            uptime = float(file.read().split()[0])
        report.send("started", script=script, kernel=os.uname().release, uptime=uptime)
        module = importlib.import_module(f"tests.vm.guest.{script}")
        module.main()
        report.send("finished", script=script)
        report.drain()
        os._exit(0)
    except BaseException:
        report.send("error", text=traceback.format_exc())
        report.drain()
        sys.stdout.flush()
        os._exit(1)
