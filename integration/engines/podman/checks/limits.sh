# Resources: cgroups as podman asks for them, and what it reads from them.
# shellcheck shell=bash

check_memory_is_limited() {
    podman run --detach --memory 48m --name one "$IMAGE" sleep 1000
    gives 0
    cgroup_value "$(pid_of_one)" memory.limit_in_bytes memory memory.max
    prints_only $((48 << 20))
}

check_memory_beyond_the_limit_ends_it() {
    podman run --name one --memory 20m --memory-swap 20m "$IMAGE" \
        sh -c 'dd if=/dev/zero of=/dev/null bs=200M count=1'
    gives 137
}

check_memory_reservation_and_swap() {
    podman run --detach --memory 64m --memory-reservation 32m --name one "$IMAGE" sleep 1000
    gives 0
    cgroup_value "$(pid_of_one)" memory.soft_limit_in_bytes memory memory.low
    prints_only $((32 << 20))
}

check_processes_are_limited() {
    podman run --detach --pids-limit 7 --name one "$IMAGE" sleep 1000
    cgroup_value "$(pid_of_one)" pids.max pids pids.max
    prints_only 7
    podman exec one sh -c 'for n in 1 2 3 4 5 6 7 8 9; do sleep 5 & done; wait'
    complains "can't fork"
}

check_processes_without_a_limit() {
    podman run --detach --pids-limit -1 --name one "$IMAGE" sleep 1000
    gives 0
    cgroup_value "$(pid_of_one)" pids.max pids pids.max
    prints_only max
}

check_shares_and_quota_of_cpu() {
    podman run --detach --cpu-shares 512 --cpus 0.5 --name one "$IMAGE" sleep 1000
    gives 0
    cgroup_value "$(pid_of_one)" cpu.cfs_quota_us cpu cpu.max
    prints_like '^50000'
    cgroup_value "$(pid_of_one)" cpu.shares cpu cpu.weight
    prints_like '^(512|20)$'
}

check_cpuset() {
    podman run --rm --cpuset-cpus 0 "$IMAGE" nproc
    gives 0
    prints_only 1
}

check_the_cgroup_is_below_the_parent_that_was_asked_for() {
    podman run --detach --name one "$IMAGE" sleep 1000
    gives 0
    podman inspect --format '{{.State.Pid}}' one
    out=$(cat "/proc/$out/cgroup")
    prints "/$cgroup_parent/libpod-"
}

check_the_cgroup_is_removed() {
    podman run --rm --memory 48m "$IMAGE" true
    gives 0
    out=$(find /sys/fs/cgroup -path "*/$cgroup_parent/libpod-*")
    prints_only ''
}

check_without_cgroups() {
    podman run --rm --cgroups disabled "$IMAGE" cat /proc/self/cgroup
    gives 0
    never_prints "$cgroup_parent"
}

check_own_cgroup_namespace_and_the_hosts() {
    podman run --rm --cgroupns private "$IMAGE" cat /proc/self/cgroup
    gives 0
    never_prints "$cgroup_parent"
    podman run --rm --cgroupns host "$IMAGE" cat /proc/self/cgroup
    gives 0
    prints "$cgroup_parent"
}

check_cgroups_cant_be_written_from_inside() {
    podman run --rm "$IMAGE" sh -c 'find /sys/fs/cgroup -name cgroup.procs | head -n 1; cd /sys/fs/cgroup;
        for way in memory pids systemd; do mkdir $way/made 2>/dev/null && echo "writable: $way"; done; true'
    gives 0
    prints cgroup.procs
    never_prints writable
}

check_update_of_a_running_container() {
    podman run --detach --memory 64m --name one "$IMAGE" sleep 1000
    podman update --memory 80m --cpu-shares 700 one
    gives 0
    cgroup_value "$(pid_of_one)" memory.limit_in_bytes memory memory.max
    prints_only $((80 << 20))
    cgroup_value "$(pid_of_one)" cpu.shares cpu cpu.weight
    prints_like '^(700|27)$'
}

check_stats_sees_what_runs() {
    podman run --detach --memory 64m --name one "$IMAGE" sleep 1000
    podman stats --no-stream --format '{{.Name}} {{.PIDs}} {{.MemUsage}}' one
    gives 0
    prints_like '^one 1 .*67.11MB'
}

check_top_lists_the_processes() {
    podman run --detach --name one "$IMAGE" sh -c 'sleep 1001; true'
    podman top one pid args
    gives 0
    prints 'sleep 1001'
}

check_ulimits() {
    podman run --rm --ulimit nofile=234:345 --ulimit core=0 --ulimit nproc=4096:4096 "$IMAGE" \
        sh -c 'ulimit -n; ulimit -Hn; ulimit -c'
    gives 0
    prints_only $'234\n345\n0'
}

check_oom_score() {
    podman run --rm --oom-score-adj 321 "$IMAGE" cat /proc/self/oom_score_adj
    gives 0
    prints_only 321
}

check_shared_memory_has_the_size_that_was_asked_for() {
    podman run --rm --shm-size 3m "$IMAGE" df -k /dev/shm
    gives 0
    prints_like ' 3072 '
}
