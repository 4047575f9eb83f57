"""``history``: which container, pod or unit it was, in pasted logs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from oomctl.cli.main import cli
from tests.runner import runner

PASTED = Path(__file__).parents[1] / "data" / "pasted"
DOCKER = "00748bf4e957f82c239a1db8a88579059b7d40c7b5fbd3f43617d31d3f646f12"
POD = "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podeded8c65_6e8e_4c6e_a889_3e427565c740.slice"
IN_POD = "ec9ee26695deb4cc72bc665efff1cf3a03fdfb12f1303e02fe9252985e084a95"
IN_27 = "2436df09fa8b6d571a5ce163a674a3e9c21ef3aaa51e6fa0e1f429fa38701367"


def run(*args: str, document: str | None = None) -> str:
    return runner().invoke(cli, args, input=document).stdout


def events(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run("history", "--json", "--file", str(PASTED / name)))["events"]
    return found


def full(name: str, number: int = 1) -> list[str]:
    """What is told of the log's first, second, ... event, without the answer."""
    index = events(name)[number - 1]["index"]
    return run("history", "--file", str(PASTED / name), str(index)).splitlines()[1:]


def places(event: dict[str, Any]) -> tuple[str | None, str | None, str | None]:
    victim = event["victim"] or {"cgroup_name": None, "container": None}
    return event["memcg_name"], victim["cgroup_name"], victim["container"]


def test_a_container_killed_for_the_whole_machine() -> None:
    (event,) = events("14-docker-global-oom-grep.log")
    assert (event["constraint"], event["memcg"]) == ("none", None)
    assert places(event) == (None, "docker 00748bf4e957", DOCKER)
    assert event["victim"]["cgroup"] == f"/system.slice/docker-{DOCKER}.scope"
    assert event["killed"] == [event["victim"]]
    assert full("14-docker-global-oom-grep.log")[2:4] == [
        "Victim    7134 (java), its RSS is not in the log, in docker 00748bf4e957",
        f"          /system.slice/docker-{DOCKER}.scope",
    ]


def test_a_container_of_a_pod_that_has_the_limit() -> None:
    (event,) = events("15-k8s-in-lxc-elided.log")
    assert event["memcg"] == f"/lxc.payload....-lxc/{POD}"
    assert places(event) == (
        "pod eded8c65",
        "lxc c1-lxc pod eded8c65 container ec9ee26695de",
        IN_POD,
    )
    lines = full("15-k8s-in-lxc-elided.log")
    assert lines[1].startswith("Trigger   pod eded8c65: ")
    assert lines[2].strip() == event["memcg"]


def test_a_service_in_a_container() -> None:
    unknown, second, _ = events("13-lxc-nested-grep.log")
    assert places(unknown) == (None, None, None)
    assert places(second) == ("lxc 703 pulse.service", "lxc 703 pulse.service", "703")
    assert "lxc 703 pulse.service" in run("history", "--file", str(PASTED / "13-lxc-nested-grep.log"))


def test_a_unit_below_the_slice_that_has_the_limit() -> None:
    (event,) = events("43-kernel-memory-in-cgroup.log")
    assert places(event) == ("azure-walinuxagent-logcollector.slice", "collect-logs.scope", None)


def test_a_container_known_by_the_cpuset_of_who_needed_memory() -> None:
    first, second = events("27-pg-container-truncated.log")
    assert first["trigger"] is None
    assert second["trigger"] == {"pid": 72865, "comm": "readiness.sh", "container": IN_27}
    assert full("27-pg-container-truncated.log", 2)[1] == (
        "Trigger   cgroup ?: readiness.sh in container 2436df09fa8b needed memory"
    )


def test_a_container_in_a_log_with_the_newest_first() -> None:
    (kill,) = (event for event in events("01-haos-reverse.log") if event["victim"]["cgroup"])
    assert kill["victim"]["cgroup_name"] == "docker 7f399a191dea"
    assert kill["memcg"] is None


def test_a_unit_in_which_only_systemd_says_that_somebody_died() -> None:
    said = "A process of this unit has been killed by the OOM killer."
    line = f"Jun 13 09:14:58 box systemd[1]: docker-{DOCKER}.scope: {said}"
    assert " ? in docker 00748bf4e957 " in run("history", "--file", "-", document=line)


def test_what_the_kernel_says_of_the_request_and_the_choice() -> None:
    asked = events("25-unraid-sysrq-obsidian.log")[0]
    assert (asked["order"], asked["gfp_mask"], asked["score"]) == (-1, "0xcc0(GFP_KERNEL)", None)
    assert events("27-pg-container-truncated.log")[0]["score"] == 1142


def test_a_cgroup_that_was_killed_as_a_whole() -> None:
    group = "Tasks in /system.slice/web.service are going to be killed due to memory.oom.group set"
    kill = "Memory cgroup out of memory: Killed process 7 (web) total-vm:9kB, anon-rss:8kB, file-rss:8kB, shmem-rss:0kB"
    event = json.loads(run("history", "--json", "--file", "-", document=f"[1.0] {kill}\n[1.0] {group}\n"))["events"][0]
    assert event["oom_group"] == "/system.slice/web.service"


@pytest.mark.parametrize("name", sorted(path.name for path in PASTED.glob("*.log")))
def test_a_name_is_never_longer_than_the_path(name: str) -> None:
    for event in json.loads(run("history", "--json", "--file", str(PASTED / name)) or '{"events": []}')["events"]:
        assert len(event["memcg_name"] or "") <= len(event["memcg"] or "")
