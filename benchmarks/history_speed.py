"""How fast a large kernel log is searched for OOM reports, beside ``grep -c "Killed process"`` on the same file.

    python benchmarks/history_speed.py [--mib 256 | --gib 1] [--reports 100] [--log FILE] [--runs 3]

Writes a noise log with real reports spread over it to a temporary file and reads it in turn with grep, with a
process that does nothing but parse, with ``oomctl history`` and with ``oomctl history --summary``. Prints the least CPU
time and wall time of each, throughput beside grep's, and the most memory.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

DEFAULT_REPORT = Path(__file__).parent.parent / "tests/data/oom-logs/6.1-arch-machine-swap-decides.log"
NOISE = (
    "host kernel: [{0}.{1:06d}] usb 1-{2}: new high-speed USB device number {2} using xhci_hcd",
    "host kernel: [{0}.{1:06d}] audit: type=1400 audit(1700000000.{2}:{1}): apparmor=ALLOWED operation=open",
    "host systemd[1]: Started Session {1} of user admin{2}, reading memory limits of room {2}.",
    "host sshd[{1}]: Accepted publickey for admin{2} from 192.0.2.{2} port {1} ssh2: ED25519 SHA256:{1}",
    "host kernel: [{0}.{1:06d}] IN=eth0 OUT= MAC=52:54:00:00:00:{2:02d} SRC=198.51.100.{2} DST=192.0.2.1 LEN=60",
    "host kubelet[{1}]: I1010 08:07:16.{1} prober.go:{2}] Liveness probe for pod-{2} succeeded, pages scanned {1}",
    "host CRON[{1}]: (root) CMD (command -v debian-sa1 > /dev/null && debian-sa1 {2} 1)",
)

PARSE = """
import sys
from oomctl.oomlog.parser import parse_blocks
from oomctl.oomlog.sources import open_source
print(*(report.number for report in parse_blocks(open_source(sys.argv[1]).blocks) if report.complete))
"""
HISTORY = """
import sys
from oomctl.cli.main import main
sys.argv[0] = "oomctl"
main()
"""
# Not getrusage: across fork and exec its maximum is the parent's.
WITH_PEAK = """
import atexit, sys
def report():
    print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")), file=sys.stderr)
atexit.register(report)
"""


class Run(NamedTuple):
    """What reading the log once took."""

    cpu_s: float
    wall_s: float
    peak_mib: float | None
    """None: not measured."""
    output: str


def run(*command: str) -> Run:
    """Run a command that may print its peak memory in KiB on stderr."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    ran = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parent.parent)
    wall_s, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(cpu_s, wall_s, int(ran.stderr) / 1024 if ran.stderr else None, ran.stdout)


def write_log(path: Path, size: int, reports: int, report: bytes) -> None:
    """Write ``size`` bytes of noise with ``reports`` copies of ``report`` at even distances."""
    lines = []
    for number in range(40_000):
        stamp = f"Oct 10 {number // 3600 % 24:02d}:{number // 60 % 60:02d}:{number % 60:02d} "
        lines.append(
            stamp + NOISE[number % len(NOISE)].format(1000 + number, number * 7 % 1_000_000, number % 97) + "\n"
        )
    noise = "".join(lines).encode()
    stretch = max((size - reports * len(report)) // (reports + 1), 0)
    with path.open("wb") as log:
        for part in range(reports + 1):
            whole, rest = divmod(stretch, len(noise))
            for _ in range(whole):
                log.write(noise)
            log.write(noise[: noise.rfind(b"\n", 0, rest) + 1])
            if part < reports:
                log.write(report)


def commands(path: str) -> dict[str, tuple[str, ...]]:
    """Return what reads the log."""
    python = (sys.executable, "-c")
    return {
        "grep -c": ("grep", "-c", "Killed process", path),
        "parse": (*python, WITH_PEAK + PARSE, path),
        "history": (*python, WITH_PEAK + HISTORY, "history", "--file", path),
        "--summary": (*python, WITH_PEAK + HISTORY, "history", "--summary", "--json", "--file", path),
    }


def found(outputs: dict[str, str]) -> set[int]:
    """Return how many reports each of them found."""
    lines = outputs["history"].count("\n") - 1
    return {int(outputs["grep -c"]), len(outputs["parse"].split()), lines, json.loads(outputs["--summary"])["kills"]}


def main() -> None:
    arguments = argparse.ArgumentParser(description="search a large log for OOM reports, beside grep")
    arguments.add_argument("--mib", type=int, default=256, help="size of the log in MiB (default 256)")
    arguments.add_argument("--gib", type=int, help="size of the log in GiB")
    arguments.add_argument("--reports", type=int, default=100, help="OOM reports in it (default 100)")
    arguments.add_argument("--log", type=Path, default=DEFAULT_REPORT, help="a log file with the report to spread")
    arguments.add_argument("--runs", type=int, default=3, help="how often each reads it, in turn (default 3)")
    options = arguments.parse_args()
    size = (options.gib << 30) if options.gib else options.mib << 20
    report = options.log.read_bytes().rstrip(b"\n") + b"\n"
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "kern.log"
        write_log(path, size, options.reports, report)
        megabytes = path.stat().st_size / 1e6
        subprocess.run(["cat", str(path)], stdout=subprocess.DEVNULL, check=True)  # all read from the page cache
        rounds = [{name: run(*command) for name, command in commands(str(path)).items()} for _ in range(options.runs)]
    counts = found({name: one.output for name, one in rounds[0].items()})
    assert counts == {options.reports}, counts
    print(f"{megabytes:.0f} MB, {options.reports} reports, the best of {options.runs} runs")
    print("             CPU s   wall s     MB/s  times grep   peak MiB")
    grep_s = min(one["grep -c"].cpu_s for one in rounds)
    for name in rounds[0]:
        cpu_s, wall_s = min(one[name].cpu_s for one in rounds), min(one[name].wall_s for one in rounds)
        peaks = [peak for one in rounds if (peak := one[name].peak_mib) is not None]
        most = f"{max(peaks):.1f}" if peaks else "-"
        print(f"{name:<10} {cpu_s:>7.2f} {wall_s:>8.2f} {megabytes / wall_s:>8.0f} {cpu_s / grep_s:>11.1f} {most:>10}")


if __name__ == "__main__":
    main()
