"""What a /proc says of its machine, whatever runs there: the kernel, its memory, its settings."""

from __future__ import annotations

import os
import re
from functools import cached_property
from typing import NamedTuple

from oomctl.errors import BadInput, ImpossibleHere
from oomctl.guard.files import read_regular
from oomctl.kernel.badness import scores_keep_order
from oomctl.kernel.certainty import batch_pages
from oomctl.kernel.rules import Counters, Rules, Verdict, known, rules_for
from oomctl.model.kernel import Doubt, Doubtful, Probed
from oomctl.procfs.namespaces import numbers_of_this
from oomctl.procfs.probe import probe
from oomctl.procfs.truememory import memory_beyond

_LONGEST_TEXT = 1 << 23  # zoneinfo has some 4 KiB for each of up to 1,024 nodes
_MEMINFO = re.compile(r"\n([\w()]+):\s*(\d{1,16}) kB", re.ASCII)
_LONGEST_RELEASE = 64  # __NEW_UTS_LEN


class Meminfo(NamedTuple):
    """The lines of /proc/meminfo that matter here, in bytes."""

    mem_total: int
    mem_available: int
    swap_total: int
    swap_free: int
    file_lru: int = 0
    """Files' pages that reclaim looks at, those given to MADV_FREE among them."""
    mapped: int = 0
    """What processes have mapped of files and of shared memory."""
    shmem: int = 0
    anon_huge: int = 0
    """Private memory in huge pages."""
    swap_cached: int = 0
    """In swap and in RAM as well: reclaim can have it without another slot of swap."""
    in_use: int = 0
    """Of ``mem_total`` what reclaim cannot have, or not without a slot of swap, as far as it is told."""
    vmalloc_total: int = 0
    """A part of the kernel's address space, so below 4 GiB on a 32-bit kernel and far above it elsewhere."""


class Facts:
    """The machine whose process file system is at ``root``, and what its kernel's numbers mean."""

    def __init__(
        self,
        root: str = "/proc",
        page_size: int | None = None,
        cpus: int | None = None,
        on_purpose: bool = False,
        cgroup_root: str | None = None,
    ) -> None:
        """Read what does not change. Raises ImpossibleHere where ``root`` is no /proc of a kernel that is known.

        ``on_purpose``: the user named this root, so it may be another place's. ``cgroup_root``: the directory that
        the user named as that of the cgroups.
        """
        self.root = root
        self.on_purpose = on_purpose
        self.cgroup_root = cgroup_root
        self.page_size = page_size or os.sysconf("SC_PAGE_SIZE")
        """Bytes."""
        self.cpus = cpus or os.sysconf("SC_NPROCESSORS_ONLN")
        self.clock_ticks = os.sysconf("SC_CLK_TCK")
        """Ticks per second, which start times are counted in."""
        own = numbers_of_this(root)
        self.is_own = own == (os.getpid(),)
        """It shows this process, and all others, under the numbers that they have here; not another place's."""
        self.numbers_differ = own is not None and not self.is_own
        """It shows this process under another number than the kernel gives it elsewhere, as in lists of members."""
        self.number_of_this = own[0] if own and own[-1] == os.getpid() else None
        """This process is there under that number; None where it is not there, or it is not known."""
        self.of_another_namespace = not self.is_own and root == "/proc" and not on_purpose
        """It shows other processes under the numbers that this process knows: nobody meant that."""
        self.kernel = self.machine_text("sys/kernel/osrelease")[:_LONGEST_RELEASE].strip()
        self._named = self._known()
        self.meminfo = self._meminfo()
        shown = self.meminfo.mem_total + self.meminfo.swap_total
        true = memory_beyond(self.meminfo.mem_total) if self.number_of_this is not None else None
        if true is not None:  # a balloon may have changed it in between
            self.meminfo = self._meminfo()
            true = memory_beyond(self.meminfo.mem_total)
        # (MemTotal + SwapTotal) in pages: oom_score is scaled by it whatever cgroup a task is in.
        self.totalpages = max((shown if true is None else true) // self.page_size, 1)
        self.doubts = () if true is None else (Doubt(Doubtful.OTHER_TOTALPAGES),)
        """Why nothing that is read here is certain: meminfo is not the kernel's, as in a container with lxcfs."""

    @property
    def word_bits(self) -> int:
        """The kernel's, whatever Python's is."""
        return 32 if 0 < self.meminfo.vmalloc_total < 1 << 32 else 64

    @cached_property
    def has_names_of_here(self) -> bool:
        """Whether its users have the names that they have here: not where its PID 1 has another list of them.

        So it is in a pod that has its node's PIDs, and files of its own.
        """
        if not self.numbers_differ and not self.on_purpose:
            return True
        try:
            return os.path.samefile(f"{self.root}/1/root/etc/passwd", "/etc/passwd")
        except OSError:  # not for this user to see
            return not self.numbers_differ

    @cached_property
    def scores_keep_order(self) -> bool:
        """Whether ``oom_score`` tells who can be near the first, and 0 who is spared."""
        return scores_keep_order(self.totalpages, self.rules, self.word_bits)

    @cached_property
    def probed(self) -> frozenset[Probed]:
        """What the kernel was seen to do and its name does not say; it is asked when this is needed first."""
        return probe(self.root, self.totalpages, self._named)

    @cached_property
    def rules(self) -> Rules:
        """How the kernel chooses, by its name and by what it was seen to do."""
        return rules_for(self.kernel, self.probed)

    @cached_property
    def swap_batch(self) -> int:
        """Pages; swap as it is read is rounded down to a multiple of that.

        Where status sums exactly and the killer does not, it reads the common counter of swap only, which grows by
        whole batches.
        """
        return batch_pages(self.cpus) if self.rules.counters is Counters.PER_CPU_EXACT_STATUS else 1

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
            return read_regular(path, _LONGEST_TEXT).decode(errors="replace")
        except OSError as error:
            raise ImpossibleHere(
                f"{path}: {error.strerror}; oomctl needs Linux with its whole /proc mounted there"
            ) from None

    def _known(self) -> Verdict:
        try:
            return known(self.kernel)
        except BadInput as error:
            raise ImpossibleHere(f"{self.root}/sys/kernel/osrelease: {error}") from None

    def _meminfo(self) -> Meminfo:
        text = "\n" + self.machine_text("meminfo")

        sizes = {name: int(number) * 1024 for name, number in _MEMINFO.findall(text)}

        def size(*names: str) -> int:
            return sum(sizes.get(name, 0) for name in names)

        if not size("MemTotal"):
            raise ImpossibleHere(f"{self.root}/meminfo: no MemTotal in it; oomctl needs the /proc of a Linux machine")
        available = size("MemAvailable") if "\nMemAvailable:" in text else size("MemFree")  # before v3.14
        return Meminfo(
            size("MemTotal"),
            available,
            size("SwapTotal"),
            size("SwapFree"),
            file_lru=size("Active(file)", "Inactive(file)"),
            mapped=size("Mapped"),
            shmem=size("Shmem"),
            anon_huge=size("AnonHugePages"),
            swap_cached=size("SwapCached"),
            in_use=size("AnonPages", "SUnreclaim", "KernelStack", "PageTables", "Percpu", "Hugetlb"),
            vmalloc_total=size("VmallocTotal"),
        )
