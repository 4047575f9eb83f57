"""The largest documents are decided within seconds, in ten times the memory that they take on disk, at most."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from oomctl.kernel.execution import killed_with
from oomctl.kernel.invocation import out_of_memory, rounds
from oomctl.kernel.rules import rules_for
from oomctl.model.kernel import Constraint, Context, MemcgLimits, NodePages, Scenario, Task
from oomctl.scenario import document as documents
from oomctl.scenario.tables import MOST_TASKS
from tests.hostile.fuzzing import cost_of
from tests.tasks import scenario, task

POD = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{:036d}.slice/cri-containerd-{:064d}.scope"


def document(tasks: str, more: str = "", kernel: str = "6.18", extra: str = "") -> bytes:
    context = f'{{"constraint":"none","totalpages":1000000{more}}}'
    return f'{{"kernel":"{kernel}"{extra},"context":{context},"tasks":[{tasks}]}}'.encode()


def tasks(more: str = "", count: int = MOST_TASKS) -> str:
    return ",".join(
        f'{{"pid":{n},"comm":"a{n}","rss":{n * 77}{more.replace("N", str(n)).replace("H", str(n // 2))}}}'
        for n in range(1, count + 1)
    )


DOCUMENTS = {
    "tasks": lambda: document(tasks()),
    "tasks of full size": lambda: document(tasks(',"memcg":"/a/N","ppid":0,"mm":"mN","start_ticks":1N' + " " * 20)),
    "a group": lambda: document(tasks(',"memcg":"/a/N"'), ',"oom_group":["/a"]'),
    "a group of pairs": lambda: document(tasks(',"memcg":"/a","mm":"H"'), ',"oom_group":["/a"]'),
    "a group of one memory": lambda: document(tasks(',"memcg":"/a","mm":"m"'), ',"oom_group":["/a"]'),
    "contenders with children": lambda: document(
        tasks(',"ppid":H').replace('"rss":', '"rss":7,"x":'), ',"cpus":9000000', "4.14"
    ),
    "a long cgroup": lambda: document(tasks(), f',"memcg":"/{"a" * 4000}"').replace(b'"none"', b'"memcg"'),
    "many nodes": lambda: document(
        tasks(',"mems":[1]'), ',"current_mems":[' + ",".join(map(str, range(2, 60_000))) + "]"
    ).replace(b'"none"', b'"cpuset"'),
    "threads": lambda: document(
        tasks(',"threads":[' + ",".join(f'{{"tid":{n}}}' for n in range(1, 60_000)) + "]", count=2)
    ),
    "unknown fields": lambda: document(tasks(',"xN":1')),
    "cgroups": lambda: document(
        tasks(count=1), ',"memcgs":{' + ",".join(f'"{n}":{{"memory_max":{n}}}' for n in range(MOST_TASKS)) + "}"
    ),
    "objects": lambda: document("", extra=',"x":[' + ",".join(f'{{"{n}":0}}' for n in range(131_000)) + "]"),
    "numbers": lambda: document("", extra=',"x":[' + ",".join(str(10**13 + n) for n in range(520_000)) + "]"),
    "strings": lambda: document("", extra=',"x":[' + ",".join(f'"{n}"' for n in range(520_000)) + "]"),
    "one long string": lambda: document("", extra=f',"x":"{"a" * 8_000_000}\U0001f600"'),
    "a million brackets": lambda: b"{" + b"[" * 1_000_000,
}


@pytest.mark.parametrize(("name", "options"), [*((name, ["--json"]) for name in DOCUMENTS), ("a group of pairs", [])])
def test_a_document_of_the_largest_size_takes_seconds_and_bounded_memory(
    tmp_path: Path, name: str, options: list[str]
) -> None:
    path = tmp_path / "document"
    path.write_bytes(DOCUMENTS[name]())
    assert path.stat().st_size <= documents.LARGEST_DOCUMENT
    cost = cost_of("simulate", "--from", str(path), *options)
    assert "Traceback" not in cost.stderr
    assert cost.peak_bytes < 100 << 20
    assert cost.cpu_seconds < 10, "two or three; hours where something goes through all tasks for every task"


def test_a_document_beyond_the_bound_takes_no_more(tmp_path: Path) -> None:
    path = tmp_path / "document"
    path.write_bytes(document(tasks(',"memcg":"' + "a" * 500 + '"')) + b" " * (20 << 20))
    assert path.stat().st_size > 50 << 20
    cost = cost_of("simulate", "--from", str(path))
    assert (cost.status, cost.stderr) == (
        2,
        f"oomctl: {path}: scenario: larger than 8 MiB, which is room for 10,000 processes",
    )
    assert cost.peak_bytes < 60 << 20


def test_a_snapshot_of_10000_processes_fits_with_the_longest_names_of_cgroups() -> None:
    """Each in a container of Kubernetes of its own; the numbers as wide as they get on a machine of terabytes."""
    pods = [POD.format(number, number) for number in range(10_000)]
    listed = tuple(
        Task(
            4_000_000 + number,
            "kubelet-worker0",
            4_000_000,
            100_033,
            123_456_789,
            12_345_678,
            123_456,
            -998,
            123_456_789_012,
            666,
            123_456_789,
            vsize_bytes=1_234_567_890_123,
            memcg=pod,
        )
        for number, pod in enumerate(pods)
    )
    asked = Scenario("6.12.0-rc1-amd64-cloud", Context(Constraint.NONE, 1 << 28, cpus=512), listed)
    limits = {pod: MemcgLimits(2, 1 << 28, 1 << 28, swap_total_pages=1 << 28) for pod in pods}
    text = json.dumps(documents.as_document(asked, limits, {0: NodePages(1 << 28, 1 << 28)}, 1 << 28))
    assert documents.parse(text).scenario == asked


def test_a_group_dies_in_the_same_order_as_when_each_was_looked_for() -> None:
    """Who shares the memory of a member dies right behind it, once."""
    members = (
        task(1, rss=9, memcg="/a"),
        task(2, rss=1, memcg="/a", mm="m"),
        task(3, rss=1, memcg="/b", mm="m"),
        task(4, rss=1, memcg="/a"),
        task(5, rss=1, memcg="/a", mm="m"),
        task(6, rss=1, memcg="/a", mm="n", adj=-1000),
    )
    asked = scenario(*members)
    asked = asked._replace(context=asked.context._replace(oom_groups=frozenset({"/a"})))
    assert [dead.pid for dead in killed_with(members[0], asked, rules_for("6.18"))] == [1, 2, 3, 5, 4]


def test_later_rounds_do_not_keep_who_survives() -> None:
    asked = scenario(*(task(pid, rss=pid) for pid in range(10, 60)))
    first, second, *_ = rounds(asked, 5)
    assert len(first.ranking) == 50
    assert [candidate.task.pid for candidate in second.ranking] == [58]
    assert out_of_memory(asked).victim == first.victim
