"""The shapes of lines that only some vendors' kernels print: OpenVZ's container killer, and SysRq's own words."""

from __future__ import annotations

import re

from oomctl.model.oomreport import Kill
from oomctl.oomlog.between import Between
from oomctl.oomlog.lines import Cause, Culprit, Header, Killing, Rage, Request
from oomctl.oomlog.table import LONGEST_NAME

# "OOM killed process 7 (php) score 0 vm:3kB, rss:2kB, swap:1kB" (kernel/bc/oom_kill.c of OpenVZ)
_KILLED = Between(r"\bOOM killed process (\d{1,10}) \(", r"\)(?: score (-?\d{1,20}))? vm: ?(\d{1,20})kB|\)$")
_RSS = re.compile(r"\brss: ?(\d{1,20})kB")
_CONTAINER = re.compile(r"\b[Uu][Bb] (\d{1,10})\b")
_RAGE = re.compile(r"OOM killer in rage, (\d{1,9}) tasks killed(?: in ub (\d{1,10}))?")
_HEADER = Between(r"\d{1,10} \(", r"\) invoked (?:\w{1,16} )?oom-killer(?: in ub (\d{1,10}))?")
_ORDER = re.compile(r"\border (-?\d{1,3})\b")


def container_kill(message: str) -> Killing | None:
    """Read ``Out of memory in UB 101: OOM killed process 7 (php) score 0 vm:…``."""
    match = _KILLED.search(message)
    if match is None:
        return None
    score, vm = match.behind[1], match.behind[2]
    rss = _RSS.search(message, match.behind.end() - 1)
    container = _CONTAINER.search(message[: match.before.start()])
    kill = Kill(
        int(match.before[1]),
        match.text[:LONGEST_NAME],
        total_vm_bytes=int(vm) << 10 if vm else None,
        whole_rss_bytes=int(rss[1]) << 10 if rss else None,
    )
    culprit = None
    if "emory cgroup out of memory" in message:
        culprit = Culprit.MEMCG
    elif "ut of memory" in message and container is None and "emory in UB" not in message:
        culprit = Culprit.MACHINE
    return Killing(kill, Cause(culprit, False), container[1] if container else None, int(score) if score else None)


def rage(message: str) -> Rage | None:
    """Read ``OOM killer in rage, 16 tasks killed in ub 101``."""
    match = _RAGE.search(message)
    return Rage(int(match[1]), match[2] or "") if match else None


def container_header(message: str) -> Header | None:
    """Read ``7 (php) invoked oom-killer in ub 101 generation 0 gfp 0x200d2``."""
    match = _HEADER.search(message)
    if match is None:
        return None
    order = _ORDER.search(message, match.behind.end())
    return Header(match.text[:LONGEST_NAME], int(order[1]) if order else None, container=match.behind[1])


def request(message: str) -> Request | None:
    """Read ``sysrq: Manual OOM execution``, or ``OOM request ignored. No task eligible``."""
    if "Manual OOM execution" in message:
        return Request(False)
    return Request(True) if "OOM request ignored" in message else None
