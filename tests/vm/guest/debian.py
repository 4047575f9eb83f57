"""What every check of a Debian asks: commands, units and processes; and how it says what is wrong."""

from __future__ import annotations

import subprocess
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.vm.guest import report

UNITS = Path("/etc/systemd/system")
POSTGRES = "postgresql@15-main.service"
_OWN_UNIT = "oomctl-test.service"

Check = Callable[[], Iterator[str]]
"""Yields what is wrong."""


def run(prepare: Callable[[], None], checks: Sequence[Check]) -> None:
    """Report what each check says, then switch the machine off."""
    try:
        prepare()
        for check in checks:
            try:
                wrong = list(check())
            except Exception:
                wrong = [traceback.format_exc()]
            report.send("check", name=check.__name__.strip("_"), passed=not wrong, detail="\n".join(wrong))
    except Exception:
        report.send("error", text=traceback.format_exc())
    report.send("finished")
    report.drain()
    sh("systemctl", "--force", "--force", "poweroff")


def live_through_kills() -> None:
    """systemd stops a service in which the kernel killed something; this one has to tell of it."""
    (UNITS / f"{_OWN_UNIT}.d").mkdir()
    (UNITS / f"{_OWN_UNIT}.d" / "continue.conf").write_text("[Service]\nOOMPolicy=continue\n")
    sh("systemctl", "daemon-reload", check=True)


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


def query(sql: str) -> str:
    """Return what PostgreSQL answers, or complains."""
    ran = sh("runuser", "-u", "postgres", "--", "psql", "-tAc", sql)
    return (ran.stdout or ran.stderr).strip()
