# What is left when the shim, its helper or containerd is killed.
# shellcheck shell=bash

check_a_killed_shim_leaves_nothing() {
    # containerd's own leaves its socket.
    ours_alone || return 0
    sleeper
    local pid shim
    pid=$(pid_of_one) shim=$(shim_of_one)
    kill -KILL "$shim"
    until_true process_is_gone "$pid"
    until_true no_process_of_the_shims
    until_true nothing_of one
    ctr container delete one
    ctr run --rm "$IMAGE" one echo again
    gives 0
    prints_only again
}

process_is_gone() {
    [ ! -e "/proc/$1/exe" ] || ! readlink "/proc/$1/exe"
}

no_process_of_the_shims() {
    ! shim_pids
}

# No cgroup, no state, no mount, no socket of the container's.
nothing_of() {
    [ -z "$(find /sys/fs/cgroup -path "*/$cgroup_parent/$1")" ] &&
        [ -z "$(find /run/containerd -name "$1" -path "*/$cgroup_parent/*")" ] &&
        ! grep -q "/$cgroup_parent/$1/rootfs" /proc/self/mountinfo &&
        [ -z "$(find /run/containerd/s -type s)" ]
}

check_a_killed_helper_is_replaced() {
    sleeper
    local shim helper
    shim=$(shim_of_one)
    if [ "$using" = opt-runtime ]; then
        helper=$(pgrep -P "$shim" opt-shim-helper) || no 'no helper'
        kill -KILL "$helper"
        until_true process_is_gone "$helper"
    fi
    in_one sh -c 'echo here; exit 3'
    gives 3
    prints_only here
    ctr task kill --signal KILL one
    gives 0
    until_true is_stopped one
    ctr task delete one
    complains 'exit code 137'
}

check_a_killed_containerd_finds_its_containers_again() {
    ctr run --detach "$IMAGE" one sh -c 'trap "exit 7" TERM; touch /ready; while :; do sleep 0.1; done'
    until_true in_one test -e /ready
    local pid
    pid=$(pid_of_one)
    kill -KILL "$(cat "$home/pid")"
    until_true process_is_gone "$(cat "$home/pid")"
    process_is_gone "$pid" && no 'the container ended with containerd'
    start_containerd
    ctr task list
    prints_like "one +$pid +RUNNING"
    in_one echo here
    gives 0
    prints_only here
    ctr task kill one
    gives 0
    until_true is_stopped one
    ctr task delete one
    complains 'exit code 7'
}
