"""Build ``dist/oomadm.pyz``: oomctl and all it needs in one file that any Python from 3.9 on runs.

Beside the sources the archive holds byte code of what is needed most, for the Pythons of Debian 11 to 13 and RHEL 9:
to compile at every start takes three times as long. A Python without byte code of its own uses the sources. Two builds
by the same Pythons are equal byte for byte. ``python packaging/pyz.py --help`` says what can be chosen.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).parents[1]
PACKAGING = PROJECT / "packaging"
PRECOMPILED = ("3.9", "3.11", "3.13")
"""The Pythons of Debian 11 and RHEL 9, of Debian 12, and of Debian 13."""
SHEBANG = b"#!/usr/bin/python3 -I\n"
LEFT_OUT = frozenset(
    {
        *("click/testing.py", "click/_winconsole.py", "oomctl/api.py"),
        *(f"rich/{name}.py" for name in ("__main__", "markdown", "syntax", "traceback", "prompt", "json", "tree")),
        *(f"rich/{name}.py" for name in ("_inspect", "logging", "layout", "diagnose", "_win32_console")),
        *(f"rich/{name}.py" for name in ("_windows", "_windows_renderer", "columns")),
    }
)
"""What nobody imports here."""
_EPOCH = 315532800  # 1980: no date in a zip is earlier


def main() -> None:
    """Build the file that the options ask for, and say what it holds."""
    options = argparse.ArgumentParser(description="Build oomadm.pyz.")
    options.add_argument("--output", type=Path, default=PROJECT / "dist" / "oomadm.pyz", metavar="FILE")
    options.add_argument("--all", action="store_true", help="fail where a Python to precompile for is missing")
    chosen = options.parse_args()
    pythons = {version: found for version in PRECOMPILED if (found := python_of(version))}
    missing = [version for version in PRECOMPILED if version not in pythons]
    if missing and chosen.all:
        sys.exit(f"no Python {', '.join(missing)} in PATH or of pyenv, to precompile for")
    build(chosen.output, pythons)
    size = chosen.output.stat().st_size
    sys.stdout.write(f"{chosen.output}: {size} bytes, precompiled for Python {', '.join(pythons) or '(none)'}\n")


def python_of(version: str) -> str | None:
    """Return a Python of this version, from PATH or pyenv; None where there is none."""
    of_pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    for found in (shutil.which(f"python{version}"), *sorted(map(str, of_pyenv.glob(f"{version}.*/bin/python")))):
        if found and _runs(found, version):
            return found
    return None


def _runs(python: str, version: str) -> bool:
    """Look whether it is what its name says; one of pyenv's shims may run nothing."""
    asked = [python, "-I", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    return done.stdout.strip() == version


def build(output: Path, pythons: dict[str, str]) -> None:
    """Write the archive to ``output``, with byte code made by each of ``pythons``."""
    with tempfile.TemporaryDirectory(prefix="oomadm-pyz.") as directory:
        root = Path(directory)
        collect(root / "src", root / "licenses")
        for version, python in pythons.items():
            _precompile(python, root / "src", root / f"cpython-{version.replace('.', '')}")
        shutil.copy(PACKAGING / "pyz_main.py", root / "__main__.py")
        output.parent.mkdir(parents=True, exist_ok=True)
        _pack(root, output)


def collect(sources: Path, licences: Path) -> None:
    """Put the packages into ``sources``, without the interactive top, and their licences beside them."""
    shutil.copytree(
        PROJECT / "oomctl",
        sources / "oomctl",
        ignore=shutil.ignore_patterns("__pycache__", "*.typed", "schemas", "tui"),
    )
    (sources / "oomctl/tui").mkdir()
    for name in ("__init__.py", "keys.py"):  # help lists the keys
        shutil.copy(PROJECT / "oomctl/tui" / name, sources / "oomctl/tui")
    licences.mkdir()
    shutil.copy(PROJECT / "LICENSE", licences / "oomctl.txt")
    with tempfile.TemporaryDirectory(prefix="oomadm-wheels.") as wheels:
        _download(Path(wheels))
        for wheel in sorted(Path(wheels).glob("*.whl")):
            _unpack(wheel, sources, licences)
    for name in LEFT_OUT:
        (sources / name).unlink()
    # Names of emoji, for markup that nothing here uses, are a seventh of rich.
    (sources / "rich/_emoji_codes.py").write_text("EMOJI: dict = {}\n")


def _download(wheels: Path) -> None:
    """Fetch the wheels of bundled.txt, the same ones whatever Python builds, and hold them to their hashes."""
    # fmt: off
    subprocess.run(
        [
            sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
            "--no-deps", "--only-binary=:all:", "--require-hashes", "--dest", str(wheels),
            "--python-version", "3.9", "--implementation", "py", "--abi", "none", "--platform", "any",
            "--requirement", str(PACKAGING / "bundled.txt"),
        ],
        check=True,
    )
    # fmt: on


def _unpack(wheel: Path, sources: Path, licences: Path) -> None:
    project = wheel.name.partition("-")[0]
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if ".dist-info/" not in name and name.endswith(".py"):
                archive.extract(name, sources)
            elif Path(name).name.startswith("LICENSE"):
                (licences / f"{project}.txt").write_bytes(archive.read(name))


def _precompile(python: str, sources: Path, compiled: Path) -> None:
    """Have ``python`` compile them, in a surrounding that is the same each time."""
    # Columns for tracebacks are a fifth of the byte code; the order of a set's constants follows the hash seed.
    command = [python, "-S", "-s", "-B", "-X", "no_debug_ranges", str(PACKAGING / "precompile.py")]
    subprocess.run([*command, str(sources), str(compiled)], env={"PYTHONHASHSEED": "0", "LC_ALL": "C"}, check=True)


def _pack(root: Path, output: Path) -> None:
    date = time.gmtime(max(_EPOCH, int(os.environ.get("SOURCE_DATE_EPOCH", _EPOCH))))[:6]
    with output.open("wb") as file:
        file.write(SHEBANG)
        with zipfile.ZipFile(file, "w") as archive:
            for name, path in _files(root):
                entry = zipfile.ZipInfo(name, date)
                entry.create_system = 3  # Unix, so that the permissions are read as such
                entry.external_attr = 0o100644 << 16
                archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED, 9)
    output.chmod(0o755)


def _files(root: Path) -> Iterator[tuple[str, Path]]:
    names = {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()}
    yield from sorted(names.items())


if __name__ == "__main__":
    main()
