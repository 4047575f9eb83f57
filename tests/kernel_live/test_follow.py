"""Real kills, told by ``oomctl history --follow`` from the ring buffer and from a real journal."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.commands.invoke import OOMCTL, ROOT
from tests.kernel_live.memcgs import ToyCgroup
from tests.kernel_live.toys import MIB, PAGE, Nursery, Toy
from tests.kernel_live.trials import kill_at_limit

pytestmark = pytest.mark.kernel

PATIENCE_S = 60.0
JOURNALD = "/usr/lib/systemd/systemd-journald"
# A journal of its own: nobody else sees these mounts. "restart" on stdin restarts journald.
WITH_JOURNAL = f"""
mount -t tmpfs none /run && mount -t tmpfs none /var/log && mkdir -p /run/systemd/journal || exit 7
{JOURNALD} >/dev/null 2>&1 & journald=$!
until journalctl --quiet --lines=1 _TRANSPORT=kernel | grep -q .; do sleep 0.1; done
"$@" </dev/null & echo $!
while read -r _; do
    kill $journald; wait $journald
    {JOURNALD} >/dev/null 2>&1 & journald=$!
    echo restarted
done
kill $journald
"""


@pytest.fixture
def kill(cgroup: ToyCgroup, nursery: Nursery) -> Callable[[], int]:
    """Have the kernel kill a toy; returns its PID."""

    def killed() -> int:
        cgroup.limit_bytes = 256 * MIB
        toy = nursery.start(Toy(cgroup, grows_pages=64 * MIB // PAGE, name="grower"))
        kill_at_limit(cgroup, toy)
        return toy.pid

    return killed


def start(*command: str) -> subprocess.Popen[bytes]:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.02)


def waits(pid: int) -> bool:
    """Whether a process sleeps in poll(2), as it does once it follows."""
    return Path(f"/proc/{pid}/syscall").read_text().split()[0] in ("7", "271", "73")


def victims(process: subprocess.Popen[bytes], memcg: str) -> Iterator[int]:
    assert process.stdout is not None
    for line in process.stdout:
        event: dict[str, Any] = json.loads(line)
        if event["memcg"] == memcg:
            yield event["victim"]["pid"]


def test_a_kill_in_the_ring_buffer_is_told_within_seconds_and_once(cgroup: ToyCgroup, kill: Callable[[], int]) -> None:
    kill()
    # Without journalctl in sight it reads /dev/kmsg.
    process = start(*OOMCTL, "history", "--follow", "--json", "--cgroup", cgroup.path)
    try:
        wait_until(lambda: waits(process.pid))
        found = victims(process, cgroup.path)
        for _ in range(2):
            pid = kill()
            killed = time.monotonic()
            assert next(found) == pid
            assert time.monotonic() - killed < 20, "a busy machine takes longer; a report that is not over waits 30"
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130


def test_the_journal_is_followed_over_restarts_of_journald_and_of_journalctl(
    cgroup: ToyCgroup, kill: Callable[[], int]
) -> None:
    if not Path(JOURNALD).exists() or shutil.which("journalctl") is None:
        pytest.skip("journald is not installed")
    before = kill()
    command = (*OOMCTL, "history", "--follow", "--json", "-n", "1", "--cgroup", cgroup.path)
    process = start("unshare", "--mount", "sh", "-c", WITH_JOURNAL, "sh", *command)
    assert process.stdin is not None
    assert process.stdout is not None
    pid = int(process.stdout.readline())
    try:
        found = victims(process, cgroup.path)
        assert next(found) == before
        first = kill()
        assert next(found) == first
        process.stdin.write(b"restart\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"restarted\n"
        second = kill()
        assert next(found) == second
        (journalctl,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        os.kill(int(journalctl), signal.SIGKILL)
        third = kill()
        fourth = kill()
        assert [next(found), next(found)] == [third, fourth]
    finally:
        os.kill(pid, signal.SIGTERM)  # a shell has its background commands ignore SIGINT
        rest, _ = process.communicate(timeout=PATIENCE_S)
    assert rest == b"", "nothing is told twice"
