"""``oomctl selftest`` on this very kernel: it proves itself, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from oomctl import selftest
from oomctl.procfs.cgroup import Memcgs
from oomctl.procfs.reader import Procfs
from tests.documents import errors_in

COMMAND = [sys.executable, "-m", "oomctl", "selftest"]
HELD = """
import sys, oomctl.selftest
overflow = oomctl.selftest._overflow
oomctl.selftest._overflow = lambda toys: sys.stdin.read(1) and overflow(toys)
from oomctl.cli.main import main
main()
"""
HELD_COMMAND = [sys.executable, "-c", HELD, "selftest"]
"""One that waits for a word on stdin before it has anybody killed: until then it is not over."""
PATIENCE_S = 60


def leftovers(pid: int) -> list[str]:
    memcgs = Memcgs.of(Procfs())
    assert memcgs is not None
    return [str(path) for path in Path(memcgs.mount_point).rglob(f"oomctl-selftest-{pid}")]


@pytest.mark.kernel
@pytest.mark.usefixtures("_possible")
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
@pytest.mark.usefixtures("_possible")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interruption_leaves_nothing_behind(number: signal.Signals, status: int) -> None:
    with held(stderr=subprocess.PIPE) as process:
        begun(process)
        os.kill(process.pid, number)
        assert process.stdin is not None
        with process.stdin:  # open until it ends: the end of it would be a word, too
            process.wait(PATIENCE_S)
        out, err = (stream.read() for stream in (process.stdout, process.stderr) if stream is not None)
    assert (process.returncode, out, err) == (status, b"", b"")
    assert leftovers(process.pid) == []


def held(**how: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(HELD_COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True, **how)


def begun(process: subprocess.Popen[bytes]) -> list[str]:
    """Wait until a self-test has its cgroup, and return that."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := leftovers(process.pid)) and time.monotonic() < deadline:
        time.sleep(0.005)
    return found


def gone_by_itself(process: subprocess.Popen[bytes], directory: str) -> None:
    """Wait until the toys of a self-test that was killed have ended, too, those that were still to join as well."""
    process.wait()
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and (is_group(process.pid) or Path(directory, "cgroup.procs").read_text()):
        time.sleep(0.005)


def is_group(leader: int) -> bool:
    """Whether somebody is left of the session that ``leader`` began."""
    try:
        os.killpg(leader, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.kernel
@pytest.mark.usefixtures("_possible")
def test_what_a_killed_one_left_is_removed_by_the_next() -> None:
    with held() as killed:
        [left] = begun(killed)
        killed.kill()
        gone_by_itself(killed, left)
    assert leftovers(killed.pid) == [left]
    assert subprocess.run(COMMAND, capture_output=True, timeout=60, check=False).returncode == 0
    assert leftovers(killed.pid) == []


@pytest.mark.kernel
@pytest.mark.usefixtures("_possible")
def test_one_that_runs_keeps_its_cgroup() -> None:
    with held() as running:
        [own] = begun(running)
        assert subprocess.run(COMMAND, capture_output=True, timeout=60, check=False).returncode == 0
        assert leftovers(running.pid) == [own]
        running.communicate(b"!", timeout=PATIENCE_S)
    assert running.returncode == 0


def test_nothing_is_removed_but_empty_cgroups_of_one_s_own(tmp_path: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    number = ended.pid
    for name in (f"oomctl-selftest-{number}", "oomctl-selftest-x", f"oomctl-selftest-{number}-y", f"{number}"):
        (tmp_path / name).mkdir()
    (tmp_path / "oomctl-selftest-999999999").mkdir()
    (tmp_path / "oomctl-selftest-999999999" / "below").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "oomctl-selftest-999999998").symlink_to("elsewhere")
    kept = set(os.listdir(tmp_path)) - {f"oomctl-selftest-{number}"}
    if os.geteuid() == 0:
        (tmp_path / "oomctl-selftest-999999997").mkdir()
        os.chown(tmp_path / "oomctl-selftest-999999997", 1000, 1000)
        kept.add("oomctl-selftest-999999997")
    selftest._remove_leftovers(str(tmp_path))
    assert set(os.listdir(tmp_path)) == kept


@pytest.mark.unprivileged
def test_without_permission_it_says_so() -> None:
    if Memcgs.of(Procfs()) is None:
        pytest.skip("no memory controller is mounted here")
    code = (
        "import locale, os, sys, pwd, oomctl.cli.main, oomctl.commands.selftest, oomctl.render.text\n"
        "if os.geteuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "sys.argv[1:] = ['selftest']; oomctl.cli.main.main()"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 7
    assert result.stdout == ""
    assert result.stderr.startswith("oomctl: selftest: it needs root and a memory cgroup of its own: ")
    assert result.stderr.count("\n") == 1
