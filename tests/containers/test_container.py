"""The image of the package, run by the lines of its page; what it answers is compared with the host's answers."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands.invoke import ROOT, answered, program
from tests.containers.engine import BASE, Engine, asking, documented, replaced
from tests.kernel_live.memcgs import ToyCgroup
from tests.kernel_live.toys import MIB, PAGE, Nursery, Toy
from tests.kernel_live.trials import kill_at_limit, large_and_small
from tests.privileges import NOBODY
from tests.processes import Sleeper, adj_of

pytestmark = pytest.mark.container

[LOOK] = documented("Look at the host")
KERNEL_LOG, PIPED_LOG = documented("Past kills")
SET, UNDO, WATCH = documented("Change values")
[BESIDE] = documented("One container")
WITHOUT_CGROUPS = replaced(LOOK, {" -v /sys/fs/cgroup:/host/sys/fs/cgroup:ro": ""})
WITHOUT_PROC = replaced(LOOK, {" -v /proc:/host/proc:ro": ""})
SAME = ("outcome", "certainty", "constraint", "memcg", "totalpages", "error_bound_pages")


@pytest.fixture
def toys(nursery: Nursery, cgroup: ToyCgroup) -> tuple[int, int]:
    """A large one and a small one in a cgroup with a limit."""
    return large_and_small(nursery, cgroup)


@pytest.fixture
def shop(engine: Engine) -> Iterator[int]:
    """A container of that name with a limit; its first process, by the host's number."""
    engine.done("docker run -d --name shop --network none -m 64m --entrypoint sleep oomadm 300")
    try:
        yield int(engine.done("docker inspect --format '{{.State.Pid}}' shop"))
    finally:
        engine.done("docker rm --force --time 0 shop")


def test_the_manual_has_the_same_line_to_look() -> None:
    page = (ROOT / "man" / "oomctl-guide.7").read_text()
    shown = re.findall(r"^docker run (?:.*\\e\n)*.*$", page, re.MULTILINE)
    assert [" ".join(line.replace("\\e\n", " ").replace("\\-", "-").split()) for line in shown] == [
        " ".join(LOOK.split())
    ]


def test_the_package_alone_is_sent(engine: Engine) -> None:
    (engine.home / "probe").write_text(f"FROM {BASE}\nCOPY . /sent\nRUN find /sent -type f | sed 's/^/found /'\n")
    built = engine.done(f"docker build --no-cache -f {engine.home}/probe .")
    [found] = [line for line in built.splitlines() if line.startswith("found ")]
    assert found.startswith("found /sent/dist/oomadm_")


def test_the_image_keeps_no_lists_of_apt(engine: Engine) -> None:
    assert engine.done("docker run --rm --network none --entrypoint ls oomadm /var/lib/apt/lists") == ""


def test_the_victim_is_the_one_that_the_host_names(engine: Engine, toys: tuple[int, int], cgroup: ToyCgroup) -> None:
    for argv in (("--cgroup", f"{cgroup.path}/inner"), ("--for", str(toys[1]))):
        here = answered(program("simulate", *argv, "--json"))
        there = answered(engine.shell(asking(LOOK, "simulate", *argv, "--json")))
        assert here["victim"]["pid"] == there["victim"]["pid"] == toys[0]
        assert [there[key] for key in SAME] == [here[key] for key in SAME]


def test_the_line_of_the_page_answers_for_the_whole_machine(engine: Engine) -> None:
    answer = answered(engine.shell(f"{LOOK} --json"))
    assert (answer["constraint"], answer["outcome"]) == ("none", "kill")
    listed = answered(engine.shell(asking(LOOK, "top", "--json")))
    assert (listed["hidden_processes"], 1 in {task["pid"] for task in listed["processes"]}) == (0, True)


def test_every_other_look_needs_no_more(engine: Engine, toys: tuple[int, int]) -> None:
    explained = answered(engine.shell(asking(LOOK, "explain", str(toys[0]), "--json")))
    assert [process["pid"] for process in explained["processes"]] == [toys[0]]
    assert answered(engine.shell(asking(LOOK, "snapshot")))["schema"] == "oomctl.scenario/1"
    assert "oomctl_outcome" in engine.done(asking(LOOK, "metrics"))
    assert engine.shell(asking(LOOK, "check")).status in (0, 1)
    assert engine.shell(asking(LOOK, "forecast", "--over", "2s", "--json")).status in (0, 1)


@pytest.mark.parametrize(
    ("user", "why"),
    [
        (" --user 65534:65534", "it belongs to uid 0, not to you (uid 65534); "),
        ("", "/host/proc is mounted read-only; "),
    ],
    ids=["nobody", "root"],
)
def test_who_looks_cannot_write(engine: Engine, sleeper: Sleeper, user: str, why: str) -> None:
    pid = sleeper().pid
    ran = engine.shell(asking(replaced(LOOK, {" --user 65534:65534": user}), "set", "500", str(pid)))
    assert (ran.status, ran.stdout, adj_of(pid)) == (4, "", 0)
    [line] = ran.stderr.splitlines()
    assert line.startswith(f"oomctl: {pid} (sleep): {why}")


def test_the_kernel_s_log_has_the_host_s_kills(engine: Engine, cgroup: ToyCgroup, nursery: Nursery) -> None:
    toy = nursery.start(Toy(cgroup, grows_pages=64 * MIB // PAGE, name="grower"))
    kill_at_limit(cgroup, toy)
    for line in (KERNEL_LOG, PIPED_LOG):
        events = answered(engine.shell(f"{line} --json"))["events"]
        assert [event["victim"]["pid"] for event in events if event["memcg"] == cgroup.path] == [toy.pid]
    ran = engine.shell(replaced(KERNEL_LOG, {" --cap-add syslog": ""}))
    if Path("/proc/sys/kernel/dmesg_restrict").read_text() == "1\n":
        assert (ran.status, "root lacks CAP_SYSLOG here" in ran.stderr) == (4, True), ran


def test_a_value_is_set_and_taken_back(engine: Engine, sleeper: Sleeper) -> None:
    pid = sleeper(*NOBODY, "sleep", "300").pid
    assert f"{pid} (sleep): oom_score_adj 0 -> 500, " in engine.done(replaced(SET, {" 812": f" {pid}"}))
    assert adj_of(pid) == 500
    assert f"{pid} (sleep): oom_score_adj 500 -> 0, " in engine.done(UNDO)
    assert adj_of(pid) == 0


def test_each_right_to_write_is_missed(engine: Engine, sleeper: Sleeper) -> None:
    pid = sleeper(*NOBODY, "sleep", "300").pid
    line = replaced(SET, {" 812": f" {pid}"})
    for left_out, why in (
        (" --cap-add dac_override", "it belongs to uid 65534, and root here lacks CAP_DAC_OVERRIDE"),
        ("set 500", "needs CAP_SYS_RESOURCE; this container or VM lacks it"),
    ):
        ran = engine.shell(replaced(line, {left_out: "" if left_out != "set 500" else "protect"}))
        assert (ran.status, adj_of(pid)) == (4, 0), ran
        assert ran.stderr.startswith(f"oomctl: {pid} (sleep): {why}")
    ran = engine.shell(replaced(line, {" -v oomadm:/root/.local/state/oomctl": ""}))
    assert (ran.status, adj_of(pid), "undo will not know of it" in ran.stderr) == (0, 500, True)


def test_root_of_a_user_namespace_cannot_write(engine: Engine, sleeper: Sleeper) -> None:
    pid = sleeper(*NOBODY, "sleep", "300").pid
    mapped = {" 812": f" {pid}", " run": " run --uidmap 0:100000:65536", " -v oomadm:/root/.local/state/oomctl": ""}
    ran = engine.shell(replaced(SET, mapped))
    assert (ran.status, adj_of(pid)) == (4, 0), ran
    assert ran.stderr.startswith(f"oomctl: {pid} (sleep): its user is not one of this user namespace")


def test_the_policy_service_keeps_the_host_s_rules(
    engine: Engine, toys: tuple[int, int], cgroup: ToyCgroup, tmp_path: Path
) -> None:
    # Only these toys: whatever else is on this machine belongs to somebody else.
    rule = f'[[rule]]\ntarget = "cgroup:{cgroup.path}/inner"\nadj = 321\nreason = "a test"\n'
    (tmp_path / "policy.toml").write_text(rule)
    engine.done(replaced(WATCH, {" -v /etc/oomctl:": f" -v {tmp_path}:"}))
    try:
        deadline = time.monotonic() + 60
        while [adj_of(pid) for pid in toys] != [321, 321]:
            assert time.monotonic() < deadline, engine.shell("docker logs oomadm-policy")
            time.sleep(0.2)
    finally:
        engine.done("docker rm --force --time 5 oomadm-policy")


def test_a_container_is_asked_from_beside_it(engine: Engine, shop: int) -> None:
    here = answered(program("simulate", "--for", str(shop), "--json"))
    there = answered(engine.shell(f"{BESIDE} --json"))
    assert (here["victim"]["pid"], there["victim"]["pid"]) == (shop, 1)
    assert [there[key] for key in ("outcome", "constraint", "totalpages")] == ["kill", "memcg", 64 * MIB // PAGE]
    assert here["totalpages"] == there["totalpages"]
    ran = engine.shell(
        replaced(BESIDE, {" -v /sys/fs/cgroup:/host/sys/fs/cgroup:ro": "", " --cgroup-root /host/sys/fs/cgroup": ""})
    )
    assert (ran.status, ran.stdout, ran.stderr.count("\n")) == (7, "", 1), ran
    assert "which shows only a part of them" in ran.stderr


def test_a_plain_run_answers_for_its_own_container(engine: Engine) -> None:
    ran = engine.shell("docker run --rm --network none oomadm top")
    assert (ran.status, len(ran.stdout.splitlines())) == (0, 1)
    assert ran.stderr.startswith("oomctl: no process is visible from here: ")


@pytest.mark.parametrize(
    ("line", "asked", "why"),
    [
        (WITHOUT_PROC, "top", "/host/proc/sys/kernel/osrelease: No such file or directory; "),
        (WITHOUT_CGROUPS, "top", "cgroup root /host/sys/fs/cgroup: no such directory"),
        (WITHOUT_CGROUPS, "simulate --for PID", "cgroup root /host/sys/fs/cgroup: no such directory"),
        (LOOK.replace("/sys/fs/cgroup:/host", "/usr:/host"), "top", "cgroup root /host/sys/fs/cgroup: no memory cg"),
        (LOOK.replace("/proc:/host", "/usr:/host"), "top", "/host/proc/sys/kernel/osrelease: No such file or dire"),
    ],
    ids=["no proc", "no cgroups", "no limit", "no cgroups there", "no proc there"],
)
def test_what_is_not_mounted_is_named(engine: Engine, toys: tuple[int, int], line: str, asked: str, why: str) -> None:
    ran = engine.shell(asking(line, asked.replace("PID", str(toys[0]))))
    assert (ran.status, ran.stdout, ran.stderr.count("\n")) == (7, "", 1), ran
    assert ran.stderr.startswith(f"oomctl: {why}")


@pytest.mark.parametrize("how", ["--cgroupns host", "--cgroupns private", "--uidmap 0:100000:65536"])
def test_the_namespaces_of_the_container_change_no_answer(
    engine: Engine, toys: tuple[int, int], cgroup: ToyCgroup, how: str
) -> None:
    line = replaced(LOOK, {" run": f" run {how}"})
    there = answered(engine.shell(asking(line, "simulate", "--for", str(toys[1]), "--json")))
    assert (there["victim"]["pid"], there["memcg"], there["certainty"]) == (toys[0], f"{cgroup.path}/inner", "certain")


def test_a_host_s_process_is_not_written_without_a_word(engine: Engine, sleeper: Sleeper) -> None:
    pid = sleeper().pid
    line = replaced(SET, {" --proc /host/proc": "", " /proc:/host/proc": " /proc:/proc", " 812": f" {pid}"})
    ran = engine.shell(line)
    assert (ran.status, ran.stdout, adj_of(pid)) == (7, "", 0), ran
    assert ran.stderr.startswith("oomctl: /proc is that of another PID namespace, ")
