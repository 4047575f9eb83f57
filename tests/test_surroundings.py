"""The tests pass whatever they inherit from the terminal that runs them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.documented import PROJECT

ABOUT_THE_VALUE = "tests/commands/test_adjust_live.py::test_the_kernel_has_the_value_that_was_set"
ABOUT_CTRL_C = "tests/commands/test_history_follow.py::test_ctrl_c_ends_it_without_a_word"
"""Each fails where its process inherits what it should not."""


def run_below(before: list[str], *tests: str) -> str:
    """Run tests in a pytest of their own, started by ``before``; return its last line."""
    command = [*before, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    ran = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=120, check=False)
    return ran.stdout.splitlines()[-1]


@pytest.mark.live
def test_an_inherited_oom_score_adj_is_put_back() -> None:
    """Raising it is permitted to anybody, and so is going back."""
    assert run_below(["choom", "-n", "1000", "--"], ABOUT_THE_VALUE).startswith("1 passed")


@pytest.mark.live
def test_an_ignored_ctrl_c_is_put_back() -> None:
    assert run_below(["sh", "-c", 'trap "" INT; exec "$@"', "sh"], ABOUT_CTRL_C).startswith("1 passed")
