"""Text under /proc that no kernel writes: such a process is hidden, such a machine refused in one line."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from oomctl.procfs.cgroup import Memcgs
from oomctl.procfs.opening import is_pid
from oomctl.procfs.reader import Procfs
from oomctl.procfs.reading import Malformed
from oomctl.procfs.workers import shared_out
from tests.commands.invoke import Ran, ask
from tests.proc_tree import ProcTree

JUNK = {
    "empty": b"",
    "a newline": b"\n",
    "NULs": b"\0" * 100,
    "binary": bytes(range(256)),
    "no UTF-8": b"\xff\xfe\xff\xfe",
    "a word": b"many\n",
    "an opening parenthesis": b"(",
    "parentheses the wrong way round": b")(",
    "a long number": b"9" * 4000,
    "a longer number": b"9" * 10_000,
    "a negative number": b"-99999999999999999999",
    "a float": b"1e99",
}
BAD_STAT = {
    "no parenthesis": b"11 endless S 1 11 11 0 -1 4194304",
    "too few fields": b"11 (endless) S 1 11 11",
    "a word for a number": b"11 (endless) S x y z" + b" w" * 40,
    "a huge parent": b"11 (endless) S 99999999999 11 11 0 -1 0" + b" 0" * 40,
    "a negative parent": b"11 (endless) S -1 11 11 0 -1 0" + b" 0" * 40,
    "it started after the end of time": b"11 (a) S 1 1 1 0 -1 0" + b" 0" * 12 + b" 99999999999999999 4096 9 0 0\n",
    "it started before the beginning": b"11 (a) S 1 1 1 0 -1 0" + b" 0" * 12 + b" -1 4096 9 0 0\n",
    "more memory than there can be": b"11 (a) S 1 1 1 0 -1 0" + b" 0" * 12 + b" 7 4096 " + b"9" * 30 + b" 0\n",
    "less memory than none": b"11 (a) S 1 1 1 0 -1 0" + b" 0" * 12 + b" 7 4096 -9 0 0\n",
}
BAD_STATUS = {
    "no owner": b"Name:\tx\nVmRSS:\t40 kB\n",
    "an empty owner": b"Name:\tx\nUid:\nVmRSS:\t40 kB\n",
    "an owner who is nobody's number": b"Name:\tx\nUid:\t99999999999\t0\nVmRSS:\t40 kB\n",
    "a cut line": b"Name:\tx\nUid:\t0\t0\t0\t0\nVmRSS:\t40 kB\nVmPTE:\t4",
    "a word for a size": b"Name:\tx\nUid:\t0\t0\t0\t0\nVmRSS:\t40 kB\nVmSwap:\tlots kB\n",
    "a huge size": b"Name:\tx\nUid:\t0\t0\t0\t0\nVmRSS:\t40 kB\nVmSwap:\t" + b"9" * 40 + b" kB\n",
    "capabilities that are none": b"Name:\tx\nUid:\t0\t0\t0\t0\nVmRSS:\t40 kB\nCapEff:\tall\n",
}
BAD_NUMBER = {"too high": b"1001\n", "too low": b"-1001\n", "huge": b"99999999999999\n"}
KINDS = [
    *(pytest.param(name, text, id=f"{name}: {kind}") for name in ("stat", "status") for kind, text in JUNK.items()),
    *(pytest.param("oom_score_adj", text, id=f"adj: {kind}") for kind, text in (JUNK | BAD_NUMBER).items()),
    *(pytest.param("oom_score", text, id=f"score: {kind}") for kind, text in JUNK.items() if "long" not in kind),
    *(pytest.param("stat", text, id=f"stat: {kind}") for kind, text in BAD_STAT.items()),
    *(pytest.param("status", text, id=f"status: {kind}") for kind, text in BAD_STATUS.items()),
]


@pytest.fixture
def two(proc_tree: ProcTree) -> ProcTree:
    """A process that is as it should be, 10, and one to be spoilt, 11."""
    proc_tree.write("sys/kernel/osrelease", "6.1.0\n")  # the killer's number is the one in stat
    proc_tree.mount_v2()
    for pid in (10, 11):
        proc_tree.add(pid, "quiet", 9000 + pid, uid=0, ppid=0, cgroup="0::/m\n")
        proc_tree.write(f"{pid}/cmdline", b"quiet\0")
    proc_tree.cgroup("/m", (10, 11), memory__max="409600000\n")
    return proc_tree


def pids_of_top(tree: ProcTree, *argv: str) -> tuple[set[int], int]:
    ran = ask(tree, "top", "--json", *argv)
    assert (ran.status, ran.stderr) == (0, "")
    document = json.loads(ran.stdout)
    return {process["pid"] for process in document["processes"]}, document["hidden_processes"]


def harmless(ran: Ran, statuses: tuple[int, ...] = (0,)) -> bool:
    """It came to an end that the manual knows, and says everything printably."""
    text = ran.stdout + ran.stderr
    return ran.status in statuses and all(char.isprintable() or char in "\n\t" for char in text)


@pytest.mark.parametrize(("name", "text"), KINDS)
def test_a_process_that_says_what_no_kernel_writes_is_hidden(two: ProcTree, name: str, text: bytes) -> None:
    two.write(f"11/{name}", text)
    assert pids_of_top(two) == ({10}, 1)
    assert pids_of_top(two, "-n", "5") == ({10}, 1)
    assert pids_of_top(two, "--cgroup", "/m") == ({10}, 1)
    assert "10 (quiet)" in ask(two, "simulate").stdout
    for argv in (["snapshot"], ["explain", "10"], ["set", "5", "quiet", "--dry-run"], ["simulate", "--nodes", "0"]):
        assert harmless(ask(two, *argv), (0, 7))


@pytest.mark.parametrize("name", ["stat", "status", "oom_score", "oom_score_adj"])
@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(Path.mkdir, id="a directory"),
        pytest.param(lambda path: path.symlink_to(path.name), id="a loop"),
        pytest.param(os.mkfifo, id="a FIFO"),
        pytest.param(lambda path: path.symlink_to("/dev/zero"), id="a device"),
        pytest.param(lambda path: path.symlink_to("/proc/self/mem"), id="EIO"),
    ],
)
def test_a_process_whose_files_are_none_is_hidden(two: ProcTree, name: str, spoil: Callable[[Path], None]) -> None:
    path = two.root / "11" / name
    path.unlink()
    spoil(path)
    assert pids_of_top(two) == ({10}, 1)
    assert pids_of_top(two, "-n", "5") == ({10}, 1)


def test_the_nearest_are_hidden_when_they_turn_out_to_be_malformed(two: ProcTree) -> None:
    status = (two.root / "11/status").read_bytes()
    two.write("11/status", status.replace(b"CapEff:\t", b"CapEff:\tx"))  # not looked at in a glance
    assert pids_of_top(two, "-n", "1") == ({10}, 1)


@pytest.mark.parametrize("text", [*JUNK.values(), b"0:/x\n", b"::\n", b"0::\n", b"0::x\n", b"0:://\n"])
def test_a_cgroup_of_any_text_is_survived(two: ProcTree, text: bytes) -> None:
    two.write("11/cgroup", text)
    for argv in (["top", "--json"], ["explain", "11"], ["simulate", "--for", "11"], ["snapshot"], ["top", "x.service"]):
        assert harmless(ask(two, *argv), (0, 1, 7))


@pytest.mark.parametrize("text", [*JUNK.values(), b"30 20 0:27 / /x rw - cgroup2", b"1 2 3 - cgroup x y\n"])
def test_a_mountinfo_of_any_text_is_survived(two: ProcTree, text: bytes) -> None:
    (two.root / "self/mountinfo").write_bytes(text)
    assert pids_of_top(two) == ({10, 11}, 0)
    asked = ask(two, "simulate", "--for", "10")  # it is in a cgroup whose limits cannot be looked at
    assert harmless(asked, (7,))
    assert asked.stderr.startswith("oomctl: 10 is in the cgroup /m, and no memory controller is mounted here")


@pytest.mark.parametrize(
    "text", [b"30 20 0:27 / /x\\000y rw - cgroup2 c rw\n", b"30 20 0:27 / \xff rw - cgroup2 c rw\n"]
)
def test_a_mount_point_of_any_name_is_survived(two: ProcTree, text: bytes) -> None:
    (two.root / "self/mountinfo").write_bytes(text)
    assert pids_of_top(two) == ({10, 11}, 0)


@pytest.mark.parametrize("text", JUNK.values(), ids=JUNK)
@pytest.mark.parametrize(
    "name",
    ["memory.max", "memory.current", "memory.stat", "memory.oom.group", "memory.swap.max", "memory.swap.current"],
)
def test_a_control_file_of_any_text_is_survived(two: ProcTree, name: str, text: bytes) -> None:
    (two.cgroup_mount / "m" / name).write_bytes(text)
    for argv in (["top", "--cgroup", "/m"], ["simulate", "--cgroup", "/m"], ["simulate", "--for", "10"], ["snapshot"]):
        assert harmless(ask(two, *argv), (0, 1))


@pytest.mark.parametrize("text", JUNK.values(), ids=JUNK)
def test_in_a_list_of_members_only_pids_are_members(two: ProcTree, text: bytes) -> None:
    (two.cgroup_mount / "m/cgroup.procs").write_bytes(b"10\n" + text + b"\n0\n10\n007\n1x\n")
    pids, hidden = pids_of_top(two, "--cgroup", "/m")
    assert pids == {10}
    assert hidden >= 1  # the 0 stands for somebody of another PID namespace


MACHINE = ("meminfo", "zoneinfo", "stat", "pressure/memory", "sys/kernel/osrelease", "sys/kernel/random/boot_id")
SETTINGS = ("sys/vm/panic_on_oom", "sys/vm/oom_kill_allocating_task", "sys/vm/swappiness")


@pytest.mark.parametrize("text", JUNK.values(), ids=JUNK)
@pytest.mark.parametrize("name", [*MACHINE, *SETTINGS])
def test_a_machine_wide_file_of_any_text_is_the_default_or_one_line(two: ProcTree, name: str, text: bytes) -> None:
    two.write(name, text)
    for argv in (
        ["top", "--json"],
        ["top"],
        ["simulate"],
        ["simulate", "--nodes", "0"],
        ["explain", "10"],
        ["snapshot"],
    ):
        ran = ask(two, *argv)
        assert harmless(ran, (0, 2, 7))
        assert ran.stderr.count("\n") == (0 if ran.status == 0 else 1)


@pytest.mark.parametrize(
    "text",
    [
        b"MemTotal: 4000\nMemFree: 300\n",
        b"MemTotal: 0 kB\n",
        b"MemTotal: " + b"9" * 50 + b" kB\n",
        b"MemTotal: 4000 kB",
        b"MemTotal: 1 kB\n",
        b"MemTotal: 4000 kB\nMemAvailable: lots\nSwapTotal: x kB\nSwapFree: -1 kB\n",
    ],
)
def test_a_meminfo_that_is_odd_is_survived(two: ProcTree, text: bytes) -> None:
    two.write("meminfo", text)
    for argv in (["top", "--json"], ["top"], ["simulate"], ["explain", "10"], ["snapshot"]):
        assert harmless(ask(two, *argv), (0, 7))


@pytest.mark.parametrize(
    "text",
    [
        "Node 0, zone Normal\n  pages free 99999999999999999999999\n        present 1\n",
        "Node 99999, zone Normal\n        present 100\n",
        "Node 0, zone Normal\n        present 100\nNode 0, zo",
        "Node 0, zone Normal\n        spanned 5\n",
    ],
)
def test_a_zoneinfo_that_is_odd_is_survived(two: ProcTree, text: str) -> None:
    two.write("zoneinfo", text)
    for argv in (["simulate", "--nodes", "0"], ["simulate", "--for", "10"], ["snapshot"]):
        assert harmless(ask(two, *argv), (0, 2, 7))


@pytest.mark.parametrize("nodes", ["0-", "x", "5-1", "99999", "0-9999", ""])
def test_nodes_and_policies_of_any_text_are_survived(two: ProcTree, nodes: str) -> None:
    two.write("zoneinfo", "Node 0, zone Normal\n        spanned 5000\n        present 5000\n")
    status = (two.root / "11/status").read_text()
    two.write("11/status", f"{status}Mems_allowed_list:\t{nodes}\n")
    two.write("11/numa_maps", f"00400000 bind:{nodes} file=/bin/x\n7f00 prefer:{nodes} anon=1")
    for argv in (["--nodes", "0"], ["--nodes", "0", "--mempolicy"], ["--for", "11"]):
        assert harmless(ask(two, "simulate", *argv))


@pytest.mark.parametrize(
    "name", ["007", "1x", "99999999", "1" * 200, "\N{SUPERSCRIPT TWO}", "\N{ARABIC-INDIC DIGIT THREE}"]
)
def test_what_no_kernel_calls_a_process_is_none(two: ProcTree, name: str) -> None:
    assert not is_pid(name)
    (two.root / "11").rename(two.root / name)
    assert pids_of_top(two) == ({10}, 0)
    assert pids_of_top(two, "-n", "5") == ({10}, 0)


def test_parents_in_a_circle_are_walked_once(two: ProcTree) -> None:
    two.add(10, "quiet", 9000, uid=0, ppid=11)
    two.add(11, "quiet", 9000, uid=0, ppid=10)
    assert harmless(ask(two, "explain", "10"))
    assert harmless(ask(two, "set", "5", "10", "--tree", "--dry-run"))
    assert [task.pid for task in two.procfs().ancestors(two.procfs().task(10))] == [11]


def test_an_ancestor_that_is_malformed_ends_the_walk(two: ProcTree) -> None:
    two.add(10, "quiet", 9000, uid=0, ppid=11)
    two.write("11/stat", b"(")
    assert two.procfs().ancestors(two.procfs().task(10)) == []


def test_children_of_any_text_are_survived(two: ProcTree) -> None:
    two.write("10/task/10/children", b"11 x -1 99999999999 12")  # cut in the last one
    two.write("10/task/junk/children", b"13 ")
    assert two.procfs().children(10) == [11]
    (two.root / "10/task/10/children").unlink()
    (two.root / "10/task/10/children").mkdir()
    assert two.procfs().children(10) == []


def test_children_beyond_the_first_page_are_found(two: ProcTree) -> None:
    pids = list(range(1_000_000, 1_060_000))
    two.write("10/task/10/children", "".join(f"{pid} " for pid in pids))
    assert two.procfs().children(10) == pids


def test_what_is_asked_of_a_malformed_process_has_no_answer(two: ProcTree, procfs: Procfs) -> None:
    for name in ("oom_score_adj", "statm", "stat", "comm"):
        two.write(f"11/{name}", b"\xff")
    assert (procfs.adj(11), procfs.comm(11), procfs.resident_pages(11)) == (None, "\N{REPLACEMENT CHARACTER}", 0)
    assert procfs.has_exited(11) is False
    with pytest.raises(Malformed):
        procfs.task(11)


def test_a_helper_that_is_killed_while_it_answers_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed at any byte: what arrives of its answer is not all of it."""
    import marshal

    here = os.getpid()
    whole = marshal.dumps

    def cut(value: object) -> bytes:
        return whole(value)[:100]  # type: ignore[arg-type]

    monkeypatch.setattr(marshal, "dumps", cut)
    assert shared_out(list, range(3000), cpus=2) == [list(range(0, 3000, 2)), list(range(1, 3000, 2))]
    assert os.getpid() == here


def test_a_path_without_an_end_has_few_ancestors(two: ProcTree) -> None:
    memcgs = Memcgs.of(two.procfs())
    assert memcgs is not None
    for path in ("", "x", "//", "//x", "/x/"):
        assert memcgs.ancestors(path)[-1] == "/"
