"""A host that others manage: in a network, with sshd, PostgreSQL and a backup service, but without oomctl.

``/opt/oomctl`` has its name and the key of who may log in as root.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.vm.guest import report
from tests.vm.guest.debian import POSTGRES, UNITS, sh

NETWORK = "10.0.2.0/24"
ADDRESS = "10.0.2.15"
BACKUP = "restic.service"
COLLECTED = Path("/srv/textfile")
"""What node_exporter would read."""
_GIVEN = Path(__file__).parents[3]
_LINK = f"[Match]\nName=eth0\n[Network]\nAddress={ADDRESS}/24\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n"


def main() -> None:
    sh("hostname", (_GIVEN / "name").read_text(), check=True)
    keys = Path("/root/.ssh")
    keys.mkdir(mode=0o700, exist_ok=True)
    shutil.copyfile(_GIVEN / "authorized_keys", keys / "authorized_keys")
    Path("/etc/systemd/network/eth0.network").write_text(_LINK)
    shutil.copy("/bin/sleep", "/usr/local/sbin/restic")
    (UNITS / BACKUP).write_text("[Service]\nExecStart=/usr/local/sbin/restic infinity\n")
    sh("systemctl", "daemon-reload", check=True)
    sh("systemctl", "start", "systemd-networkd.service", "ssh.service", POSTGRES, BACKUP, check=True)
    sh("/lib/systemd/systemd-networkd-wait-online", "--interface=eth0", "--timeout=60", check=True)
    COLLECTED.mkdir()
    report.send("finished")
    report.drain()


if __name__ == "__main__":
    main()
