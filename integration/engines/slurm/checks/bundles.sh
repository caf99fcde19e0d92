# Bundles that users make, and what the site makes of them.
# shellcheck shell=bash

check_a_users_own_bundle_runs_as_spec_writes_it() {
    as_user sh -c "mkdir mine && $place/bin/opt-runtime spec --rootless --bundle mine"
    gives 0
    ln -s "$home/bundles/user/rootfs" "$home/work/mine/rootfs"
    as_user srun --container="$home/work/mine" id -u
    gives 0
    prints_only 0
    nothing_is_left
    rm -r "$home/work/mine"
}

check_a_bundle_that_asks_for_limits_is_refused_by_name() {
    changed_bundle '.linux.resources.memory = { limit: 1000000000 }'
    as_user srun --container="$home/bundles/changed" true
    gives 125
    complains "linux.resources.memory.limit is not supported: cgroups are disabled"
    nothing_is_left
}

check_the_sites_policy_holds_in_jobs() {
    use_flags --cgroup-manager=disabled --policy=check
    as_user srun --container=BUNDLE true
    gives 125
    complains "sealed"
    use_flags --cgroup-manager=disabled --policy=seal
    # The host's /sys can't be sealed.
    changed_bundle '.mounts |= map(select(.destination | startswith("/sys") | not))'
    as_user srun --container="$home/bundles/changed" grep -E 'Seccomp:|CapBnd' /proc/self/status
    gives 0
    prints_like $'CapBnd:[[:space:]]+0{16}\nSeccomp:[[:space:]]+2'
    nothing_is_left
}

# Slurm passes on all of config.json but what it must change; numbers beyond 2^63 it makes smaller.
check_what_the_bundle_asks_for_is_what_the_process_has() {
    changed_bundle '.process.noNewPrivileges = true | .process.rlimits = [{ type: "RLIMIT_NOFILE", soft: 77, hard: 99 }]
        | .process.cwd = "/home" | .process.env += ["OWN=value"] | .linux.maskedPaths += ["/proc/version"]'
    as_user srun --container="$home/bundles/changed" \
        sh -c 'ulimit -n; pwd; echo "$OWN"; wc -c </proc/version; grep NoNewPrivs /proc/self/status'
    gives 0
    prints_like $'^77\n/home\nvalue\n0\nNoNewPrivs:[[:space:]]+1$'
}

# The user's bundle once more, changed by a jq program.
changed_bundle() {
    mkdir -p "$home/bundles/changed"
    jq "$1" "$home/bundles/user/config.json" >"$home/bundles/changed/config.json"
    [ -e "$home/bundles/changed/rootfs" ] || cp -a "$home/bundles/user/rootfs" "$home/bundles/changed/rootfs"
}
