"""This machine's /proc, and directories whose link count is what Linux 5.10 makes of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from oomctl.procfs.links import counts_files, fixed_links


@pytest.mark.live
def test_the_links_of_proc_are_its_directories_or_entries_and_the_processes() -> None:
    others = [name for name in os.listdir("/proc") if not name.isdigit()]
    listed = len(os.listdir("/proc")) - len(others)
    assert abs(os.stat("/proc").st_nlink - fixed_links("/proc", others) - listed) < 20  # some start, some end


def test_directories_are_counted(tmp_path: Path) -> None:
    (tmp_path / "tty" / "driver").mkdir(parents=True)
    (tmp_path / "tty" / "drivers").touch()
    (tmp_path / "cmdline").touch()
    assert fixed_links(str(tmp_path), ["tty", "cmdline"]) == 3


@pytest.mark.parametrize(
    ("links", "directories", "entries", "expected"),
    [
        pytest.param(4, 2, 4, False, id="/proc/tty elsewhere"),
        pytest.param(6, 2, 4, True, id="/proc/tty of Linux 5.10"),
        pytest.param(4, 2, 2, False, id="directories only tell nothing"),
        pytest.param(1, 0, 3, False, id="a file system that does not count"),
    ],
)
def test_a_count_with_files_in_it_is_recognised(links: int, directories: int, entries: int, expected: bool) -> None:
    assert counts_files(links, directories, entries) is expected
