"""A fake /proc: a directory of the text that a kernel would show, and memory cgroups beside it."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from oomctl.kernel.badness import ADJ_MIN
from oomctl.kernel.rules import rules_for
from oomctl.procfs.cgroup import Memcgs
from oomctl.procfs.reader import Procfs

PF_EXITING = 0x4
PF_KTHREAD = 0x200000
ROOTS_PROGRAM = "/usr/bin/env"
"""A program that root owns and nobody else may write."""
LISTENER = "sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups"
"""The command line of the sshd that listens."""
INITIAL = {"pid": "pid:[4026531836]", "user": "user:[4026531837]"}
CONTAINER = {"pid": "pid:[4026532001]", "user": "user:[4026532002]"}


class ProcTree:
    """Builds ``root``, to be read with ``Procfs(str(root))``; sizes in pages of 4 KiB unless named otherwise."""

    def __init__(self, directory: Path, kernel: str = "7.1.5", mem_total_kb: int = 4_000_000) -> None:
        self.root = directory / "proc"
        self.cgroup_mount = directory / "cgroup"
        self.write("sys/kernel/osrelease", f"{kernel}\n")
        self._signed = rules_for(kernel).signed
        self._total_pages = 0
        self._scored: dict[int, tuple[int, int]] = {}
        self.meminfo(mem_total_kb)
        for name in ("panic_on_oom", "oom_kill_allocating_task"):
            self.write(f"sys/vm/{name}", "0\n")
        self.write("sys/vm/swappiness", "60\n")
        self.write("sys/kernel/random/boot_id", "8d3a2c7e-0000-4000-8000-000000000001\n")
        self.write("self/mountinfo", "22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n")
        self.write("stat", "cpu  1 2 3\nbtime 1700000000\n")
        self._link_namespaces("self", INITIAL)
        self._spare: list[Path] = []

    def procfs(self, kernel: str | None = None, page_size: int = 4096, cpus: int = 2) -> Procfs:
        """Open the tree, as ``kernel`` would show it where that matters."""
        if kernel is not None:
            self.write("sys/kernel/osrelease", f"{kernel}\n")
            self._signed = rules_for(kernel).signed
            self._score(self._scored)
        return Procfs(str(self.root), page_size=page_size, cpus=cpus)

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def meminfo(self, mem_total_kb: int, swap_total_kb: int = 0, swap_free_kb: int = 0) -> None:
        lines = {
            "MemTotal": mem_total_kb,
            "MemFree": mem_total_kb // 4,
            "MemAvailable": mem_total_kb // 2,
            "SwapCached": 0,
            "SwapTotal": swap_total_kb,
            "SwapFree": swap_free_kb,
        }
        self.write("meminfo", "".join(f"{name + ':':<16}{size:>8} kB\n" for name, size in lines.items()))
        self._total_pages = max((mem_total_kb + swap_total_kb) // 4, 1)
        self._score(self._scored)

    def _score(self, pids: Iterable[int]) -> None:
        """Write ``oom_score`` of those for whom the test does not name one, as this kernel would."""
        for pid in pids:
            size, adj = self._scored[pid]
            points = size + adj * (self._total_pages // 1000)
            permille = int(1000 * points / self._total_pages)
            score = int((1000 + permille) * 2 / 3) if self._signed else max(permille, 0)
            if (self.root / str(pid)).exists():
                self.write(f"{pid}/oom_score", f"{0 if adj == ADJ_MIN else score}\n")

    def add(
        self,
        pid: int,
        comm: str | bytes = "task",
        rss: int = 100,
        *,
        swap: int = 0,
        pgtables_kb: int = 40,
        pmd_kb: int = 0,
        adj: int = 0,
        score: int | None = None,
        ppid: int = 1,
        uid: int = 1000,
        start: int | None = None,
        state: str = "S",
        flags: int = 0x400000,
        vsize_kb: int = 1000,
        status_rss: int | None = None,
        anon: int | None = None,
        shmem: int = 0,
        threads: int = 1,
        has_memory: bool = True,
        sigpnd: int = 0,
        cap_eff: int = 0,
        groups: str = "",
        cgroup: str = "0::/\n",
        exe: str | None = ROOTS_PROGRAM,
        namespaces: Mapping[str, str] = INITIAL,
    ) -> Path:
        """Add a process. ``status_rss`` is what ``status`` says where it differs from ``stat``."""
        directory = self.root / str(pid)
        self._write_thread(
            str(pid),
            pid,
            comm if isinstance(comm, bytes) else comm.encode(),
            stat_rss=rss if has_memory else 0,
            status_rss=rss if status_rss is None else status_rss,
            swap=swap,
            pgtables_kb=pgtables_kb,
            pmd_kb=pmd_kb,
            ppid=ppid,
            uid=uid,
            start=pid if start is None else start,
            state=state,
            flags=flags,
            vsize_kb=vsize_kb if has_memory else 0,
            anon=anon,
            shmem=shmem,
            threads=threads,
            has_memory=has_memory,
            sigpnd=sigpnd,
            cap_eff=cap_eff,
            groups=groups,
        )
        files = {"oom_score": f"{score or 0}\n", "oom_score_adj": f"{adj}\n", "cgroup": cgroup, "cmdline": ""}
        sizes = (vsize_kb // 4, rss if status_rss is None else status_rss) if has_memory else (0, 0)
        files["statm"] = "{} {} 0 0 0 0 0\n".format(*sizes)
        for name, text in files.items():
            self.write(f"{pid}/{name}", text)
        self._scored.pop(pid, None)
        if score is None and has_memory:
            self._scored[pid] = rss + swap + (pgtables_kb + pmd_kb) // 4, adj
            self._score([pid])
        self.write(f"{pid}/task/{pid}/children", "")
        if has_memory and exe is not None:
            self._link(f"{pid}/exe", exe)
        self._link_namespaces(str(pid), namespaces)
        return directory

    def program(self, name: str, mode: int = 0o755) -> str:
        """Make an executable file of whoever runs the tests, for ``exe``."""
        path = self.root.parent / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
        path.chmod(mode)
        return str(path)

    def _link_namespaces(self, process: str, namespaces: Mapping[str, str]) -> None:
        for name, target in namespaces.items():
            self._link(f"{process}/ns/{name}", target)

    def _link(self, name: str, target: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.symlink_to(target)

    def add_zombie_leader(self, pid: int, tid: int, rss: int, *, adj: int = 0, swap: int = 0) -> None:
        """A process whose first thread has exited while the thread ``tid`` lives on."""
        self.add(pid, "leader", state="Z", flags=PF_EXITING, threads=2, has_memory=False, adj=adj)
        for name in ("stat", "status"):
            shutil.copy(self.root / f"{pid}/{name}", self.root / f"{pid}/task/{pid}/{name}")
        self.add_thread(pid, tid, rss, swap=swap)

    def add_thread(self, pid: int, tid: int, rss: int, *, swap: int = 0) -> None:
        self._write_thread(
            f"{pid}/task/{tid}",
            tid,
            b"worker",
            stat_rss=rss,
            status_rss=rss,
            swap=swap,
            pgtables_kb=40,
            pmd_kb=0,
            ppid=1,
            uid=1000,
            start=pid,
            state="S",
            flags=0x400040,
            vsize_kb=1000,
            anon=rss,
            threads=2,
            has_memory=True,
            sigpnd=0,
            cap_eff=0,
            groups="",
        )

    def add_kthread(self, pid: int, comm: str = "kworker/0:1") -> None:
        self.add(pid, comm, state="I", flags=PF_KTHREAD, ppid=2, uid=0, score=0, has_memory=False)

    def _write_thread(
        self,
        name: str,
        tid: int,
        comm: bytes,
        *,
        stat_rss: int,
        status_rss: int,
        swap: int,
        pgtables_kb: int,
        pmd_kb: int,
        ppid: int,
        uid: int,
        start: int,
        state: str,
        flags: int,
        vsize_kb: int,
        anon: int | None,
        threads: int,
        has_memory: bool,
        sigpnd: int,
        cap_eff: int,
        groups: str,
        shmem: int = 0,
    ) -> None:
        before = f"{state} {ppid} {tid} {tid} 0 -1 {flags} 98 0 0 0 0 0 0 0 20 0 {threads} 0 {start}"
        stat = f" {before} {vsize_kb * 1024} {stat_rss} 18446744073709551615" + " 0" * 27 + "\n"
        # stat prints the name as it is, status escapes newline and backslash (proc_task_name).
        self.write(f"{name}/stat", b"%d (%s)%s" % (tid, comm, stat.encode()))
        self.write(f"{name}/comm", comm + b"\n")
        escaped = comm.replace(b"\\", b"\\\\").replace(b"\n", b"\\n")
        anon_pages = status_rss if anon is None else anon
        pmd = f"VmPMD:\t{pmd_kb:>8} kB\n" if pmd_kb else ""  # up to v4.14
        memory = (
            f"VmPeak:\t{vsize_kb:>8} kB\nVmSize:\t{vsize_kb:>8} kB\nVmRSS:\t{status_rss * 4:>8} kB\n"
            f"RssAnon:\t{anon_pages * 4:>8} kB\nRssFile:\t{(status_rss - anon_pages - shmem) * 4:>8} kB\n"
            f"RssShmem:\t{shmem * 4:>8} kB\nVmData:\t       8 kB\nVmLib:\t       4 kB\n"
            f"VmPTE:\t{pgtables_kb:>8} kB\n{pmd}VmSwap:\t{swap * 4:>8} kB\n"
        )
        status = (
            f"Umask:\t0022\nState:\t{state} (whatever)\nTgid:\t{tid}\nPid:\t{tid}\nPPid:\t{ppid}\n"
            f"Uid:\t{uid}\t{uid}\t{uid}\t{uid}\nGroups:\t{groups} \n{memory if has_memory else ''}"
            f"Threads:\t{threads}\nSigPnd:\t{sigpnd:016x}\nShdPnd:\t0000000000000000\nCapEff:\t{cap_eff:016x}\n"
        )
        self.write(f"{name}/status", b"Name:\t" + escaped + b"\n" + status.encode())

    def mount_v2(self, root: str = "/", controllers: str = "cpu memory pids") -> None:
        """Mount the unified hierarchy, with (or without) the memory controller in it."""
        self._mount(root, "cgroup2 cgroup2 rw,nsdelegate")
        (self.cgroup_mount / "cgroup.controllers").write_text(f"{controllers}\n")

    def mount_v1(self, root: str = "/") -> None:
        self._mount(root, "cgroup cgroup rw,memory")
        if root == "/":
            (self.cgroup_mount / "cgroup.sane_behavior").write_text("0\n")

    def _mount(self, root: str, filesystem: str) -> None:
        self.cgroup_mount.mkdir(parents=True, exist_ok=True)
        point = str(self.cgroup_mount)
        self.mountinfo(f"41 31 0:38 {escaped(root)} {escaped(point)} rw,relatime shared:9 - {filesystem}\n")

    def mountinfo(self, lines: str) -> None:
        """Add lines to ``self/mountinfo``, behind those that are there."""
        with open(self.root / "self/mountinfo", "a", encoding="utf-8") as file:
            file.write(lines)

    def cgroup(self, path: str, pids: tuple[int, ...] = (), **files: str) -> Path:
        """Create a cgroup after (by its inode number) those created before.

        ``files`` are its control files, with two underscores for a dot: ``memory__max="4096"``.
        """
        directory = self.cgroup_mount / path.strip("/")
        if not directory.exists():
            self._next_directory().rename(directory)
        listed = "".join(f"{pid}\n" for pid in pids)
        for name, text in {"cgroup__procs": listed, "tasks": listed, **files}.items():
            (directory / name.replace("__", ".")).write_text(text)
        return directory

    def _next_directory(self) -> Path:
        """An empty directory with a higher inode number than all handed out before (file systems reuse numbers)."""
        if not self._spare:
            pool = self.root.parent / "spare"
            self._spare = [pool / str(number) for number in range(64)]
            for directory in self._spare:
                directory.mkdir(parents=True)
            self._spare.sort(key=lambda directory: directory.stat().st_ino)
        return self._spare.pop(0)


def escaped(path: str) -> str:
    """Write a path as mountinfo does (``mangle``)."""
    return "".join(f"\\{ord(char):03o}" if char in " \t\n\\#" else char for char in path)


def adjs(proc_tree: ProcTree, *pids: int) -> list[int]:
    """The values of ``oom_score_adj`` that the files have now."""
    return [written_adj(proc_tree, pid) for pid in pids]


def written_adj(proc_tree: ProcTree, pid: int) -> int:
    return int((proc_tree.root / str(pid) / "oom_score_adj").read_text())


def memcgs_of(procfs: Procfs) -> Memcgs:
    memcgs = Memcgs.of(procfs)
    assert memcgs is not None
    return memcgs


def pids_by_cgroup(memcgs: Memcgs, path: str) -> list[tuple[str, list[int]]]:
    """The members of a cgroup and of those below it, in the order of the walk."""
    return [(members.cgroup, members.pids) for members in memcgs.members(path)]
