"""How the program begins and ends, before and after what it is asked."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from oomctl.__main__ import _asks_about_all

OOMCTL = (sys.executable, "-m", "oomctl")


@pytest.mark.parametrize(
    "line", ["top -n 5", "top --lines=5 --json", "simulate", "simulate --json --sudden", "check", "metrics"]
)
def test_a_question_about_all_processes_is_recognized(line: str) -> None:
    assert _asks_about_all(line.split())


@pytest.mark.parametrize(
    "line",
    [
        "",
        "top",
        "top -n 5 --cgroup /a",
        "top --help",
        "simulate --from=-",
        "simulate --from x",
        "check --explain all",
        "explain 1",
        "--version",
    ],
)
def test_other_questions_are_not_taken_for_one(line: str) -> None:
    assert not _asks_about_all(line.split())


@pytest.mark.parametrize(
    ("words", "status"), [(["--version"], 0), (["nonsense"], 2), (["top", "oomctl-no-such-process"], 1)]
)
def test_its_status_is_that_of_the_command(words: list[str], status: int) -> None:
    assert subprocess.run([*OOMCTL, *words], capture_output=True, timeout=60, check=False).returncode == status


def test_all_of_a_long_answer_is_written() -> None:
    whole = subprocess.run([*OOMCTL, "history", "--help"], capture_output=True, timeout=60, check=True).stdout
    source, sink = os.pipe()
    with subprocess.Popen([*OOMCTL, "history", "--help"], stdout=sink) as process, open(source, "rb") as answer:
        os.close(sink)
        assert answer.read() == whole
    assert process.returncode == 0
    assert whole.endswith(b"\n")


def test_an_answer_that_cannot_be_written_is_a_failure() -> None:
    with open("/dev/full", "w") as full:
        ran = subprocess.run(
            [*OOMCTL, "--help"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False
        )
    assert ran.returncode == 1
    assert "cannot write the output: No space left on device" in ran.stderr
