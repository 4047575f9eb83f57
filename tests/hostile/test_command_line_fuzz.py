"""Any command line ends as the manual says, whatever its words are."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import click
import pytest

from oomctl.cli.main import COMMANDS, cli
from tests.hostile.fuzzing import SPEAKING, corpus, ends_well, fuzz
from tests.proc_tree import ProcTree

# Not what goes on for ever or starts something: run, selftest, policy watch, history --follow; top only once.
# Nor what writes: metrics --output, which any of the words would be a file for, and completion --install. Nor --proc:
# what is changed is the machine made here.
NAMES = tuple(name for name in COMMANDS if name not in ("run", "selftest"))
CHANGES = ("set", "protect", "sacrifice", "reset", "undo", "apply")
KEPT_OUT = ("--follow", "--output", "--install", "--proc")
WORDS = (
    *("20", "java", "-17", "15", "-1000", "1001", "+5", "0x10", "010", "1_0", "²", "9" * 5000, "", " ", "-", "--", "="),
    *(
        "*",
        "?",
        "[",
        "user:root",
        "user:",
        "cgroup:/pod",
        "cgroup:..",
        "cmd:(",
        "cmd:x",
        "a.service",
        "a@.service",
        "#",
    ),
    *("java=5", "=5", "java=", "20=1G", "8G@300", "8G@", "@", "1e9G", "-1M", "4.14", "6.18", "rhel8.1", "99", "0-3,"),
    *("json", "tsv", "pid,oom", "oom", "pid,,", "user", "\x1b[2J", "\u202e", "\udcff", "a\nb", "\t", "/dev/null", "."),
)


@pytest.fixture
def exercise(tmp_path: Path) -> Callable[[bytes], None]:
    tree = ProcTree(tmp_path)
    tree.mount_v2()
    tree.cgroup("/pod", (20,), memory__max="819200000")
    tree.add(1, "systemd", 300, score=0, uid=0, ppid=0)
    tree.add(20, "java", 90_000, score=726, uid=54321, cgroup="0::/pod\n")

    def run(content: bytes) -> None:
        words = json.loads(content)
        with patch.dict(os.environ, {"OOMCTL_PROC": str(tree.root)}):
            ends_well(*words, stdin=b"", with_output=SPEAKING)

    return run


@pytest.mark.parametrize("path", corpus("command-line"), ids=lambda path: path.name)
def test_what_once_broke_it_ends_well(path: Path, exercise: Callable[[bytes], None]) -> None:
    exercise(path.read_bytes())


def test_any_command_line_ends_well(exercise: Callable[[bytes], None]) -> None:
    fuzz("command-line", _command_line, exercise)


def _command_line(dice: random.Random) -> bytes:
    name = dice.choice(NAMES)
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    words = [name]
    if isinstance(command, click.Group):
        below = dice.choice([one for one in command.commands if one != "watch"])
        command, words = command.commands[below], [name, below]
    options = [option for param in command.params if isinstance(param, click.Option) for option in param.opts]
    options = [option for option in options if option not in KEPT_OUT]
    if name in ("forecast", "check"):
        words += ["--over", "0.3"]
        options = [option for option in options if option != "--over"]
    rest = [dice.choice((*options, "--nosuch")) if dice.random() < 0.5 else dice.choice(WORDS) for _ in range(5)]
    words += rest[: dice.randint(0, 5)]
    if words[-1] != "--" and "--" not in words:
        words += ["--once"] * (name == "top") + ["--dry-run"] * bool({*CHANGES} & {*words[:2]})
    elif name == "top" or {*CHANGES} & {*words[:2]}:
        words = words[:2]
        words += ["--once"] * (name == "top") + ["--dry-run"] * (name != "top")
    return json.dumps(words).encode()
