"""The JSON Schema files of the package hold for what every command really prints, and leave nothing of it out."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
from jsonschema import Draft202012Validator

from oomctl.cli.main import COMMANDS, cli
from tests.commands.invoke import ask, program
from tests.documents import NAMES, SCHEMAS, errors_in
from tests.proc_tree import ProcTree
from tests.runner import runner

PROJECT = Path(__file__).parents[2]
LOGS = sorted((PROJECT / "tests" / "data" / "oom-logs").glob("*.log"))[::8]


@pytest.fixture
def machine(server: ProcTree) -> ProcTree:
    """The small server, in cgroups, with an uncommon name and a process that is dying."""
    server.mount_v2()
    server.cgroup("/system.slice", memory__max="max\n")
    server.cgroup("/system.slice/tomcat.service", pids=(20,), memory__max=f"{512 << 20}\n")
    server.write("20/cgroup", "0::/system.slice/tomcat.service\n")
    server.add(50, b"caf\xc3\xa9 \xff", score=667, uid=54321)
    server.add_zombie_leader(60, 61, 500)
    return server


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_one(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name])


def test_every_command_that_prints_json_has_a_schema() -> None:
    described = {one for names in NAMES.values() for one in names}
    commands = {name: cli.get_command(click.Context(cli), name) for name in COMMANDS}
    below = {
        f"{name}-{part}": subcommand
        for name, group in commands.items()
        if isinstance(group, click.Group)
        for part, subcommand in group.commands.items()
    }
    with_json = {
        name
        for name, command in {**commands, **below}.items()
        for param in getattr(command, "params", [])
        if "--json" in param.opts
    }
    assert {f"oomctl.{name}/1" for name in with_json} <= described


@pytest.mark.parametrize(
    "argv",
    [
        "top --json",
        "top --json -n 1 --user root",
        "top --json --cgroup /system.slice/tomcat.service",
        "explain --json java safe systemd 40 60",
        "explain --json java --cgroup /system.slice/tomcat.service",
        "simulate --json",
        "simulate --json --cgroup /system.slice/tomcat.service --rounds 3",
        "simulate --json --cgroup /system.slice",
        "simulate --json --set java=-1000 --add 8G@300 --grow postgres=1G --rounds 4",
        "simulate --json --without java --without postgres --without caf* --without leader",
        "simulate --json --kernel 3.10",
        "simulate --json --allocating java",
        "set 500 java --json",
        "set 500 java --json --dry-run",
        "set 500 java nosuch --missing-ok --json --dry-run",
        "set -500 postgres 40 --json --dry-run",
        "protect 1 java --json --any-user --dry-run",
        "sacrifice java --json",
        "reset postgres --json",
        "check --json",
        "check --json --precious java",
        "snapshot",
        "snapshot --cgroup /system.slice/tomcat.service",
        "forecast --json --over 300ms --every 20ms",
    ],
)
def test_what_a_command_prints_is_as_described(machine: ProcTree, argv: str) -> None:
    ran = ask(machine, *argv.split())
    assert errors_in(json.loads(ran.stdout)) == []


def test_what_undo_prints_is_as_described(machine: ProcTree) -> None:
    ask(machine, "set", "500", "java")
    ran = ask(machine, "undo", "--json")
    assert errors_in(json.loads(ran.stdout)) == []


POLICY = """
[[rule]]
target = "postgres"
adj = -900
force = true
reason = "the data"
[[rule]]
target = ["java", "systemd"]
adj = 300
scope = "all"
"""


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("check", POLICY),
        ("check", POLICY + "adj = 5\nsize = 1\n[[rule]]\ntarget = 'java'\n"),
        ("check", POLICY + "[[rule]]\ntarget = 'java'\nadj = -17\n"),
        ("check", "[[rule]]\ntarget = 'java'\nadj = -17\nscope = 'both'\n"),
        ("check", "#" + "." * (1 << 16)),
        ("diff", POLICY),
        ("diff", ""),
        ("apply", POLICY),
        ("apply --dry-run", POLICY),
        ("explain postgres java safe 40", POLICY),
    ],
)
def test_what_policy_prints_is_as_described(machine: ProcTree, tmp_path: Path, words: str, text: str) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(text)
    ran = ask(machine, "policy", *words.split(), "-f", str(path), "--json")
    document = json.loads(ran.stdout)
    assert document["schema"] == f"oomctl.policy-{words.split(maxsplit=1)[0]}/1"
    assert errors_in(document) == []


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.name)
def test_what_history_counts_and_follows_is_as_described(path: Path) -> None:
    counted = program("history", "--summary", "--json", "-f", str(path))
    with path.open("rb") as log:
        followed = program("history", "--follow", "--json", "-f", "-", stdin=log)
    documents = [json.loads(line) for line in (counted.stdout + followed.stdout).splitlines()]
    assert [document["schema"] for document in documents] == ["oomctl.history-summary/1", "oomctl.history-event/1"]
    assert [errors_in(document) for document in documents] == [[], []]


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.name)
def test_what_history_tells_of_real_logs_is_as_described(path: Path) -> None:
    result = runner().invoke(cli, ["history", "--json", "--file", str(path)])
    assert errors_in(json.loads(result.stdout)) == []


@pytest.mark.live
@pytest.mark.parametrize("argv", [["top"], ["simulate"], ["explain", "1"]], ids=lambda argv: argv[0])
def test_what_a_command_says_of_this_machine_is_as_described(argv: list[str]) -> None:
    assert errors_in(json.loads(program(*argv, "--json").stdout)) == []


@pytest.mark.live
def test_a_snapshot_of_this_machine_is_as_described() -> None:
    assert errors_in(json.loads(program("snapshot").stdout)) == []


def test_a_scenario_by_hand_may_be_short() -> None:
    """The least that simulate --from takes."""
    tasks = [{"pid": 1, "comm": "a", "rss": 5}]
    least = {"schema": "oomctl.scenario/1", "kernel": "6.1", "context": {"constraint": "none", "totalpages": 9}}
    assert errors_in({**least, "tasks": tasks}) == []
    assert errors_in({**least, "tasks": [{"pid": 1, "comm": "a"}]}) == ["$.tasks[0]: 'rss' is a required property"]


def test_a_field_that_nobody_described_is_found() -> None:
    document: dict[str, object] = {"schema": "oomctl.explain/1", "processes": [], "memory": None, "surprise": 1}
    assert len(errors_in(document)) == 1
