"""README, CHANGELOG and help say what the program does; test_man.py asks the same of the manual."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from oomctl import __version__, errors
from oomctl.cli.main import COMMANDS, cli
from oomctl.procfs.privilege import may_lower
from oomctl.procfs.reader import Procfs
from tests.documented import command, option_names, run, with_subcommands
from tests.proc_tree import ProcTree
from tests.runner import runner

PROJECT = Path(__file__).parents[1]
README = (PROJECT / "README.md").read_text()
MOST_README_BYTES = 9 * 1024
"""What is read before somebody decides to try it; the rest is for the manual."""
CHANGES = {"set", "protect", "sacrifice", "reset"}


def blocks(marker: str) -> list[str]:
    """Return the commands of README's code blocks below ``<!-- marker -->``."""
    found = re.findall(rf"<!-- {marker} -->\n```sh\n(.*?)```", README, re.DOTALL)
    return [line for block in found for line in block.splitlines()]


EXAMPLES = blocks("examples")


def stages(line: str) -> list[list[str]]:
    """Split a command line at its pipes, without what stands before oomctl."""
    words = [shlex.split(part.partition(">")[0]) for part in line.split("|")]
    return [stage[1:] if stage[0] == "sudo" else stage for stage in words]


def mentions() -> list[str]:
    """Return every piece of code in README that begins with oomctl, from its text as from its blocks."""
    spans = re.findall(r"`(oomctl [^`]+)`", README)
    return spans + re.findall(r"^(?:\$ |sudo )?(oomctl .*)$", README, re.MULTILINE)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_a_place_in_the_readme(name: str) -> None:
    assert command(name).get_short_help_str()
    table = README.partition("## Commands")[2].partition("\n## ")[0]
    assert re.search(rf"^\| .*`(oomctl )?{name}`.* \|", table, re.MULTILINE)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_help(name: str) -> None:
    every = with_subcommands(command(name))
    options = [option for one in every for option in one.params if isinstance(option, click.Option)]
    assert [option.opts for option in options if not option.help] == []
    assert [one.name for one in every if not one.get_short_help_str()] == []


def test_the_readme_is_short_and_not_wide() -> None:
    assert len(README.encode()) <= MOST_README_BYTES
    prose = re.sub(r"```.*?```", "", README, flags=re.DOTALL)
    assert [line for line in prose.splitlines() if len(line) > 120 and not line.startswith("|")] == []


def test_every_file_that_the_readme_links_to_is_there() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert len(links) > 5
    assert [link for link in links if not (PROJECT / link).exists()] == []


def test_the_readme_names_every_page_of_the_manual() -> None:
    pages = {f"{page.stem}({page.suffix[1]})" for page in (PROJECT / "man").glob("*.[3578]")} - {"oomadm(8)"}
    assert set(re.findall(r"`(oomctl[\w-]*\(\d\))`", README)) == pages


@pytest.mark.parametrize("text", mentions())
def test_what_the_readme_says_of_oomctl_exists(text: str) -> None:
    name, *words = re.split(r"[ \[\]=]+", text.partition(" | ")[0].partition(" -- ")[0])[1:]
    if name.startswith("-"):
        assert name in option_names(cli) | {"--version"}
    elif name != "COMMAND":
        given = {word for word in words if re.match(r"--?[a-z]", word)}
        assert given <= option_names(command(name))


def test_every_option_in_the_readme_exists() -> None:
    known = option_names(*map(command, COMMANDS))
    named = set(re.findall(r"`(--?[a-z][a-z-]*)", README))
    assert named <= known


def test_there_are_five_examples() -> None:
    assert len(EXAMPLES) == 5


@pytest.mark.parametrize("line", EXAMPLES)
def test_an_example_is_understood(line: str) -> None:
    program, name, *arguments = stages(line)[0]
    assert program == "oomctl"
    # As below the group: click keeps the help option that a command has the first time, and there it is also -h.
    command(name).make_context(name, arguments, parent=click.Context(cli, **cli.context_settings))


@pytest.mark.live
@pytest.mark.usefixtures("toys")
@pytest.mark.parametrize("line", [line for line in EXAMPLES if stages(line)[0][1] != "run"])
def test_an_example_runs(line: str) -> None:
    output = ""
    for program, name, *arguments in stages(line):
        if program != "oomctl":
            break  # another program reads what oomctl said
        careful = ["--dry-run", "--any-user"] if name in CHANGES else []
        result = run([name, *arguments, *careful], stdin=output)
        warned = "" if may_lower(Procfs()) else r"oomctl: hint: .*: the kernel may refuse it: .*\n( .*\n)*"
        assert (result.returncode, re.fullmatch(f"({warned})?", result.stderr) is not None) == (errors.DONE, True)
        assert result.stdout
        output = result.stdout


def test_the_victim_is_where_the_example_for_scripts_looks() -> None:
    assert "jq .victim.pid" in EXAMPLES[-1]
    assert json.loads(run(["simulate", "--json"]).stdout)["victim"]["pid"] > 0


def run_script(tmp_path: Path, processes: dict[str, tuple[int, int]]) -> tuple[int, str]:
    """Run the example on a machine with processes of a name, pages and adj; no processes: without a /proc."""
    script = (PROJECT / "examples" / "next_victim.py").read_text()
    assert script.count("\n") <= 25
    (tmp_path / "script").write_text(script)
    program = tmp_path / "oomctl"
    program.write_text(f"#!{sys.executable}\nfrom oomctl.__main__ import main\nmain()\n")
    program.chmod(0o755)
    tree = ProcTree(tmp_path)
    for pid, (name, (pages, adj)) in enumerate(processes.items(), start=10):
        tree.add(pid, name, pages, adj=adj)
    if not processes:
        (tree.root / "meminfo").unlink()
    path = f"{tmp_path}:{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "OOMCTL_PROC": str(tree.root), "PYTHONPATH": str(PROJECT)}
    ran = subprocess.run([sys.executable, tmp_path / "script"], env=env, capture_output=True, text=True, check=False)
    return ran.returncode, ran.stdout


@pytest.mark.parametrize(
    ("processes", "status", "said"),
    [
        ({"java": (9000, 0), "postgres": (5000, 0)}, 0, r"OK: java \(10\) is next, 35 MiB would be freed\n"),
        ({"java": (4000, 0), "postgres": (9000, 0)}, 2, r"CRITICAL: postgres \(11\) is next, 35 MiB would be freed\n"),
        ({"java": (9000, 0), "make": (8990, 0)}, 0, r"OK: java .*; it is close between 2 processes\n"),
        ({"java": (9000, -1000)}, 2, r"CRITICAL: .*\n"),
        ({}, 3, ""),
    ],
    ids=["well", "critical", "close", "nobody", "unknown"],
)
def test_the_script_for_monitoring_warns(
    tmp_path: Path, processes: dict[str, tuple[int, int]], status: int, said: str
) -> None:
    found, text = run_script(tmp_path, processes)
    assert found == status
    assert re.fullmatch(said, text), text


def test_ci_runs_the_test_command_of_the_readme() -> None:
    (test_command,) = blocks("test command")
    assert (PROJECT / ".ci" / "run").read_text().splitlines()[-1] == test_command


def test_the_install_command_shows_the_ranking() -> None:
    (install_command,) = blocks("install command")
    assert install_command.endswith("oomctl top -n 10")


def test_the_changelog_has_this_version() -> None:
    assert re.search(rf"^## \[{re.escape(__version__)}\]", (PROJECT / "CHANGELOG.md").read_text(), re.MULTILINE)


def test_the_changelog_names_every_command() -> None:
    changelog = (PROJECT / "CHANGELOG.md").read_text()
    assert [name for name in COMMANDS if not re.search(rf"`(oomctl )?{name}`", changelog)] == []


def test_version_is_the_packages() -> None:
    output = runner().invoke(cli, ["--version"]).output
    assert output.startswith(f"oomctl {__version__} ")
    assert "not the oomctl of systemd-oomd" in output


def test_every_promise_of_security_names_what_shows_it() -> None:
    rows = re.findall(r"^\| .* \| (`.*`) \|$", (PROJECT / "SECURITY.md").read_text(), re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`([^`]+)`", row)}
    assert len(rows) > 15
    assert [name for name in sorted(named) if not (PROJECT / name).is_file()] == []


@pytest.mark.parametrize("name", re.findall(r"\(docs/(\w+\.svg)\)", README))
def test_the_pictures_need_nothing_from_the_network(name: str) -> None:
    picture = (PROJECT / "docs" / name).read_text()
    assert "oomctl" in picture
    assert not re.search(r"url\(\W*http|<image|href=.http", picture)
