"""``--color`` before or behind the command, and the environment where it is not given: on a terminal and in a pipe."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from oomctl.console import is_coloured
from tests.commands.invoke import ROOT, ask, program
from tests.commands.terminal import terminal, without_sequences
from tests.proc_tree import ProcTree

LOG = str(ROOT / "tests" / "data" / "oom-logs" / "5.2-memcg-swap-decides.log")
XTERM = {"TERM": "xterm-256color"}
COLOURFUL = ["top --once", "simulate", "explain java", f"history 1 -f {LOG}"]
"""Every command that has colour or bold."""
SOBER = ["check", f"history -f {LOG}", "policy diff"]
"""Those that take the option as well, and have none so far."""

# fmt: off
DECISIONS = [
    # option    environment                                     terminal  pipe
    (None,      XTERM,                                          True,  False),
    ("auto",    XTERM,                                          True,  False),
    ("always",  XTERM,                                          True,  True),
    ("never",   XTERM,                                          False, False),
    (None,      {},                                             False, False),
    (None,      {"TERM": "dumb"},                               False, False),
    (None,      {"TERM": "unknown"},                            False, False),
    ("always",  {"TERM": "dumb"},                               True,  True),
    (None,      {**XTERM, "NO_COLOR": "1"},                     False, False),
    (None,      {**XTERM, "NO_COLOR": ""},                      True,  False),
    ("auto",    {**XTERM, "NO_COLOR": "1"},                     False, False),
    ("always",  {**XTERM, "NO_COLOR": "1"},                     True,  True),
    (None,      {**XTERM, "CLICOLOR_FORCE": "1"},               True,  True),
    (None,      {**XTERM, "CLICOLOR_FORCE": "0"},               True,  False),
    (None,      {**XTERM, "FORCE_COLOR": "1"},                  True,  True),
    (None,      {**XTERM, "FORCE_COLOR": "0"},                  True,  False),
    (None,      {**XTERM, "FORCE_COLOR": ""},                   True,  False),
    (None,      {"TERM": "dumb", "FORCE_COLOR": "1"},           True,  True),
    ("never",   {**XTERM, "FORCE_COLOR": "1"},                  False, False),
    (None,      {**XTERM, "FORCE_COLOR": "1", "NO_COLOR": "1"}, False, False),
    (None,      {**XTERM, "CLICOLOR": "0"},                     False, False),
    (None,      {**XTERM, "CLICOLOR": "1"},                     True,  False),
    (None,      {**XTERM, "CLICOLOR": "0", "CLICOLOR_FORCE": "1"}, True, True),
    ("always",  {**XTERM, "CLICOLOR": "0"},                     True,  True),
]
# fmt: on


@pytest.mark.parametrize(("option", "environment", "on_terminal", "in_pipe"), DECISIONS)
def test_the_option_decides_and_then_the_environment(
    option: str | None, environment: dict[str, str], on_terminal: bool, in_pipe: bool
) -> None:
    assert is_coloured(option, environment, on_terminal=True) is on_terminal
    assert is_coloured(option, environment, on_terminal=False) is in_pipe


@pytest.fixture
def env(server: ProcTree, tmp_path: Path) -> dict[str, str]:
    server.mount_v2()
    cleared = dict.fromkeys(("NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "FORCE_COLOR", "COLORTERM"), "")
    return {"OOMCTL_PROC": str(server.root), "COLUMNS": "100", "XDG_STATE_HOME": str(tmp_path), **XTERM, **cleared}


def on_terminal(argv: str, env: dict[str, str]) -> str:
    with terminal() as shown:
        shown.ended(shown.start(*argv.split(), **env))
        return shown.written


def in_pipe(argv: str, env: dict[str, str]) -> str:
    return program(*argv.split(), env=env).stdout


@pytest.mark.parametrize("argv", COLOURFUL)
def test_a_terminal_gets_it_a_pipe_does_not_and_the_option_turns_that_round(argv: str, env: dict[str, str]) -> None:
    assert "\x1b[" in on_terminal(argv, env)
    assert "\x1b[" not in on_terminal(f"{argv} --color never", env)
    assert "\x1b[" not in in_pipe(argv, env)
    assert "\x1b[" in in_pipe(f"{argv} --color always", env)
    assert "\x1b[" in in_pipe(f"--color always {argv}", env)


@pytest.mark.parametrize("argv", ["top --once", "simulate"])
def test_the_environment_is_heard(argv: str, env: dict[str, str]) -> None:
    for forbidding in ({"NO_COLOR": "1"}, {"CLICOLOR": "0"}, {"TERM": "dumb"}):
        assert "\x1b[" not in on_terminal(argv, {**env, **forbidding})
    table = f"{argv} --format table" if argv.startswith("top") else argv
    assert "\x1b[" in in_pipe(table, {**env, "FORCE_COLOR": "1"})
    assert "\x1b[" in in_pipe(table, {**env, "CLICOLOR_FORCE": "1", "TERM": "dumb"})
    assert "\x1b[" not in in_pipe(table, {**env, "CLICOLOR_FORCE": "1", "NO_COLOR": "1"})


@pytest.mark.parametrize("argv", SOBER)
def test_the_option_is_taken_where_there_is_nothing_to_colour(argv: str, server: ProcTree, tmp_path: Path) -> None:
    server.mount_v2()
    policy = tmp_path / "policy.toml"
    policy.write_text("[[rule]]\ntarget = 'java'\nadj = 300\n")
    words = [*argv.split(), *(["-f", str(policy)] if argv.startswith("policy") else [])]
    plain = ask(server, *words)
    assert ask(server, *words, "--color", "always") == plain
    assert ask(server, "--color", "never", *words) == plain


def test_what_the_command_says_wins_over_what_stands_before_it(env: dict[str, str]) -> None:
    assert "\x1b[" not in in_pipe("--color always simulate --color never", env)


def test_colour_in_a_pipe_is_the_whole_table(env: dict[str, str]) -> None:
    whole = in_pipe("top --color always", {**env, "LINES": "6"})
    listed = in_pipe("top", env)
    assert len(without_sequences(whole).splitlines()) - 2 == len(listed.splitlines()) - 1 == 6


def test_json_and_plain_text_never_have_any(server: ProcTree) -> None:
    for words in (["--json"], ["--format", "plain"], ["--format", "tsv"]):
        assert ask(server, "--color", "always", "top", *words) == ask(server, "top", *words)
    assert json.loads(ask(server, "--color", "always", "simulate", "--json").stdout)


def test_another_word_is_a_usage_error(server: ProcTree) -> None:
    ran = ask(server, "top", "--color", "maybe")
    assert (ran.status, ran.stdout) == (2, "")
    assert "'maybe' is not one of 'auto', 'always', 'never'" in ran.stderr
