"""What every check of a Debian asks: commands, units and processes; and how it says what is wrong."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

UNITS = Path("/etc/systemd/system")


def sh(*command: str, check: bool = False) -> subprocess.CompletedProcess[str]:
    ran = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=120, check=False
    )
    if check and ran.returncode:
        raise RuntimeError(f"{command}: {ran.stderr}")
    return ran


def oomctl(*argv: str) -> subprocess.CompletedProcess[str]:
    return sh("python3", "-m", "oomctl", *argv)


def main_pid(unit: str) -> int:
    return int(sh("systemctl", "show", "-P", "MainPID", unit, check=True).stdout)


def adj(pid: int) -> int:
    return int(Path(f"/proc/{pid}/oom_score_adj").read_text())


def rss_mib(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) >> 8


def wait_for(condition: Callable[[], bool], what: str, seconds: int = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(0.1)


def equal(what: str, found: object, expected: object) -> Iterator[str]:
    if found != expected:
        yield f"{what}: {found!r}, not {expected!r}"


def expect(ran: subprocess.CompletedProcess[str], status: int) -> Iterator[str]:
    if ran.returncode != status:
        yield f"{' '.join(ran.args)}: status {ran.returncode}, not {status}: {ran.stdout}{ran.stderr}"
