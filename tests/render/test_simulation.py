"""The text of simulate: every outcome, everyone who dies, how sure it is."""

from __future__ import annotations

from typing import Any

from oomctl.kernel.invocation import rounds
from oomctl.model.kernel import Constraint, Scenario, Task
from oomctl.model.listing import Row
from oomctl.render.simulation import Answer, Rows, text
from tests.tasks import scenario, task


def told(*tasks: Task, count: int = 1, **situation: Any) -> list[str]:
    """The lines about ``tasks``, as for a document."""
    return told_of(scenario(*tasks, **situation), count)


def told_of(asked: Scenario, count: int = 1) -> list[str]:
    results = rounds(asked, count)
    rows = [Rows(Row(r.victim.task) if r.victim else None, [Row(dead) for dead in r.killed]) for r in results]
    return text(Answer(asked, results, rows, None, None)).splitlines()


def test_the_trigger_names_what_runs_out() -> None:
    def first(**situation: Any) -> str:
        return next(line for line in told(task(10, rss=5), **situation) if line.startswith("Trigger"))

    assert first() == "Trigger    the whole machine runs out of memory"
    assert first(memcg="/a") == "Trigger    the memory cgroup /a hits its limit"
    cpuset = first(constraint=Constraint.CPUSET, current_mems=frozenset({0, 2}))
    assert cpuset == "Trigger    the nodes 0,2 of a cpuset run out of memory"
    mempolicy = first(constraint=Constraint.MEMPOLICY, nodemask=frozenset({1}))
    assert mempolicy == "Trigger    the nodes 1 of a memory policy run out of memory"
    assert told(task(10, rss=5), kernel="6.1")[3] == "           by the rules of kernel 6.1"


def test_only_the_nearest_five_are_listed() -> None:
    lines = told(*(task(pid, rss=pid * 1000) for pid in range(10, 20)))
    assert lines[4].startswith("Selection  10 candidates, 0 unkillable; ")
    assert [line.split()[:2] for line in lines[6:11]] == [[str(rank), str(20 - rank)] for rank in range(1, 6)]
    assert lines[11].startswith("Execution")
    assert lines[1].startswith("Why        19 (task19) leads 18 (task18) by 3.9MiB; ")


def test_the_terms_stand_side_by_side() -> None:
    lines = told(task(10, rss=2560, swap=256, pgtables=512, adj=1), totalpages=1_024_000)
    assert lines[5].split() == ["RANK", "PID", "ADJ", "BADNESS", "=", "RSS", "+", "SWAP", "+", "PGTABLES", "+", "ADJ", "COMMAND"]  # fmt: skip # noqa: E501
    assert lines[6].split() == ["1", "10", "1", "17.0MiB", "10.0MiB", "1.0MiB", "2.0MiB", "4.0MiB", "task10"]


def test_a_lone_candidate_leads_nobody() -> None:
    lines = told(task(10, rss=2560))
    assert lines[0] == "10 (task10) would die, 10.0MiB would be freed — certain"
    assert lines[1] == "Why        10 (task10) is the only candidate; what the killer finds may differ by 0"
    assert lines[-1] == "Execution  SIGKILL to 10 (task10); 10.0MiB would be freed"


def test_everyone_close_is_named() -> None:
    lines = told(*(task(pid, rss=1000) for pid in range(10, 22)), cpus=2)
    assert lines[0] == "close: one of 12, 21 (task21) by the numbers of now, would die"
    assert "what the killer finds may differ by 0." in lines[1]
    assert lines[1].partition("it may be ")[2].count("(task") == 8
    assert lines[1].endswith(" and 4 more")


def test_a_few_that_are_close_are_named_in_the_answer() -> None:
    three = told(*(task(pid, rss=1000) for pid in range(10, 13)), cpus=2)
    assert three[0].startswith("close: ")
    assert sorted(three[0].removeprefix("close: ").removesuffix(" would die").replace(" or ", ", ").split(", ")) == [
        "10 (task10)",
        "11 (task11)",
        "12 (task12)",
    ]


def test_what_older_kernels_take_off_for_root_has_a_column_of_its_own() -> None:
    root = task(10, rss=10_000, cap_sys_admin=True)
    old = told(root, kernel="4.14")
    title, row = old[5], old[6]
    assert title.split("  ")[-3:] == ["- ROOT 3%", "+ ADJ", "COMMAND"]
    assert row.split()[-3:] == ["1.2MiB", "0", "task10"]
    assert not [line for line in told(root, kernel="6.18") if "ROOT" in line]


def test_no_name_forges_a_line_or_an_answer() -> None:
    lines = told(task(10, rss=5, comm="a\n1 (x) would die"))
    assert lines[0].startswith(r"10 (a\n1 (x\x29 would die) would die, ")


def test_everyone_who_dies_along_is_named() -> None:
    lines = told(task(10, rss=9, mm="x"), task(11, rss=9, mm="x", comm="\x1b[31m"), task(12, rss=1))
    assert "           1 more process dies with it: 10 (task10)" in lines or (
        "           1 more process dies with it: 11 (\\x1b[31m)" in lines
    )
    many = told(*(task(pid, rss=9, mm="x") for pid in range(10, 25)))
    [line] = [line for line in many if "die with it" in line]
    assert line.startswith("           14 more processes die with it: ")
    assert line.endswith(", …")


def test_who_is_hidden_was_not_judged() -> None:
    lines = told_of(scenario(task(10, rss=5))._replace(hidden=2))
    assert "1 candidate, 0 unkillable, 2 hidden processes not judged; " in lines[5]


def test_rounds_are_numbered_and_added_up() -> None:
    lines = told(task(10, rss=2560), task(11, rss=1280), count=2)
    assert [line[:7] for line in lines if line.startswith("Round ")] == ["Round 1", "Round 2"]
    assert len([line for line in lines if line.startswith("Selection")]) == 1
    assert lines[0] == "10 (task10), then 11 (task11) would die, 15.0MiB would be freed — certain"


def test_what_is_no_kill_says_why() -> None:
    assert told()[0].startswith("panic: no killable process: ")
    assert told(memcg="/a")[0].startswith("nobody would die: no killable process: ")
    assert told()[-1].startswith("Execution  panic: no killable process: ")
    assert told(memcg="/a")[-1].startswith("Execution  no_killable: no killable process: ")
    assert told(task(10, rss=5), panic_on_oom=2)[-1].startswith("Execution  panic: vm.panic_on_oom is 2")
    assert told(task(10, rss=5), order=4)[-1].startswith("Execution  no_oom: an allocation of order 4")
    assert told(task(10, rss=5, oom_victim=True))[-1].startswith("Execution  abort: 10 (task10) is already dying")
    dying = told(task(10, rss=5, exiting=True))
    assert dying[-1].startswith("Execution  silent_mark: 10 (task10) would be chosen but is dying already")
