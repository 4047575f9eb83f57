"""explain: terms, rank, reason, and a flip that simulate confirms."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import AbstractContextManager
from typing import Any

import pytest

from oomctl.procfs.reader import Procfs
from tests.commands.invoke import Ran, ask
from tests.documents import PROCESS, assert_has
from tests.proc_tree import ProcTree

FROM_CHAIN = "inherited from 2 (chain), which has the same value"


def explained(proc_tree: ProcTree, *argv: str) -> dict[int, dict[str, Any]]:
    ran = ask(proc_tree, "explain", *argv, "--json")
    assert (ran.status, ran.stderr) == (0, "")
    found = json.loads(ran.stdout)
    assert found["schema"] == "oomctl.explain/1"
    return {process["pid"]: process for process in found["processes"]}


def victim(proc_tree: ProcTree, pid: int, adj: int) -> int | None:
    found: dict[str, Any] | None = json.loads(ask(proc_tree, "simulate", "--set", f"{pid}={adj}", "--json").stdout)[
        "victim"
    ]
    return None if found is None else found["pid"]


def test_every_term_adds_up_to_the_badness(server: ProcTree) -> None:
    assert ask(server, "explain", "10") == Ran(
        0,
        """\
10 (postgres) would be 3rd to die of 3
  root, no cgroup
  rank 3 of 3; oom_score 600, oom_score_adj -100
  TERM               PAGES       SIZE
  RSS                50000   195.3MiB
  swap                   0          0
  page tables           10    0.04MiB
  adj -100 x 1000  -100000  -390.6MiB
  badness           -49990  -195.3MiB
  set by: nobody that oomctl knows: root or a service, for a value below 0 takes privilege (possible)
  would be first from an oom_score_adj of 41 on
""",
        "",
    )


def test_the_first_in_line_is_told_what_would_save_it(server: ProcTree) -> None:
    lines = ask(server, "explain", "java").stdout.splitlines()
    assert lines[0] == "20 (java) would die first — certain"
    assert lines[2] == "  rank 1 of 3; oom_score 726, oom_score_adj 0"
    assert "  " + lines[-1].strip() == "  first in line; at -71 or less another process would be taken"


@pytest.mark.parametrize(
    ("pid", "reason"),
    [(1, "global init"), (30, "oom_score_adj is -1000"), (40, "kernel thread")],
)
def test_who_cannot_be_chosen_is_told_why(server: ProcTree, pid: int, reason: str) -> None:
    lines = ask(server, "explain", str(pid)).stdout.splitlines()
    assert lines[0].endswith(f") cannot be killed: {reason}")
    process = explained(server, str(pid))[pid]
    assert (process["killable"], process["reason"], process["rank"]) == (False, reason, None)
    assert process["flip"] == {"first_at": None, "spared_at": None}


def test_a_protected_process_can_still_be_explained(server: ProcTree) -> None:
    """At -1000 it has no badness, so no value is said to make it first although 1000 would."""
    assert explained(server, "30")[30]["terms"]["rss_pages"] == 5000


def test_the_document_has_every_promised_field(server: ProcTree) -> None:
    process = explained(server, "java")[20]
    assert_has(process, PROCESS)
    assert process["rank"] == 1
    assert process["terms"] == {
        "rss_pages": 90_000,
        "swap_pages": 256,
        "pgtables_pages": 10,
        "adj_pages": 0,
        "root_bonus_pages": 0,
        "totalpages": 1_000_000,
    }
    assert process["origin"] == {
        "kind": "default",
        "by": "the kernel's default, or a reset to it",
        "confidence": "likely",
        "source": "kernel: init_task",
    }
    assert process["flip"] == {"first_at": -70, "spared_at": -71}


def test_the_flip_is_where_the_victim_changes(server: ProcTree) -> None:
    for pid, process in explained(server, "java", "postgres").items():
        first_at = process["flip"]["first_at"]
        assert victim(server, pid, first_at) == pid
        assert victim(server, pid, first_at - 1) != pid
        assert victim(server, pid, 1000) == pid
        spared_at = process["flip"]["spared_at"]
        assert (spared_at is not None) == (process["rank"] == 1)
        if spared_at is not None:
            assert spared_at == first_at - 1


@pytest.mark.parametrize("rss", [4999, 5000, 5001])
@pytest.mark.parametrize("kernel", ["4.14.1", "5.10.0", "6.1.20", "7.1.5"])
def test_the_flip_is_right_where_badness_ties(proc_tree: ProcTree, rss: int, kernel: str) -> None:
    proc_tree.write("sys/kernel/osrelease", f"{kernel}\n")
    proc_tree.add(10, "a", 5000, uid=0)
    proc_tree.add(11, "b", rss, uid=0)
    proc_tree.add(12, "c", 5000 - 3000, uid=0, adj=3)
    for pid, process in explained(proc_tree, "10", "11", "12").items():
        first_at = process["flip"]["first_at"]
        assert victim(proc_tree, pid, first_at) == pid
        assert victim(proc_tree, pid, first_at - 1) != pid


def test_somebody_whom_nothing_makes_first(proc_tree: ProcTree) -> None:
    proc_tree.add(10, "small", 10, uid=0)
    proc_tree.add(11, "giant", 900_000, uid=0, adj=1000)
    process = explained(proc_tree, "small")[10]
    assert process["flip"] == {"first_at": None, "spared_at": None}
    assert ask(proc_tree, "explain", "small").stdout.splitlines()[-1] == "  no oom_score_adj would make it the first"
    assert victim(proc_tree, 10, 1000) == 11


def test_only_minus_1000_saves_the_only_one(proc_tree: ProcTree) -> None:
    proc_tree.add(10, "lone", 10, uid=0)
    assert explained(proc_tree, "lone")[10]["flip"] == {"first_at": -999, "spared_at": -1000}
    last = ask(proc_tree, "explain", "lone").stdout.splitlines()[-1]
    assert last == "  first in line; only -1000 would save it"
    assert victim(proc_tree, 10, -1000) is None


def test_the_root_bonus_of_old_kernels_is_a_term(proc_tree: ProcTree) -> None:
    proc_tree.write("sys/kernel/osrelease", "4.14.1\n")
    proc_tree.add(10, "root", 10_000, uid=0, cap_eff=1 << 21)
    process = explained(proc_tree, "10")[10]
    assert process["terms"]["root_bonus_pages"] == (10_000 + 10) * 3 // 100
    assert "  3 % off for CAP_SYS_ADMIN" in ask(proc_tree, "explain", "10").stdout


def test_who_may_be_first_is_told_so(proc_tree: ProcTree) -> None:
    proc_tree.add(10, "a", 5000, uid=0)
    proc_tree.add(11, "b", 5000, uid=0)
    answers = [text.splitlines()[0] for text in ask(proc_tree, "explain", "10", "11").stdout.split("\n\n")[:2]]
    assert sorted(answer.partition(") ")[2] for answer in answers) == [
        "would be 2nd to die of 2 — close: it may be the first",
        "would die first — close",
    ]


def test_where_the_kernel_panics_nobody_is_said_to_die(server: ProcTree) -> None:
    server.write("sys/vm/panic_on_oom", "1\n")
    first = ask(server, "explain", "java").stdout.splitlines()[0]
    assert first.startswith("20 (java) is 1st of 3, but panic: vm.panic_on_oom is 1: ")


def test_whoever_asks_may_die_before_the_first(server: ProcTree) -> None:
    server.write("sys/vm/oom_kill_allocating_task", "1\n")
    assert ask(server, "explain", "10").stdout.splitlines()[0].endswith(" 3rd to die of 3 — close: it may be the first")


def test_terms_add_up_in_every_document(server: ProcTree) -> None:
    for process in explained(server, "*").values():
        terms = process["terms"]
        if process["killable"]:
            parts = ("rss_pages", "swap_pages", "pgtables_pages", "adj_pages")
            assert sum(terms[name] for name in parts) - terms["root_bonus_pages"] == process["badness_pages"]


def test_several_targets_are_paragraphs_and_some_may_be_missing(server: ProcTree) -> None:
    ran = ask(server, "explain", "java", "30", "nosuch")
    assert ran.status == 3
    assert ran.stderr == "oomctl: nosuch: no process matches\n"
    assert [text.split(" ")[0] for text in ran.stdout.split("\n\n")] == ["20", "30"]


def test_a_cgroup_has_its_own_total(server: ProcTree) -> None:
    server.mount_v2()
    server.cgroup("/db", (10, 11), memory__max="819200000")
    process = explained(server, "10", "--cgroup", "/db")[10]
    assert (process["rank"], process["terms"]["totalpages"], process["terms"]["adj_pages"]) == (1, 200_000, -20_000)
    assert ask(server, "explain", "20", "--cgroup", "/db").status == 1


def test_children_are_not_said_to_have_from_their_parent_what_it_got_later(proc_tree: ProcTree) -> None:
    proc_tree.add(40, "make", rss=10)
    proc_tree.add(41, "cc", ppid=40, rss=10)
    ask(proc_tree, "set", "300", "40")
    assert explained(proc_tree, "41")[41]["origin"]["kind"] == "default"
    proc_tree.write("41/oom_score_adj", "300\n")
    assert explained(proc_tree, "41")[41]["origin"]["by"].startswith("set after its start, by whom is not recorded")
    far_future = 10**12
    proc_tree.add(42, "cc", ppid=40, rss=10, adj=300, start=far_future)
    assert explained(proc_tree, "42")[42]["origin"]["kind"] == "inherited"


def test_a_value_that_oomctl_set_is_known_for_sure(server: ProcTree) -> None:
    ask(server, "set", "300", "java")
    assert explained(server, "java")[20]["origin"] == {
        "kind": "oomctl",
        "by": "oomctl set 300 java",
        "confidence": "sure",
        "source": "oomctl's journal",
    }
    assert "  set by: oomctl set 300 java (sure; oomctl's journal)\n" in ask(server, "explain", "java").stdout
    server.write("20/oom_score_adj", "200\n")
    assert explained(server, "java")[20]["origin"]["kind"] == "unknown"


def test_an_inherited_value_is_traced_to_whoever_has_it_first(proc_tree: ProcTree) -> None:
    proc_tree.add(1, "systemd", ppid=0)
    for pid in (10, 11, 12):
        proc_tree.add(pid, f"level{pid}", adj=250, ppid=pid - 1 if pid > 10 else 1)
    assert explained(proc_tree, "12")[12]["origin"]["by"] == "inherited from 10 (level10), which has the same value"
    assert explained(proc_tree, "10")[10]["origin"]["kind"] == "unknown"
    assert explained(proc_tree, "1")[1]["origin"]["kind"] == "default"


def test_a_loop_of_parents_has_no_origin(proc_tree: ProcTree) -> None:
    proc_tree.add(10, adj=5, ppid=11)
    proc_tree.add(11, adj=5, ppid=10)
    assert explained(proc_tree, "10")[10]["origin"]["kind"] == "inherited"


class Opened(Counter[int]):
    """How often the directory of each process was opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        really = Procfs.open_task

        def counted(procfs: Procfs, pid: int) -> AbstractContextManager[int]:
            self[pid] += 1
            return really(procfs, pid)

        monkeypatch.setattr(Procfs, "open_task", counted)


def test_everybody_in_a_deep_chain_is_read_a_few_times_however_deep(
    proc_tree: ProcTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    proc_tree.add(1, "systemd", ppid=0, score=0)
    for pid in range(2, 402):
        proc_tree.add(pid, "chain", adj=7, ppid=pid - 1)
    opened = Opened(monkeypatch)
    found = explained(proc_tree, "*")
    assert len(found) == 401
    assert {found[pid]["origin"]["by"] for pid in range(3, 402)} == {FROM_CHAIN}
    assert max(opened.values()) <= 4


def test_ancestors_outside_the_cgroup_are_read_once_for_all(
    proc_tree: ProcTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    proc_tree.mount_v2()
    for pid in range(2, 52):
        proc_tree.add(pid, "chain", adj=7, ppid=pid - 1)
    for pid in range(100, 150):
        proc_tree.add(pid, "job", adj=7, ppid=51)
    proc_tree.cgroup("/jobs", tuple(range(100, 150)), memory__max="819200000")
    opened = Opened(monkeypatch)
    found = explained(proc_tree, "*", "--cgroup", "/jobs")
    assert {process["origin"]["by"] for process in found.values()} == {FROM_CHAIN}
    assert [opened[pid] for pid in range(2, 52)] == [1] * 50
