"""How fast a large kernel log is searched for OOM reports, beside ``grep -c "Killed process"`` on the same file.

    python benchmarks/history_speed.py [--mib 256 | --gib 1] [--reports 100] [--log FILE]

Writes a noise log with real reports spread over it to a temporary file, reads it once with each, and
prints throughput, their ratio and the peak memory of a process that does nothing but parse.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

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
import sys, time
from oomctl.oomlog.parser import parse_blocks
from oomctl.oomlog.sources import open_source
started = time.perf_counter()
reports = complete = 0
for report in parse_blocks(open_source(sys.argv[1]).blocks):
    reports += 1
    complete += report.complete
seconds = time.perf_counter() - started
# Not getrusage: across fork and exec its maximum is the parent's.
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(reports, complete, seconds, peak)
"""


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


def main() -> None:
    arguments = argparse.ArgumentParser(description="search a large log for OOM reports, beside grep")
    arguments.add_argument("--mib", type=int, default=256, help="size of the log in MiB (default 256)")
    arguments.add_argument("--gib", type=int, help="size of the log in GiB")
    arguments.add_argument("--reports", type=int, default=100, help="OOM reports in it (default 100)")
    arguments.add_argument("--log", type=Path, default=DEFAULT_REPORT, help="a log file with the report to spread")
    options = arguments.parse_args()
    size = (options.gib << 30) if options.gib else options.mib << 20
    report = options.log.read_bytes().rstrip(b"\n") + b"\n"
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "kern.log"
        write_log(path, size, options.reports, report)
        megabytes = path.stat().st_size / 1e6
        subprocess.run(["cat", str(path)], stdout=subprocess.DEVNULL, check=True)  # both read from the page cache
        started = time.perf_counter()
        grep = subprocess.run(["grep", "-c", "Killed process", str(path)], capture_output=True, text=True, check=False)
        grep_seconds = time.perf_counter() - started
        parsed = subprocess.run(
            [sys.executable, "-c", PARSE, str(path)],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parent.parent,
        )
    reports, complete, seconds, peak_kib = (float(word) for word in parsed.stdout.split())
    assert reports == options.reports == int(grep.stdout), (reports, options.reports, grep.stdout)
    print(f"{megabytes:.0f} MB, {reports:.0f} reports found, {complete:.0f} complete")
    print(f"grep -c     {megabytes / grep_seconds:8.0f} MB/s")
    print(f"parse       {megabytes / seconds:8.0f} MB/s, peak memory {peak_kib / 1024:.1f} MiB")
    print(f"parse takes {seconds / grep_seconds:.1f} times as long as grep")


if __name__ == "__main__":
    main()
