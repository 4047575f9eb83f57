# What try_deb.sh runs in its Debian, as root. The first thing that does not hold ends it.
set -eu

apt() { apt-get -y -qq --no-install-recommends "$@" >/tmp/log 2>&1 || { cat /tmp/log; exit 1; }; }
# apt, dpkg and logs keep a book of what was there; nothing else may stay.
listing() {
    find / -xdev \( -path /proc -o -path /tmp -o -path /var/lib/dpkg -o -path /var/lib/apt -o -path /var/log \
        -o -path /var/cache \) -prune -o -print | sort
}
fish=/usr/share/fish/vendor_completions.d/oomctl.fish
ours() {
    [ "$(readlink -f /usr/bin/oomctl)" = /usr/bin/oomadm ] && [ -s "$fish" ] &&
        oomctl --version | grep -q 'not the oomctl of systemd-oomd'
}
systemds() {
    [ ! -L /usr/bin/oomctl ] && [ -x /usr/bin/oomctl ] && [ -z "$(dpkg -V systemd-oomd 2>&1)" ] && [ ! -e "$fish" ]
}
holds() { echo "$1"; shift; "$@" >/tmp/told || { cat /tmp/told; echo "does not hold: $*" >&2; exit 1; }; }

answers() {
    oomadm --version && oomadm top --once -n 2 && oomadm explain 1 && oomadm simulate --json | python3 -m json.tool
}
completes() {
    bash -ec '. /usr/share/bash-completion/completions/oomadm
        COMP_WORDS=(oomadm expl) COMP_CWORD=1 COMP_LINE="oomadm expl" COMP_POINT=11
        "$(complete -p oomadm | sed -E "s/.* -F ([^ ]+) .*/\1/")" oomadm expl oomadm
        [ "${COMPREPLY[0]% }" = explain ]'
}

if [ "$(. /etc/os-release && echo "$VERSION_ID")" = 11 ]; then
    # Its click is too old. apt has to say so, and to install nothing; oomadm.pyz is for such machines.
    if apt-get -y install /oomadm.deb >/tmp/log 2>&1; then echo "Debian 11 took it" >&2; exit 1; fi
    holds "Debian 11: apt names click" grep -q 'Depends: python3-click (>= 8.1.3)' /tmp/log
    exit
fi

listing >/tmp/before
apt install /oomadm.deb
holds "by itself: oomctl is ours" ours
holds "it answers" answers
holds "TAB" completes
holds "man oomadm" man -w oomadm oomctl-check oomctl-policy.5 oomctl-api
holds "programs in Python can ask" python3 -c "from oomctl import api"
holds "the policy is not enabled" test ! -e /etc/systemd/system/multi-user.target.wants/oomctl-policy.service
dpkg-deb -R /oomadm.deb /tmp/older
sed -i 's/^Version:.*/Version: 0.0.1/' /tmp/older/DEBIAN/control
echo 'print("older")' >/tmp/older/usr/lib/python3/dist-packages/oomctl/of_old.py
dpkg-deb -b /tmp/older /tmp/older.deb >/tmp/log
apt purge oomadm
apt install /tmp/older.deb
apt install /oomadm.deb
holds "upgraded: nothing of the older one is left" test ! -e /usr/lib/python3/dist-packages/oomctl/of_old.py
holds "it answers" answers
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
holds "both purged: no oomctl" test ! -e /usr/bin/oomctl -a ! -L /usr/bin/oomctl

apt install systemd-oomd
apt install /oomadm.deb
holds "systemd-oomd before it: oomctl is systemd's" systemds
apt purge oomadm
holds "oomadm purged: systemd's oomctl is whole" systemds
