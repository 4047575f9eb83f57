"""Run ``oomadm.pyz`` in a Debian with hardly more than Python: ``python packaging/try_pyz.py bookworm trixie``.

Needs root and debootstrap; the mirror is the one that apt is configured with. Nothing stays behind: ``/proc`` is
mounted in a mount namespace that ends with each command, and the root directory is removed.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROJECT = Path(__file__).parents[1]
sys.path.insert(0, str(PROJECT))  # so that it runs as a file, too

from tests.vm import kernels  # noqa: E402

PYTHON = "python3-minimal,libpython3-stdlib"
"""The least: python3-minimal alone has no gettext, json, dataclasses, shutil and ten others."""
COMMANDS = (
    "--version",
    "top --once -n 3",
    "top --once --json",
    "simulate",
    "simulate --json",
    "explain 1",
    "explain --json 1",
    "snapshot",
    "set --dry-run 500 $$",
    "history --file /tmp/log",
    "history --file /tmp/log --json",
    "check --json >/dev/null || [ $? = 1 ]",
    "metrics",
    "completion bash",
    "policy check -f /tmp/policy",
    "run -n 5 true",
)


def main() -> None:
    """Try each release that is named, and fail where a command does."""
    options = argparse.ArgumentParser(description="Try oomadm.pyz in bare Debians.")
    options.add_argument("releases", nargs="*", default=["bookworm"], metavar="RELEASE")
    options.add_argument("--pyz", type=Path, default=PROJECT / "dist" / "oomadm.pyz", metavar="FILE")
    options.add_argument("--package", default=PYTHON, help=f"what to install for Python ({PYTHON})")
    chosen = options.parse_args()
    failed = [release for release in chosen.releases if not try_in(release, chosen.pyz, chosen.package)]
    if failed:
        sys.exit(f"failed in {', '.join(failed)}")


def try_in(release: str, pyz: Path, package: str) -> bool:
    """Return whether every command works in ``release`` with no Python but that of ``package``."""
    with tempfile.TemporaryDirectory(prefix="oomadm-try.") as directory:
        root = Path(directory) / "root"
        began = time.monotonic()
        _install(root, release, package)
        seconds = time.monotonic() - began
        for name, source in _files(pyz).items():
            shutil.copy(source, root / name)
        wrong = [command for command in COMMANDS if not _works(root, command)]
    sys.stdout.write(f"{release}, {package} ({seconds:.0f} s to install): {len(COMMANDS) - len(wrong)} commands work\n")
    return not wrong


def _files(pyz: Path) -> dict[str, Path]:
    return {
        "tmp/oomadm.pyz": pyz,
        "tmp/log": PROJECT / "tests/data/oom-logs/6.8-memcg-order-3.log",
        "tmp/policy": PROJECT / "examples/policy/server.toml",
    }


def _install(root: Path, release: str, package: str) -> None:
    include = f"--include={package}"
    command = ["debootstrap", "--variant=minbase", include, release, str(root), kernels.mirror(release)]
    done = subprocess.run(command, env=_surrounding(), capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"debootstrap of {release} failed: {(done.stderr or done.stdout).strip()[-500:]}")


def _works(root: Path, command: str) -> bool:
    inside = f"cd /tmp && /usr/bin/python3 -I /tmp/oomadm.pyz {command}"
    quoted = shlex.quote(str(root))
    mounted = f"mount -t proc proc {quoted}/proc && exec chroot {quoted} /bin/sh -c {shlex.quote(inside)}"
    # A mount namespace of its own: what is mounted in it goes when the command ends.
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", mounted],
        env=_surrounding(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode or "Traceback" in done.stderr:
        sys.stderr.write(f"oomadm.pyz {command}: status {done.returncode}\n{done.stderr[-1500:]}\n")
        return False
    return True


def _surrounding() -> dict[str, str]:
    return {"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}


if __name__ == "__main__":
    main()
