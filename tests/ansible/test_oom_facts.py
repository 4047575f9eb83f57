"""``oomadm.oomadm.oom_facts`` under real ansible-core: what the program says, as facts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.ansible.playing import Ansible, Played

pytestmark = pytest.mark.ansible
MODULE = "oomadm.oomadm.oom_facts"


@pytest.fixture(scope="module")
def check(ansible: Ansible, oomadm: Path) -> Played:
    tasks: list[dict[str, Any]] = [
        {"name": "whole", MODULE: {"executable": str(oomadm)}},
        {"name": "worst", MODULE: {"executable": str(oomadm), "min_severity": "critical"}},
        {
            "name": "no_such_cgroup",
            MODULE: {"executable": str(oomadm), "cgroup": "/no/such"},
            "ignore_errors": True,
        },
        {"name": "not_installed", MODULE: {"executable": "/nonexistent/oomadm"}},
    ]
    return ansible.play(tasks, "--check")


def test_facts_name_the_victim_and_how_sure_that_is_even_in_a_check(check: Played) -> None:
    oom = check.results["whole"]["ansible_facts"]["oom"]
    assert oom["outcome"] == "kill"
    assert oom["victim"]["pid"] in oom["contenders"]
    assert oom["certainty"] in ("certain", "close")
    assert oom["freed_bytes"] > 0


def test_facts_hold_the_findings_as_bad_as_asked_for(check: Played) -> None:
    whole, worst = (check.results[name]["ansible_facts"]["oom"]["findings"] for name in ("whole", "worst"))
    assert all({"id", "severity", "message", "remedy"} <= finding.keys() for finding in whole)
    assert {finding["severity"] for finding in worst} <= {"critical"}


def test_facts_hold_no_command_line_and_nothing_that_check_tells_once(check: Played) -> None:
    oom = check.results["whole"]["ansible_facts"]["oom"]
    assert "cmdline" not in oom["victim"]
    assert "kills-seen" not in [finding["id"] for finding in oom["findings"]]


def test_asking_changes_nothing(check: Played) -> None:
    assert check.recap["changed"] == 0


def test_an_unknown_cgroup_fails_with_the_programs_sentence(check: Played) -> None:
    assert "/no/such" in check.results["no_such_cgroup"]["msg"]


def test_where_it_is_to_be_installed_yet_a_check_has_no_facts(check: Played) -> None:
    assert "ansible_facts" not in check.results["not_installed"]
    assert not check.results["not_installed"]["failed"]
