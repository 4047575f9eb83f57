"""A file that is replaced where others may write: their links lead nowhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from oomctl.guard import outputs
from tests.privileges import needs_root

ANN = 54321


def test_a_file_is_replaced_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a.prom"
    path.write_text("old")
    outputs.replace(str(path), b"new", 0o644)
    assert (path.read_text(), os.listdir(tmp_path)) == ("new", ["a.prom"])


def test_a_link_by_that_name_is_neither_replaced_nor_followed(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("precious")
    (tmp_path / "a.prom").symlink_to("target")
    with pytest.raises(FileExistsError, match="no regular file"):
        outputs.replace(str(tmp_path / "a.prom"), b"new", 0o644)
    assert ((tmp_path / "target").read_text(), (tmp_path / "a.prom").is_symlink()) == ("precious", True)


def test_what_is_no_file_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.prom")
    with pytest.raises(FileExistsError, match="no regular file"):
        outputs.replace(str(tmp_path / "a.prom"), b"new", 0o644)
    (tmp_path / "b.prom").mkdir()
    with pytest.raises(IsADirectoryError):
        outputs.replace(str(tmp_path / "b.prom"), b"new", 0o644)
    assert sorted(os.listdir(tmp_path)) == ["a.prom", "b.prom"]


@needs_root
def test_root_replaces_no_device() -> None:
    with pytest.raises(FileExistsError):
        outputs.replace("/dev/null", b"new", 0o644)
    assert Path("/dev/null").is_char_device()


def test_an_own_link_on_the_way_is_followed(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "here").symlink_to("there")
    outputs.replace(str(tmp_path / "here" / "a.prom"), b"new", 0o644)
    assert (tmp_path / "there" / "a.prom").read_text() == "new"


@needs_root
def test_a_link_of_somebody_else_s_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    link = tmp_path / "here"
    link.symlink_to("there")
    os.chown(link, ANN, ANN, follow_symlinks=False)
    with pytest.raises(PermissionError, match="another user's link"):
        outputs.replace(str(link / "a.prom"), b"new", 0o644)
    assert os.listdir(tmp_path / "there") == []


@needs_root
def test_a_directory_of_somebody_else_s_is_written_to(tmp_path: Path) -> None:
    """As that of Debian's node_exporter may be: what is put there is for them."""
    os.chown(tmp_path, ANN, ANN)
    outputs.replace(str(tmp_path / "a.prom"), b"new", 0o644)
    assert (tmp_path / "a.prom").read_text() == "new"


def test_a_relative_name_is_one_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    outputs.replace("a.prom", b"new", 0o644)
    assert (tmp_path / "a.prom").read_text() == "new"


def test_directories_are_made_with_exactly_their_mode(tmp_path: Path) -> None:
    umask = os.umask(0o077)
    try:
        outputs.make_directories(str(tmp_path / "a" / "b"), 0o755)
    finally:
        os.umask(umask)
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("a", "a/b")] == [0o755, 0o755]


def test_a_directory_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir(0o700)
    outputs.make_directories(str(tmp_path / "a"), 0o755)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o700


def test_no_directory_is_made_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(NotADirectoryError):
        outputs.make_directories(str(tmp_path / "a" / "b"), 0o755)


@needs_root
def test_no_directory_is_made_behind_a_link_of_somebody_else_s(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    link = tmp_path / "here"
    link.symlink_to("there")
    os.chown(link, ANN, ANN, follow_symlinks=False)
    with pytest.raises(PermissionError, match="another user's link"):
        outputs.make_directories(str(link / "a"), 0o755)
    assert os.listdir(tmp_path / "there") == []
