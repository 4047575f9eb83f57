"""A small made-up server, and its ranking as ``top`` prints it."""

from __future__ import annotations

from tests.proc_tree import ProcTree

RANKING = """\
RANK  PID  USER   OOM    ADJ    BADNESS       RSS    SWAP  PGTABLES  UNIT/CGROUP  COMMAND
   1   20  54321  726      0   352.6MiB  351.6MiB  1.0MiB   0.04MiB  -            java
   2   11  root   679      0    78.2MiB   78.1MiB       0   0.04MiB  -            postgres
   3   10  root   600   -100  -195.3MiB  195.3MiB       0   0.04MiB  -            postgres
   -    1  root     0      0          -    1.2MiB       0   0.04MiB  -            systemd
   -   30  root     0  -1000          -   19.5MiB       0   0.04MiB  -            safe
   -   40  root     0      0          -         0       0         0  -            kworker/0:1
"""


def add_server(proc_tree: ProcTree) -> None:
    """Add one big process of a user, a database of two processes, and who can never be chosen."""
    proc_tree.add(1, "systemd", 300, score=0, uid=0, ppid=0)
    proc_tree.add(10, "postgres", 50_000, score=600, uid=0, adj=-100)
    proc_tree.add(11, "postgres", 20_000, score=679, uid=0, ppid=10)
    proc_tree.add(20, "java", 90_000, swap=256, score=726, uid=54321)
    proc_tree.add(30, "safe", 5_000, adj=-1000, score=0, uid=0)
    proc_tree.add_kthread(40)
