"""What one refresh of the live view costs among many processes, beside htop and top, all refreshing at once.

    python -m benchmarks.live_cost [--processes 10000] [--delay 2] [--refreshes 20]

Each program runs on a pseudo-terminal of 120x40, at the same time as the others. CPU time is that of the program
and its children between two moments, divided by the refreshes in between. Then the interactive view refreshes 500
times as fast as it can, and its memory is looked at along the way. The processes are all ``sleep``.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import os
import pty
import select
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Sequence

from benchmarks.crowds import crowd
from oomctl.procfs.sampler import Sampler

CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
WARM_UP_S = 12.0
HASTY = (sys.executable, "-m", "benchmarks.live_cost", "--hasty")
OOMCTL = (sys.executable, "-m", "oomctl", "top")


class Watched:
    """A program on a terminal that somebody looks at: what it draws is read and thrown away."""

    def __init__(self, name: str, command: Sequence[str]) -> None:
        self.name = name
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        env = {**os.environ, "TERM": "xterm-256color"}
        self._process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=env)
        os.close(theirs)

    def read(self) -> None:
        with contextlib.suppress(OSError):  # EIO: it has ended
            while select.select([self._ours], [], [], 0)[0]:
                os.read(self._ours, 1 << 16)

    def shows(self, key: bytes) -> float:
        """Press a key; return the seconds until something is drawn."""
        self.read()
        started = time.monotonic()
        os.write(self._ours, key)
        select.select([self._ours], [], [])
        return time.monotonic() - started

    def cpu_s(self) -> float:
        """CPU time so far, of the program and of its children that have ended."""
        with open(f"/proc/{self._process.pid}/stat", "rb") as file:
            fields = file.read().rpartition(b") ")[2].split()
        return sum(map(int, fields[11:15])) / CLOCK_TICKS

    def rss_mib(self) -> float:
        return rss_mib(self._process.pid)

    def wait(self) -> None:
        """Read until it ends."""
        while self._process.poll() is None:
            self.read()
            time.sleep(0.05)
        os.close(self._ours)

    def end(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self.wait()


def let_pass(seconds: float, *programs: Watched) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for program in programs:
            program.read()
        time.sleep(0.05)


def compare(delay_s: float, refreshes: int) -> None:
    commands = {
        "oomctl top": (*OOMCTL, "-d", str(delay_s)),
        "oomctl top --simple": (*OOMCTL, "--simple", "-d", str(delay_s)),
        "htop": ("htop", "-d", str(round(delay_s * 10))),
        "top": ("top", "-d", str(delay_s)),
    }
    programs = [Watched(name, command) for name, command in commands.items() if shutil.which(command[0])]
    try:
        let_pass(WARM_UP_S, *programs)
        before = [program.cpu_s() for program in programs]
        let_pass(delay_s * refreshes, *programs)
        for program, was in zip(programs, before):
            spent = (program.cpu_s() - was) / refreshes
            print(f"{program.name:<22} {spent * 1000:7.0f} ms CPU a refresh   {program.rss_mib():6.1f} MiB RSS")
    finally:
        for program in programs:
            program.end()


def keys(presses: int) -> None:
    """How long a key takes to show, at any moment between and within refreshes."""
    program = Watched("oomctl top", OOMCTL)
    try:
        let_pass(WARM_UP_S, program)
        waits = []
        for number in range(presses):
            let_pass(0.1 + number % 7 * 0.1, program)
            waits.append(program.shows(b"j" if number % 4 < 2 else b"k"))
        print(f"a key shows after {statistics.median(waits) * 1000:.0f} ms, at most {max(waits) * 1000:.0f}")
    finally:
        program.end()


def memory(looks: int) -> None:
    """Let the interactive view refresh as fast as it can, and see whether it grows."""
    with tempfile.NamedTemporaryFile("r") as results:
        program = Watched("oomctl top", (*HASTY, results.name, "--refreshes", str(looks)))
        program.wait()
        print(results.read(), end="")


def be_hasty(results: str, looks: int) -> None:
    """The interactive view itself, without any delay."""
    from oomctl.live.ask import Ask
    from oomctl.live.shot import shoot
    from oomctl.render import fields
    from oomctl.tui.app import TopApp

    class Hasty(TopApp):
        async def keep_looking(self) -> None:
            with open(results, "w", encoding="ascii") as file:
                started = 0.0
                for done in range(looks + 1):
                    if done == 1:
                        started = time.process_time()
                    if done % (looks // 5) == 0:
                        print(f"after {done:4} refreshes: {rss_mib(os.getpid()):6.1f} MiB RSS", file=file)
                    await self.look()
                    await asyncio.sleep(0.01)
                spent = (time.process_time() - started) / looks
                print(f"{spent * 1000:.0f} ms CPU a refresh, without any delay", file=file)
            self.exit(0)

    sampler = Sampler("/proc")
    ask = Ask(tuple(map(fields.find, fields.DEFAULT)))
    Hasty(ask, sampler, 3600, shoot(sampler, ask)).run()


def rss_mib(pid: int) -> float:
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmRSS:"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=10_000)
    parser.add_argument("--delay", type=float, default=2.0)
    parser.add_argument("--refreshes", type=int, default=20)
    parser.add_argument("--hasty", metavar="FILE", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.hasty:
        be_hasty(options.hasty, options.refreshes)
        return
    with crowd("alike", options.processes):
        print(f"{options.processes} more processes; refreshed every {options.delay:g} s")
        compare(options.delay, options.refreshes)
        keys(40)
        memory(500)


if __name__ == "__main__":
    main()
