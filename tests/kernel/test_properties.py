"""What holds for every machine: invented by hypothesis, judged by rules that need no worked example."""

from __future__ import annotations

import json
from random import Random

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from oomctl.kernel.badness import ADJ_MAX, ADJ_MIN
from oomctl.kernel.invocation import out_of_memory, rounds
from oomctl.kernel.rules import rules_for
from oomctl.kernel.whatif import first_adj_that_wins, task_of, with_adj, with_growth, without
from oomctl.model.kernel import (
    Certainty,
    Constraint,
    Context,
    Doubt,
    Doubtful,
    MemcgLimits,
    Mempolicy,
    NodePages,
    Outcome,
    Scenario,
    Task,
    Thread,
)
from oomctl.scenario import document as documents
from tests.tasks import scenario, task

SIGNED = ["5.4.273", "5.9", "6.1", "6.18", "7.1"]
EVERY_KERNEL = ["3.10", "4.4", "4.14", "4.19", "5.2", "5.3", "rhel8.1", "rhel8.3", *SIGNED]

# Small numbers, so that ties and clamped values are common.
pages = st.integers(0, 40)
adjs = st.sampled_from([-1000, -999, -500, -2, -1, 0, 1, 2, 500, 1000]) | st.integers(-5, 5)
totals = st.sampled_from([999, 1000, 5000, 1_000_000])


@st.composite
def machines(draw: st.DrawFn, /, kernels: list[str] = EVERY_KERNEL, least: int = 1, **context: int) -> Scenario:
    """A machine of plain processes: no shared memory, no groups, nobody dying."""
    sizes = draw(st.lists(st.tuples(pages, pages, pages, adjs, st.booleans()), min_size=least, max_size=6))
    pids = draw(st.permutations(range(10, 10 + len(sizes))))
    tasks = [
        Task(
            pid,
            "task",
            ppid=1,
            rss_pages=rss,
            swap_pages=swap,
            pgtables_pages=pgtables,
            adj=adj,
            cap_sys_admin=admin,
        )
        for pid, (rss, swap, pgtables, adj, admin) in zip(pids, sizes)
    ]
    return scenario(*tasks, kernel=draw(st.sampled_from(kernels)), totalpages=draw(totals), **context)


def ranking(machine: Scenario) -> list[int]:
    return [candidate.task.pid for candidate in out_of_memory(machine).ranking]


@given(machines(), st.randoms())
def test_the_order_of_tasks_decides_only_ties(machine: Scenario, random: Random) -> None:
    shuffled = list(machine.tasks)
    random.shuffle(shuffled)
    one, other = out_of_memory(machine), out_of_memory(machine._replace(tasks=tuple(shuffled)))
    assert [candidate.badness for candidate in one.ranking] == [candidate.badness for candidate in other.ranking]
    if one.margin_pages != 0:
        assert one.victim == other.victim


@given(machines(), adjs, adjs)
def test_raising_adj_never_helps_to_survive(machine: Scenario, one: int, other: int) -> None:
    pid = machine.tasks[0].pid
    lower, higher = sorted((one, other))
    if pid in ranking(with_adj(machine, pid, lower))[:1]:
        assert ranking(with_adj(machine, pid, higher))[0] == pid


@given(machines())
def test_minus_1000_is_never_chosen(machine: Scenario) -> None:
    protected = {task.pid for task in machine.tasks if task.adj == ADJ_MIN}
    result = out_of_memory(machine)
    assert protected.isdisjoint(task.pid for task in result.killed)
    assert (result.outcome is Outcome.KILL) == (len(protected) < len(machine.tasks))


@given(machines(), pages)
def test_a_larger_rss_never_ranks_lower(machine: Scenario, more: int) -> None:
    for pid in ranking(machine):
        assert ranking(with_growth(machine, pid, more)).index(pid) <= ranking(machine).index(pid)


@given(machines(SIGNED, least=2))
def test_without_the_victim_the_second_dies(machine: Scenario) -> None:
    in_order = ranking(machine)
    if in_order:
        assert ranking(without(machine, in_order[0])) == in_order[1:]


@given(machines(SIGNED))
def test_rounds_kill_by_rank(machine: Scenario) -> None:
    killed = [task.pid for result in rounds(machine, len(machine.tasks)) for task in result.killed]
    assert killed == ranking(machine)


@given(machines(cpus=2))
def test_certain_is_one_contender_and_the_victim_is_always_among_them(machine: Scenario) -> None:
    result = out_of_memory(machine)
    if result.victim is not None:
        assert result.victim.task in result.contenders
        assert (result.certainty is Certainty.CERTAIN) == (len(result.contenders) == 1)


@given(machines(["5.10", "6.1", "6.6", "7.1"], cpus=2), st.data())
def test_who_can_be_first_within_the_error_is_a_contender(machine: Scenario, data: st.DataObject) -> None:
    """Half a batch is what a size may be off at least; whoever leads then was named."""
    result = out_of_memory(machine)
    moved = tuple(task._replace(rss_pages=task.rss_pages + data.draw(st.integers(0, 16))) for task in machine.tasks)
    truth = out_of_memory(machine._replace(tasks=moved)).victim
    if truth is not None:
        assert truth.task.pid in {contender.pid for contender in result.contenders}


@settings(max_examples=10, deadline=None, phases=[Phase.generate])  # slow, and slower to shrink
@given(machines())
def test_the_first_adj_that_wins_is_the_lowest_of_all_that_do(machine: Scenario) -> None:
    pid = machine.tasks[0].pid
    winning = [adj for adj in range(ADJ_MIN + 1, ADJ_MAX + 1) if ranking(with_adj(machine, pid, adj))[0] == pid]
    assert first_adj_that_wins(machine, pid, rules_for(machine.kernel)) == (winning[0] if winning else None)


numbers = st.integers(0, 1 << 53)
some_pages = st.none() | numbers
names = st.text(st.characters(exclude_categories=["Cs"]))
node_sets = st.frozensets(st.integers(0, 1023), max_size=3)
policies = st.none() | st.builds(Mempolicy, names, node_sets)
threads = st.builds(Thread, st.integers(1, 1 << 22), names, st.none() | names, st.none() | node_sets, policies)
tasks = st.builds(
    Task,
    pid=st.integers(1, 1 << 22),
    comm=names,
    ppid=numbers,
    uid=numbers,
    rss_pages=numbers,
    rss_exact_pages=some_pages,
    swap_pages=numbers,
    pgtables_pages=numbers,
    adj=st.integers(ADJ_MIN, ADJ_MAX),
    start_ticks=numbers,
    oom_score=some_pages,
    anon_pages=some_pages,
    file_pages=numbers,
    shmem_pages=numbers,
    droppable_pages=some_pages,
    evictable_pages=some_pages,
    vsize_bytes=numbers,
    memcg=st.none() | names,
    mm=st.none() | names,
    mems=st.none() | node_sets,
    mempolicy=policies,
    threads=st.lists(threads, max_size=2).map(tuple),
    inode=st.none(),  # of a running system: no document has it
    start_stack=st.just(0),
)
contexts = st.builds(
    Context,
    st.sampled_from(Constraint),
    st.integers(1, 1 << 53),
    names,
    current=some_pages,
    current_mems=st.none() | node_sets,
    nodemask=st.none() | node_sets,
    order=st.integers(-1, 10),
    panic_on_oom=st.integers(0, 2),
    oom_groups=st.frozensets(names, max_size=3),
    cpus=st.none() | st.integers(1, 8192),
    file_lru_pages=some_pages,
    swappable_shmem_pages=some_pages,
    droppable_pages=numbers,
    left_pages=some_pages,
)
scenarios = st.builds(
    Scenario,
    st.sampled_from(EVERY_KERNEL),
    contexts,
    st.lists(tasks, max_size=3, unique_by=lambda task: task.pid).map(tuple),
    st.sampled_from([4096, 16384, 65536]),
    unread_candidates=numbers,
    unread_unkillable=numbers,
    hidden=numbers,
    read_from=st.none(),
    doubts=st.lists(st.builds(Doubt, st.sampled_from(Doubtful), numbers, names), max_size=3).map(tuple),
)
v1_limits: SearchStrategy[MemcgLimits] = st.builds(
    MemcgLimits, st.just(1), some_pages, st.none(), some_pages, numbers, numbers
)
v2_limits: SearchStrategy[MemcgLimits] = st.builds(
    MemcgLimits, st.just(2), some_pages, some_pages, st.none(), numbers, numbers, st.just(True)
)


@given(
    scenarios,
    st.dictionaries(names, v1_limits | v2_limits, max_size=2),
    st.dictionaries(st.integers(0, 1023), st.builds(NodePages, numbers, numbers), max_size=2),
    numbers,
)
def test_a_scenario_document_reads_back_as_it_was(
    machine: Scenario, memcgs: dict[str, MemcgLimits], nodes: dict[int, NodePages], swap: int
) -> None:
    text = json.dumps(documents.as_document(machine, memcgs, nodes, swap))
    assert documents.parse(text) == documents.Document(machine, memcgs, nodes, swap, ())


FLAGS = [name for name in Task._fields if Task._field_defaults.get(name) is False]


@given(st.sets(st.sampled_from(FLAGS)))
def test_every_flag_of_a_task_reads_back(flags: set[str]) -> None:
    machine = scenario(task(10, **dict.fromkeys(flags, True)))
    document = documents.parse(json.dumps(documents.as_document(machine, {}, {}, 0)))
    assert task_of(document.scenario, 10) == machine.tasks[0]
