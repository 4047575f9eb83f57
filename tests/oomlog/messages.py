"""Lines that a kernel writes about a kill, made up for tests."""

from __future__ import annotations

from oomctl.model.oomreport import OomReport
from oomctl.oomlog.parser import parse

TABLE = "[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name"
"""The header of the table since Linux 4.19."""
KILLED = "Memory cgroup out of memory: Killed process {pid} (toy) total-vm:16812kB, anon-rss:7528kB"
GROUP = "Tasks in /toys/a are going to be killed due to memory.oom.group set"
KILL = (
    "6,{0},{1},-;java invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n"
    "6,{0},{1},-;oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,"
    "task_memcg=/a,task=java,pid={2},uid=0\n"
    "3,{0},{1},-;Out of memory: Killed process {2} (java) total-vm:100kB, anon-rss:50kB, file-rss:0kB, "
    "shmem-rss:0kB, UID:0 pgtables:40kB oom_score_adj:7\n"
)
"""A report as /dev/kmsg has it: sequence number, microseconds since boot, the victim's PID."""


def reports(*lines: str) -> list[OomReport]:
    return list(parse(lines))


def syslog_kill(pid: int, cgroup: str = "/a", second: int = 0) -> str:
    """A report as rsyslog writes it, a minute after that of the PID before."""
    stamp = f"Aug 10 {8 + pid // 60:02d}:{pid % 60:02d}:{second:02d} h kernel: "
    return "".join(f"{stamp}{line.partition(';')[2]}\n" for line in KILL.format(1, 1, pid).splitlines()).replace(
        "task_memcg=/a", f"task_memcg={cgroup}"
    )
