"""Forks toy processes on request, from an interpreter that is small and warm: a toy takes milliseconds.

A program of its own, started as ``python -I -S nursery.py``: one JSON request a line on stdin, one JSON
report a line on stdout; its toys end with it. ``toys.py`` is the side that asks.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn

PAGE = mmap.PAGESIZE
STACK_BYTES = 16 * PAGE
CLONE_VM = 0x00000100  # include/uapi/linux/sched.h
CLONE_FS_FILES_SIGHAND_THREAD = 0x00000200 | 0x00000400 | 0x00000800 | 0x00010000
CLONE_VFORK = 0x00004000
CLONE_PARENT_SETTID = 0x00100000
MADV_FREE = 8
MADV_NOHUGEPAGE = 15
PR_SET_NAME = 15
PR_SET_CHILD_SUBREAPER = 36
SYS_EXIT = 60 if os.uname().machine == "x86_64" else 93  # of one thread; 93 in include/uapi/asm-generic/unistd.h
PATIENCE_S = 60.0

libc = ctypes.CDLL(None, use_errno=True)
libc.clone.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, *[ctypes.c_void_p] * 4)

Request = dict[str, Any]
Report = dict[str, Any]
kept: list[mmap.mmap] = []  # a toy's memory lives as long as the toy


def main() -> None:
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for toys: the kernel reaps them
    started: list[int] = []
    try:
        for line in iter(sys.stdin.readline, ""):
            report = start(json.loads(line))
            started += everyone(report)
            send(sys.stdout.fileno(), report)
    finally:
        for pid in started:
            # Reused PIDs are spared: whatever is no descendant of this process is none of its toys.
            if descends_from(pid, os.getpid()):
                os.kill(pid, signal.SIGKILL)


def start(toy: Request) -> Report:
    """Fork one toy and return its report once it has all its memory, threads and children, and rests."""
    here, there = os.pipe()
    vfork_child = mmap.mmap(-1, PAGE)  # shared: the kernel writes the PID there when the toy cannot report any more
    pid = os.fork()
    if pid == 0:
        os.close(here)
        try:
            live(toy, there, ctypes.addressof(ctypes.c_int.from_buffer(vfork_child)))
        except BaseException as error:
            send(there, {"error": f"{type(error).__name__}: {error}"})
        finally:
            os._exit(1)
    os.close(there)
    report: Report = json.loads(read_line(here))
    os.close(here)
    if "error" not in report:
        if toy["vfork"]:
            wait_until(lambda: any(vfork_child[:4]))
            report["vfork_child"] = int.from_bytes(vfork_child[:4], sys.byteorder)
        wait_until(lambda: state(pid) in ("Z" if toy["zombie_leader"] else "D" if toy["vfork"] else "S"))
    return report


def live(toy: Request, report_to: int, vfork_child: int) -> NoReturn:
    """Be the toy that was asked for."""
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)  # whoever waits for the end of the nursery's output does not wait for its toys
    write(toy["procs"], "0")
    write("/proc/self/oom_score_adj", str(toy["adj"]))
    libc.prctl(PR_SET_NAME, toy["name"].encode(), 0, 0, 0)
    report: Report = {"pid": os.getpid(), "vfork_child": None}
    before = [start(child) for child in toy["children"] if not child["inherits"]]
    touch(toy["pages"])
    map_file(toy["file"], toy["file_pages"])
    give_up(toy["lazyfree_pages"])
    report["children"] = before + [start(child) for child in toy["children"] if child["inherits"]]
    if any("error" in child for child in report["children"]):
        raise ChildProcessError(report["children"])
    thread_flags = CLONE_VM | CLONE_FS_FILES_SIGHAND_THREAD
    report["threads"] = [clone_at_rest(thread_flags) for _ in range(toy["threads"])]
    report["sharers"] = [clone_at_rest(CLONE_VM | signal.SIGCHLD) for _ in range(toy["sharers"])]
    act = prepared(toy)
    signal.signal(signal.SIGUSR1, lambda *_: act())  # in the handler: a signal before pause() is not lost
    stack = new_stack()
    send(report_to, report)
    os.close(report_to)
    if toy["execs"]:
        os.execv("/bin/sleep", ["sleep", "1000"])  # noqa: S606 - a shell would be another process
    if toy["zombie_leader"]:
        libc.syscall(SYS_EXIT, 0)
    if toy["vfork"]:
        # Returns when the child is gone. The kernel stores its PID before it makes this thread wait.
        clone_at_rest(CLONE_VM | CLONE_VFORK | CLONE_PARENT_SETTID | signal.SIGCHLD, vfork_child, stack)
    while True:
        signal.pause()


def prepared(toy: Request) -> Callable[[], None]:
    """Return what the toy does on SIGUSR1, tried out before, so that doing it then moves little else."""
    if toy["grows_pages"]:
        reserve = new_memory(toy["grows_pages"])

        def grow() -> None:
            for page in range(toy["grows_pages"]):
                reserve[page * PAGE] = 1

        return grow
    if toy["writes_until_kill"]:
        file = os.memfd_create("overflow")
        counters = [os.open(path, os.O_RDONLY) for path in toy["kill_counters"]]
        page = bytes(PAGE)

        def kills() -> bytes:
            return b"".join(os.pread(counter, 4096, 0).split(b"oom_kill ", 1)[-1] for counter in counters)

        def overflow() -> None:
            before = kills()
            while kills() == before:
                os.write(file, page)

        os.write(file, page)
        kills()
        return overflow
    return lambda: None


def clone_at_rest(flags: int, parent_tid: int | None = None, stack: mmap.mmap | None = None) -> int:
    """Start a thread or process that does nothing but libc's pause(): on this very memory, no Python runs in it."""
    stack = stack or new_stack()
    top = ctypes.addressof(ctypes.c_char.from_buffer(stack)) + STACK_BYTES
    tid = int(libc.clone(ctypes.cast(libc.pause, ctypes.c_void_p), top, flags, None, parent_tid, None, None))
    if tid < 0:
        raise OSError(ctypes.get_errno(), "clone")
    return tid


def new_stack() -> mmap.mmap:
    stack = mmap.mmap(-1, STACK_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    stack[::PAGE] = b"x" * (STACK_BYTES // PAGE)
    kept.append(stack)
    return stack


def touch(pages: int) -> None:
    if pages:
        new_memory(pages)[::PAGE] = b"x" * pages


def map_file(path: str, pages: int) -> None:
    """Map clean pages of a new file, which are charged to the toy's own cgroup."""
    if not pages:
        return
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    os.unlink(path)
    for _ in range(pages):
        os.write(file, b"x" * PAGE)
    os.fsync(file)
    mapped = mmap.mmap(file, pages * PAGE, prot=mmap.PROT_READ)
    kept.append(mapped)
    sum(mapped[::PAGE])


def give_up(pages: int) -> None:
    """Touch memory and let the kernel have it as soon as it needs some."""
    if pages:
        memory = new_memory(pages)
        memory[::PAGE] = b"x" * pages
        memory.madvise(MADV_FREE)


def new_memory(pages: int) -> mmap.mmap:
    memory = mmap.mmap(-1, pages * PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(MADV_NOHUGEPAGE)  # or the size would come in steps of 2 MiB
    kept.append(memory)
    return memory


def everyone(report: Report) -> list[int]:
    """Every process of a report; threads are not processes."""
    if "error" in report:
        return []
    found = [report["pid"], *report["sharers"], *([report["vfork_child"]] if report["vfork_child"] else [])]
    return found + [pid for child in report["children"] for pid in everyone(child)]


def state(pid: int) -> str:
    with open(f"/proc/{pid}/stat", "rb") as file:
        return file.read().rpartition(b") ")[2][:1].decode()


def descends_from(pid: int, ancestor: int) -> bool:
    try:
        while pid not in (0, ancestor):
            with open(f"/proc/{pid}/stat", "rb") as file:
                pid = int(file.read().rpartition(b") ")[2].split()[1])
    except OSError:
        return False
    return pid == ancestor


def wait_until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not done():
        if time.monotonic() > deadline:
            raise TimeoutError("a toy did not come to rest")
        time.sleep(0.0002)


def read_line(fd: int) -> bytes:
    """Read up to a newline: an end of file never comes while a sharer or child has the pipe, too."""
    text = b""
    while not text.endswith(b"\n"):
        chunk = os.read(fd, 1 << 16)
        if not chunk:
            return b'{"error": "it died before it could report"}'
        text += chunk
    return text


def send(fd: int, report: Report) -> None:
    os.write(fd, json.dumps(report).encode() + b"\n")


def write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


if __name__ == "__main__":
    main()
