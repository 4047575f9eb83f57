#!/usr/bin/env bash
# Build the Debian package of this tree, a checkout or an unpacked sdist, into dist/oomadm_VERSION_all.deb.
#
# build_deb.sh [RELEASE]: on Debian 12 (bookworm) unless another one is named; the package is for all from there on.
# lintian has to be content with it. Needs root (chroot) and debootstrap.
set -euo pipefail
cd "$(dirname "$0")/.."
. packaging/roots.sh

release=${1:-bookworm}
work=$(mktemp -d "${TMPDIR:-/tmp}/oomctl-deb.XXXXXX")
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"

# The version stands in one place; what Python calls 1.0.dev1 or 1.0rc1 comes before 1.0, as ~ does for dpkg.
version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' oomctl/__init__.py | sed -E 's/\.?(dev|a|b|rc)([0-9])/~\1\2/')
# The same tree gives the same package: its date is that of the commit, or of the sdist's files.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || stat -c %Y oomctl/__init__.py)}
export SOURCE_DATE_EPOCH

make_root "$work/root" "$release" debhelper dh-python pybuild-plugin-pyproject python3-all python3-hatchling lintian
source=$work/root/build/oomadm-$version
mkdir -p "$source"
tar --exclude=./.git --exclude=./.venv --exclude='./.*_cache' --exclude=__pycache__ --exclude=./dist -cf - . | tar -xf - -C "$source"
cp -r "$source/packaging/debian" "$source/debian"
# Classifiers say on which Pythons it was tried; Debian 12's hatchling refuses one that it does not know yet.
sed -i '/^    "Programming Language :: Python :: 3\.1[2-9]",$/d' "$source/pyproject.toml"
cat >"$source/debian/changelog" <<EOF
oomadm ($version) unstable; urgency=medium

  * Version $version.

 -- $(sed -n 's/^Maintainer: //p' packaging/debian/control)  $(date -u -R -d "@$SOURCE_DATE_EPOCH")
EOF
chown -R root:root "$source"

# -d: what would be missing is build-essential's compilers, and nothing is compiled.
inside "$work/root" sh -ec 'cd /build/oomadm-*; dpkg-buildpackage -d -b -us -uc' >"$work/log" 2>&1 || {
    tail -n 40 "$work/log" >&2
    exit 1
}
# The project has no mail address of its own, and Debian's form wants one: example.invalid says so (RFC 2606).
inside "$work/root" sh -ec 'cd /build; lintian --allow-root --fail-on error,warning --show-overrides \
    --suppress-tags bogus-mail-host,bogus-mail-host-in-debian-changelog oomadm_*.changes'
mkdir -p dist
rm -f dist/oomadm_*_all.deb
install -m 644 "$work"/root/build/oomadm_*_all.deb dist/
echo "dist/oomadm_${version}_all.deb"
