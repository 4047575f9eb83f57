"""The example of the API says who is in danger."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from oomctl import api
from tests.privileges import needs_root
from tests.proc_tree import ProcTree

PROJECT = Path(__file__).parents[2]
EXAMPLE = PROJECT / "examples" / "api_watch.py"


@pytest.fixture(scope="module")
def in_danger() -> Callable[[set[str], str], list[str]]:
    spec = importlib.util.spec_from_file_location("api_watch", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Callable[[set[str], str], list[str]] = module.in_danger
    return found


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ({"java": 9000, "postgres": 5000}, []),
        ({"java": 4000, "postgres": 9000}, ["'postgres' (11) is next"]),
        ({"java": 9000, "postgres": 8990}, ["'postgres' (11) may be next"]),
        ({"postgres": 9000, "sshd": 8990}, ["'postgres' (10) may be next", "'sshd' (11) may be next"]),
        ({}, []),
    ],
    ids=["well", "next", "close", "both", "nobody"],
)
def test_it_names_the_precious_that_would_or_may_be_killed(
    in_danger: Callable[[set[str], str], list[str]], proc_tree: ProcTree, sizes: dict[str, int], said: list[str]
) -> None:
    for pid, (name, pages) in enumerate(sizes.items(), start=10):
        proc_tree.add(pid, name, pages)
    assert in_danger({"postgres", "sshd"}, str(proc_tree.root)) == said


@pytest.mark.live
def test_it_runs_as_it_stands() -> None:
    first = api.rank(limit=1)[0].task
    env = {**os.environ, "PYTHONPATH": str(PROJECT)}
    with subprocess.Popen([sys.executable, EXAMPLE, first.comm], env=env, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        line = program.stdout.readline()
        program.kill()
    assert line.startswith(f"{first.comm!r} (")


def snippets() -> list[str]:
    """Return the pieces of programs that the page shows, without the example itself."""
    page = (PROJECT / "man" / "prose" / "oomctl-api.3").read_text()
    blocks = re.findall(r"^\.Bd -literal -offset indent\n((?:.*\n)*?)\.Ed$", page, re.MULTILINE)
    return [block.replace("\\-", "-") for block in blocks]


@pytest.mark.live
@pytest.mark.parametrize("snippet", snippets(), ids=["who is next", "what if"])
def test_what_the_page_shows_runs(snippet: str) -> None:
    script = f"from oomctl import api\n{snippet}"
    env = {**os.environ, "PYTHONPATH": str(PROJECT)}
    ran = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert re.match(r"\d+ (certain|close) \d+\n|Candidate\(", ran.stdout)


@pytest.mark.live
@needs_root
def test_it_says_in_one_line_what_it_cannot_do() -> None:
    without_proc = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /proc && exec "$@"', "sh")
    env = {**os.environ, "PYTHONPATH": str(PROJECT)}
    command = [*without_proc, sys.executable, str(EXAMPLE), "sshd"]
    ran = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60)
    expected = "/proc/sys/kernel/osrelease: No such file or directory; oomctl needs Linux with its whole /proc"
    assert (ran.returncode, ran.stdout, ran.stderr) == (1, "", f"{expected} mounted there\n")
