"""What the service manager is asked with: by root, nothing that another user may have left in the environment."""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path

import pytest

from oomctl.guard import programs
from oomctl.systemd import manager
from oomctl.systemd.manager import Manager
from tests.commands.invoke import program
from tests.privileges import needs_root


def systemctl(directory: Path, script: str) -> None:
    directory.mkdir()
    path = directory / "systemctl"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@needs_root
@pytest.mark.live
def test_root_does_not_execute_what_the_path_of_a_user_says(tmp_path: Path) -> None:
    systemctl(tmp_path / "bin", f"touch {tmp_path}/executed")
    path = f"{tmp_path}/bin:{os.environ['PATH']}"
    program("explain", "oomctl-no-such.service", env={"PATH": path})
    assert not (tmp_path / "executed").exists()


@needs_root
def test_root_asks_its_own_manager_whatever_the_environment_of_a_user_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    systemctl(tmp_path / "bin", "/usr/bin/env >&2; exit 1")
    monkeypatch.setattr(programs, "SYSTEM_PATH", str(tmp_path / "bin"))
    for name in ("XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "DBUS_SYSTEM_BUS_ADDRESS", "SYSTEMD_PAGER"):
        monkeypatch.setenv(name, "/theirs")
    with pytest.raises(manager.NoAnswer) as refusal:
        Manager(user=True).show(["x.service"])
    assert "XDG_RUNTIME_DIR=/run/user/0" in str(refusal.value)
    assert "/theirs" not in str(refusal.value)


@needs_root
def test_root_writes_no_unit_where_another_user_has_a_hand_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "config").mkdir()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert Manager(user=True).drop_in_path("x.service").startswith(f"{tmp_path}/config/systemd/user/x.service.d/")
    os.chown(tmp_path / "config", 1000, 1000)
    own = pwd.getpwuid(0).pw_dir
    assert Manager(user=True).drop_in_path("x.service").startswith(f"{own}/.config/systemd/user/x.service.d/")


def test_a_drop_in_that_is_no_file_or_has_no_end_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manager, "SYSTEM_DIRECTORY", str(tmp_path))
    path = Path(Manager().drop_in_path("x.service"))
    path.parent.mkdir()
    os.mkfifo(path)
    assert Manager().drop_in("x.service") is None
    path.unlink()
    path.write_text("[Service]\nOOMScoreAdjust=5\n")
    assert Manager().drop_in("x.service") == 5
    os.truncate(path, 1 << 40)
    assert Manager().drop_in("x.service") is None
