# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by the programs that fetch what they test: tests/servers/run, tests/backends/run.

# prepare GROUP NAME FETCH... TEST: runs the program that fetches it, and sets spec to what tests/run is to run.
prepare() {
    local group=$1 name=$2 status=0
    local why=build/$group/$name.skip
    shift 2
    mkdir -p "build/$group"
    printf '== %s\n' "$name"
    "${@:1:$#-1}" 2>"$why.part" || status=$?
    cat "$why.part" >&2
    case $status in
    0) spec="${group}_$name=/usr/bin/python3 -B ${*: -1}" ;;
    3)
        printf '1..1\nok 1 - %s # SKIP %s\n' "$name" "$(tail -n 1 "$why.part")" >"$why"
        spec="${group}_$name=cat $why"
        ;;
    *)
        printf '1..1\nnot ok 1 - %s: fetching it ended with status %s\n' "$name" "$status" >"$why"
        # shellcheck disable=SC2034 # for the program that sources this
        spec="${group}_$name=cat $why"
        ;;
    esac
    rm -f "$why.part"
}
