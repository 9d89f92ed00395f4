# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by tools/setup, tools/fetch_* and tests/*/fetch*: apt with its own sources and lists in a folder of the build tree,
# so that the machine's apt configuration stays as it is. The archives' addresses are taken from that configuration.

DEBIAN_KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

die() {
    echo "${0##*/}: $*" >&2
    exit 1
}

os_release() { # FIELD: a field of /etc/os-release
    # shellcheck source=/dev/null
    (. /etc/os-release && printf '%s' "${!1-}")
}

# Prints "URI" for each enabled `deb` entry of the machine's source files whose suites hold $1 and components hold main.
# Both formats of sources.list(5): deb822 stanzas and one-line entries.
archive_uris_from_files() { # SUITE
    local file files=()
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.{list,sources}; do
        [ ! -r "$file" ] || files+=("$file")
    done
    [ ${#files[@]} -gt 0 ] || return 0
    awk -v suite="$1" '
        function has(list, word) { return (" " list " ") ~ ("[ \t]" word "[ \t]") }
        function stanza() {
            if (has(f["types"], "deb") && has(f["suites"], suite) && has(f["components"], "main") &&
                tolower(f["enabled"]) !~ /no|false|0/) {
                n = split(f["uris"], uri, /[ \t]+/)
                for (i = 1; i <= n; i++) if (uri[i] != "") print uri[i]
            }
            split("", f)
        }
        FNR == 1 { stanza() }
        /^[ \t]*#/ { next }
        FILENAME ~ /\.list$/ {
            sub(/#.*/, ""); sub(/\[[^]]*\]/, "")
            if ($1 == "deb" && $3 == suite && has($0, "main")) print $2
            next
        }
        /^[ \t]*$/ { stanza(); next }
        /^[ \t]/ { f[field] = f[field] " " $0; next }
        { field = tolower($0); sub(/:.*/, "", field); value = $0; sub(/^[^:]*:/, "", value); f[field] = value }
        END { stanza() }' "${files[@]}"
}

# The Debian archive this machine installs from; for a suite that ends in -security the one of its security updates, which
# has an address of its own. indextargets is exact, but says nothing before the first `apt-get update`; the source files
# then say it.
archive_uri() { # [SUITE]
    local suite uri
    suite=$(os_release VERSION_CODENAME)
    [[ ${1-} != *-security ]] || suite+=-security
    # shellcheck disable=SC2016 # $(REPO_URI) is apt's own syntax
    uri=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' \
        "Codename: $suite" 2>/dev/null | head -n 1)
    [ -n "$uri" ] || uri=$(archive_uris_from_files "$suite" | head -n 1)
    [ -n "$uri" ] || die "no Debian archive for '$suite' (component main) in this machine's apt sources:" \
        "add one to /etc/apt/sources.list.d"
    printf '%s' "$uri"
}

# private_apt_init DIR STATUS SUITE...: makes DIR a private apt world with these suites of the archive and points
# APT_CONFIG at it. STATUS is the dpkg status file: the machine's own to install, an empty one to unpack elsewhere.
# A suite is taken with its component main, or as SUITE/COMPONENT.
private_apt_init() {
    local dir=$1 status=$2 uri suite component
    shift 2
    [ -r "$DEBIAN_KEYRING" ] || die "$DEBIAN_KEYRING is missing: apt-get install debian-archive-keyring"
    mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial" "$dir/debs"
    : >"$dir/sources.list"
    for suite in "$@"; do
        component=main
        [[ $suite != */* ]] || component=${suite#*/} suite=${suite%%/*}
        uri=$(archive_uri "$suite")
        echo "deb [signed-by=$DEBIAN_KEYRING] $uri $suite $component" >>"$dir/sources.list"
    done
    # Sandbox root: the _apt user cannot reach a tree below /root.
    cat >"$dir/apt.conf" <<CONF
Dir::Etc::sourcelist "$dir/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::lists "$dir/lists";
Dir::State::status "$status";
Dir::Cache "$dir/cache";
Acquire::Languages "none";
APT::Sandbox::User "root";
CONF
    export APT_CONFIG=$dir/apt.conf
}

# Fetches the private lists. A frozen mirror never renews its indexes, so one that is past its Valid-Until (suites
# still in the making have one) is taken with a note; its signature is checked all the same.
private_apt_update() {
    local log=${APT_CONFIG%/*}/update.log
    apt-get -qq update >"$log" 2>&1 && ! grep -q '^[EW]:' "$log" && return 0
    if grep -q 'is expired\|not valid anymore' "$log"; then
        echo "  note: this mirror's index is past its Valid-Until; taking it, the signature is checked"
        apt-get -qq -o Acquire::Check-Valid-Until=false update >"$log" 2>&1 && ! grep -q '^[EW]:' "$log" && return 0
    fi
    sed 's/^/    /' "$log" >&2
    return 1
}

# private_apt_open DIR SUITE: a private apt world in DIR to unpack packages from, where nothing counts as installed. Its
# lists are read once a day. Waits for another script that has it open. Status 1: they cannot be read.
private_apt_open() {
    local dir=$1 suite=$2
    mkdir -p "$dir"
    exec 9>"$dir/lock" && flock 9
    : >"$dir/status"
    private_apt_init "$dir" "$dir/status" "$suite"
    [ -z "$(find "$dir/updated" -mtime -1 2>/dev/null)" ] || return 0
    echo "  UPDATE   package lists of $suite"
    private_apt_update && touch "$dir/updated"
}

# private_apt_unpack DIR PACKAGE...: unpacks packages of the world that is open below DIR, without what they depend on and
# without running anything of theirs. Status 1: they cannot be had.
private_apt_unpack() {
    local dir=$1 debs=${APT_CONFIG%/*}/debs deb
    shift
    rm -f "$debs"/*.deb
    echo "  FETCH    $*"
    (cd "$debs" && apt-get -qq download "$@") || return 1
    for deb in "$debs"/*.deb; do
        dpkg-deb -x "$deb" "$dir" || return 1
    done
    rm -f "$debs"/*.deb
}
