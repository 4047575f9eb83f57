from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from oomctl.kernel.selection import why_not
from oomctl.model.kernel import Constraint, Context, Task, Unkillable, WhySpared
from oomctl.procfs.reader import Procfs, Score
from oomctl.procfs.statfiles import start_ticks_at
from tests.proc_tree import CONTAINER, INITIAL, PF_EXITING, ProcTree

SIGKILL_PENDING = 1 << 8
CAP_SYS_ADMIN = 1 << 21


def only_task(procfs: Procfs) -> Task:
    (task,) = procfs.tasks().read
    return task


def reason_spared(task: Task, procfs: Procfs) -> WhySpared | None:
    return why_not(task, Context(Constraint.NONE, procfs.totalpages), procfs.rules)


@contextmanager
def unprivileged() -> Iterator[None]:
    """Root may read everything; be somebody else for a while."""
    me = os.geteuid()
    if me == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(me)


def test_every_number_of_a_process_is_read(proc_tree: ProcTree, procfs: Procfs) -> None:
    proc_tree.add(
        100,
        "java",
        900,
        swap=30,
        pgtables_kb=48,
        adj=-5,
        score=700,
        ppid=7,
        uid=33,
        start=4711,
        vsize_kb=8000,
        anon=600,
    )
    assert only_task(procfs) == Task(
        100,
        "java",
        ppid=7,
        uid=33,
        rss_pages=900,
        swap_pages=30,
        pgtables_pages=12,
        adj=-5,
        start_ticks=4711,
        oom_score=700,
        anon_pages=600,
        file_pages=300,
        vsize_bytes=8000 * 1024,
    )


@pytest.mark.parametrize(
    ("kernel", "rss"), [("5.10", 500), ("6.2", 500), ("6.12.117", 500), ("6.19", 500), ("7.0", 564)]
)
def test_rss_is_read_where_the_killers_own_number_is(proc_tree: ProcTree, kernel: str, rss: int) -> None:
    proc_tree.add(100, rss=500, status_rss=564)
    assert only_task(proc_tree.procfs(kernel)).rss_pages == rss


@pytest.mark.parametrize(
    ("kernel", "status", "exact"),
    [("5.10", 500, None), ("6.2", 500, None), ("6.12.117", 564, 564), ("6.19", 564, 564), ("7.0", 564, None)],
)
def test_the_exact_rss_is_read_too_where_the_killer_goes_by_another(
    proc_tree: ProcTree, kernel: str, status: int, exact: int | None
) -> None:
    proc_tree.add(100, rss=500, status_rss=status)
    assert only_task(proc_tree.procfs(kernel)).rss_exact_pages == exact


def test_who_has_no_memory_has_no_exact_rss(proc_tree: ProcTree) -> None:
    proc_tree.add(100, state="Z", has_memory=False, score=0)
    assert only_task(proc_tree.procfs("6.12.117")).rss_exact_pages is None


@pytest.mark.parametrize(
    ("kernel", "cpus", "swap"),
    [
        pytest.param("6.1", 2, 100, id="exact"),
        pytest.param("6.12.117", 2, 96, id="in batches of 32"),
        pytest.param("6.12.117", 24, 96, id="in batches of 48"),
        pytest.param("6.12.117", 64, 0, id="in batches of 128"),
        pytest.param("7.0", 2, 100, id="exact again"),
    ],
)
def test_swap_counts_in_whole_batches_where_status_is_too_exact(
    proc_tree: ProcTree, kernel: str, cpus: int, swap: int
) -> None:
    proc_tree.add(100, swap=100)
    assert only_task(proc_tree.procfs(kernel, cpus=cpus)).swap_pages == swap


@pytest.mark.parametrize(("kernel", "pgtables"), [("3.10", 12), ("4.4", 14), ("4.14", 14), ("4.15", 12)])
def test_page_tables_are_added_up_as_the_kernel_does(proc_tree: ProcTree, kernel: str, pgtables: int) -> None:
    proc_tree.add(100, pgtables_kb=48, pmd_kb=8 if kernel.startswith("4.") and kernel != "4.15" else 0)
    assert only_task(proc_tree.procfs(kernel)).pgtables_pages == pgtables


def test_page_tables_smaller_than_a_page_are_floored(proc_tree: ProcTree) -> None:
    proc_tree.add(100, pgtables_kb=127)
    assert only_task(proc_tree.procfs(page_size=65536)).pgtables_pages == 1


def test_tasks_stand_in_the_order_they_started(proc_tree: ProcTree, procfs: Procfs) -> None:
    for pid, start in ((300, 5), (100, 9), (200, 5)):
        proc_tree.add(pid, start=start)
    assert [task.pid for task in procfs.tasks().read] == [200, 300, 100]


def test_only_numbers_are_processes(proc_tree: ProcTree, procfs: Procfs) -> None:
    proc_tree.add(100)
    for name in ("sysvipc/shm", "bus/x", "0/stat"):
        proc_tree.write(name, "")
    assert [task.pid for task in procfs.tasks().read] == [100]
    assert procfs.tasks().hidden == 0


@pytest.mark.parametrize(
    "comm",
    [
        pytest.param(b"a) Z 1 (b", id="parentheses"),
        pytest.param(b") Z 0 0 0", id="looks like the fields"),
        pytest.param(b"two\nlines", id="newline"),
        pytest.param(b"\nVmRSS:\t9 kB", id="looks like a line of status"),
        pytest.param(b"back\\slash", id="backslash"),
        pytest.param(b"\x1b[31mred", id="escape sequence"),
        pytest.param(b"", id="empty"),
        pytest.param("\u2028caf\u00e9".encode(), id="line separator"),
    ],
)
def test_a_name_is_only_a_name(proc_tree: ProcTree, procfs: Procfs, comm: bytes) -> None:
    proc_tree.add(100, comm, 900, ppid=7)
    task = only_task(procfs)
    assert (task.comm, task.ppid, task.rss_pages, task.zombie) == (comm.decode(), 7, 900, False)


def test_a_name_that_is_no_utf_8_is_shown_as_far_as_possible(proc_tree: ProcTree, procfs: Procfs) -> None:
    proc_tree.add(100, b"caf\xe9")
    assert only_task(procfs).comm == "caf\ufffd"


def test_a_status_of_any_length_is_read(proc_tree: ProcTree, procfs: Procfs) -> None:
    groups = " ".join(map(str, range(100_000, 160_000)))
    proc_tree.add(100, rss=900, swap=30, groups=groups)
    assert only_task(procfs).swap_pages == 30
    assert only_task(procfs).rss_pages == 900


@pytest.mark.parametrize("size", [(1 << 14) - 1, 1 << 14, (1 << 14) + 1])
def test_a_status_that_just_fills_the_buffer(proc_tree: ProcTree, procfs: Procfs, size: int) -> None:
    proc_tree.add(100, swap=30)
    status = (proc_tree.root / "100/status").read_bytes()
    padding = b"9" * (size - len(status))
    proc_tree.write("100/status", status.replace(b"Groups:\t", b"Groups:\t" + padding))
    assert only_task(procfs).swap_pages == 30


@pytest.mark.parametrize("name", ["stat", "status", "oom_score", "oom_score_adj"])
def test_a_process_that_ends_while_listed_is_left_out(proc_tree: ProcTree, procfs: Procfs, name: str) -> None:
    proc_tree.add(100)
    proc_tree.add(101)
    (proc_tree.root / "100" / name).unlink()
    assert [task.pid for task in procfs.tasks().read] == [101]


def test_a_process_that_is_asked_for_and_gone_is_an_error(procfs: Procfs) -> None:
    with pytest.raises(FileNotFoundError):
        procfs.task(100)


def test_a_process_asked_for_among_others_and_gone_is_left_out(proc_tree: ProcTree, procfs: Procfs) -> None:
    proc_tree.add(100)
    assert [task.pid for task in procfs.tasks([99, 100]).read] == [100]


def test_what_may_not_be_read_is_counted(proc_tree: ProcTree, monkeypatch: pytest.MonkeyPatch) -> None:
    proc_tree.add(100)
    proc_tree.add(101).chmod(0)
    (proc_tree.root / "100").chmod(0o755)
    monkeypatch.chdir(proc_tree.root)  # its parents are private
    procfs = Procfs(".", page_size=4096, cpus=2)
    with unprivileged():
        tasks, scores = procfs.tasks(), procfs.scores()
    assert ([task.pid for task in tasks.read], tasks.hidden) == ([100], 1)
    assert (scores.listed, scores.hidden) == ([Score(666, 100)], 1)


def test_scores_leave_out_who_ended(proc_tree: ProcTree, procfs: Procfs) -> None:
    proc_tree.add(100, score=700)
    proc_tree.add(101)
    (proc_tree.root / "101/oom_score").unlink()
    assert procfs.scores().listed == [Score(700, 100)]


def test_a_kernel_thread_is_told_by_its_flag(proc_tree: ProcTree, procfs: Procfs) -> None:
    proc_tree.add_kthread(100)
    task = only_task(procfs)
    assert (task.kthread, task.zombie, task.rss_pages) == (True, False, 0)


def test_a_zombie_has_no_memory(proc_tree: ProcTree, procfs: Procfs) -> None:
    proc_tree.add(100, state="Z", flags=PF_EXITING, has_memory=False, score=0)
    task = only_task(procfs)
    assert (task.zombie, task.zombie_leader, task.exiting) == (True, False, True)


@pytest.mark.parametrize("kernel", ["5.10", "6.12.117", "7.1"])
def test_the_memory_of_a_zombie_leader_is_its_threads(proc_tree: ProcTree, kernel: str) -> None:
    proc_tree.add_zombie_leader(100, 105, rss=900, adj=3, swap=64)
    task = only_task(proc_tree.procfs(kernel))
    assert (task.rss_pages, task.swap_pages, task.adj) == (900, 64, 3)
    assert (task.zombie, task.zombie_leader, task.exiting) == (False, True, False)
    assert [(thread.tid, thread.comm) for thread in task.threads] == [(105, "worker")]
    assert task.vsize_bytes == 1000 * 1024


def test_the_first_thread_that_is_left_speaks_for_a_zombie_leader(proc_tree: ProcTree, procfs: Procfs) -> None:
    proc_tree.add_zombie_leader(100, 1105, rss=900)
    proc_tree.add_thread(100, 205, rss=900)
    proc_tree.add_thread(100, 150, rss=1)
    (proc_tree.root / "100/task/150/status").unlink()
    assert [thread.tid for thread in only_task(procfs).threads] == [205]


def test_a_zombie_leader_whose_threads_end_meanwhile_is_a_zombie(proc_tree: ProcTree, procfs: Procfs) -> None:
    proc_tree.add_zombie_leader(100, 105, rss=900)
    (proc_tree.root / "100/task/105/stat").unlink()
    assert only_task(procfs).zombie


def test_a_vfork_child_is_told_by_its_score_of_0_and_its_parents_size(proc_tree: ProcTree, procfs: Procfs) -> None:
    proc_tree.add(100, vsize_kb=5000)
    proc_tree.add(101, ppid=100, vsize_kb=5000, score=0)
    child = procfs.task(101)
    assert (child.vfork, child.oom_skip) == (True, False)
    assert procfs.task(100).vfork is False
    assert reason_spared(child, procfs) == WhySpared(Unkillable.VFORK)


def test_another_score_of_0_is_reaped_memory(proc_tree: ProcTree, procfs: Procfs) -> None:
    proc_tree.add(100, vsize_kb=5000)
    proc_tree.add(101, ppid=100, vsize_kb=4000, score=0)
    proc_tree.add(102, ppid=99, vsize_kb=4000, score=0)
    assert [(task.vfork, task.oom_skip) for task in procfs.tasks().read] == [
        (False, False),
        (False, True),
        (False, True),
    ]


@pytest.mark.parametrize("adj", [-1000, -999])
def test_a_score_of_0_that_the_adj_explains_says_nothing(proc_tree: ProcTree, procfs: Procfs, adj: int) -> None:
    proc_tree.add(101, adj=adj, score=0, ppid=99)
    task = only_task(procfs)
    assert (task.vfork, task.oom_skip) == (False, False)


def test_before_5_9_a_score_of_0_says_nothing(proc_tree: ProcTree) -> None:
    proc_tree.add(101, score=0, ppid=99)
    assert only_task(proc_tree.procfs("5.8")).oom_skip is False


@pytest.mark.parametrize(("score", "init"), [(0, True), (666, False)])
def test_pid_1_is_global_init_only_where_the_kernel_scores_it_0(
    proc_tree: ProcTree, procfs: Procfs, score: int, init: bool
) -> None:
    proc_tree.add(1, "systemd", ppid=0, score=score)
    assert only_task(procfs).init is init


@pytest.mark.parametrize(("namespaces", "init"), [(INITIAL, True), (CONTAINER, False)], ids=["machine", "container"])
def test_before_5_9_a_small_pid_1_of_a_container_is_no_init_for_its_score_of_0(
    proc_tree: ProcTree, namespaces: dict[str, str], init: bool
) -> None:
    proc_tree.add(1, "app", ppid=0, score=0, namespaces=namespaces)
    assert only_task(proc_tree.procfs("4.18")).init is init


@pytest.mark.parametrize(
    ("flags", "sigpnd", "exiting"), [(0, 0, False), (PF_EXITING, 0, True), (0, SIGKILL_PENDING, True), (0, 1, False)]
)
def test_who_is_exiting(proc_tree: ProcTree, procfs: Procfs, flags: int, sigpnd: int, exiting: bool) -> None:
    proc_tree.add(100, flags=flags, sigpnd=sigpnd)
    assert only_task(procfs).exiting is exiting


@pytest.mark.parametrize(("capabilities", "admin"), [(0, False), (CAP_SYS_ADMIN, True), (CAP_SYS_ADMIN << 1, False)])
def test_cap_sys_admin_is_read(proc_tree: ProcTree, procfs: Procfs, capabilities: int, admin: bool) -> None:
    proc_tree.add(100, cap_eff=capabilities)
    assert only_task(procfs).cap_sys_admin is admin


def test_before_4_5_the_private_part_is_unknown(proc_tree: ProcTree) -> None:
    proc_tree.add(100)
    status = (proc_tree.root / "100/status").read_text().replace("RssAnon", "Unknown")
    proc_tree.write("100/status", status)
    assert only_task(proc_tree.procfs("4.4")).anon_pages is None


def test_a_pinned_process_is_not_mixed_with_a_later_one(proc_tree: ProcTree, procfs: Procfs) -> None:
    proc_tree.add(100, "old", start=5)
    with procfs.open_task(100) as directory:
        (proc_tree.root / "100").rename(proc_tree.root / "gone")
        proc_tree.add(100, "new", start=9)
        assert procfs.task_at(directory, 100).comm == "old"
        assert start_ticks_at(directory) == 5


def test_adj_of_one_process(proc_tree: ProcTree, procfs: Procfs) -> None:
    proc_tree.add(100, adj=-17)
    assert (procfs.adj(100), procfs.adj(99)) == (-17, None)


def test_children_of_every_thread_are_found(proc_tree: ProcTree, procfs: Procfs) -> None:
    proc_tree.add(100)
    proc_tree.add_thread(100, 105, rss=1)
    proc_tree.write("100/task/100/children", "200 201 ")
    proc_tree.write("100/task/105/children", "300 ")
    assert sorted(procfs.children(100)) == [200, 201, 300]


def test_children_are_unknown_without_the_file_or_the_process(proc_tree: ProcTree, procfs: Procfs) -> None:
    proc_tree.add(100)
    (proc_tree.root / "100/task/100/children").unlink()
    assert (procfs.children(100), procfs.children(99)) == ([], [])
