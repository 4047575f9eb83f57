"""``oomctl selftest`` on this very kernel: it proves itself, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from oomctl.procfs.cgroup import Memcgs
from oomctl.procfs.reader import Procfs
from tests.commands.test_schemas import errors_in

COMMAND = [sys.executable, "-m", "oomctl", "selftest"]


def leftovers(pid: int) -> list[str]:
    memcgs = Memcgs.of(Procfs())
    assert memcgs is not None
    return [str(path) for path in Path(memcgs.mount_point).rglob(f"oomctl-selftest-{pid}")]


@pytest.mark.kernel
def test_this_kernel_chooses_as_predicted() -> None:
    with subprocess.Popen([*COMMAND, "--json"], stdout=subprocess.PIPE, text=True) as process:
        out, _ = process.communicate(timeout=60)
    answer = json.loads(out)
    assert process.returncode == 0
    assert errors_in(answer) == []
    assert answer["agrees"] is True
    assert [task["comm"] for task in answer["killed"]] == ["oomctl-large"]
    assert leftovers(process.pid) == []


@pytest.mark.kernel
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interruption_leaves_nothing_behind(number: signal.Signals, status: int) -> None:
    with subprocess.Popen(COMMAND, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as process:
        deadline = time.monotonic() + 30
        while not leftovers(process.pid) and time.monotonic() < deadline:
            time.sleep(0.005)
        os.kill(process.pid, number)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (status, b"", b"")
    assert leftovers(process.pid) == []


@pytest.mark.unprivileged
def test_without_permission_it_says_so() -> None:
    code = (
        "import locale, os, sys, pwd, oomctl.cli, oomctl.commands.selftest\n"
        "if os.geteuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "sys.argv[1:] = ['selftest']; oomctl.cli.main()"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 7
    assert result.stdout == ""
    assert result.stderr.startswith("oomctl: selftest: it needs root and a memory cgroup of its own: ")
    assert result.stderr.count("\n") == 1
