"""The doors between the rooms, held by reading the imports, and what a quick start must not load."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "oomctl"
MODULES = sorted(PACKAGE.rglob("*.py"))

# Room -> what it may import of oomctl. A name without a dot behind it is one module. What is not listed is free.
DOORS: dict[str, tuple[str, ...]] = {
    "errors": (),
    "model": (),
    "report": ("model",),
    "jsonfields": ("errors",),
    "kernel": ("model", "errors", "kernel."),
    "scenario": ("model", "errors", "kernel.", "jsonfields"),
    "procfs": ("model", "errors", "kernel.", "procfs.", "files"),
    "render": (
        "model",
        "report",
        "errors",
        "kernel.badness",
        "render.",
    ),  # the range of oom_score_adj lives in kernel.badness
    "live": ("model", "errors", "kernel.", "render.changes", "render.fields", "render.text", "live."),
    "oomlog": ("model", "report", "errors", "kernel.", "oomlog.", "files", "helpers"),
    "systemd": ("model", "errors", "kernel.badness", "procfs.", "systemd.", "files", "places", "helpers"),
    "policy": ("model", "errors", "kernel.", "procfs.", "targets", "policy.", "files"),
    "files": (),
    "helpers": (),
    "places": ("files",),
    "journal": ("model", "errors", "kernel.badness", "files", "places"),
    "origins": ("model",),
    "namesake": ("files",),
    "targets": ("model", "errors", "kernel.", "procfs.", "trust", "patience"),
    "patience": (),
    "trust": ("model", "kernel.constraint", "procfs.", "files"),
}
INPUT_AND_OUTPUT = {
    *("os", "sys", "subprocess", "pathlib", "time", "datetime", "io", "socket", "shutil", "tempfile", "fcntl"),
    *("select", "signal", "random", "logging", "click", "psutil", "pwd", "grp", "threading", "asyncio"),
}


def name_of(path: Path) -> str:
    """``commands.top`` for oomctl/commands/top.py; a room's own name for its __init__."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports anywhere, ``from a import b`` as ``a.b`` where b is a module."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write the import out, with the room's name"
            assert node.module is not None
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if is_module(whole) else node.module


def is_module(name: str) -> bool:
    path = PACKAGE.parent.joinpath(*name.split("."))
    return path.with_suffix(".py").exists() or path.is_dir()


def own_imports(path: Path) -> list[str]:
    return [name.removeprefix("oomctl.") for name in imports(path) if name.startswith("oomctl.")]


def top_level_imports(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imports(path)}


def in_room(room: str) -> list[Path]:
    return [path for path in MODULES if name_of(path).partition(".")[0] == room]


def may_pass(name: str, doors: tuple[str, ...]) -> bool:
    return any(f"{name}.".startswith(door) if door.endswith(".") else name == door for door in doors)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_room_imports_only_through_its_doors(path: Path) -> None:
    doors = DOORS.get(name_of(path).partition(".")[0])
    if doors is not None:
        assert [name for name in own_imports(path) if not may_pass(name, doors)] == []


@pytest.mark.parametrize(
    "path",
    [*in_room("kernel"), *in_room("live"), *map(PACKAGE.joinpath, ("model.py", "report.py", "errors.py"))],
    ids=name_of,
)
def test_the_core_cannot_reach_a_file_a_clock_or_a_terminal(path: Path) -> None:
    assert top_level_imports(path) & INPUT_AND_OUTPUT == set()
    calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    assert {call.id for call in calls if isinstance(call, ast.Name)} & {"open", "print", "input"} == set()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_their_rooms_know_rich_and_textual(path: Path) -> None:
    room = name_of(path).partition(".")[0]
    assert room in ("render", "tui") or "rich" not in top_level_imports(path)
    assert room == "tui" or "textual" not in top_level_imports(path)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_top_opens_the_interactive_view(path: Path) -> None:
    if name_of(path) != "commands.top" and name_of(path).partition(".")[0] != "tui":
        assert [name for name in own_imports(path) if name.partition(".")[0] == "tui"] == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_the_group_commands_and_completion_know_commands(path: Path) -> None:
    if name_of(path).partition(".")[0] not in ("cli", "commands", "completion", "tui"):
        assert [name for name in own_imports(path) if name.partition(".")[0] == "commands"] == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_opens_with_a_sentence(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text())) or path.name == "__main__.py"


@pytest.mark.parametrize(
    ("argv", "unwanted"),
    [
        pytest.param(["--version"], {"rich", "psutil", "textual", "json", "pwd"}, id="version"),
        pytest.param(["--help"], {"rich", "psutil"}, id="help"),
        pytest.param(["set", "--help"], {"rich", "psutil"}, id="help of set"),
        pytest.param(["set", "0", "1", "--dry-run"], {"rich", "psutil", "subprocess", "tempfile"}, id="set"),
        pytest.param(["run", "-n", "0", "true"], {"rich", "psutil"}, id="run"),
        pytest.param(["top", "-n", "1"], {"rich", "psutil", "textual", "oomctl.tui"}, id="top in a pipe"),
        pytest.param(["top", "--once", "--format", "plain"], {"rich", "textual", "oomctl.tui"}, id="top once"),
        pytest.param(["simulate", "--json"], {"rich", "psutil"}, id="simulate"),
        pytest.param(["completion", "bash"], {"rich", "psutil"}, id="completion"),
    ],
)
def test_a_quick_start_leaves_the_heavy_libraries_alone(argv: list[str], unwanted: set[str]) -> None:
    spied = f"""
import atexit, os, sys, click
clicks_own = set(sys.modules)  # Python 3.10's uuid wants subprocess
def report(*_):
    print(sorted({unwanted!r} & set(sys.modules) - clicks_own), file=sys.stderr)
atexit.register(report)
os.execvp = report
sys.argv = ["oomctl", *{argv!r}]
from oomctl.cli import main
main()
"""
    ran = subprocess.run([sys.executable, "-c", spied], capture_output=True, text=True, timeout=30, check=False)
    assert ran.stderr.splitlines()[-1] == "[]"


@pytest.mark.parametrize("line", ["oomctl ", "oomctl top --", "oomctl explain s", "oomctl top user:", "oomctl set "])
def test_a_tab_loads_no_command_and_none_of_the_heavy_libraries(line: str) -> None:
    spied = """
import atexit, sys
unwanted = {"rich", "psutil", "oomctl.targets", "oomctl.commands.top", "oomctl.commands.adjust"}
atexit.register(lambda: print(sorted(unwanted & set(sys.modules)), file=sys.stderr))
from oomctl.cli import main
main()
"""
    env = {**os.environ, "_OOMCTL_COMPLETE": "zsh_complete", "OOMCTL_LINE": line}
    ran = subprocess.run([sys.executable, "-c", spied], capture_output=True, text=True, timeout=30, env=env, check=True)
    assert ran.stdout
    assert ran.stderr.splitlines()[-1] == "[]"
