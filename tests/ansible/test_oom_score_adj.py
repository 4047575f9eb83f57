"""``oomadm.oomadm.oom_score_adj`` under real ansible-core, on toy processes by their PIDs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.ansible.playing import Ansible, Played
from tests.processes import adj_of, sleepers

pytestmark = pytest.mark.ansible
MODULE = "oomadm.oomadm.oom_score_adj"
NO_PID = 4_194_303  # the last one that a kernel can give


class Runs(NamedTuple):
    pid: int
    check: Played
    value_after_check: int
    first: Played
    value_after_first: int
    second: Played


@pytest.fixture(scope="module")
def runs(ansible: Ansible, oomadm: Path, oomadm_without_capability: Path, tmp_path_factory: Any) -> Iterator[Runs]:
    """A check, the first run in earnest, with all that fails, and a second."""
    not_executable = tmp_path_factory.mktemp("copied") / "oomadm.pyz"
    not_executable.write_text(
        "import json; print(json.dumps({'schema': 'oomctl.set/1', 'changes': [], 'left_alone': []}))"
    )
    with sleepers() as start:
        raised, floored = start().pid, start().pid
        Path(f"/proc/{raised}/oom_score_adj").write_text("300")
        Path(f"/proc/{floored}/oom_score_adj").write_text("300")
        tasks: list[dict[str, Any]] = [
            {"name": "raised", MODULE: {"target": raised, "adj": 700, "executable": str(oomadm)}},
            {"name": "missing", MODULE: {"target": ["no-such-name"], "adj": 700, "executable": str(oomadm)}},
            {
                "name": "demanded",
                MODULE: {"target": "no-such-name", "adj": 700, "missing_ok": False, "executable": str(oomadm)},
                "ignore_errors": True,
            },
            {
                "name": "partly_demanded",
                MODULE: {"target": [raised, NO_PID], "adj": 700, "missing_ok": False, "executable": str(oomadm)},
                "ignore_errors": True,
            },
            {
                "name": "lowered",
                MODULE: {"target": floored, "adj": -500, "executable": str(oomadm_without_capability)},
                "ignore_errors": True,
            },
            {
                "name": "out_of_range",
                MODULE: {"target": raised, "adj": 5000, "executable": str(oomadm)},
                "ignore_errors": True,
            },
            {
                "name": "like_an_option",
                MODULE: {"target": "--force", "adj": 5, "executable": str(oomadm)},
                "ignore_errors": True,
            },
            {"name": "single_file", MODULE: {"target": raised, "adj": 700, "executable": str(not_executable)}},
            {
                "name": "not_installed",
                MODULE: {"target": raised, "adj": 700, "executable": "/nonexistent/oomadm"},
                "ignore_errors": True,
            },
        ]
        check = ansible.play([tasks[0], tasks[1], tasks[4], tasks[-1]], "--check", "--diff")
        value_after_check = adj_of(raised)
        first = ansible.play(tasks, "--diff")
        yield Runs(raised, check, value_after_check, first, adj_of(raised), ansible.play(tasks[:2], "--diff"))


def test_a_check_says_what_would_change_and_changes_nothing(runs: Runs) -> None:
    assert runs.check.results["raised"]["changed"]
    assert runs.value_after_check == 300
    assert f"-sleep ({runs.pid}): 300\n+sleep ({runs.pid}): 700\n" in runs.check.text


def test_the_first_run_changes_what_the_check_said(runs: Runs) -> None:
    assert runs.first.results["raised"]["changed"]
    assert runs.value_after_first == 700
    assert f"-sleep ({runs.pid}): 300\n+sleep ({runs.pid}): 700\n" in runs.first.text
    assert runs.first.recap["changed"] == 1


def test_the_second_run_changes_nothing(runs: Runs) -> None:
    assert runs.second.recap["changed"] == 0
    assert not runs.second.results["raised"]["changed"]


def test_a_target_that_does_not_run_fails_no_host_unless_it_is_demanded(runs: Runs) -> None:
    for played in (runs.check, runs.first):
        assert (played.results["missing"]["failed"], played.results["missing"]["missing"]) == (False, ["no-such-name"])
    assert runs.first.results["demanded"]["msg"] == "no-such-name: no process matches"
    assert runs.first.results["partly_demanded"]["failed"]
    assert runs.first.results["partly_demanded"]["msg"].startswith(f"{NO_PID}: no process matches")


def test_a_refusal_of_the_kernel_fails_with_its_cause(runs: Runs) -> None:
    assert runs.first.results["lowered"]["failed"]
    assert "CAP_SYS_RESOURCE" in runs.first.results["lowered"]["msg"]
    assert not runs.first.results["lowered"]["changed"]


def test_a_check_warns_where_the_kernel_may_refuse(runs: Runs) -> None:
    assert (runs.check.results["lowered"]["failed"], runs.check.results["lowered"]["changed"]) == (False, True)
    told = " ".join(runs.check.text.split())
    assert "[WARNING]: " in told
    assert "(sleep): the kernel may refuse it: below its floor it needs CAP_SYS_RESOURCE" in told
    assert "the kernel may refuse it" not in " ".join(runs.first.text.split())


def test_what_is_no_value_or_looks_like_an_option_fails_with_the_programs_sentence(runs: Runs) -> None:
    assert "'5000' is not an oom_score_adj: -1000..1000" in runs.first.results["out_of_range"]["msg"]
    assert "--force" in str(runs.first.results["like_an_option"])
    assert not runs.first.results["like_an_option"]["changed"]


def test_a_copied_single_file_needs_no_permission_to_execute(runs: Runs) -> None:
    assert runs.first.results["single_file"]["failed"] is False


def test_where_it_is_not_installed_a_run_fails_and_a_check_warns(runs: Runs) -> None:
    assert "install it, or name it with executable" in runs.first.results["not_installed"]["msg"]
    assert runs.check.results["not_installed"]["failed"] is False
    assert "not installed on this host; what it would do is not known yet" in " ".join(runs.check.text.split())
