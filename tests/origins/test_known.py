"""Who probably set a value: what programs are known to do, told apart from what was merely inherited."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

from oomctl.model.kernel import Task
from oomctl.model.listing import Details
from oomctl.origins.known import KNOWN, KNOWN_STARTERS, RESET, Ancestry, Facts, origin
from tests.proc_tree import LISTENER
from tests.tasks import task

SYSTEMD = task(1, comm="systemd", ppid=0)


def found(adj: int, comm: str = "x", parent: Task = SYSTEMD, *above: Task, **facts: Any) -> tuple[str, str]:
    """Return kind and first words of the origin; what is no field of Facts is a detail."""
    own = {name: facts.pop(name) for name in ("declared", "recorded") if name in facts}
    line = descended(task(10, comm=comm, adj=adj), parent, *above)
    ancestry = Ancestry({ancestor.pid: ancestor for ancestor in line}.get)
    answer = origin(Facts(line[0], Details(**facts), line[1], ancestry.source(line[1]), **own))
    return answer.kind, answer.by


def descended(*line: Task) -> list[Task]:
    """Return ``line`` with each started by the next; the last by nobody."""
    parents = [*(task.pid for task in line[1:]), 0]
    return [task._replace(ppid=ppid) for task, ppid in zip(line, parents)]


SSHD = task(5, comm="sshd", adj=-1000)
POD = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice/cri-containerd-ab.scope"
BEST_EFFORT = "/kubelet/kubepods/besteffort/pod1/ab"
GUARANTEED = "/kubepods.slice/kubepods-pod1.slice/cri-containerd-ab.scope"
BROWSER = task(5, comm="chrome")
POSTMASTER = task(5, comm="postgres", adj=-900)


@pytest.mark.parametrize(
    ("adj", "facts", "kind", "by"),
    [
        pytest.param(-1000, {"comm": "sshd", "cmdline": LISTENER}, "program", "sshd itself", id="listener"),
        pytest.param(
            -1000, {"comm": "sshd", "cmdline": "/usr/sbin/sshd -D"}, "program", "sshd itself", id="old listener"
        ),
        pytest.param(
            -1000,
            {"comm": "sshd", "parent": SSHD, "cmdline": "sshd: ann [priv]"},
            "unit",
            "the value that sshd was started with",
            id="a session before 9.8 that inherited the unit's value",
        ),
        pytest.param(
            -500,
            {"comm": "sshd-session", "parent": SSHD, "cmdline": "sshd-session: ann@pts/0"},
            "unit",
            "the value that sshd was started with",
            id="a session since 9.8",
        ),
        pytest.param(
            -1000, {"comm": "sshd", "parent": SSHD, "cmdline": None}, "inherited", "inherited from 5", id="no title"
        ),
        pytest.param(-1000, {"comm": "bash", "parent": SSHD}, "inherited", "inherited from 5 (sshd)", id="login shell"),
        pytest.param(
            0,
            {"comm": "sshd-session", "parent": SSHD, "cmdline": "sshd-session: ann"},
            "program",
            "sshd, which gives",
            id="a healthy session",
        ),
        pytest.param(-900, {"comm": "postgres"}, "program", "pg_ctlcluster", id="postmaster on Debian"),
        pytest.param(0, {"comm": "postgres", "parent": POSTMASTER}, "program", "PostgreSQL, which", id="backend"),
        pytest.param(300, {"comm": "postgres", "parent": POSTMASTER}, "program", "PostgreSQL, for", id="other backend"),
        pytest.param(-998, {"comm": "containerd-shim"}, "runtime", "containerd", id="shim"),
        pytest.param(-998, {"comm": "pause", "cgroup": POD}, "kubelet", "the kubelet, for the sandbox", id="sandbox"),
        pytest.param(
            1000, {"cgroup": BEST_EFFORT}, "kubelet", "the kubelet: pod of QoS class BestEffort", id="best effort"
        ),
        pytest.param(985, {"cgroup": BEST_EFFORT}, "unknown", "nobody that oomctl knows", id="never best effort's"),
        pytest.param(985, {"cgroup": GUARANTEED}, "unknown", "nobody that oomctl knows", id="never guaranteed's"),
        pytest.param(985, {"cgroup": POD}, "kubelet", "the kubelet: pod of QoS class Burstable", id="burstable"),
        pytest.param(-997, {"cgroup": POD}, "kubelet", "the kubelet: pod of QoS class Guaranteed", id="guaranteed"),
        pytest.param(-500, {"comm": "dockerd"}, "unit", "OOMScoreAdjust=-500", id="dockerd"),
        pytest.param(
            400,
            {"cgroup": "/system.slice/docker-ab.scope", "parent": task(5, comm="containerd-shim", adj=-998)},
            "runtime",
            "the container runtime: --oom-score-adj",
            id="docker run --oom-score-adj",
        ),
        pytest.param(
            400,
            {"cgroup": "/system.slice/docker-ab.scope", "parent": task(5, comm="sh", adj=400)},
            "inherited",
            "inherited from 5 (sh)",
            id="inside of a container",
        ),
        pytest.param(
            300,
            {"comm": "chrome", "parent": BROWSER, "cmdline": "/opt/chrome --type=renderer --lang=de"},
            "program",
            "the browser, for a renderer",
            id="renderer",
        ),
        pytest.param(
            200,
            {"comm": "chrome", "parent": BROWSER, "cmdline": "/opt/chrome --type=gpu-process"},
            "program",
            "the browser, for a GPU",
            id="gpu process",
        ),
        pytest.param(
            167,
            {"comm": "Web Content", "cmdline": "/usr/lib/firefox -contentproc -childID 1"},
            "program",
            "Firefox",
            id="Firefox in the background",
        ),
        pytest.param(
            100, {"comm": "systemd", "unit": "user@1000.service"}, "unit", "OOMScoreAdjust=100", id="user manager"
        ),
        pytest.param(
            200,
            {"comm": "pipewire", "cgroup": "/user.slice/user-1000.slice/user@1000.service/session.slice/p.service"},
            "unit",
            "DefaultOOMScoreAdjust=",
            id="service of a user",
        ),
        pytest.param(-250, {"unit": "systemd-journald.service"}, "unit", "OOMScoreAdjust=-250", id="journald"),
        pytest.param(-1000, {"unit": "systemd-udevd.service"}, "unit", "OOMScoreAdjust=-1000", id="udevd"),
        pytest.param(-900, {"unit": "dbus.service"}, "unit", "OOMScoreAdjust=-900", id="dbus"),
        pytest.param(-899, {"unit": "snap.lxd.daemon.service"}, "runtime", "snapd", id="vital snap"),
        pytest.param(
            -300, {"unit": "a.service", "declared": -300}, "unit", "OOMScoreAdjust=-300 of a.service", id="declared"
        ),
        pytest.param(
            -300, {"unit": "a.service", "declared": -200}, "unknown", "nobody that oomctl knows", id="other declared"
        ),
        pytest.param(500, {"recorded": "set 500 x"}, "oomctl", "oomctl set 500 x", id="oomctl"),
        pytest.param(0, {}, "default", "the kernel's default", id="default"),
        pytest.param(0, {"parent": task(5, comm="sh", adj=-5)}, "unknown", "set to 0 again below 5 (sh)", id="reset"),
        pytest.param(-5, {}, "unknown", "nobody that oomctl knows: root", id="unknown below 0"),
        pytest.param(5, {}, "unknown", "nobody that oomctl knows: its owner", id="unknown above 0"),
    ],
)
def test_who_set_it(adj: int, facts: dict[str, Any], kind: str, by: str) -> None:
    answer = found(adj, **facts)
    assert answer[0] == kind
    assert answer[1].startswith(by)


def test_the_highest_ancestor_with_the_value_is_named() -> None:
    parent, above, top = task(5, comm="sh", adj=7), task(4, comm="make", adj=7), task(3, comm="ci", adj=0)
    assert found(7, "cc", parent, above, top) == ("inherited", "inherited from 4 (make), which has the same value")


def test_in_a_long_line_each_is_looked_up_once() -> None:
    line = descended(*(task(pid, adj=7) for pid in range(5000, 1, -1)), task(1))
    known = {ancestor.pid: ancestor for ancestor in line}
    looked_up: Counter[int] = Counter()

    def look_up(pid: int) -> Task | None:
        looked_up[pid] += 1
        return known.get(pid)

    ancestry = Ancestry(look_up)
    parents = [ancestry.parent(child) for child in line]
    assert {ancestry.source(parent).pid for parent in parents if parent and parent.adj} == {2}
    assert set(looked_up.values()) == {1}


def test_whoever_starts_itself_or_is_out_of_sight_ends_the_line() -> None:
    loop = {10: task(10, ppid=11, adj=7), 11: task(11, ppid=10, adj=7)}
    assert Ancestry(loop.get).source(loop[11]).pid in loop
    assert Ancestry(lambda _: None).source(task(12, ppid=13)).pid == 12


def test_a_line_that_was_gone_up_before_is_not_gone_up_again() -> None:
    first, second, third, top = descended(task(13, adj=7), task(12, adj=7), task(11, adj=7), task(1))
    ancestry = Ancestry({ancestor.pid: ancestor for ancestor in (second, third, top)}.get)
    assert [ancestry.source(child).pid for child in (third, first, second, top)] == [11, 11, 11, 1]


def test_only_what_is_recorded_or_declared_is_sure() -> None:
    assert origin(Facts(task(10), recorded="set 0 x")).confidence == "sure"
    assert origin(Facts(task(10, adj=-5), declared=-5)).confidence == "sure"
    assert all(known.confidence in ("likely", "possible") for known in (*KNOWN, *KNOWN_STARTERS, *RESET))


def test_a_value_of_0_may_as_well_be_a_reset() -> None:
    """Nobody can tell: the kernel records no writer, and root's journal is root's."""
    answer = origin(Facts(task(10, adj=0)))
    assert (answer.confidence, answer.by) == ("likely", "the kernel's default, or a reset to it")


def test_whose_parent_was_changed_after_its_start_was_not_reset() -> None:
    """protect postgres: its backends are at 0 since they were started, whatever PostgreSQL does to new ones."""
    protected = Facts(task(10, comm="postgres"), parent=POSTMASTER, parent_set="protect postgres")
    assert origin(protected).kind == "default"
    assert origin(protected._replace(parent_set=None)).by.startswith("PostgreSQL, which gives its children 0")
    unknown = origin(Facts(task(10), parent=task(5, comm="sh", adj=300)))
    assert unknown.by == "set to 0 again below 5 (sh), or started before that had its value"


def test_what_the_parent_was_given_later_was_not_inherited() -> None:
    facts = Facts(task(10, comm="java", adj=1000), parent=task(5, comm="bash", adj=1000), parent_set="sacrifice 5")
    answer = origin(facts)
    assert (answer.kind, answer.confidence) == ("unknown", "possible")
    assert answer.by == "set after its start, by whom is not recorded; 5 (bash) got the same value later"


@pytest.mark.parametrize(("adj", "confidence"), [(500, "likely"), (1000, "possible"), (-1000, "possible")])
def test_what_people_write_to_many_at_once_is_only_possibly_inherited(adj: int, confidence: str) -> None:
    assert origin(Facts(task(10, adj=adj), parent=task(5, adj=adj))).confidence == confidence


def test_every_habit_has_a_source_and_something_to_know_it_by() -> None:
    for known in (*KNOWN, *KNOWN_STARTERS, *RESET):
        assert known.source
        patterns = [known.comm, known.unit, known.cgroup, known.cmdline, known.parent]
        assert any(patterns)
        for pattern in patterns:
            re.compile(pattern)
