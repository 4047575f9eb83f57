"""Every exit status, as scripts meet it: argv -> (status, stdout, stderr). Patterns match the whole text."""

from __future__ import annotations

import re

import pytest

from oomctl import errors
from tests.commands.invoke import ask, program
from tests.proc_tree import ProcTree

JSON = r"\{\"schema\": .*\}\n"
TEXT = r"[^{].*\n"
NOTHING = ""

# fmt: off
TABLE = [
    # argv                                  status  stdout    stderr
    ("top",                                     0,  TEXT,     NOTHING),
    ("top --json",                              0,  JSON,     NOTHING),
    ("top --format tsv -o pid,oom",             0,  r"pid\toom_score\n(\d+\t\d+\n)+", NOTHING),
    ("top nosuch",                              1,  NOTHING,  r"oomctl: no process matches nosuch\n"),
    ("top --sort nosuch",                       2,  NOTHING,  r"oomctl: unknown field 'nosuch'; valid are rank, .*\n"),
    ("top --cgroup /nosuch",                    7,  NOTHING,  r"oomctl: cgroup /nosuch: no such memory cgroup .*\n"),
    ("simulate",                                0,  TEXT,     NOTHING),
    ("simulate --json",                         0,  JSON,     NOTHING),
    ("simulate --without java --without postg*", 1, TEXT,     NOTHING),
    ("simulate --without java --without postg* --json", 1, JSON, NOTHING),
    ("simulate --cgroup /system.slice",         1,  TEXT,     NOTHING),
    ("simulate --grow java=5X",                 2,  NOTHING,  r"oomctl: --grow java=5X: not a size: .*\n"),
    ("simulate --from /nonexistent",            2,  NOTHING,  r"oomctl: /nonexistent: no such file\n"),
    ("explain java",                            0,  TEXT,     NOTHING),
    ("explain nosuch",                          1,  NOTHING,  r"oomctl: nosuch: no process matches\n"),
    ("explain java nosuch",                     3,  TEXT,     r"oomctl: nosuch: no process matches\n"),
    ("set 500 java",                            0,  TEXT,     NOTHING),
    ("set 500 java --json",                     0,  JSON,     NOTHING),
    ("set 500 java --dry-run",                  0,  TEXT,     NOTHING),
    ("set 500 nosuch",                          1,  NOTHING,  r"oomctl: nosuch: no process matches\n"),
    ("set 5000 java",                           2,  NOTHING,  r"oomctl: Invalid value for 'ADJ': '5000' .*\n"),
    ("set 500",                                 2,  NOTHING,  r"oomctl: Missing argument 'TARGET\.\.\.'; see .*\n"),
    ("set 500 java nosuch",                     3,  TEXT,     r"oomctl: nosuch: no process matches\n"),
    ("set 500 java 40",                         3,  TEXT,     r"oomctl: 40 \(kworker/0:1\): kernel thread.*\n"),
    ("set 500 user:",                           2,  NOTHING,  r"oomctl: target 'user:': nothing behind user:\n"),
    ("protect 10",                              0,  TEXT,     NOTHING),
    ("protect 1",                               6,  NOTHING,  r"oomctl: 1 \(systemd\): PID 1: .*\n"),
    ("protect java",                            6,  TEXT,     NOTHING),
    ("sacrifice java",                          0,  TEXT,     NOTHING),
    ("reset java",                              0,  TEXT,     NOTHING),
    ("undo",                                    1,  NOTHING,  r"oomctl: undo: no change is recorded in .*\n"),
    ("snapshot",                                0,  JSON,     NOTHING),
    ("forecast --over 300ms --every 20ms",      1,  TEXT,     NOTHING),
    ("forecast --over 1",                       1,  TEXT,     NOTHING),
    ("forecast --over 9 --every 1",             2,  NOTHING,  r"oomctl: --over 9s and --every 1s: expected .*\n"),
    ("snapshot --cgroup /nosuch",               7,  NOTHING,  r"oomctl: cgroup /nosuch: no such memory cgroup .*\n"),
    ("history --file /dev/null",                2,  NOTHING,  r"oomctl: /dev/null: a device; expected .*\n"),
    ("history --file -",                        1,  NOTHING,  r"oomctl: history: no OOM kill in stdin\n"),
    ("history --file /nonexistent",             2,  NOTHING,  r"oomctl: /nonexistent: no such file\n"),
    ("completion fish",                         0,  r"#.*\n", NOTHING),
    ("completion csh",                          2,  NOTHING,  r"oomctl: Invalid value for .*'csh' is not one of .*\n"),
    ("--version",                               0,  r"oomctl \d.*\n", NOTHING),
    ("--help",                                  0,  r"Usage: .*\n", NOTHING),
    ("top --help",                              0,  r"Usage: .*\n", NOTHING),
    ("",                                        2,  NOTHING,  r"Usage: .*\n"),
    ("nosuch",                                  2,  NOTHING,  r"oomctl: No such command 'nosuch'; see oomctl --help\n"),
    ("top --nosuch",                            2,  NOTHING,  r"oomctl: No such option '--nosuch'.* oomctl top .*\n"),
    ("run /nonexistent/program",              127,  NOTHING,  r"oomctl: run: /nonexistent/program: command .*\n"),
    ("run /etc/passwd",                       126,  NOTHING,  r"oomctl: run: /etc/passwd: Permission denied\n"),
]
# fmt: on


@pytest.fixture
def machine(server: ProcTree) -> ProcTree:
    server.mount_v2()
    server.cgroup("/system.slice", memory__max="max\n")
    return server


@pytest.mark.parametrize(("argv", "status", "stdout", "stderr"), TABLE, ids=[row[0] or "(nothing)" for row in TABLE])
def test_status_stdout_and_stderr(machine: ProcTree, argv: str, status: int, stdout: str, stderr: str) -> None:
    ran = ask(machine, *argv.split()) if not argv.startswith("run") else program(*argv.split())
    assert ran.status == status
    assert re.fullmatch(stdout, ran.stdout, re.DOTALL), ran.stdout
    assert re.fullmatch(stderr, ran.stderr, re.DOTALL), ran.stderr
    if ran.stderr.startswith("oomctl: "):
        assert ran.stderr.count("\n") == 1


@pytest.mark.parametrize(("argv", "status"), [("true", 0), ("false", 1)])
def test_run_ends_as_its_command_does(argv: str, status: int) -> None:
    assert program("run", "-n", "500", argv) == (status, "", "")


def test_messages_and_numbers_are_the_same_in_every_language() -> None:
    def said(language: str) -> list[object]:
        env = {"LC_ALL": language, "LANGUAGE": "de:fr", "LANG": language}
        return [program(*argv.split(), env=env) for argv in ("top nosuch-name", "top --nosuch", "set 5000 x", "--help")]

    assert said("de_DE.UTF-8") == said("C.UTF-8")


def test_the_table_has_every_status_that_a_fake_machine_can_show() -> None:
    """Refused by the kernel, and vanished in the middle: tests/commands/test_adjust_live.py, tests/procfs."""
    statuses = {value for value in vars(errors).values() if type(value) is int}
    assert {status for _, status, _, _ in TABLE} == statuses - {errors.NOT_PERMITTED, errors.VANISHED}
