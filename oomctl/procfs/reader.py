"""Processes and machine-wide facts from /proc.

Every process is read through one open directory: a PID that is reused meanwhile gives ESRCH, never
another process's numbers. Two kinds of absence are kept apart: a process that ended is left out, one
that may not be read, or whose files say what no kernel writes, is counted as hidden. Nothing is read
without a bound: a process chooses how long some of its files are.
"""

from __future__ import annotations

import errno
import functools
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import NamedTuple, TypeVar

from oomctl.errors import BadInput, ImpossibleHere
from oomctl.guard.files import read_bounded, read_regular
from oomctl.kernel.badness import ADJ_MAX, ADJ_MIN, badness, oom_score
from oomctl.kernel.certainty import batch_pages
from oomctl.kernel.rules import Counters, Pgtables, Rules, rules_for
from oomctl.model.kernel import Task, Thread
from oomctl.procfs.halves import by_halves

_PF_EXITING = 0x00000004  # include/linux/sched.h
_PF_KTHREAD = 0x00200000
_SIGKILL_PENDING = 1 << 8
_CAP_SYS_ADMIN = 1 << 21  # include/uapi/linux/capability.h
_VANISHED = (FileNotFoundError, ProcessLookupError)
_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
# O_NONBLOCK: what stands where a file is expected must not make its reader wait. Files of /proc do not know it.
READING = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC

_FIRST_READ = 1 << 14  # what a status fits into, but for one with thousands of groups
_LONGEST_STATUS = 1 << 20  # 65,536 groups (NGROUPS_MAX) of up to eleven characters are 0.7 MiB
_LONGEST_CHILDREN = 1 << 20
LONGEST_LIST = 1 << 25  # PID_MAX_LIMIT, 4,194,304 PIDs with a separator
_LONGEST_MACHINE_TEXT = 1 << 23  # zoneinfo has some 4 KiB for each of up to 1,024 nodes
_LONGEST_RELEASE = 64  # __NEW_UTS_LEN
START_BITS = 41  # of clock ticks, in 64 bits of the kernel's nanoseconds


class Malformed(OSError):
    """A file of a process says what no kernel writes there: such a process counts as hidden."""

    def __init__(self, what: str) -> None:
        super().__init__(errno.EBADMSG, "not as the kernel writes it", what)


Parser = TypeVar("Parser", bound=Callable[..., object])


def parses(function: Parser) -> Parser:
    """Decorate what reads a process: text that it cannot make sense of is Malformed, whatever it stumbled over."""

    @functools.wraps(function)
    def parsing(*args: object) -> object:
        try:
            return function(*args)
        except (ValueError, IndexError) as error:
            raise Malformed(str(error)) from error

    return parsing  # type: ignore[return-value]  # the same signature


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
        self.rules = self._rules()
        self.meminfo = self._meminfo()
        # Where status sums exactly and the killer does not, it reads the common counter of swap only,
        # which grows by whole batches.
        inexact = self.rules.counters is Counters.PER_CPU_EXACT_STATUS
        self.swap_batch = batch_pages(self.cpus) if inexact else 1
        # (MemTotal + SwapTotal) in pages: oom_score is scaled by it whatever cgroup a task is in.
        self.totalpages = max((self.meminfo.mem_total + self.meminfo.swap_total) // self.page_size, 1)

    def scores(self, forks: bool = True) -> Scores:
        """Read ``oom_score`` of every process: the cheapest file that says who can matter at all.

        A process with several threads should not fork for it.
        """
        names, unlisted = self._listing()
        parts = by_halves(self._scores_of, names, self.cpus if forks else 1)
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
                fd = opened(prefix + name + "/oom_score", READING)
                try:
                    listed.append((int(read(fd, 16)), int(name)))
                finally:
                    close(fd)
            except _VANISHED:
                continue
            except (OSError, ValueError):  # not permitted, or no number
                unreadable += 1
        return listed, unreadable

    def tasks(self, pids: Iterable[int] | None = None) -> Tasks:
        """Read the processes ``pids`` (default: all), leaving out oomctl's own and those that end meanwhile.

        In the kernel's global scan order as far as userspace sees it: by start time, then PID.
        """
        hidden = 0
        read: list[Task] = []
        if pids is None:
            names, hidden = self._listing()
            pids = map(int, names)
        for pid in pids:
            if pid == self.own_pid:
                continue
            try:
                read.append(self.task(pid))
            except _VANISHED:
                continue
            except OSError:  # not permitted, or Malformed
                hidden += 1
        read.sort(key=lambda task: (task.start_ticks, task.pid))
        return Tasks(read, hidden)

    def task(self, pid: int) -> Task:
        """Read one process. Raises FileNotFoundError or ProcessLookupError when it is gone, else OSError."""
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

    @parses
    def task_at(self, directory: int, pid: int) -> Task:
        """Read the process behind an open directory of /proc. Raises OSError, Malformed among others."""
        comm, stat = _split_stat(read_at(directory, "stat"))
        status = status_at(directory)
        adj = adj_at(directory)
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
        return self._with_hidden_state(_plausible(task))

    @parses
    def identity_at(self, directory: int, pid: int) -> Task:
        """Read who is behind an open directory of /proc, and its adj, but not what it weighs. Raises OSError."""
        comm, stat = _split_stat(read_at(directory, "stat"))
        status = status_at(directory)
        kthread = bool(int(stat[6]) & _PF_KTHREAD)
        task = Task(
            pid=pid,
            comm=comm.decode(errors="replace"),
            ppid=int(stat[1]),
            uid=int(_field(status, b"\nUid:")),
            adj=adj_at(directory),
            start_ticks=int(stat[19]),
            inode=os.fstat(directory).st_ino,
            kthread=kthread,
            # Without memory and not a kernel thread; a leader that exited before its threads still runs.
            zombie=b"\nVmRSS:" not in status and not kthread and int(stat[17]) <= 1,
        )
        return _plausible(task)

    def adj(self, pid: int) -> int | None:
        """Return ``oom_score_adj`` of a process; None when it is gone or hidden."""
        try:
            return int(read_at(None, f"{self.root}/{pid}/oom_score_adj", 16))
        except (OSError, ValueError):
            return None

    def comm(self, pid: int) -> str | None:
        """Return the name of a process; None when it is gone or hidden."""
        try:
            return read_at(None, f"{self.root}/{pid}/comm", 64).removesuffix(b"\n").decode(errors="replace")
        except OSError:
            return None

    def resident_pages(self, pid: int) -> int:
        """Return the RSS that ``statm`` shows, for a quick look; 0 when the process is gone or hidden."""
        try:
            return int(read_at(None, f"{self.root}/{pid}/statm", 256).split()[1])
        except (OSError, ValueError, IndexError):
            return 0

    def has_exited(self, pid: int) -> bool:
        """Whether the leader of a process has exited and is not reaped, because of live threads or a slow parent."""
        try:
            with self.open_task(pid) as directory:
                return state_at(directory) == "Z"
        except OSError:
            return False

    def children(self, pid: int) -> list[int]:
        """Return the PIDs of a process's children; empty where the kernel lacks CONFIG_PROC_CHILDREN."""
        found: list[int] = []
        try:
            with self.open_task(pid) as directory:
                for tid in pids_listed_at(directory, "task"):
                    found += _children_at(directory, f"task/{tid}/children")
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
            except OSError:
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
        except OSError:
            return task._replace(oom_skip=True)
        # A child in vfork runs on the very same memory map, so both report the same size.
        if int(stat[_VSIZE]) == task.vsize_bytes:
            return task._replace(vfork=True)
        return task._replace(oom_skip=True)

    def _live_thread(self, directory: int, pid: int) -> tuple[tuple[Thread, ...], bytes, list[bytes]] | None:
        """Find the first thread that still has the memory map of an exited leader."""
        for tid in sorted(pids_listed_at(directory, "task")):
            try:
                comm, stat = _split_stat(read_at(directory, f"task/{tid}/stat"))
                status = status_at(directory, f"task/{tid}/status")
            except _VANISHED:
                continue
            if tid != pid and b"\nVmRSS:" in status:
                return (Thread(tid, comm.decode(errors="replace")),), status, stat
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
        """Return the processes listed in /proc, and how many exist without being among them.

        The count is taken before and after: what starts or ends meanwhile is not hidden.
        """
        before = self._links()
        processes: list[str] = []
        others: list[str] = []
        for name in self._listdir():
            (processes if is_pid(name) else others).append(name)
        return processes, self._unlisted(len(processes), others, min(before, self._links()))

    def _links(self) -> int:
        try:
            return os.stat(self.root).st_nlink
        except OSError as error:
            raise self._no_proc(error) from None

    def _unlisted(self, listed: int, others: list[str], links: int) -> int:
        """Count processes that exist but are not listed (hidepid, another PID namespace).

        The link count of /proc is 2 + its fixed directories + all processes (proc_root_getattr).
        """
        paths = [f"{self.root}/{name}" for name in others]
        fixed = sum(os.path.isdir(path) and not os.path.islink(path) for path in paths)
        return max(links - 2 - fixed - listed, 0)

    def _kernel(self) -> str:
        return self.machine_text("sys/kernel/osrelease")[:_LONGEST_RELEASE].strip()

    def _rules(self) -> Rules:
        try:
            return rules_for(self.kernel)
        except BadInput as error:
            raise ImpossibleHere(f"{self.root}/sys/kernel/osrelease: {error}") from None

    def _meminfo(self) -> Meminfo:
        text = "\n" + self.machine_text("meminfo")

        def size(name: str) -> int:
            match = re.search(rf"\n{name}:\s*(\d{{1,16}}) kB", text, re.ASCII)
            return int(match[1]) * 1024 if match else 0

        if not size("MemTotal"):
            raise ImpossibleHere(f"{self.root}/meminfo: no MemTotal in it; oomctl needs the /proc of a Linux machine")
        available = size("MemAvailable") if "\nMemAvailable:" in text else size("MemFree")  # before v3.14
        return Meminfo(size("MemTotal"), available, size("SwapTotal"), size("SwapFree"))

    def setting(self, name: str) -> int:
        """Return a sysctl such as ``vm/panic_on_oom``; 0 where this kernel does not have it."""
        try:
            match = re.fullmatch(r"(-?\d{1,10})\s*", self.machine_text(f"sys/{name}"), re.ASCII)
        except ImpossibleHere:
            return 0
        return int(match[1]) if match else 0

    def boot_time(self) -> float:
        """Seconds since the epoch at which the machine started; what ``start_ticks`` count from."""
        match = re.search(r"^btime (\d{1,10})$", self.machine_text("stat"), re.MULTILINE | re.ASCII)
        return float(match[1]) if match else 0.0

    def boot_id(self) -> str:
        """Return the random name of this boot; empty where the kernel does not say it."""
        try:
            return self.machine_text("sys/kernel/random/boot_id")[:_LONGEST_RELEASE].strip()
        except ImpossibleHere:
            return ""

    def machine_text(self, name: str) -> str:
        """Return the text of a machine-wide file; ImpossibleHere when it cannot be read."""
        path = f"{self.root}/{name}"
        try:
            return read_regular(path, _LONGEST_MACHINE_TEXT).decode(errors="replace")
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


def read_at(directory: int | None, name: str, most_bytes: int = 4096) -> bytes:
    """Read a file of a process, below an open directory: at most ``most_bytes``, cut there.

    For what the kernel hands out in one piece: a read that leaves room was the whole.
    """
    fd = os.open(name, READING, dir_fd=directory)
    try:
        size = min(most_bytes, _FIRST_READ)
        text = os.read(fd, size)
        return text if len(text) < size or size == most_bytes else text + read_bounded(fd, most_bytes - size)
    finally:
        os.close(fd)


def _children_at(directory: int, name: str) -> list[int]:
    """Return the children listed in a file, which the kernel hands out piece by piece; the first 130,000 at least."""
    fd = os.open(name, READING, dir_fd=directory)
    try:
        text = read_bounded(fd, _LONGEST_CHILDREN)
    finally:
        os.close(fd)
    return pids_in(text[: text.rfind(b" ") + 1])  # not a number that it was cut in


def pids_listed_at(directory: int, name: str) -> list[int]:
    """Return the names of a directory below an open one that are PIDs or TIDs."""
    fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory)
    try:
        return [int(entry) for entry in os.listdir(fd) if is_pid(entry)]
    finally:
        os.close(fd)


def pids_in(text: bytes) -> list[int]:
    """Return the PIDs in a list with blanks or newlines between them."""
    return [int(word) for word in text.split() if is_pid(word)]


def is_pid(name: str | bytes) -> bool:
    """Whether the kernel would give a process, or a thread, this name under /proc."""
    return name.isdigit() and name.isascii() and len(name) < 8 and name[:1] not in ("0", b"0")


def status_at(directory: int, name: str = "status") -> bytes:
    """Read a status file whole. Raises OSError, Malformed where it is longer than any."""
    status = read_at(directory, name, _LONGEST_STATUS)
    if len(status) == _LONGEST_STATUS:
        raise Malformed(name)
    return status


@parses
def adj_at(directory: int) -> int:
    """``oom_score_adj`` of the process behind an open directory. Raises OSError."""
    return int(read_at(directory, "oom_score_adj", 16))


@parses
def start_ticks_at(directory: int) -> int:
    """Start time of the process behind an open directory, in clock ticks since boot. Raises OSError."""
    return int(_split_stat(read_at(directory, "stat"))[1][19])


@parses
def state_at(directory: int) -> str:
    """State letter of the process behind an open directory: R, S, D, Z, … Raises OSError."""
    return _split_stat(read_at(directory, "stat"))[1][0].decode()


def _plausible(task: Task) -> Task:
    """Return ``task``. Raises ValueError where a number is one that no kernel has: arithmetic on it may fail."""
    sizes = task.rss_pages | task.swap_pages | task.pgtables_pages | (task.anon_pages or 0) | task.vsize_bytes
    if (sizes | (task.oom_score or 0)) >> 64 or (task.ppid | task.uid) >> 32:  # negative ones keep their sign
        raise ValueError("a size, a score or an owner")
    if task.start_ticks >> START_BITS or not ADJ_MIN <= task.adj <= ADJ_MAX:
        raise ValueError("a start time or an oom_score_adj")
    return task


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
    return status[start : status.index(b"\n", start)].split(None, 1)[0]


def _sigkilled(status: bytes) -> bool:
    """Whether SIGKILL is pending for the thread, as it is from group exit until it is gone."""
    return bool(int(_field(status, b"\nSigPnd:", b"0"), 16) & _SIGKILL_PENDING)
