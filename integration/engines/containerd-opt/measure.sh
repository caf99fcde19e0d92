# What hack/bench-containerd measures, written as a check of integration/engines/containerd-opt. A line of $MEASURED is
# a row, whose, and a number.
# shellcheck shell=bash

check_it_is_measured() {
    # crun refuses a cgroup2 hierarchy with controllers beside v1.
    if mountpoint -q /sys/fs/cgroup/unified; then
        umount --lazy /sys/fs/cgroup/unified
        mount -t tmpfs tmpfs /sys/fs/cgroup/unified
    fi
    local round each
    for using in opt-runtime crun; do
        measure_run warm-up
    done
    : >"$MEASURED"
    for ((round = 0; round < ROUNDS; round++)); do
        for each in $(shuf -e run memory-1); do
            for using in $(shuf -e opt-runtime crun); do
                "measure_${each%%-*}" "$each"
            done
        done
        if [ $((round % 10)) = 0 ]; then
            for using in $(shuf -e opt-runtime crun); do
                measure_memory memory-10
            done
        fi
    done
}

note() {
    echo "$1 $using $2" >>"$MEASURED"
}

# Microseconds.
measure_run() {
    local options began
    runtime_options
    began=${EPOCHREALTIME/./}
    command ctr --address "$home/socket" --namespace "$cgroup_parent" run --rm "${options[@]}" "$IMAGE" one true ||
        no 'it does not run'
    note "$1" $((${EPOCHREALTIME/./} - began))
}

# KiB a pod, of so many pods, each of one container.
measure_memory() {
    local number total=0 pid pss
    for ((number = 0; number < ${1#memory-}; number++)); do
        ctr run --detach "$IMAGE" "pod$number" sleep 1000
        gives 0
    done
    for pid in $(pgrep -f "$(shim_name) -namespace $cgroup_parent "); do
        pss=$(sed -n 's/^Pss: *\([0-9]*\) kB/\1/p' "/proc/$pid/smaps_rollup")
        total=$((total + pss))
    done
    note "$1" $((total / ${1#memory-}))
    for ((number = 0; number < ${1#memory-}; number++)); do
        ctr task kill --signal KILL "pod$number"
        until_true is_stopped "pod$number"
        ctr task delete "pod$number"
        ctr container delete "pod$number"
    done
    until_true none_left
}

none_left() {
    ! pgrep -f "$(shim_name) -namespace $cgroup_parent "
}
