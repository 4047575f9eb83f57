"""The harness itself, without a guest: what it reads from kernel logs, reports, and does where nothing can boot."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.vm import agreement, initramfs, kernels
from tests.vm.guest import kernel_log, swap

HEADER = "python3 invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0"
SUMMARY = "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,task=toy,pid={pid},uid=0"
KILLED = "Memory cgroup out of memory: Killed process {pid} (toy) total-vm:16812kB, anon-rss:7528kB"
GROUP = "Tasks in /toys/a are going to be killed due to memory.oom.group set"


def parsed(*lines: str) -> kernel_log.Kill:
    return kernel_log._parsed(list(lines))


def test_a_report_has_its_table_by_thread_group() -> None:
    kill = parsed(
        HEADER,
        "[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name",
        "[     13]     0    12     5119     3787    81920        5             0 a toy",
        SUMMARY.format(pid=12),
        KILLED.format(pid=13),
    )
    assert kill.rows == {12: [0, 12, 5119, 3787, 81920, 5, 0]}
    assert kill.columns[3] == "rss"
    assert kill.constraint == "memcg"
    assert kill.pids == [12]


def test_a_second_report_is_another_kill() -> None:
    kill = parsed(HEADER, SUMMARY.format(pid=1), KILLED.format(pid=1), HEADER, KILLED.format(pid=2))
    assert (kill.pids, 2 in kill.later) == ([1], True)


def test_a_second_kill_without_a_report_is_another_kill() -> None:
    kill = parsed(KILLED.format(pid=1), KILLED.format(pid=2))
    assert (kill.pids, kill.later) == ([1], [2])


def test_a_group_dies_in_one_report() -> None:
    assert parsed(KILLED.format(pid=1), GROUP, KILLED.format(pid=1), KILLED.format(pid=2)).pids == [1, 1, 2]


def test_agreement_counts_certain_and_close_apart() -> None:
    kill = {"kind": "a", "certainty": "certain", "agrees": True, "victim": 1, "contenders": [1], "misses": []}
    close = {**kill, "certainty": "close", "agrees": False, "contenders": [2]}
    counted = agreement.agreement([kill, close])
    assert counted == agreement.Agreement(kills=2, certain=1, certain_right=1, close_right=0, within=1)
    assert agreement.table({("6.1", "a"): counted}) == [
        "kind  6.1",
        "a     1/1 certain, 0/1 close",
        "all   1/1 certain, 0/1 close; 1/2 among the contenders",
    ]


def test_a_swap_area_is_one_that_the_kernel_knows() -> None:
    page = swap.empty_area(1 << 20)
    assert len(page) == 4096
    assert page.endswith(b"SWAPSPACE2")
    assert int.from_bytes(page[1028:1032], "little") == 255  # the last page


def test_an_archive_can_be_unpacked(tmp_path: Path) -> None:
    (tmp_path / "root" / "etc").mkdir(parents=True)
    (tmp_path / "root" / "etc" / "name").write_text("guest")
    archive = initramfs._pack(tmp_path / "root", tmp_path / "archive.cpio").read_bytes()
    assert archive.startswith(b"070701")
    assert len(archive) % 512 == 0
    assert archive.index(b"etc\0") < archive.index(b"etc/name\0") < archive.index(b"TRAILER!!!\0")


def test_the_mirror_is_apts_own_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OOMCTL_VM_MIRROR", "file:/srv/debian")
    assert kernels.mirror("sid") == "file:/srv/debian"
