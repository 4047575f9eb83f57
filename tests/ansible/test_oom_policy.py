"""``oomadm.oomadm.oom_policy`` under real ansible-core, with rules that match no process but a toy of this test's."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from oomctl.policy import loading
from tests.ansible.playing import Ansible, Played
from tests.processes import adj_of, sleepers

pytestmark = pytest.mark.ansible
MODULE = "oomadm.oomadm.oom_policy"
REASON = 'it says "so" \\ and €\ttab'


class Runs(NamedTuple):
    pid: int
    file: Path
    check: Played
    after_check: tuple[bool, int]
    first: Played
    after_first: tuple[bool, int]
    second: Played
    last: Played


@pytest.fixture(scope="module")
def runs(ansible: Ansible, oomadm: Path, tmp_path_factory: Any) -> Iterator[Runs]:
    """A check, a first run and a second; then one after the value was changed by hand; then the file is taken away."""
    directory = tmp_path_factory.mktemp("policy")
    file, toy = directory / "etc" / "policy.toml", directory / f"oomtoy{os.getpid()}"
    shutil.copy("/bin/sleep", toy)

    def policy(name: str, **options: Any) -> dict[str, Any]:
        return {"name": name, MODULE: {"path": str(file), "executable": str(oomadm), **options}, "ignore_errors": True}

    good = policy("good", rules=[{"target": [toy.name, "no-such-name"], "adj": 700, "reason": REASON}])
    bad = policy("bad", rules=[{"target": "x", "adj": 7000}])
    with sleepers() as start:
        pid = start(str(toy), "600").pid

        def now() -> tuple[bool, int]:
            return file.exists(), adj_of(pid)

        check, after_check = ansible.play([good], "--check", "--diff"), now()
        first, after_first = ansible.play([good, bad], "--diff"), now()
        shutil.copy(file, directory / "kept.toml")
        second = ansible.play([good])
        Path(f"/proc/{pid}/oom_score_adj").write_text("900")
        last = ansible.play([good, policy("gone", state="absent"), policy("gone_again", state="absent")], "--diff")
        yield Runs(pid, directory / "kept.toml", check, after_check, first, after_first, second, last)


def test_a_check_shows_the_file_and_the_processes_and_changes_neither(runs: Runs) -> None:
    assert runs.check.recap["changed"] == 1
    assert runs.after_check == (False, 0)
    assert "+adj = 700\n" in runs.check.text
    assert f"({runs.pid}): 700\n" in runs.check.text


def test_the_first_run_writes_the_file_and_applies_it(runs: Runs) -> None:
    assert runs.first.recap["changed"] == 1
    assert runs.after_first == (True, 700)


def test_the_file_says_what_the_rules_say(runs: Runs) -> None:
    [rule] = loading.load_valid([str(runs.file)]).rules
    assert (rule.adj, rule.reason) == (700, REASON)


def test_rules_with_a_mistake_fail_and_leave_the_file_as_it_is(runs: Runs) -> None:
    assert runs.first.results["bad"]["failed"]
    assert runs.first.results["bad"]["msg"].startswith("the policy is wrong, nothing was changed: line ")
    assert not runs.second.results["good"]["changed"]  # which it would be, had the other file been written


def test_the_second_run_changes_nothing(runs: Runs) -> None:
    assert runs.second.recap["changed"] == 0


def test_a_value_changed_by_hand_is_put_back(runs: Runs) -> None:
    assert runs.last.results["good"]["changed"]
    assert f"({runs.pid}): 900\n+" in runs.last.text


def test_a_file_that_is_to_be_absent_is_taken_away_once(runs: Runs) -> None:
    assert runs.last.results["gone"]["changed"]
    assert not runs.last.results["gone_again"]["changed"]
