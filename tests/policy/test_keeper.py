"""What is done about one process that something happened to: the same as a look at all of them would do."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Optional

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oomctl.model.changes import Change
from oomctl.policy.decision import Decision, decide
from oomctl.policy.document import parse
from oomctl.policy.events import Event
from oomctl.policy.keeper import Keeper
from tests.policy.rules import rule
from tests.proc_tree import ProcTree

Changed = list[tuple[int, Optional[int]]]


@pytest.fixture
def said() -> Changed:
    return []


@pytest.fixture
def keep(proc_tree: ProcTree, said: Changed) -> Callable[[str], Keeper]:
    def report(_: Decision, change: Change) -> None:
        said.append((change.pid, change.after))

    return lambda text: Keeper(proc_tree.procfs(), parse("p", text.encode()).rules, report)


def scan(keeper: Keeper) -> None:
    """Look at every process."""
    keeper.look_at_all()
    work(keeper)


def take(keeper: Keeper, events: list[Event]) -> None:
    """Look at whom ``events`` are about, and at whom that concerns."""
    keeper.hear(events)
    work(keeper)


def work(keeper: Keeper) -> None:
    while keeper.busy:
        keeper.work(lambda: False)


def execs(*pids: int) -> list[Event]:
    return [Event("exec", pid) for pid in pids]


def test_a_process_that_executes_something_gets_its_value(
    proc_tree: ProcTree, keep: Callable[[str], Keeper], said: Changed
) -> None:
    keeper = keep(rule("cc1", 500))
    proc_tree.add(10, "cc1")
    proc_tree.add(11, "make")
    take(keeper, execs(10, 11))
    assert said == [(10, 500)]
    take(keeper, execs(10, 11))
    assert said == [(10, 500)]


def test_what_ended_meanwhile_is_not_looked_at(
    proc_tree: ProcTree, keep: Callable[[str], Keeper], said: Changed
) -> None:
    directory = proc_tree.add(10, "cc1")
    keeper = keep(rule("cc1", 500))
    keeper.hear([*execs(10, 11)])
    shutil.rmtree(directory)
    keeper.hear([Event("exit", 10)])
    work(keeper)
    assert said == []


def test_the_end_of_its_first_thread_is_no_way_out(
    proc_tree: ProcTree, keep: Callable[[str], Keeper], said: Changed
) -> None:
    proc_tree.add_zombie_leader(10, 11, 100)
    take(keep(rule("leader", 500)), [Event("fork", 10, 1), Event("exit", 10)])
    assert said == [(10, 500)]


def test_lowering_is_for_the_root_of_a_family(
    proc_tree: ProcTree, keep: Callable[[str], Keeper], said: Changed
) -> None:
    proc_tree.add(10, "db", uid=0)
    proc_tree.add(11, "db", uid=0, ppid=10)
    take(keep(rule("db", -500)), [Event("fork", 11, 10), *execs(10)])
    assert said == [(10, -500)]


def test_with_trees_descendants_get_the_value_whatever_they_are(
    proc_tree: ProcTree, keep: Callable[[str], Keeper], said: Changed
) -> None:
    keeper = keep(rule("sshd", 0) + rule("runner", 500, scope="tree"))
    proc_tree.add(10, "runner")
    proc_tree.add(11, "sshd", ppid=10)
    take(keeper, execs(10, 11))
    proc_tree.add(12, "sh", ppid=11)
    proc_tree.add(13, "sh")
    take(keeper, [Event("fork", 11, 10), Event("fork", 12, 11), Event("fork", 13, 1), *execs(12, 13)])
    assert said == [(10, 500), (12, 500)]


def test_a_tree_that_was_there_before_is_found_by_a_scan(
    proc_tree: ProcTree, keep: Callable[[str], Keeper], said: Changed
) -> None:
    proc_tree.add(10, "runner", adj=500)
    proc_tree.add(11, "sh", ppid=10, adj=500)
    keeper = keep(rule("runner", 500, scope="tree"))
    scan(keeper)
    proc_tree.add(12, "sleep", ppid=11)
    take(keeper, [Event("fork", 12, 11)])
    assert said == [(12, 500)]


def test_what_becomes_the_root_of_a_tree_may_have_children_already(
    proc_tree: ProcTree, keep: Callable[[str], Keeper], said: Changed
) -> None:
    keeper = keep(rule("runner", 500, scope="tree"))
    proc_tree.add(10, "runner")
    proc_tree.add(11, "sh", ppid=10)
    proc_tree.write("10/task/10/children", "11 ")
    take(keeper, [Event("fork", 11, 10), *execs(10)])
    assert sorted(said) == [(10, 500), (11, 500)]


def test_who_has_the_value_already_gets_it_once_for_its_floor(
    proc_tree: ProcTree, keep: Callable[[str], Keeper], said: Changed
) -> None:
    """It may have set it itself, and could take it back; nothing is said of it."""
    directory = proc_tree.add(10, "job", adj=500)
    proc_tree.add(11, "job")
    keeper = keep(rule("job", 500))
    for is_written in (True, False):
        os.utime(directory / "oom_score_adj", (0, 0))
        take(keeper, execs(10, 11))
        assert ((directory / "oom_score_adj").stat().st_mtime > 0) == is_written
    assert said == [(11, 500)]
    os.utime(proc_tree.root / "11/oom_score_adj", (0, 0))
    take(keeper, execs(11))
    assert (proc_tree.root / "11/oom_score_adj").stat().st_mtime == 0


def test_another_process_with_that_pid_gets_it_again(
    proc_tree: ProcTree, keep: Callable[[str], Keeper], said: Changed
) -> None:
    keeper = keep(rule("job", 500))
    proc_tree.add(10, "job", adj=500)
    take(keeper, execs(10))
    directory = proc_tree.add(10, "job", adj=500, start=11)
    os.utime(directory / "oom_score_adj", (0, 0))
    take(keeper, execs(10))
    assert (directory / "oom_score_adj").stat().st_mtime > 0
    assert said == []


@contextlib.contextmanager
def opened_files() -> Iterator[list[str]]:
    """The files that are opened while inside."""
    found: list[str] = []
    OPENED.append(found)
    yield found
    OPENED.remove(found)


OPENED: list[list[str]] = []


def _note_open(event: str, how: tuple[object, ...]) -> None:
    if event == "open":
        for found in OPENED:
            found.append(str(how[0]))


sys.addaudithook(_note_open)


def test_nested_processes_that_rename_themselves_cost_as_much_as_others(
    proc_tree: ProcTree, keep: Callable[[str], Keeper]
) -> None:
    """All ancestors of each were read anew."""
    keeper = keep(rule("sec*", 500, scope="tree"))
    nested = range(10, 110)
    for pid in nested:
        proc_tree.add(pid, "sec", ppid=pid - 1 if pid > 10 else 1)
    scan(keeper)
    costs = []
    for name in ("other", "second", "sec", "sec"):
        for pid in nested:
            proc_tree.add(pid, name, ppid=pid - 1 if pid > 10 else 1)
        with opened_files() as opened:
            take(keeper, execs(*nested) * 3)
        costs.append(len(opened) / len(nested))
    assert max(costs) < 25, costs


def test_a_cgroup_may_come_later(proc_tree: ProcTree, keep: Callable[[str], Keeper], said: Changed) -> None:
    proc_tree.mount_v2()
    keeper = keep(rule("cgroup:/jobs", 500))
    proc_tree.cgroup("/jobs")
    proc_tree.add(10, "job", cgroup="0::/jobs/1\n")
    scan(keeper)
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


@given(RULES, PROCESSES, st.booleans(), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_looking_at_each_is_as_good_as_looking_at_all(
    texts: list[str], processes: list[tuple[str, int, int, str]], by_events: bool, random: Random
) -> None:
    rules = parse("p", "".join(texts).encode()).rules
    outcome: Changed = []

    def report(_: Decision, change: Change) -> None:
        outcome.append((change.pid, change.after))

    with tempfile.TemporaryDirectory() as directory:
        tree, started = machine(Path(directory), processes)
        procfs = tree.procfs()
        decided = decide(rules, procfs.tasks().read, procfs).values()
        expected = [(decision.task.pid, decision.rule.adj) for decision in decided if decision.differs]
        keeper = Keeper(procfs, rules, report)
        if by_events:
            random.shuffle(started)
            take(keeper, started)
        else:
            scan(keeper)
    assert sorted(outcome) == sorted(expected)


Step = tuple[int, str, int]
STEPS = st.lists(
    st.tuples(st.integers(10, 15), st.sampled_from(["sh", "runner", "ci"]), st.integers(9, 15)), max_size=8
)


@given(STEPS)
@settings(max_examples=100, deadline=None)
def test_whatever_happens_above_a_process_its_value_is_that_of_its_tree(steps: list[Step]) -> None:
    """Six processes in a row; then one after the other takes a name, and what it is a child of changes."""
    rules = parse("p", (rule("runner", 300, scope="tree") + rule("ci", 500, scope="tree")).encode()).rules
    with tempfile.TemporaryDirectory() as directory:
        tree = ProcTree(Path(directory))
        parents = {pid: pid - 1 if pid > 10 else 1 for pid in range(10, 16)}
        names = dict.fromkeys(parents, "sh")
        for pid, ppid in parents.items():
            tree.add(pid, "sh", ppid=ppid)
        procfs = tree.procfs()
        keeper = Keeper(procfs, rules, lambda *_: None)
        scan(keeper)
        for pid, name, ppid in steps:
            parents[pid] = ppid if 10 <= ppid < pid else 1
            names[pid] = name
            tree.add(pid, name, ppid=parents[pid], adj=procfs.adj(pid) or 0)
            take(keeper, execs(pid))
            assert not [one for one in decide(rules, procfs.tasks().read, procfs).values() if one.differs]


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
