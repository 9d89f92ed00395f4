# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by the scripts of this folder. Each builds one back end from Go's module proxy into build/backends/NAME, and
# installs nothing on the machine. Exit status 3: it cannot be had here; the last line of stderr says why.

# shellcheck source=tests/servers/fetch/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../servers/fetch/common.sh"

BACKENDS=$ROOT/build/backends
# Modules and compiled packages, which back ends have in common. tests/backends/run removes it when all are there.
GO_SHARED=$BACKENDS/.go

# go_env DIR COMMAND...: in DIR, with Go's settings, at the lowest priority: these are minutes of each core.
go_env() {
    (
        cd "$1" || exit
        shift
        export GOPATH=$GO_SHARED GOCACHE=$GO_SHARED/cache GOFLAGS=-modcacherw GOTOOLCHAIN=auto CGO_ENABLED=0 GOWORK=off
        nice -n 19 "$@"
    )
}

# go_install DIR PACKAGE@VERSION: into DIR/bin, without symbols.
go_install() {
    step BUILD "$2"
    GOBIN=$1/bin try "$1/build.log" go_env "$1" go install -trimpath -ldflags '-s -w' "$2" ||
        cannot "go install $2 failed (whole output: $1/build.log)"
}

# go_extract DIR MODULE@VERSION COMMAND [BUILD_ARGUMENT...]: the same where go install refuses, for a `replace`.
go_extract() {
    local dir=$1 module=$2 command=$3 found
    shift 3
    step FETCH "$module"
    found=$(go_env "$dir" go mod download -json "$module" 2>"$dir/download.log" |
        sed -n 's/^\t"Dir": "\(.*\)",$/\1/p') || true
    [ -d "$found" ] || cannot "go mod download $module failed (whole output: $dir/download.log)"
    cp -r "$found" "$dir/source"
    chmod -R u+w "$dir/source"
    go_build "$dir" "./cmd/$command" "$command" "$@"
    rm -rf "$dir/source"
}

# go_build DIR PACKAGE PROGRAM [BUILD_ARGUMENT...]: of the module in DIR/source, into DIR/bin.
go_build() {
    local dir=$1 package=$2 program=$3
    shift 3
    step BUILD "$program in $dir/source"
    try "$dir/build.log" \
        go_env "$dir/source" go build -trimpath -ldflags '-s -w' "$@" -o "$dir/bin/$program" "$package" ||
        cannot "go build of $program failed (whole output: $dir/build.log)"
}
