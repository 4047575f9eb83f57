# What try_deb.sh runs in its Debian, as root. The first thing that does not hold ends it.
set -eu

apt() { apt-get -y -qq --no-install-recommends "$@" >/tmp/log 2>&1 || { cat /tmp/log; exit 1; }; }
# apt, dpkg and logs keep a book of what was there; nothing else may stay.
listing() {
    find / -xdev \( -path /proc -o -path /tmp -o -path /var/lib/dpkg -o -path /var/lib/apt -o -path /var/log \
        -o -path /var/cache \) -prune -o -print | sort
}
ours() { [ "$(readlink -f /usr/bin/oomctl)" = /usr/bin/oomadm ] && oomctl --version | grep -q 'not the oomctl of systemd-oomd'; }
systemds() { [ ! -L /usr/bin/oomctl ] && dpkg -V systemd-oomd; }
holds() { echo "$1"; shift; "$@" || { echo "does not hold: $*" >&2; exit 1; }; }

listing >/tmp/before
apt install /oomadm.deb
holds "by itself: oomctl is ours" ours
oomadm --version >/dev/null
oomadm top --once -n 2
oomadm simulate --json | python3 -m json.tool >/dev/null
holds "the policy is not enabled" test ! -e /etc/systemd/system/multi-user.target.wants/oomctl-policy.service
apt purge oomadm
listing >/tmp/after
holds "purged: nothing is left" diff /tmp/before /tmp/after

apt install /oomadm.deb
apt install systemd-oomd
holds "systemd-oomd after it: oomctl is systemd's" systemds
apt install --reinstall /oomadm.deb
holds "installed again: still systemd's" systemds
apt purge systemd-oomd
holds "systemd-oomd purged: oomctl is ours again" ours
apt purge oomadm
holds "both purged: no oomctl" test ! -L /usr/bin/oomctl

apt install systemd-oomd
apt install /oomadm.deb
holds "systemd-oomd before it: oomctl is systemd's" systemds
apt purge oomadm
holds "oomadm purged: systemd's oomctl is whole" systemds
