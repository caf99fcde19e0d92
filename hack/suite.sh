# Shared by those that run another project's tests against a runtime: runc-bats, crun-tests, contest, conformance.
# shellcheck shell=bash

# Sets runtime to the whole path of the program that it names.
find_runtime() {
    local found
    found=$(command -v "$runtime") || die "there is no such runtime: $runtime"
    runtime=$(realpath --no-symlinks "$found")
}

# Sets scratch, which goes when the program ends, and logs, which goes with it unless given; and TMPDIR, for the tests.
make_scratch() {
    [ "$(id -u)" = 0 ] || die "needs root: it makes containers"
    scratch=$(mktemp -d -t "${0##*/}-XXXXXX")
    trap 'rm -rf --one-file-system "$scratch"' EXIT
    # Bundles are made below it, and the root of a user namespace must reach them.
    chmod 755 "$scratch"
    mkdir "$scratch/tmp"
    logs=${logs:-$scratch/logs}
    mkdir -p "$logs"
    export TMPDIR=$scratch/tmp
}

# In a mount namespace of its own: what tests leave in /run and in TMPDIR goes with it, and where UNIFIED is "hidden" so
# does the cgroup2 hierarchy beside v1, with or without which a runtime refuses a hybrid layout.
hide_host() {
    mount -t tmpfs -o mode=755 tmpfs /run
    mount -t tmpfs -o mode=755 tmpfs "$TMPDIR"
    if [ "${UNIFIED:-}" = hidden ] && mountpoint -q /sys/fs/cgroup/unified; then
        umount /sys/fs/cgroup/unified
        mount -t tmpfs tmpfs /sys/fs/cgroup/unified
    fi
}
# For the shells inside.
export -f hide_host

# The cgroups that there are with names like these, the deepest first.
list_cgroups() {
    find /sys/fs/cgroup -depth -type d 2>/dev/null | grep -E "/($1)(/|\$)" || true
}

# Takes away the cgroups with names like these that aren't in the file $scratch/before, after the command $2 on each, if there is one.
remove_cgroups() {
    local path attempt
    for attempt in 1 2 3 4 5; do
        list_cgroups "$1" | grep -vxFf "$scratch/before" >"$scratch/left" || true
        [ -s "$scratch/left" ] || return 0
        while read -r path; do
            "${2:-true}" "$path" || true
            rmdir "$path" || true
        done <"$scratch/left" 2>/dev/null
        sleep "0.$attempt"
    done
    echo "left behind: $(head -3 "$scratch/left" | tr '\n' ' ')" >&2
}
