from __future__ import annotations

from oomctl.model.kernel import Constraint, Context
from oomctl.procfs import survey
from oomctl.procfs.reclaim import with_machine
from tests.proc_tree import ProcTree

PENDING = 128 * 2  # pages that two CPUs may hold back


def of_machine(tree: ProcTree) -> Context:
    return with_machine(Context(Constraint.NONE, 1000, cpus=2), tree.procfs(cpus=2))


def meminfo(tree: ProcTree, **sizes_kb: int) -> None:
    lines = {"MemTotal": 40_000, **sizes_kb}
    tree.write("meminfo", "".join(f"{name}: {size:8} kB\n" for name, size in lines.items()))


def test_swap_is_used_where_there_is_any_and_where_there_was(proc_tree: ProcTree) -> None:
    proc_tree.meminfo(4000, swap_total_kb=400)
    assert of_machine(proc_tree).swap_used
    proc_tree.meminfo(4000)
    assert not of_machine(proc_tree).swap_used
    for counters, used in (("pswpin 0\npswpout 0\n", False), ("nr_x 1\npswpout 7\n", True), ("zswpout 10\n", True)):
        proc_tree.write("vmstat", counters)
        assert of_machine(proc_tree).swap_used is used


def test_no_more_files_are_reclaimed_than_stand_in_the_lists_for_it(proc_tree: ProcTree) -> None:
    proc_tree.write("meminfo", "MemTotal: 4000 kB\nActive(file): 400 kB\nInactive(file): 40 kB\n")
    assert of_machine(proc_tree).file_lru_pages == 110 + PENDING


def test_shared_memory_is_reclaimed_only_where_there_is_swap(proc_tree: ProcTree) -> None:
    meminfo(proc_tree, Shmem=400)
    assert of_machine(proc_tree).swappable_shmem_pages == 0
    meminfo(proc_tree, Shmem=400, SwapTotal=4)
    assert of_machine(proc_tree).swappable_shmem_pages == 100 + PENDING


def test_what_was_given_to_madv_free_and_is_not_taken_yet_can_be_taken(proc_tree: ProcTree) -> None:
    meminfo(proc_tree)
    for counters, pages in (
        ("", 0),
        ("nr_x 1\npglazyfree 70\npglazyfreed 70\n", 0),
        ("nr_x 1\npglazyfree 70\npglazyfreed 30\n", 40 + PENDING),
    ):
        proc_tree.write("vmstat", counters)
        assert of_machine(proc_tree).droppable_pages == pages


def test_what_is_left_is_what_nothing_is_known_to_keep(proc_tree: ProcTree) -> None:
    kept = {"AnonPages": 4000, "SUnreclaim": 400, "KernelStack": 40, "PageTables": 40, "Percpu": 4, "Hugetlb": 4000}
    meminfo(proc_tree, **kept, SwapTotal=800, SwapFree=400, SwapCached=40)
    assert of_machine(proc_tree).left_pages == (40_000 - 8484 + 440) // 4 + PENDING


def test_a_cgroup_has_its_own_files_to_reclaim_and_its_own_room(proc_tree: ProcTree) -> None:
    meminfo(proc_tree)
    proc_tree.mount_v2()
    stat = "anon 40960\nfile 20480\nactive_file 8192\ninactive_file 4096\nshmem 8192\nslab_reclaimable 4096\n"
    files = {"memory__max": "409600\n", "memory__current": "204800\n", "memory__stat": stat}
    proc_tree.cgroup("/m", (), **files)
    scenario, _ = survey.memcg(proc_tree.procfs(cpus=2), "/m")
    context = scenario.context
    assert (context.file_lru_pages, context.swappable_shmem_pages) == (3 + PENDING, 0)
    assert context.left_pages == (204800 + 20480 + 4096) // 4096 + 2 * PENDING


def test_what_was_given_to_madv_free_is_left_to_the_members_of_a_cgroup(proc_tree: ProcTree) -> None:
    meminfo(proc_tree)
    proc_tree.mount_v2()
    proc_tree.write("vmstat", "nr_x 1\npglazyfree 900\npglazyfreed 0\n")
    files = {"memory__max": "409600\n", "memory__current": "409600\n"}
    proc_tree.cgroup("/m", (), **files, memory__stat="file 0\npglazyfree 50\npglazyfreed 10\n")
    context = survey.memcg(proc_tree.procfs(cpus=2), "/m")[0].context
    assert context.droppable_pages == 40 + PENDING
    assert context.left_pages == 40 + PENDING + 2 * PENDING


def test_a_v1_cgroup_counts_what_is_below_it_and_what_the_kernel_uses(proc_tree: ProcTree) -> None:
    meminfo(proc_tree)
    proc_tree.mount_v1()
    stat = "cache 0\nactive_file 0\ntotal_cache 20480\ntotal_active_file 8192\ntotal_inactive_file 4096\n"
    proc_tree.cgroup(
        "/m",
        (),
        memory__limit_in_bytes="409600\n",
        memory__usage_in_bytes="204800\n",
        memory__kmem__usage_in_bytes="8192\n",
        memory__stat=stat,
    )
    context = survey.memcg(proc_tree.procfs(cpus=2), "/m")[0].context
    assert context.file_lru_pages == 3 + PENDING
    assert context.left_pages == (204800 + 20480 + 8192) // 4096 + 2 * PENDING


def test_a_cgroup_that_does_not_say_what_it_holds_may_hold_all_of_the_machines(proc_tree: ProcTree) -> None:
    meminfo(proc_tree)
    proc_tree.mount_v2()
    proc_tree.cgroup("/m", (), memory__max="409600\n")
    procfs = proc_tree.procfs(cpus=2)
    context = survey.memcg(procfs, "/m")[0].context
    assert context.file_lru_pages == with_machine(context, procfs).file_lru_pages
    assert context.left_pages is None
