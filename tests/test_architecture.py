"""The doors between the rooms, held by reading the imports, and what a quick start must not load."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "oomctl"
CONTRIBUTING = PACKAGE.parent / "CONTRIBUTING.md"
MODULES = sorted(PACKAGE.rglob("*.py"))
PROJECT = PACKAGE.parent
READERS = sorted(path for place in ("tests", "docs", "benchmarks") for path in (PROJECT / place).rglob("*.py"))
"""Who may read tests: they themselves, and what stands beside them."""

# Room -> the rooms, and the single modules of rooms, that it may import from; its own modules always. Below stands only
# what is above in the list: no room leans on one that leans on it.
DOORS: dict[str, tuple[str, ...]] = {
    "errors": (),
    "model": (),
    "guard": (),
    "pods": (),
    "kernel": ("model", "errors"),
    "trend": ("model", "kernel"),
    "render": ("model", "errors", "pods", "kernel.badness"),
    "console": ("render.text", "render.folding"),
    "procfs": ("model", "errors", "kernel", "guard", "pods"),
    "systemd": ("errors", "kernel.badness", "guard"),
    "oomlog": ("model", "errors", "kernel", "guard", "render.reasons"),
    "selftest": ("model", "errors", "kernel", "procfs"),
    "targets": ("model", "errors", "kernel", "procfs", "systemd", "guard"),
    "scenario": ("model", "errors", "kernel", "procfs", "oomlog", "targets", "console"),
    "changes": ("model", "errors", "kernel", "procfs", "systemd", "targets", "guard", "render", "console"),
    "origins": ("model", "errors", "kernel.badness", "procfs", "changes.journal"),
    "policy": ("model", "errors", "kernel", "procfs", "targets", "guard"),
    "audit": (
        *("model", "errors", "kernel", "procfs", "targets", "policy", "origins", "systemd", "guard"),
        *("pods", "render.text", "render.forecast", "render.cgroups"),
    ),
    "live": ("model", "errors", "kernel", "trend", "procfs", "targets", "render"),
    "api": (
        *("model", "errors", "kernel", "procfs", "oomlog", "targets", "scenario"),
        *("changes.recording", "render.refusals", "render.text"),
    ),
    "tui": ("model", "errors", "kernel", "procfs", "oomlog", "targets", "changes", "origins", "live", "render"),
    "completion": ("errors", "guard", "kernel", "procfs", "render", "audit.catalogue", "cli.parameters"),
    "commands": (
        *("model", "errors", "kernel", "procfs", "oomlog", "targets", "scenario", "changes", "origins"),
        *(
            "trend",
            "policy",
            "audit",
            "live",
            "render",
            "console",
            "selftest",
            "cli.options",
            "cli.parameters",
            "cli.namesake",
        ),
        *("cli.summaries", "guard.outputs", "tui.app", "tui.keys", "completion.shells"),
        *("completion.installing", "completion.placing"),
    ),
    "cli": ("errors", "kernel.badness", "guard", "targets.words", "console", "completion.shells"),
    "__main__": ("cli.main", "cli.descriptors", "procfs.ahead"),
    "__init__": (),
}
PURE = (
    *("model", "errors", "pods", "kernel", "trend", "origins.known", "live.pending", "live.standing", "live.view"),
    "live.seen",
    *(
        "audit.choice",
        "audit.growth",
        "audit.memcgs",
        "audit.protection",
        "audit.surroundings",
        "audit.remedies",
        "audit.metrics",
    ),
    "completion.installing",
)
WORDLESS = [path for path in sorted((PACKAGE / "kernel").glob("*.py")) if path.stem not in ("rules", "distributions")]
"""All of the kernel room but the tables of versions and of distributions, whose rows and mistakes are in words."""
UPWARDS = {
    "commands": {"cli.options", "cli.parameters", "cli.namesake", "cli.summaries"},
    "completion": {"cli.parameters"},
}
"""What front ends are written with; the group itself, ``cli.main``, is above them."""
OPENED_BY = {
    "commands": ("cli.main",),
    "tui": ("commands.top",),
    "completion": ("commands.completion", "cli.main"),
    "api": (),
}
"""Front end -> the modules that open it; other programs open the API."""
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


def room_of(name: str) -> str:
    return name.partition(".")[0]


def is_in(name: str, place: str) -> bool:
    """Whether a module is ``place``, a module or a room."""
    return name == place or name.startswith(f"{place}.")


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_room_imports_only_through_its_doors(path: Path) -> None:
    room = room_of(name_of(path))
    doors = (room, *DOORS[room])
    assert [name for name in own_imports(path) if not any(is_in(name, door) for door in doors)] == []


def test_every_room_and_every_door_exists() -> None:
    assert DOORS.keys() == {room_of(name_of(path)) for path in MODULES}
    modules = {name_of(path) for path in MODULES}
    assert {door for doors in DOORS.values() for door in doors} - modules == set()


def test_contributing_has_the_same_rooms_and_doors() -> None:
    table = [line.split(" | ") for line in CONTRIBUTING.read_text().splitlines() if line.startswith("| `")]
    shown = {row[0]: row[-1] for row in table}
    doors = {f"| `{room}`": ", ".join(f"`{door}`" for door in doors) or "nothing" for room, doors in DOORS.items()}
    assert {room: row.removesuffix(" |") for room, row in shown.items()} == doors
    assert list(shown) == list(doors)


def test_no_door_is_left_open_that_nobody_uses() -> None:
    used = {(room_of(name_of(path)), name) for path in MODULES for name in own_imports(path)}
    unused = {
        (room, door)
        for room, doors in DOORS.items()
        for door in doors
        if not any(room == user and is_in(name, door) for user, name in used)
    }
    assert unused == set()


def test_a_floor_rests_on_those_below_it() -> None:
    floors = list(DOORS)
    for room, doors in DOORS.items():
        below = floors[: floors.index(room)]
        assert [door for door in doors if room_of(door) not in below and door not in UPWARDS.get(room, ())] == [], room


def test_no_module_leads_back_to_itself() -> None:
    leads_to = {name_of(path): set(own_imports(path)) for path in MODULES}
    assert sorted(TopologicalSorter(leads_to).static_order())


@pytest.mark.parametrize(
    "path", [path for path in MODULES if any(is_in(name_of(path), place) for place in PURE)], ids=name_of
)
def test_the_core_cannot_reach_a_file_a_clock_or_a_terminal(path: Path) -> None:
    assert top_level_imports(path) & INPUT_AND_OUTPUT == set()
    calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    assert {call.id for call in calls if isinstance(call, ast.Name)} & {"open", "print", "input"} == set()


@pytest.mark.parametrize("path", WORDLESS, ids=name_of)
def test_the_kernel_room_makes_no_sentences(path: Path) -> None:
    tree = ast.parse(path.read_text())
    said_of_code = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    texts = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    assert [text.value for text in texts if " " in str(text.value) and id(text) not in said_of_code] == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_their_rooms_know_rich_and_textual(path: Path) -> None:
    room = room_of(name_of(path))
    assert room in ("render", "tui") or "rich" not in top_level_imports(path)
    assert room == "tui" or "textual" not in top_level_imports(path)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_front_end_is_opened_at_one_place_only(path: Path) -> None:
    name = name_of(path)
    others = {room for room in OPENED_BY if room != room_of(name) and name not in OPENED_BY[room]}
    assert [imported for imported in own_imports(path) if room_of(imported) in others] == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_opens_with_a_sentence(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text())) or path.name == "__main__.py"


def test_what_tests_share_is_in_a_module_of_its_own() -> None:
    """A module of tests is nobody's library: what two of them need has a subject, and is named by it."""
    from_tests = {
        f"{path.relative_to(PROJECT)}: {name}"
        for path in READERS
        for name in imports(path)
        if name.startswith("tests.") and name.rpartition(".")[2].startswith("test_")
    }
    assert from_tests == set()


@pytest.mark.parametrize(
    ("argv", "unwanted"),
    [
        pytest.param(["--version"], {"rich", "psutil", "textual", "json", "pwd"}, id="version"),
        pytest.param(["--help"], {"rich", "psutil", "oomctl.commands"}, id="help"),
        pytest.param(["set", "--help"], {"rich", "psutil"}, id="help of set"),
        pytest.param(["set", "0", "1", "--dry-run"], {"rich", "psutil", "subprocess", "tempfile"}, id="set"),
        pytest.param(["run", "-n", "0", "true"], {"rich", "psutil"}, id="run"),
        pytest.param(["top", "-n", "1"], {"rich", "psutil", "textual", "oomctl.tui"}, id="top in a pipe"),
        pytest.param(["top", "--once", "--format", "plain"], {"rich", "textual", "oomctl.tui"}, id="top once"),
        pytest.param(["simulate", "--json"], {"rich", "psutil"}, id="simulate"),
        pytest.param(["check"], {"rich", "psutil", "textual"}, id="check"),
        pytest.param(["metrics"], {"rich", "psutil", "textual", "subprocess"}, id="metrics"),
        pytest.param(["completion", "bash"], {"rich", "psutil"}, id="completion"),
    ],
)
def test_a_quick_start_leaves_the_heavy_libraries_alone(argv: list[str], unwanted: set[str]) -> None:
    spied = f"""
import atexit, os, shutil, sys, click
clicks_own = set(sys.modules)  # Python 3.10's uuid wants subprocess, 3.9's shutil pwd
def report(*_):
    print(sorted({unwanted!r} & set(sys.modules) - clicks_own), file=sys.stderr)
atexit.register(report)
os.execvp = report
sys.argv = ["oomctl", *{argv!r}]
from oomctl.cli.main import main
main()
"""
    ran = subprocess.run([sys.executable, "-c", spied], capture_output=True, text=True, timeout=60, check=False)
    assert ran.stderr.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("line", "commands"),
    [
        pytest.param("oomctl ", [], id="a command"),
        pytest.param("oomctl top --", ["top"], id="an option"),
        pytest.param("oomctl explain s", ["explain"], id="a target"),
        pytest.param("oomctl top user:", ["top"], id="a user"),
        pytest.param("oomctl set ", ["adjust"], id="a value of oom_score_adj"),
        pytest.param("oomctl policy ", ["policy"], id="a subcommand"),
        pytest.param("oomctl history --since ", ["history"], id="a time"),
    ],
)
def test_a_tab_loads_no_other_command_than_the_one_on_the_line_and_no_heavy_library(
    line: str, commands: list[str]
) -> None:
    spied = """
import atexit, sys
heavy = {"rich", "psutil", "textual", "socket"}
def report():
    loaded = [name for name in sys.modules if name in heavy or name.startswith("oomctl.commands.")]
    print(sorted(loaded), file=sys.stderr)
atexit.register(report)
from oomctl.cli.main import main
main()
"""
    env = {**os.environ, "_OOMCTL_COMPLETE": "zsh_complete", "OOMCTL_LINE": line}
    ran = subprocess.run([sys.executable, "-c", spied], capture_output=True, text=True, timeout=60, env=env, check=True)
    assert ran.stdout
    assert ran.stderr.splitlines()[-1] == str([f"oomctl.commands.{name}" for name in commands])
