"""Processes and machine-wide facts from /proc.

Every process is read through one open directory: a PID that is reused meanwhile gives ESRCH, never
another process's numbers. Two kinds of absence are kept apart: a process that ended is left out, one
that may not be read is counted as hidden.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import NamedTuple

from oomctl.errors import ImpossibleHere
from oomctl.kernel.badness import ADJ_MIN, badness, oom_score
from oomctl.kernel.certainty import batch_pages
from oomctl.kernel.rules import Counters, Pgtables, Rules, rules_for
from oomctl.model import Task, Thread
from oomctl.procfs.halves import by_halves

_PF_EXITING = 0x00000004  # include/linux/sched.h
_PF_KTHREAD = 0x00200000
_SIGKILL_PENDING = 1 << 8
_CAP_SYS_ADMIN = 1 << 21  # include/uapi/linux/capability.h
_LARGEST_STATUS = 1 << 14
_VANISHED = (FileNotFoundError, ProcessLookupError)
_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC


class Meminfo(NamedTuple):
    """The lines of /proc/meminfo that matter here, in bytes."""

    mem_total: int
    mem_available: int
    swap_total: int
    swap_free: int


class Score(NamedTuple):
    """The kernel's own rounded verdict on one process."""

    oom_score: int
    pid: int


class Scores(NamedTuple):
    listed: list[Score]
    hidden: int
    """Processes that exist but cannot be read from here."""


class Tasks(NamedTuple):
    read: list[Task]
    hidden: int


class Procfs:
    """A process file system at ``root``, and what its kernel's numbers mean."""

    def __init__(
        self, root: str = "/proc", page_size: int | None = None, cpus: int | None = None, on_purpose: bool = False
    ) -> None:
        """``on_purpose``: the user named this root, so it may be another place's."""
        self.root = root
        self.page_size = page_size or os.sysconf("SC_PAGE_SIZE")
        self.cpus = cpus or os.sysconf("SC_NPROCESSORS_ONLN")
        self.clock_ticks = os.sysconf("SC_CLK_TCK")
        # Left out of every survey: it is over before the memory is. None in a /proc of another place.
        self.own_pid = os.getpid() if _target(f"{root}/self") == str(os.getpid()) else None
        self.of_another_namespace = self.own_pid is None and root == "/proc" and not on_purpose
        """It shows other processes under the numbers that this process knows: nobody meant that."""
        self._held: dict[int, int | None] = {}
        self.kernel = self._kernel()
        self.rules: Rules = rules_for(self.kernel)
        self.meminfo = self._meminfo()
        # Where status sums exactly and the killer does not, it reads the common counter of swap only,
        # which grows by whole batches.
        inexact = self.rules.counters is Counters.PER_CPU_EXACT_STATUS
        self.swap_batch = batch_pages(self.cpus) if inexact else 1
        # (MemTotal + SwapTotal) in pages: oom_score is scaled by it whatever cgroup a task is in.
        self.totalpages = (self.meminfo.mem_total + self.meminfo.swap_total) // self.page_size

    def scores(self, forks: bool = True) -> Scores:
        """Read ``oom_score`` of every process: the cheapest file that says who can matter at all.

        A process with several threads should not fork for it.
        """
        names, unlisted = self._listing()
        parts = by_halves(
            self._scores_of, [name for name in names if name[0] in "123456789"], self.cpus if forks else 1
        )
        listed = [Score(score, pid) for scores, _ in parts for score, pid in scores if pid != self.own_pid]
        return Scores(listed, unlisted + sum(unreadable for _, unreadable in parts))

    def _scores_of(self, names: Sequence[str]) -> tuple[list[tuple[int, int]], int]:
        """Return (score, PID) of each process, and how many may not be read."""
        listed: list[tuple[int, int]] = []
        unreadable = 0
        prefix = self.root + "/"
        opened, read, close = os.open, os.read, os.close  # 10,000 times each
        for name in names:
            try:
                fd = opened(prefix + name + "/oom_score", os.O_RDONLY)
            except PermissionError:
                unreadable += 1
                continue
            except _VANISHED:
                continue
            try:
                listed.append((int(read(fd, 16)), int(name)))
            except ProcessLookupError:
                continue
            finally:
                close(fd)
        return listed, unreadable

    def tasks(self, pids: Iterable[int] | None = None) -> Tasks:
        """Read the processes ``pids`` (default: all), leaving out oomctl's own and those that end meanwhile.

        In the kernel's global scan order as far as userspace sees it: by start time, then PID.
        """
        hidden = 0
        read: list[Task] = []
        if pids is None:
            names, hidden = self._listing()
            pids = [int(name) for name in names if name[0] in "123456789"]
        for pid in pids:
            if pid == self.own_pid:
                continue
            try:
                read.append(self.task(pid))
            except PermissionError:
                hidden += 1
            except _VANISHED:
                continue
        read.sort(key=lambda task: (task.start_ticks, task.pid))
        return Tasks(read, hidden)

    def task(self, pid: int) -> Task:
        """Read one process. Raises FileNotFoundError or ProcessLookupError when it is gone."""
        with self.open_task(pid) as directory:
            return self.task_at(directory, pid)

    @contextmanager
    def held(self, pids: Iterable[int]) -> Iterator[None]:
        """Let ``open_task`` give the very processes that have these PIDs now, until the block ends.

        One that ends meanwhile is gone, whoever takes its PID; so is one that is not there now.
        """
        opened: dict[int, int | None] = {}
        try:
            for pid in pids:
                if pid not in self._held and pid not in opened:
                    opened[pid] = None
                    with suppress(*_VANISHED):
                        opened[pid] = os.open(f"{self.root}/{pid}", _DIRECTORY)
            self._held.update(opened)
            yield
        finally:
            for pid, directory in opened.items():
                self._held.pop(pid, None)
                if directory is not None:
                    os.close(directory)

    @contextmanager
    def open_task(self, pid: int) -> Iterator[int]:
        """Pin a process: the yielded directory descriptor never leads to another one."""
        if pid in self._held:
            held = self._held[pid]
            if held is None:
                raise FileNotFoundError(f"{self.root}/{pid}")
            yield held
            return
        directory = os.open(f"{self.root}/{pid}", _DIRECTORY)
        try:
            yield directory
        finally:
            os.close(directory)

    @contextmanager
    def open_self(self) -> Iterator[int]:
        """Like ``open_task`` for the process that asks, which needs no number."""
        directory = os.open(f"{self.root}/self", _DIRECTORY)
        try:
            yield directory
        finally:
            os.close(directory)

    def task_at(self, directory: int, pid: int) -> Task:
        """Read the process behind an open directory of /proc."""
        comm, stat = _split_stat(read_at(directory, "stat"))
        status = read_at(directory, "status", _LARGEST_STATUS)
        adj = int(read_at(directory, "oom_score_adj", 16))
        score = int(read_at(directory, "oom_score", 16))
        threads: tuple[Thread, ...] = ()
        leader_gone = stat[0] == b"Z" and int(stat[17]) > 1
        if leader_gone:
            live = self._live_thread(directory, pid)
            if live is not None:
                threads, status, thread_stat = live
                stat[_RSS], stat[_VSIZE] = thread_stat[_RSS], thread_stat[_VSIZE]
        flags = int(stat[6])
        kthread = bool(flags & _PF_KTHREAD)
        has_memory = b"\nVmRSS:" in status
        task = Task(
            pid=pid,
            comm=comm.decode(errors="replace"),
            ppid=int(stat[1]),
            uid=int(_field(status, b"\nUid:")),
            rss_pages=self._rss_pages(stat, status) if has_memory else 0,
            swap_pages=self._swap_pages(status),
            pgtables_pages=self._pgtables_pages(status),
            adj=adj,
            start_ticks=int(stat[19]),
            oom_score=score,
            anon_pages=self._anon_pages(status),
            vsize_bytes=int(stat[_VSIZE]) if has_memory else 0,
            threads=threads,
            init=pid == 1 and score == 0 and not kthread,
            kthread=kthread,
            zombie=not has_memory and not kthread,
            zombie_leader=bool(threads),
            running=stat[0] == b"R",
            exiting=bool(flags & _PF_EXITING and not threads) or _sigkilled(status),
            cap_sys_admin=bool(int(_field(status, b"\nCapEff:", b"0"), 16) & _CAP_SYS_ADMIN),
        )
        return self._with_hidden_state(task)

    def identity_at(self, directory: int, pid: int) -> Task:
        """Read who is behind an open directory of /proc, and its adj, but not what it weighs."""
        comm, stat = _split_stat(read_at(directory, "stat"))
        status = read_at(directory, "status", _LARGEST_STATUS)
        kthread = bool(int(stat[6]) & _PF_KTHREAD)
        return Task(
            pid=pid,
            comm=comm.decode(errors="replace"),
            ppid=int(stat[1]),
            uid=int(_field(status, b"\nUid:")),
            adj=int(read_at(directory, "oom_score_adj", 16)),
            start_ticks=int(stat[19]),
            inode=os.fstat(directory).st_ino,
            kthread=kthread,
            # Without memory and not a kernel thread; a leader that exited before its threads still runs.
            zombie=b"\nVmRSS:" not in status and not kthread and int(stat[17]) <= 1,
        )

    def adj(self, pid: int) -> int | None:
        """Return ``oom_score_adj`` of a process; None when it is gone or hidden."""
        try:
            with open(f"{self.root}/{pid}/oom_score_adj", "rb") as file:
                return int(file.read())
        except OSError:
            return None

    def comm(self, pid: int) -> str | None:
        """Return the name of a process; None when it is gone or hidden."""
        try:
            with open(f"{self.root}/{pid}/comm", "rb") as file:
                return file.read().removesuffix(b"\n").decode(errors="replace")
        except OSError:
            return None

    def resident_pages(self, pid: int) -> int:
        """Return the RSS that ``statm`` shows, for a quick look; 0 when the process is gone or hidden."""
        try:
            with open(f"{self.root}/{pid}/statm", "rb") as file:
                return int(file.read().split()[1])
        except (OSError, IndexError):
            return 0

    def has_exited(self, pid: int) -> bool:
        """Whether the leader of a process has exited and is not reaped, because of live threads or a slow parent."""
        try:
            with self.open_task(pid) as directory:
                return _split_stat(read_at(directory, "stat"))[1][0] == b"Z"
        except OSError:
            return False

    def children(self, pid: int) -> list[int]:
        """Return the PIDs of a process's children; empty where the kernel lacks CONFIG_PROC_CHILDREN."""
        found: list[int] = []
        try:
            with self.open_task(pid) as directory:
                tids = os.listdir(f"{self.root}/{pid}/task")
                for tid in tids:
                    found += map(int, read_at(directory, f"task/{tid}/children", _LARGEST_STATUS).split())
        except OSError:
            return found
        return found

    def ancestors(self, task: Task) -> list[Task]:
        """Return who started ``task``, its parent first, as far up as can be read."""
        found: list[Task] = []
        seen = {task.pid}
        while task.ppid > 0 and task.ppid not in seen:
            seen.add(task.ppid)
            try:
                task = self.task(task.ppid)
            except (*_VANISHED, PermissionError):
                break
            found.append(task)
        return found

    def _with_hidden_state(self, task: Task) -> Task:
        """Mark a task that the kernel scores 0 although its numbers would make it a candidate.

        That is a vfork child before exec (it has its parent's memory map), or memory already reaped.
        """
        plain = not (task.init or task.kthread or task.zombie or task.adj == ADJ_MIN)
        if not plain or task.oom_score or not self.rules.signed:
            return task
        own = badness(task, self.totalpages, self.rules).badness
        if oom_score(own, self.totalpages, self.rules) <= 1:
            return task
        try:
            with self.open_task(task.ppid) as parent:
                _, stat = _split_stat(read_at(parent, "stat"))
        except (*_VANISHED, PermissionError):
            return task._replace(oom_skip=True)
        # A child in vfork runs on the very same memory map, so both report the same size.
        if int(stat[_VSIZE]) == task.vsize_bytes:
            return task._replace(vfork=True)
        return task._replace(oom_skip=True)

    def _live_thread(self, directory: int, pid: int) -> tuple[tuple[Thread, ...], bytes, list[bytes]] | None:
        """Find the first thread that still has the memory map of an exited leader."""
        task_directory = os.open("task", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory)
        try:
            for tid in sorted(map(int, os.listdir(task_directory))):
                try:
                    comm, stat = _split_stat(read_at(task_directory, f"{tid}/stat"))
                    status = read_at(task_directory, f"{tid}/status", _LARGEST_STATUS)
                except _VANISHED:
                    continue
                if tid != pid and b"\nVmRSS:" in status:
                    return (Thread(tid, comm.decode(errors="replace")),), status, stat
        finally:
            os.close(task_directory)
        return None

    def _rss_pages(self, stat: list[bytes], status: bytes) -> int:
        """RSS from the file that shows the killer's own number on this kernel."""
        if self.rules.counters is Counters.EXACT:
            return self._kilobytes(status, b"\nVmRSS:")
        return int(stat[_RSS])

    def _swap_pages(self, status: bytes) -> int:
        swap = self._kilobytes(status, b"\nVmSwap:")
        return swap - swap % self.swap_batch

    def _pgtables_pages(self, status: bytes) -> int:
        pages = self._kilobytes(status, b"\nVmPTE:")
        if self.rules.pgtables is Pgtables.PTE_PMD:
            pages += self._kilobytes(status, b"\nVmPMD:")
        return pages

    def _anon_pages(self, status: bytes) -> int | None:
        return self._kilobytes(status, b"\nRssAnon:") if b"\nRssAnon:" in status else None

    def _kilobytes(self, status: bytes, field: bytes) -> int:
        return int(_field(status, field, b"0")) * 1024 // self.page_size

    def _listing(self) -> tuple[list[str], int]:
        """Return the entries of /proc and how many processes exist without being among them.

        The count is taken before and after: what starts or ends meanwhile is not hidden.
        """
        before = self._links()
        names = self._listdir()
        return names, self._unlisted(names, min(before, self._links()))

    def _links(self) -> int:
        try:
            return os.stat(self.root).st_nlink
        except OSError as error:
            raise self._no_proc(error) from None

    def _unlisted(self, names: list[str], links: int) -> int:
        """Count processes that exist but are not listed (hidepid, another PID namespace).

        The link count of /proc is 2 + its fixed directories + all processes (proc_root_getattr).
        """
        fixed = listed = 0
        for name in names:
            if name[0] in "123456789":
                listed += 1
            elif os.path.isdir(f"{self.root}/{name}") and not os.path.islink(f"{self.root}/{name}"):
                fixed += 1
        return max(links - 2 - fixed - listed, 0)

    def _kernel(self) -> str:
        return self.machine_text("sys/kernel/osrelease").strip()

    def _meminfo(self) -> Meminfo:
        text = "\n" + self.machine_text("meminfo")

        def size(name: str) -> int:
            match = re.search(rf"\n{name}:\s*(\d+) kB", text)
            return int(match[1]) * 1024 if match else 0

        if not size("MemTotal"):
            raise ImpossibleHere(f"{self.root}/meminfo: no MemTotal in it; oomctl needs the /proc of a Linux machine")
        available = size("MemAvailable") if "\nMemAvailable:" in text else size("MemFree")  # before v3.14
        return Meminfo(size("MemTotal"), available, size("SwapTotal"), size("SwapFree"))

    def setting(self, name: str) -> int:
        """Return a sysctl such as ``vm/panic_on_oom``; 0 where this kernel does not have it."""
        try:
            return int(self.machine_text(f"sys/{name}"))
        except (ImpossibleHere, ValueError):
            return 0

    def boot_time(self) -> float:
        """Seconds since the epoch at which the machine started; what ``start_ticks`` count from."""
        match = re.search(r"^btime (\d+)$", self.machine_text("stat"), re.MULTILINE)
        return float(match[1]) if match else 0.0

    def boot_id(self) -> str:
        """Return the random name of this boot; empty where the kernel does not say it."""
        try:
            return self.machine_text("sys/kernel/random/boot_id").strip()
        except ImpossibleHere:
            return ""

    def machine_text(self, name: str) -> str:
        """Return the text of a machine-wide file; ImpossibleHere when it cannot be read."""
        path = f"{self.root}/{name}"
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                return file.read()
        except OSError as error:
            raise ImpossibleHere(
                f"{path}: {error.strerror}; oomctl needs Linux with its whole /proc mounted there"
            ) from None

    def _listdir(self) -> list[str]:
        try:
            return os.listdir(self.root)
        except OSError as error:
            raise self._no_proc(error) from None

    def _no_proc(self, error: OSError) -> ImpossibleHere:
        return ImpossibleHere(f"{self.root}: {error.strerror}; oomctl needs Linux with /proc mounted")


# Fields of stat counted from the state, the first one behind the name: man 5 proc's number minus 3.
_VSIZE = 20
_RSS = 21


def read_at(directory: int, name: str, size: int = 4096) -> bytes:
    """Read a file below an open directory; ``size`` is what it usually fits into, so that one read is enough."""
    fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=directory)
    try:
        text = os.read(fd, size)
        if len(text) < size:
            return text
        # A process in thousands of groups has a long status.
        chunks = [text]
        while chunks[-1]:
            chunks.append(os.read(fd, 1 << 20))
        return b"".join(chunks)
    finally:
        os.close(fd)


def start_ticks_at(directory: int) -> int:
    """Start time of the process behind an open directory, in clock ticks since boot."""
    return int(_split_stat(read_at(directory, "stat"))[1][19])


def state_at(directory: int) -> str:
    """State letter of the process behind an open directory: R, S, D, Z, …"""
    return _split_stat(read_at(directory, "stat"))[1][0].decode()


def _target(link: str) -> str | None:
    try:
        return os.readlink(link)
    except OSError:
        return None


def _split_stat(stat: bytes) -> tuple[bytes, list[bytes]]:
    """Return comm and the fields behind it: comm may hold anything, so the last parenthesis counts."""
    start, end = stat.index(b"("), stat.rindex(b")")
    return stat[start + 1 : end], stat[end + 2 :].split(None, _RSS + 1)


def _field(status: bytes, name: bytes, default: bytes = b"") -> bytes:
    """Return the first word behind ``name`` (with the newline before it) in a status file."""
    start = status.find(name)
    if start < 0:
        return default
    start += len(name)
    end = status.find(b"\n", start)
    return status[start:end].split(None, 1)[0]


def _sigkilled(status: bytes) -> bool:
    """Whether SIGKILL is pending for the thread, as it is from group exit until it is gone."""
    return bool(int(_field(status, b"\nSigPnd:", b"0"), 16) & _SIGKILL_PENDING)
