"""The API decides as the commands do, whatever memory runs out and whatever is supposed."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from typing import Any

import pytest

from oomctl import api
from oomctl.errors import BadInput, ImpossibleHere, NothingMatched
from oomctl.kernel.scenario_rules import rules_of
from oomctl.model.kernel import Constraint, Decisive, Outcome, Round
from oomctl.scenario.document import parse
from tests.api.answers import answer_in, answer_of
from tests.commands.invoke import ask, program
from tests.proc_tree import ProcTree
from tests.worked_cases import as_document, every_case


@pytest.fixture
def host(server: ProcTree) -> ProcTree:
    """The server, with a cgroup that has a limit and one that has none."""
    server.mount_v2()
    server.add(21, "worker", 89_990, uid=54321, cgroup="0::/app\n")
    server.write("20/cgroup", "0::/app\n")
    server.write("10/cgroup", "0::/free\n")
    server.cgroup("/", (1, 11, 30))
    server.cgroup("/app", (20, 21), memory__max="819200000", memory__current="778600448", memory__swap__max="0")
    server.cgroup("/free", (10,), memory__max="max", memory__current="1")
    return server


def said(tree: ProcTree, *argv: str, stdin: str | None = None) -> dict[str, Any]:
    """What the command says."""
    document: dict[str, Any] = json.loads(ask(tree, "simulate", "--json", *argv, stdin=stdin).stdout)
    return answer_in(document)


@every_case
def test_a_scenario_has_the_answer_of_the_command(proc_tree: ProcTree, case: dict[str, Any]) -> None:
    text = as_document(case)
    scenario = parse(text).scenario
    assert answer_of(api.simulate(scenario), scenario.page_size) == said(proc_tree, "--from", "-", stdin=text)


ASKED: dict[str, tuple[dict[str, Any], list[str]]] = {
    "the machine": ({}, []),
    "a cgroup": ({"cgroup": "/app"}, ["--cgroup", "/app"]),
    "a cgroup without a limit": ({"cgroup": "/free"}, ["--cgroup", "/free"]),
    "the nearest limit": ({"target": 20}, ["--for", "20"]),
    "the nearest limit of a name": ({"target": "worker"}, ["--for", "worker"]),
    "other values": ({"adjs": {"java": -500, 10: 300}}, ["--set", "java=-500", "--set", "10=300"]),
    "without one": ({"without": 20}, ["--without", "20"]),
    "without a name": ({"without": "java"}, ["--without", "java"]),
    "without two": ({"without": ["java", 21]}, ["--without", "java", "--without", "21"]),
    "at once": ({"sudden": True}, ["--sudden"]),
    "all of it": (
        {"cgroup": "/app", "adjs": {21: 100}, "without": (20,), "sudden": True},
        ["--cgroup", "/app", "--set", "21=100", "--without", "20", "--sudden"],
    ),
}


@pytest.mark.parametrize(("how", "argv"), ASKED.values(), ids=ASKED)
def test_a_machine_has_the_answer_of_the_command(host: ProcTree, how: dict[str, Any], argv: list[str]) -> None:
    found = api.simulate(root=str(host.root), **how)
    assert answer_of(found) == said(host, *argv)


def test_the_questions_above_have_different_answers(host: ProcTree) -> None:
    answers = {json.dumps(answer_of(api.simulate(root=str(host.root), **how))) for how, _ in ASKED.values()}
    assert len(answers) == 6


@pytest.mark.parametrize("how", [{}, {"cgroup": "/app"}, {"cgroup": "/free"}, {"target": 20}], ids=str)
def test_a_snapshot_keeps_the_answer(host: ProcTree, how: dict[str, Any]) -> None:
    scenario = api.snapshot(root=str(host.root), **how)
    expected = answer_of(api.simulate(root=str(host.root), **how))
    host.add(50, "newcomer", 900_000)
    assert answer_of(api.simulate(scenario)) == expected


def test_a_snapshot_can_be_asked_what_if(host: ProcTree) -> None:
    scenario = api.snapshot(root=str(host.root))
    assert killed(api.simulate(scenario)) == [20]
    assert killed(api.simulate(scenario, without="java")) == [21]
    assert killed(api.simulate(scenario, adjs={"cgroup:/app": -900})) == [11]


def test_a_snapshot_is_about_the_memory_that_was_named(host: ProcTree) -> None:
    context = api.snapshot(cgroup="app", root=str(host.root)).context
    assert (context.constraint, context.memcg, context.totalpages) == (Constraint.MEMCG, "/app", 200_000)


def test_a_cgroup_without_a_limit_has_no_oom(host: ProcTree) -> None:
    found = api.simulate(cgroup="/free", root=str(host.root))
    assert (found.outcome, found.reason.kind, found.victim) == (Outcome.NO_OOM, Decisive.UNLIMITED, None)


def test_hidden_processes_keep_it_from_being_certain(proc_tree: ProcTree) -> None:
    proc_tree.add(100, rss=9000)
    proc_tree.add(101).joinpath("status").write_text("nothing that a kernel writes\n")
    found = api.simulate(root=str(proc_tree.root))
    assert answer_of(found) == said(proc_tree)
    assert [doubt.kind.value for doubt in found.doubts] == ["hidden_processes"]


def killed(found: Round) -> list[int]:
    return [task.pid for task in found.killed]


def test_the_ranking_is_that_of_top(host: ProcTree) -> None:
    listed = json.loads(ask(host, "top", "--json").stdout)["processes"]
    expected = [(one["pid"], one["badness_pages"]) for one in listed if one["rank"]]
    found = api.rank(root=str(host.root))
    assert [(candidate.task.pid, candidate.badness) for candidate in found] == expected
    assert api.rank(api.snapshot(root=str(host.root)))[0].task.memcg == "/app"


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_the_first_of_a_ranking_are_the_same(host: ProcTree, limit: int) -> None:
    everybody = [candidate.task.pid for candidate in api.rank(root=str(host.root))]
    assert [one.task.pid for one in api.rank(limit=limit, root=str(host.root))] == everybody[:limit]
    assert [one.task.pid for one in api.rank(api.snapshot(root=str(host.root)), limit)] == everybody[:limit]


WRONG: dict[str, tuple[Callable[[str], object], type[Exception], str]] = {
    "no /proc": (lambda root: api.simulate(root=f"{root}/nowhere"), ImpossibleHere, r".*nowhere.*"),
    "no such cgroup": (
        lambda root: api.snapshot(cgroup="/nope", root=root),
        ImpossibleHere,
        r"cgroup /nope: no such memory cgroup under .*",
    ),
    "nobody of that name": (
        lambda root: api.simulate(adjs={"nobody-here": 5}, root=root),
        NothingMatched,
        "nobody-here: no process matches",
    ),
    "nobody to leave out": (
        lambda root: api.simulate(without=4_000_000, root=root),
        NothingMatched,
        "4000000: no process matches",
    ),
    "no such target": (lambda root: api.snapshot(target=4_000_000, root=root), NothingMatched, "4000000: .*"),
    "no target at all": (lambda root: api.snapshot(target="", root=root), BadInput, "target: an empty word .*"),
    "no PID": (lambda root: api.simulate(target=0, root=root), BadInput, "target 0: not a PID, .*"),
    "a value that there is not": (
        lambda root: api.simulate(adjs={"java": 1001}, root=root),
        ValueError,
        "oom_score_adj 1001: expected -1000 to 1000",
    ),
    "two memories": (
        lambda root: api.simulate(cgroup="/app", target=20, root=root),
        ValueError,
        "cgroup and target ask about different memory: .*",
    ),
    "a scenario and a memory": (
        lambda root: api.simulate(api.snapshot(root=root), cgroup="/app"),
        ValueError,
        "cgroup and target ask about now, .*",
    ),
    "a list of nobody": (lambda root: api.rank(limit=0, root=root), ValueError, "limit 0: .*"),
}


@pytest.mark.parametrize(("ask_wrongly", "error", "message"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_answered_is_refused(
    host: ProcTree, ask_wrongly: Callable[[str], object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as raised:
        ask_wrongly(str(host.root))
    assert re.fullmatch(message, str(raised.value))


@pytest.mark.live
def test_on_this_machine_it_says_what_the_command_says() -> None:
    """Sizes move in between, so they may differ a few times."""
    for _ in range(20):
        found = api.simulate()
        document = json.loads(program("simulate", "--json").stdout)
        if [task.pid for task in found.killed] == [process["pid"] for process in document["killed"]]:
            break
    else:
        pytest.fail("in 20 looks they never agreed")
    assert found.outcome.value == document["outcome"]
    assert document["victim"]["pid"] in [task.pid for task in found.contenders]


@pytest.mark.live
def test_the_program_that_asks_can_be_the_victim() -> None:
    own = os.getpid()
    assert own in [candidate.task.pid for candidate in api.rank()]
    assert own in [task.pid for task in api.snapshot().tasks]
    assert killed(api.simulate(adjs={own: 1000})) == [own]
    assert own not in [candidate.task.pid for candidate in api.simulate(without=own).ranking]


@pytest.mark.live
def test_the_ranking_of_a_snapshot_is_by_the_kernel_s_rules() -> None:
    scenario = api.snapshot()
    ranked = api.rank(scenario)
    assert [one.badness for one in ranked] == sorted((one.badness for one in ranked), reverse=True)
    assert rules_of(scenario).last_wins
    assert api.simulate(scenario).ranking == tuple(ranked)
