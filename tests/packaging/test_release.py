"""What a release changes in the tree: the version, and the heading of what was unreleased."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from oomctl import __version__

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def release() -> ModuleType:
    """The script, which is no module of a package."""
    spec = importlib.util.spec_from_file_location("release", PROJECT / "packaging/release.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_changelog_is_cut_below_a_new_empty_heading(release: ModuleType) -> None:
    title, news = "# Changelog\n\n## [Unreleased]\n", "\n### Added\n\n- A thing.\n\n## [0.1.0] - 2026-01-02\n"
    assert release.cut(title + news, "0.2.0", "2026-03-04") == f"{title}\n## [0.2.0] - 2026-03-04\n{news}"


def test_the_changelog_of_this_tree_can_be_cut(release: ModuleType) -> None:
    changelog = (PROJECT / "CHANGELOG.md").read_text()
    assert release.cut(changelog, "99.0.0", "2099-01-01").count("\n## [99.0.0] - 2099-01-01\n") == 1


@pytest.mark.parametrize(
    ("changelog", "says"),
    [
        ("# Changelog\n\n## [Unreleased]\n\n## [0.1.0] - 2026-01-02\n", "nothing stands under"),
        ("# Changelog\n\n## [Unreleased]\n\n- A thing.\n\n## [0.2.0] - 2026-01-02\n", "released already"),
    ],
    ids=["nothing new", "twice"],
)
def test_a_release_without_news_or_of_an_old_version_is_refused(release: ModuleType, changelog: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        release.cut(changelog, "0.2.0", "2026-03-04")


def test_the_version_stands_in_one_place(release: ModuleType) -> None:
    text = (PROJECT / "oomctl/__init__.py").read_text()
    changed = release.with_version(text, "9.8.7")
    assert '\n__version__ = "9.8.7"\n' in f"\n{changed}"
    assert len(changed.splitlines()) == len(text.splitlines())


def test_the_collection_of_ansible_has_the_version_and_a_release_writes_it(release: ModuleType) -> None:
    text = (PROJECT / "ansible/galaxy.yml").read_text()
    assert f"\nversion: {__version__}\n" in text
    assert release.with_collection_version(text, "9.8.7") == text.replace(f": {__version__}\n", ": 9.8.7\n")


def test_sha256sum_reads_the_sums(release: ModuleType, tmp_path: Path) -> None:
    files = [tmp_path / "oomadm.pyz", tmp_path / "oomctl.whl"]
    for file in files:
        file.write_text(file.name)
    (tmp_path / release.SUMS).write_text(release.sums(files))
    done = subprocess.run(["sha256sum", "--check", release.SUMS], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
