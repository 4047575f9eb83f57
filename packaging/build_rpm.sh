#!/usr/bin/env bash
# Build the RPM of this tree for Fedora and RHEL 9 into dist/oomadm-VERSION-1.noarch.rpm, and look at what it holds.
#
# PYTHON needs the module build; besides rpmbuild and cpio (Debian: apt-get install rpm cpio). No root.
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-.venv/bin/python}
work=$(mktemp -d "${TMPDIR:-/tmp}/oomctl-rpm.XXXXXX")
trap 'rm -rf "$work"' EXIT
version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' oomctl/__init__.py)
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || stat -c %Y oomctl/__init__.py)}
export SOURCE_DATE_EPOCH

"$python" -m build --wheel --outdir "$work" . >"$work/log" 2>&1 || { tail -n 20 "$work/log" >&2 && exit 1; }
"$python" -c 'import sys; from pathlib import Path; sys.path.insert(0, "packaging"); import pyz
held = Path(sys.argv[1]); pyz.collect(held / "src", held / "licenses")' "$work/held"
version_of() { sed -n "s/^$1==\([^ ]*\).*/\1/p" packaging/bundled.txt; }
rpmbuild -bb --quiet --define "_topdir $work/rpm" --define "_sourcedir $work" --define "version $version" \
    --define "click $(version_of click)" --define "rich $(version_of rich)" --define "tomli $(version_of tomli)" \
    --define "_buildhost localhost" --define "use_source_date_epoch_as_buildtime 1" \
    --define "clamp_mtime_to_source_date_epoch 1" packaging/oomadm.spec >"$work/log" 2>&1 || {
    tail -n 20 "$work/log" >&2
    exit 1
}
mkdir -p dist
rm -f dist/oomadm-*.noarch.rpm
install -m 644 "$work"/rpm/RPMS/noarch/oomadm-*.noarch.rpm dist/

# Unpacked it has to run, without the libraries that PYTHON has.
mkdir "$work/root"
rpm2cpio "$work"/rpm/RPMS/noarch/oomadm-*.noarch.rpm | (cd "$work/root" && cpio -idm --quiet)
in_root() { "$python" -I -S "$work/root/usr/bin/oomadm" "$@"; }
in_root --version | grep -F "$version" >/dev/null
in_root top --once -n 2 >/dev/null
in_root simulate --json | "$python" -m json.tool >/dev/null
if grep -r /opt/ "$work/root/usr/lib/systemd"; then
    echo "a unit starts what the package does not hold" >&2 && exit 1
fi
zcat "$work/root/usr/share/man/man8/oomadm.8.gz" >/dev/null
[ ! -e "$work/root/usr/bin/oomctl" ] # it is systemd's
[ "$(rpm -qpR dist/oomadm-*.noarch.rpm | grep -v '^rpmlib(\|^/bin/sh$')" = "python3 >= 3.9" ]
ls dist/oomadm-*.noarch.rpm
