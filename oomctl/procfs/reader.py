"""Processes from /proc.

Every process is read through one open directory: a PID that is reused meanwhile gives ESRCH, never
another process's numbers. Two kinds of absence are kept apart: a process that ended is left out, one
that may not be read, or whose files say what no kernel writes, is counted as hidden. Nothing is read
without a bound: a process chooses how long some of its files are.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import Any, NamedTuple

from oomctl.errors import ImpossibleHere
from oomctl.kernel.badness import ADJ_MAX, ADJ_MIN, badness, oom_score
from oomctl.kernel.rules import Counters, Pgtables
from oomctl.kernel.selection import scan_order
from oomctl.model.kernel import Task, Thread
from oomctl.procfs import ahead
from oomctl.procfs.facts import Facts
from oomctl.procfs.links import fixed_links
from oomctl.procfs.namespaces import in_first_pid_namespace
from oomctl.procfs.opening import LISTING, PASSING, VANISHED, is_pid, scores_at
from oomctl.procfs.reading import parses, pids_in, pids_listed_at, read_at
from oomctl.procfs.statfiles import (
    FLAGS,
    NUM_THREADS,
    PF_EXITING,
    PF_KTHREAD,
    PPID,
    RSS,
    START_BITS,
    STARTSTACK,
    STARTTIME,
    STATE,
    VSIZE,
    Status,
    adj_at,
    has_memory_map,
    is_admin,
    is_sigkilled,
    kilobytes_in,
    stat_at,
    state_at,
    status_at,
    uid_in,
)
from oomctl.procfs.workers import shared_out

_LONGEST_CHILDREN = 1 << 20  # 130,000 children at least
_LOOKS = 8


MemcgOf = Callable[[int], "str | None"]
_Plain = tuple[tuple[Any, ...], list[tuple[Any, ...]]]


class Score(NamedTuple):
    """The kernel's own rounded verdict on one process."""

    oom_score: int
    pid: int


class Scores(NamedTuple):
    """``oom_score`` of every process but oomctl's own, in the order of /proc."""

    listed: list[Score]
    hidden: int
    """Processes that exist but cannot be read from here."""


class Tasks(NamedTuple):
    """Processes in the kernel's scan order."""

    read: list[Task]
    hidden: int
    """Processes that exist but cannot be read from here."""


class Procfs(Facts):
    """A process file system at ``root``: its machine, and the processes there."""

    def __init__(
        self,
        root: str = "/proc",
        page_size: int | None = None,
        cpus: int | None = None,
        on_purpose: bool = False,
        stays: bool = False,
        workers: int | None = None,
        cgroup_root: str | None = None,
    ) -> None:
        """Read what does not change, as ``Facts`` does; no process yet.

        ``stays``: the process that asks is not oomctl's own but one like others. ``workers``: so many processes may
        share long lists, 1: this one does not fork (default: as many as there are CPUs).
        """
        super().__init__(root, page_size, cpus, on_purpose, cgroup_root)
        self.workers = workers or self.cpus
        self.own_pid = None if stays else self.number_of_this
        """Left out of every survey: it is over before the memory is. None: nobody is."""
        self._held: dict[int, int | None] = {}

    def scores(self) -> Scores:
        """Read ``oom_score`` of every process: the cheapest file that says who can matter at all."""
        pids, unlisted = self.pids()
        with self.opened() as root:
            parts = shared_out(lambda part: self.scores_of(root, part), pids, self.workers)
        listed = [Score(score, pid) for scores, _ in parts for score, pid in scores]
        return Scores(listed, unlisted + sum(unreadable for _, unreadable in parts))

    def scores_ahead(self) -> tuple[list[tuple[int, int]], int] | None:
        """Return (score, PID) of each process but oomctl's own, and how many are hidden, as read while oomctl began.

        None: nothing was, or of another place.
        """
        seen = ahead.taken() if self.is_own and self.root == "/proc" else None
        if seen is None:
            return None
        unlisted = self._unlisted(seen.listed, seen.others, seen.links)
        return seen.scores, (min(unlisted, self._listing()[1]) if unlisted else 0) + seen.unreadable

    @contextmanager
    def opened(self) -> Iterator[int]:
        """Open the root: paths from there are shorter to walk. The files of a process are not pinned by that."""
        root = os.open(self.root, LISTING)
        try:
            yield root
        finally:
            os.close(root)

    def scores_of(self, root: int, pids: Sequence[int]) -> tuple[list[tuple[int, int]], int]:
        """Return (score, PID) of each process but oomctl's own, and how many may not be read."""
        return scores_at(root, pids, (self.own_pid,))

    def tasks(self, pids: Iterable[int] | None = None, memcg_of: MemcgOf | None = None) -> Tasks:
        """Read the processes ``pids`` (default: all), leaving out oomctl's own and those that end meanwhile.

        In the kernel's scan order. ``memcg_of`` returns the memory cgroup of the process behind an open directory.
        """
        if pids is not None:
            read, hidden = self._read(pids, memcg_of)
        else:
            everyone, hidden = self.pids()
            parts = shared_out(lambda part: self._read_plainly(part, memcg_of), everyone, self.workers)
            read = [_task_of(*plain) for rows, _ in parts for plain in rows]
            hidden += sum(unreadable for _, unreadable in parts)
        read.sort(key=scan_order)
        return Tasks(read, hidden)

    def _read(self, pids: Iterable[int], memcg_of: MemcgOf | None) -> tuple[list[Task], int]:
        """Return what could be read, and how many may not be."""
        read: list[Task] = []
        hidden = 0
        for pid in pids:
            if pid == self.own_pid:
                continue
            try:
                with self.open_task(pid) as directory:
                    task = self.task_at(directory, pid)
                    read.append(task if memcg_of is None else task._replace(memcg=memcg_of(directory)))
            except VANISHED:
                continue
            except OSError:  # not permitted, or Malformed
                hidden += 1
        return read, hidden

    def _read_plainly(self, pids: Sequence[int], memcg_of: MemcgOf | None) -> tuple[list[_Plain], int]:
        """Return what ``_read`` does, for the way from a worker: each task, and its threads, as tuples."""
        read, hidden = self._read(pids, memcg_of)
        return [_plain(task) for task in read], hidden

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
                    with suppress(*VANISHED):
                        opened[pid] = os.open(f"{self.root}/{pid}", PASSING)
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
        directory = os.open(f"{self.root}/{pid}", PASSING)
        try:
            yield directory
        finally:
            os.close(directory)

    @contextmanager
    def open_self(self) -> Iterator[int]:
        """Like ``open_task`` for the process that asks, which needs no number."""
        directory = os.open(f"{self.root}/self", PASSING)
        try:
            yield directory
        finally:
            os.close(directory)

    @parses
    def task_at(self, directory: int, pid: int) -> Task:
        """Read the process behind an open directory of /proc. Raises OSError, Malformed among others."""
        comm, stat = stat_at(directory)
        status = status_at(directory)
        adj = adj_at(directory)
        score = int(read_at(directory, "oom_score", 16))
        threads: tuple[Thread, ...] = ()
        leader_gone = stat[STATE] == b"Z" and int(stat[NUM_THREADS]) > 1
        if leader_gone:
            live = self._live_thread(directory, pid)
            if live is not None:
                threads, status, thread_stat = live
                for field in (RSS, VSIZE, STARTSTACK):
                    stat[field] = thread_stat[field]
        flags = int(stat[FLAGS])
        kthread = bool(flags & PF_KTHREAD)
        has_memory = has_memory_map(status)
        file_pages, shmem_pages = self._file_and_shmem_pages(directory, status, threads)
        task = Task(
            pid=pid,
            comm=comm.decode(errors="replace"),
            ppid=int(stat[PPID]),
            uid=uid_in(status),
            rss_pages=self._rss_pages(stat, status) if has_memory else 0,
            rss_exact_pages=self._rss_exact_pages(status) if has_memory else None,
            swap_pages=self._swap_pages(status),
            pgtables_pages=self._pgtables_pages(status),
            adj=adj,
            start_ticks=int(stat[STARTTIME]),
            oom_score=score,
            anon_pages=self._anon_pages(status),
            file_pages=file_pages,
            shmem_pages=shmem_pages,
            vsize_bytes=int(stat[VSIZE]) if has_memory else 0,
            threads=threads,
            init=pid == 1 and score == 0 and not kthread and self._has_first_init,
            kthread=kthread,
            zombie=not has_memory and not kthread,
            zombie_leader=bool(threads),
            running=stat[STATE] == b"R" or int(stat[NUM_THREADS]) > 1,
            exiting=bool(flags & PF_EXITING and not threads) or is_sigkilled(status),
            cap_sys_admin=is_admin(status),
            start_stack=int(stat[STARTSTACK]),
        )
        return self._with_hidden_state(_plausible(task))

    @parses
    def identity_at(self, directory: int, pid: int) -> Task:
        """Read who is behind an open directory of /proc, and its adj, but not what it weighs. Raises OSError."""
        comm, stat = stat_at(directory)
        status = status_at(directory)
        kthread = bool(int(stat[FLAGS]) & PF_KTHREAD)
        task = Task(
            pid=pid,
            comm=comm.decode(errors="replace"),
            ppid=int(stat[PPID]),
            uid=uid_in(status),
            adj=adj_at(directory),
            start_ticks=int(stat[STARTTIME]),
            inode=os.fstat(directory).st_ino,
            kthread=kthread,
            # Without memory and not a kernel thread; a leader that exited before its threads still runs.
            zombie=not has_memory_map(status) and not kthread and int(stat[NUM_THREADS]) <= 1,
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
        pids: list[int] = []
        try:
            with self.open_task(pid) as directory:
                for tid in pids_listed_at(directory, "task"):
                    pids += _children_at(directory, f"task/{tid}/children")
        except OSError:
            return pids
        return pids

    def ancestors(self, task: Task) -> list[Task]:
        """Return who started ``task``, its parent first, as far up as can be read."""
        tasks: list[Task] = []
        seen = {task.pid}
        while task.ppid > 0 and task.ppid not in seen:
            seen.add(task.ppid)
            try:
                task = self.task(task.ppid)
            except OSError:
                break
            tasks.append(task)
        return tasks

    @cached_property
    def _has_first_init(self) -> bool:
        """Whether PID 1 here is the machine's; that of a container is a task like others, and its score may be 0, too.

        Before v5.9 a score of 0 says only that it is small, since then that it cannot be chosen.
        """
        return in_first_pid_namespace(self.root) is not False

    def _with_hidden_state(self, task: Task) -> Task:
        """Mark a task that the kernel scores 0 although its numbers would make it a candidate.

        That is a vfork child before exec (it has its parent's memory map), or memory already reaped.
        """
        plain = not (task.init or task.kthread or task.zombie or task.adj == ADJ_MIN)
        if not plain or task.oom_score or not self.rules.signed:
            return task
        own = badness(task, self.totalpages, self.rules).badness
        if oom_score(own, self.totalpages, self.rules, self.word_bits) <= 1:
            return task
        try:
            with self.open_task(task.ppid) as parent:
                _, stat = stat_at(parent)
        except OSError:
            return task._replace(oom_skip=True)
        # A child in vfork runs on the very same memory map, so both report the same size.
        if int(stat[VSIZE]) == task.vsize_bytes:
            return task._replace(vfork=True)
        return task._replace(oom_skip=True)

    def _live_thread(self, directory: int, pid: int) -> tuple[tuple[Thread, ...], Status, list[bytes]] | None:
        """Find the first thread that still has the memory map of an exited leader."""
        for tid in sorted(pids_listed_at(directory, "task")):
            try:
                comm, stat = stat_at(directory, f"task/{tid}/stat")
                status = status_at(directory, f"task/{tid}/status")
            except VANISHED:
                continue
            if tid != pid and has_memory_map(status):
                return (Thread(tid, comm.decode(errors="replace")),), status, stat
        return None

    def _rss_pages(self, stat: list[bytes], status: Status) -> int:
        """RSS from the file that shows the killer's own number on this kernel."""
        if self.rules.counters is Counters.EXACT:
            return self._pages(status, b"VmRSS")
        return int(stat[RSS])

    def _rss_exact_pages(self, status: Status) -> int | None:
        """The exact RSS on kernels whose killer goes by another number."""
        inexact = self.rules.counters is Counters.PER_CPU_EXACT_STATUS
        return self._pages(status, b"VmRSS") if inexact else None

    def _swap_pages(self, status: Status) -> int:
        swap = self._pages(status, b"VmSwap")
        return swap - swap % self.swap_batch

    def _pgtables_pages(self, status: Status) -> int:
        pages = self._pages(status, b"VmPTE")
        if self.rules.pgtables is Pgtables.PTE_PMD:
            pages += self._pages(status, b"VmPMD")
        return pages

    def _anon_pages(self, status: Status) -> int | None:
        return self._pages(status, b"RssAnon") if b"RssAnon" in status else None

    def _file_and_shmem_pages(self, directory: int, status: Status, threads: Sequence[Thread]) -> tuple[int, int]:
        """Return the parts of RSS that are mapped from files and shared; before v4.5 both are in the first."""
        if b"RssFile" in status:
            return self._pages(status, b"RssFile"), self._pages(status, b"RssShmem")
        if not has_memory_map(status):
            return 0, 0
        holder = f"task/{threads[0].tid}/" if threads else ""
        return int(read_at(directory, holder + "statm", 256).split()[2]), 0

    def _pages(self, status: Status, field: bytes) -> int:
        return kilobytes_in(status, field) * 1024 // self.page_size

    def pids(self) -> tuple[list[int], int]:
        """Return all processes that are listed, and how many more there are."""
        names, hidden = self._listing()
        return [int(name) for name in names], hidden

    def _listing(self) -> tuple[list[str], int]:
        """Return the processes listed in /proc, and how many exist without being among them.

        One that ends while another starts looks like a hidden one, in every fiftieth look at a machine that forks all
        the time; looked at again and again it does not. Who is hidden stays so.
        """
        ahead.stop()  # or it would be listed
        processes, unlisted = self._listed_once()
        for _ in range(_LOOKS - 1):
            if not unlisted:
                break
            processes, again = self._listed_once()
            unlisted = min(unlisted, again)
        return processes, unlisted

    def _listed_once(self) -> tuple[list[str], int]:
        """The count is taken before and after: what starts or ends meanwhile is not hidden."""
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
        """Count processes that exist but are not listed (hidepid, another PID namespace)."""
        return max(links - fixed_links(self.root, others) - listed, 0)

    def _listdir(self) -> list[str]:
        try:
            return os.listdir(self.root)
        except OSError as error:
            raise self._no_proc(error) from None

    def _no_proc(self, error: OSError) -> ImpossibleHere:
        return ImpossibleHere(f"{self.root}: {error.strerror}; oomctl needs Linux with /proc mounted")


def _plain(task: Task) -> _Plain:
    if not task.threads:  # as nearly always
        return tuple(task), []
    return tuple(task._replace(threads=())), [tuple(one) for one in task.threads]


def _task_of(fields: Sequence[Any], threads: Sequence[Sequence[Any]]) -> Task:
    task = Task._make(fields)
    return task._replace(threads=tuple(Thread(*one) for one in threads)) if threads else task


def _children_at(directory: int, name: str) -> list[int]:
    """Return the children listed in a file, the first 130,000 at least."""
    text = read_at(directory, name, _LONGEST_CHILDREN, in_pieces=True)
    return pids_in(text[: text.rfind(b" ") + 1])  # not a number that it was cut in


def _plausible(task: Task) -> Task:
    """Return ``task``. Raises ValueError where a number is one that no kernel has: arithmetic on it may fail."""
    sizes = task.rss_pages | task.swap_pages | task.pgtables_pages | (task.anon_pages or 0) | task.vsize_bytes
    sizes |= task.rss_exact_pages or 0
    if (sizes | (task.oom_score or 0)) >> 64 or (task.ppid | task.uid) >> 32:  # negative ones keep their sign
        raise ValueError("a size, a score or an owner")
    if task.start_ticks >> START_BITS or not ADJ_MIN <= task.adj <= ADJ_MAX:
        raise ValueError("a start time or an oom_score_adj")
    return task
