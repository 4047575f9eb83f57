"""The Debian package that ``packaging/build_deb.sh`` leaves in ``dist``."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent


def package() -> Path | None:
    """Return it; None where there is none, or one of another state of this tree."""
    found = sorted((ROOT / "dist").glob("oomadm_*_all.deb"))
    return found[0] if len(found) == 1 and _holds_this_tree(found[0]) else None


def _holds_this_tree(package: Path) -> bool:
    with tempfile.TemporaryDirectory() as name:
        subprocess.run(["dpkg-deb", "--extract", package, name], check=True)
        theirs = Path(name, "usr/lib/python3/dist-packages/oomctl")
        return _modules(theirs) == _modules(ROOT / "oomctl")


def _modules(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in sorted(directory.rglob("*.py"))}
