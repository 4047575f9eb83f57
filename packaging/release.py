"""Make a release of what is checked out: ``make release VERSION=1.2.3``.

Writes the version and cuts CHANGELOG.md, then builds sdist, wheel, pyz, deb, rpm and SHA256SUMS into ``dist``. What it
changed is left to be looked at, committed and tagged. Without a version the one that is there is only built.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

PROJECT = Path(__file__).parents[1]
DIST = PROJECT / "dist"
SUMS = "SHA256SUMS"
KINDS = (".tar.gz", ".whl", ".pyz", ".deb", ".rpm")


def main() -> None:
    """Do what the arguments ask for."""
    options = argparse.ArgumentParser(description="Make a release.")
    options.add_argument("version", nargs="?", type=_version, help="X.Y.Z; without it nothing is changed, only built")
    options.add_argument("--date", default=time.strftime("%Y-%m-%d", time.gmtime()), help="YYYY-MM-DD (today)")
    chosen = options.parse_args()
    if chosen.version is not None:
        _refuse_a_dirty_tree()
        _rewrite(PROJECT / "oomctl/__init__.py", lambda text: with_version(text, chosen.version))
        _rewrite(PROJECT / "ansible/galaxy.yml", lambda text: with_collection_version(text, chosen.version))
        _rewrite(PROJECT / "CHANGELOG.md", lambda text: cut(text, chosen.version, chosen.date))
    shutil.rmtree(DIST, ignore_errors=True)
    build()
    sys.stdout.write((DIST / SUMS).read_text())


def with_version(text: str, version: str) -> str:
    """Return the text of ``__init__.py`` with another version. Raises ValueError where it holds none, or several."""
    new, count = re.subn(r'^__version__ = ".*"$', f'__version__ = "{version}"', text, flags=re.MULTILINE)
    if count != 1:
        raise ValueError(f"oomctl/__init__.py: expected one __version__, found {count}")
    return new


def with_collection_version(text: str, version: str) -> str:
    """Return the text of ``galaxy.yml`` with another version. Raises ValueError where it holds none, or several."""
    new, count = re.subn(r"^version: .*$", f"version: {version}", text, flags=re.MULTILINE)
    if count != 1:
        raise ValueError(f"ansible/galaxy.yml: expected one version, found {count}")
    return new


def cut(changelog: str, version: str, date: str) -> str:
    """Return it with what was unreleased under ``version``, below a new, empty heading. Raises ValueError."""
    if f"\n## [{version}]" in changelog:
        raise ValueError(f"CHANGELOG.md: {version} is released already")
    before, heading, after = changelog.partition("\n## [Unreleased]\n")
    if not heading or not after.partition("\n## [")[0].strip():
        raise ValueError("CHANGELOG.md: nothing stands under [Unreleased]")
    return f"{before}{heading}\n## [{version}] - {date}\n{after}"


def build() -> None:
    """Build all of it into ``dist``, and list the SHA-256 of each file. Raises CalledProcessError."""
    _run(sys.executable, "-m", "build", "--outdir", str(DIST), str(PROJECT))
    _run(sys.executable, str(PROJECT / "packaging/pyz.py"), "--all")
    for target in ("deb", "rpm"):
        _run("make", target, f"PYTHON={sys.executable}")
    files = sorted(path for path in DIST.iterdir() if path.name.endswith(KINDS))
    _run(sys.executable, str(PROJECT / ".ci/check_packages.py"), *map(str, files))
    (DIST / SUMS).write_text(sums(files))


def sums(files: list[Path]) -> str:
    """Return a line for each file, as ``sha256sum --check`` reads them."""
    return "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files)


def _version(word: str) -> str:
    if not re.fullmatch(r"\d+\.\d+\.\d+", word):
        raise argparse.ArgumentTypeError(f"{word!r} is not X.Y.Z")
    return word


def _refuse_a_dirty_tree() -> None:
    asked = ["git", "status", "--porcelain"]
    changed = subprocess.run(asked, cwd=PROJECT, check=True, capture_output=True, text=True).stdout
    if changed:
        sys.exit(f"commit or remove these first:\n{changed.rstrip()}")


def _rewrite(path: Path, change: Callable[[str], str]) -> None:
    try:
        path.write_text(change(path.read_text()))
    except ValueError as error:
        sys.exit(str(error))


def _run(*command: str) -> None:
    # Dates in the packages are those of the commit, so that whoever builds it again gets the same.
    dated = ["git", "log", "-1", "--format=%ct"]
    date = subprocess.run(dated, cwd=PROJECT, capture_output=True, text=True, check=False).stdout.strip()
    environment = {"SOURCE_DATE_EPOCH": date, **os.environ} if date else None
    subprocess.run(command, cwd=PROJECT, env=environment, check=True)


if __name__ == "__main__":
    main()
