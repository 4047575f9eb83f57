"""The manual pages say what the program does, can be read at 80 columns, and their examples run."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from oomctl import errors
from oomctl.cli.main import COMMANDS
from oomctl.policy import document

PROJECT = Path(__file__).parents[1]
MAN = PROJECT / "man"
PAGES = sorted(MAN.glob("*.[578]"))
CHANGING = ("set", "protect", "sacrifice", "reset")
NOT_HERE = {"history": (0, 1, 7), "selftest": (0, 7), "policy": (0, 1)}
"""Commands whose answer depends on the machine: the statuses they may end with."""


def examples() -> list[tuple[str, str]]:
    """Return (page, script) for every block of a page that holds commands."""
    blocks = [
        (page.name, block)
        for page in PAGES
        for block in re.findall(r"^\.Bd -literal.*\n((?:.*\n)*?)\.Ed$", page.read_text(), re.MULTILINE)
    ]
    return [(name, block) for name, block in blocks if re.match(r"(sudo )?oomctl ", block) and name != "oomadm.8"]


def policies() -> list[str]:
    """Return every policy of the pages."""
    blocks = [re.findall(r"^(\[\[rule]]\n(?:.*\n)*?)\.Ed$", page.read_text(), re.MULTILINE) for page in PAGES]
    return [text for page in blocks for text in page]


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """An oomctl that changes nothing, and a make and a sudo that do nothing."""
    directory = tmp_path / "bin"
    directory.mkdir()
    careful = (
        f"if sys.argv[1] in {CHANGING}: sys.argv += ['--dry-run', '--any-user']\n"
        "if sys.argv[1:3] == ['policy', 'apply']: sys.argv += ['--dry-run']"
    )
    scripts = {
        "oomctl": f"#!{sys.executable}\nimport sys\nfrom oomctl.cli.main import main\n{careful}\nmain()\n",
        "sudo": '#!/bin/sh\nexec "$@"\n',
        "make": "#!/bin/sh\n",
        "jq": "#!/bin/sh\ncat >/dev/null\n",
    }
    for name, text in scripts.items():
        (directory / name).write_text(text)
        (directory / name).chmod(0o755)
    return directory


def test_the_pages_are_freshly_generated() -> None:
    spec = importlib.util.spec_from_file_location("build_man", MAN / "build.py")
    assert spec is not None
    assert spec.loader is not None
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    stale = [path.name for path, text in build.pages().items() if not path.exists() or path.read_text() != text]
    assert stale == [], "run: python man/build.py"


def test_every_page_is_installed() -> None:
    shared = (PROJECT / "pyproject.toml").read_text()
    assert [page.name for page in PAGES if f'"man/{page.name}" = "share/man/man{page.suffix[1]}/' not in shared] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_manual(name: str) -> None:
    assert re.search(rf"^\.It Ic {name}\b", (MAN / "oomctl.8").read_text(), re.MULTILINE)


def test_the_manual_has_every_exit_status() -> None:
    section = (MAN / "oomctl.8").read_text().partition(".Sh EXIT STATUS")[2].partition(".Sh")[0]
    listed = {
        int(number) for line in re.findall(r"^\.It ([\d, ]+)$", section, re.MULTILINE) for number in line.split(",")
    }
    assert listed >= {value for value in vars(errors).values() if type(value) is int}


def test_every_page_that_is_referred_to_is_there() -> None:
    ours = {
        tuple(found) for page in PAGES for found in re.findall(r"^\.Xr (oom\S+) (\d)", page.read_text(), re.MULTILINE)
    }
    assert ours <= {(page.stem, page.suffix[1]) for page in PAGES}


@pytest.mark.shells
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_mandoc_has_nothing_to_say(page: Path) -> None:
    if shutil.which("mandoc") is None:
        pytest.skip("mandoc is not installed")
    said = subprocess.run(["mandoc", "-Tlint", str(page)], capture_output=True, text=True, check=False).stdout
    elsewhere = ("referenced manual not found", "mandoc.db")  # about the pages that this machine has installed
    assert [line for line in said.splitlines() if not any(text in line for text in elsewhere)] == []


@pytest.mark.shells
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_fits_80_columns(page: Path) -> None:
    if shutil.which("mandoc") is None:
        pytest.skip("mandoc is not installed")
    shown = subprocess.run(
        ["mandoc", "-Tascii", "-O", "width=78", str(page)], capture_output=True, text=True, check=True
    ).stdout
    plain = re.sub(".\b", "", shown)
    assert [line for line in plain.splitlines() if len(line) > 80] == []


@pytest.mark.parametrize("text", policies())
def test_the_policies_of_the_pages_have_no_mistakes(text: str) -> None:
    assert document.parse("policy.toml", text.encode()).mistakes == ()


def test_the_page_of_the_rules_file_has_every_key_and_scope() -> None:
    page = (MAN / "oomctl-policy.5").read_text()
    assert re.findall(r"^\.It Cm (\w+)", page, re.MULTILINE) == list(document.KEYS)
    assert re.findall(r"^\.It Qq (\w+)", page, re.MULTILINE) == list(document.SCOPES)
    assert f" {document.MOST_BYTES} bytes" in page


@pytest.mark.live
@pytest.mark.usefixtures("toys")
@pytest.mark.parametrize(("page", "script"), examples(), ids=lambda text: text.partition("\n")[0])
def test_the_examples_run(programs: Path, tmp_path: Path, page: str, script: str) -> None:
    (tmp_path / "policy.toml").write_text(policies()[0])
    env = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": str(PROJECT)}
    for line in script.replace("\\-", "-").replace("\\e", "\\").splitlines():
        ran = subprocess.run(
            ["bash", "-c", line], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
        )
        name = line.removeprefix("sudo ").split()[1]
        assert ran.returncode in NOT_HERE.get(name, (0,)), (page, line, ran.stderr)
