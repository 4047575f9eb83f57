"""Files that somebody else may have put there: never waited for, followed or written to, and read with a bound."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from oomctl.guard import files


def test_a_regular_file_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"x" * 70_000)
    assert files.read_regular(tmp_path / "plain", 70_000) == b"x" * 70_000


def test_a_larger_file_is_refused_with_the_bound(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"x" * 11)
    with pytest.raises(OSError, match="larger than 10 bytes"):
        files.read_regular(tmp_path / "plain", 10)


def test_a_fifo_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(OSError, match="a FIFO; expected a regular file"):
        files.open_regular(tmp_path / "fifo")


def test_a_device_is_refused_however_much_it_would_give() -> None:
    with pytest.raises(OSError, match="a device; expected a regular file"):
        files.read_regular("/dev/zero", 10)


def test_a_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match="a directory"):
        files.open_regular(tmp_path)


def test_a_symbolic_link_is_followed_unless_refused(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"content")
    (tmp_path / "link").symlink_to("plain")
    assert files.read_regular(tmp_path / "link", 10) == b"content"
    with pytest.raises(OSError, match="symbolic links"):
        files.open_regular(tmp_path / "link", os.O_NOFOLLOW)


def test_what_has_no_end_is_cut_at_the_bound() -> None:
    descriptor = os.open("/dev/zero", os.O_RDONLY)
    try:
        assert len(files.read_bounded(descriptor, 100_000)) == 100_000
    finally:
        os.close(descriptor)


def test_no_descriptor_is_left_open_by_a_refusal(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with pytest.raises(OSError, match="FIFO"):
            files.open_regular(tmp_path / "fifo")
    assert len(os.listdir("/proc/self/fd")) == before


def test_what_a_killed_writer_left_is_removed_by_the_next(tmp_path: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    (tmp_path / f".journal-{ended.pid}").write_bytes(b"half a li")
    (tmp_path / f".journal-{os.getpid()}").write_bytes(b"of the one who had our PID before")
    files.replace(str(tmp_path / "journal"), b"whole", 0o600)
    assert os.listdir(tmp_path) == ["journal"]
    assert (tmp_path / "journal").read_bytes() == b"whole"


def test_the_unfinished_file_of_a_writer_that_runs_is_left(tmp_path: Path) -> None:
    names = [f".journal-{os.getppid()}", ".journal-x", f".journals-{2**22 + 7}", f".journal-{2**22 + 7}x"]
    for name in names:
        (tmp_path / name).touch()
    files.replace(str(tmp_path / "journal"), b"whole", 0o600)
    assert sorted(os.listdir(tmp_path)) == sorted([*names, "journal"])


@pytest.mark.parametrize("plant", [os.symlink, os.link])
def test_what_is_planted_where_a_file_is_made_is_not_written_to(
    tmp_path: Path, plant: Callable[[Path, Path], None]
) -> None:
    (tmp_path / "precious").write_bytes(b"precious")
    plant(tmp_path / "precious", tmp_path / f".journal-{os.getpid()}")
    files.replace(str(tmp_path / "journal"), b"whole", 0o600)
    assert (tmp_path / "precious").read_bytes() == b"precious"
    assert not (tmp_path / "journal").is_symlink()


def test_a_directory_planted_where_a_file_is_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / f".journal-{os.getpid()}").mkdir()
    with pytest.raises(FileExistsError):
        files.replace(str(tmp_path / "journal"), b"whole", 0o600)


def test_a_failed_replacement_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "journal").mkdir()
    with pytest.raises(IsADirectoryError):
        files.replace(str(tmp_path / "journal"), b"whole", 0o600)
    assert os.listdir(tmp_path) == ["journal"]
