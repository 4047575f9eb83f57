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
        return told(task(10, rss=5), **situation)[0]

    assert first() == "Trigger    the whole machine runs out of memory"
    assert first(memcg="/a") == "Trigger    the memory cgroup /a hits its limit"
    cpuset = first(constraint=Constraint.CPUSET, current_mems=frozenset({0, 2}))
    assert cpuset == "Trigger    the nodes 0,2 of a cpuset run out of memory"
    mempolicy = first(constraint=Constraint.MEMPOLICY, nodemask=frozenset({1}))
    assert mempolicy == "Trigger    the nodes 1 of a memory policy run out of memory"
    assert told(task(10, rss=5), kernel="6.1")[1] == "           by the rules of kernel 6.1"


def test_only_the_nearest_five_are_listed() -> None:
    lines = told(*(task(pid, rss=pid * 1000) for pid in range(10, 20)))
    assert lines[2].startswith("Selection  10 candidates, 0 unkillable; ")
    assert [line.split()[:2] for line in lines[4:9]] == [[str(rank), str(20 - rank)] for rank in range(1, 6)]
    assert lines[9] == "           19 (task19) has the highest badness, 1000 pages ahead of 18 (task18)"


def test_the_terms_stand_side_by_side() -> None:
    lines = told(task(10, rss=2560, swap=256, pgtables=512, adj=1), totalpages=1_024_000)
    assert lines[3].split() == ["RANK", "PID", "ADJ", "BADNESS", "=", "RSS", "+", "SWAP", "+", "PGTABLES", "+", "ADJ", "COMMAND"]  # fmt: skip # noqa: E501
    assert lines[4].split() == ["1", "10", "1", "17.0MiB", "10.0MiB", "1.0MiB", "2.0MiB", "4.0MiB", "task10"]


def test_a_lone_candidate_leads_nobody() -> None:
    lines = told(task(10, rss=2560))
    assert lines[-1] == "Certainty  certain: there is no other candidate, what the killer finds may differ by 0"
    assert lines[-2] == "Execution  SIGKILL to 10 (task10); 10.0MiB would be freed"


def test_everyone_close_is_named() -> None:
    lines = told(*(task(pid, rss=1000) for pid in range(10, 22)), cpus=2)
    assert lines[-1].startswith("Certainty  close: it leads by 0, what the killer finds may differ by 0.")
    assert lines[-1].count("(task") == 8
    assert lines[-1].endswith(" and 4 more")


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
    assert "1 candidate, 0 unkillable, 2 hidden processes not judged; " in lines[2]


def test_rounds_are_numbered_and_added_up() -> None:
    lines = told(task(10, rss=2560), task(11, rss=1280), count=2)
    assert [line for line in lines if line.startswith("Round ")] == ["Round 1", "Round 2"]
    assert len([line for line in lines if line.startswith("Selection")]) == 1
    assert lines[-1] == "In all     15.0MiB freed in 2 rounds"


def test_what_is_no_kill_says_why() -> None:
    assert told()[-1].startswith("Execution  panic: no killable process: ")
    assert told(memcg="/a")[-1].startswith("Execution  no_killable: no killable process: ")
    assert told(task(10, rss=5), panic_on_oom=2)[-1].startswith("Execution  panic: vm.panic_on_oom is 2")
    assert told(task(10, rss=5), order=4)[-1].startswith("Execution  no_oom: an allocation of order 4")
    assert told(task(10, rss=5, oom_victim=True))[-1].startswith("Execution  abort: 10 (task10) is already dying")
    dying = told(task(10, rss=5, exiting=True))
    assert dying[-1].startswith("Execution  silent_mark: 10 (task10) would be chosen but is dying already")
