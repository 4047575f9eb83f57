"""--quiet: nothing is said of what went well, and everything of what did not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.commands.invoke import Ran, ask
from tests.policy.rules import rule
from tests.proc_tree import ProcTree, adjs

SAID_NOTHING = Ran(0, "", "")


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy.toml"
    path.write_text(rule("java", 300))
    return path


@pytest.mark.parametrize("option", ["-q", "--quiet"])
@pytest.mark.parametrize(
    ("argv", "after"), [("set 300", 300), ("protect", -1000), ("sacrifice", 1000), ("reset", 0)], ids=str
)
def test_a_change_that_is_made_says_nothing(server: ProcTree, option: str, argv: str, after: int) -> None:
    assert ask(server, *argv.split(), "20", option) == SAID_NOTHING
    assert adjs(server, 20) == [after]


def test_undo_says_nothing(server: ProcTree) -> None:
    ask(server, "set", "300", "20")
    assert ask(server, "undo", "-q") == SAID_NOTHING
    assert adjs(server, 20) == [0]


def test_a_policy_that_is_applied_says_nothing_nor_that_there_is_nothing_to_change(
    server: ProcTree, policy: Path
) -> None:
    for _ in range(2):
        assert ask(server, "policy", "apply", "-q", "-f", str(policy)) == SAID_NOTHING
        assert adjs(server, 20) == [300]


def test_what_a_policy_leaves_alone_is_no_failure(server: ProcTree, policy: Path) -> None:
    server.add(21, "nginx", uid=54321)
    policy.write_text(rule("nginx", -300))
    assert "left alone" in ask(server, "policy", "apply", "--dry-run", "-f", str(policy)).stdout
    assert ask(server, "policy", "apply", "-q", "-f", str(policy)) == SAID_NOTHING


def test_a_dry_run_says_by_its_status_whether_it_would_go_well(server: ProcTree) -> None:
    assert ask(server, "set", "300", "20", "-q", "--dry-run") == SAID_NOTHING
    assert ask(server, "set", "-300", "1", "-q", "--dry-run").status == 6
    assert adjs(server, 20) == [0]


def test_hints_are_not_given(server: ProcTree) -> None:
    assert "hint: " in ask(server, "set", "-17", "20").stderr
    assert ask(server, "set", "-17", "20", "-q") == SAID_NOTHING


@pytest.mark.parametrize(
    "argv",
    [
        "set 300 nosuch",
        "set 300 20 nosuch",
        "set -300 1",
        "set -300 20 1",
        "set 5000 20",
        "undo",
        "policy apply -f /no",
    ],
)
def test_what_went_wrong_is_said_with_the_same_status(server: ProcTree, argv: str) -> None:
    loud = ask(server, *argv.split(), *(["--dry-run"] if "5000" not in argv else []))
    quiet = ask(server, *argv.split(), "-q")
    assert loud.stderr
    assert quiet == Ran(loud.status, "", loud.stderr)


def test_what_leaves_everything_alone_is_said(proc_tree: ProcTree) -> None:
    proc_tree.add(20, "nginx", uid=54321)
    assert ask(proc_tree, "protect", "nginx", "-q") == Ran(
        6,
        "",
        "oomctl: left alone: 1 process: belongs to 54321, and anyone can use that name (--any-user takes it)\n",
    )


def test_a_document_that_is_asked_for_is_printed(server: ProcTree) -> None:
    quiet = ask(server, "set", "-17", "20", "--dry-run", "--json", "-q")
    assert (quiet.status, quiet.stderr) == (0, "")
    assert [change["status"] for change in json.loads(quiet.stdout)["changes"]] == ["dry-run"]


def test_a_document_that_tells_who_was_left_alone_is_enough(proc_tree: ProcTree) -> None:
    proc_tree.add(20, "nginx", uid=54321)
    ran = ask(proc_tree, "protect", "nginx", "-q", "--json")
    assert (ran.status, ran.stderr) == (6, "")
    assert len(json.loads(ran.stdout)["left_alone"]) == 1


def test_the_next_run_is_not_quiet(server: ProcTree) -> None:
    ask(server, "set", "300", "20", "-q")
    assert ask(server, "set", "400", "20").stdout
