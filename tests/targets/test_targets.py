"""What users write for processes: the grammar, and what each form matches."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from oomctl.errors import BadInput, ImpossibleHere
from oomctl.model.kernel import Task
from oomctl.procfs.reader import Procfs
from oomctl.targets.matching import matching
from oomctl.targets.selection import Scope, select
from oomctl.targets.words import PID_MAX_LIMIT, parse_target
from tests.proc_tree import ProcTree
from tests.tasks import task


def matched(procfs: Procfs | None, word: str, tasks: list[Task] | None = None) -> list[int]:
    if tasks is None:
        assert procfs is not None
        tasks = procfs.tasks().read
    [found] = matching([parse_target(word)], tasks, procfs).values()
    return [task.pid for task in found]


def selected(adj: int, word: str, *tasks: Task, **scope: bool) -> list[int]:
    return sorted(task.pid for task in select([parse_target(word)], tasks, None, adj, Scope(**scope)).meant)


@pytest.mark.parametrize(
    ("word", "kind", "value"),
    [
        ("812", "pid", "812"),
        ("+812", "pid", "812"),
        ("0812", "pid", "812"),
        (str(PID_MAX_LIMIT), "pid", str(PID_MAX_LIMIT)),
        ("sshd", "name", "sshd"),
        ("my prog", "name", "my prog"),
        ("a:b", "name", "a:b"),
        ("812x", "name", "812x"),
        ("sshd.service", "unit", "sshd.service"),
        ("session-1.scope", "unit", "session-1.scope"),
        ("user.slice", "unit", "user.slice"),
        ("getty@tty1.service", "unit", "getty@tty1.service"),
        (".service", "name", ".service"),
        ("cgroup:/a/b", "cgroup", "/a/b"),
        ("cgroup:/a:b", "cgroup", "/a:b"),
        ("user:postgres", "user", "postgres"),
        ("user:812", "user", "812"),
        ("cmd:^java .*Main$", "cmd", "^java .*Main$"),
        ("cmd:a:b", "cmd", "a:b"),
    ],
)
def test_a_word_is_understood(word: str, kind: str, value: str) -> None:
    assert parse_target(word) == (word, kind, value)


@pytest.mark.parametrize(
    "word", ["", " ", "0", "-1", str(PID_MAX_LIMIT + 1), "9" * 5000, "user:", "cgroup:", "cmd:", "cmd:(", "cmd:*"]
)
def test_what_can_be_no_target_is_refused(word: str) -> None:
    with pytest.raises(BadInput):
        parse_target(word)


@pytest.mark.parametrize(
    ("word", "pids"),
    [
        ("postgres", [10]),
        ("postgre", []),
        ("ostgres", []),
        ("Postgres", []),
        ("postgres*", [10, 11]),
        ("post*er", [11]),
        ("postgre?", [10]),
        ("?ostgres", [10]),
        ("*", [10, 11, 12]),
        ("???", [12]),
        ("[red]", []),
        ("a.c", [12]),
        ("p.stgres", []),
    ],
)
def test_a_name_is_the_whole_name_and_only_wildcards_are_special(word: str, pids: list[int]) -> None:
    tasks = [task(10, comm="postgres"), task(11, comm="postgres-worker"[:15] + "er"), task(12, comm="a.c")]
    assert matched(None, word, tasks) == pids


def test_a_wildcard_reaches_over_a_newline() -> None:
    assert matched(None, "a*b", [task(10, comm="a\nb")]) == [10]


def test_a_name_is_the_basename_of_the_executable_too(proc_tree: ProcTree) -> None:
    proc_tree.add(10, "renamed", exe="/usr/lib/postgresql/bin/postgres")
    proc_tree.add(11, "gone", exe="/opt/a very long program name (deleted)")
    proc_tree.add(12, "unreadable", exe=None)
    procfs = proc_tree.procfs()
    assert matched(procfs, "postgres") == [10]
    assert matched(procfs, "renamed") == [10]
    assert matched(procfs, "a very long program name") == [11]
    assert matched(procfs, "/usr/lib/postgresql/bin/postgres") == []
    assert matched(procfs, "unread*") == [12]


def test_a_pid_is_that_process_and_nothing_else(proc_tree: ProcTree) -> None:
    proc_tree.add(10, "11")
    proc_tree.add(11)
    proc_tree.add_kthread(12)
    procfs = proc_tree.procfs()
    assert matched(procfs, "11") == [11]
    assert matched(procfs, "12") == [12]
    assert matched(procfs, "13") == []


def test_patterns_never_match_kernel_threads(proc_tree: ProcTree) -> None:
    proc_tree.add(10, "kworker/x", uid=0)
    proc_tree.add_kthread(12, "kworker/0:1")
    procfs = proc_tree.procfs()
    for word in ("kworker*", "user:root", "cmd:"[:4] + ".*"):
        assert matched(procfs, word) == [10]


def test_a_user_is_a_name_or_a_number(proc_tree: ProcTree) -> None:
    proc_tree.add(10, uid=0)
    proc_tree.add(11, uid=54321)
    procfs = proc_tree.procfs()
    assert matched(procfs, "user:root") == [10]
    assert matched(procfs, "user:0") == [10]
    assert matched(procfs, "user:54321") == [11]
    assert matched(procfs, "user:5432") == []


@pytest.mark.parametrize(
    ("cgroup", "unit"),
    [
        ("0::/system.slice/nginx.service\n", "nginx.service"),
        ("0::/system.slice/nginx.service/worker\n", "nginx.service"),
        ("4:memory:/docker/x\n1:name=systemd:/system.slice/nginx.service\n0::/\n", "nginx.service"),
        ("0::/user.slice/user-1000.slice/session-2.scope\n", "session-2.scope"),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-x.scope\n", "app-x.scope"),
    ],
)
def test_a_unit_has_the_processes_of_its_cgroup(proc_tree: ProcTree, cgroup: str, unit: str) -> None:
    proc_tree.add(10, cgroup=cgroup)
    proc_tree.add(11, cgroup="0::/system.slice/other.service\n")
    proc_tree.add(12, unit)
    assert matched(proc_tree.procfs(), unit) == [10]


def test_a_slice_has_everything_below_it(proc_tree: ProcTree) -> None:
    proc_tree.add(10, cgroup="0::/user.slice/user-1000.slice/session-2.scope\n")
    proc_tree.add(11, cgroup="0::/user.slice\n")
    proc_tree.add(12, cgroup="0::/other-user.slice\n")
    procfs = proc_tree.procfs()
    assert matched(procfs, "user.slice") == [10, 11]
    assert matched(procfs, "user-1000.slice") == [10]


def test_a_cgroup_has_everything_below_it_but_no_namesake(proc_tree: ProcTree) -> None:
    proc_tree.mount_v2()
    for path in ("/a", "/a/b", "/ab"):
        proc_tree.cgroup(path)
    for pid, path in ((10, "/a"), (11, "/a/b"), (12, "/ab"), (13, "/")):
        proc_tree.add(pid, cgroup=f"0::{path}\n")
    procfs = proc_tree.procfs()
    assert matched(procfs, "cgroup:/a") == [10, 11]
    assert matched(procfs, "cgroup:a/") == [10, 11]
    assert matched(procfs, f"cgroup:{proc_tree.cgroup_mount}/a/b") == [11]
    assert matched(procfs, "cgroup:/") == [10, 11, 12, 13]
    with pytest.raises(ImpossibleHere):
        matched(procfs, "cgroup:/nope")


def test_a_command_line_is_searched_with_its_arguments_joined_by_spaces(proc_tree: ProcTree) -> None:
    proc_tree.add(10)
    proc_tree.write("10/cmdline", b"/usr/bin/java\0-jar\0/opt/app.jar\0")
    proc_tree.add(11)
    proc_tree.write("11/cmdline", b"x" * 5000 + b"needle\0")
    procfs = proc_tree.procfs()
    assert matched(procfs, "cmd:java -jar .*app") == [10]
    assert matched(procfs, "cmd:jar$") == [10]
    assert matched(procfs, "cmd:^jar") == []
    assert matched(procfs, "cmd:needle") == [11]


def test_a_process_that_ends_meanwhile_matches_nothing(proc_tree: ProcTree) -> None:
    proc_tree.add(10, cgroup="0::/a.service\n")
    procfs = proc_tree.procfs()
    tasks = procfs.tasks().read
    (proc_tree.root / "10").rename(proc_tree.root / "ended")
    for word in ("cmd:.", "a.service", "nosuch"):
        assert matched(procfs, word, tasks) == []


LISTS = """
import sys
from oomctl.procfs.reader import Procfs
from oomctl.targets.matching import matching
from oomctl.targets.words import parse_target
procfs = Procfs()
[found] = matching([parse_target(sys.argv[1])], procfs.tasks().read, procfs).values()
print(*[task.pid for task in found])
"""


@pytest.mark.live
def test_patterns_match_neither_oomctl_nor_the_shell_that_started_it() -> None:
    """Its command line, and the shell's, hold the very pattern that is looked for."""
    marker = f"oomctl-marker-{os.getpid()}"
    other = subprocess.Popen([sys.executable, "-c", f"import time; '{marker}'; time.sleep(60)"])
    script = f'"{sys.executable}" -c "$LISTS" cmd:{marker}; : second command, so that the shell stays'
    try:
        ran = subprocess.run(
            ["sh", "-c", script],
            env={**os.environ, "LISTS": LISTS, "PYTHONPATH": str(Path(__file__).parents[2])},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
    finally:
        other.kill()
        other.wait()
    assert ran.stdout.split() == [str(other.pid)]


@pytest.mark.live
def test_no_pattern_matches_this_process() -> None:
    procfs = Procfs()
    assert os.getpid() not in matched(procfs, "*")
    assert os.getpid() not in matched(procfs, f"user:{os.getuid()}")


FAMILY = (
    task(10, comm="db"),
    task(11, comm="db", ppid=10),
    task(12, comm="helper", ppid=11),
    task(13, comm="db", ppid=12),
    task(20, comm="db", uid=54321),
)


@pytest.mark.parametrize(
    ("adj", "word", "scope", "pids"),
    [
        pytest.param(-1, "db", {}, [10, 13], id="lowering takes those whose parent does not match"),
        pytest.param(-1, "db", {"any_user": True}, [10, 13, 20], id="of any user if asked"),
        pytest.param(-1, "db", {"everyone": True}, [10, 11, 13], id="all"),
        pytest.param(-1, "10", {}, [10], id="a pid is one process"),
        pytest.param(-1, "10", {"tree": True}, [10, 11, 12, 13], id="tree"),
        pytest.param(-1, "20", {}, [20], id="a pid is trusted"),
        pytest.param(-1, "user:54321", {}, [20], id="an owner is trusted"),
        pytest.param(1, "db", {}, [10, 11, 13, 20], id="raising takes all"),
        pytest.param(1, "db", {"tree": True}, [10, 11, 12, 13, 20], id="raising a tree"),
        pytest.param(0, "db", {}, [10, 11, 13, 20], id="what stays as it is was not lowered"),
    ],
)
def test_who_is_meant(adj: int, word: str, scope: dict[str, bool], pids: list[int]) -> None:
    assert selected(adj, word, *FAMILY, **scope) == pids


def test_a_loop_of_parents_ends() -> None:
    assert selected(-1, "10", task(10, ppid=11), task(11, ppid=10), tree=True) == [10, 11]


def test_everyone_who_matches_is_meant_left_alone_or_refused() -> None:
    tasks = [*FAMILY, task(1, comm="db", ppid=0), task(30, comm="db", zombie=True)]
    found = select([parse_target("db"), parse_target("nosuch")], tasks, None, -1, Scope())
    parts = [{entry.pid for entry in part} for part in (found.meant, found.left_alone, found.refused)]
    assert set.union(*parts) == {1, 10, 11, 13, 20, 30}
    assert sum(map(len, parts)) == 6
    assert [target.word for target in found.unmatched] == ["nosuch"]
