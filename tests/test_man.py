"""The manual pages say what the program does, can be read at 80 columns, and their examples run."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from oomctl import errors
from oomctl.changes import journal
from oomctl.cli.main import COMMANDS, cli
from oomctl.model.listing import Row
from oomctl.policy import document
from oomctl.render import fields
from oomctl.targets.words import parse_target
from oomctl.tui.keys import KEYS
from tests.documented import command, option_names, run, with_subcommands
from tests.tasks import task

PROJECT = Path(__file__).parents[1]
MAN = PROJECT / "man"
PAGES = sorted(MAN.glob("*.[3578]"))
CHANGING = ("set", "protect", "sacrifice", "reset")
NOT_HERE = {"history": (0, 1, 4, 7), "selftest": (0, 7), "policy": (0, 1), "check": (0, 1, 2), "forecast": (0, 1)}
"""Commands whose answer depends on the machine and on who asks: the statuses they may end with."""
NO_SERVICE = (0, 1, 7)
"""``--persist`` of a service that this machine may not have, or without systemd."""


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


def text_of(name: str) -> str:
    return (MAN / name).read_text()


def plain(roff: str) -> str:
    """Return what is shown for the escapes of the pages."""
    return re.sub(r"\\(&|-|e|\(aq)", lambda escape: {"&": "", "-": "-", "e": "\\", "(aq": "'"}[escape[1]], roff)


def section(name: str, heading: str) -> str:
    """Return what stands below a heading of a page, up to the next one."""
    _, found, rest = text_of(name).partition(f" {heading}\n")
    assert found, f"{name} has no heading {heading}"
    return re.split(r"^\.S[hs] ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def fields_in(document: str) -> list[str]:
    return re.findall(r"^\.It Fa (\S+)", section("oomctl-json.5", document), re.MULTILINE)


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """An oomctl that changes nothing, and a make and a sudo that do nothing."""
    directory = tmp_path / "bin"
    directory.mkdir()
    careful = (
        f"if sys.argv[1] in {CHANGING}: sys.argv += ['--dry-run', '--any-user']\n"
        "if sys.argv[1:3] in (['policy', 'apply'], ['completion', '--install']): sys.argv += ['--dry-run']"
    )
    scripts = {
        "oomctl": f"#!{sys.executable}\nimport sys\nfrom oomctl.__main__ import main\n{careful}\nmain()\n",
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
    of_signals = {130, 141}
    assert listed == {value for value in vars(errors).values() if type(value) is int} | of_signals


@pytest.mark.parametrize("name", [below.name for below in with_subcommands(command("policy"))[1:]])
def test_every_command_of_policy_is_in_its_page(name: str) -> None:
    assert re.search(rf"^\.It Ic {name}\b", text_of("oomctl-policy.8"), re.MULTILINE)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_option_that_a_page_names_exists(path: Path) -> None:
    named = {f"-{flag}" for flag in re.findall(r"\bFl (-?\w[\w-]*)", path.read_text())}
    assert named <= option_names(cli, *map(command, COMMANDS))


def test_every_command_that_a_page_shows_exists() -> None:
    blocks = re.findall(r"^\.Bd -literal.*\n((?:.*\n)*?)\.Ed$", "".join(map(Path.read_text, PAGES)), re.MULTILINE)
    shown = re.findall(r"^(?:sudo )?oomctl (.*)$", plain("".join(blocks)), re.MULTILINE)
    assert len(shown) > 50
    for line in shown:
        name, *words = re.split(r"[ =]+", line.partition(" | ")[0].partition(" -- ")[0])
        assert {word for word in words if re.match(r"--?[a-z]", word)} <= option_names(command(name)), line


LEFT_TO_THE_MANUAL = {
    "oomctl.8": ("Targets", "Who set a value", "Completion", "EXIT STATUS", "THE OTHER OOMCTL"),
    "oomctl-top.8": ("Columns", "THE LIVE VIEW", "What-if", "Keys"),
    "oomctl-set.8": ("What is left alone, and what is refused", "Capabilities", "Undo", "Values that last"),
    "oomctl-policy.8": ("For configuration management", "The service", "Set up the service"),
    "oomctl-policy.5": ("Keys", "What is left alone", "Whose files", "Mistakes"),
    "oomctl-simulate.8": ("How sure the answer is", "What it does not know"),
    "oomctl-json.5": ("Schema files", "DOCUMENTS", "A check for monitoring"),
}
"""What README does not say, by heading."""


@pytest.mark.parametrize("name", LEFT_TO_THE_MANUAL)
def test_what_the_readme_leaves_to_a_page_has_a_heading_there(name: str) -> None:
    headings = re.findall(r"^\.S[hs] (.*)$", text_of(name), re.MULTILINE)
    assert [heading for heading in LEFT_TO_THE_MANUAL[name] if heading not in headings] == []


def test_the_manual_has_every_form_of_a_target() -> None:
    text = section("oomctl.8", "Targets")
    assert re.findall(r"^\.It Cm (\w+):", text, re.MULTILINE) == ["cgroup", "user", "cmd"]
    words = re.findall(r"^\.It Ar (\S+)$", text, re.MULTILINE)
    assert [parse_target(word).kind for word in words] == ["pid", "name", "unit"]


def test_the_manual_has_every_key_of_the_interactive_view() -> None:
    items = re.findall(r"^\.It Cm .*$", section("oomctl-top.8", "Keys"), re.MULTILINE)
    shown = [key for item in items for key in re.findall(r"Cm (\S+)", plain(item))]
    assert shown == [name for key in KEYS for name in key.shown.split()]
    assert {"?", "/", "t", "c", "e", "+", "-", "=", "p", "s", "r", "w", "u", "q"} <= set(shown)


def test_the_manual_says_how_many_changes_are_kept_and_where() -> None:
    text = section("oomctl-set.8", "Undo")
    assert f"The last {journal.MOST_ENTRIES} changes" in " ".join(text.split())
    assert ".Pa ~/.local/state/oomctl" in text


def test_the_manual_has_every_field_of_a_process() -> None:
    assert set(fields_in("process")) == fields.process_document(Row(task(10)), 4096).keys()


@pytest.mark.live
def test_the_manual_has_every_field_of_simulate() -> None:
    found = {name for name in fields_in("oomctl simulate --json") if not re.search(r"[.\[]", name)}
    assert found == json.loads(run(["simulate", "--json"]).stdout).keys()


def test_the_manual_shows_where_the_schemas_are() -> None:
    [line] = re.findall(r"^python (.*)$", plain(text_of("oomctl-json.5")), re.MULTILINE)
    ran = subprocess.run([sys.executable, *shlex.split(line)], capture_output=True, text=True, check=True, cwd=PROJECT)
    assert (Path(ran.stdout.strip()) / "process.json").is_file()


def test_the_script_in_the_manual_is_the_example() -> None:
    for page, name in (("oomctl-json.5", "next_victim.py"), ("oomctl-api.3", "api_watch.py")):
        [shown] = re.findall(r"^(#!.*\n(?:.*\n)*?)\.Ed$", plain(text_of(page)), re.MULTILINE)
        assert shown == (PROJECT / "examples" / name).read_text()


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


def test_check_finds_nothing_in_the_first_policy_of_the_pages(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(policies()[0])
    ran = run(["policy", "check", "-f", str(path)])
    assert (ran.returncode, ran.stdout) == (errors.DONE, "3 rules, no mistakes\n")


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
    path = f"{programs}:{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "PYTHONPATH": str(PROJECT), "SHELL": "/bin/bash"}
    for line in script.replace("\\-", "-").replace("\\e", "\\").splitlines():
        ran = subprocess.run(
            ["bash", "-c", line], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
        )
        name = line.removeprefix("sudo ").split()[1]
        expected = NO_SERVICE if "--persist" in line else NOT_HERE.get(name, (0,))
        assert ran.returncode in expected, (page, line, ran.stderr)
