# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by the scripts of this folder. Each puts one real server into build/servers/NAME, and installs nothing on the
# machine. Exit status 3: it cannot be had here, and the last line of stderr says what was tried.

ROOT=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../../..")
# shellcheck disable=SC2034 # for the scripts that source this
SERVERS=$ROOT/build/servers
# shellcheck source=tools/private_apt.sh
. "$ROOT/tools/private_apt.sh"

cannot() {
    echo "${0##*/} cannot be had here: $*" >&2
    exit 3
}

step() { # WHAT TEXT
    printf '  %-8s %s\n' "$1" "$2"
}

need() { # PROGRAM...
    local program
    for program; do
        command -v "$program" >/dev/null || cannot "it takes $program, which this machine lacks"
    done
}

need_root() {
    [ "$(id -u)" = 0 ] || cannot 'chroot needs root'
}

# whole DIR KEY: DIR was finished by this recipe (KEY names versions). Otherwise what is there is removed.
whole() {
    [ "$(cat "$1/stamp" 2>/dev/null)" != "$2" ] || return 0
    rm -rf --one-file-system "$1"
    mkdir -p "$1"
    return 1
}

finish() { # DIR KEY
    echo "$2" >"$1/stamp"
}

# try LOG COMMAND...: runs it with its output in LOG; the last lines that look like an error are shown when it fails.
try() {
    local log=$1
    shift
    "$@" >"$log" 2>&1 && return
    grep -iE 'error|^E:|cannot|failed|not found' "$log" | tail -n 3 | sed 's/^/    /' >&2
    return 1
}

# debian_root DIR PACKAGE...: unpacks the packages and all they depend on into DIR/root, from the first of SUITES that
# has them. No maintainer script runs.
debian_root() {
    local dir=$1 suite
    shift
    for suite in "${SUITES[@]}"; do
        debian_download "$dir" "$suite" "$@" && break
        suite=
    done
    [ -n "$suite" ] || cannot "no $* in ${SUITES[*]} of $(archive_uri) (see $dir/apt)"
    debian_unpack "$dir"
    rm -rf "$dir/apt/cache" "$dir/apt/lists"
}

debian_download() { # DIR SUITE PACKAGE...
    local dir=$1 suite=$2
    shift 2
    step UPDATE "package lists of $suite"
    mkdir -p "$dir/apt"
    : >"$dir/apt/status"
    private_apt_init "$dir/apt" "$dir/apt/status" "$suite"
    private_apt_update || return 1
    step FETCH "$* of $suite"
    try "$dir/apt/download.log" \
        apt-get -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 --download-only install "$@"
}

# The links are what base-files would bring.
debian_unpack() { # DIR
    local deb root=$1/root
    step UNPACK "$root"
    rm -rf "$root"
    mkdir -p "$root"/{usr/{bin,sbin,lib,lib64},tmp,dev,proc,sys,etc}
    ln -s usr/lib usr/lib64 usr/bin usr/sbin "$root/"
    for deb in "$1"/apt/cache/archives/*.deb; do
        dpkg-deb -x "$deb" "$root"
    done
    debian_alternatives "$root"
}

# What the packages' scripts would choose: torch wants these by their plain names.
debian_alternatives() { # ROOT
    local library
    for library in "$1"/usr/lib/*/{blas,lapack}/lib*.so.3; do
        [ ! -e "$library" ] || ln -sr "$library" "$(dirname "$library")/.."
    done
}

# pip_unpack DIR PYTHON PIP_ARGUMENT...: these wheels, without what they depend on, for any Python.
pip_unpack() {
    local dir=$1 python=$2 minor platforms=()
    shift 2
    python3 -m pip --version >/dev/null 2>&1 || cannot 'it takes pip (python3-pip)'
    # Wheels name the oldest glibc that they run on.
    for minor in {5..39}; do
        platforms+=(--platform "manylinux_2_${minor}_x86_64")
    done
    try "$dir/pip.log" python3 -m pip install --no-input --disable-pip-version-check --no-deps --no-compile \
        --ignore-requires-python --only-binary :all: --implementation cp --python-version "$python" \
        --abi "cp${python/./}" --abi abi3 --abi none "${platforms[@]}" \
        --platform manylinux2014_x86_64 --platform manylinux2010_x86_64 --platform manylinux1_x86_64 \
        --target "$dir/site" "$@" || cannot "pip could not get $* from PyPI (whole output: $dir/pip.log)"
}
