"""``oomctl snapshot``: asked later, it answers as the live machine did."""

from __future__ import annotations

import gzip
import json
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from oomctl.cli.main import cli
from tests.proc_tree import ProcTree
from tests.runner import runner


@pytest.fixture
def run(proc_tree: ProcTree, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("OOMCTL_PROC", str(proc_tree.root))

    def run_command(*args: str, document: str | None = None) -> Any:
        result = runner().invoke(cli, args, input=document)
        assert result.exit_code in (0, 1), result.output
        return json.loads(result.stdout)

    return run_command


def same_answer(live: dict[str, Any], asked_later: dict[str, Any]) -> None:
    assert asked_later["outcome"] == live["outcome"]
    for field in (
        "certainty",
        "margin_pages",
        "error_bound_pages",
        "contenders",
        "totalpages",
        "freed_bytes",
        "reason",
    ):
        assert asked_later[field] == live[field], field
    assert [process["pid"] for process in asked_later["killed"]] == [process["pid"] for process in live["killed"]]


def test_asked_later_it_answers_as_the_live_machine_did(proc_tree: ProcTree, run: Any) -> None:
    proc_tree.add(100, rss=5000)
    proc_tree.add(101, rss=4990, adj=0)
    proc_tree.add(102, rss=9000, adj=-1000, score=0)
    proc_tree.add_zombie_leader(103, 104, rss=300)
    live = run("simulate", "--json")
    document = json.dumps(run("snapshot"))
    later = run("simulate", "--json", "--from", "-", document=document)
    assert later["victim"]["pid"] == 100
    assert later["contenders"] == [100, 101]
    same_answer(live, later)


@pytest.mark.parametrize("compress", [gzip.compress, lzma.compress], ids=["gzip", "xz"])
def test_it_may_be_compressed(
    proc_tree: ProcTree, run: Any, tmp_path: Path, compress: Callable[[bytes], bytes]
) -> None:
    proc_tree.add(100, rss=5000)
    plain, packed = tmp_path / "plain", tmp_path / "packed"
    plain.write_text(json.dumps(run("snapshot")))
    packed.write_bytes(compress(plain.read_bytes()))
    same_answer(run("simulate", "--json", "--from", str(plain)), run("simulate", "--json", "--from", str(packed)))


def test_a_compressed_one_is_not_unpacked_beyond_what_is_read(tmp_path: Path) -> None:
    packed = tmp_path / "bomb.json.gz"
    packed.write_bytes(gzip.compress(b"{" + b" " * (64 << 20)))
    ran = runner().invoke(cli, ("simulate", "--from", str(packed)))
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert "larger than 8 MiB" in ran.stderr
    packed.write_bytes(gzip.compress(b'{"schema": ' + b" " * 4096)[:-20])
    assert "damaged compressed file" in runner().invoke(cli, ("simulate", "--from", str(packed))).stderr


def test_it_can_be_asked_what_if(proc_tree: ProcTree, run: Any) -> None:
    proc_tree.add(100, "java", rss=5000)
    proc_tree.add(101, "sshd", rss=1000)
    document = json.dumps(run("snapshot"))
    later = run("simulate", "--json", "--from", "-", "--without", "java", document=document)
    assert later["victim"]["pid"] == 101
    assert later["baseline"]["victim"]["pid"] == 100


@pytest.mark.parametrize("version", [1, 2])
def test_a_cgroup_can_be_asked_about_later(proc_tree: ProcTree, run: Any, version: int) -> None:
    limit = {"memory__limit_in_bytes": "6144000"} if version == 1 else {"memory__max": "6144000"}  # 1500 pages
    hierarchy = "4:memory:" if version == 1 else "0::"
    proc_tree.mount_v1() if version == 1 else proc_tree.mount_v2()
    proc_tree.cgroup("/", (102,))
    proc_tree.cgroup("/app", (100, 101), **limit)
    proc_tree.add(100, rss=5000, cgroup=f"{hierarchy}/app\n")
    proc_tree.add(101, rss=3000, adj=900, cgroup=f"{hierarchy}/app\n")
    proc_tree.add(102, rss=9000, cgroup=f"{hierarchy}/\n")
    live = run("simulate", "--json", "--cgroup", "/app")
    assert live["victim"]["pid"] == 100  # 900 x (1500 / 1000) pages are not enough
    document = json.dumps(run("snapshot"))
    same_answer(live, run("simulate", "--json", "--from", "-", "--cgroup", "/app", document=document))
    same_answer(
        live, run("simulate", "--json", "--from", "-", document=json.dumps(run("snapshot", "--cgroup", "/app")))
    )


def test_a_cgroup_without_a_limit_is_one_later_too(proc_tree: ProcTree, run: Any) -> None:
    proc_tree.mount_v2()
    proc_tree.cgroup("/", ())
    proc_tree.cgroup("/free", (100,))
    proc_tree.add(100, rss=5000, cgroup="0::/free\n")
    live = run("simulate", "--json", "--cgroup", "/free")
    assert live["outcome"] == "no_oom"
    document = json.dumps(run("snapshot", "--cgroup", "/free"))
    same_answer(live, run("simulate", "--json", "--from", "-", document=document))
    assert run("simulate", "--json", "--from", "-", "--without", "100", document=document)["outcome"] == "no_oom"


def test_a_kernel_that_sums_exactly_can_be_asked_about_what_6_12_shows(proc_tree: ProcTree, run: Any) -> None:
    proc_tree.procfs("6.12.117")
    proc_tree.add(100, rss=50_000, status_rss=49_000)
    proc_tree.add(101, rss=45_000, status_rss=55_000)
    snapshot = run("snapshot")
    assert [(task["rss"], task["rss_exact"]) for task in snapshot["tasks"]] == [(50_000, 49_000), (45_000, 55_000)]
    assert run("simulate", "--json")["victim"]["pid"] == 100
    for source, document in (((), None), (("--from", "-"), json.dumps(snapshot))):
        later = run("simulate", "--json", "--kernel", "7.0", *source, document=document)
        assert (later["victim"]["pid"], later["certainty"]) == (101, "certain")


def test_without_the_exact_sums_the_answer_for_such_a_kernel_is_not_certain(proc_tree: ProcTree, run: Any) -> None:
    proc_tree.procfs("6.12.117")
    proc_tree.add(100, rss=50_000)
    proc_tree.add(101, rss=100)
    snapshot = run("snapshot")
    for task in snapshot["tasks"]:
        del task["rss_exact"]
    later = run("simulate", "--json", "--kernel", "7.0", "--from", "-", document=json.dumps(snapshot))
    assert (later["victim"]["pid"], later["certainty"]) == (100, "close")
    assert [doubt["id"] for doubt in later["doubts"]] == ["other_counters"]


def test_it_holds_no_command_lines(proc_tree: ProcTree, run: Any) -> None:
    proc_tree.add(100)
    proc_tree.write("100/cmdline", "mysql\0-psecret\0")
    assert "secret" not in json.dumps(run("snapshot"))
