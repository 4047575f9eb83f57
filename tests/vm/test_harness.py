"""The harness itself, without a guest: what it reads from kernel logs, reports, and does where nothing can boot."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.oomlog.messages import GROUP, KILLED, TABLE
from tests.vm import agreement, initramfs, kernels, qemu
from tests.vm.guest import kernel_log, swap

HEADER = "python3 invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0"
SUMMARY = "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,task=toy,pid={pid},uid=0"


def parsed(*lines: str) -> kernel_log.Kill:
    return kernel_log._parsed(list(lines))


def test_a_report_has_its_table_by_thread_group() -> None:
    kill = parsed(
        HEADER,
        TABLE,
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
    assert (kill.pids, kill.later) == ([1], [2])


def test_a_second_kill_without_a_report_is_another_kill() -> None:
    kill = parsed(KILLED.format(pid=1), KILLED.format(pid=2))
    assert (kill.pids, kill.later) == ([1], [2])


def test_a_group_dies_in_one_report() -> None:
    assert parsed(KILLED.format(pid=1), GROUP, KILLED.format(pid=1), KILLED.format(pid=2)).pids == [1, 1, 2]


def test_agreement_counts_certain_and_close_apart() -> None:
    kill = {
        "kind": "a",
        "certainty": "certain",
        "agrees": True,
        "victim": 1,
        "contenders": [1],
        "misses": [],
        "further": 1,
    }
    close = {**kill, "certainty": "close", "agrees": False, "contenders": [2]}
    counted = agreement.agreement([kill, close])
    assert counted == agreement.Agreement(kills=2, certain=1, certain_right=1, close_right=0, within=1, further=2)
    assert agreement.table({("6.1", "a"): counted}) == [
        "kind                  6.1",
        "a                     1/1 certain, 0/1 close",
        "all                   1/1 certain, 0/1 close",
        "among the contenders  1/2",
        "further kills         2",
    ]


def test_a_swap_area_is_one_that_the_kernel_knows() -> None:
    page = swap.empty_area(1 << 20)
    assert len(page) == 4096
    assert page.endswith(b"SWAPSPACE2")
    assert int.from_bytes(page[1028:1032], "little") == 255  # the last page


def test_an_archive_can_be_unpacked(tmp_path: Path) -> None:
    (tmp_path / "root" / "etc").mkdir(parents=True)
    (tmp_path / "root" / "etc" / "name").write_text("guest")
    archive = initramfs.pack(tmp_path / "root", tmp_path / "archive.cpio").read_bytes()
    assert archive.startswith(b"070701")
    assert len(archive) % 512 == 0
    assert archive.index(b"etc\0") < archive.index(b"etc/name\0") < archive.index(b"TRAILER!!!\0")


def test_the_mirror_is_apts_own_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OOMCTL_VM_MIRROR", "file:/srv/debian")
    assert kernels.mirror("sid") == "file:/srv/debian"


def test_without_apts_lists_the_mirror_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OOMCTL_VM_MIRROR", raising=False)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(kernels.NotHere, match="no apt-get"):
        kernels.mirror("sid")


def test_a_mirror_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OOMCTL_VM_MIRROR", "http://127.0.0.1:9/debian")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(kernels.NotHere, match="apt"):
        kernels.kernel(kernels.DEFAULT)


def test_without_e2fsprogs_there_are_no_guests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "qemu-system-x86_64").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(qemu, "_MAKE_EXT4", "mkfs.that-is-nowhere")
    assert qemu.why_not() == "no mkfs.that-is-nowhere (Debian's package e2fsprogs)"


def test_a_disk_of_files_is_an_ext4(tmp_path: Path) -> None:
    qemu.make_ext4(tmp_path / "disk", 4)
    image = (tmp_path / "disk").read_bytes()
    assert len(image) == 4 << 20
    assert image[1024 + 56 : 1024 + 58] == b"\x53\xef"  # s_magic of struct ext4_super_block


def guest_words(tmp_path: Path, machine: qemu.Machine) -> list[str]:
    kernel = kernels.Kernel(kernels.DEFAULT, tmp_path / "vmlinuz", tmp_path / "6.12")
    return qemu._Guest(kernel, tmp_path, "v1", machine, 1, {})._command_line().split()


def test_cgroup_v1_is_left_out_unless_asked_for(tmp_path: Path) -> None:
    assert "cgroup_no_v1=all" in guest_words(tmp_path, qemu.Machine())
    assert "cgroup_no_v1=all" not in guest_words(tmp_path, qemu.Machine(cgroup_v1=True))


def test_each_node_has_its_share_of_the_cpus(tmp_path: Path) -> None:
    kernel = kernels.Kernel(kernels.DEFAULT, tmp_path / "vmlinuz", tmp_path / "6.12")
    command = qemu._Guest(kernel, tmp_path, "numa", qemu.Machine(nodes=2, cpus=8), 1, {})._machine()
    nodes = [word for word in command if word.startswith("node,")]
    assert nodes == ["node,nodeid=0,memdev=ram0,cpus=0-3", "node,nodeid=1,memdev=ram1,cpus=4-7"]


@pytest.mark.parametrize(("required", "status"), [("0", 0), ("1", 1)], ids=["elsewhere", "in CI"])
def test_without_qemu_a_run_says_what_it_could_not_try(required: str, status: int) -> None:
    """And fails where that is demanded."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "tests/vm/test_agreement.py", "-k", "hidepid"]
    environment = {**os.environ, "PATH": "/nonexistent", "OOMCTL_REQUIRE_KERNEL": required}
    done = subprocess.run(
        command, cwd=initramfs.PROJECT, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == status, done.stdout
    assert "real kernels were not asked: no qemu-system-x86_64" in done.stdout


def guest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, emulator: str) -> qemu.Boot:
    """Boot a guest in an emulator that is a shell script."""
    fake = tmp_path / "bin" / "qemu-system-x86_64"
    fake.parent.mkdir()
    fake.write_text(f"#!/bin/sh\necho started >> {tmp_path}/starts\n{emulator}\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(initramfs, "build", lambda kernel: fake)
    kernel = kernels.Kernel(kernels.DEFAULT, tmp_path / "vmlinuz", tmp_path / "6.12")
    return qemu.boot(kernel, "machine", qemu.Machine(), 0, rounds=1)


def test_a_guest_that_does_not_start_is_tried_once_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    boot = guest(tmp_path, monkeypatch, "echo no such machine")
    assert boot.boot_seconds is None
    assert (tmp_path / "starts").read_text() == "started\n" * 2
    assert boot.console_tail() == "no such machine"


def test_a_guest_that_never_starts_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qemu, "_START_SECONDS", 0)
    assert "ended by the host" in guest(tmp_path, monkeypatch, "exec sleep 1000").console_tail()


def test_a_guest_that_started_and_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qemu, "_GRACE_SECONDS", 0)
    results = """$(echo "$*" | sed 's/.* -serial file:\\([^ ]*results\\).*/\\1/')"""
    boot = guest(tmp_path, monkeypatch, f"""echo '{{"event": "started"}}' > "{results}"; exec sleep 1000""")
    assert boot.boot_seconds is not None
    assert "ended by the host" in boot.console_tail()
