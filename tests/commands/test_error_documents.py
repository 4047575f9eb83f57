"""With ``--json`` an error is a document, too: one, on stdout, beside the line on stderr."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from oomctl import errors
from oomctl.cli import failing
from oomctl.cli.main import COMMANDS
from oomctl.console import complain, this_run
from tests.commands.invoke import ask, program
from tests.documented import command
from tests.documents import errors_in
from tests.proc_tree import ProcTree

# fmt: off
FAILING = [
    # argv                                       status  command          error
    ("top nosuch --json",                            1, "top",            r"no process matches nosuch"),
    ("top --format json nosuch",                     1, "top",            r"no process matches nosuch"),
    ("top --json --sort nosuch",                     2, "top",            r"unknown field 'nosuch'; valid are .*"),
    ("top --json --cgroup /nosuch",                  7, "top",            r"cgroup /nosuch: no such memory cgroup.*"),
    ("simulate --grow java=5X --json",               2, "simulate",       r"--grow java=5X: not a size: .*"),
    ("simulate --json --from /nonexistent",          2, "simulate",       r"/nonexistent: no such file"),
    ("explain nosuch --json",                        1, "explain",        r"nosuch: no process matches"),
    ("explain --json nosuch other",                  1, "explain",        r"nosuch: no .*; other: no .*"),
    ("set 500 nosuch --json",                        1, "set",            r"nosuch: no process matches"),
    ("set 15 nosuch --json",                         1, "set",            r"nosuch: no process matches"),
    ("set 5000 java --json",                         2, "set",            r"Invalid value for 'ADJ': '5000' .*"),
    ("set --json 500",                               2, "set",            r"Missing argument 'TARGET\.\.\.'; see .*"),
    ("protect user: --json",                         2, "protect",        r"target 'user:': nothing behind user:"),
    ("sacrifice nosuch --json",                      1, "sacrifice",      r"nosuch: no process matches"),
    ("reset --nosuch java --json",                   2, "reset",          r"No such option '--nosuch'.*"),
    ("undo --json",                                  1, "undo",           r"undo: no change is recorded in .*"),
    ("forecast --json --over 1 --every 1",           2, "forecast",       r"--over 1s and --every 1s: expected .*"),
    ("check --json --only nosuch",                   2, "check",          r"no check is called 'nosuch'; .*"),
    ("history --json -f /nonexistent",               2, "history",        r"/nonexistent: no such file"),
    ("history --json 3 -f /dev/null",                2, "history",        r"/dev/null: a device; expected .*"),
    ("history --follow --summary --json",            2, "history",        r"history: --summary counts what was, .*"),
    ("selftest --json surplus",                      2, "selftest",       r"Got unexpected extra .*"),
    ("policy check --json -f /nonexistent --nosuch", 2, "policy check",   r"No such option '--nosuch'.*"),
    ("policy diff --json -f /nonexistent",           2, "policy diff",    r"/nonexistent: cannot be read: .*"),
    ("policy apply --json -f /nonexistent",          2, "policy apply",   r"/nonexistent: cannot be read: .*"),
    ("policy explain java --json -f /nonexistent",   2, "policy explain", r"/nonexistent: cannot be read: .*"),
    ("policy aply --json",                           2, "policy",         r"No such command 'aply'; .*"),
    ("tpo --json",                                   2, None,             r"No such command 'tpo'; .*"),
    ("top --nosuch --format=json",                   2, "top",            r"No such option '--nosuch'.*"),
    ("top --nosuch --format json",                   2, "top",            r"No such option '--nosuch'.*"),
]
# fmt: on


@pytest.fixture
def machine(server: ProcTree) -> ProcTree:
    server.mount_v2()
    return server


def with_json() -> Iterator[str]:
    for name in COMMANDS:
        found = command(name)
        below = found.commands.values() if isinstance(found, click.Group) else [found]
        for one in below:
            if any("--json" in param.opts for param in one.params):
                yield one.name if one is found and one.name is not None else f"{name} {one.name}"


@pytest.mark.parametrize(("argv", "status", "name", "error"), FAILING, ids=[row[0] for row in FAILING])
def test_an_error_is_one_document_and_the_same_line(
    machine: ProcTree, argv: str, status: int, name: str | None, error: str
) -> None:
    ran = ask(machine, *argv.split())
    (line,) = ran.stdout.splitlines()
    document = json.loads(line)
    assert errors_in(document) == []
    assert (ran.status, document["exit_status"], document["command"]) == (status, status, name)
    assert re.fullmatch(error, document["error"]), document["error"]
    said = [line.removeprefix("oomctl: ") for line in ran.stderr.splitlines() if not line.startswith("oomctl: hint: ")]
    assert document["error"].split("; ")[0] == said[0].split("; ")[0]


def test_every_command_with_json_is_in_the_table() -> None:
    assert set(with_json()) - {name for _, _, name, _ in FAILING} == set()
    assert "policy diff" in set(with_json())


def test_without_json_nothing_is_on_stdout(machine: ProcTree) -> None:
    for argv in ("top nosuch", "explain nosuch", "set 5000 java", "tpo", "policy diff -f /nonexistent"):
        assert ask(machine, *argv.split()).stdout == ""


@pytest.mark.parametrize(
    "argv",
    [
        "explain --json java nosuch",
        "set --json 500 java nosuch",
        "set --json 500 java 40",
        "protect --json 1",
        "simulate --json --without java --without postg*",
        "history --json -f -",
        "history --json --summary -f -",
        "policy check --json -f /nonexistent",
    ],
)
def test_where_there_is_a_document_no_second_one_follows(machine: ProcTree, argv: str) -> None:
    ran = ask(machine, *argv.split(), stdin="")
    assert ran.status != 0
    assert json.loads(ran.stdout)["schema"] != "oomctl.error/1"


@pytest.mark.parametrize(
    "argv",
    ["run /nonexistent/program --json", "run --nosuch -- true --json", "completion csh --json", "snapshot --json"],
)
def test_a_command_that_has_no_json_prints_no_document(machine: ProcTree, argv: str) -> None:
    ran = ask(machine, *argv.split())
    assert (ran.status != 0, ran.stdout) == (True, "")


def test_a_word_behind_two_dashes_asks_for_nothing(machine: ProcTree) -> None:
    assert ask(machine, "explain", "--nosuch", "--", "--json").stdout == ""


def test_a_monitoring_system_gets_its_own_line_only(machine: ProcTree) -> None:
    ran = ask(machine, "check", "--json", "--format", "nagios")
    assert re.fullmatch(r"OOM UNKNOWN.*\n", ran.stdout), ran.stdout


def test_what_the_user_wrote_is_shown_as_what_it_is(machine: ProcTree) -> None:
    ran = ask(machine, "explain", "--json", "\x1b[2J")
    assert json.loads(ran.stdout)["error"] == r"\x1b[2J: no process matches"


def test_the_detail_is_a_field_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    this_run.begin()
    this_run.json_of = "set"
    complain("hint: not the error", "nor this")
    complain("the kernel refused", "ask on the host")
    failing.print_document(errors.NOT_PERMITTED)
    document = json.loads(capsys.readouterr().out)
    assert errors_in(document) == []
    assert (document["error"], document["detail"]) == ("the kernel refused", "ask on the host")


@pytest.mark.live
def test_an_error_that_cannot_be_printed_keeps_its_status() -> None:
    with Path("/dev/full").open("w") as full:
        ran = program("top", "--json", "--sort", "nosuch", stdout=full)
    assert ran.status == 2
    assert ran.stderr.count("\n") == 1


@pytest.mark.live
def test_the_program_prints_it_too() -> None:
    ran = program("top", "--json", "--sort", "nosuch")
    assert json.loads(ran.stdout)["exit_status"] == ran.status == 2


def test_each_run_in_one_process_stands_for_itself(machine: ProcTree) -> None:
    assert ask(machine, "top", "--json", "nosuch").stdout
    assert ask(machine, "top", "nosuch").stdout == ""
