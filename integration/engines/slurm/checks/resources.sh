# What Slurm limits and counts: a container must stay within its step.
# shellcheck shell=bash

check_a_container_stays_in_slurms_cgroup() {
    as_both stays_in_cgroup
    # An ordinary user has no other anyway.
    use_flags --cgroup-manager=cgroupfs
    as=as_user id=$USER_ID
    stays_in_cgroup
}

stays_in_cgroup() {
    local pid
    submit_step 'echo started; exec sleep 312'
    wrote $'started\nstarted'
    for pid in $(pgrep -x -f 'sleep 312'); do
        grep -qE ":memory:.*/slurm_n[12]/uid_$id/job_$job/step_0" "/proc/$pid/cgroup" ||
            no "elsewhere: $(cat "/proc/$pid/cgroup")"
    done
    scancel "$job"
    nothing_is_left
}

check_root_may_have_cgroups_of_the_runtimes_making() {
    use_flags --cgroup-manager=cgroupfs
    as=as_root
    submit_step 'echo started; exec sleep 313'
    wrote $'started\nstarted'
    grep -q ":memory:.*/opt-runtime-.*n[12].root.$job.0.0" "/proc/$(pgrep -xof 'sleep 313')/cgroup" ||
        no "none of its own"
    scancel "$job"
    nothing_is_left
}

check_more_memory_than_allowed_ends_the_step_and_is_told() {
    as_both exceeds_memory
}

exceeds_memory() {
    "$as" srun --container=BUNDLE --mem=64 dd if=/dev/zero of=/dev/null bs=300M count=1
    [ "$code" != 0 ] || no "succeeds"
    complains "Out Of Memory"
    nothing_is_left
    "$as" srun --container=BUNDLE --mem=400 dd if=/dev/zero of=/dev/null bs=300M count=1
    gives 0
}

check_the_cores_are_the_steps() {
    as_both counts_cores
}

counts_cores() {
    "$as" srun --container=BUNDLE --cpus-per-task=1 grep Cpus_allowed_list /proc/self/status
    gives 0
    prints_like '^Cpus_allowed_list:[[:space:]]+[0-9]+$'
}
