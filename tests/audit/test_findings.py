"""Each check: the situation is made, it is found, its remedy is run, and it is gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from oomctl.audit.catalogue import AT_ONCE, IDS
from tests.audit.situations import MENDED_HERE, SITUATIONS, check, mend
from tests.commands.invoke import ask
from tests.proc_tree import LISTENER, ProcTree, adjs

NAMES = sorted(SITUATIONS)


@pytest.fixture
def quiet(proc_tree: ProcTree) -> ProcTree:
    """A machine of which no check has anything to say."""
    proc_tree.add(1, "systemd", 300, score=0, uid=0, ppid=0)
    proc_tree.add(2000, "worker", 5_000)
    proc_tree.write("swaps", "Filename\tType\tSize\tUsed\tPriority\n/dev/sda2\tpartition\t1048572\t0\t-2\n")
    proc_tree.write("sys/kernel/sysrq", "1\n")
    return proc_tree


@pytest.fixture(autouse=True)
def _with_capability(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oomctl.audit.look.has_sys_resource", lambda procfs: True)


def test_a_quiet_machine_has_no_finding(quiet: ProcTree) -> None:
    assert check(quiet) == (ask(quiet, "check", "--json"), [])
    assert ask(quiet, "check").status == 0
    assert ask(quiet, "check").stdout == f"{len(AT_ONCE)} checks, nothing found\n"


@pytest.mark.parametrize("name", NAMES)
def test_a_situation_is_found_and_its_remedy_mends_it(quiet: ProcTree, name: str) -> None:
    situation, wanted = SITUATIONS[name], name.partition(" ")[0]
    if name.startswith("no-swap"):
        (quiet.root / "swaps").unlink()
    situation.make(quiet)
    ran, found = check(quiet, *situation.asked, "--only", wanted)
    assert (ran.status, len(found)) == (1, 1), found
    finding = found[0]
    assert (finding["id"], finding["severity"], tuple(finding["pids"])) == (wanted, situation.severity, situation.pids)
    remedy = finding["remedy"]
    if situation.remedy is None:
        assert remedy is None
        return
    assert remedy.startswith(situation.remedy.format(cgroups=quiet.cgroup_mount))
    if not remedy.startswith(MENDED_HERE):
        return
    mended = mend(quiet, remedy)
    assert mended.status == 0, mended.stderr
    if wanted == "v1-oom-disabled":  # the kernel's file says it in more words than are written there
        text = (quiet.cgroup_mount / "app/memory.oom_control").read_text()
        (quiet.cgroup_mount / "app/memory.oom_control").write_text(f"oom_kill_disable {text}")
    assert check(quiet, *situation.asked, "--only", wanted)[1] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_situation_is_no_other_check_s_business(quiet: ProcTree, name: str) -> None:
    """But for those that are two things at once."""
    also = {
        "memcg-unkillable": {"futile-victim"},
        "old-scale 15": {"futile-victim"},
        "no-swap": {"other-killer"},
        "user-service-first": {"futile-victim"},
    }
    if name.startswith("no-swap"):
        (quiet.root / "swaps").unlink()
    SITUATIONS[name].make(quiet)
    found = {finding["id"] for finding in check(quiet, *SITUATIONS[name].asked)[1]}
    assert found - also.get(name, set()) == {name.partition(" ")[0]}


def test_the_sshd_that_listens_is_no_protected_session(quiet: ProcTree) -> None:
    quiet.add(10, "sshd", adj=-1000, uid=0, cgroup="0::/system.slice/ssh.service\n")
    quiet.write("10/cmdline", LISTENER)
    quiet.add(11, "sshd", uid=0, ppid=10)
    quiet.write("11/cmdline", "sshd: ann@pts/0")
    quiet.add(12, "bash", ppid=11)
    assert check(quiet)[1] == []


@pytest.mark.parametrize(
    ("comm", "adj", "cgroup"),
    [
        pytest.param("pause", -998, "0::/kubepods.slice/cri-containerd-1.scope\n", id="the sandbox of a pod"),
        pytest.param("app", -997, "0::/kubepods.slice/kubepods-pod1.slice/x.scope\n", id="a guaranteed pod"),
        pytest.param("dbus-daemon", -900, "0::/system.slice/dbus.service\n", id="dbus"),
        pytest.param("systemd-journal", -250, "0::/system.slice/systemd-journald.service\n", id="journald"),
        pytest.param("snapd", -900, "0::/system.slice/snapd.service\n", id="snapd"),
        pytest.param("firefox", 200, "0::/user.slice/user-1000.slice/user@1000.service/a.scope\n", id="an app"),
    ],
)
def test_what_is_meant_so_is_no_finding(quiet: ProcTree, comm: str, adj: int, cgroup: str) -> None:
    quiet.add(90, comm, adj=adj, uid=0 if adj < 0 else 1000, cgroup=cgroup)
    quiet.add(91, "large", 400_000, adj=250)
    assert check(quiet)[1] == []


def test_a_postgres_in_a_container_is_its_own_business(quiet: ProcTree) -> None:
    quiet.add(60, "postgres", uid=999, cgroup="12:cpu:/\n0::/system.slice/docker-4f2a.scope\n")
    assert check(quiet, "--only", "postgres-unguarded")[1] == []


def test_before_anybody_holds_much_a_user_s_own_services_are_no_finding(quiet: ProcTree) -> None:
    manager = "0::/user.slice/user-1000.slice/user@1000.service/init.scope\n"
    quiet.add(90, "systemd", 4_900, adj=100, cgroup=manager)
    quiet.add(92, "small", 200, adj=200)
    for number in ("user-service-first", "futile-victim"):
        assert check(quiet, "--only", number)[1] == []
    quiet.add(91, "database", 102_000)
    assert check(quiet, "--only", "futile-victim")[1] != []
    quiet.add(92, "small", 200)
    assert check(quiet, "--only", "user-service-first")[1] != []


def test_the_worst_comes_first_and_ids_keep_their_order(quiet: ProcTree) -> None:
    for name in ("sysrq-oom", "old-scale -17", "panic-on-oom 2"):
        SITUATIONS[name].make(quiet)
    found = check(quiet)[1]
    assert [finding["severity"] for finding in found] == ["critical", "warning", "info"]


def test_targets_leave_what_concerns_them(quiet: ProcTree) -> None:
    SITUATIONS["old-scale -17"].make(quiet)
    SITUATIONS["panic-on-oom 2"].make(quiet)
    assert [finding["id"] for finding in check(quiet, "cron")[1]] == ["old-scale"]
    assert check(quiet, "worker")[1] == []
    ran = ask(quiet, "check", "nobody-here")
    assert (ran.status, ran.stdout, ran.stderr) == (1, "", "oomctl: nobody-here: no process matches\n")


def test_a_check_can_be_left_out_or_be_the_only_one(quiet: ProcTree) -> None:
    SITUATIONS["old-scale -17"].make(quiet)
    SITUATIONS["panic-on-oom 1"].make(quiet)
    assert [finding["id"] for finding in check(quiet, "--ignore", "old-scale")[1]] == ["panic-on-oom"]
    assert [finding["id"] for finding in check(quiet, "--only", "old-scale")[1]] == ["old-scale"]
    assert check(quiet, "--min-severity", "critical")[1] == []


@pytest.mark.parametrize("option", ["--only", "--ignore", "--explain"])
def test_a_check_that_does_not_exist_is_refused(quiet: ProcTree, option: str) -> None:
    ran = ask(quiet, "check", option, "nonsense")
    assert (ran.status, ran.stdout) == (2, "")
    assert ran.stderr == "oomctl: no check is called 'nonsense'; oomctl check --explain all lists them\n"


def test_every_check_is_explained(quiet: ProcTree) -> None:
    for name in IDS:
        ran = ask(quiet, "check", "--explain", name)
        assert ran.status == 0
        assert ran.stdout.startswith(f"{name}: ")
        assert len(ran.stdout.splitlines()) == 3
    assert all(f"{name}: " in ask(quiet, "check", "--explain", "all").stdout for name in IDS)


def test_kills_are_told_once(quiet: ProcTree) -> None:
    quiet.write("vmstat", "oom_kill 3\n")
    assert check(quiet, "--only", "kills-seen")[1] == []  # of the time before nothing is known
    quiet.write("vmstat", "oom_kill 5\n")
    assert check(quiet, "worker", "--only", "kills-seen")[1] == []
    assert check(quiet, "--ignore", "kills-seen")[1] == []
    (finding,) = check(quiet)[1]
    assert (finding["id"], finding["remedy"]) == ("kills-seen", "oomctl history last")
    assert finding["message"] == "2 processes have been killed by the kernel since the last check"
    assert check(quiet)[1] == []


def test_kills_that_nobody_was_told_of_are_told_next_time(quiet: ProcTree) -> None:
    quiet.write("vmstat", "oom_kill 3\n")
    check(quiet)
    quiet.write("vmstat", "oom_kill 4\n")
    SITUATIONS["sysrq-oom"].make(quiet)
    assert check(quiet, "--min-severity", "critical")[1] == []
    assert [finding["id"] for finding in check(quiet, "--min-severity", "warning")[1]] == ["kills-seen"]
    assert check(quiet, "--min-severity", "warning")[1] == []


def test_after_a_restart_all_kills_are_new(quiet: ProcTree) -> None:
    quiet.write("vmstat", "oom_kill 3\n")
    check(quiet)
    quiet.write("sys/kernel/random/boot_id", "8d3a2c7e-0000-4000-8000-000000000002\n")
    quiet.write("vmstat", "oom_kill 1\n")
    assert check(quiet, "--only", "kills-seen")[1][0]["message"].startswith("1 process has been killed")


def test_names_are_harmless_and_remedies_quoted(quiet: ProcTree) -> None:
    quiet.mount_v2()
    quiet.add(40, b"\x1b[31mred", adj=-1000, cgroup="0::/a; touch x\n")
    quiet.add(41, "b", cgroup="0::/a; touch x\n")
    quiet.cgroup("/a; touch x", (40, 41), memory__max=f"{1 << 30}\n", memory__oom__group="1\n", memory__stat="")
    ran = ask(quiet, "check")
    assert "\x1b" not in ran.stdout
    SITUATIONS["old-scale -17"].make(quiet)
    (blast,) = (one for one in check(quiet, "--config", str(_low(quiet)))[1] if one["id"] == "group-blast")
    assert blast["remedy"] == f"echo 0 > '{quiet.cgroup_mount}/a; touch x/memory.oom.group'"


def _low(tree: ProcTree) -> Path:
    path = tree.root.parent / "check.toml"
    path.write_text("[thresholds]\ngroup_blast_processes = 1\n")
    return path


def test_more_than_twenty_are_raised_with_force(quiet: ProcTree) -> None:
    quiet.mount_v2()
    pids = tuple(range(100, 125))
    for pid in pids:
        quiet.add(pid, "app", adj=-1000, cgroup="0::/app\n")
    quiet.cgroup("/app", pids, memory__max=f"{1 << 30}\n", memory__stat="")
    (finding,) = check(quiet, "--only", "memcg-unkillable")[1]
    assert mend(quiet, finding["remedy"]).status == 0
    assert set(adjs(quiet, *pids)) == {-999}
