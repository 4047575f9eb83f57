"""CONTRIBUTING, SECURITY and docs/architecture.md say what is there."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from oomctl import __version__

PROJECT = Path(__file__).parents[1]
CONTRIBUTING = (PROJECT / "CONTRIBUTING.md").read_text()
ARCHITECTURE = (PROJECT / "docs" / "architecture.md").read_text()
MAKEFILE = (PROJECT / "Makefile").read_text()
RECIPES = dict(re.findall(r"^([\w-]+):\n\t(.*)$", MAKEFILE, re.MULTILINE))
WIDEST = 120


def test_make_has_the_targets_of_contributing() -> None:
    named = set(re.findall(r"^- `make ([\w-]+)`: ", CONTRIBUTING, re.MULTILINE))
    [phony] = re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert named == set(phony.split()) == RECIPES.keys()


@pytest.mark.parametrize(
    ("target", "runs"),
    [
        ("lint", ["-m ruff check .", "-m ruff format --check .", "-m mypy"]),
        ("test", ["-m pytest -m machine", "-m pytest -n 2 -m 'not machine'"]),
        ("test-quick", ["-m pytest -q $(QUICK)"]),
        ("vm", ["-m pytest -m vm --lab"]),
        ("pyz", ["packaging/pyz.py"]),
        ("release", ["packaging/release.py $(VERSION)"]),
    ],
)
def test_a_target_of_make_runs_what_contributing_says(target: str, runs: list[str]) -> None:
    assert RECIPES[target].split(" && ") == [f"$(PYTHON) {command}" for command in runs]


def test_make_uses_the_python_of_contributing_unless_told() -> None:
    assert "PYTHON ?= .venv/bin/python\n" in MAKEFILE
    assert "python3 -m venv .venv" in CONTRIBUTING


def test_the_quick_tests_need_no_kernel_machine_or_terminal() -> None:
    [quick] = re.findall(r"^QUICK = (.*)$", MAKEFILE, re.MULTILINE)
    places = [PROJECT / name for name in quick.split()]
    files = [path for place in places for path in ([place] if place.is_file() else sorted(place.glob("*.py")))]
    assert len(files) > len(places)
    needy = r"mark\.(kernel|live|shells|terminal|unprivileged|vm)\b"
    assert [path.name for path in files if re.search(needy, path.read_text())] == []


def test_a_commit_is_asked_what_make_lint_asks() -> None:
    hooks = (PROJECT / ".pre-commit-config.yaml").read_text()
    assert "http" not in hooks
    assert re.findall(r"entry: \.venv/bin/(ruff check|ruff format|mypy)", hooks) == [
        "ruff check",
        "ruff format",
        "mypy",
    ]


def test_a_release_has_its_date() -> None:
    changelog = (PROJECT / "CHANGELOG.md").read_text()
    releases = re.findall(r"^## \[(\d.*?)\](.*)$", changelog, re.MULTILINE)
    assert __version__ in [version for version, _ in releases]
    assert [version for version, date in releases if not re.fullmatch(r" - 20\d\d-\d\d-\d\d", date)] == []


def test_security_says_how_to_report_and_that_it_runs_as_root() -> None:
    security = (PROJECT / "SECURITY.md").read_text()
    assert re.search(r"`oomctl` runs as root", security)
    assert re.search(r"^## To report a fault$", security, re.MULTILINE)


@pytest.mark.parametrize("path", sorted((PROJECT / ".github" / "ISSUE_TEMPLATE").iterdir()), ids=lambda path: path.name)
def test_an_issue_asks_for_a_snapshot_or_the_log_and_sends_faults_elsewhere(path: Path) -> None:
    text = path.read_text()
    assert "`oomctl snapshot`" in text
    assert "log" in text
    assert "SECURITY.md" in text


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`([a-z_]+(?:\.[A-Za-z_]+)+)`", ARCHITECTURE))))
def test_what_the_architecture_names_exists(name: str) -> None:
    assert _exists(name), f"docs/architecture.md names {name}, which is not in oomctl"


def _exists(name: str) -> bool:
    """Whether this is a module of oomctl, or something in one."""
    module, names = "oomctl", name.split(".")
    while names and (PROJECT / module.replace(".", "/")).is_dir():
        module, names = f"{module}.{names[0]}", names[1:]
    try:
        found: object = importlib.import_module(module)
        for part in names:
            found = getattr(found, part)
    except (ImportError, AttributeError):
        return False
    return True


def test_the_architecture_follows_both_requests_far() -> None:
    assert len(set(re.findall(r"`([a-z_]+(?:\.[A-Za-z_]+)+)`", ARCHITECTURE))) >= 20


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "SECURITY.md", "docs/architecture.md", "docs/kernel-findings.md"])
def test_a_page_is_not_wider_than_code(name: str) -> None:
    prose = re.sub(r"```.*?```", "", (PROJECT / name).read_text(), flags=re.DOTALL)
    assert [line for line in prose.splitlines() if len(line) > WIDEST and not line.startswith("|")] == []
