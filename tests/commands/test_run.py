"""run: the command takes oomctl's place, with a value that it and its children have."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands.invoke import OOMCTL, ROOT, Ran, program
from tests.privileges import WITHOUT_CAPABILITY, needs_root

pytestmark = pytest.mark.live
OWN_ADJ = ("cat", "/proc/self/oom_score_adj")


def test_the_command_keeps_oomctl_s_pid() -> None:
    how = {"cwd": ROOT, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([*OOMCTL, "run", "sh", "-c", "echo $$"], **how) as process:  # type: ignore[call-overload]
        assert process.communicate(timeout=60)[0] == f"{process.pid}\n"


def test_the_default_is_500() -> None:
    assert program("run", *OWN_ADJ) == Ran(0, "500\n", "")


@pytest.mark.parametrize("option", [["-n", "700"], ["-n700"], ["--adj", "700"], ["--adj=700"], ["--adjust", "700"]])
def test_the_value_is_the_command_s(option: list[str]) -> None:
    assert program("run", *option, *OWN_ADJ).stdout == "700\n"
    assert program("run", *option, "--", *OWN_ADJ).stdout == "700\n"


def test_children_of_the_command_inherit_the_value() -> None:
    script = "sh -c 'cat /proc/self/oom_score_adj'; exit 0"
    assert program("run", "-n", "900", "sh", "-c", script).stdout == "900\n"


def test_options_behind_the_command_are_the_command_s() -> None:
    assert program("run", "echo", "-n", "5", "--help", "--", "-x").stdout == "5 --help -- -x"
    assert program("run", "-n", "0", "--", "printf", "%s.", "-n", "--", "--json").stdout == "-n.--.--json."


@pytest.mark.parametrize("status", [0, 1, 3, 255])
def test_the_status_is_the_command_s(status: int) -> None:
    assert program("run", "sh", "-c", f"exit {status}") == Ran(status, "", "")


def test_a_signal_is_the_command_s() -> None:
    assert program("run", "sh", "-c", "kill -TERM $$").status == -15


def test_stdin_is_the_command_s(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("through\n")
    with open(tmp_path / "text") as stdin:
        assert program("run", "cat", stdin=stdin).stdout == "through\n"


def test_a_command_that_is_not_there() -> None:
    assert program("run", "no-such-command") == Ran(127, "", "oomctl: run: no-such-command: command not found\n")
    assert program("run", "/no/such/file").status == 127
    assert program("run", "/etc/passwd/x").status == 127


def test_a_command_that_cannot_be_executed(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("no program\n")
    assert program("run", str(plain)) == Ran(126, "", f"oomctl: run: {plain}: Permission denied\n")
    plain.chmod(0o755)
    plain.write_bytes(b"\x7fELF but not really")
    assert program("run", str(plain)) == Ran(126, "", f"oomctl: run: {plain}: Exec format error\n")
    assert program("run", str(tmp_path)).status == 126


@pytest.mark.parametrize("word", ["", "\x1b[31m"])
def test_a_strange_command_is_one_harmless_line(word: str) -> None:
    ran = program("run", word)
    assert ran.status == 127
    assert ran.stderr.count("\n") == 1
    assert "\x1b" not in ran.stderr


@pytest.mark.parametrize("adj", ["1001", "abc", "0x10", "1.5", ""])
def test_what_is_no_adj_starts_nothing(adj: str, tmp_path: Path) -> None:
    ran = program("run", "-n", adj, "touch", str(tmp_path / "started"))
    assert (ran.status, ran.stdout, ran.stderr.count("\n")) == (2, "", 1)
    assert not (tmp_path / "started").exists()


@needs_root
def test_a_refused_value_starts_nothing(tmp_path: Path) -> None:
    ran = program("run", "-n", "-500", "touch", str(tmp_path / "started"), before=WITHOUT_CAPABILITY)
    assert (ran.status, ran.stdout) == (4, "")
    assert ran.stderr.startswith("oomctl: run: needs CAP_SYS_RESOURCE; ")
    cause, detail = ran.stderr.splitlines()
    assert cause.endswith("; touch was not started")
    assert detail.startswith("  lowering goes below its floor")
    assert not (tmp_path / "started").exists()


def test_no_descriptor_is_left_to_the_command() -> None:
    source = "import os; print(sorted(os.listdir('/proc/self/fd'), key=int))"
    listed = program("run", sys.executable, "-c", source).stdout
    plain = subprocess.run([sys.executable, "-c", source], stdin=subprocess.DEVNULL, capture_output=True, check=True)
    assert listed == plain.stdout.decode()
