"""Lets this very kernel choose among three toy processes in a small memory cgroup of their own.

The toys are made so that the rounded ``oom_score`` names the wrong one: its adj counts in thousandths
of the machine there, and of the cgroup in the real choice.
"""

from __future__ import annotations

import errno
import mmap
import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple, NoReturn

from oomctl.errors import ImpossibleHere
from oomctl.kernel.invocation import out_of_memory
from oomctl.model.kernel import Round
from oomctl.procfs import survey
from oomctl.procfs.cgroup import Memcgs
from oomctl.procfs.reader import Procfs

_MIB = 1 << 20
_LIMIT_BYTES = 96 * _MIB
_PATIENCE_S = 20.0
_NAME = re.compile(r"oomctl-selftest-([0-9]{1,9})")
_INTERRUPTIONS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


class Toy(NamedTuple):
    """A process that is started to be chosen among others."""

    comm: str
    size_bytes: int
    adj: int


# The first ought to die: 56 MiB against 8 MiB + 100 thousandths of 96 MiB. The last one only fills the cgroup.
# It is large because exit_mmap() (mm/mmap.c) lets the killer look for the next victim before the last 10,000 pages
# (MAX_GATHER_BATCH_COUNT, include/asm-generic/tlb.h) of a dying process are given back: 24 MiB cost two toys at times.
TOYS = (Toy("oomctl-large", 56 * _MIB, 0), Toy("oomctl-liked", 8 * _MIB, 100), Toy("oomctl-filler", 0, 0))


class Result(NamedTuple):
    """What was predicted and what the kernel did."""

    prediction: Round
    killed: dict[int, str]
    """PIDs and names of the toys that the kernel killed."""

    @property
    def agrees(self) -> bool:
        """Whether exactly those died of whom that was said."""
        return {task.pid for task in self.prediction.killed} == self.killed.keys()


def run(procfs: Procfs) -> Result:
    """Make the cgroup and the toys, predict, overflow, compare; everything is removed whatever happens.

    Raises ImpossibleHere with the reason where no such cgroup can be made.
    """
    memcgs = Memcgs.of(procfs)
    if memcgs is None:
        raise ImpossibleHere("selftest: no memory controller is mounted here")
    with _cgroup(memcgs) as path, _toys(memcgs.directory(path)) as toys:
        prediction = out_of_memory(survey.memcg(procfs, path)[0])
        return Result(prediction, _overflow(toys))


@contextmanager
def _cgroup(memcgs: Memcgs) -> Iterator[str]:
    """Make a memory cgroup of 96 MiB without swap, next to our own or below the root."""
    name = f"oomctl-selftest-{os.getpid()}"
    limit_file, swap_file = ("memory.limit_in_bytes", "memory.swappiness") if memcgs.version == 1 else _V2_FILES
    refusal = "no cgroup to make it in"
    for parent in dict.fromkeys((memcgs.path_of_pid(os.getpid()) or "/", memcgs.root)):
        if not memcgs.sees(parent):
            continue
        path = f"{parent.rstrip('/')}/{name}"
        directory = memcgs.directory(path)
        _remove_leftovers(os.path.dirname(directory))
        # Between its making and the block that removes it, it must not be forgotten.
        signal.pthread_sigmask(signal.SIG_BLOCK, _INTERRUPTIONS)
        try:
            os.mkdir(directory)
        except OSError as error:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _INTERRUPTIONS)
            refusal = f"{directory}: {error.strerror}"
            continue
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _INTERRUPTIONS)
            try:
                _write(f"{directory}/{limit_file}", str(_LIMIT_BYTES))
            except OSError:
                refusal = f"{directory}/{limit_file}: cannot be set; the memory controller is not enabled there"
                continue
            with suppress(OSError):  # a kernel without swap accounting
                _write(f"{directory}/{swap_file}", "0")
            yield path
            return
        finally:
            _remove(directory)
    raise ImpossibleHere(f"selftest: it needs root and a memory cgroup of its own: {refusal}")


def _remove_leftovers(parent: str) -> None:
    """Remove what self-tests that were killed left here: empty cgroups of this user's."""
    with suppress(OSError), os.scandir(parent) as entries:
        for entry in entries:
            named = _NAME.fullmatch(entry.name)
            if named is None or entry.stat(follow_symlinks=False).st_uid != os.geteuid():
                continue
            if int(named[1]) == os.getpid() or not _is_selftest(int(named[1])):
                _remove_if_empty(entry.path)


def _remove_if_empty(directory: str) -> None:
    """Remove a cgroup unless somebody is in it; those killed hold it for a moment after they have left its list."""
    deadline = time.monotonic() + 1
    while True:
        try:
            os.rmdir(directory)
            return
        except OSError as error:
            if error.errno != errno.EBUSY or _has_members(directory) or time.monotonic() > deadline:
                return
            time.sleep(0.01)


def _has_members(directory: str) -> bool:
    try:
        with open(f"{directory}/cgroup.procs", "rb", buffering=0) as file:
            return bool(file.read(1))
    except OSError:
        return False


def _is_selftest(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/cmdline", "rb", buffering=0) as file:
            return b"selftest" in file.read(4096)
    except OSError:
        return False


_V2_FILES = ("memory.max", "memory.swap.max")


def _remove(directory: str) -> None:
    """Remove the cgroup; those killed leave it a moment after they are gone."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            os.rmdir(directory)
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


@contextmanager
def _toys(directory: str) -> Iterator[dict[int, tuple[str, int]]]:
    """Start the toys; yields PID -> (name, descriptor that makes it start filling). They end with the block."""
    toys: dict[int, tuple[str, int]] = {}
    try:
        for toy in TOYS:
            told, tell = os.pipe()
            heard, ready = os.pipe()
            # Between its start and its entry in the list a toy must not be forgotten. It keeps the mask:
            # Ctrl-C at the terminal is for oomctl, which ends the toys.
            signal.pthread_sigmask(signal.SIG_BLOCK, _INTERRUPTIONS)
            try:
                pid = os.fork()
                if pid == 0:
                    inherited = [tell, heard, *(descriptor for _, descriptor in toys.values())]
                    _live(toy, directory, told, ready, list(toys), inherited)
                toys[pid] = toy.comm, tell
            finally:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, _INTERRUPTIONS)
            os.close(told)
            os.close(ready)
            with os.fdopen(heard) as report:
                text = report.read()
            if text != "ready":
                raise ImpossibleHere(f"selftest: a toy could not start: {text or 'it died'}")
        yield toys
    finally:
        for pid, (_, tell) in toys.items():
            os.close(tell)
            os.kill(pid, signal.SIGKILL)  # not reaped yet, so the PID is still its own
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)


def _live(toy: Toy, directory: str, told: int, ready: int, others: list[int], inherited: list[int]) -> NoReturn:
    """Be the toy: join, grow, rest; fill the cgroup when told to; end when the parent does."""
    try:
        for descriptor in inherited:
            os.close(descriptor)
        _write("/proc/self/comm", toy.comm)
        _write("/proc/self/oom_score_adj", str(toy.adj))
        _write(f"{directory}/cgroup.procs", str(os.getpid()))
        if toy.size_bytes:
            memory = mmap.mmap(-1, toy.size_bytes, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
            with suppress(OSError):  # a kernel without huge pages
                memory.madvise(mmap.MADV_NOHUGEPAGE)
            for offset in range(0, toy.size_bytes, mmap.PAGESIZE):
                memory[offset] = 1
        os.write(ready, b"ready")
        os.close(ready)
        if os.read(told, 1):
            _fill(others)
            os.read(told, 1)
    except OSError as error:
        os.write(ready, str(error).encode())
    finally:
        os._exit(0)


def _fill(watched: list[int]) -> None:
    """Charge shared memory to the cgroup, page by page, until one of ``watched`` is killed.

    Each page is unmapped again, so it stays charged and nobody's RSS moves.
    """
    filling = mmap.mmap(-1, _LIMIT_BYTES * 2, mmap.MAP_SHARED | mmap.MAP_ANONYMOUS)
    for offset in range(0, len(filling), mmap.PAGESIZE):
        filling[offset] = 1
        filling.madvise(mmap.MADV_DONTNEED, offset, mmap.PAGESIZE)
        if any(_has_no_memory(pid) for pid in watched):
            return


def _has_no_memory(pid: int) -> bool:
    with open(f"/proc/{pid}/statm", "rb") as file:
        return file.read().startswith(b"0 ")


def _overflow(toys: dict[int, tuple[str, int]]) -> dict[int, str]:
    """Let the last toy fill the cgroup; return who was killed."""
    *_, (_, tell) = toys.values()
    os.write(tell, b"!")
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        killed = {pid: comm for pid, (comm, _) in toys.items() if _was_killed(pid)}
        if killed:
            return killed
        time.sleep(0.01)
    raise ImpossibleHere(f"selftest: the kernel killed nobody within {_PATIENCE_S:.0f} s")


def _was_killed(pid: int) -> bool:
    ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    return ended is not None and ended.si_code == os.CLD_KILLED and ended.si_status == signal.SIGKILL


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
