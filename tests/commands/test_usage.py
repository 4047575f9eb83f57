"""Every misuse: exit status, one line that names the thing, nothing on stdout, nothing written."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from oomctl.cli.main import COMMANDS, cli
from oomctl.render import fields
from oomctl.tui.keys import KEYS, MOVING
from tests.commands.invoke import Ran, ask
from tests.proc_tree import ProcTree
from tests.runner import runner

ADJ_RANGE = "is not an oom_score_adj: -1000..1000, -1000 = never kill; see oomctl"
PIDS = "not a PID, they run from 1 to 4194304"
SIZES = "not a size: 512M, 2G, 1.5GiB or bytes"
HINT = "hint: 5 is a small step here; -17..15 was the scale of oom_adj, whose -17 is -1000 today"


def refused(proc_tree: ProcTree, *argv: str) -> tuple[int | None, str]:
    """Status and message of a command that must write nothing, and print nothing but an error as JSON, if asked."""
    before = adjs(proc_tree)
    ran = ask(proc_tree, *argv)
    assert ran.stdout == "" or ("--json" in argv and json.loads(ran.stdout)["schema"] == "oomctl.error/1")
    assert adjs(proc_tree) == before
    assert ran.stderr.startswith("oomctl: ")
    return ran.status, ran.stderr.removeprefix("oomctl: ")


def adjs(proc_tree: ProcTree) -> dict[str, str]:
    return {str(path): path.read_text() for path in Path(proc_tree.root).glob("[0-9]*/oom_score_adj")}


@pytest.mark.parametrize("word", ["1001", "-1001", "abc", "0x10", "1.5", "", " ", "010", "1e2", "--5", "\u0665", "5_0"])
def test_what_is_no_adj_is_refused(server: ProcTree, word: str) -> None:
    status, message = refused(server, "set", "--", word, "20")
    assert (status, message) == (2, f"Invalid value for 'ADJ': {word.strip()!r} {ADJ_RANGE} set --help\n")


@pytest.mark.parametrize("word", ["1001", "-1001", "abc", "0x10", "1.5"])
@pytest.mark.parametrize("command", [["protect", "--level"], ["sacrifice", "--level"]], ids=["protect", "sacrifice"])
def test_what_is_no_level_is_refused(server: ProcTree, command: list[str], word: str) -> None:
    status, message = refused(server, *command, word, "20")
    assert (status, message) == (2, f"Invalid value for '--level': {word!r} {ADJ_RANGE} {command[0]} --help\n")


@pytest.mark.parametrize("word", ["0", "-1", "+0", "4194305", "99999999999999999999", "-99999999999999999999"])
@pytest.mark.parametrize("command", [["set", "500"], ["protect"], ["reset"], ["explain"], ["top"]], ids=" ".join)
def test_what_can_be_no_pid_is_refused(server: ProcTree, command: list[str], word: str) -> None:
    assert refused(server, *command, word) == (2, f"target {word}: {PIDS}\n")


@pytest.mark.parametrize("digits", [5_000, 100_000])
def test_a_pid_of_thousands_of_digits_is_refused(server: ProcTree, digits: int) -> None:
    status, message = refused(server, "set", "500", "9" * digits)
    assert status == 2
    assert message.endswith(f": {PIDS}\n")
    assert len(message) < 200


@pytest.mark.parametrize("command", ["explain", "top", "protect", "sacrifice", "reset"])
def test_a_pid_that_does_not_exist_matches_nothing(server: ProcTree, command: str) -> None:
    status, message = refused(server, command, "999999")
    assert status == 1
    assert message in ("999999: no process matches\n", "no process matches 999999\n")


@pytest.mark.parametrize(
    ("argv", "status", "message"),
    [
        (["set"], 2, "Missing argument 'ADJ'; see oomctl set --help"),
        (["set", "500"], 2, "Missing argument 'TARGET...'; see oomctl set --help"),
        (["set", "--nonsense", "500", "20"], 2, "No such option '--nonsense'; see oomctl set --help"),
        (["set", "500", ""], 2, "target: an empty word names no process"),
        (["set", "500", "user:"], 2, "target 'user:': nothing behind user:"),
        (
            ["set", "500", "cmd:("],
            2,
            "target 'cmd:(': not a regular expression: missing ), unterminated subpattern at position 0",
        ),
        (["set", "500", "cgroup:/x"], 7, "target cgroup:/x: no memory controller is mounted here"),
        (["set", "500", "user:nobody-of-that-name"], 1, "user:nobody-of-that-name: no process matches"),
        (["set", "500", "nginx.service"], 1, "nginx.service: no process matches"),
        (
            ["set", "-500", "40"],
            6,
            "40 (kworker/0:1): kernel thread: it is never chosen, whatever its adj (--force overrides)",
        ),
        (
            ["protect", "1"],
            6,
            "1 (systemd): PID 1: the OOM killer never takes it, and everything started later would inherit the value"
            " (--force overrides)",
        ),
        (["top", "-n", "0"], 2, None),
        (["top", "-n", "x"], 2, None),
        (["top", "--user", "nobody-of-that-name"], 2, "user 'nobody-of-that-name': no such user on this machine"),
        (["top", "--user", "4242"], 1, "no process matches user 4242"),
        (["top", "--user", "0", "java"], 1, "no process matches java of user 0"),
        (["top", "nosuch", "also*not"], 1, "no process matches nosuch also*not"),
        (["top", "--json", "--format", "tsv"], 2, "--json and --format tsv contradict each other"),
        (
            ["top", "--cgroup", "/x"],
            7,
            "no memory controller is mounted here: there are no memory cgroups to ask about",
        ),
        (["simulate", "extra"], 2, "Got unexpected extra argument (extra); see oomctl simulate --help"),
        (["simulate", "--nodes", "x"], 2, "node list 'x': expected numbers and ranges such as 0,2-3"),
        (
            ["simulate", "--nodes", "0", "--cgroup", "/x"],
            2,
            "--cgroup and --nodes ask about different memory; give one of them",
        ),
        (["simulate", "--mempolicy"], 2, "--mempolicy says how --nodes are confined; give --nodes as well"),
        (["simulate", "--set", "java"], 2, "--set java: expected TARGET=ADJ"),
        (["simulate", "--set", "=5"], 2, "--set =5: expected TARGET=ADJ"),
        (
            ["simulate", "--set", "java=2000"],
            2,
            "--set java=2000: '2000' is not an oom_score_adj: -1000..1000, -1000 = never kill",
        ),
        (["simulate", "--grow", "java=5X"], 2, f"--grow java=5X: {SIZES}"),
        (["simulate", "--grow", "java=-5"], 2, f"--grow java=-5: {SIZES}"),
        (["simulate", "--grow", "nosuch=5G"], 1, "nosuch: no process matches"),
        (["simulate", "--add", "x"], 2, f"--add x: {SIZES}"),
        (
            ["simulate", "--add", "5G@"],
            2,
            "--add 5G@: '' is not an oom_score_adj: -1000..1000, -1000 = never kill",
        ),
        (["simulate", "--without", "0"], 2, f"target 0: {PIDS}"),
        (
            ["simulate", "--rounds", "0"],
            2,
            "Invalid value for '--rounds': 0 is not in the range 1<=x<=10000; see oomctl simulate --help",
        ),
        (
            ["simulate", "--free", "5X"],
            2,
            "Invalid value for '--free': '5X' is not a size: 512M, 2G, 1.5GiB or bytes; see oomctl simulate --help",
        ),
        (
            ["simulate", "--kernel", "beos"],
            2,
            "kernel 'beos': expected a release such as 6.1.20, or a label such as rhel8.1",
        ),
        (["simulate", "--kernel", "2.6.32"], 2, "kernel 2.6.32: the rules are known from 3.10 on"),
        (["simulate", "--from", "/nonexistent"], 2, "/nonexistent: no such file"),
        (
            ["simulate", "--from", "/proc"],
            2,
            "/proc: no snapshot in it; expected files called *.json, *.json.gz or *.json.xz",
        ),
        (["simulate", "--allocating", "nosuch"], 1, "nosuch: no process matches"),
        (["explain"], 2, "Missing argument 'TARGET...'; see oomctl explain --help"),
        (["run"], 2, "Missing argument 'COMMAND...'; see oomctl run --help"),
        (["nosuch"], 2, "No such command 'nosuch'; see oomctl --help"),
        (["tpo"], 2, "No such command 'tpo'; did you mean top? See oomctl --help"),
        (["top", "--onec"], 2, "No such option '--onec'; did you mean --once? See oomctl top --help"),
        (["top", "--onec=1"], 2, "No such option '--onec'; did you mean --once? See oomctl top --help"),
        (["top", "-z"], 2, "No such option '-z'; see oomctl top --help"),
        (["explain", "--jsno"], 2, "No such option '--jsno'; did you mean --json? See oomctl explain --help"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_misuse_is_one_line_and_a_status(server: ProcTree, argv: list[str], status: int, message: str | None) -> None:
    found, line = refused(server, *argv)
    assert found == status
    assert line.count("\n") == 1
    assert message is None or line == message + "\n"


@pytest.mark.parametrize("argv", [["top", "-o", "pid,foo"], ["top", "--sort", "foo"]], ids=" ".join)
def test_an_unknown_field_is_answered_with_the_valid_ones(server: ProcTree, argv: list[str]) -> None:
    status, line = refused(server, *argv)
    assert status == 2
    assert line.startswith("unknown field 'foo'; valid are rank, pid, ")
    assert "oom_score_adj" in line


def test_without_proc_every_command_is_impossible_here(proc_tree: ProcTree) -> None:
    nowhere = ProcTree(proc_tree.root.parent / "other")
    for path in sorted(nowhere.root.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    advice = f"{nowhere.root}/sys/kernel/osrelease: No such file or directory; oomctl needs Linux with its whole /proc"
    for argv in (["top"], ["simulate"], ["explain", "1"], ["set", "500", "1"], ["protect", "x"], ["run", "true"]):
        assert ask(nowhere, *argv) == Ran(7, "", f"oomctl: {advice} mounted there\n")


def test_a_hint_goes_with_values_of_the_old_scale(server: ProcTree) -> None:
    ran = ask(server, "set", "5", "java", "--dry-run")
    assert ran.status == 0
    assert ran.stderr == f"oomctl: {HINT}\n"


@pytest.mark.parametrize(
    ("adj", "hinted"),
    [("-18", False), ("-17", True), ("-1", True), ("0", False), ("1", True), ("15", True), ("16", False)],
)
def test_the_old_scale_ends_at_minus_17_and_15(server: ProcTree, adj: str, hinted: bool) -> None:
    ran = ask(server, "set", adj, "20", "--dry-run")
    assert ran.status == 0
    assert ran.stderr.startswith(f"oomctl: hint: {adj} ") == hinted
    assert (ran.stderr == "") != hinted


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(proc_tree: ProcTree, command: str) -> None:
    ran = ask(proc_tree, command, "--help")
    assert ran.status == 0
    assert ran.stdout.startswith(f"Usage: oomctl {command} ")
    assert ran == ask(proc_tree, command, "-h")


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_fits_80_columns_and_has_an_example(proc_tree: ProcTree, command: str) -> None:
    result = runner().invoke(cli, [*command.split(), "--help"], env={"COLUMNS": "80"}, prog_name="oomctl")
    lines = result.stdout.splitlines()
    assert [line for line in lines if len(line) > 80] == []
    assert any(re.match(r"  (eval .*)?oomctl ", line) for line in lines)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_summed_up_by_the_first_sentence_of_its_own_help(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert COMMANDS[name][1] == command.get_short_help_str(1000)


def test_help_sums_up_each_command_on_one_line_of_80_columns(proc_tree: ProcTree) -> None:
    result = runner().invoke(cli, ["--help"], env={"COLUMNS": "80"})
    listed = result.stdout.partition("Commands:\n")[2].splitlines()
    assert listed == [f"  {name:<10}  {summary}" for name, (_, summary) in COMMANDS.items()]


def every_command(group: click.Group = cli, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words that name each command, the groups among them, too."""
    yield above
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        if isinstance(command, click.Group):
            yield from every_command(command, (*above, name))
        else:
            yield (*above, name)


@pytest.mark.parametrize("words", [*every_command()], ids=" ".join)
def test_help_names_what_an_option_takes_in_words_and_ends_each_sentence(words: tuple[str, ...]) -> None:
    result = runner().invoke(cli, [*words, "--help"], env={"COLUMNS": "80"}, prog_name="oomctl")
    usage, _, told = result.stdout.partition("\n")
    assert usage.startswith("Usage: oomctl ")
    assert re.findall(r"INTEGER|FLOAT|RANGE|TEXT", told) == []
    assert [line for line in told.splitlines() if line.endswith(("...", "…")) or len(line) > 80] == []


def test_help_of_top_lists_every_field_and_every_key() -> None:
    told = runner().invoke(cli, ["top", "--help"], env={"COLUMNS": "80"}).stdout
    words = " ".join(told.split())
    for field in fields.FIELDS:
        assert re.search(rf"^  {field.name}\b.* {field.title}: ", told, re.MULTILINE), field.name
        assert f"{field.title}: {fields.MEANINGS[field.name]}" in words
    for shown, meaning in [*MOVING, *((key.shown, key.meaning) for key in KEYS)]:
        assert f" {shown} {meaning}" in words


def test_help_of_top_loads_nothing_that_draws() -> None:
    told = "from oomctl.cli.main import cli; import sys; cli(['top', '--help'], standalone_mode=False)"
    code = f"import atexit, sys; atexit.register(lambda: print({{'rich', 'textual'}} & {{*sys.modules}})); {told}"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.endswith("set()\n")


def test_what_a_subcommand_does_is_not_cut_off(proc_tree: ProcTree) -> None:
    listed = ask(proc_tree, "policy", "--help").stdout.partition("Commands:\n")[2]
    assert "status 1 if there is any." in " ".join(listed.split())
    assert "..." not in listed


def test_without_a_command_the_first_steps_are_shown_as_misuse(proc_tree: ProcTree) -> None:
    ran = ask(proc_tree)
    assert (ran.status, ran.stdout) == (2, "")
    lines = ran.stderr.splitlines()
    assert lines[0] == "Usage: oomctl [OPTIONS] COMMAND [ARGS]..."
    assert lines[-1] == "oomctl --help says more."
    assert len(lines) < 16
    assert max(map(len, lines)) <= 80
    words = set(ran.stderr.replace(",", " ").split())
    assert set(COMMANDS) <= words


def test_version_says_which_oomctl_this_is(proc_tree: ProcTree) -> None:
    ran = ask(proc_tree, "--version")
    assert ran.status == 0
    assert ran.stdout.splitlines()[0].endswith("(OOM killer ranking and prediction; not the oomctl of systemd-oomd)")
