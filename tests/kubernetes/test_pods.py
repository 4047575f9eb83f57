"""The pods of examples/kubernetes, run by runc with their mounts, namespaces, user and capabilities, on this kernel."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.commands.invoke import program
from tests.kernel_live.memcgs import ToyCgroup
from tests.kernel_live.toys import MIB, PAGE, Nursery, Toy
from tests.kubernetes import manifests
from tests.kubernetes.pods import Pod, has, pod
from tests.pods.kubelet import ID, UID, VarLog
from tests.privileges import NOBODY
from tests.processes import Sleeper, adj_of

pytestmark = [pytest.mark.kernel, pytest.mark.kubernetes]

METRICS = "oomadm-metrics"
POLICY = "oomadm-policy"
TEXTFILES = "/var/lib/node_exporter/textfile_collector"
NO_LOWERING = frozenset({"SYS_RESOURCE"})
UNLIKE_IN_A_POD = {"no-capability", "kills-seen", "postgres-unguarded"}
"""Findings that take capabilities, the kernel's log, or a look into other processes; the README names them."""
UNLIKE_IN_TIME = ("_seconds", "_bytes", "oomctl_processes", "oomctl_check_findings", *UNLIKE_IN_A_POD)
"""Parts of samples that may be another number a moment later, or are another one in the pod."""


@pytest.fixture
def victim(nursery: Nursery, cgroup: ToyCgroup) -> int:
    """The machine's next victim, in a container of a pod."""
    inside = cgroup.child("besteffort").child("pod" + "0123456789abcdef" * 2).child("ab" * 32)
    inside.limit_bytes = 256 * MIB
    return nursery.start(Toy(inside, pages=128 * MIB // PAGE, adj=1000, name="oomtoy")).pid


@contextmanager
def metrics(tmp_path: Path, cgroup: ToyCgroup, node: dict[str, Path], seconds: str = "60") -> Iterator[Pod]:
    """The metrics pod, with that time between two turns."""
    spec = manifests.pod_spec(METRICS)
    command = [word.replace("sleep 60", f"sleep {seconds}") for word in spec["containers"][0]["command"]]
    directory = tmp_path / "metrics"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    with pod(spec, directory, cgroup, node, command=command) as found:
        yield found


@contextmanager
def policy(
    tmp_path: Path,
    cgroup: ToyCgroup,
    rules: str,
    without: frozenset[str] = NO_LOWERING,
    before: Sequence[str] = (),
) -> Iterator[Pod]:
    """The policy pod, with other rules."""
    directory = tmp_path / "policy"
    directory.mkdir()
    lacking = frozenset(name for name in ("SYS_RESOURCE", "SYS_PTRACE", "DAC_OVERRIDE") if not has(name))
    spec = manifests.pod_spec(POLICY)
    texts = {"policy.toml": rules}
    with pod(spec, directory, cgroup, without=without | lacking, texts=texts, before=before) as found:
        yield found


def rule(target: str, adj: int) -> str:
    return f"[[rule]]\ntarget = {json.dumps(target)}\nadj = {adj}\n"


def answered(ran: subprocess.CompletedProcess[str]) -> Any:
    assert ran.returncode == 0, ran
    return json.loads(ran.stdout)


def written(node: dict[str, Path]) -> str:
    return (node[TEXTFILES] / "oomctl.prom").read_text()


def lasting(text: str) -> list[str]:
    """Return the samples that have to be the same a moment later."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return [line for line in lines if not any(word in line for word in UNLIKE_IN_TIME)]


def findings(text: str) -> set[str]:
    """Return what is found, and can be from the pod."""
    return {one["id"] for one in json.loads(text)["findings"]} - UNLIKE_IN_A_POD


@pytest.fixture
def program_of_the_node(tmp_path: Path) -> Path:
    """A program that only root can change, where the image has none."""
    path = tmp_path / "oomtoy-of-node"
    shutil.copy("/bin/sleep", path)
    path.chmod(0o755)
    return path


def test_the_readme_says_which_findings_are_others_in_the_pod() -> None:
    readme = (manifests.DIRECTORY / "README.md").read_text()
    assert [name for name in UNLIKE_IN_A_POD if f"`{name}`" not in readme] == []


class TestMetrics:
    def test_the_file_says_what_the_node_says(
        self, tmp_path: Path, cgroup: ToyCgroup, node: dict[str, Path], victim: int
    ) -> None:
        with metrics(tmp_path, cgroup, node, seconds="0.1") as found:
            while not (node[TEXTFILES] / "oomctl.prom").exists():
                assert found.output() == ""
            here, there = program("metrics"), written(node)
            deadline = time.monotonic() + 60  # others come and go between two looks
            while lasting(there) != lasting(here.stdout) and time.monotonic() < deadline:
                time.sleep(0.3)
                here, there = program("metrics"), written(node)
        assert (here.status, here.stderr) == (0, "")
        assert 'oomctl_next_victim_info{scope="machine",comm="oomtoy",unit=""} 1' in there.splitlines()
        assert 'oomctl_prediction_certain{scope="machine"} 1' in there.splitlines()
        assert 'oomctl_processes{state="hidden"} 0' in there.splitlines()
        assert lasting(there) == lasting(here.stdout)
        assert list(node[TEXTFILES].glob("*.prom")) == [node[TEXTFILES] / "oomctl.prom"]

    def test_the_file_is_whole_whenever_the_pod_is_killed(
        self, tmp_path: Path, cgroup: ToyCgroup, node: dict[str, Path], victim: int
    ) -> None:
        for _ in range(3):
            with metrics(tmp_path, cgroup, node, seconds="0") as found:
                before = program("metrics").status
                while not (node[TEXTFILES] / "oomctl.prom").exists():
                    assert found.output() == ""
            assert (before, written(node).splitlines()[-1]) == (0, "# EOF")

    def test_what_a_killed_one_left_is_removed(
        self, tmp_path: Path, cgroup: ToyCgroup, node: dict[str, Path], victim: int
    ) -> None:
        leftover = node[TEXTFILES] / ".oomctl.prom-4321"
        leftover.write_text("oomctl_")
        with metrics(tmp_path, cgroup, node) as found:
            while not (node[TEXTFILES] / "oomctl.prom").exists():
                assert found.output() == ""
        assert not leftover.exists()

    def test_pids_cgroups_and_pods_are_the_nodes(
        self, tmp_path: Path, cgroup: ToyCgroup, node: dict[str, Path], victim: int
    ) -> None:
        log = VarLog(tmp_path / "log")
        log.add(name="oomadm-metrics-x7k2p", container="metrics")
        node |= {"/var/log/pods": log.pods, "/var/log/containers": log.containers}
        with metrics(tmp_path, cgroup, node) as found:
            tasks = answered(found.run("oomadm", "top", "--json", "-n", "100000"))["processes"]
        by_pid = {task["pid"]: task for task in tasks}
        assert by_pid[victim]["comm"] == "oomtoy"
        assert by_pid[victim]["cgroup"].startswith(f"{cgroup.path}/besteffort/")
        own = [task for task in tasks if task["cgroup"] == f"{cgroup.path}/kubepods/burstable/pod{UID}/{ID}"]
        assert "sh" in {task["comm"] for task in own}
        assert [task for task in own if task["cmdline"] and " top " in task["cmdline"]] == []  # oomadm itself
        assert {(task["pod"]["namespace"], task["pod"]["name"], task["pod"]["container"]) for task in own} == {
            ("shop", "oomadm-metrics-x7k2p", "metrics")
        }

    def test_a_pod_goes_by_its_uid_where_the_kubelet_has_no_files(
        self, tmp_path: Path, cgroup: ToyCgroup, node: dict[str, Path]
    ) -> None:
        with metrics(tmp_path, cgroup, node) as found:
            tasks = answered(found.run("oomadm", "top", "--json", "-n", "100000"))["processes"]
        assert {
            (task["pod"]["uid"], task["pod"]["name"]) for task in tasks if task["comm"] == "sh" and task["pod"]
        } == {(UID, None)}

    def test_simulate_check_and_forecast_answer_for_the_node(
        self, tmp_path: Path, cgroup: ToyCgroup, node: dict[str, Path], victim: int
    ) -> None:
        with metrics(tmp_path, cgroup, node) as found:
            for argv in ((), ("--for", str(victim))):
                there = answered(found.run("oomadm", "simulate", "--json", *argv))
                here = json.loads(program("simulate", "--json", *argv).stdout)
                assert there["victim"]["pid"] == here["victim"]["pid"] == victim
                keys = ("outcome", "certainty", "constraint", "memcg", "totalpages")
                assert [there[key] for key in keys] == [here[key] for key in keys]
            deadline = time.monotonic() + 60
            while (there := findings(found.run("oomadm", "check", "--json").stdout)) != (
                here := findings(program("check", "--json").stdout)
            ) and time.monotonic() < deadline:
                time.sleep(0.3)
            assert there == here
            forecast = found.run("oomadm", "forecast", "--json", "--over", "1s", "--for", str(victim))
        assert (forecast.returncode in {0, 1}, forecast.stderr) == (True, "")  # what the machine has may grow, or not
        own = json.loads(program("simulate", "--json", "--for", str(victim)).stdout)["memcg"]
        assert own in {limit["scope"] for limit in json.loads(forecast.stdout)["limits"]}

    def test_it_cannot_change_the_node(
        self, tmp_path: Path, cgroup: ToyCgroup, node: dict[str, Path], victim: int, sleeper: Sleeper
    ) -> None:
        toy = sleeper("sleep", "60").pid
        with metrics(tmp_path, cgroup, node) as found:
            refused = found.run("oomadm", "set", "500", str(toy))
            killed = found.run("/bin/sh", "-c", f"kill -9 {toy}")
            made = found.run("mkdir", f"/host/sys/fs/cgroup/{cgroup.directory.relative_to('/sys/fs/cgroup')}/x")
            limited = found.run("/bin/sh", "-c", "echo 1 >/host/proc/sys/vm/panic_on_oom")
            elsewhere = found.run("oomadm", "metrics", "--output", "/var/log/pods/oomctl.prom")
        assert (refused.returncode, refused.stdout, refused.stderr) == (
            4,
            "",
            f"oomctl: {toy} (sleep): /host/proc is mounted read-only; write from outside the container, or remount"
            " it rw\n",
        )
        assert killed.returncode != 0
        assert "Read-only file system" in made.stderr
        assert "Read-only file system" in limited.stderr
        assert (elsewhere.returncode, elsewhere.stderr) == (
            7,
            "oomctl: /var/log/pods/oomctl.prom: Read-only file system; nothing was written\n",
        )
        assert adj_of(toy) == 0


class TestPolicy:
    def test_values_are_raised_whosever_the_process_is(
        self, tmp_path: Path, cgroup: ToyCgroup, sleeper: Sleeper
    ) -> None:
        roots, nobodys = sleeper("sleep", "4711").pid, sleeper(*NOBODY, "sleep", "4711").pid
        with policy(tmp_path, cgroup, rule("cmd:^sleep 4711$", 700)) as found:
            said = found.wait_for(f"event=set pid={nobodys} comm=sleep before=0 after=700")
            later = sleeper("sleep", "4711").pid
            found.wait_for(f"event=set pid={later} ")
            differing = found.run("oomadm", "policy", "diff")
        assert f"event=set pid={roots} comm=sleep before=0 after=700 rule=/etc/oomctl/policy.toml:1\n" in said
        assert "event=denied" not in found.output().replace("event=own-risk", "")
        assert [adj_of(pid) for pid in (roots, nobodys, later)] == [700, 700, 700]
        assert differing.returncode == 0, differing

    def test_a_program_of_the_node_is_believed_though_the_image_has_none_there(
        self, tmp_path: Path, cgroup: ToyCgroup, program_of_the_node: Path
    ) -> None:
        # A node of its own: here PID 1 of the machine may be somebody's into whose files root cannot look.
        toy = f'{program_of_the_node} 60 & exec "$@"'
        node = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", toy, "sh")
        with policy(tmp_path, cgroup, rule(program_of_the_node.name, -500), before=node) as found:
            said = found.wait_for(f"comm={program_of_the_node.name} ")
        assert (
            f"event=denied pid=2 comm={program_of_the_node.name} before=0 after=0 wanted=-500"
            ' rule=/etc/oomctl/policy.toml:1 reason="needs CAP_SYS_RESOURCE; ' in said
        )
        assert "Kubernetes: securityContext.capabilities.add" in said

    def test_a_value_that_cannot_be_lowered_is_told_with_what_is_missing(
        self, tmp_path: Path, cgroup: ToyCgroup, sleeper: Sleeper
    ) -> None:
        toy = sleeper("sleep", "4714").pid
        with policy(tmp_path, cgroup, rule("cmd:^sleep 4714$", -500)) as found:
            said = found.wait_for(f"event=denied pid={toy} ")
        assert 'reason="needs CAP_SYS_RESOURCE; ' in said
        assert "Kubernetes: securityContext.capabilities.add" in said
        assert adj_of(toy) == 0

    def test_processes_of_others_take_dac_override(self, tmp_path: Path, cgroup: ToyCgroup, sleeper: Sleeper) -> None:
        toy = sleeper(*NOBODY, "sleep", "4712").pid
        with policy(tmp_path, cgroup, rule("cmd:^sleep 4712$", 700), NO_LOWERING | {"DAC_OVERRIDE"}) as found:
            said = found.wait_for(f"event=denied pid={toy} ")
        assert 'reason="it belongs to uid 65534, and root here lacks CAP_DAC_OVERRIDE; ' in said
        assert adj_of(toy) == 0

    def test_a_name_is_believed_only_with_sys_ptrace(
        self, tmp_path: Path, cgroup: ToyCgroup, program_of_the_node: Path, sleeper: Sleeper
    ) -> None:
        toy = sleeper(str(program_of_the_node), "60").pid
        rules = rule(program_of_the_node.name, -500)
        with policy(tmp_path, cgroup, rules, NO_LOWERING | {"SYS_PTRACE"}) as found:
            found.wait_for("event=started")
            said = found.run("oomadm", "policy", "explain", str(toy)).stdout
        assert "left alone: its executable cannot be seen from here, which takes CAP_SYS_PTRACE" in said

    def test_a_name_in_another_container_earns_no_protection(
        self, tmp_path: Path, cgroup: ToyCgroup, program_of_the_node: Path, sleeper: Sleeper
    ) -> None:
        sleeper("unshare", "--pid", "--fork", "--kill-child", str(program_of_the_node), "60")
        with policy(tmp_path, cgroup, rule(program_of_the_node.name, -500)) as found:
            found.wait_for("event=started")
            said = found.run("oomadm", "policy", "explain", program_of_the_node.name).stdout
        assert "left alone: is in another PID or user namespace" in said

    def test_the_directory_of_a_configmap_is_not_followed(self, tmp_path: Path, cgroup: ToyCgroup) -> None:
        directory = tmp_path / "policy"
        directory.mkdir()
        spec = manifests.pod_spec(POLICY)
        mounts = [
            mount | {"mountPath": "/etc/oomctl/policy.d"} if mount.pop("subPath", None) else mount
            for mount in map(dict, spec["containers"][0]["volumeMounts"])
        ]
        texts = {"policy.toml": rule("cmd:^sleep 4713$", 700)}
        with pod(spec, directory, cgroup, without=NO_LOWERING, texts=texts, volumeMounts=mounts) as found:
            assert found.ended() == 2
        assert "/etc/oomctl/policy.d: everybody can write it, and so change the settings" in found.output()

    def test_the_rules_that_come_with_it_are_valid(self, tmp_path: Path, cgroup: ToyCgroup) -> None:
        directory = tmp_path / "policy"
        directory.mkdir()
        spec = manifests.pod_spec(POLICY)
        with pod(spec, directory, cgroup, without=NO_LOWERING, command=["oomadm", "policy", "check"]) as found:
            assert found.ended() == 0, found.output()
        assert found.output().endswith("no mistakes\n")
