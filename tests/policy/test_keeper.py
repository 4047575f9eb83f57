"""What is done about one process that something happened to: the same as a look at all of them would do."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oomctl.model import Change
from oomctl.policy.decision import Decision
from oomctl.policy.document import parse
from oomctl.policy.events import Event
from oomctl.policy.keeper import Keeper
from tests.commands.test_policy import rule
from tests.proc_tree import ProcTree

Changed = list[tuple[int, int | None]]


@pytest.fixture
def said() -> Changed:
    return []


@pytest.fixture
def keep(proc_tree: ProcTree, said: Changed) -> Callable[[str], Keeper]:
    def report(_: Decision, change: Change) -> None:
        said.append((change.pid, change.after))

    return lambda text: Keeper(proc_tree.procfs(), parse("p", text.encode()).rules, report)


def execs(*pids: int) -> list[Event]:
    return [Event("exec", pid) for pid in pids]


def test_a_process_that_executes_something_gets_its_value(
    proc_tree: ProcTree, keep: Callable[[str], Keeper], said: Changed
) -> None:
    keeper = keep(rule("cc1", 500))
    proc_tree.add(10, "cc1")
    proc_tree.add(11, "make")
    keeper.take(execs(10, 11))
    assert said == [(10, 500)]
    keeper.take(execs(10, 11))
    assert said == [(10, 500)]


def test_what_ended_meanwhile_is_not_looked_at(
    proc_tree: ProcTree, keep: Callable[[str], Keeper], said: Changed
) -> None:
    proc_tree.add(10, "cc1")
    keep(rule("cc1", 500)).take([*execs(10, 11), Event("exit", 10)])
    assert said == []


def test_lowering_is_for_the_root_of_a_family(
    proc_tree: ProcTree, keep: Callable[[str], Keeper], said: Changed
) -> None:
    proc_tree.add(10, "db", uid=0)
    proc_tree.add(11, "db", uid=0, ppid=10)
    keep(rule("db", -500)).take([Event("fork", 11, 10), *execs(10)])
    assert said == [(10, -500)]


def test_with_trees_descendants_get_the_value_whatever_they_are(
    proc_tree: ProcTree, keep: Callable[[str], Keeper], said: Changed
) -> None:
    keeper = keep(rule("sshd", 0) + rule("runner", 500, scope="tree"))
    proc_tree.add(10, "runner")
    proc_tree.add(11, "sshd", ppid=10)
    keeper.take(execs(10, 11))
    proc_tree.add(12, "sh", ppid=11)
    proc_tree.add(13, "sh")
    keeper.take([Event("fork", 11, 10), Event("fork", 12, 11), Event("fork", 13, 1), *execs(12, 13)])
    assert said == [(10, 500), (12, 500)]


def test_a_tree_that_was_there_before_is_found_by_a_scan(
    proc_tree: ProcTree, keep: Callable[[str], Keeper], said: Changed
) -> None:
    proc_tree.add(10, "runner", adj=500)
    proc_tree.add(11, "sh", ppid=10, adj=500)
    keeper = keep(rule("runner", 500, scope="tree"))
    keeper.scan()
    proc_tree.add(12, "sleep", ppid=11)
    keeper.take([Event("fork", 12, 11)])
    assert said == [(12, 500)]


def test_what_becomes_the_root_of_a_tree_may_have_children_already(
    proc_tree: ProcTree, keep: Callable[[str], Keeper], said: Changed
) -> None:
    keeper = keep(rule("runner", 500, scope="tree"))
    proc_tree.add(10, "runner")
    proc_tree.add(11, "sh", ppid=10)
    proc_tree.write("10/task/10/children", "11 ")
    keeper.take([Event("fork", 11, 10), *execs(10)])
    assert sorted(said) == [(10, 500), (11, 500)]


def test_a_cgroup_may_come_later(proc_tree: ProcTree, keep: Callable[[str], Keeper], said: Changed) -> None:
    proc_tree.mount_v2()
    keeper = keep(rule("cgroup:/jobs", 500))
    proc_tree.cgroup("/jobs")
    proc_tree.add(10, "job", cgroup="0::/jobs/1\n")
    keeper.scan()
    assert said == [(10, 500)]


NAMES = ("a", "b", "sshd")
TARGETS = st.sampled_from(["a", "b", "?", "user:0", "user:54321", "a.service", "cgroup:/x", "cmd:^b"])
RULES = st.lists(
    st.builds(
        rule,
        TARGETS,
        st.sampled_from([-500, 0, 300]),
        scope=st.sampled_from(["root", "all", "tree"]),
        force=st.booleans(),
    ),
    max_size=4,
)
PROCESSES = st.lists(
    st.tuples(
        st.sampled_from(NAMES),
        st.integers(0, 6),
        st.sampled_from([0, 54321]),
        st.sampled_from(["0::/\n", "0::/a.service\n", "0::/x/y\n"]),
    ),
    min_size=1,
    max_size=6,
)


@given(RULES, PROCESSES)
@settings(max_examples=30, deadline=None)
def test_looking_at_each_is_as_good_as_looking_at_all(
    texts: list[str], processes: list[tuple[str, int, int, str]]
) -> None:
    rules = parse("p", "".join(texts).encode()).rules
    outcomes: list[Changed] = []
    for one_by_one in (False, True):
        outcome: Changed = []

        def report(_: Decision, change: Change, to: Changed = outcome) -> None:
            to.append((change.pid, change.after))

        with tempfile.TemporaryDirectory() as directory:
            tree, started = machine(Path(directory), processes)
            keeper = Keeper(tree.procfs(), rules, report)
            if one_by_one:
                keeper.take(started)
            else:
                keeper.scan()
        outcomes.append(sorted(outcome))
    assert outcomes[0] == outcomes[1]


def machine(directory: Path, processes: list[tuple[str, int, int, str]]) -> tuple[ProcTree, list[Event]]:
    """Processes 10, 11, ...; each was started by an earlier one or by PID 1."""
    tree = ProcTree(directory)
    tree.mount_v2()
    (tree.cgroup_mount / "x").mkdir()
    tree.add(1, "init", uid=0, ppid=0)
    events = [Event("exec", 1)]
    for index, (name, parent, uid, cgroup) in enumerate(processes):
        pid, ppid = 10 + index, 9 + parent if 0 < parent <= index else 1
        tree.add(pid, name, uid=uid, ppid=ppid, cgroup=cgroup)
        tree.write(f"{pid}/cmdline", name)
        events.append(Event("fork", pid, ppid))
    return tree, events
