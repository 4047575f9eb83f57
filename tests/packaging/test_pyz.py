"""``oomadm.pyz``: the same twice, small, pure, and it answers where nothing but Python is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from oomctl import __version__
from tests.commands.terminal import terminal

PROJECT = Path(__file__).parents[2]
LOG = PROJECT / "tests/data/oom-logs/6.8-memcg-order-3.log"
TOO_LARGE = 2_000_000


@pytest.fixture(scope="session")
def pyz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file, built as ``make pyz`` does."""
    return built(tmp_path_factory.mktemp("pyz") / "oomadm.pyz")


def built(output: Path) -> Path:
    command = [sys.executable, str(PROJECT / "packaging/pyz.py"), "--output", str(output)]
    subprocess.run(command, check=True, capture_output=True)
    return output


def answer(
    pyz: Path, *arguments: str, cwd: Path, isolated: bool = True, **environment: str
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *(["-I"] if isolated else []), str(pyz), *arguments]
    surrounding = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **environment}
    return subprocess.run(command, cwd=cwd, env=surrounding, capture_output=True, text=True, check=False)


def test_two_builds_are_equal(pyz: Path, tmp_path: Path) -> None:
    assert built(tmp_path / "again.pyz").read_bytes() == pyz.read_bytes()


def test_it_is_small_and_holds_no_native_code(pyz: Path) -> None:
    names = zipfile.ZipFile(pyz).namelist()
    assert pyz.stat().st_size < TOO_LARGE
    assert {Path(name).suffix for name in names} <= {".py", ".pyc", ".txt", ".bash", ".zsh", ".fish"}
    assert not [name for name in names if "pygments" in name or "textual" in name or "/tui/app" in name]


def test_the_licence_of_each_package_is_in_it(pyz: Path) -> None:
    with zipfile.ZipFile(pyz) as archive:
        packages = {name.split("/")[1] for name in archive.namelist() if name.startswith("src/")}
        licences = {name for name in archive.namelist() if name.startswith("licenses/")}
        assert licences == {f"licenses/{package}.txt" for package in packages}
        assert all(b"Permission" in archive.read(name) or b"permitted" in archive.read(name) for name in licences)


@pytest.mark.live
@pytest.mark.parametrize(
    "arguments",
    [
        ("top", "--once", "-n", "3"),
        ("top", "--once", "--json"),
        ("simulate", "--json"),
        ("explain", "1"),
        ("history", "--file", str(LOG)),
        ("set", "--dry-run", "500", str(os.getpid())),
        ("completion", "bash"),
        ("metrics",),
        ("snapshot",),
        ("undo", "--help"),
        ("policy", "check", "-f", str(PROJECT / "examples/policy/server.toml")),
        ("run", "-n", "5", "true"),
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_a_command_answers_as_the_installed_program_does(pyz: Path, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = answer(pyz, *arguments, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout or arguments[0] == "run"
    if "--json" in arguments:
        assert json.loads(done.stdout)["schema"] == f"oomctl.{arguments[0]}/1"


@pytest.mark.live
def test_check_looks_at_this_machine(pyz: Path, tmp_path: Path) -> None:
    done = answer(pyz, "check", "--json", cwd=tmp_path)
    assert done.returncode in (0, 1), done.stderr
    assert json.loads(done.stdout)["schema"] == "oomctl.check/1"


def test_every_module_finds_what_it_imports(pyz: Path, tmp_path: Path) -> None:
    program = (
        "import pkgutil, sys, importlib\n"
        f"sys.path[:0] = ['{pyz}/src']\n"
        "import oomctl\n"
        "names = [found.name for found in pkgutil.walk_packages(oomctl.__path__, 'oomctl.')]\n"
        "for name in [*names, 'rich.live', 'rich.progress', 'rich.table', 'rich.status']:\n"
        "    importlib.import_module(name)\n"
        "foreign = {'pygments', 'markdown_it', 'typing_extensions'}.intersection(sys.modules)\n"
        "sys.exit(str(foreign) if foreign or len(names) < 200 else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def on_a_terminal(pyz: Path, arguments: str, typed: str = "") -> tuple[int, str]:
    """Return its status and what it wrote; ``typed`` as soon as it shows a list."""
    with terminal() as screen:
        started = screen.start(*arguments.split(), program=(sys.executable, "-I", str(pyz)))
        if typed:
            screen.wait_for(lambda text: "BADNESS" in text)
            screen.press(typed)
        return screen.ended(started), screen.written


@pytest.mark.live
@pytest.mark.parametrize(("arguments", "typed"), [("top -d 0.2", "q"), ("top --help", "")])
def test_the_live_list_and_its_help_need_no_textual(pyz: Path, arguments: str, typed: str) -> None:
    status, written = on_a_terminal(pyz, arguments, typed)
    assert status == 0, written
    assert "BADNESS" in written


@pytest.mark.live
def test_a_terminal_gets_its_table(pyz: Path) -> None:
    status, written = on_a_terminal(pyz, "top --once -n 3")
    assert status == 0, written
    assert "\x1b[" in written


@pytest.mark.live
@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ("tpo", 2, "did you mean top?"),
        ("top --nonsense", 2, "--nonsense"),
        ("", 2, "Commands:"),
        ("explain no-such-process", 1, "no-such-process"),
        ("explain cmd:no-such-command-line", 1, "no-such-command-line"),
    ],
)
def test_a_mistake_is_one_line_and_a_status(pyz: Path, tmp_path: Path, arguments: str, status: int, said: str) -> None:
    done = answer(pyz, *arguments.split(), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (status, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.live
def test_ctrl_c_ends_the_live_list(pyz: Path) -> None:
    status, written = on_a_terminal(pyz, "top -d 0.2", typed="\x03")
    assert status == 130, written
    assert "Traceback" not in written


def test_nothing_is_imported_from_where_it_is_started_or_from_pythonpath(pyz: Path, tmp_path: Path) -> None:
    for name in ("click", "json", "textwrap", "oomctl", "psutil"):
        (tmp_path / f"{name}.py").write_text("import sys\nsys.exit('imported what another user wrote')\n")
    done = answer(pyz, "--version", cwd=tmp_path, isolated=False, PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"oomctl {__version__} ")


def test_an_old_python_is_told_which_it_needs(pyz: Path) -> None:
    with zipfile.ZipFile(pyz) as archive:
        start = archive.read("__main__.py").decode()
    program = f"import sys\nsys.version_info = (3, 8, 1)\nexec({start!r})\n"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "oomadm: needs Python 3.9 or later, and this is 3.8\n")
