"""Who could have put there what a path names: nobody but root and this user, or it is not only ours."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from oomctl.guard.walk import only_ours

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="root only: gives files away")


def test_what_is_ours_all_the_way_down_is_only_ours(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "a")
    (tmp_path / "relative").symlink_to("a/../a/b")
    for path in ("a/b", "a/b/not-made-yet/nor-this", "a//b/", "a/./b", "link/b", "relative"):
        assert only_ours(f"{tmp_path}/{path}"), path
    assert not only_ours("a/b")


@pytest.mark.parametrize("mode", [0o777, 0o757], ids=oct)
def test_what_is_below_a_directory_that_everybody_can_write_is_not(tmp_path: Path, mode: int) -> None:
    (tmp_path / "open" / "mine").mkdir(parents=True)
    (tmp_path / "open").chmod(mode)
    (tmp_path / "into").symlink_to("open/mine")
    for path in ("open/mine", "open", "open/not-made-yet", "into"):
        assert not only_ours(f"{tmp_path}/{path}"), path
    (tmp_path / "open").chmod(mode | 0o1000)  # others can replace only what is theirs
    assert only_ours(f"{tmp_path}/open/mine")


def test_a_file_that_everybody_can_write_is_not_only_ours(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "file").chmod(0o1666)
    assert not only_ours(f"{tmp_path}/file")


@needs_root
def test_another_user_s_directory_or_link_is_not_only_ours(tmp_path: Path) -> None:
    (tmp_path / "theirs" / "mine").mkdir(parents=True)
    (tmp_path / "mine").mkdir()
    (tmp_path / "link").symlink_to("mine")
    os.chown(tmp_path / "theirs", 1000, 1000)
    os.chown(tmp_path / "link", 1000, 1000, follow_symlinks=False)
    for path in ("theirs/mine", "link", "theirs/not-made-yet"):
        assert not only_ours(f"{tmp_path}/{path}"), path


@needs_root
def test_root_does_not_trust_a_group(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o775)
    assert not only_ours(f"{tmp_path}/shared")


def test_links_that_lead_in_a_circle_are_not_only_ours(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    before = len(os.listdir("/proc/self/fd"))
    assert not only_ours(f"{tmp_path}/a")
    assert len(os.listdir("/proc/self/fd")) == before
