"""The other oomctl, systemd's: found, told apart from this one, handed over to, warned of."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from oomctl.cli import namesake
from tests.commands.invoke import program
from tests.privileges import needs_root


@pytest.fixture
def systemds(tmp_path: Path) -> Path:
    """A program that prints its arguments and, like systemd's oomctl, holds the name of a D-Bus service."""
    path = tmp_path / "bin" / "oomctl"
    path.parent.mkdir()
    shutil.copy("/bin/echo", path)
    with path.open("ab") as file:
        file.write(b"org.freedesktop.oom1")
    return path


def test_a_script_is_ours_a_program_that_speaks_to_oomd_is_not(systemds: Path, tmp_path: Path) -> None:
    script = tmp_path / "oomctl"
    script.write_text("#!/usr/bin/python3\n# org.freedesktop.oom1\n")
    script.chmod(0o755)
    other_program = shutil.copy("/bin/echo", tmp_path / "other")
    assert namesake.is_systemds(str(systemds))
    assert not namesake.is_systemds(str(script))
    assert not namesake.is_systemds(str(other_program))
    assert not namesake.is_systemds("/nonexistent")
    assert namesake.find(f"{tmp_path}::/nonexistent:{systemds.parent}") == str(systemds)


def test_dump_becomes_systemds_program(systemds: Path) -> None:
    ran = program("dump", "--help", "x", env={"PATH": str(systemds.parent)})
    assert ran == (0, "dump --help x\n", "")


def test_dump_says_where_it_went_when_there_is_none() -> None:
    if namesake.find(namesake.PLACES):
        pytest.skip("systemd's oomctl is installed here")
    ran = program("dump", env={"PATH": "/nonexistent"})
    assert (ran.status, ran.stdout) == (7, "")
    assert ran.stderr.startswith(
        "oomctl: dump: this is a command of another oomctl, that of systemd-oomd, which is not"
    )
    assert ran.stderr.count("\n") == 1


def test_dump_is_not_listed_as_ours() -> None:
    assert "dump" not in program("--help").stdout


def test_version_says_where_the_other_is(systemds: Path) -> None:
    lines = program("--version", env={"PATH": str(systemds.parent)}).stdout.splitlines()
    assert lines[1] == f"systemd's oomctl is {systemds}; oomctl dump hands over to it"


def test_sudo_takes_its_path_from_sudoers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sudoers = tmp_path / "sudoers"
    monkeypatch.setattr(namesake, "_SUDOERS", str(sudoers))
    assert "/usr/local/sbin" in namesake._sudo_path()
    sudoers.write_text('# Defaults secure_path="/no"\nDefaults\tenv_reset\nDefaults  secure_path="/a:/b"\n')
    assert namesake._sudo_path() == "/a:/b"


def test_sudo_that_would_start_the_other_is_warned_of(
    systemds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sudoers = tmp_path / "sudoers"
    monkeypatch.setattr(namesake, "_SUDOERS", str(sudoers))
    monkeypatch.setattr("sys.argv", ["/opt/oomctl/bin/oomctl"])
    sudoers.write_text(f"Defaults secure_path={systemds.parent}\n")
    assert namesake.sudo_warning() == f"sudo oomctl starts systemd's {systemds}; use sudo /opt/oomctl/bin/oomctl"
    shutil.copy("/bin/echo", systemds.parent / "oomadm")
    assert namesake.sudo_warning() == f"sudo oomctl starts systemd's {systemds}; use sudo oomadm"
    sudoers.write_text(f"Defaults secure_path={tmp_path}\n")
    assert namesake.sudo_warning() is None


def test_a_fifo_in_the_path_is_not_waited_for(tmp_path: Path) -> None:
    for place in ("first", "second"):
        (tmp_path / place).mkdir()
    os.mkfifo(tmp_path / "first" / "oomctl")
    (tmp_path / "first" / "oomctl").chmod(0o755)
    (tmp_path / "second" / "oomctl").symlink_to("/dev/zero")
    path = f"{tmp_path}/first:{tmp_path}/second:{os.environ['PATH']}"
    assert program("--version", env={"PATH": path}).status == 0


@needs_root
@pytest.mark.parametrize("theirs", ["file", "directory", "link", "writable file", "writable directory"])
def test_a_program_that_another_user_could_have_put_there_is_not_executed(
    systemds: Path, tmp_path: Path, theirs: str
) -> None:
    place = systemds.parent
    if theirs == "file":
        os.chown(systemds, 1000, 1000)
    elif theirs == "directory":
        os.chown(place, 1000, 1000)
    elif theirs == "link":
        place = tmp_path / "link"
        place.symlink_to(systemds.parent)
        os.chown(place, 1000, 1000, follow_symlinks=False)
    elif theirs == "writable file":
        systemds.chmod(0o777)
    else:
        place.chmod(0o777)
    assert program("dump", env={"PATH": f"{place}"}).stdout == ""
    assert str(tmp_path) not in program("--version", env={"PATH": f"{place}"}).stdout


def test_a_directory_of_the_path_that_depends_on_where_one_is_is_passed_over(
    systemds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(systemds.parent)
    assert namesake.find(".:bin::") is None


@pytest.mark.parametrize("what", ["FIFO", "endless"])
def test_a_sudoers_that_is_no_file_or_too_large_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    sudoers = tmp_path / "sudoers"
    if what == "FIFO":
        os.mkfifo(sudoers)
    else:
        sudoers.touch()
        os.truncate(sudoers, 1 << 40)
    monkeypatch.setattr(namesake, "_SUDOERS", str(sudoers))
    assert "/usr/local/sbin" in namesake._sudo_path()
