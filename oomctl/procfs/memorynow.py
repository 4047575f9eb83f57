"""Where the memory in question is now: one read of /proc/meminfo, or of one memory.stat."""

from __future__ import annotations

import re

from oomctl.errors import ImpossibleHere
from oomctl.kernel.accounting import of_cgroup, of_meminfo
from oomctl.model.kernel import Constraint, Scenario
from oomctl.model.memory import Accounting
from oomctl.procfs.cgroup import Memcgs
from oomctl.procfs.facts import Facts
from oomctl.procfs.reader import Procfs

_LINE = re.compile(r"^([\w()]{1,40}): +(\d{1,16})( kB)?$", re.MULTILINE | re.ASCII)


def memory_now(procfs: Procfs, scenario: Scenario) -> Accounting | None:
    """Return where the scenario's memory is: the cgroup's, else the whole machine's; None: it cannot be seen."""
    if scenario.context.constraint is Constraint.MEMCG:
        memcgs, path = Memcgs.of(procfs), scenario.context.memcg
        return None if memcgs is None or path is None else _of_cgroup(memcgs, path, scenario.page_size)
    return _of_machine(procfs)


def _of_cgroup(memcgs: Memcgs, path: str, page_size: int) -> Accounting | None:
    usage, limit = memcgs.usage(path), memcgs.limits(path).memory_pages
    kernel = usage.kernel if memcgs.version == 1 else None
    in_bytes = None if limit is None else limit * page_size
    # The topmost cgroup of v2 has no usage of its own.
    return of_cgroup(memcgs.stat(path), usage.memory, in_bytes, kernel) if usage.memory else None


def _of_machine(procfs: Facts) -> Accounting | None:
    if procfs.doubts:  # its meminfo is a container's
        return None
    try:
        text = procfs.machine_text("meminfo")
    except ImpossibleHere:
        return None
    return of_meminfo({name: int(number) << (10 if unit else 0) for name, number, unit in _LINE.findall(text)})
