"""Try ``dist/oomadm_*_all.deb`` on a Debian 12 with systemd, in QEMU: ``python packaging/try_deb_booted.py``.

Needs root, debootstrap and qemu-system-x86. The guest is the one of the tests marked ``vm``.
"""

from __future__ import annotations

import sys
from pathlib import Path

PROJECT = Path(__file__).parents[1]
sys.path.insert(0, str(PROJECT))  # so that it runs as a file, too

from tests.vm import debian  # noqa: E402
from tests.vm.guest.package import CHECKS  # noqa: E402


def main() -> None:
    """Print what holds; fail where something does not, or the guest did not come so far."""
    (deb,) = (PROJECT / "dist").glob("oomadm_*_all.deb")
    said = debian.booted("package", {"oomadm.deb": deb.read_bytes()})
    checks = said.of("check")
    for check in checks:
        sys.stdout.write(f"{check['name']}: {'ok' if check['passed'] else check['detail']}\n")
    if len(checks) < len(CHECKS) or not all(check["passed"] for check in checks):
        sys.exit(f"{said.of('error') or ''}\n{said.console_tail()}")


if __name__ == "__main__":
    main()
