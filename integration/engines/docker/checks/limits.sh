# Resources, and what Docker shows of them.
# shellcheck shell=bash

check_memory_is_limited() {
    docker run --detach --memory 48m --name one "$IMAGE" sleep 1000
    gives 0
    cgroup_value "$(pid_of_one)" memory.limit_in_bytes memory memory.max
    prints_only $((48 << 20))
}

check_memory_beyond_the_limit_ends_it() {
    docker run --name one --memory 20m --memory-swap 20m "$IMAGE" sh -c 'exec dd if=/dev/zero of=/dev/null bs=200M count=1'
    gives 137
    docker inspect --format '{{.State.OOMKilled}}' one
    prints_only true
}

check_processes_are_limited() {
    docker run --detach --pids-limit 7 --name one "$IMAGE" sleep 1000
    cgroup_value "$(pid_of_one)" pids.max pids pids.max
    prints_only 7
}

check_shares_and_quota_of_cpu() {
    docker run --detach --cpu-shares 512 --cpus 0.5 --cpuset-cpus 0 --name one "$IMAGE" sleep 1000
    gives 0
    cgroup_value "$(pid_of_one)" cpu.cfs_quota_us cpu cpu.max
    prints_like '^50000'
    cgroup_value "$(pid_of_one)" cpu.shares cpu cpu.weight
    prints_like '^(512|20)$'
    docker exec one nproc
    prints_only 1
}

check_update_of_a_running_container() {
    docker run --detach --memory 64m --memory-swap 64m --name one "$IMAGE" sleep 1000
    docker update --memory 80m --memory-swap 80m --cpu-shares 700 --pids-limit 33 one
    gives 0
    cgroup_value "$(pid_of_one)" memory.limit_in_bytes memory memory.max
    prints_only $((80 << 20))
    cgroup_value "$(pid_of_one)" pids.max pids pids.max
    prints_only 33
    cgroup_value "$(pid_of_one)" cpu.shares cpu cpu.weight
    prints_like '^(700|27)$'
}

check_stats_sees_what_runs() {
    docker run --detach --memory 64m --name one "$IMAGE" sleep 1000
    docker stats --no-stream --format '{{.Name}} {{.PIDs}} {{.MemUsage}}' one
    gives 0
    prints_like '^one 1 .*/ 64MiB'
}

check_top_lists_the_processes() {
    docker run --detach --name one "$IMAGE" sh -c 'sleep 1001; true'
    docker top one
    gives 0
    prints 'sleep 1001'
}

check_the_cgroup_is_below_the_parent_that_was_asked_for() {
    docker run --rm --cgroupns host "$IMAGE" cat /proc/self/cgroup
    gives 0
    prints "/$cgroup_parent/"
}

check_oom_score() {
    docker run --rm --oom-score-adj 321 "$IMAGE" cat /proc/self/oom_score_adj
    gives 0
    prints_only 321
}
