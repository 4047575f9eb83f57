"""Toy processes: the nursery that forks them, and the judge's side of talking to them.

The nursery is an interpreter of its own with next to nothing imported, so that a toy is small. A toy connects
to the judge, makes itself the way its recipe says, answers with its PID and then only waits for orders.
"""

from __future__ import annotations

import contextlib
import errno
import json
import mmap
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Any, TypedDict, TypeVar

_Result = TypeVar("_Result")
PAGE = mmap.PAGESIZE
_NAME = "oomctl-toys"
_PAGEOUT = 21  # MADV_PAGEOUT, include/uapi/asm-generic/mman-common.h
_CLONE_VM, _CLONE_VFORK = 0x100, 0x4000
_EXIT = {"x86_64": 60, "aarch64": 93}.get(os.uname().machine, 1)  # as in the tables of oomctl.procfs.sharing
_SET_MEMPOLICY = 238
_MPOL_BIND = 2
_MCL_CURRENT_AND_FUTURE = 3  # include/uapi/asm-generic/mman.h
_SET_DUMPABLE = 4  # include/uapi/linux/prctl.h
_HELD_BACK = 31
"""One less than ``percpu_counter_batch`` (lib/percpu_counter.c) with up to 16 CPUs."""
_GIVEN_BACK = 4000
"""Pages, so that who is not out for memory needs no further kill."""
UNHURRIED_SECONDS = 180.0
"""For what is done at once where the emulator has a CPU to itself."""


class Recipe(TypedDict, total=False):
    """What a toy makes of itself, in pages. The order below is the order in which it does so."""

    cgroup: str
    cgroup_v1: str
    """Its directory."""
    cpuset: str
    """A cgroup too, joined for its cpuset."""
    bind: int
    """Take memory from this NUMA node only."""
    locked: bool
    """None of its memory goes to swap."""
    anon: int
    shmem: int
    sparse: int
    """Pages each of which needs a page table of its own."""
    swapped: int
    """So many of ``anon`` go to swap."""
    returned: int
    """So many of ``anon`` go to swap and come back, by way of all CPUs."""
    threads: int
    """Threads that take ``anon_each`` more on a CPU of their own."""
    anon_each: int
    adj: int
    sharer: bool
    """A second process runs on the same memory map."""
    vfork: bool
    """A child is stuck between vfork and exec."""
    leader_exits: bool
    comm: str
    child: int
    """A forked process of the same name, with so many pages more."""
    uid: int
    """Whose it is in the end."""
    file: int
    """Of a file that it alone maps; see ``memory`` for this and all that follows."""
    file_locked: bool
    library: int
    tmpfs: int
    lazyfree: int
    """So many of ``anon`` are given to MADV_FREE."""
    merged: int
    huge: int
    """Of 2 MiB each."""
    huge_unused: int
    """As many, with one byte in each that is not zero."""
    hugetlb: int
    busy: int
    """A thread takes and gives back so many, all the time."""
    storm: bool
    """A thread forks all the time."""
    ended_by_others: bool
    """A program's, which its parent may end when another one of it dies."""


def with_special(recipe: Recipe, special: str) -> Recipe:
    """Return ``recipe`` as that of a process with a sharer, a child in vfork, or an exited leader; "none": as it is."""
    return recipe if special == "none" else {**recipe, special: True}  # type: ignore[misc]


class Toy:
    def __init__(self, pid: int, recipe: Recipe, connection: socket.socket, tids: list[int]) -> None:
        self.pid = pid
        self.recipe = recipe
        self.tids = tids
        self._connection = connection

    def order(self, word: str, pages: int) -> None:
        """Give an order and wait for its end, or the toy's. Raises TimeoutError."""
        with contextlib.suppress(ConnectionError):
            self._connection.sendall(json.dumps([word, pages]).encode() + b"\n")
            self._connection.recv(100)

    def grow_until_kill(self) -> None:
        """Take a MiB at a time until the machine counts another OOM kill."""
        self.order("grow-until-kill", 256)

    @property
    def alive(self) -> bool:
        return is_alive(self.pid)

    def await_end(self, seconds: float = UNHURRIED_SECONDS) -> bool:
        deadline = time.monotonic() + seconds
        while self.alive:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        self._connection.close()
        return True

    def dismiss(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self.await_end()


def is_alive(pid: int) -> bool:
    """Whether there is still a process ``pid``; a zombie leader with live threads is one."""
    try:
        return bool(os.listdir(f"/proc/{pid}/task"))
    except OSError:
        return False


class Nursery:
    """Starts toys; they are the nursery's children, and nobody has to wait for them."""

    def __init__(self, name: str = _NAME, enter: Callable[[], object] | None = None) -> None:
        """``name``: of its socket, no other nursery's. ``enter`` is called in the nursery's process, to confine it."""
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(f"\0{name}")
        self._listener.listen(64)
        self._listener.settimeout(UNHURRIED_SECONDS)
        ours, theirs = os.pipe()
        if os.fork() == 0:
            os.dup2(ours, 0)
            if enter is not None:
                enter()
            command = [sys.executable, "-I", "-S", "-B", _path_of_byte_code(), _SITE, name]
            os.execv(sys.executable, command)  # noqa: S606
        os.close(ours)
        self._orders = os.fdopen(theirs, "w", buffering=1)

    def toy(self, recipe: Recipe) -> Toy:
        self._orders.write(json.dumps(recipe) + "\n")
        connection, _ = self._listener.accept()
        connection.settimeout(UNHURRIED_SECONDS)
        line = b""
        while not line.endswith(b"\n"):
            part = connection.recv(4096)
            if not part:
                raise RuntimeError(f"a toy died while it was being made: {recipe}")
            line += part
        hello = json.loads(line)
        if "error" in hello:
            raise RuntimeError(f"{recipe}: {hello['error']}")
        return _here(hello, recipe, connection)


def _here(hello: dict[str, Any], recipe: Recipe, connection: socket.socket) -> Toy:
    """The toy by the numbers of this PID namespace; its own may be another."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    pid = int.from_bytes(credentials[:4], sys.byteorder)
    tids = hello["tids"] if pid == hello["pid"] else [int(name) for name in os.listdir(f"/proc/{pid}/task")]
    return Toy(pid, recipe, connection, tids)


_SITE = os.path.abspath(f"{os.path.dirname(os.path.abspath(__file__))}/../../..")


def _path_of_byte_code() -> str:
    """This module again; its byte code, so that the nursery need not compile it."""
    return __spec__.cached if __spec__ is not None and __spec__.cached else __file__


def nursery() -> None:
    """Fork a toy for each line of stdin; it is out of the killer's reach until it is complete."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody has to reap toys
    for line in sys.stdin:
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _live(json.loads(line))
            os._exit(0)
    os._exit(0)


def _live(recipe: Recipe) -> None:
    judge = socket.socket(socket.AF_UNIX)
    judge.connect(f"\0{sys.argv[2]}")
    try:
        kept = _make(recipe)
        tids = [int(name) for name in os.listdir("/proc/self/task")]
    except Exception as error:
        judge.sendall(json.dumps({"error": repr(error)}).encode() + b"\n")
        return
    answer = json.dumps({"pid": os.getpid(), "tids": tids}).encode() + b"\n"
    if recipe.get("leader_exits"):
        _in_thread(lambda: _leave_to_thread(judge, answer, kept))
        _libc().syscall(_EXIT, 0)
    judge.sendall(answer)
    _obey(judge, kept)


def _leave_to_thread(judge: socket.socket, answer: bytes, kept: list[mmap.mmap]) -> None:
    state = ""
    while state != "Z":
        with open(f"/proc/{os.getpid()}/stat", encoding="ascii") as file:
            state = file.read().rpartition(")")[2].split()[0]
        time.sleep(0.01)
    judge.sendall(answer)
    _obey(judge, kept)


def _obey(judge: socket.socket, kept: list[mmap.mmap]) -> None:
    while True:
        line = judge.recv(100)
        if not line:
            os._exit(0)
        word, pages = json.loads(line)
        if word == "grow":
            kept.append(_anon(pages))
        elif word == "grow-until-kill":
            _grow_until_kill(kept, pages)
        elif word == "grow-until-scarce":
            while _free_pages() > pages:
                kept.append(_anon(256))
        elif word == "grow-until-left":
            _grow_until_left(kept, pages)
        elif word == "exhaust":
            _grow_until_kill(kept, pages, _memory().populated)
            _shrink(kept, _GIVEN_BACK)
        elif word == "read":
            for area in kept:
                _memory().read(area)
        elif word == "shrink":
            _shrink(kept, pages)
        _insistently(lambda: judge.sendall(b"done\n"))


def _grow_until_kill(kept: list[mmap.mmap], step: int, take: Callable[[int], mmap.mmap] | None = None) -> None:
    """Take ``step`` pages at a time until the machine counts another OOM kill."""
    take = take or _anon
    before = kills_counted()
    while _insistently(kills_counted) == before:
        kept.append(_insistently(lambda: take(step)))


def _grow_until_left(kept: list[mmap.mmap], pages: int) -> None:
    """Take what is left but for so many pages; stop when somebody was killed instead."""
    before = kills_counted()
    while (more := _memory().left_pages() - pages) > 0 and kills_counted() == before:
        kept.append(_memory().populated(min(max(more // 2, 64), 4096)))


def _insistently(call: Callable[[], _Result]) -> _Result:
    """Ask again where memory is refused: after a kill, with nobody left to kill, it takes a moment to come back."""
    while True:
        try:
            return call()
        except MemoryError:
            continue
        except OSError as error:
            if error.errno != errno.ENOMEM:
                raise


def _shrink(kept: list[mmap.mmap], pages: int) -> None:
    while kept and pages > 0:
        area = kept.pop()
        pages -= len(area) // PAGE
        area.close()


def kills_counted() -> int:
    """The machine's count of OOM kills: /proc/vmstat's oom_kill."""
    with open("/proc/vmstat", encoding="ascii") as file:
        for line in file:
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0


def _free_pages() -> int:
    """RAM and swap that nobody uses."""
    free = 0
    with open("/proc/meminfo", encoding="ascii") as file:
        for line in file:
            if line.startswith(("MemFree:", "SwapFree:")):
                free += int(line.split()[1]) * 1024 // PAGE
    return free


def _make(recipe: Recipe) -> list[mmap.mmap]:
    """Do what the recipe says and return what has to be kept."""
    _settle_in(recipe)
    kept = [_anon(recipe["anon"])] if recipe.get("anon") else []
    if recipe.get("shmem"):
        kept.append(_touched(mmap.mmap(-1, recipe["shmem"] * PAGE, mmap.MAP_SHARED | mmap.MAP_ANONYMOUS)))
    if recipe.get("sparse"):
        kept.append(_sparse(recipe["sparse"]))
    for number in range(recipe.get("threads", 0)):
        _grow_in_thread(kept, recipe.get("anon_each", 0), number % (os.cpu_count() or 1))
    if recipe.get("swapped"):
        kept[0].madvise(_PAGEOUT, 0, recipe["swapped"] * PAGE)
    if recipe.get("returned"):
        _out_and_back(kept[0], recipe["returned"])
    _write("/proc/self/oom_score_adj", str(recipe.get("adj", 0)))
    if recipe.get("sharer"):
        _clone(_CLONE_VM | signal.SIGCHLD)
    if recipe.get("vfork"):
        _in_thread(lambda: _clone(_CLONE_VM | _CLONE_VFORK | signal.SIGCHLD))
        time.sleep(0.2)  # the thread is stuck in it by then
    if "comm" in recipe:
        _write("/proc/self/comm", recipe["comm"])
    if "child" in recipe:
        _fork_child(recipe["child"])
    kept += _other_kinds(recipe, kept)
    if "uid" in recipe:
        _become(recipe["uid"])
    return kept


_OTHER_KINDS = {"file", "library", "tmpfs", "lazyfree", "merged", "huge", "huge_unused", "hugetlb", "busy", "storm"}


def _other_kinds(recipe: Recipe, kept: list[mmap.mmap]) -> list[mmap.mmap]:
    if not _OTHER_KINDS & recipe.keys():
        return []
    memory = _memory()
    areas: list[mmap.mmap] = []
    if recipe.get("file"):
        areas.append(memory.mapped_file(recipe["file"], recipe.get("file_locked", False)))
    for kind, make in (("library", memory.library), ("tmpfs", memory.on_tmpfs), ("merged", memory.merged)):
        if pages := recipe.get(kind):
            areas.append(make(pages))
    for kind, all_used in (("huge", True), ("huge_unused", False)):
        if count := recipe.get(kind):
            areas.append(memory.huge(count, all_used))
    if recipe.get("hugetlb"):
        areas.append(memory.hugetlb(recipe["hugetlb"]))
    if recipe.get("lazyfree"):
        memory.lazily_freed(kept[0], recipe["lazyfree"])
    if recipe.get("busy"):
        memory.keep_busy(recipe["busy"])
    if recipe.get("storm"):
        memory.storm()
    return areas


def _memory() -> Any:
    from tests.vm.guest import memory  # only for those that need it, as it makes a toy bigger

    return memory


def _settle_in(recipe: Recipe) -> None:
    """Go where memory is taken from."""
    if "cgroup_v1" in recipe:
        _write(f"{recipe['cgroup_v1']}/cgroup.procs", "0")
    if recipe.get("locked"):
        lock_memory()
    for cgroup in (recipe.get("cgroup"), recipe.get("cpuset")):
        if cgroup is not None:
            _write(f"/sys/fs/cgroup{cgroup}/cgroup.procs", "0")
    if "bind" in recipe:
        _bind(recipe["bind"])


def _out_and_back(area: mmap.mmap, pages: int) -> None:
    """Leave the counter of swap as wrong as it can be: all but the first CPU hold back nearly a batch of returns."""
    cpus = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cpus[:1])
    area.madvise(_PAGEOUT, 0, pages * PAGE)
    for number, cpu in enumerate((*cpus[1:], cpus[0])):
        os.sched_setaffinity(0, [cpu])
        first = number * _HELD_BACK
        _read(area, first, pages if cpu == cpus[0] else first + _HELD_BACK)
    os.sched_setaffinity(0, cpus)


def _read(area: mmap.mmap, first: int, end: int) -> None:
    for page in range(first, end):
        area[page * PAGE]


def _anon(pages: int) -> mmap.mmap:
    return _touched(mmap.mmap(-1, pages * PAGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))


def _touched(area: mmap.mmap) -> mmap.mmap:
    for offset in range(0, len(area), PAGE):
        area[offset] = 1
    return area


def _sparse(pages: int) -> mmap.mmap:
    """Touch one page in every 2 MiB (with pages of 4 KiB): each takes a page table of its own."""
    stride = PAGE * (PAGE // 8)
    area = mmap.mmap(-1, pages * stride, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for offset in range(0, len(area), stride):
        area[offset] = 1
    return area


def _grow_in_thread(kept: list[mmap.mmap], pages: int, cpu: int) -> None:
    done: list[bool] = []

    def work() -> None:
        os.sched_setaffinity(0, {cpu})  # of this thread only
        if pages:
            kept.append(_anon(pages))
        done.append(True)
        signal.pause()

    _in_thread(work)
    while not done:
        time.sleep(0.005)


def _fork_child(pages: int) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # it leaves no zombie
    done, tell = os.pipe()
    if os.fork() == 0:
        kept = _anon(pages)
        os.write(tell, b"1")
        while kept:
            signal.pause()
    os.read(done, 1)


def _in_thread(work: Callable[[], Any]) -> None:
    import _thread

    _thread.start_new_thread(work, ())


def lock_memory() -> None:
    """Keep this process's memory in RAM, with what it is going to take."""
    if _libc().mlockall(_MCL_CURRENT_AND_FUTURE):
        raise RuntimeError("mlockall")


def _bind(node: int) -> None:
    import ctypes

    mask = ctypes.c_ulong(1 << node)
    if _libc().syscall(_SET_MEMPOLICY, _MPOL_BIND, ctypes.byref(mask), ctypes.c_ulong(64)):
        raise OSError(ctypes.get_errno(), "set_mempolicy")


def _clone(flags: int) -> None:
    """Start a process on this memory map that does nothing but pause()."""
    import ctypes

    libc = _libc()
    stack = mmap.mmap(-1, 16 * PAGE)
    _STACKS.append(stack)
    top = ctypes.addressof(ctypes.c_char.from_buffer(stack)) + len(stack)
    if libc.clone(libc.pause, ctypes.c_void_p(top), ctypes.c_int(flags), None) < 0:
        raise OSError(ctypes.get_errno(), "clone")


_STACKS: list[mmap.mmap] = []


def _libc() -> Any:
    import ctypes  # makes a toy 1 MiB bigger: only for those that need it

    return ctypes.CDLL(None, use_errno=True)


def _become(uid: int) -> None:
    """Belong to a user who may read what /proc says of it."""
    libc = _libc()
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    if libc.prctl(_SET_DUMPABLE, 1, 0, 0, 0):
        raise RuntimeError("prctl(PR_SET_DUMPABLE)")


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    nursery()
