"""Sizes of processes and the room under limits, looked at again and again."""

from __future__ import annotations

from oomctl.model.trend import Sizes, Watched
from oomctl.procfs.growth import MOST_MOMENTS, Watch
from tests.proc_tree import ProcTree


def look(watch: Watch, proc_tree: ProcTree, moment: float) -> None:
    watch.look(proc_tree.procfs(), moment)


def sizes_of(watched: Watched, pid: int) -> list[tuple[float, Sizes]]:
    return list(watched.tracks[pid].points)


def test_what_a_process_holds_is_told_apart(proc_tree: ProcTree) -> None:
    proc_tree.add(10, rss=100, anon=60, shmem=10, swap=5, pgtables_kb=40, start=77)
    watch = Watch([None])
    look(watch, proc_tree, 0)
    track = watch.watched().tracks[10]
    assert (track.start_ticks, track.first_seen) == (77, 0)
    assert list(track.points) == [(0, Sizes(private=60 + 5 + 10, shmem=10, file=30))]


def test_a_size_is_noted_when_it_has_changed(proc_tree: ProcTree) -> None:
    watch = Watch([None])
    for moment, rss in enumerate((100, 100, 130)):
        proc_tree.add(10, rss=rss, pgtables_kb=0)
        look(watch, proc_tree, moment)
    assert sizes_of(watch.watched(), 10) == [(0, Sizes(100)), (2, Sizes(130))]


def test_of_who_rests_no_more_is_read(proc_tree: ProcTree) -> None:
    directory = proc_tree.add(10)
    watch = Watch([None])
    look(watch, proc_tree, 0)
    (directory / "status").unlink()
    look(watch, proc_tree, 1)
    assert 10 in watch.watched().tracks


def test_who_ends_is_forgotten_and_who_begins_is_seen_from_then_on(proc_tree: ProcTree) -> None:
    watch = Watch([None])
    directory = proc_tree.add(10)
    look(watch, proc_tree, 0)
    directory.rename(proc_tree.root / "11")
    look(watch, proc_tree, 1)
    tracks = watch.watched().tracks
    assert {pid: track.first_seen for pid, track in tracks.items()} == {11: 1}


def test_text_that_no_kernel_writes_is_no_process(proc_tree: ProcTree) -> None:
    proc_tree.add(10)
    proc_tree.write("10/stat", b"10 (x\n")
    proc_tree.add(11)
    proc_tree.write("11/status", b"\xff\0VmRSS: x kB\n")
    watch = Watch([None])
    look(watch, proc_tree, 0)
    assert 10 not in watch.watched().tracks
    assert sizes_of(watch.watched(), 11) == [(0, Sizes(0))]


def test_what_is_left_under_each_limit(proc_tree: ProcTree) -> None:
    proc_tree.meminfo(8000, swap_total_kb=2000, swap_free_kb=1000)
    proc_tree.mount_v2()
    stat = "active_file 4096\ninactive_file 4096\n"
    directory = proc_tree.cgroup(
        "/app", memory__max="81920\n", memory__current="40960\n", memory__stat=stat, memory__swap__max="0\n"
    )
    watch = Watch([None, "/app"])
    look(watch, proc_tree, 0)
    (directory / "memory.current").write_text("45056\n")
    look(watch, proc_tree, 1)
    assert watch.watched().left == {None: [5000 * 1024] * 2, "/app": [49152, 45056]}


def test_free_pages_that_cpus_keep_at_hand_are_left(proc_tree: ProcTree) -> None:
    """meminfo counts them as used, and goes down by 8 MiB at once when a CPU takes more."""
    proc_tree.meminfo(8000)
    watch = Watch([None])
    look(watch, proc_tree, 0)
    cpus = "".join(f"    cpu: {cpu}\n              count:    {cpu * 10}\n              high:     9\n" for cpu in (1, 2))
    zones = (f"Node 0, zone {zone:>8}\n  pages free     5\n  pagesets\n{cpus}" for zone in ("DMA32", "Normal"))
    proc_tree.write("zoneinfo", "".join(zones))
    look(watch, proc_tree, 1)
    without, with_them = watch.watched().left[None]
    assert with_them - without == 2 * (10 + 20) * 4096
    found = watch.limits[None]
    assert found.doubtful_bytes == with_them - without  # they may stay there


def test_a_cgroup_that_goes_is_left_out(proc_tree: ProcTree) -> None:
    proc_tree.mount_v2()
    directory = proc_tree.cgroup("/app", memory__max="81920\n")
    watch = Watch([None, "/app"])
    look(watch, proc_tree, 0)
    (directory / "memory.max").unlink()
    look(watch, proc_tree, 1)
    assert watch.watched().left.keys() == watch.limits.keys() == {None}


def test_of_a_cgroup_alone_only_members_are_read(proc_tree: ProcTree) -> None:
    proc_tree.mount_v2()
    for pid in (10, 11, 12):
        proc_tree.add(pid)
    proc_tree.cgroup("/app", pids=(10,), memory__max="81920\n")
    proc_tree.cgroup("/app/below", pids=(11,))
    watch = Watch(["/app"])
    look(watch, proc_tree, 0)
    assert watch.watched().tracks.keys() == {10, 11}


def test_thinned_out_it_still_says_what_held_when(proc_tree: ProcTree) -> None:
    watch = Watch([None])
    for moment, rss in enumerate((100, 110, 120, 130, 140)):
        proc_tree.add(10, rss=rss, pgtables_kb=0)
        look(watch, proc_tree, moment)
    watch.thin()
    watched = watch.watched()
    assert list(watched.moments) == [0, 2, 4]
    assert len(watched.left[None]) == 3
    assert sizes_of(watched, 10) == [(0, Sizes(100)), (2, Sizes(120)), (4, Sizes(140))]


def test_the_last_look_is_never_thinned_out(proc_tree: ProcTree) -> None:
    watch = Watch([None])
    for moment in range(MOST_MOMENTS):
        look(watch, proc_tree, moment)
    watch.thin()
    assert watch.looks == MOST_MOMENTS // 2
    assert watch.watched().moments[-1] == MOST_MOMENTS - 1
