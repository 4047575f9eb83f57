"""Real processes that call themselves what an administrator protects by name.

Everybody starts at 500 here, so that lowering to 100 is permitted without CAP_SYS_RESOURCE. The names are nobody
else's, and each test has one of its own.
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands.invoke import ROOT, Ran, program
from tests.privileges import needs_root
from tests.processes import Sleeper, adj_of, ready

pytestmark = [
    pytest.mark.live,
    pytest.mark.unprivileged,
    pytest.mark.usefixtures("own_value_is_0"),
    needs_root,
]

_NUMBERS = itertools.count(os.getpid() * 100)
RENAMED = """
import sys, time
open("/proc/self/comm", "w").write(sys.argv[1])
open("/proc/self/oom_score_adj", "w").write("500")
print(flush=True)
time.sleep(60)
"""


@pytest.fixture
def name() -> str:
    return f"zz{next(_NUMBERS)}"


@pytest.fixture
def binary(tmp_path: Path, name: str) -> str:
    """A program of root's, called as the database is."""
    return shutil.copy(shutil.which("sleep") or "", str(tmp_path / name))


def raised(pid: int) -> int:
    Path(f"/proc/{pid}/oom_score_adj").write_text("500")
    return pid


def protect(name: str, *options: str) -> Ran:
    return program("set", "100", name, *options)


def left_alone(ran: Ran, reason: str) -> None:
    assert (ran.status, ran.stderr) == (6, "")
    assert f"left alone: 1 process: {reason} (--any-user takes it)" in ran.stdout.splitlines()


def test_the_real_one_is_lowered(sleeper: Sleeper, binary: str, name: str) -> None:
    pid = raised(sleeper(binary, "60").pid)
    assert protect(name).status == 0
    assert adj_of(pid) == 100


def test_the_real_one_of_a_system_user_is_lowered(sleeper: Sleeper, binary: str, name: str) -> None:
    for directory in (*Path(binary).parents[:3],):
        directory.chmod(0o755)
    pid = raised(sleeper("setpriv", "--reuid=33", "--regid=33", "--clear-groups", binary, "60").pid)
    while Path(f"/proc/{pid}/comm").read_text().strip() != name:
        continue
    assert protect(name).status == 0
    assert adj_of(pid) == 100


def test_the_real_one_is_lowered_after_an_upgrade_replaced_its_file(sleeper: Sleeper, binary: str, name: str) -> None:
    pid = raised(sleeper(binary, "60").pid)
    os.unlink(binary)
    assert protect(name).status == 0
    assert adj_of(pid) == 100


def test_a_renamed_process_of_a_system_user_is_not(sleeper: Sleeper, name: str) -> None:
    before = ("setpriv", "--reuid=33", "--regid=33", "--clear-groups")
    pid = ready(sleeper(*before, sys.executable, "-c", RENAMED, name, stdout=subprocess.PIPE))
    ran = protect(name)
    assert ran.status == 6
    assert "and only calls itself so; it runs " in ran.stdout
    assert adj_of(pid) == 500


def test_root_of_a_container_is_not(sleeper: Sleeper, name: str) -> None:
    """Real uid 0 seen from here: a user namespace that maps root to root."""
    inside = ("unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc", "--kill-child")
    process = sleeper(*inside, sys.executable, "-c", RENAMED, name, stdout=subprocess.PIPE)
    ready(process)
    [pid] = map(int, Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split())
    left_alone(protect(name), "is in another PID or user namespace, as in a container")
    assert adj_of(pid) == 500
    assert protect(name, "--any-user").status == 0
    assert adj_of(pid) == 100


def test_a_file_of_another_root_directory_is_not(sleeper: Sleeper, binary: str, name: str) -> None:
    """A container that shares the host's PID and user namespace runs files of its own image."""
    source = f'mount -t tmpfs none {Path(binary).parent} && cp "$(command -v sleep)" {binary} && exec {binary} 60'
    pid = sleeper("unshare", "--mount", "sh", "-c", source).pid
    while Path(f"/proc/{pid}/comm").read_text().strip() != name:
        continue
    raised(pid)
    left_alone(protect(name), f"its executable is not the {binary} of this system, as in a container")
    assert adj_of(pid) == 500


def test_a_set_user_id_program_that_is_called_through_a_link_is_not(
    sleeper: Sleeper, tmp_path: Path, name: str
) -> None:
    """As sudo is: root owns it, root runs it, and the name is the caller's choice."""
    real = shutil.copy(shutil.which("sleep") or "", tmp_path / "becomes-root")
    Path(real).chmod(0o4755)
    (tmp_path / name).symlink_to(real)
    pid = raised(sleeper(str(tmp_path / name), "60").pid)
    left_alone(protect(name), f"its executable {real} is set-user-ID: any user starts it, under any name")
    assert adj_of(pid) == 500


def test_a_program_that_others_may_write_is_not(sleeper: Sleeper, binary: str, name: str) -> None:
    Path(binary).chmod(0o777)
    pid = raised(sleeper(binary, "60").pid)
    left_alone(protect(name), f"its executable {binary} can be changed by others than root")
    assert adj_of(pid) == 500
    Path(binary).chmod(0o755)
    os.chown(binary, 33, 33)
    left_alone(protect(name), f"its executable {binary} can be changed by others than root")


def test_pid_1_of_a_container_is_its_main_process_and_can_be_set() -> None:
    script = '"$@" set 500 1 && cat /proc/1/oom_score_adj'
    before = ("unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", script, "sh")
    ran = program(before=before)
    assert (ran.status, ran.stdout.splitlines()[-1], ran.stderr) == (0, "500", "")


IN_THE_HOSTS_PROC = ("unshare", "--pid", "--fork", "--kill-child", "sh", "-c", '"$@"; exit $?', "sh")


def test_run_sets_its_own_value_whosever_proc_is_mounted() -> None:
    """There the number that the kernel gives as one's own PID is another process, often the host's PID 1."""
    before = adj_of(1)
    assert program("run", "-n", "9", "cat", "/proc/self/oom_score_adj", before=IN_THE_HOSTS_PROC) == Ran(0, "9\n", "")
    assert adj_of(1) == before


def test_a_number_of_another_namespace_is_refused(sleeper: Sleeper) -> None:
    pid = sleeper().pid
    for argv in (("set", "500", str(pid)), ("explain", str(pid)), ("simulate", "--set", f"{pid}=5")):
        ran = program(*argv, before=IN_THE_HOSTS_PROC)
        assert (ran.status, ran.stdout) == (7, "")
        assert ran.stderr.startswith("oomctl: /proc is that of another PID namespace, where ")
        assert ran.stderr.count("\n") == 1
    assert adj_of(pid) == 0
    on_purpose = {"OOMCTL_PROC": "/proc"}
    assert program("set", "500", str(pid), before=IN_THE_HOSTS_PROC, env=on_purpose).status == 0
    assert adj_of(pid) == 500


def test_a_name_is_not_protected_in_another_namespace_s_proc(sleeper: Sleeper, binary: str, name: str) -> None:
    pid = raised(sleeper(binary, "60").pid)
    ran = program("set", "100", name, before=IN_THE_HOSTS_PROC)
    left_alone(ran, "is in another PID or user namespace, as in a container")
    assert adj_of(pid) == 500


def test_a_yes_on_a_terminal_raises_many(sleeper: Sleeper, binary: str, name: str) -> None:
    import pty

    pids = [sleeper(binary, "60").pid for _ in range(21)]
    for answer, expected in ((b"n\n", 0), (b"y\n", 300)):
        controller, terminal = pty.openpty()
        argv = [sys.executable, "-m", "oomctl", "set", "300", name]
        process = subprocess.Popen(argv, cwd=ROOT, stdin=terminal, stderr=terminal, stdout=subprocess.DEVNULL)
        os.close(terminal)
        asked = b""
        while b"[y/N]" not in asked:
            asked += os.read(controller, 1024)
        assert b"set: 21 processes would be raised at once; go on?" in asked
        os.write(controller, answer)
        assert process.wait(timeout=60) == (0 if expected else 6)
        os.close(controller)
        assert {adj_of(pid) for pid in pids} == {expected}
