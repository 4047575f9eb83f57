#!/usr/bin/env bash
# Try dist/oomadm_*_all.deb in a fresh Debian: by itself, and beside systemd-oomd in either order.
#
# try_deb.sh [RELEASE]: Debian 12 (bookworm) unless another one is named; in Debian 11 apt has to refuse it. Needs root and debootstrap.
set -euo pipefail
cd "$(dirname "$0")/.."
. packaging/roots.sh

work=$(mktemp -d "${TMPDIR:-/tmp}/oomctl-deb.XXXXXX")
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
make_root "$work/root" "${1:-bookworm}" python3-click python3-rich python3-psutil bash-completion man-db
install -m 644 dist/oomadm_*_all.deb "$work/root/oomadm.deb"
install -m 644 packaging/try_deb_inside.sh "$work/root/try.sh"
inside "$work/root" sh /try.sh
