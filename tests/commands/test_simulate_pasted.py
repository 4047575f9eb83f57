"""Machines that people described because nothing was killed, or the wrong one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from oomctl.cli.main import cli
from tests.runner import runner

PASTED = Path(__file__).parent.parent / "data/pasted"


def rounds(name: str, *words: str) -> list[tuple[str, int | None]]:
    """Return the outcome and the victim of each round."""
    ran: Any = runner().invoke(cli, ["simulate", "--json", "--from", str(PASTED / name), "--rounds", "4", *words])
    document = json.loads(ran.stdout)
    every = document.get("rounds") or [document]
    return [(one["outcome"], one["victim"] and one["victim"]["pid"]) for one in every]


def test_a_cgroup_in_which_all_inherited_minus_1000_has_nobody_to_kill() -> None:
    assert rounds("46-nomad-all-protected.json") == [("no_killable", None)]


def test_minus_950_saves_a_giant_from_the_first_kill_only() -> None:
    assert rounds("47-scylla-minus-950.json")[:2] == [("kill", 14856), ("kill", 2977)]


def test_with_minus_1000_the_machine_panics_when_the_small_ones_are_dead() -> None:
    assert rounds("47-scylla-minus-950.json", "--set", "scylla=-1000") == [
        *(("kill", 14856), ("kill", 789)),
        ("panic", None),
    ]
