"""``oomctl completion --install``: which files, over what is there already; tests/shells asks the shells."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest

from oomctl.cli.main import cli
from oomctl.completion import installing
from oomctl.completion.shells import SHELLS, script
from tests.commands.invoke import Ran, program
from tests.privileges import NOBODY, needs_root
from tests.runner import runner
from tests.shells import empty

LISTED = r'umask 077 && "$@" && find "$0" -mindepth 1 \( -type f -perm 644 -o -type d ! -perm 755 \)'
"""Runs a command and lists which files below $0 all users can read, and which directories they cannot."""

PLACES = {
    "bash": (".local/share/bash-completion/completions/oomctl", ".local/share/bash-completion/completions/oomadm"),
    "zsh": (".local/share/zsh/site-functions/_oomctl", ".local/share/zsh/site-functions/_oomadm"),
    "fish": (".config/fish/completions/oomctl.fish", ".config/fish/completions/oomadm.fish"),
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, with nothing in the environment that leads elsewhere."""
    directory = tmp_path / "home"
    directory.mkdir()
    monkeypatch.setenv("HOME", str(directory))
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "SHELL"):
        monkeypatch.delenv(name, raising=False)
    return directory


def install(*words: str) -> Ran:
    result = runner().invoke(cli, ["completion", "--install", *words], prog_name="oomctl")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Ran(result.exit_code, result.stdout, result.stderr)


def files_below(directory: Path) -> dict[str, str]:
    return {str(path.relative_to(directory)): path.read_text() for path in directory.rglob("*") if path.is_file()}


@pytest.mark.parametrize("shell", SHELLS)
def test_both_names_are_installed_where_the_shell_looks(home: Path, shell: str) -> None:
    ran = install(shell)
    assert (ran.status, ran.stderr) == (0, "")
    ours, other = PLACES[shell]
    assert files_below(home) == {ours: script(shell, "oomctl"), other: script(shell, "oomadm")}
    assert ran.stdout.splitlines()[:2] == [f"{home}/{ours}: written", f"{home}/{other}: written"]


@pytest.mark.parametrize(("shell", "variable"), [("bash", "XDG_DATA_HOME"), ("fish", "XDG_CONFIG_HOME")])
def test_an_xdg_variable_says_where(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: str, variable: str
) -> None:
    monkeypatch.setenv(variable, str(tmp_path / "mine"))
    install(shell)
    _, _, below = installing.FOR_ONE[shell]
    assert files_below(home) == {}
    assert (tmp_path / "mine" / below).is_dir()


def test_without_a_home_in_the_environment_it_is_the_users(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME")
    ran = install("fish", "--dry-run")
    assert ran.status == 0
    assert ran.stdout.startswith(f"{os.path.expanduser('~')}/.config/fish/completions/oomctl.fish: ")


@needs_root
def test_root_writes_into_no_home_of_somebody_else_s(home: Path) -> None:
    os.chown(home, 54321, 54321)
    ran = install("bash", "--dry-run")
    assert str(home) not in ran.stdout
    assert ran.stdout.startswith(f"{os.path.expanduser('~root')}/.local/")


@needs_root
def test_a_link_of_somebody_else_s_on_the_way_is_not_followed(home: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (home / ".local").symlink_to(tmp_path / "precious")
    os.chown(home / ".local", 54321, 54321, follow_symlinks=False)
    ran = install("bash")
    assert (ran.status, ran.stderr.count("\n")) == (4, 1)
    assert "another user's link" in ran.stderr
    assert files_below(tmp_path / "precious") == {}


def test_what_is_the_same_is_left_untouched(home: Path) -> None:
    install("zsh")
    path = home / PLACES["zsh"][0]
    before = path.stat().st_ino
    ran = install("zsh")
    assert [line.rpartition(": ")[2] for line in ran.stdout.splitlines()[:2]] == ["unchanged", "unchanged"]
    assert path.stat().st_ino == before


def test_a_link_to_the_same_is_left_untouched(home: Path, tmp_path: Path) -> None:
    """As pipx makes it."""
    (tmp_path / "venv").write_text(script("bash", "oomctl"))
    link = home / PLACES["bash"][0]
    link.parent.mkdir(parents=True)
    link.symlink_to(tmp_path / "venv")
    assert install("bash").stdout.startswith(f"{link}: unchanged\n")
    assert link.is_symlink()


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_of_another_version_is_replaced(home: Path, shell: str) -> None:
    path = home / PLACES[shell][0]
    path.parent.mkdir(parents=True)
    path.write_text("\n".join(script(shell, "oomctl").splitlines()[:3]))
    assert install(shell).stdout.startswith(f"{path}: written, in place of another version's\n")
    assert path.read_text() == script(shell, "oomctl")


@pytest.mark.parametrize("text", ["#compdef oomctl\n# SPDX-License-Identifier: LGPL-2.1-or-later\n", "", "\xff"])
def test_a_file_of_somebody_else_s_stays_and_nothing_is_written(home: Path, text: str) -> None:
    path = home / PLACES["zsh"][1]
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="latin-1")
    ran = install("zsh")
    assert (ran.status, ran.stdout) == (6, "")
    assert ran.stderr == (
        f"oomctl: {path}: not written by oomctl, so it was left as it is; move it away to install this one\n"
    )
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_what_is_no_file_stays(home: Path) -> None:
    path = home / PLACES["fish"][0]
    path.parent.mkdir(parents=True)
    os.mkfifo(path)
    ran = install("fish")
    assert (ran.status, ran.stdout) == (6, "")
    assert ran.stderr == f"oomctl: {path}: a FIFO; expected a regular file\n"
    assert stat.S_ISFIFO(path.stat().st_mode)


@needs_root
@pytest.mark.unprivileged
def test_who_may_not_write_for_all_is_told_so_in_a_line() -> None:
    ran = program("completion", "--install", "--system", "bash", before=NOBODY)
    assert (ran.status, ran.stdout) == (4, "")
    path = "/usr/local/share/bash-completion/completions/oomctl"
    assert ran.stderr == f"oomctl: {path}: Permission denied; without --system it is installed for you alone\n"


def test_where_nothing_can_be_written_it_says_so_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/proc")
    ran = install("zsh")
    assert (ran.status, ran.stdout) == (7, "")
    assert ran.stderr == "oomctl: /proc/zsh/site-functions/_oomctl: No such file or directory\n"


def test_a_dry_run_says_the_same_and_writes_nothing(home: Path) -> None:
    ours, other = PLACES["bash"]
    ran = install("bash", "--dry-run")
    assert ran.stdout.splitlines()[:2] == [f"{home}/{ours}: would be written", f"{home}/{other}: would be written"]
    assert files_below(home) == {}


def test_the_shell_is_the_users_own(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/usr/local/bin/fish")
    assert install().status == 0
    assert sorted(files_below(home)) == sorted(PLACES["fish"])


@pytest.mark.parametrize(("shell", "said"), [("/bin/ksh", "$SHELL is /bin/ksh"), ("", "$SHELL is not set")])
def test_a_shell_that_is_not_known_has_to_be_named(
    home: Path, monkeypatch: pytest.MonkeyPatch, shell: str, said: str
) -> None:
    monkeypatch.setenv("SHELL", shell)
    ran = install()
    assert ran == (2, "", f"oomctl: {said}; name one of bash, zsh, fish; see oomctl completion --help\n")
    assert files_below(home) == {}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "Missing SHELL: one of bash, zsh, fish"),
        (("bash", "--system"), "--system needs --install"),
        (("bash", "--dry-run"), "--dry-run needs --install"),
    ],
)
def test_printing_takes_a_shell_and_nothing_else(words: tuple[str, ...], said: str) -> None:
    result = runner().invoke(cli, ["completion", *words], prog_name="oomctl")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"oomctl: {said}; see oomctl completion --help\n"


def test_systemds_oomctl_keeps_its_completion(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "oomctl"
    shutil.copy("/bin/echo", other)
    with other.open("ab") as file:
        file.write(b"org.freedesktop.oom1")
    monkeypatch.setenv("PATH", str(tmp_path))
    ran = install("bash")
    assert list(files_below(home)) == [PLACES["bash"][1]]
    assert ran.stdout.splitlines()[1] == f"oomctl is systemd's {other} here, which keeps its own completion"


def test_zsh_is_told_of_the_directory_unless_it_looks_there_anyway(home: Path) -> None:
    told = install("zsh").stdout.splitlines()[2]
    assert told.endswith(f": fpath+={home}/.local/share/zsh/site-functions; autoload -Uz compinit; compinit")
    assert "fpath" not in install("zsh", "--system", "--dry-run").stdout


@needs_root
@pytest.mark.parametrize("shell", SHELLS)
def test_for_all_users_it_goes_where_only_root_can_write_whatever_the_umask(shell: str) -> None:
    if not os.path.isdir(empty.ABOVE[shell]):
        pytest.skip(f"{empty.ABOVE[shell]} is not there")
    listed_after = ("sh", "-c", LISTED, empty.ABOVE[shell])
    ran = program("completion", "--install", "--system", shell, before=(*empty.where_nothing_is(shell), *listed_after))
    assert (ran.status, ran.stderr) == (0, "")
    told, listed = ran.stdout.splitlines()[:2], ran.stdout.splitlines()[3:]
    assert sorted(told) == sorted(f"{path}: written" for path in listed)
    assert {os.path.dirname(path) for path in listed} == {installing.FOR_ALL[shell]}
