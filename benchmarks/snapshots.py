"""What it costs to ask a thousand snapshots what if: ``oomctl simulate --from DIR``.

    python -m benchmarks.snapshots [--hosts 1000] [--processes 500]

Writes as many snapshots as ``oomctl snapshot`` prints them to a temporary directory, each of a machine of its own, and
asks all of them in one table: as they are, with a what-if, as JSON, and compressed. Prints wall time, CPU time and the
most memory of each.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

NAMES = ("postgres", "java", "nginx", "python3", "sshd", "redis-server", "node", "php-fpm8.2", "systemd", "containerd")
# Not getrusage: across fork and exec its maximum is the parent's.
PROGRAM = """
import atexit, sys
def report():
    print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")), file=sys.stderr)
atexit.register(report)
from oomctl.cli.main import main
sys.argv[0] = "oomctl"
main()
"""
WHAT_IF = ("--set", "postgres=-900")


def snapshot(dice: random.Random, processes: int) -> dict[str, Any]:
    """Return a machine of 64 GiB: a third kernel threads, the others services of all sizes."""
    tasks = [_task(dice, pid) for pid in sorted(dice.sample(range(1, 4_000_000), processes))]
    context = {"constraint": "none", "totalpages": 16_400_000, "cpus": 16, "swap_used": False, "left": 3_000_000}
    context |= {"swap_total": 0, "nodes": {"0": {"present": 16_700_000, "spanned": 16_800_000}}}
    return {
        "schema": "oomctl.scenario/1",
        "kernel": "6.12.30",
        "page_size": 4096,
        "hidden_processes": 0,
        "context": context,
        "tasks": tasks,
    }


def _task(dice: random.Random, pid: int) -> dict[str, Any]:
    if dice.random() < 0.33:
        task = {"pid": pid, "ppid": 2, "uid": 0, "comm": f"kworker/{pid % 16}:1", "rss": 0, "swap": 0}
        return task | {"pgtables_pages": 0, "adj": 0, "start_ticks": pid, "memcg": "/", "kthread": True}
    name, rss = dice.choice(NAMES), int(dice.paretovariate(0.8) * 1000) % 2_000_000
    task = {
        "pid": pid,
        "ppid": 1,
        "uid": dice.choice((0, 33, 113, 999)),
        "comm": name,
        "rss": rss,
        "rss_exact": rss + 9,
    }
    task |= {"swap": 0, "pgtables_pages": 20 + rss // 400, "adj": dice.choice((0, 0, 0, 0, -900, 200, -1000))}
    task |= {"rss_anon": rss - rss // 4, "rss_file": rss // 4, "vsize_bytes": rss * 40_000, "start_ticks": pid}
    return task | {"memcg": f"/system.slice/{name}.service"}


def ask(directory: Path, *argv: str) -> tuple[float, float, float, str]:
    """Return wall and CPU seconds, MiB at most, and the last line."""
    began, before = time.monotonic(), os.times()
    command = [sys.executable, "-c", PROGRAM, "simulate", "--from", str(directory), *argv]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return time.monotonic() - began, cpu, int(ran.stderr.split()[-1]) / 1024, ran.stdout.splitlines()[-1]


def main() -> None:
    """Write the snapshots and ask them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, default=1000)
    parser.add_argument("--processes", type=int, default=500)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        plain, packed = Path(temporary, "plain"), Path(temporary, "packed")
        plain.mkdir()
        packed.mkdir()
        for number in range(given.hosts):
            text = json.dumps(snapshot(random.Random(number), given.processes)).encode()
            (plain / f"host{number:04}.json").write_bytes(text)
            (packed / f"host{number:04}.json.gz").write_bytes(gzip.compress(text, 6))
        size = sum(path.stat().st_size for path in plain.iterdir())
        print(f"{given.hosts} snapshots of {given.processes} processes, {size >> 20} MiB")
        print(f"{'':<22}{'SECONDS':>8}{'CPU':>8}{'A HOST':>10}{'MIB AT MOST':>13}")
        for title, directory, argv in (
            ("as they are", plain, ()),
            ("what if", plain, WHAT_IF),
            ("what if, as JSON", plain, (*WHAT_IF, "--json")),
            ("what if, compressed", packed, WHAT_IF),
        ):
            wall, cpu, peak, last = ask(directory, *argv)
            print(f"{title:<22}{wall:>8.1f}{cpu:>8.1f}{wall / given.hosts * 1000:>7.1f} ms{peak:>13.1f}")
            if "--json" not in argv:
                print(f"  {last}")


if __name__ == "__main__":
    main()
