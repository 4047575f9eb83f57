"""set, protect, sacrifice and reset on a fake /proc: who is meant, what is said, what is written."""

from __future__ import annotations

import json
import re

import pytest

from tests.commands.invoke import Ran, ask
from tests.proc_tree import CONTAINER, LISTENER, ProcTree, adjs

THROWN_OUT = "a login session: whoever works in it would be the first to be thrown out (--force overrides)"
SESSION = "a login session: everything its user starts would inherit the protection (--force overrides)"


@pytest.fixture
def family(proc_tree: ProcTree) -> ProcTree:
    """A database of root: 10 -> 11 -> 12 by one name, 13 a helper of another, and 20, the same name of a user."""
    proc_tree.add(10, "db", 1000, uid=0)
    proc_tree.add(11, "db", 2000, uid=0, ppid=10)
    proc_tree.add(12, "db", 3000, uid=0, ppid=11)
    proc_tree.add(13, "helper", 4000, uid=0, ppid=12)
    proc_tree.add(20, "db", 5000, uid=54321)
    return proc_tree


def test_a_change_says_old_and_new_rank_and_next_victim(server: ProcTree) -> None:
    ran = ask(server, "set", "-500", "20")
    assert ran == Ran(
        0,
        "20 (java): oom_score_adj 0 -> -500, rank 1 -> rank 3\nnext victim: 20 (java) -> 11 (postgres)\n",
        "",
    )
    assert adjs(server, 20) == [-500]


def test_a_dry_run_says_the_same_and_writes_nothing(server: ProcTree) -> None:
    for option in ("--dry-run", "--dryrun"):
        ran = ask(server, "set", "-500", "20", option)
        assert ran == Ran(
            0,
            "20 (java): oom_score_adj would go 0 -> -500, rank 1 -> rank 3\nnext victim: 20 (java) -> 11 (postgres)\n",
            "",
        )
        assert adjs(server, 20) == [0]


def test_the_value_that_is_there_already_is_no_change(server: ProcTree) -> None:
    expected = "20 (java): oom_score_adj is 0 already, rank 1\nnext victim: 20 (java), as before\n"
    assert ask(server, "reset", "20") == Ran(0, expected, "")


@pytest.mark.parametrize(
    ("argv", "after"),
    [
        (["protect", "20"], -1000),
        (["protect", "--level", "-900", "20"], -900),
        (["sacrifice", "20"], 1000),
        (["sacrifice", "--level=700", "20"], 700),
        (["set", "-300", "20"], -300),
        (["set", "--", "-300", "20"], -300),
        (["set", "+300", "20"], 300),
        (["set", "20", "20"], 20),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_each_name_of_the_change_writes_its_value(server: ProcTree, argv: list[str], after: int) -> None:
    assert ask(server, *argv).status == 0
    assert adjs(server, 20) == [after]


def test_protected_processes_lose_their_rank(server: ProcTree) -> None:
    ran = ask(server, "protect", "20")
    assert ran.stdout.splitlines() == [
        "20 (java): oom_score_adj 0 -> -1000, rank 1 -> cannot be chosen",
        "next victim: 20 (java) -> 11 (postgres)",
    ]


def test_the_document_of_a_change(server: ProcTree) -> None:
    ran = ask(server, "protect", "java", "postgres", "--json")
    assert (ran.status, ran.stderr) == (0, "")
    assert ran.stdout.count("\n") == 1
    assert json.loads(ran.stdout) == {
        "schema": "oomctl.protect/1",
        "changes": [
            {
                "pid": 10,
                "comm": "postgres",
                "before": -100,
                "after": -1000,
                "status": "changed",
                "reason": None,
                "rank_before": 3,
                "rank_after": None,
                "warning": None,
            }
        ],
        "left_alone": [
            {
                "pid": 20,
                "comm": "java",
                "reason": "belongs to 54321, and anyone can use that name (--any-user takes it)",
            },
            {"pid": 11, "comm": "postgres", "reason": "child of another match, and still a candidate (--all takes it)"},
        ],
        "victim_before": {"pid": 20, "comm": "java", "oom_score_adj": 0},
        "victim_after": {"pid": 20, "comm": "java", "oom_score_adj": 0},
    }


def test_the_document_tells_every_status_apart(server: ProcTree) -> None:
    ran = ask(server, "set", "-100", "10", "20", "1", "40", "--json", "--dry-run")
    assert ran.status == 3
    changes = json.loads(ran.stdout)["changes"]
    assert {change["pid"]: change["status"] for change in changes} == {
        10: "unchanged",
        20: "dry-run",
        1: "refused",
        40: "refused",
    }
    assert [change["reason"] is None for change in changes] == [False, False, True, True]
    assert ran.stderr.count("\n") == 2


def test_lowering_goes_to_the_root_of_each_match(family: ProcTree) -> None:
    ran = ask(family, "set", "-500", "db", "--any-user")
    assert ran.status == 0
    assert adjs(family, 10, 11, 12, 13, 20) == [-500, 0, 0, 0, -500]
    assert "left alone: 2 processes: child of another match, and still a candidate (--all takes them)\n" in ran.stdout


def test_all_lowers_every_match(family: ProcTree) -> None:
    assert ask(family, "set", "-500", "db", "--all").status == 0
    assert adjs(family, 10, 11, 12, 13, 20) == [-500, -500, -500, 0, 0]


def test_tree_takes_all_descendants(family: ProcTree) -> None:
    assert ask(family, "set", "-500", "10", "--tree").status == 0
    assert adjs(family, 10, 11, 12, 13, 20) == [-500, -500, -500, -500, 0]


def test_raising_goes_to_every_match_of_any_user(family: ProcTree) -> None:
    ran = ask(family, "set", "500", "db")
    assert ran.status == 0
    assert adjs(family, 10, 11, 12, 13, 20) == [500, 500, 500, 0, 500]
    assert "left alone" not in ran.stdout


def test_whether_it_is_raised_or_lowered_is_each_process_s_own_question(proc_tree: ProcTree) -> None:
    """reset raises the protected one and lowers the others."""
    proc_tree.add(10, "db", 1000, uid=0, adj=-999)
    proc_tree.add(11, "db", 1000, uid=0, ppid=10, adj=500)
    ran = ask(proc_tree, "set", "-100", "db")
    assert ran.status == 0
    assert adjs(proc_tree, 10, 11) == [-100, 500]


def test_a_login_user_s_process_is_not_lowered_by_its_name(family: ProcTree) -> None:
    ran = ask(family, "set", "-500", "db")
    assert ran.status == 0
    assert adjs(family, 10, 20) == [-500, 0]
    reason = "left alone: 1 process: belongs to 54321, and anyone can use that name (--any-user takes it)"
    assert reason in ran.stdout.splitlines()


@pytest.mark.parametrize("target", ["20", "user:54321"])
def test_a_pid_and_an_owner_are_meant_as_they_are_said(family: ProcTree, target: str) -> None:
    assert ask(family, "set", "-500", target).status == 0
    assert adjs(family, 20) == [-500]


def test_when_all_matches_are_left_alone_the_status_is_refused(proc_tree: ProcTree) -> None:
    proc_tree.add(20, "sshd", uid=54321)
    ran = ask(proc_tree, "protect", "sshd")
    assert ran == Ran(
        6,
        "left alone: 1 process: belongs to 54321, and anyone can use that name (--any-user takes it)\n"
        "next victim: 20 (sshd), as before\n",
        "",
    )
    assert adjs(proc_tree, 20) == [0]


@pytest.mark.parametrize(
    ("comm", "cmdline"),
    [
        ("sshd", "sshd: ann@pts/0"),
        ("sshd", "sshd: ann [priv]"),
        ("sshd-session", "sshd-session: ann@pts/0"),
        ("sshd-auth", ""),
        ("login", "/bin/login -p --"),
    ],
)
def test_login_sessions_are_lowered_or_raised_only_by_force(proc_tree: ProcTree, comm: str, cmdline: str) -> None:
    proc_tree.add(20, comm, uid=0)
    proc_tree.write("20/cmdline", cmdline.encode().replace(b" ", b"\0"))
    if comm == "sshd":  # it writes its title with the spaces in it
        proc_tree.write("20/cmdline", cmdline.encode() + b"\0" * 20)
    assert ask(proc_tree, "protect", "20") == Ran(6, "", f"oomctl: 20 ({comm}): {SESSION}\n")
    assert adjs(proc_tree, 20) == [0]
    ran = ask(proc_tree, "set", "500", "20")
    assert ran == Ran(6, "", f"oomctl: 20 ({comm}): {THROWN_OUT}\n")
    assert adjs(proc_tree, 20) == [0]
    assert ask(proc_tree, "set", "500", "20", "--force").status == 0
    assert ask(proc_tree, "set", "-500", "20", "--force").status == 0
    assert adjs(proc_tree, 20) == [-500]


def test_the_ssh_listener_is_no_login_session(proc_tree: ProcTree) -> None:
    proc_tree.add(20, "sshd", uid=0)
    proc_tree.write("20/cmdline", LISTENER.encode() + b"\0")
    assert ask(proc_tree, "protect", "sshd").status == 0
    assert adjs(proc_tree, 20) == [-1000]


def test_what_is_advised_is_not_refused(family: ProcTree) -> None:
    """The options that the output names, each tried as it says, until nothing is left to protect."""
    argv = ["protect", "db", "--any-user"]
    advised: list[str] = []
    while (words := re.findall(r"\((--\S+) takes", ask(family, *argv, "--dry-run").stdout)) and len(advised) < 5:
        advised += words[:1]
        argv += words[:1]
        assert ask(family, *argv, "--dry-run").status == 0
    assert advised == ["--all", "--tree"]
    assert ask(family, *argv).status == 0
    assert adjs(family, 10, 11, 12, 13, 20) == [-1000] * 5


def test_children_of_another_name_are_told_to_stay_candidates(family: ProcTree) -> None:
    ran = ask(family, "protect", "12")
    assert "1 child or grandchild stays a candidate: 13 (helper) (--tree takes it as well)\n" in ran.stdout
    assert "stay" not in ask(family, "sacrifice", "13").stdout


def test_no_option_is_advised_for_sessions_of_sshd(proc_tree: ProcTree) -> None:
    proc_tree.add(20, "sshd", uid=0)
    proc_tree.write("20/cmdline", LISTENER.encode() + b"\0")
    proc_tree.add(21, "sshd", uid=0, ppid=20)
    proc_tree.write("21/cmdline", b"sshd: ann [priv]\0")
    proc_tree.add(22, "bash", uid=0, ppid=21)
    ran = ask(proc_tree, "protect", "sshd")
    assert "left alone: 1 process: child of another match, and still a candidate; a login session: " in ran.stdout
    assert "--" not in ran.stdout


def test_no_option_is_advised_for_what_is_a_session_as_well(proc_tree: ProcTree) -> None:
    proc_tree.add(20, "sshd-session", uid=54321)
    ran = ask(proc_tree, "protect", "sshd-session")
    assert ran.status == 6
    assert "belongs to 54321, and anyone can use that name; a login session: " in ran.stdout
    assert "--" not in ran.stdout
    assert ask(proc_tree, "protect", "sshd-session", "--any-user", "--dry-run").status == 6


def test_raising_sshd_asks_for_force(proc_tree: ProcTree) -> None:
    proc_tree.add(20, "sshd", uid=0)
    proc_tree.write("20/cmdline", LISTENER.encode() + b"\0")
    ran = ask(proc_tree, "set", "500", "sshd")
    assert ran == Ran(6, "", "oomctl: 20 (sshd): sshd: without it nobody can log in to help (--force overrides)\n")
    assert ask(proc_tree, "set", "500", "sshd", "--dry-run").status == 6
    assert ask(proc_tree, "set", "500", "sshd", "--force").status == 0
    assert adjs(proc_tree, 20) == [500]


def test_nobody_escapes_a_higher_value_by_the_name_of_sshd(proc_tree: ProcTree) -> None:
    proc_tree.add(20, "sshd", uid=54321)
    proc_tree.add(21, "sshd", uid=0, namespaces=CONTAINER)
    proc_tree.add(22, "sshd-session", uid=0, exe=proc_tree.program("own", 0o777))
    assert ask(proc_tree, "set", "500", "20", "21", "22").status == 0
    assert adjs(proc_tree, 20, 21, 22) == [500, 500, 500]


def test_pid_1_of_a_container_is_an_ordinary_process(proc_tree: ProcTree) -> None:
    """It is the container's main process, ranked and killable."""
    proc_tree.add(1, "app", uid=0, ppid=0, namespaces=CONTAINER)
    assert ask(proc_tree, "set", "500", "1").status == 0
    assert ask(proc_tree, "set", "-500", "1").status == 0
    assert adjs(proc_tree, 1) == [-500]


def test_pid_1_whose_namespace_cannot_be_seen_is_taken_for_the_machine_s(proc_tree: ProcTree) -> None:
    proc_tree.add(1, "systemd", uid=0, ppid=0, namespaces={})
    assert ask(proc_tree, "set", "500", "1").status == 6


def test_raising_many_at_once_asks_for_force(proc_tree: ProcTree) -> None:
    for pid in range(100, 121):
        proc_tree.add(pid, "worker", uid=0)
    ran = ask(proc_tree, "set", "500", "worker")
    assert ran == Ran(
        6,
        "",
        "oomctl: set: 21 processes would be raised at once; name at most 20, or use --force; nothing was changed\n",
    )
    assert adjs(proc_tree, *range(100, 121)) == [0] * 21
    ran = ask(proc_tree, "set", "500", "worker", "--dry-run")
    assert (ran.status, ran.stdout.count("would go")) == (0, 21)
    assert ran.stderr == (
        "oomctl: hint: set: 21 processes would be raised at once; without --dry-run that takes --force, or a yes on a"
        " terminal\n"
    )
    assert ask(proc_tree, "set", "500", "worker", "--force").status == 0
    assert adjs(proc_tree, *range(100, 121)) == [500] * 21
    assert ask(proc_tree, "set", "400", "worker").status == 0  # lowering them again is no risk
    (proc_tree.root / "120").rename(proc_tree.root / "ended")
    assert ask(proc_tree, "set", "600", "worker").status == 0


@pytest.mark.parametrize("pid", [1, 40])
def test_pid_1_and_kernel_threads_are_refused_unless_forced(server: ProcTree, pid: int) -> None:
    assert ask(server, "set", "-500", str(pid)).status == 6
    assert adjs(server, pid) == [0]
    assert ask(server, "set", "-500", str(pid), "--force").status == 0
    assert adjs(server, pid) == [-500]


def test_a_zombie_is_refused(proc_tree: ProcTree) -> None:
    proc_tree.add(20, "gone", state="Z", has_memory=False, flags=4, score=0)
    expected = "oomctl: 20 (gone): it has already exited and only waits to be reaped\n"
    assert ask(proc_tree, "protect", "20") == Ran(6, "", expected)


def test_partial_success_has_its_own_status(server: ProcTree) -> None:
    ran = ask(server, "set", "500", "20", "nosuch")
    assert ran.status == 3
    assert ran.stderr == "oomctl: nosuch: no process matches\n"
    assert adjs(server, 20) == [500]
    ran = ask(server, "set", "-500", "20", "1")
    assert ran.status == 3
    assert ran.stderr.startswith("oomctl: 1 (systemd): PID 1: ")
    assert adjs(server, 20, 1) == [-500, 0]


def test_a_process_named_twice_is_changed_once(server: ProcTree) -> None:
    ran = ask(server, "set", "500", "20", "java", "user:54321")
    assert ran.stdout.splitlines()[0].startswith("20 (java): oom_score_adj 0 -> 500")
    assert ran.stdout.count("(java): oom_score_adj") == 1


def test_a_value_that_something_else_changed_meanwhile_is_no_success(server: ProcTree) -> None:
    """Writing 5 over the four bytes of -100 leaves 5100 in a file that is no kernel's: it was not taken."""
    server.write("20/oom_score_adj", "-100\n")
    ran = ask(server, "set", "500", "20")
    assert ran.status == 4
    assert ran.stdout == ""
    assert ran.stderr == "oomctl: 20 (java): something else sets it, too: the kernel took 500, but 5000 was read back\n"


def test_nobody_is_left_to_be_chosen(proc_tree: ProcTree) -> None:
    proc_tree.add(20, "last", uid=0)
    assert ask(proc_tree, "protect", "last").stdout.splitlines()[-1] == "next victim: 20 (last) -> nobody"


def test_the_sacrificed_one_becomes_the_next_victim(proc_tree: ProcTree) -> None:
    proc_tree.add(20, "big", 9000, uid=0)
    proc_tree.add(21, "small", 500, uid=0)
    ran = ask(proc_tree, "sacrifice", "small", "--dry-run")
    assert ran.stdout.splitlines() == [
        "21 (small): oom_score_adj would go 0 -> 1000, rank 2 -> rank 1",
        "next victim: 20 (big) -> 21 (small)",
    ]


def test_never_killing_it_in_a_limited_cgroup_suggests_one_less(proc_tree: ProcTree) -> None:
    """At -1000 the cgroup's own limit has nobody to take; something else dies there, or the cgroup hangs."""
    proc_tree.mount_v2()
    proc_tree.cgroup("/pod", memory__max="819200000")
    proc_tree.cgroup("/pod/db", (10,), memory__max="max")
    proc_tree.add(10, "db", uid=0, cgroup="0::/pod/db\n")
    proc_tree.add(11, "other", uid=0)
    expected = (
        "oomctl: hint: at -1000 the limit of cgroup /pod cannot take 10 (db) either;"
        " --level -999 is nearly as strong and keeps that limit working\n"
    )
    ran = ask(proc_tree, "protect", "db")
    assert (ran.status, ran.stderr) == (0, expected)
    assert ask(proc_tree, "protect", "--level", "-999", "db", "--dry-run").stderr == ""
    assert ask(proc_tree, "protect", "other").stderr == ""
