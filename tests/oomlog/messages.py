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

REPORT = """\
java (1) x invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=-5
CPU: 1 UID: 0 PID: 3074 Comm: java (1) x Not tainted 6.18.44 #1 PREEMPT(none)
memory: usage 65536kB, limit 65536kB, failcnt 80
swap: usage 0kB, limit 0kB, failcnt 0
Tasks state (memory values in pages):
[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name
[   1234]  1000  1234   250000    12345  1249280        0             0 a) [x], b
[   1300]  1000  1299   250000    12344  1249280        0             0 tmux: client
oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=a,b,mems_allowed=0-1,oom_memcg=/a,\
task_memcg=/a/b c,task=a) [x], b,pid=1234,uid=1000
Memory cgroup out of memory: Killed process 1234 (a) [x], b) total-vm:1000000kB, anon-rss:49000kB, \
file-rss:380kB, shmem-rss:0kB, UID:1000 pgtables:1220kB oom_score_adj:0
"""
"""A whole report, with names and paths that look like something else."""


def reports(*lines: str) -> list[OomReport]:
    return list(parse(lines))


def syslog_kill(pid: int, cgroup: str = "/a", second: int = 0) -> str:
    """A report as rsyslog writes it, a minute after that of the PID before."""
    stamp = f"Aug 10 {8 + pid // 60:02d}:{pid % 60:02d}:{second:02d} h kernel: "
    return "".join(f"{stamp}{line.partition(';')[2]}\n" for line in KILL.format(1, 1, pid).splitlines()).replace(
        "task_memcg=/a", f"task_memcg={cgroup}"
    )
