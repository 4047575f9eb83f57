"""The tests pass whatever they inherit from the terminal that runs them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.documented import PROJECT
from tests.processes import Sleeper, adj_of

ABOUT_THE_VALUE = "tests/test_surroundings.py::test_what_the_tests_start_has_the_default"
ABOUT_CTRL_C = "tests/commands/test_history_follow.py::test_ctrl_c_ends_it_without_a_word"
"""Each fails where its process inherits what it should not."""


def run_below(before: list[str], *tests: str) -> str:
    """Run tests in a pytest of their own, started by ``before``; return its last line."""
    command = [*before, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    ran = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=120, check=False)
    return ran.stdout.splitlines()[-1]


@pytest.mark.live
@pytest.mark.usefixtures("own_value_is_0")
def test_what_the_tests_start_has_the_default(sleeper: Sleeper) -> None:
    assert adj_of(sleeper().pid) == 0


@pytest.mark.live
@pytest.mark.usefixtures("own_value_is_0")
def test_an_inherited_oom_score_adj_is_put_back() -> None:
    """Anybody may raise it, and go back as far as the last privileged writer allows."""
    assert run_below(["choom", "-n", "1000", "--"], ABOUT_THE_VALUE).startswith("1 passed")


@pytest.mark.live
def test_an_ignored_ctrl_c_is_put_back() -> None:
    assert run_below(["sh", "-c", 'trap "" INT; exec "$@"', "sh"], ABOUT_CTRL_C).startswith("1 passed")
