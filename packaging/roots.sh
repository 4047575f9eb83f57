# shellcheck shell=bash
# Debian roots to build and to try packages in: each is built once by debootstrap, kept in the cache of the tests that
# boot kernels, and unpacked anew for every use. The mirror is the one that those tests use. Needs root.

python=${PYTHON:-python3}
export PATH=$PATH:/usr/sbin:/sbin

kept_roots() { "$python" -c 'from tests.vm import kernels; print(kernels.cache_directory() / "roots")'; }
mirror() { "$python" -c 'import sys; from tests.vm import kernels; print(kernels.mirror(sys.argv[1]))' "$1"; }

# make_root DIRECTORY RELEASE [PACKAGE...]: a Debian with these packages in DIRECTORY, which must not exist yet.
make_root() {
    local directory=$1 release=$2 packages=("${@:3}") kept
    kept=$(kept_roots)/$release-$(sha256sum <<<"${packages[*]}" | cut -c1-12).tar
    mkdir -p "$directory" "${kept%/*}"
    if [ -e "$kept" ]; then
        tar -xf "$kept" -C "$directory"
        inside "$directory" apt-get update -qq
        return
    fi
    debootstrap --variant=minbase "$release" "$directory" "$(mirror "$release")" >"$directory.log" || {
        tail -n 20 "$directory.log" >&2
        return 1
    }
    # No service may start here, as in every build: policy-rc.d(8).
    printf '#!/bin/sh\nexit 101\n' >"$directory/usr/sbin/policy-rc.d"
    chmod 755 "$directory/usr/sbin/policy-rc.d"
    [ ${#packages[@]} -eq 0 ] || apt_install "$directory" "${packages[@]}"
    inside "$directory" apt-get clean
    tar -cf "$kept.$$" -C "$directory" .
    mv "$kept.$$" "$kept"
}

# inside DIRECTORY COMMAND...: run it there, with a /proc that shows its own processes only and goes away with it.
inside() {
    unshare --mount --pid --fork --kill-child --mount-proc="$1/proc" \
        env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
        ${SOURCE_DATE_EPOCH:+SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH"} \
        chroot "$1" "${@:2}"
}

apt_install() {
    inside "$1" apt-get install -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 "${@:2}" >"$1.log" 2>&1 || {
        tail -n 30 "$1.log" >&2
        return 1
    }
}
